//! The GPU path on software GPUs: the one that comes with Debian's Chromium, and Mesa's where it is installed. Where
//! neither is, or the build has no GPU support, the tests say `skipped`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use protocol::Event;
use serde_json::{Value, json};
use server::worker_folder::{WorkerFolder, WorkerOrder};

/// The software GPU of Debian's Chromium.
const SWIFTSHADER: &str = "/usr/lib/chromium/libvk_swiftshader.so";

/// The manifest of Mesa's software GPU.
const LAVAPIPE: &str = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";

/// Name and Vulkan manifest of each software GPU that is installed; `folder` takes the manifests that are written here.
fn drivers(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    if !engine::devices::GPU_SUPPORT {
        println!("skipped: built without GPU support (`make test GPU=yes`)");
        return Vec::new();
    }
    let mut installed = Vec::new();
    if Path::new(SWIFTSHADER).is_file() {
        let manifest = folder.join("swiftshader.json");
        let content = json!({
            "file_format_version": "1.0.0",
            "ICD": {"library_path": SWIFTSHADER, "api_version": "1.1.0"}
        });
        std::fs::write(&manifest, content.to_string()).unwrap();
        installed.push(("SwiftShader", manifest));
    }
    if Path::new(LAVAPIPE).is_file() {
        installed.push(("lavapipe", PathBuf::from(LAVAPIPE)));
    }
    if installed.is_empty() {
        println!("skipped: no software GPU is installed, neither {SWIFTSHADER} nor {LAVAPIPE}");
    }
    installed
}

fn lab(driver: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selectivity-lab"));
    command.env("VK_DRIVER_FILES", driver);
    command
}

/// Breaks when a kernel computes another number than the CPU: a convolution of any network or one of its gradients,
/// batch norm, pooling, the loss, SGD, or a training step of ResNet8 or ResNet20.
#[test]
fn every_operator_agrees_with_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    for (name, manifest) in drivers(folder.path()) {
        let begun = Instant::now();
        let output = lab(&manifest)
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
        println!(
            "{name}: {} ({:.0} s)\n{text}",
            text.lines().last().unwrap_or_default(),
            begun.elapsed().as_secs_f64()
        );
    }
}

/// Breaks when a whole run on a GPU (training, corruptions, FGSM, PGD, dimensionality, gradients) measures other numbers
/// than the CPU's, does not say how its device compared with the CPU, or an epoch keeps the memory of the one before.
#[test]
fn a_run_measures_what_the_cpu_measures() {
    let manifests = tempfile::tempdir().unwrap();
    for (name, manifest) in drivers(manifests.path()) {
        let begun = Instant::now();
        let folder = tempfile::tempdir().unwrap();
        write_dataset(&folder.path().join("datasets/shapes"));
        let cpu = Finished::work("cpu", 3, &manifest, folder.path());
        let gpu = Finished::work("wgpu:software", 3, &manifest, folder.path());

        let check = gpu.started["check"].clone();
        assert_eq!(check["network"], "resnet8");
        assert_eq!(check["shape"], json!([12, 3, 16, 16]));
        let difference = check["largest_difference"].as_f64().unwrap();
        assert!(difference > 0.0, "{check}");
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
            "{name}: {} numbers of a run agree within {:.1e}; a training step's largest difference {:.1e}; {first:.0} MiB after one epoch, {last:.0} after three; {:.0} s",
            compared.numbers,
            compared.largest,
            difference,
            begun.elapsed().as_secs_f64(),
        );

        // The check is kept: the next run on this device does not make it again.
        let again = Finished::work("wgpu:software", 1, &manifest, folder.path());
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

/// What a worker reported of a run.
struct Finished {
    started: Value,
    /// Epochs, result and measurements, by kind and place.
    measured: BTreeMap<String, Value>,
    /// Peak memory of the process after each epoch, in MiB; a software GPU's memory is its own.
    peak_memory: Vec<f64>,
}

impl Finished {
    /// A run on `device`, by a worker with an order as the scheduler gives it. A run of more than one epoch is evaluated.
    fn work(device: &str, epochs: u32, manifest: &Path, folder: &Path) -> Finished {
        let pgd = json!({"method": "pgd", "norm": "linf", "epsilon": 0.03, "step_size": 0.01, "steps": 3});
        let evaluation = json!({
            "corruptions": {"source": "generated", "corruptions": ["gaussian_noise", "contrast"], "severities": [1, 5]},
            "attacks": {
                "attacks": [{"method": "fgsm", "norm": "linf", "epsilon": 0.01}, pgd],
                "images": 12
            },
            "dimensionality": {
                "source": "generated", "corruptions": ["contrast"], "severities": [3], "attacks": [pgd], "images": 24
            },
            "input_unit_gradients": {"images": 3}
        });
        let training = json!({
            "epochs": epochs, "batch_size": 12, "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.0001,
            "learning_rate_milestones": [1], "learning_rate_factor": 0.1, "augmentation": "crop_flip",
            "validation_images_per_class": 2
        });
        let evaluation = if epochs > 1 { evaluation } else { json!({}) };
        let order = json!({
            "attempt": 1, "experiment_id": 1, "key": "00", "known_result": null, "later_evaluations": [],
            "experiment": {
                "notes": "", "tags": [], "created_at": 0,
                "spec": {
                    "name": "software GPU", "network": "resnet8", "dataset": "folder:shapes", "alphas": [1.0], "seeds": [0],
                    "device": device, "training": training, "evaluation": evaluation
                }
            },
            "spec": {
                "network": "resnet8", "dataset": "folder:shapes", "alpha": 1.0, "seed": 0, "device": device,
                "training": training, "evaluation": evaluation
            }
        });
        let run_directory = tempfile::tempdir_in(folder).unwrap();
        let order: WorkerOrder = serde_json::from_value(order).unwrap();
        WorkerFolder::of(run_directory.path())
            .order(&order)
            .unwrap();
        let mut worker = Worker(
            lab(manifest)
                .arg("worker")
                .arg("--run-directory")
                .arg(run_directory.path())
                .arg("--datasets")
                .arg(folder.join("datasets"))
                .args(["--attempt", "1"])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
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

/// A worker that is killed when the test ends, however it ends.
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

/// What a number of a run may differ by from the CPU's: three epochs of steps, each rounded otherwise. 8.5e-4 was measured
/// on SwiftShader and on lavapipe; one ReLU whose input rounding takes past zero moves that.
const RUN_TOLERANCE: f64 = 5e-3;

/// Numbers of two devices, one by one.
#[derive(Debug, Default)]
struct Compared {
    numbers: usize,
    /// Largest difference, relative to the number where that is above 1e-3, else to 1e-3.
    largest: f64,
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
                let relative = (cpu - gpu).abs() / cpu.abs().max(1e-3);
                self.largest = self.largest.max(relative);
                if relative > RUN_TOLERANCE {
                    self.wrong.push(format!("{what}: {gpu} instead of {cpu}"));
                }
            }
            _ if cpu == gpu => {}
            _ => self.wrong.push(format!("{what}: {gpu} instead of {cpu}")),
        }
    }
}
