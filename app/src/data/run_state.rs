//! What a run's page shows of its state, and how live events change it.

use protocol::event::{Phase, Progress};
use protocol::executor::JobStatus;
use protocol::{Event, Run, RunState};

use crate::data::clock;
use crate::format;

/// Longest silence of a worker that is not mentioned, in milliseconds.
const SILENCE: i64 = 60_000;

/// How long the worker of a running run has been silent, in words, where that is over a minute. `now` is in
/// milliseconds since 1970-01-01 UTC.
pub fn silence(run: &Run, now: i64) -> Option<String> {
    if run.state != RunState::Running {
        return None;
    }
    let heard = run.progress.as_ref().and_then(|progress| progress.heard_at);
    // A worker without an event yet has been silent since its start.
    let silent = now - heard.max(run.started_at)?;
    (silent > SILENCE).then(|| {
        let minutes = format::plural((silent / 60_000) as u64, "minute", "minutes");
        format!("no step for {minutes}; the worker may have stalled")
    })
}

/// What the run is busy with, in words.
pub fn activity(run: &Run) -> String {
    let epochs = run.spec.training.epochs;
    let done = |progress: &Progress, of: &str| {
        // Some tests take a few more images than were planned.
        let done = format::count(progress.step.min(progress.steps).into());
        format!("{done} {of} {}", format::count(progress.steps.into()))
    };
    match (&run.progress, run.state) {
        (Some(progress), RunState::Running) => match progress.phase {
            Phase::Loading => "reading the data".to_owned(),
            Phase::Training => format!(
                "epoch {} of {epochs}, step {} of {}, {:.0} images/s",
                progress.epoch, progress.step, progress.steps, progress.images_per_second
            ),
            Phase::Validation => format!("epoch {} of {epochs}, validation", progress.epoch),
            Phase::Test => "measuring on the test images".to_owned(),
            Phase::Corruptions => format!("Corruptions: {} images", done(progress, "of")),
            Phase::Attacks => format!(
                "Attacks: {} images through the network",
                done(progress, "of up to")
            ),
            Phase::Dimensionality => format!(
                "Dimensionality: {} images through the network",
                done(progress, "of")
            ),
            Phase::InputUnitGradients => format!(
                "Input-unit gradients: {} passes through the network",
                done(progress, "of")
            ),
        },
        (None, RunState::Running) => "starting".to_owned(),
        (_, RunState::Queued) if run.job.is_some() => {
            run.job.as_ref().map_or_else(String::new, JobStatus::words)
        }
        (_, RunState::Queued) if run.result.is_some() => "trained, waiting to be tested".to_owned(),
        (_, RunState::Queued) if run.spec.origin.is_some() => {
            "imported, waiting to be measured".to_owned()
        }
        _ if run.spec.origin.is_some() => "imported weights".to_owned(),
        _ => format!("{} of {epochs} epochs", run.epochs_done),
    }
}

/// Applies what the event alone tells; for the rest the page reads the run again.
pub fn apply(run: &mut Run, event: &Event) {
    match event {
        Event::Started(started) => {
            run.state = RunState::Running;
            run.started = Some(started.clone());
        }
        Event::Progress(progress) => {
            run.state = RunState::Running;
            // By this machine's clock, which silence is measured with: the server's may differ.
            run.progress = Some(Progress {
                heard_at: Some(clock::now()),
                ..progress.clone()
            });
        }
        Event::Epoch(metrics) => {
            run.epochs_done = run.epochs_done.max(metrics.epoch);
            run.latest_epoch = Some(metrics.clone());
        }
        Event::Trained(result) => run.result = Some(result.without_units()),
        Event::Finished(result) => {
            run.result = Some(result.without_units());
            end(run, RunState::Finished);
        }
        Event::Diverged { .. } => end(run, RunState::Diverged),
        Event::Failed { .. } => end(run, RunState::Failed),
        Event::Cancelled => end(run, RunState::Cancelled),
        Event::Interrupted { .. } => end(run, RunState::Interrupted),
        Event::Job(status) => run.job = Some(status.clone()),
        Event::Measured(_) | Event::Log { .. } => {}
    }
}

