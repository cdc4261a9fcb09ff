//! `POST /estimates`, and what makes a spec launchable on this machine.

use axum::Json;
use axum::extract::State;
use protocol::api::{DatasetFacts, DatasetStatus, Estimate};
use protocol::{ExecutorKind, ExperimentSpec, FieldError};
use tokio::task::JoinError;

use super::json::Body;
use super::{Answer, AppState, Refusal};
use crate::catalogue::Catalogue;
use crate::executors::Slurm;

/// How long an experiment would take, and how that is known.
#[utoipa::path(
    post,
    path = "/estimates",
    request_body = ExperimentSpec,
    responses((status = 200, body = Estimate))
)]
pub(super) async fn estimate(
    State(state): State<AppState>,
    Body(spec): Body<ExperimentSpec>,
) -> Answer<Estimate> {
    let facts = check(&state, &spec).await?;
    let slots = state.scheduler.slots(&spec.device);
    let idle = state.scheduler.is_idle().await?;
    Ok(Json(
        state
            .estimator
            .estimate(&state.store, &spec, &facts, slots, idle)
            .await?,
    ))
}

/// The facts about the data set of `spec`, or every reason why `spec` cannot be launched.
pub(super) async fn check(
    state: &AppState,
    spec: &ExperimentSpec,
) -> Result<DatasetFacts, Refusal> {
    launchable(&state.catalogue, spec)
        .await?
        .map_err(Refusal::fields)
}

/// Why the device of `spec` cannot be used; `None` where it can, or where only a cluster's nodes know.
async fn unknown_device(catalogue: &Catalogue, spec: &ExperimentSpec) -> Option<FieldError> {
    let devices = catalogue.devices().await;
    // Only a cluster's nodes know their devices: a worker there refuses a missing one.
    if !spec.executor.is_local() || devices.iter().any(|device| device.is_called(&spec.device)) {
        return None;
    }
    let known: Vec<_> = devices.iter().map(|device| device.id.as_str()).collect();
    let built = match spec.device.starts_with("wgpu:") && !engine::devices::GPU_SUPPORT {
        true => " (the server was built without GPU support: `make serve GPU=yes`)",
        false => "",
    };
    Some(FieldError::new(
        "device",
        format!(
            "`{}` is not available here; choose {}{built}",
            spec.device,
            known.join(", ")
        ),
    ))
}

/// Why the smallest class has too few images for the split.
fn too_few_images(spec: &ExperimentSpec, facts: &DatasetFacts) -> Option<FieldError> {
    let (held_out, smallest) = (
        spec.training.validation_images_per_class,
        facts.smallest_class,
    );
    if held_out >= smallest {
        return Some(FieldError::new(
            "training.validation_images_per_class",
            format!("the smallest class has {smallest} images: nothing would be left to train on"),
        ));
    }
    let left = smallest - held_out;
    let requested = spec.training.train_images_per_class?;
    (requested > left).then(|| {
        FieldError::new(
            "training.train_images_per_class",
            format!("the smallest class has {left} images left after the hold-out"),
        )
    })
}

/// Why images are too small for the network.
fn too_small_images(spec: &ExperimentSpec, facts: &DatasetFacts) -> Option<FieldError> {
    let (least, side) = (
        spec.network.minimum_image_side(),
        facts.height.min(facts.width),
    );
    ((side as usize) < least).then(|| {
        FieldError::new(
            "network",
            format!(
                "needs images of at least {least}x{least} pixels; these are {}x{}",
                facts.height, facts.width
            ),
        )
    })
}

/// The facts about the data set of `spec`, or every field that prevents launching `spec` on this machine.
///
/// # Errors
/// When the task that looks at the data set fails.
pub async fn launchable(
    catalogue: &Catalogue,
    spec: &ExperimentSpec,
) -> Result<Result<DatasetFacts, Vec<FieldError>>, JoinError> {
    let mut errors = spec.validate();
    errors.extend(unknown_device(catalogue, spec).await);
    let mut refuse = |field: &str, reason: String| errors.push(FieldError::new(field, reason));
    if spec.executor.kind() == ExecutorKind::Slurm
        && let Err(reason) = tokio::task::spawn_blocking(Slurm::version).await?
    {
        refuse(
            "executor",
            format!("Slurm cannot be used from the server's machine: {reason}"),
        );
    }
    let info = catalogue.dataset(spec.dataset.clone()).await?;
    match info.status {
        DatasetStatus::Installed => {}
        DatasetStatus::Broken { message } => refuse("dataset", message),
        DatasetStatus::Fetching { .. } => {
            refuse("dataset", "the data set is still being fetched".into())
        }
        _ => {
            let path = info.path.as_deref().unwrap_or("the data sets' folder");
            refuse(
                "dataset",
                format!(
                    "{} is not installed; fetch it on the data sets page, or put it in {path}",
                    info.label
                ),
            );
        }
    }
    if let Some(facts) = &info.facts {
        errors.extend(too_few_images(spec, facts));
        errors.extend(super::evaluations::fits(
            &spec.evaluation,
            &spec.dataset,
            facts.test_images,
            catalogue,
        ));
        let photographs = catalogue.lacks_photographs(&spec.evaluation, facts);
        errors.extend(photographs.await?);
        errors.extend(too_small_images(spec, facts));
    }
    match info.facts {
        Some(facts) if errors.is_empty() => Ok(Ok(facts)),
        _ => Ok(Err(errors)),
    }
}
