//! `selectivity-lab analyze`: the analyses on imported weights and a NumPy file of images.

use std::error::Error;
use std::path::PathBuf;

use engine::analyze::{ANALYSES, Subject, analyze, read_images, read_labels};
use engine::networks::{ModelConfig, weights};
use engine::self_check::{self, Step};
use protocol::Network;

/// Channel means of CIFAR-10, the default normalisation.
const CIFAR10_MEAN: [f32; 3] = [0.4914, 0.4822, 0.4465];
/// Channel standard deviations of CIFAR-10, the default normalisation.
const CIFAR10_STD: [f32; 3] = [0.2470, 0.2435, 0.2616];

/// Arguments of `analyze`.
#[derive(Debug, clap::Args)]
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
    /// Corrupted copies of the images: a folder of `<corruption>.npy` and `labels.npy` in CIFAR10-C's layout.
    #[arg(long)]
    corruptions: Option<PathBuf>,
    /// Where the report goes: numbers as JSON; arrays beside it, with the extension safetensors.
    #[arg(long)]
    out: PathBuf,
    /// Analyses to run, separated by commas; all when absent.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Classes the network tells apart.
    #[arg(long, default_value_t = 10)]
    classes: usize,
    /// Channel means the network was trained with, on the [0, 1] scale; CIFAR-10's when absent.
    #[arg(long, value_delimiter = ',', num_args = 3)]
    mean: Option<Vec<f32>>,
    /// Channel standard deviations the network was trained with; CIFAR-10's when absent.
    #[arg(long, value_delimiter = ',', num_args = 3)]
    std: Option<Vec<f32>>,
    /// The device.
    #[arg(long, default_value = "cpu")]
    device: String,
}

impl Arguments {
    /// Reads everything, runs the analyses, writes the report.
    ///
    /// # Errors
    /// When a file or a name is not as it should be; nothing is written then.
    pub fn run(self) -> Result<(), Box<dyn Error>> {
        let channels = |given: Option<Vec<f32>>, default| match given.as_deref() {
            Some(&[red, green, blue]) => [red, green, blue],
            _ => default,
        };
        let config = ModelConfig {
            network: self.arch,
            classes: self.classes,
            mean: channels(self.mean, CIFAR10_MEAN),
            std: channels(self.std, CIFAR10_STD),
        };
        let device = engine::devices::open(&self.device)?;
        let model = weights::load(&config, &self.weights, &device)?;
        let labels = read_labels(&self.labels, self.classes)?;
        let images = read_images(&self.images, labels)?;
        let step = Step {
            config,
            shape: [images.len().max(2), 3, images.height(), images.width()],
        };
        self_check::check_once(&self.device, &device, step)?;
        let subject = Subject {
            model: &model,
            device: &device,
            images: &images,
            corruptions: self.corruptions.as_deref(),
        };
        let report = analyze(&subject, &self.only)?;
        report.save(&self.out)?;
        println!(
            "{}: {} numbers; {}: {} arrays",
            self.out.display(),
            report.scalars.len(),
            self.out.with_extension("safetensors").display(),
            report.arrays.len()
        );
        for analysis in &ANALYSES {
            if self.only.is_empty() || self.only.iter().any(|name| name == analysis.name) {
                println!("  {}: {}", analysis.name, analysis.description);
            }
        }
        Ok(())
    }
}
