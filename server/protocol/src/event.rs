//! What a worker says while it works: one JSON object a line on its standard output.

use serde::{Deserialize, Serialize};

use crate::device::DeviceCheck;
use crate::evaluation::Measurement;
use crate::executor::JobStatus;
use crate::result::{EpochMetrics, LayerShape, RunResult};

/// One thing that happened in a run.
///
/// Every event but [`Event::Progress`] and [`Event::Job`] is stored before anyone is told of it, and gets a sequence
/// number; those two are only for watching and are never stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The data are loaded and checked, the network is built, training begins.
    Started(Started),
    /// Training moved on; at most a few a second.
    Progress(Progress),
    /// Its job stands elsewhere in the cluster's queue. Said by the server, never by a worker.
    Job(JobStatus),
    /// An epoch ended and its checkpoint is on disk.
    /// A resumed run says its earlier epochs again, so that none is missing in the store.
    Epoch(EpochMetrics),
    /// A line for the run's log.
    Log {
        /// How much it matters.
        level: LogLevel,
        /// What happened.
        message: String,
    },
    /// Training is done and its best weights are measured on the clean test set; evaluations follow.
    Trained(RunResult),
    /// One measurement of an evaluation is done and on disk. A resumed run says its earlier ones again.
    Measured(Measurement),
    /// The run ended well, with everything that was asked.
    Finished(RunResult),
    /// The loss was no longer a finite number; the run ended without a result.
    Diverged {
        /// Epoch, from 1.
        epoch: u32,
        /// Step within the epoch, from 1.
        step: u32,
        /// What was not finite, for example `cross-entropy is NaN`.
        what: String,
    },
    /// The run could not go on.
    Failed {
        /// What was wrong, where, and what to do.
        message: String,
    },
    /// A person ended the run; what was measured is kept.
    Cancelled,
    /// The run stopped before its end and can be resumed from its last checkpoint. Said by the
    /// server, never by a worker.
    Interrupted {
        /// What stopped it, for example `the server was stopped`.
        message: String,
    },
}

impl Event {
    /// Its kind, as in its JSON form.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Started(_) => "started",
            Event::Progress(_) => "progress",
            Event::Job(_) => "job",
            Event::Epoch(_) => "epoch",
            Event::Log { .. } => "log",
            Event::Trained(_) => "trained",
            Event::Measured(_) => "measured",
            Event::Finished(_) => "finished",
            Event::Diverged { .. } => "diverged",
            Event::Failed { .. } => "failed",
            Event::Cancelled => "cancelled",
            Event::Interrupted { .. } => "interrupted",
        }
    }
}

/// What a run knows once it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Started {
    /// The device as its driver names it.
    pub device: String,
    /// How the device computes and how it compared with the CPU before the run; absent on the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Box<DeviceCheck>>,
    /// Threads the engine computes with on the CPU.
    pub threads: u32,
    /// Version of the engine.
    pub engine_version: String,
    /// Trainable parameters of the network.
    pub parameters: u64,
    /// The network's ReLU layers in forward order.
    pub layers: Vec<LayerShape>,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Images trained on each epoch.
    pub train_images: u32,
    /// Images held out to choose the best epoch.
    pub validation_images: u32,
    /// Images the result is measured on.
    pub test_images: u32,
    /// The last epoch of the checkpoint that the run resumed from; absent on a fresh start.
    pub resumed_from_epoch: Option<u32>,
}

/// Where a run is within an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Epoch, from 1.
    pub epoch: u32,
    /// Epochs in all.
    pub epochs: u32,
    /// Steps done in this phase of the epoch.
    pub step: u32,
    /// Steps of this phase in all.
    pub steps: u32,
    /// Training loss of the last step; absent outside training.
    pub loss: Option<f64>,
    /// Images a second in this phase, lately.
    pub images_per_second: f64,
    /// Expected seconds until the run ends; absent until something was measured.
    pub remaining_seconds: Option<f64>,
    /// When the server heard it, in milliseconds since 1970-01-01 UTC; absent in what the worker itself writes.
    #[serde(default)]
    pub heard_at: Option<i64>,
}

/// What a run is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading and checking the data.
    Loading,
    /// Optimising.
    Training,
    /// Measuring on the validation images.
    Validation,
    /// Measuring the best weights on the test images.
    Test,
    /// Testing the best weights on corrupted images; steps are images.
    Corruptions,
    /// Attacking the best weights; steps are images through the network, a backward pass counted as two.
    Attacks,
    /// Measuring the dimensionality of the best weights' activations; steps are images through the network.
    Dimensionality,
    /// Measuring the best weights' input-unit gradients; steps are images through the whole network.
    InputUnitGradients,
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when the store files an event under another kind than its JSON says.
    #[test]
    fn kinds_are_those_of_the_json_form() {
        let events = [
            Event::Log {
                level: LogLevel::Info,
                message: String::new(),
            },
            Event::Diverged {
                epoch: 1,
                step: 1,
                what: String::new(),
            },
            Event::Failed {
                message: String::new(),
            },
            Event::Cancelled,
            Event::Interrupted {
                message: String::new(),
            },
        ];
        for event in events {
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(json["type"], event.kind());
        }
    }
}
