//! `selectivity-lab devices`: what can train on this machine.

use std::error::Error;

use super::output::say;

/// Arguments of `devices`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Lists the devices.
    ///
    /// # Errors
    /// When they cannot be printed.
    pub fn run(self) -> Result<(), Box<dyn Error>> {
        let devices = engine::devices::list();
        if self.json {
            say!("{}", serde_json::to_string(&devices)?);
            return Ok(());
        }
        for device in devices {
            say!("{:<20} {} — {}", device.id, device.name, device.backend);
            if let Some(note) = device.note {
                say!("{:<20} {note}", "");
            }
        }
        Ok(())
    }
}
