//! `POST /estimates`, and what makes a spec launchable on this machine.

use axum::Json;
use axum::extract::State;
use protocol::api::{DatasetFacts, DatasetStatus, Estimate};
use protocol::{ExecutorKind, ExperimentSpec, FieldError};
use tokio::task::JoinError;

use super::json::Body;
use super::{AppState, Refusal};
use crate::catalogue::Catalogue;
use crate::executors::Slurm;

/// How long an experiment would take, and how that is known.
#[utoipa::path(
    post,
    path = "/estimates",
    request_body = ExperimentSpec,
    responses((status = 200, body = Estimate), (status = 422, body = protocol::api::ApiError))
)]
pub(super) async fn estimate(
    State(state): State<AppState>,
    Body(spec): Body<ExperimentSpec>,
) -> Result<Json<Estimate>, Refusal> {
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

/// The facts of the data set of `spec`, or everything that stands against launching it.
pub(super) async fn check(
    state: &AppState,
    spec: &ExperimentSpec,
) -> Result<DatasetFacts, Refusal> {
    launchable(&state.catalogue, spec)
        .await?
        .map_err(Refusal::fields)
}

/// The facts of the data set of `spec`, or every field that stands against launching it on this machine.
///
/// # Errors
/// When the task that looks at the data set fails.
pub async fn launchable(
    catalogue: &Catalogue,
    spec: &ExperimentSpec,
) -> Result<Result<DatasetFacts, Vec<FieldError>>, JoinError> {
    let mut errors = spec.validate();
    let mut refuse = |field: &str, reason: String| errors.push(FieldError::new(field, reason));
    let devices = catalogue.devices().await;
    // Which devices a cluster's nodes have, only they know: a worker there refuses what is not there.
    if spec.executor.is_local() && !devices.iter().any(|device| device.is_called(&spec.device)) {
        let known: Vec<_> = devices.iter().map(|device| device.id.as_str()).collect();
        let built = match spec.device.starts_with("wgpu:") && !engine::devices::GPU_SUPPORT {
            true => " (the server was built without GPU support: `make serve GPU=yes`)",
            false => "",
        };
        refuse(
            "device",
            format!(
                "`{}` is not here; choose {}{built}",
                spec.device,
                known.join(", ")
            ),
        );
    }
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
        DatasetStatus::Fetching { .. } => refuse("dataset", "is still being fetched".into()),
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
        let held_out = spec.training.validation_images_per_class;
        if held_out >= facts.smallest_class {
            refuse(
                "training.validation_images_per_class",
                format!(
                    "the smallest class has {} images: nothing would be left to train on",
                    facts.smallest_class
                ),
            );
        } else if let Some(count) = spec.training.train_images_per_class
            && count > facts.smallest_class - held_out
        {
            refuse(
                "training.train_images_per_class",
                format!(
                    "the smallest class has {} images left after the hold-out",
                    facts.smallest_class - held_out
                ),
            );
        }
        errors.extend(super::evaluations::fits(
            &spec.evaluation,
            &spec.dataset,
            facts.test_images,
            catalogue,
        ));
        let photographs = catalogue.lacks_photographs(&spec.evaluation, facts);
        errors.extend(photographs.await?);
        let mut refuse = |field: &str, reason: String| errors.push(FieldError::new(field, reason));
        let side = facts.height.min(facts.width) as usize;
        if side < spec.network.minimum_image_side() {
            refuse(
                "network",
                format!(
                    "needs images of {0}x{0} pixels or more; these are {1}x{2}",
                    spec.network.minimum_image_side(),
                    facts.height,
                    facts.width
                ),
            );
        }
    }
    match info.facts {
        Some(facts) if errors.is_empty() => Ok(Ok(facts)),
        _ => Ok(Err(errors)),
    }
}
