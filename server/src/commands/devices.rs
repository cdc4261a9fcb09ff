//! `selectivity-lab devices`: what can train on this machine, and whether it computes what the CPU computes.

use std::error::Error;

use engine::devices;
use engine::networks::ModelConfig;
use engine::self_check::{self, Difference, OPERATOR_TOLERANCE, Step, TOLERANCE};
use protocol::Network;

use super::output::say;

/// Arguments of `devices`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Compare every operator of this device, and training steps, with the CPU; takes a minute.
    #[arg(long, value_name = "DEVICE", conflicts_with = "json")]
    check: Option<String>,
    /// Networks of which a training step is compared.
    #[arg(long, value_delimiter = ',', default_values_t = [Network::ResNet8, Network::ResNet20])]
    networks: Vec<Network>,
    /// Images of a training step.
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    /// Side of these images in pixels; CIFAR's or Tiny ImageNet's, as the network is made for, where not said.
    #[arg(long)]
    image_side: Option<usize>,
}

impl Arguments {
    /// Lists the devices, or checks one.
    ///
    /// # Errors
    /// When they cannot be printed, the device is not there, or it computes otherwise than the CPU.
    pub fn run(self) -> Result<(), Box<dyn Error>> {
        if let Some(id) = &self.check {
            return self.verify(id);
        }
        let devices = devices::list();
        if self.json {
            say!("{}", serde_json::to_string(&devices)?);
            return Ok(());
        }
        for device in devices {
            say!("{:<20} {} — {}", device.id, device.name, device.backend);
            if let Some(alias) = device.alias {
                say!("{:<20} also called {alias}", "");
            }
            if let Some(note) = device.note {
                say!("{:<20} {note}", "");
            }
        }
        if !devices::GPU_SUPPORT {
            say!("This program was built without GPU support; with it: `make serve GPU=yes`.");
        }
        Ok(())
    }

    fn verify(&self, id: &str) -> Result<(), Box<dyn Error>> {
        let device = devices::open(id)?;
        if let Some(backend) = devices::backend(id, &device) {
            say!(
                "{} ({}): {}, {}, fusion {}, autotune {}",
                backend.name,
                backend.driver,
                backend.api,
                backend.compiler,
                backend.fusion,
                backend.autotune
            );
        }
        let steps: Vec<Step> = self
            .networks
            .iter()
            .map(|&network| {
                let side = (self.image_side)
                    .unwrap_or(network.usual_image_side())
                    .max(network.minimum_image_side());
                Step {
                    config: ModelConfig {
                        network,
                        classes: 10,
                        mean: [0.5; 3],
                        std: [0.25; 3],
                    },
                    shape: [self.batch_size.max(2), 3, side, side],
                }
            })
            .collect();
        let (mut all, mut wrong) = (0, 0);
        self_check::verify(&device, &steps, &mut |name, differences, tolerance| {
            all += differences.len();
            wrong += differences
                .iter()
                .filter(|difference| difference.relative > tolerance)
                .count();
            say!("{name}: {}", summary(differences, tolerance));
        });
        if wrong > 0 {
            return Err(format!(
                "`{id}` computes wrong numbers: {wrong} of {all} tensors differ too much from the CPU's, relative to their largest value: more than {OPERATOR_TOLERANCE:.0e} in an operator, or {TOLERANCE:.0e} in a training step"
            )
            .into());
        }
        say!(
            "all {all} tensors agree with the CPU's: operators within {OPERATOR_TOLERANCE:.0e}, training steps within {TOLERANCE:.0e}"
        );
        Ok(())
    }
}

/// The tensors that differ too much, else the one that differs most.
fn summary(differences: &[Difference], tolerance: f64) -> String {
    let say = |difference: &Difference| format!("{} {:.1e}", difference.name, difference.relative);
    let mut sorted: Vec<&Difference> = differences.iter().collect();
    sorted.sort_by(|a, b| b.relative.total_cmp(&a.relative));
    let wrong: Vec<String> = sorted
        .iter()
        .filter(|difference| difference.relative > tolerance)
        .map(|difference| say(difference))
        .collect();
    match (wrong.len(), sorted.first()) {
        (0, Some(largest)) => format!("{} (the most of {})", say(largest), sorted.len()),
        (0, None) => "nothing was compared".into(),
        (count, _) => {
            let examples = wrong[..count.min(5)].join("; ");
            format!("WRONG in {count} of {}: {examples}", sorted.len())
        }
    }
}
