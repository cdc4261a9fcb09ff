//! How long an experiment would take: from a few real steps on this machine, timed once and kept.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use engine::calibrate::{Calibration, CalibrationSpec};
use protocol::ExperimentSpec;
use protocol::api::{DatasetFacts, Estimate};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use crate::clock::now;
use crate::store::{Store, StoreError};

/// A calibration that takes longer has no use for a form.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Machines change, and one that was busy when it was measured should not be called slow for good.
const MEASURED_ANEW_AFTER: i64 = 24 * 60 * 60 * 1000;

/// Measures speeds, one at a time, and remembers them in the store.
pub struct Estimator {
    executable: PathBuf,
    /// Which build was measured: another may be faster.
    build: String,
    one_at_a_time: Mutex<()>,
}

impl Estimator {
    /// An estimator that measures with `executable calibrate`.
    pub fn new(executable: PathBuf) -> Self {
        let build = std::fs::metadata(&executable)
            .and_then(|file| Ok((file.len(), file.modified()?)))
            .map(|(length, modified)| format!("{length} bytes of {modified:?}"))
            .unwrap_or_default();
        Estimator {
            executable,
            build,
            one_at_a_time: Mutex::default(),
        }
    }

    /// The time of `spec` on its device with `slots`; measures speed when that is not known and nothing
    /// else is at work (`idle`).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn estimate(
        &self,
        store: &Store,
        spec: &ExperimentSpec,
        facts: &DatasetFacts,
        slots: u32,
        idle: bool,
    ) -> Result<Estimate, StoreError> {
        let runs = (spec.alphas.len() * spec.seeds.len()) as u32;
        let work = workload(spec, facts);
        let key = format!("{}; {}", serde_json::to_string(&work)?, self.build);
        let mut known = store.calibration(&key).await?;
        if idle
            && known.is_none_or(|(at, _)| now() - at > MEASURED_ANEW_AFTER)
            && let Some(measured) = self.measure(store, &key, &work).await?
        {
            known = Some((now(), measured));
        }
        let Some((measured_at, speed)) = known else {
            return Ok(Estimate {
                runs,
                seconds: None,
                images_per_second: None,
                basis: if idle {
                    "a few steps of this network took over a minute here, so no time is promised"
                        .into()
                } else {
                    "not measured yet: speed is measured when no run is at work".into()
                },
            });
        };
        let classes = facts.classes.len() as f64;
        let validation = f64::from(spec.training.validation_images_per_class) * classes;
        let train = match spec.training.train_images_per_class {
            Some(count) => f64::from(count) * classes,
            None => f64::from(facts.train_images) - validation,
        };
        let epoch =
            train / speed.train_images_per_second + validation / speed.inference_images_per_second;
        let test = f64::from(facts.test_images) / speed.inference_images_per_second;
        let evaluation = spec
            .evaluation
            .forward_images(spec.network, facts.test_images) as f64
            / speed.inference_images_per_second;
        let run = f64::from(spec.training.epochs) * epoch + test + evaluation;
        // Workers that share a device share its speed: slots hide waiting, they do not add hardware.
        let seconds = run * f64::from(runs);
        Ok(Estimate {
            runs,
            seconds: Some(seconds),
            images_per_second: Some(speed.train_images_per_second),
            basis: format!(
                "{} training and {} inference steps of {} images, measured on {} {}{}",
                speed.train_steps,
                speed.inference_steps,
                work.batch_size,
                spec.device,
                ago(now() - measured_at),
                if slots > 1 {
                    format!("; {slots} slots share it")
                } else {
                    String::new()
                },
            ),
        })
    }

    async fn measure(
        &self,
        store: &Store,
        key: &str,
        work: &CalibrationSpec,
    ) -> Result<Option<Calibration>, StoreError> {
        let _turn = self.one_at_a_time.lock().await;
        // Another request may have measured it while this one waited.
        if let Some((at, known)) = store.calibration(key).await?
            && now() - at <= MEASURED_ANEW_AFTER
        {
            return Ok(Some(known));
        }
        let measured = tokio::time::timeout(TIMEOUT, self.child(work)).await;
        let measured = measured.ok().flatten();
        if let Some(measured) = &measured {
            store.keep_calibration(key, measured).await?;
        }
        Ok(measured)
    }

    /// `None` when the child fails: the form then says that nothing was measured.
    async fn child(&self, work: &CalibrationSpec) -> Option<Calibration> {
        let mut child = tokio::process::Command::new(&self.executable)
            .arg("calibrate")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let mut line = serde_json::to_vec(work).ok()?;
        line.push(b'\n');
        child.stdin.take()?.write_all(&line).await.ok()?;
        let output = child.wait_with_output().await.ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }
}

/// How long ago, in words; `milliseconds` is at most a few days.
fn ago(milliseconds: i64) -> String {
    // Negative where another server measured whose clock was ahead.
    match milliseconds.max(0) / 60_000 {
        0 => "just now".into(),
        minutes @ 1..60 => format!("{minutes} min ago"),
        minutes => format!("{} h ago", minutes / 60),
    }
}

/// What has to be measured to know the speed of `spec`.
fn workload(spec: &ExperimentSpec, facts: &DatasetFacts) -> CalibrationSpec {
    // On the CPU speed hardly depends on the batch, and a few thousand images would take minutes.
    let largest = if spec.device == engine::devices::CPU {
        64
    } else {
        usize::MAX
    };
    CalibrationSpec {
        network: spec.network,
        classes: facts.classes.len(),
        height: facts.height as usize,
        width: facts.width as usize,
        batch_size: (spec.training.batch_size as usize).min(largest),
        // With the regulariser: that is what most runs of an experiment do.
        alpha: 1.0,
        device: spec.device.clone(),
        seconds: 1.5,
    }
}
