//! `selectivity-lab bench`: images a second for training and inference, by network and device, and the
//! same for PyTorch in the same run when the `python3` at hand has it.
//!
//! Selectivity Lab and PyTorch are measured in turn, round by round, so that a machine that slows
//! down slows both; a row gives the median of the rounds with the smallest and the largest.

mod corruptions;
mod findings;
mod gradients;

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};

use engine::calibrate::{Calibration, CalibrationSpec, measure, measure_attack};
use protocol::Network;

use super::output::say;

const PYTORCH: &str = include_str!("bench_pytorch.py");

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The device to measure, as `selectivity-lab devices` lists it; `wgpu` is the first GPU there.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Networks to measure, each with the image size of Leavitt & Morcos (2020).
    ///
    /// resnet8, resnet20, resnet18 and resnet50 on the CPU when absent; resnet20 and resnet18 on a GPU.
    #[arg(long, value_delimiter = ',')]
    networks: Vec<Network>,
    /// Images a step. When absent: on the CPU 128 of 32x32 pixels and 16 of 64x64; on a GPU 128, 512, 2048.
    #[arg(long, value_delimiter = ',')]
    batch_size: Vec<usize>,
    /// No figure is begun after so many minutes; what was left out is named.
    #[arg(long, default_value_t = 9.0)]
    minutes: f64,
    /// Times each figure is taken.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measure nothing but how fast findings are made.
    #[arg(long)]
    findings_only: bool,
    /// Seconds each figure is measured for, after one step to warm up.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// The Python that may have PyTorch.
    #[arg(long, env = "PYTHON", default_value = "python3")]
    python: String,
}

/// The first hardware GPU.
fn first_gpu() -> Result<String, Box<dyn Error>> {
    let devices = engine::devices::list();
    let gpu = devices
        .into_iter()
        .find(|device| device.id != engine::devices::CPU && !device.software);
    let gpu = gpu.ok_or("no GPU answers here; `selectivity-lab devices` lists what does")?;
    Ok(gpu.id)
}

impl Arguments {
    /// Measures and prints the table.
    ///
    /// # Errors
    /// When the device is not there.
    pub fn run(mut self) -> Result<(), Box<dyn Error>> {
        if self.findings_only {
            return findings::print();
        }
        let began = std::time::Instant::now();
        if self.device == "wgpu" {
            self.device = first_gpu()?;
        }
        let on_cpu = self.device == engine::devices::CPU;
        if self.networks.is_empty() {
            self.networks = if on_cpu {
                vec![
                    Network::ResNet8,
                    Network::ResNet20,
                    Network::ResNet18,
                    Network::ResNet50,
                ]
            } else {
                vec![Network::ResNet20, Network::ResNet18]
            };
        }
        let pytorch = pytorch_version(&self.python);
        say!(
            "device: {} ({})",
            self.device,
            engine::devices::name(&self.device)
        );
        match &pytorch {
            Some(version) => say!("PyTorch {version}, measured in turn with ours"),
            None => say!(
                "PyTorch: not installed for `{}`; measured alone",
                self.python
            ),
        }
        say!(
            "images/s, median [smallest, largest] of {} rounds\n",
            self.rounds
        );
        say!(
            "| network | image | batch | what | selectivity-lab | PyTorch | ratio |\n|---|---|---|---|---|---|---|"
        );
        let mut left_out = Vec::new();
        for (network, side, batch_size) in self.measurements(on_cpu) {
            if began.elapsed().as_secs_f64() > self.minutes * 60.0 {
                left_out.push(format!("{network} at batch {batch_size}"));
                continue;
            }
            let rows = self.rows(network, side, batch_size, pytorch.is_some())?;
            for row in rows {
                say!(
                    "| {network} | {side}x{side} | {batch_size} | {}",
                    row.cells()
                );
            }
            std::io::stdout().flush()?;
        }
        corruptions::print(&self.device, self.rounds)?;
        gradients::print(&self.device, self.rounds)?;
        findings::print()?;
        if !left_out.is_empty() {
            say!(
                "\nleft out after {} minutes (--minutes): {}",
                self.minutes,
                left_out.join(", ")
            );
        }
        Ok(())
    }

    /// The rounds of a network and a batch size, one row a kind of work.
    fn rows(
        &self,
        network: Network,
        side: usize,
        batch_size: usize,
        with_pytorch: bool,
    ) -> Result<[Row; 4], Box<dyn Error>> {
        let mut rows = [
            Row::new("training"),
            Row::new("training, alpha 1"),
            Row::new("inference"),
            Row::new("PGD, images x steps"),
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
                let lab = measure(&spec)?;
                rows[index].lab.push(lab.train_images_per_second);
                rows[2].lab.push(lab.inference_images_per_second);
                rows[3].lab.push(measure_attack(&spec)?);
                if with_pytorch {
                    let pytorch = measure_pytorch(&self.python, &spec)?;
                    let calibration = &pytorch.calibration;
                    rows[index]
                        .pytorch
                        .push(calibration.train_images_per_second);
                    rows[2]
                        .pytorch
                        .push(calibration.inference_images_per_second);
                    rows[3].pytorch.push(pytorch.attack_images_per_second);
                }
            }
        }
        Ok(rows)
    }

    /// Network, image side and batch size of each row.
    fn measurements(&self, on_cpu: bool) -> Vec<(Network, usize, usize)> {
        let mut all = Vec::new();
        for &network in &self.networks {
            let side = network.usual_image_side();
            let batch_sizes = match (self.batch_size.as_slice(), on_cpu) {
                ([], true) if side == 64 => vec![16],
                ([], true) => vec![128],
                ([], false) => vec![128, 512, 2048],
                (chosen, _) => chosen.to_vec(),
            };
            all.extend(batch_sizes.into_iter().map(|batch| (network, side, batch)));
        }
        all
    }
}

struct Row {
    what: &'static str,
    lab: Vec<f64>,
    pytorch: Vec<f64>,
}

impl Row {
    fn new(what: &'static str) -> Self {
        Row {
            what,
            lab: Vec::new(),
            pytorch: Vec::new(),
        }
    }

    fn cells(mut self) -> String {
        let ratio = if self.pytorch.is_empty() {
            "".into()
        } else {
            let mut ratios: Vec<f64> = self
                .lab
                .iter()
                .zip(&self.pytorch)
                .map(|(lab, pytorch)| lab / pytorch)
                .collect();
            format!("{:.2}", median(&mut ratios))
        };
        format!(
            "{} | {} | {} | {ratio} |",
            self.what,
            spread(&mut self.lab),
            spread(&mut self.pytorch)
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

/// What the PyTorch script prints.
#[derive(serde::Deserialize)]
struct PyTorch {
    #[serde(flatten)]
    calibration: Calibration,
    attack_images_per_second: f64,
}

fn measure_pytorch(python: &str, spec: &CalibrationSpec) -> Result<PyTorch, Box<dyn Error>> {
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
            lab: vec![30.0, 10.0, 20.0],
            pytorch: vec![10.0, 10.0, 40.0],
        };
        assert_eq!(row.cells(), "training | 20 [10, 30] | 10 [10, 40] | 1.00 |");
        assert_eq!(median(&mut [1.0, 4.0, 2.0, 3.0]), 2.5);
    }
}
