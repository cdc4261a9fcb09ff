//! `selectivity-lab analyze`: the analyses on imported weights and a NumPy file of images. `docs/analyze.md` says
//! what each of them gives.

use std::error::Error;
use std::path::{Path, PathBuf};

use engine::data::{read_images, read_labels};
use engine::networks::{ModelConfig, weights};
use engine::self_check::{self, Step};
use engine::studies::analyze::{ANALYSES, CorruptedCopies, GROUPS, Subject, analyze, chosen};
use protocol::Network;
use protocol::attack::AttackSpec;

use super::attack_list;
use super::output::say;
use crate::import::three_numbers;

/// Channel means of CIFAR-10, the default normalisation.
const CIFAR10_MEAN: [f32; 3] = [0.4914, 0.4822, 0.4465];
/// Channel standard deviations of CIFAR-10, the default normalisation.
const CIFAR10_STD: [f32; 3] = [0.2470, 0.2435, 0.2616];

/// Arguments of `analyze`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = analyses())]
pub struct Arguments {
    /// Weights: safetensors or a PyTorch state dict.
    #[arg(long)]
    weights: PathBuf,
    /// The network they belong to.
    #[arg(long)]
    arch: Network,
    /// Images: `.npy`, uint8 [images, height, width, 3].
    #[arg(long)]
    images: PathBuf,
    /// Labels: `.npy`, whole numbers [images], or that repeated.
    #[arg(long)]
    labels: PathBuf,
    /// Corrupted copies of the images: a folder of `<corruption>.npy` and `labels.npy` in CIFAR10-C's layout, or
    /// `generated` to draw all 19 at five severities from the images.
    #[arg(long)]
    corruptions: Option<PathBuf>,
    /// Seed of generated corruptions.
    #[arg(long, default_value_t = 0)]
    corruption_seed: u64,
    /// Attacks, separated by commas: a method (fgsm, pgd, apgd-ce, apgd-t, fab-t, square, autoattack) at each
    /// --epsilon, an attack as the API writes it (`pgd:linf:8/255:step=0.5/255:steps=40`, `pgd:l2:0.5:step=0.1:steps=40`),
    /// or `source`: FGSM at 0.25 to 8/255, and PGD at 8/255 after 1 to 40 steps of 0.5/255.
    #[arg(long, value_delimiter = ',', default_value = "source")]
    attacks: Vec<String>,
    /// L-infinity radii for methods named in --attacks, in 255ths, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "8/255")]
    epsilon: Vec<String>,
    /// Attack only so many of the images, of every class its share; all when absent.
    #[arg(long)]
    attack_images: Option<u32>,
    /// Seed of random starts and random search.
    #[arg(long, default_value_t = 0)]
    attack_seed: u64,
    /// Where the report goes: numbers as JSON; arrays beside it, with the extension safetensors.
    #[arg(long)]
    out: PathBuf,
    /// Analyses to run, separated by commas; all when absent. `--help` lists them.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Classes the network tells apart.
    #[arg(long, default_value_t = 10)]
    classes: usize,
    /// Channel means the network was trained with, on the [0, 1] scale, as `0.49,0.48,0.45`; CIFAR-10's when absent.
    #[arg(long, value_parser = channels)]
    mean: Option<[f32; 3]>,
    /// Channel standard deviations the network was trained with; CIFAR-10's when absent.
    #[arg(long, value_parser = channels)]
    std: Option<[f32; 3]>,
    /// The device.
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Reads a number for each of the three channels, such as `0.49,0.48,0.45`.
pub(super) fn channels(text: &str) -> Result<[f32; 3], String> {
    three_numbers(text)
        .ok_or_else(|| format!("`{text}` is not three numbers, such as 0.49,0.48,0.45"))
}

impl Arguments {
    /// Reads everything, runs the analyses, writes the report.
    ///
    /// # Errors
    /// When a file or a name is not as it should be; nothing is written then.
    pub fn run(self) -> Result<(), Box<dyn Error>> {
        let config = ModelConfig {
            network: self.arch,
            classes: self.classes,
            mean: self.mean.unwrap_or(CIFAR10_MEAN),
            std: self.std.unwrap_or(CIFAR10_STD),
        };
        // What can be refused is, before anything is computed.
        config.check()?;
        let analyses = chosen(&self.only)?;
        let attacks = AttackSpec {
            attacks: attack_list::parse(&self.attacks, &self.epsilon)?,
            images: self.attack_images,
            attack_seed: self.attack_seed,
            check_masking: false,
        };
        if let Some(error) = attacks.validate().first() {
            return Err(format!("{}: {}", error.field, error.reason).into());
        }
        let labels = read_labels(&self.labels, self.classes)?;
        let images = read_images(&self.images, labels)?;
        config.check_images(images.height(), images.width())?;
        let device = engine::devices::open(&self.device)?;
        let model = weights::load(&config, &self.weights, &device)?;
        let step = Step {
            config,
            shape: [images.len().max(2), 3, images.height(), images.width()],
        };
        self_check::check_once(&self.device, &device, step)?;
        let subject = Subject {
            model: &model,
            device: &device,
            images: &images,
            corruptions: self.corruptions.as_deref().map(|given| {
                if given == Path::new("generated") {
                    let seed = self.corruption_seed;
                    CorruptedCopies::Generated { seed }
                } else {
                    CorruptedCopies::Folder(given)
                }
            }),
            attacks: &attacks,
        };
        let report = analyze(&subject, &analyses)?;
        report.save(&self.out)?;
        say!(
            "{}: {} numbers; {}: {} arrays",
            self.out.display(),
            report.scalars.len(),
            self.out.with_extension("safetensors").display(),
            report.arrays.len()
        );
        for analysis in analyses {
            say!("  {}: {}", analysis.name, analysis.description);
        }
        Ok(())
    }
}

/// The analyses and groups, for `--help`.
fn analyses() -> String {
    let mut text = "Analyses (--only):\n".to_owned();
    for analysis in &ANALYSES {
        text += &format!("  {}: {}\n", analysis.name, analysis.description);
    }
    for (name, members) in &GROUPS {
        text += &format!("  {name}: {} together\n", members.join(" and "));
    }
    text + "\nEvery key of the report: docs/analyze.md"
}
