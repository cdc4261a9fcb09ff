//! Whole training steps, timed: `cargo run --release -p engine --example step-speed -- NETWORK BATCH SIDE SECONDS`.
//!
//! Prints images a second, training with alpha 1 and inferring. For comparing two builds in turn; `selectivity-lab bench` is for
//! comparing with PyTorch.

use std::error::Error;

use engine::calibrate::{CalibrationSpec, measure};
use protocol::Network;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [network, batch_size, side, seconds] = &arguments[..] else {
        return Err("give NETWORK BATCH SIDE SECONDS, for example resnet20 128 32 4".into());
    };
    let network: Network = serde_json::from_value(serde_json::Value::String(network.clone()))?;
    let side = side.parse()?;
    let measured = measure(&CalibrationSpec {
        network,
        classes: 10,
        height: side,
        width: side,
        batch_size: batch_size.parse()?,
        alpha: 1.0,
        device: engine::devices::CPU.to_owned(),
        seconds: seconds.parse()?,
    })?;
    println!(
        "train {:.1} images/s, inference {:.1} images/s",
        measured.train_images_per_second, measured.inference_images_per_second
    );
    Ok(())
}
