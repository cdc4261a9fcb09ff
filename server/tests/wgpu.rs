//! The wgpu path, on the software GPU that comes with Debian's Chromium. Where it is not installed the test
//! says `skipped`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use protocol::Event;

const DRIVER: &str = "/usr/lib/chromium/vk_swiftshader_icd.json";

/// Breaks when a device that computes otherwise than the CPU trains all the same, or a driver's crash looks
/// like a result. (SwiftShader 156 computes other logits from burn 0.22.1's SPIR-V: it is refused.)
#[test]
fn a_software_gpu_agrees_with_the_cpu_or_is_refused() {
    if !Path::new(DRIVER).is_file() {
        println!("skipped: no software GPU at {DRIVER}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let spec = serde_json::json!({
        "network": "resnet8", "dataset": "builtin", "alpha": 1.0, "seed": 0, "device": "wgpu:software",
        "training": {
            "epochs": 1, "batch_size": 8, "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.0001,
            "learning_rate_milestones": [], "learning_rate_factor": 0.1, "augmentation": "none",
            "validation_images_per_class": 1, "train_images_per_class": 1
        }
    });
    let mut worker = Command::new(env!("CARGO_BIN_EXE_selectivity-lab"))
        .arg("worker")
        .arg("--run-directory")
        .arg(folder.path().join("run"))
        .arg("--datasets")
        .arg(folder.path())
        .env("VK_DRIVER_FILES", DRIVER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = worker.stdin.take().unwrap();
    writeln!(input, "{spec}").unwrap();
    let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    let mut verdict = None;
    for line in lines.map_while(Result::ok) {
        match serde_json::from_str::<Event>(&line).unwrap() {
            Event::Started(_) => verdict = Some("agrees with the CPU".to_owned()),
            Event::Failed { message } => {
                let refused = message.contains("computes wrong numbers");
                let absent = message.contains("no device is called");
                assert!(refused || absent, "{message}");
                verdict = Some(message);
            }
            Event::Finished(_) => panic!("a result without a passed check"),
            _ => continue,
        }
        break;
    }
    // Training on an emulated GPU takes minutes; the check was the point.
    let _ = worker.kill();
    let status = worker.wait().unwrap();
    match verdict {
        Some(verdict) => println!("software GPU: {verdict}"),
        None => println!("software GPU: the worker ended with {status} and no result"),
    }
}
