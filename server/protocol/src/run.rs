//! A run as the store keeps it.

use serde::{Deserialize, Serialize};

use crate::evaluation::EvaluationSpec;
use crate::event::{Progress, Started};
use crate::executor::JobStatus;
use crate::named::named;
use crate::result::{EpochMetrics, RunResult};
use crate::spec::RunSpec;

named! {
    /// Where a run stands, in the order of a run's life.
    pub enum RunState {
        /// Waiting for a slot on its device.
        Queued = "queued",
        /// A worker is on it.
        Running = "running",
        /// Its worker went away before the end (a crash, a kill, a stopped server); resumable.
        Interrupted = "interrupted",
        /// A person ended it; resumable.
        Cancelled = "cancelled",
        /// It could not go on; its reason says why.
        Failed = "failed",
        /// Its loss became NaN or infinite. Not a success, and not resumable: the same seed diverges again.
        Diverged = "diverged",
        /// It ended well: it has a result, and every evaluation that was asked for.
        Finished = "finished",
    }
}

impl RunState {
    /// Whether the scheduler still has something to do for it.
    pub fn is_active(self) -> bool {
        matches!(self, RunState::Queued | RunState::Running)
    }

    /// Whether it can go on from its last checkpoint.
    pub fn is_resumable(self) -> bool {
        matches!(
            self,
            RunState::Interrupted | RunState::Cancelled | RunState::Failed
        )
    }
}

/// One run: what was asked, where it stands, what it measured. Times are milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Run {
    /// Number of the run, unique in the store.
    pub id: i64,
    /// The experiment it belongs to.
    pub experiment_id: i64,
    /// What was asked.
    pub spec: RunSpec,
    /// Where it stands.
    pub state: RunState,
    /// Why it failed, diverged or was interrupted.
    pub reason: Option<String>,
    /// When it was queued.
    pub queued_at: i64,
    /// When its worker last began.
    pub started_at: Option<i64>,
    /// When it last ended.
    pub ended_at: Option<i64>,
    /// What it said when it began.
    pub started: Option<Started>,
    /// Epochs measured so far.
    pub epochs_done: u32,
    /// The newest epoch's numbers.
    pub latest_epoch: Option<EpochMetrics>,
    /// Where its worker is right now; only while running.
    pub progress: Option<Progress>,
    /// Where its job stands in a cluster's queue; only while it is queued or running there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobStatus>,
    /// Evaluations that were asked for after the experiment was launched, besides its own.
    #[serde(default)]
    pub later_evaluations: Vec<EvaluationSpec>,
    /// What people call it by, besides its number: 1 to 50 characters each, at most 20.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What people wrote on it, at most 10,000 characters.
    #[serde(default)]
    pub notes: String,
    /// The result of a trained run: of every finished one, and of one whose evaluations are still at work
    /// or could not go on. In lists of runs its per-unit vectors are empty.
    pub result: Option<RunResult>,
}

impl Run {
    /// A run that waits for its first attempt: no more is known of it than what was asked.
    pub fn queued(id: i64, experiment_id: i64, spec: RunSpec) -> Run {
        Run {
            id,
            experiment_id,
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
            job: None,
            later_evaluations: Vec::new(),
            tags: Vec::new(),
            notes: String::new(),
            result: None,
        }
    }

    /// The run without its values by layer: layer shapes, selectivity by layer of the newest epoch and of the result. For lists
    /// of thousands of runs, which show none of them.
    pub fn without_layers(mut self) -> Run {
        if let Some(started) = &mut self.started {
            started.layers.clear();
        }
        if let Some(epoch) = &mut self.latest_epoch {
            epoch.layer_selectivity.clear();
        }
        if let Some(result) = &mut self.result {
            result.layers.clear();
        }
        self
    }

    /// What it is tested on: the evaluation of the launch, then later ones.
    pub fn evaluations(&self) -> impl Iterator<Item = &EvaluationSpec> {
        std::iter::once(&self.spec.evaluation).chain(&self.later_evaluations)
    }

    /// The folders of frost photographs that its evaluations name, of the launch and later ones.
    pub fn frost_photographs(&self) -> Vec<String> {
        let mut folders: Vec<String> = self
            .evaluations()
            .flat_map(|evaluation| {
                let corruptions = evaluation.corruptions.as_ref();
                let dimensionality = evaluation.dimensionality.as_ref();
                [
                    corruptions.and_then(|spec| spec.frost_photographs.clone()),
                    dimensionality.and_then(|spec| spec.frost_photographs.clone()),
                ]
            })
            .flatten()
            .collect();
        folders.sort();
        folders.dedup();
        folders
    }
}
