//! `selectivity-lab bench`: images a second for training and inference, by network and device, and the
//! same for PyTorch in the same run when the `python3` at hand has it.
//!
//! Ours and PyTorch's are measured in turn, round by round, so that a machine that slows down slows
//! both; a row gives the median of the rounds with the smallest and the largest.

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};

use engine::calibrate::{Calibration, CalibrationSpec, measure};
use protocol::Network;

const PYTORCH: &str = include_str!("bench_pytorch.py");

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The device to measure, as `selectivity-lab devices` lists it.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Networks to measure, each with the source's image size.
    #[arg(long, value_delimiter = ',', default_values = ["resnet8", "resnet20", "resnet18", "resnet50"])]
    networks: Vec<Network>,
    /// Images a step; 128 for 32x32 images and 16 for 64x64 images when absent.
    #[arg(long)]
    batch_size: Option<usize>,
    /// Times each figure is taken.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds each figure is measured for, after one step to warm up.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// The Python that may have PyTorch.
    #[arg(long, env = "PYTHON", default_value = "python3")]
    python: String,
}

impl Arguments {
    /// Measures and prints the table.
    ///
    /// # Errors
    /// When the device is not there.
    pub fn run(self) -> Result<(), Box<dyn Error>> {
        let pytorch = pytorch_version(&self.python);
        println!(
            "device: {} ({})",
            self.device,
            engine::devices::name(&self.device)
        );
        match &pytorch {
            Some(version) => println!("PyTorch {version}, measured in turn with ours"),
            None => println!(
                "PyTorch: not installed for `{}`; measured alone",
                self.python
            ),
        }
        println!(
            "images/s, median [smallest, largest] of {} rounds\n",
            self.rounds
        );
        println!(
            "| network | image | batch | what | selectivity-lab | PyTorch | ratio |\n|---|---|---|---|---|---|---|"
        );
        for &network in &self.networks {
            let side = match network {
                Network::ResNet18 | Network::ResNet50 => 64,
                _ => 32,
            };
            let batch_size = self.batch_size.unwrap_or(if side == 64 { 16 } else { 128 });
            let mut rows = [
                Row::new("training"),
                Row::new("training, alpha 1"),
                Row::new("inference"),
            ];
            for _ in 0..self.rounds {
                for (index, alpha) in [0.0, 1.0].into_iter().enumerate() {
                    let spec = CalibrationSpec {
                        network,
                        classes: if side == 64 { 200 } else { 10 },
                        height: side,
                        width: side,
                        batch_size,
                        alpha,
                        device: self.device.clone(),
                        seconds: self.seconds,
                    };
                    let ours = measure(&spec)?;
                    rows[index].ours.push(ours.train_images_per_second);
                    rows[2].ours.push(ours.inference_images_per_second);
                    if pytorch.is_some() {
                        let theirs = measure_pytorch(&self.python, &spec)?;
                        rows[index].theirs.push(theirs.train_images_per_second);
                        rows[2].theirs.push(theirs.inference_images_per_second);
                    }
                }
            }
            for row in rows {
                println!(
                    "| {network} | {side}x{side} | {batch_size} | {}",
                    row.cells()
                );
            }
            std::io::stdout().flush()?;
        }
        Ok(())
    }
}

struct Row {
    what: &'static str,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Row {
    fn new(what: &'static str) -> Self {
        Row {
            what,
            ours: Vec::new(),
            theirs: Vec::new(),
        }
    }

    fn cells(mut self) -> String {
        let ratio = if self.theirs.is_empty() {
            "".into()
        } else {
            let mut ratios: Vec<f64> = self
                .ours
                .iter()
                .zip(&self.theirs)
                .map(|(ours, theirs)| ours / theirs)
                .collect();
            format!("{:.2}", median(&mut ratios))
        };
        format!(
            "{} | {} | {} | {ratio} |",
            self.what,
            spread(&mut self.ours),
            spread(&mut self.theirs)
        )
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

fn spread(values: &mut [f64]) -> String {
    if values.is_empty() {
        return "".into();
    }
    let median = median(values);
    format!(
        "{median:.0} [{:.0}, {:.0}]",
        values[0],
        values[values.len() - 1]
    )
}

fn pytorch_version(python: &str) -> Option<String> {
    let output = Command::new(python)
        .args(["-c", "import torch; print(torch.__version__)"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| version.trim().to_owned())
}

fn measure_pytorch(python: &str, spec: &CalibrationSpec) -> Result<Calibration, Box<dyn Error>> {
    let output = Command::new(python)
        .args(["-c", PYTORCH, &serde_json::to_string(spec)?])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the PyTorch side ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a row quotes a mean, or a ratio of medians instead of the median of paired ratios.
    #[test]
    fn a_row_quotes_medians_and_paired_ratios() {
        let row = Row {
            what: "training",
            ours: vec![30.0, 10.0, 20.0],
            theirs: vec![10.0, 10.0, 40.0],
        };
        assert_eq!(row.cells(), "training | 20 [10, 30] | 10 [10, 40] | 1.00 |");
        assert_eq!(median(&mut [1.0, 4.0, 2.0, 3.0]), 2.5);
    }
}