fn end(run: &mut Run, state: RunState) {
    run.state = state;
    run.progress = None;
    run.job = None;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use protocol::event::Started;
    use protocol::preset::presets;
    use protocol::work::share_done;

    /// A queued run of six epochs.
    pub(crate) fn run() -> Run {
        let mut spec = presets().remove(0).spec.runs().remove(0);
        spec.training.epochs = 6;
        Run::queued(1, 1, spec)
    }

    fn progress(epoch: u32, step: u32) -> Event {
        Event::Progress(Progress {
            phase: Phase::Training,
            epoch,
            epochs: 6,
            step,
            steps: 40,
            loss: None,
            images_per_second: 500.0,
            remaining_seconds: None,
            heard_at: None,
        })
    }

    /// Broken by: an epoch counted twice, by its steps and by its end.
    #[test]
    fn an_epoch_is_counted_once() {
        let mut run = run();
        apply(&mut run, &progress(1, 20));
        assert_eq!(run.state, RunState::Running);
        assert!((share_done(&run) - 0.5 / 6.0).abs() < 1e-12);
        apply(
            &mut run,
            &Event::Epoch(crate::figures::training_curves::tests::epoch(1)),
        );
        assert!((share_done(&run) - 1.0 / 6.0).abs() < 1e-12);
        apply(&mut run, &progress(2, 40));
        assert!((share_done(&run) - 2.0 / 6.0).abs() < 1e-12);
    }

    /// Breaks when the bar falls back by an epoch while that epoch is validated, or stands at 100 % before the run is finished.
    #[test]
    fn progress_never_falls_and_ends_at_the_end() {
        let mut run = run();
        let mut last_share = 0.0;
        for epoch in 1..=6 {
            let mut validation = progress(epoch, 1);
            if let Event::Progress(progress) = &mut validation {
                progress.phase = Phase::Validation;
            }
            let metrics = Event::Epoch(crate::figures::training_curves::tests::epoch(epoch));
            for event in [progress(epoch, 40), validation, metrics] {
                apply(&mut run, &event);
                assert!(share_done(&run) >= last_share, "after {event:?}");
                last_share = share_done(&run);
            }
        }
        assert!(last_share > 0.99 && last_share < 1.0, "{last_share}");
        run.state = RunState::Finished;
        assert_eq!(share_done(&run), 1.0);
    }

    /// Breaks when a hanging worker is taken for a working one, or the reverse.
    #[test]
    fn a_silent_worker_is_mentioned() {
        let mut run = run();
        assert_eq!(silence(&run, 600_000), None, "a queued run has no worker");
        run.state = RunState::Running;
        run.started_at = Some(100_000);
        assert_eq!(silence(&run, 160_000), None);
        let words = silence(&run, 400_000).unwrap();
        assert!(words.starts_with("no step for 5 minutes"), "{words}");
        apply(&mut run, &progress(1, 20));
        assert_eq!(silence(&run, clock::now()), None);
        assert!(
            silence(&run, clock::now() + 90_000)
                .unwrap()
                .contains("1 minute;")
        );
    }

    /// Broken by: a count of images beyond all there are.
    #[test]
    fn no_more_is_done_than_there_is() {
        let mut run = run();
        let mut event = progress(6, 49_822);
        if let Event::Progress(progress) = &mut event {
            progress.phase = Phase::Attacks;
            progress.steps = 49_628;
        }
        apply(&mut run, &event);
        assert_eq!(
            activity(&run),
            "Attacks: 49,628 of up to 49,628 images through the network"
        );
    }

    /// Broken by: a cancelled run that goes on showing progress, or is shown as done.
    #[test]
    fn an_ended_run_is_no_longer_busy() {
        let mut run = run();
        apply(&mut run, &progress(1, 20));
        apply(&mut run, &Event::Cancelled);
        assert_eq!((run.state, &run.progress), (RunState::Cancelled, &None));
        assert_eq!(share_done(&run), 0.0);
        assert_eq!(activity(&run), "0 of 6 epochs");
    }

    /// 6 epochs of 1,000 images are 18,000 passes, 90 sets and the clean images of 200 are 18,200.
    /// Broken by: a bar that stands at 100 % while corruptions are still tested, or jumps back when they begin.
    #[test]
    fn evaluation_is_part_of_the_work() {
        let mut run = run();
        run.started = Some(Started {
            device: String::new(),
            check: None,
            threads: 1,
            engine_version: String::new(),
            parameters: 1,
            layers: Vec::new(),
            classes: Vec::new(),
            train_images: 1_000,
            validation_images: 100,
            test_images: 500,
            resumed_from_epoch: None,
        });
        let mut corruptions =
            protocol::corruption_evaluation::CorruptionSpec::everything(Some(200));
        corruptions.corruptions.truncate(18);
        run.spec.evaluation.corruptions = Some(corruptions);
        run.spec.evaluation.attacks = None;
        run.spec.evaluation.dimensionality = None;
        run.spec.evaluation.input_unit_gradients = None;
        run.epochs_done = 6;
        let half = 18_000.0 / 36_200.0;
        assert!((share_done(&run) - half).abs() < 1e-12);
        let mut event = progress(6, 9_100);
        if let Event::Progress(progress) = &mut event {
            progress.phase = Phase::Corruptions;
            progress.steps = 18_200;
        }
        apply(&mut run, &event);
        assert!((share_done(&run) - (half + (1.0 - half) / 2.0)).abs() < 1e-12);
        assert_eq!(activity(&run), "Corruptions: 9,100 of 18,200 images");
        // Every test is counted in the same way.
        for phase in [
            Phase::Attacks,
            Phase::Dimensionality,
            Phase::InputUnitGradients,
        ] {
            let share = share_done(&run);
            if let Some(progress) = &mut run.progress {
                progress.phase = phase;
            }
            assert_eq!(share_done(&run), share, "{phase:?}");
            assert!(activity(&run).contains("9,100 of"), "{phase:?}");
        }
        // Evaluated again: the first evaluation is done, and half of the second.
        run.later_evaluations = vec![run.spec.evaluation.clone()];
        assert!((share_done(&run) - (36_200.0 + 9_100.0) / 54_400.0).abs() < 1e-12);
    }
}
