//! Each convolution shape of a network, timed forward and back: `cargo run --release -p engine --example layer-speed --
//! NETWORK BATCH SIDE`.
//!
//! Prints milliseconds and GFLOP/s of the layer's forward pass in training, of its backward pass, and in inference. For
//! seeing which shapes are far from what the machine can do.

use std::error::Error;
use std::time::Instant;

use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::{BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Distribution, Tensor};
use engine::networks::ModelConfig;
use engine::operators::{convolutions_of, layer};
use protocol::Network;

/// The least milliseconds of several calls.
fn least(mut call: impl FnMut() -> f64) -> f64 {
    let began = Instant::now();
    let mut least = f64::INFINITY;
    while began.elapsed().as_secs_f64() < 0.4 {
        least = least.min(call());
    }
    least
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [network, batch_size, side] = &arguments[..] else {
        return Err("give NETWORK BATCH SIDE, for example resnet18 16 64".into());
    };
    let network: Network = serde_json::from_value(serde_json::Value::String(network.clone()))?;
    let (batch, side): (usize, usize) = (batch_size.parse()?, side.parse()?);
    let device = Device::flex();
    let training_device = device.clone().autodiff();
    let config = ModelConfig::with_generic_normalisation(network, 10);
    let model = config.init(0, &device);
    let shapes = convolutions_of(|| {
        model.forward(Tensor::zeros([batch, 3, side, side], &device));
    });
    println!("| shape | GFLOP | forward ms, GFLOP/s | back ms, GFLOP/s | inference ms, GFLOP/s |");
    for shape in shapes {
        let convolution = Conv2dConfig::new(
            [shape.channels_in, shape.channels_out],
            [shape.kernel, shape.kernel],
        )
        .with_stride([shape.stride, shape.stride])
        .with_padding(PaddingConfig2d::Explicit(
            shape.padding,
            shape.padding,
            shape.padding,
            shape.padding,
        ))
        .with_bias(false);
        let sizes = [batch, shape.channels_in, shape.height, shape.width];
        let (trained, norm) = (
            convolution.init(&training_device),
            BatchNormConfig::new(shape.channels_out).init(&training_device),
        );
        let input = Tensor::<4>::random(sizes, Distribution::Default, &training_device);
        let mut back = f64::INFINITY;
        let forward = least(|| {
            let input = input.clone().require_grad();
            let began = Instant::now();
            let maps = layer(input, &trained, &norm, None, true).maps;
            let forward = began.elapsed().as_secs_f64();
            let loss = maps.sum();
            let began = Instant::now();
            loss.backward();
            back = back.min(began.elapsed().as_secs_f64());
            forward
        });
        let (frozen, norm) = (trained.valid(), norm.valid());
        let input = input.inner();
        let inference = least(|| {
            let began = Instant::now();
            layer(input.clone(), &frozen, &norm, None, true);
            began.elapsed().as_secs_f64()
        });
        let operations = shape.operations() as f64 / 1e9;
        let cell = |seconds: f64, times: f64| {
            format!("{:.2}, {:.0}", seconds * 1e3, operations * times / seconds)
        };
        println!(
            "| {}->{} {}x{} k{} s{} | {operations:.2} | {} | {} | {} |",
            shape.channels_in,
            shape.channels_out,
            shape.height,
            shape.width,
            shape.kernel,
            shape.stride,
            cell(forward, 1.0),
            cell(back, 2.0),
            cell(inference, 1.0),
        );
    }
    Ok(())
}
