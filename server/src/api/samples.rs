//! What pages of single test images have in common: paging, the labels, and where the images are.

use std::path::Path;

use engine::EngineError;
use engine::studies::evaluations::Predictions;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::api::Prediction;
use protocol::problem::ErrorCode;
use protocol::{Dataset, Run};

use super::{AppState, Refusal};

/// The default number of samples per page.
pub(super) fn usual_page_size() -> u32 {
    12
}

/// The elements of `all` on a page, which is counted from 1.
pub(super) fn page_of<T>(all: &[T], page: u32, page_size: u32) -> impl Iterator<Item = &T> {
    let first = (page as usize - 1) * page_size as usize;
    all.iter().skip(first).take(page_size as usize)
}

/// Text for a URL, with everything but letters and digits encoded.
pub(super) fn encoded(text: impl ToString) -> String {
    utf8_percent_encode(&text.to_string(), NON_ALPHANUMERIC).to_string()
}

/// The URL of a clean test image.
pub(super) fn test_image_url(dataset: &Dataset, index: usize) -> String {
    format!(
        "/api/v1/datasets/{}/images/test/{index}.png",
        encoded(dataset)
    )
}

/// The test set's classes and labels, as a run knew them when it began.
pub(super) struct Labels {
    classes: Vec<String>,
    labels: Vec<u32>,
}

impl Labels {
    /// The name of a class.
    pub(super) fn class(&self, label: u32) -> Option<String> {
        self.classes.get(label as usize).cloned()
    }

    /// The class of a test image.
    pub(super) fn class_of(&self, index: usize) -> String {
        self.class(self.labels[index]).unwrap_or_default()
    }

    /// Whether the prediction at `place` is the class of the test image `index`.
    pub(super) fn is_right(&self, predictions: &Predictions, place: usize, index: usize) -> bool {
        predictions.predicted.get(place) == Some(&self.labels[index])
    }

    /// The prediction at `place`, for the test image `index`; the image that was classified is at `url`.
    pub(super) fn prediction(
        &self,
        predictions: &Predictions,
        place: usize,
        index: usize,
        url: String,
    ) -> Prediction {
        Prediction {
            class: self.class(predictions.predicted[place]),
            confidence: predictions.confidence[place],
            right: self.is_right(predictions, place, index),
            url,
        }
    }
}

/// What `load` reads from a run's folder, given the test labels; and these labels. `None` if the run has no such data.
///
/// # Errors
/// When a file is damaged, or the test set is no longer the one that the run was tested on.
pub(super) async fn read_with_labels<T: Send + 'static>(
    state: &AppState,
    run: Run,
    load: impl FnOnce(&Path, &[u32]) -> Result<Option<T>, EngineError> + Send + 'static,
) -> Result<Option<(T, Labels)>, Refusal> {
    let Some(started) = run.started else {
        return Ok(None);
    };
    let run_directory = state.directory.run(run.id);
    let datasets = state.directory.datasets().to_owned();
    let (loaded, labels) = tokio::task::spawn_blocking(move || {
        let labels = engine::data::test_labels(&run.spec.dataset, &datasets)?;
        Ok::<_, EngineError>((load(&run_directory, &labels)?, labels))
    })
    .await??;
    let Some(loaded) = loaded else {
        return Ok(None);
    };
    let (now, before) = (labels.len(), started.test_images as usize);
    if now != before {
        return Err(Refusal::new(
            ErrorCode::DataChanged,
            format!("the test set has {now} images now, and had {before} when the run began"),
        ));
    }
    let classes = started.classes;
    Ok(Some((loaded, Labels { classes, labels })))
}
