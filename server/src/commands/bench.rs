//! `selectivity-lab bench`: images a second for training and inference, by network and device, and the
//! same for PyTorch in the same run when the `python3` at hand has it.
//!
//! Selectivity Lab and each setting of PyTorch are measured in turn, round by round, so that a machine that slows
//! down slows all; a row gives the median of the rounds with the smallest and the largest, and PyTorch's best.

mod corruptions;
mod findings;
mod gradients;
mod pytorch;
mod rows;
mod setting;

use std::error::Error;
use std::io::Write;

use engine::calibrate::{CalibrationSpec, measure, measure_attack};
use protocol::Network;

use super::output::say;
use pytorch::PyTorch;
use rows::{ALPHAS, Rates, Round, Row, WHAT};
use setting::Setting;

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
    #[arg(long, default_value_t = 15.0)]
    minutes: f64,
    /// Times each figure is taken.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measure nothing but how fast findings are made.
    #[arg(long)]
    findings_only: bool,
    /// Seconds each figure is measured for, after one step to warm up.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// PyTorch's settings to measure.
    ///
    /// All of them on the CPU when absent; channels_last and bf16 on a GPU.
    #[arg(long, value_enum, value_delimiter = ',')]
    pytorch: Vec<Setting>,
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
        let version = pytorch::version(&self.python);
        let mut settings = match &version {
            Some(_) => Setting::select(&self.pytorch, on_cpu),
            None => Vec::new(),
        };
        self.print_heading(version.as_deref(), &settings);
        let mut left_out = Vec::new();
        for (network, side, batch_size) in self.measurements(on_cpu) {
            if began.elapsed().as_secs_f64() > self.minutes * 60.0 {
                left_out.push(format!("{network} at batch {batch_size}"));
                continue;
            }
            let rows = self.rows(network, side, batch_size, &mut settings)?;
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

    /// What is measured, and the table's first lines.
    fn print_heading(&self, version: Option<&str>, settings: &[Setting]) {
        say!(
            "device: {} ({})",
            self.device,
            engine::devices::name(&self.device)
        );
        let names: Vec<&str> = settings.iter().map(|setting| setting.name()).collect();
        match version {
            Some(version) => say!(
                "PyTorch {version}, measured in turn with ours: {}",
                names.join(", ")
            ),
            None => say!(
                "PyTorch: not installed for `{}`; measured alone",
                self.python
            ),
        }
        say!(
            "images/s, median [smallest, largest] of {} rounds; ratio: ours to PyTorch's best, and to its defaults (eager), median of the rounds' ratios\n",
            self.rounds
        );
        say!(
            "| network | image | batch | what | selectivity-lab | PyTorch's best float32 | which setting | ratio | ratio to eager | bf16 autocast |\n|---|---|---|---|---|---|---|---|---|---|"
        );
    }

    /// The rounds of a network and a batch size, one row a kind of work. A setting that fails to compile is taken out
    /// of `settings`.
    fn rows(
        &self,
        network: Network,
        side: usize,
        batch_size: usize,
        settings: &mut Vec<Setting>,
    ) -> Result<[Row; WHAT.len()], Box<dyn Error>> {
        let spec = CalibrationSpec {
            network,
            classes: if side == 64 { 200 } else { 10 },
            height: side,
            width: side,
            batch_size,
            alpha: ALPHAS[0],
            device: self.device.clone(),
            seconds: self.seconds,
        };
        let mut processes = self.start(&spec, settings)?;
        let mut rows = WHAT.map(Row::new);
        for _ in 0..self.rounds {
            let lab = measure_lab(&spec)?.in_rows();
            let mut pytorch = Vec::new();
            for process in &mut processes {
                pytorch.push((process.setting, process.measure()?.in_rows()));
            }
            for (index, row) in rows.iter_mut().enumerate() {
                let pytorch = pytorch.iter();
                row.rounds.push(Round {
                    lab: lab[index],
                    pytorch: pytorch
                        .map(|(setting, rates)| (*setting, rates[index]))
                        .collect(),
                });
            }
        }
        Ok(rows)
    }

    /// A process for each of `settings`, warmed up; they wait while others are measured.
    fn start(
        &self,
        spec: &CalibrationSpec,
        settings: &mut Vec<Setting>,
    ) -> Result<Vec<PyTorch>, Box<dyn Error>> {
        let mut started = Vec::new();
        for setting in settings.clone() {
            match PyTorch::start(&self.python, setting, spec) {
                Ok(pytorch) => started.push(pytorch),
                Err(reason) if setting == Setting::Compile => {
                    eprintln!("PyTorch's `compile` is left out from here on: {reason}");
                    settings.retain(|&other| other != setting);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(started)
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

/// Ours, once.
fn measure_lab(spec: &CalibrationSpec) -> Result<Rates, Box<dyn Error>> {
    let regularised = CalibrationSpec {
        alpha: ALPHAS[1],
        ..spec.clone()
    };
    let plain = measure(spec)?;
    let regularised = measure(&regularised)?;
    Ok(Rates {
        training: [
            plain.train_images_per_second,
            regularised.train_images_per_second,
        ],
        inference: plain.inference_images_per_second,
        attack: measure_attack(spec)?,
    })
}
