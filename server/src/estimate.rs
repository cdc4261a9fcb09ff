//! How long an experiment would take: from a few real steps on this machine, timed once and kept.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use engine::calibrate::{Calibration, CalibrationSpec};
use protocol::api::{DatasetFacts, Estimate};
use protocol::work::{share_done, work};
use protocol::{ExperimentSpec, Run, RunState};
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
        let unknown = |why: String| Estimate {
            runs,
            seconds: None,
            images_per_second: None,
            basis: why,
        };
        if !spec.executor.is_local() {
            // Its nodes are other machines: how fast they are is known once runs are at work there.
            return Ok(unknown(format!(
                "{} starts runs when it has room; their speed is known once the first one is running.",
                spec.executor.kind().label()
            )));
        }
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
            let why = match idle {
                true => {
                    "a few steps of this network took over a minute here, so there is no time estimate"
                }
                false => "not measured yet: speed is measured when no run is in progress",
            };
            return Ok(unknown(why.into()));
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

/// Expected seconds until the last of an experiment's active `runs` ends: for a running one, what its worker expects; for a
/// queued one, its work at the measured speed of this experiment's runs, evaluations included. Before anything was measured,
/// the estimate for a whole run (`whole`, in seconds). `None` when no run is active, or nothing is known.
pub fn remaining(runs: &[Run], whole: Option<f64>) -> Option<f64> {
    let active = || runs.iter().filter(|run| run.state.is_active());
    active().next()?;
    let speed = seconds_per_image(runs);
    let known: Vec<f64> = runs.iter().filter_map(work).collect();
    // Runs of an experiment differ in alpha and seed: one that has not begun has as much to do as the others.
    let typical = known.iter().sum::<f64>() / known.len() as f64;
    let left = |run: &Run| {
        expected(run).or_else(|| {
            let whole = speed
                .map(|speed| speed * work(run).unwrap_or(typical))
                .or(whole);
            Some(whole? * (1.0 - share_done(run)))
        })
    };
    let left: Vec<f64> = active().map(left).collect::<Option<_>>()?;
    let running = active()
        .filter(|run| run.state == RunState::Running)
        .count();
    let longest = left.iter().copied().fold(0.0, f64::max);
    Some((left.iter().sum::<f64>() / running.max(1) as f64).max(longest))
}

/// Whether the runs themselves tell how fast they go.
pub fn is_measured(runs: &[Run]) -> bool {
    seconds_per_image(runs).is_some()
}

/// What the worker of a run expects, in seconds.
fn expected(run: &Run) -> Option<f64> {
    run.progress.as_ref()?.remaining_seconds
}

/// Seconds per image for a forward pass: from the time that finished runs took, else from what the workers of running ones
/// expect.
fn seconds_per_image(runs: &[Run]) -> Option<f64> {
    let took = |run: &Run| {
        let at_once = run.later_evaluations.is_empty()
            && run.started.as_ref()?.resumed_from_epoch.unwrap_or(0) == 0;
        let milliseconds = run.ended_at? - run.started_at?;
        (run.state == RunState::Finished && at_once && milliseconds > 0)
            .then(|| work(run).map(|images| (milliseconds as f64 / 1000.0, images)))?
    };
    let expects = |run: &Run| Some((expected(run)?, work(run)? * (1.0 - share_done(run))));
    let rate = |measured: Vec<(f64, f64)>| {
        let seconds: f64 = measured.iter().map(|(seconds, _)| seconds).sum();
        let images: f64 = measured.iter().map(|(_, images)| images).sum();
        (images > 0.0).then_some(seconds / images)
    };
    rate(runs.iter().filter_map(took).collect())
        .or_else(|| rate(runs.iter().filter_map(expects).collect()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::event::{Phase, Progress, Started};
    use protocol::preset::presets;

    /// A run in `state` of 6 epochs on 1,000 images, without tests: 18,000 images forward.
    fn run(state: RunState) -> Run {
        let mut spec = presets().remove(0).spec.runs().remove(0);
        spec.training.epochs = 6;
        spec.evaluation = Default::default();
        Run {
            id: 1,
            experiment_id: 1,
            spec,
            state,
            reason: None,
            queued_at: 0,
            started_at: Some(1_000),
            ended_at: Some(181_000),
            started: (state != RunState::Queued).then(|| Started {
                device: String::new(),
                threads: 1,
                engine_version: String::new(),
                parameters: 1,
                layers: vec![],
                classes: vec![],
                train_images: 1_000,
                validation_images: 100,
                test_images: 500,
                resumed_from_epoch: None,
                check: None,
            }),
            epochs_done: if state == RunState::Finished { 6 } else { 0 },
            latest_epoch: None,
            progress: None,
            job: None,
            later_evaluations: vec![],
            tags: vec![],
            notes: String::new(),
            result: None,
        }
    }

    /// At work, with half of its work done and so many seconds to go.
    fn half_done(seconds: f64) -> Run {
        let mut run = run(RunState::Running);
        run.epochs_done = 3;
        run.progress = Some(Progress {
            phase: Phase::Loading,
            epoch: 4,
            epochs: 6,
            step: 0,
            steps: 1,
            loss: None,
            images_per_second: 0.0,
            remaining_seconds: Some(seconds),
            heard_at: None,
        });
        run
    }

    /// A finished run took 180 s, so each queued one will; the running one is believed.
    /// Broken by: an estimate from training alone, or one that forgets what waits, shares a device among queued runs, or says
    /// something of an experiment that is over.
    #[test]
    fn what_is_left_is_told_from_what_was_measured() {
        let queued = || run(RunState::Queued);
        let over = run(RunState::Finished);
        assert_eq!(remaining(std::slice::from_ref(&over), Some(60.0)), None);
        let runs = [over, half_done(100.0), queued(), queued()];
        assert_eq!(remaining(&runs, None), Some(100.0 + 2.0 * 180.0));
        // None is finished yet: the worker expects 100 s for half a run, so 200 for each that waits.
        assert_eq!(remaining(&runs[1..], None), Some(100.0 + 2.0 * 200.0));
        // Two workers at once, whose speeds were measured beside each other.
        let two = [half_done(100.0), half_done(100.0), queued(), queued()];
        assert_eq!(remaining(&two, None), Some((200.0 + 400.0) / 2.0));
    }

    /// Broken by: another number on the page than in the form before anything was measured, or a made-up one.
    #[test]
    fn before_anything_is_measured_the_forms_estimate_holds() {
        let runs = [run(RunState::Queued), run(RunState::Queued)];
        assert_eq!(remaining(&runs, Some(60.0)), Some(120.0));
        assert_eq!(remaining(&runs, None), None);
    }

    /// Broken by: the minutes between a run's two starts counted as work.
    #[test]
    fn a_resumed_run_does_not_tell_the_speed() {
        let mut resumed = run(RunState::Finished);
        if let Some(started) = &mut resumed.started {
            started.resumed_from_epoch = Some(5);
        }
        assert!(!is_measured(&[resumed]));
        assert!(is_measured(&[run(RunState::Finished)]));
    }
}
