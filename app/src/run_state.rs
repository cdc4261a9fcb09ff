//! What a run's page shows of its state, and how live events change it.

use protocol::event::Phase;
use protocol::{Event, Run, RunState};

/// Share of the run that is done, 0 to 1: whole epochs, and the steps trained in the current one.
pub fn share_done(run: &Run) -> f64 {
    if run.state == RunState::Finished {
        return 1.0;
    }
    let within = match &run.progress {
        Some(progress)
            if progress.phase == Phase::Training && progress.epoch == run.epochs_done + 1 =>
        {
            f64::from(progress.step) / f64::from(progress.steps.max(1))
        }
        _ => 0.0,
    };
    ((f64::from(run.epochs_done) + within) / f64::from(run.spec.training.epochs.max(1))).min(1.0)
}

/// Share of all `runs` that is done.
pub fn share_of_all_done(runs: &[Run]) -> f64 {
    runs.iter().map(share_done).sum::<f64>() / runs.len().max(1) as f64
}

/// What the run is busy with, in words.
pub fn activity(run: &Run) -> String {
    let epochs = run.spec.training.epochs;
    match (&run.progress, run.state) {
        (Some(progress), RunState::Running) => match progress.phase {
            Phase::Loading => "reading the data".to_owned(),
            Phase::Training => format!(
                "epoch {} of {epochs}, step {} of {}, {:.0} images/s",
                progress.epoch, progress.step, progress.steps, progress.images_per_second
            ),
            Phase::Validation => format!("epoch {} of {epochs}, validation", progress.epoch),
            Phase::Test => "measuring on the test images".to_owned(),
        },
        (None, RunState::Running) => "starting".to_owned(),
        _ => format!("{} of {epochs} epochs", run.epochs_done),
    }
}

/// Applies what can be known from the event alone; for the rest the page reads the run anew.
pub fn apply(run: &mut Run, event: &Event) {
    match event {
        Event::Started(started) => {
            run.state = RunState::Running;
            run.started = Some(started.clone());
        }
        Event::Progress(progress) => {
            run.state = RunState::Running;
            run.progress = Some(progress.clone());
        }
        Event::Epoch(metrics) => {
            run.epochs_done = run.epochs_done.max(metrics.epoch);
            run.latest_epoch = Some(metrics.clone());
        }
        Event::Finished(result) => {
            run.result = Some(result.without_units());
            end(run, RunState::Finished);
        }
        Event::Diverged { .. } => end(run, RunState::Diverged),
        Event::Failed { .. } => end(run, RunState::Failed),
        Event::Cancelled => end(run, RunState::Cancelled),
        Event::Interrupted { .. } => end(run, RunState::Interrupted),
        Event::Log { .. } => {}
    }
}

fn end(run: &mut Run, state: RunState) {
    run.state = state;
    run.progress = None;
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::event::Progress;
    use protocol::preset::presets;

    fn run() -> Run {
        let mut spec = presets().remove(0).spec.runs().remove(0);
        spec.training.epochs = 6;
        Run {
            id: 1,
            experiment_id: 1,
            spec,
            state: RunState::Queued,
            reason: None,
            queued_at: 0,
            started_at: None,
            ended_at: None,
            started: None,
            epochs_done: 0,
            latest_epoch: None,
            progress: None,
            result: None,
        }
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
        })
    }

    /// Broken by: an epoch counted twice once its steps and its end have both been told.
    #[test]
    fn an_epoch_is_counted_once() {
        let mut run = run();
        apply(&mut run, &progress(1, 20));
        assert_eq!(run.state, RunState::Running);
        assert!((share_done(&run) - 0.5 / 6.0).abs() < 1e-12);
        apply(
            &mut run,
            &Event::Epoch(crate::figure::training_curves::tests::epoch(1)),
        );
        assert!((share_done(&run) - 1.0 / 6.0).abs() < 1e-12);
        apply(&mut run, &progress(2, 40));
        assert!((share_done(&run) - 2.0 / 6.0).abs() < 1e-12);
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
}
