//! An experiment, its runs and their events as they are written down outside the store: in archives, and beside each worker.

use protocol::{EvaluationSpec, Event, ExperimentSpec, RunSpec, RunState};
use serde::{Deserialize, Serialize};

/// An experiment without its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchivedExperiment {
    /// What was launched.
    pub spec: ExperimentSpec,
    /// Notes as they stand now.
    pub notes: String,
    /// Tags.
    pub tags: Vec<String>,
    /// When it was launched, in milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
}

/// A run without its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchivedRun {
    /// Its key, unique among the runs of all stores.
    pub key: String,
    /// The run's spec.
    pub spec: RunSpec,
    /// Its state when the archive was written.
    pub state: RunState,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// When it was queued, started and ended, in milliseconds since 1970-01-01 UTC.
    pub queued_at: i64,
    /// See `queued_at`.
    pub started_at: Option<i64>,
    /// See `queued_at`.
    pub ended_at: Option<i64>,
    /// Evaluations that were asked for after the launch.
    pub later_evaluations: Vec<EvaluationSpec>,
    /// Tags.
    pub tags: Vec<String>,
    /// Notes.
    pub notes: String,
}

/// A run with all that its workers reported.
#[derive(Debug, Clone, PartialEq)]
pub struct RunHistory {
    /// The run's number in its store.
    pub id: i64,
    /// The run.
    pub run: ArchivedRun,
    /// Its events, in order.
    pub events: Vec<ArchivedEvent>,
}

/// One line of a run's `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchivedEvent {
    /// When it was stored, in milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// What happened.
    pub event: Event,
}
