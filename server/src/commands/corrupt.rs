//! `selectivity-lab corrupt`: natural corruptions of NumPy images, as the benchmark publishes them.

use std::error::Error;
use std::path::PathBuf;

use engine::corruptions::Corruptor;
use engine::data::{read_images, read_labels};
use engine::studies::corrupted_set::{write_corrupted, write_labels};
use indicatif::ProgressBar;
use protocol::Corruption;
use protocol::corruption::{JpegStep, ParameterTable, SEVERITIES};

use super::output::say;

/// Arguments of `corrupt`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["corruption", "all"]))]
pub struct Arguments {
    /// Clean images: `.npy`, uint8 [images, height, width, 3].
    #[arg(long)]
    images: PathBuf,
    /// The corruption, for example `fog`; with `--severity`, or at all five one after the other.
    #[arg(long)]
    corruption: Option<Corruption>,
    /// Every corruption at every severity, in the published layout: `--out` is a folder.
    #[arg(long)]
    all: bool,
    /// Severity, 1 to 5.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5), conflicts_with = "all")]
    severity: Option<u8>,
    /// The same seed gives the same images.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Parameters of `cifar10` or `tiny-imagenet`; by the images' size when absent.
    #[arg(long, value_parser = parse_table)]
    table: Option<ParameterTable>,
    /// A folder with photographs of frost, used instead of the drawn texture.
    #[arg(long)]
    frost: Option<PathBuf>,
    /// `as_published`: with Tiny ImageNet's parameters every image goes through a JPEG file (quality 85, 4:2:0), as in
    /// Tiny ImageNet-C. `off`: never.
    #[arg(long, default_value = "as_published", value_parser = parse_jpeg)]
    jpeg: JpegStep,
    /// Labels: `.npy`, copied beside the images with `--all`.
    #[arg(long, requires = "all")]
    labels: Option<PathBuf>,
    /// The `.npy` file to write; with `--all` the folder.
    #[arg(long)]
    out: PathBuf,
}

fn parse_table(text: &str) -> Result<ParameterTable, String> {
    ParameterTable::from_id(text).ok_or_else(|| "write cifar10 or tiny-imagenet".into())
}

fn parse_jpeg(text: &str) -> Result<JpegStep, String> {
    JpegStep::from_id(text).ok_or_else(|| "write as_published or off".into())
}

impl Arguments {
    /// Reads the images, corrupts them, writes the files.
    ///
    /// # Errors
    /// When a file is not as it should be, or cannot be written.
    pub fn run(self) -> Result<(), Box<dyn Error>> {
        // Labels are not used: one zero for each image.
        let set = read_images(&self.images, vec![0; npy_length(&self.images)?])?;
        let table = self
            .table
            .unwrap_or_else(|| ParameterTable::for_size(set.height(), set.width()));
        let mut corruptor = Corruptor::new(table, self.seed).with_jpeg_step(self.jpeg);
        if let Some(folder) = &self.frost {
            corruptor = corruptor.with_frost_photographs(folder)?;
            corruptor.check_frost(set.height(), set.width())?;
        }
        let conditions = corruptor.conditions(set.len() as u32);
        let how = format!("parameters of {}, {}", table.id(), conditions.origin());
        let severities = self
            .severity
            .map_or(SEVERITIES.to_vec(), |severity| vec![severity]);
        if let Some(corruption) = self.corruption {
            write_corrupted(&set, &corruptor, corruption, &severities, &self.out)?;
            say!(
                "{}: {} of {} images at severity {severities:?}, {how}",
                self.out.display(),
                corruption,
                set.len(),
            );
            return Ok(());
        }
        let labels = match &self.labels {
            Some(path) => Some(read_labels(path, u32::MAX as usize)?),
            None => None,
        };
        if let Some(labels) = &labels
            && labels.len() % set.len().max(1) != 0
        {
            return Err(format!("{} labels for {} images", labels.len(), set.len()).into());
        }
        std::fs::create_dir_all(&self.out)
            .map_err(|error| format!("cannot create {}: {error}", self.out.display()))?;
        let bar = ProgressBar::new(Corruption::ALL.len() as u64);
        for corruption in Corruption::ALL {
            let path = self.out.join(format!("{corruption}.npy"));
            write_corrupted(&set, &corruptor, corruption, &SEVERITIES, &path)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        if let Some(labels) = labels {
            let path = self.out.join("labels.npy");
            write_labels(&labels[..set.len()], SEVERITIES.len(), &path)?;
        }
        say!(
            "{}: {} corruptions of {} images at 5 severities, {how}",
            self.out.display(),
            Corruption::ALL.len(),
            set.len(),
        );
        Ok(())
    }
}

/// Images in an `.npy` file, from its header.
fn npy_length(path: &std::path::Path) -> Result<usize, Box<dyn Error>> {
    Ok(engine::data::npy_shape(path)?.first().copied().unwrap_or(0))
}
