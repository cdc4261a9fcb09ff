//! The GPU path on software GPUs: the one that comes with Debian's Chromium, and Mesa's where it is installed. Where
//! neither is, or the build has no GPU support, the tests say `skipped`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use protocol::Event;
use serde_json::{Value, json};

/// Name and Vulkan manifest of each software GPU.
const DRIVERS: [(&str, &str); 2] = [
    ("SwiftShader", "/usr/lib/chromium/vk_swiftshader_icd.json"),
    ("lavapipe", "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"),
];

fn drivers() -> Vec<(&'static str, &'static str)> {
    if !engine::devices::GPU_SUPPORT {
        println!("skipped: built without GPU support (`make test GPU=yes`)");
        return Vec::new();
    }
    let installed: Vec<_> = DRIVERS
        .into_iter()
        .filter(|(_, manifest)| Path::new(manifest).is_file())
        .collect();
    if installed.is_empty() {
        println!("skipped: no software GPU is installed ({DRIVERS:?})");
    }
    installed
}

fn lab(driver: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selectivity-lab"));
    command.env("VK_DRIVER_FILES", driver);
    command
}

/// Breaks when a kernel computes another number than the CPU: a convolution of any network or one of its gradients,
/// batch norm, pooling, the loss, SGD, or a training step of ResNet8 or ResNet20. Kernels as SPIR-V, which cubecl 0.11.3
/// compiles wrongly for these drivers, must break it (`--features server/spirv`).
#[test]
fn every_operator_agrees_with_the_cpu() {
    for (name, manifest) in drivers() {
        let output = lab(manifest)
            .args(["devices", "--check", "wgpu:software"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("training step of resnet20"),
            "{name}: {}\n{text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        println!("{name}: {}", text.lines().last().unwrap_or_default());
    }
}

/// Breaks when a whole run on a GPU (training, corruptions, FGSM, PGD, dimensionality, gradients) measures other numbers
/// than the CPU's, does not say how it was held against the CPU, or an epoch keeps the memory of the one before.
#[test]
fn a_run_measures_what_the_cpu_measures() {
    for (name, manifest) in drivers() {
        let folder = tempfile::tempdir().unwrap();
        write_dataset(&folder.path().join("datasets/shapes"));
        let cpu = Finished::work("cpu", manifest, folder.path());
        let gpu = Finished::work("wgpu:software", manifest, folder.path());

        let check = gpu.started["check"].clone();
        assert_eq!(check["network"], "resnet8");
        assert_eq!(check["shape"], json!([12, 3, 16, 16]));
        assert!(
            check["largest_difference"].as_f64().unwrap() <= 1e-4,
            "{check}"
        );
        assert!(!check["backend"]["compiler"].as_str().unwrap().is_empty());
        assert_eq!(cpu.started["check"], Value::Null);

        assert_eq!(
            gpu.measured.keys().collect::<Vec<_>>(),
            cpu.measured.keys().collect::<Vec<_>>()
        );
        for kind in [
            "corruption",
            "attack",
            "dimensionality",
            "input_unit_gradients",
        ] {
            assert!(
                cpu.measured.keys().any(|key| key.contains(kind)),
                "no {kind} was measured"
            );
        }
        let mut compared = Compared::default();
        for (what, value) in &cpu.measured {
            compared.add(what, value, &gpu.measured[what]);
        }
        assert!(compared.numbers > 300, "{} numbers", compared.numbers);
        assert!(compared.wrong.is_empty(), "{name}: {:#?}", compared.wrong);
        let (first, last) = (gpu.peak_memory[0], gpu.peak_memory[2]);
        assert!(
            last <= first * 1.05,
            "{name}: {first} MiB after one epoch, {last} MiB after three"
        );
        println!(
            "{name}: {} numbers of a run agree; a training step's largest difference {:.1e}; {first:.0} MiB after one epoch, {last:.0} after three",
            compared.numbers,
            check["largest_difference"].as_f64().unwrap(),
        );

        // The check is kept: the next run on this device does not make it again.
        let again = Finished::work("wgpu:software", manifest, folder.path());
        assert_eq!(again.started["check"]["at"], check["at"]);
    }
}

/// Three classes of stripes in three directions, 12 training and 8 test images each, 16x16 pixels.
fn write_dataset(folder: &Path) {
    for (split, count) in [("train", 14), ("test", 8)] {
        for (class, [right, down]) in [[1, 0], [0, 1], [1, 1]].into_iter().enumerate() {
            let class_folder = folder.join(split).join(format!("class{class}"));
            std::fs::create_dir_all(&class_folder).unwrap();
            for image in 0..count {
                let picture = image::RgbImage::from_fn(16, 16, |x, y| {
                    let phase = (x * right + y * down) as f32 * (0.8 + 0.05 * image as f32);
                    let noise = (x * 31 + y * 17 + image * 7) % 23;
                    let value = 120.0 + 80.0 * phase.sin();
                    image::Rgb([
                        value as u8,
                        (200.0 - 0.5 * value) as u8,
                        (value * 0.3) as u8 + noise as u8,
                    ])
                });
                picture
                    .save(class_folder.join(format!("{image}.png")))
                    .unwrap();
            }
        }
    }
}

/// What a worker said of a run.
struct Finished {
    started: Value,
    /// Epochs, result and measurements, by what they are of.
    measured: BTreeMap<String, Value>,
    /// Peak memory of the process after each epoch, in MiB; a software GPU's memory is its own.
    peak_memory: Vec<f64>,
}

impl Finished {
    /// A whole run on `device`, by a worker with an order as the scheduler gives it.
    fn work(device: &str, manifest: &str, folder: &Path) -> Finished {
        let pgd = json!({"method": "pgd", "norm": "linf", "epsilon": 0.03, "step_size": 0.01, "steps": 3});
        let order = json!({
            "spec": {
                "network": "resnet8", "dataset": "folder:shapes", "alpha": 1.0, "seed": 0, "device": device,
                "training": {
                    "epochs": 3, "batch_size": 12, "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.0001,
                    "learning_rate_milestones": [1], "learning_rate_factor": 0.1, "augmentation": "crop_flip",
                    "validation_images_per_class": 2
                },
                "evaluation": {
                    "corruptions": {"source": "generated", "corruptions": ["gaussian_noise", "contrast"], "severities": [1, 5]},
                    "attacks": {
                        "attacks": [{"method": "fgsm", "norm": "linf", "epsilon": 0.01}, pgd],
                        "images": 12
                    },
                    "dimensionality": {
                        "source": "generated", "corruptions": ["contrast"], "severities": [3], "attacks": [pgd], "images": 24
                    },
                    "input_unit_gradients": {"images": 3}
                }
            },
            "later_evaluations": []
        });
        let run_directory = tempfile::tempdir_in(folder).unwrap();
        let mut worker = Worker(
            lab(manifest)
                .arg("worker")
                .arg("--run-directory")
                .arg(run_directory.path())
                .arg("--datasets")
                .arg(folder.join("datasets"))
                .arg("--device-checks")
                .arg(folder.join("device-checks"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let mut input = worker.0.stdin.take().unwrap();
        writeln!(input, "{order}").unwrap();
        let mut found = Finished {
            started: Value::Null,
            measured: BTreeMap::new(),
            peak_memory: Vec::new(),
        };
        let lines = BufReader::new(worker.0.stdout.take().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            let event: Event =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let value = serde_json::to_value(&event).unwrap();
            match event {
                Event::Started(_) => found.started = value,
                Event::Epoch(epoch) => {
                    found.peak_memory.push(peak_memory(worker.0.id()));
                    found
                        .measured
                        .insert(format!("epoch {}", epoch.epoch), value);
                }
                Event::Measured(_) => {
                    let place = found.measured.len();
                    let kind = value["kind"].as_str().unwrap_or_default();
                    found.measured.insert(format!("{kind} {place}"), value);
                }
                Event::Finished(_) => {
                    found.measured.insert("result".into(), value);
                    return found;
                }
                Event::Progress(_) | Event::Log { .. } | Event::Trained(_) => {}
                other => panic!("{device}: {other:?}"),
            }
        }
        panic!(
            "{device}: the worker ended with {:?} before the run's end",
            worker.0.wait()
        );
    }
}

/// Ends with the test, however it ends.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn peak_memory(process: u32) -> f64 {
    let status = std::fs::read_to_string(PathBuf::from(format!("/proc/{process}/status"))).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kibibytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes / 1024.0
}

/// Numbers of two devices, one by one.
#[derive(Debug, Default)]
struct Compared {
    numbers: usize,
    wrong: Vec<String>,
}

impl Compared {
    fn add(&mut self, what: &str, cpu: &Value, gpu: &Value) {
        match (cpu, gpu) {
            (Value::Object(cpu), Value::Object(gpu)) => {
                for (key, value) in cpu {
                    let is_speed = ["seconds", "images_per_second"].contains(&key.as_str());
                    if !is_speed {
                        self.add(
                            &format!("{what}.{key}"),
                            value,
                            gpu.get(key).unwrap_or(&Value::Null),
                        );
                    }
                }
            }
            (Value::Array(cpu), Value::Array(gpu)) if cpu.len() == gpu.len() => {
                for (index, (cpu, gpu)) in cpu.iter().zip(gpu).enumerate() {
                    self.add(&format!("{what}[{index}]"), cpu, gpu);
                }
            }
            (Value::Number(cpu_value), Value::Number(gpu_value)) => {
                self.numbers += 1;
                let (cpu, gpu) = (cpu_value.as_f64().unwrap(), gpu_value.as_f64().unwrap());
                if (cpu - gpu).abs() > 1e-3 * cpu.abs().max(1e-3) {
                    self.wrong.push(format!("{what}: {gpu} instead of {cpu}"));
                }
            }
            _ if cpu == gpu => {}
            _ => self.wrong.push(format!("{what}: {gpu} instead of {cpu}")),
        }
    }
}
