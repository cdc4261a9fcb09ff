//! Evaluations: requesting, reading and comparing them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::{DatasetStatus, EvaluationQueued};
use protocol::corruption_evaluation::{CorruptionConditions, CorruptionSpec};
use protocol::layer_measure::LayerProfiles;
use protocol::measure::Scatter;
use protocol::quantity::{LayerQuantity, Quantity, Scale};
use protocol::{Dataset, EvaluationSpec, FieldError, Measurement, Run};

use super::json::{Body, Id, QueryParameters, parse, parse_any};
use super::{Answer, AppState, Refusal};
use crate::catalogue::Catalogue;
use analysis::table::{self, Table};
use analysis::{layer_profiles, scatter};
use protocol::problem::ErrorCode;

/// What was measured on a run besides its clean result.
#[utoipa::path(get, path = "/runs/{id}/measurements", params(("id" = i64, Path)), responses((status = 200, body = Vec<Measurement>)))]
pub(super) async fn measurements(
    State(state): State<AppState>,
    Id(id): Id,
) -> Answer<Vec<Measurement>> {
    Ok(Json(state.store.measurements(id).await?))
}

/// Tests a trained run on more, or under other conditions; what it has measured is kept.
#[utoipa::path(
    post,
    path = "/runs/{id}/evaluate",
    params(("id" = i64, Path)),
    request_body = EvaluationSpec,
    responses((status = 202, body = Run))
)]
pub(super) async fn evaluate_run(
    State(state): State<AppState>,
    Id(id): Id,
    Body(spec): Body<EvaluationSpec>,
) -> Result<(StatusCode, Json<Run>), Refusal> {
    let run = state.store.run(id).await?;
    check(&state.catalogue, &run.spec.dataset, &spec).await?;
    if run.result.is_some() && !state.directory.weights(id).is_file() {
        return Err(Refusal::new(
            ErrorCode::NotEvaluable,
            format!(
                "run {id} has no weights here, as after an import of its numbers alone: import an archive with weights, or train it in a new experiment"
            ),
        ));
    }
    state.store.evaluate_again(id, &spec).await?;
    let queued = BTreeMap::from([(run.experiment_id, vec![id])]);
    state.scheduler.queued(queued);
    Ok((StatusCode::ACCEPTED, Json(state.store.run(id).await?)))
}

/// Tests every trained run of an experiment that is not at work and has its weights, as `/runs/{id}/evaluate` does.
#[utoipa::path(
    post,
    path = "/experiments/{id}/evaluate",
    params(("id" = i64, Path)),
    request_body = EvaluationSpec,
    responses((status = 202, body = EvaluationQueued))
)]
pub(super) async fn evaluate_experiment(
    State(state): State<AppState>,
    Id(id): Id,
    Body(spec): Body<EvaluationSpec>,
) -> Result<(StatusCode, Json<EvaluationQueued>), Refusal> {
    let experiment = state.store.experiment(id).await?;
    check(&state.catalogue, &experiment.spec.dataset, &spec).await?;
    let (mut queued, mut skipped) = (Vec::new(), 0);
    for run in state.store.runs(id).await? {
        // Without its weights it would be trained once more, for as long as the first time.
        if run.result.is_some() && !state.directory.weights(run.id).is_file() {
            skipped += 1;
            continue;
        }
        match state.store.evaluate_again(run.id, &spec).await {
            Ok(()) => queued.push(run.id),
            Err(crate::store::StoreError::NotEvaluable(_)) => skipped += 1,
            Err(error) => return Err(error.into()),
        }
    }
    let answer = EvaluationQueued {
        queued: queued.len() as u32,
        skipped,
    };
    state.scheduler.queued(BTreeMap::from([(id, queued)]));
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

async fn check(
    catalogue: &Catalogue,
    dataset: &Dataset,
    spec: &EvaluationSpec,
) -> Result<(), Refusal> {
    let mut errors = spec.validate_on(dataset);
    if spec.is_empty() {
        errors.push(FieldError::new(
            "evaluation",
            "request at least one evaluation",
        ));
    }
    let info = catalogue.dataset(dataset.clone()).await?;
    match (&info.status, &info.facts) {
        (DatasetStatus::Installed, Some(facts)) => {
            errors.extend(fits(spec, dataset, facts.test_images, catalogue));
            errors.extend(catalogue.lacks_photographs(spec, facts).await?);
        }
        _ => errors.push(FieldError::new(
            "dataset",
            format!("{} is not installed", info.label),
        )),
    }
    Refusal::if_any(errors)
}

/// Why an evaluation cannot run on this data set and machine.
pub(super) fn fits(
    spec: &EvaluationSpec,
    dataset: &Dataset,
    test_images: u32,
    catalogue: &Catalogue,
) -> Vec<FieldError> {
    let too_many = |field: &str, images: Option<u32>, advice: &str| {
        let images = images.filter(|&images| images > test_images)?;
        let reason = format!("{images} images, but the test set has {test_images}{advice}");
        Some(FieldError::new(format!("evaluation.{field}"), reason))
    };
    let unpublished = |field: &str, corruptions: &CorruptionSpec| {
        let reason = catalogue.lacks_published(dataset, corruptions)?;
        Some(FieldError::new(format!("evaluation.{field}"), reason))
    };
    let or_all = "; leave it empty for all";
    let mut errors = Vec::new();
    if let Some(corruptions) = &spec.corruptions {
        errors.extend(too_many("corruptions.images", corruptions.images, or_all));
        errors.extend(unpublished("corruptions.source", corruptions));
    }
    if let Some(attacks) = &spec.attacks {
        errors.extend(too_many("attacks.images", attacks.images, or_all));
    }
    if let Some(dimensionality) = &spec.dimensionality {
        let (images, activation_images) = (dimensionality.images, dimensionality.activation_images);
        errors.extend(too_many("dimensionality.images", images, ""));
        errors.extend(too_many(
            "dimensionality.activation_images",
            activation_images,
            "",
        ));
        let corruptions = dimensionality.corrupted();
        if !corruptions.corruptions.is_empty() {
            errors.extend(unpublished("dimensionality.source", &corruptions));
        }
    }
    if let Some(gradients) = &spec.input_unit_gradients {
        errors.extend(too_many(
            "input_unit_gradients.images",
            Some(gradients.images),
            "",
        ));
    }
    errors
}

/// Which two measures are compared.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ScatterQuery {
    /// Horizontal: `selectivity`, `test_accuracy`, `corruption:<corruption or all>:<severity or all>`,
    /// `attack:<attack>` or `layers:<all or early>:<measure of layers>`.
    #[serde(default = "selectivity")]
    x: String,
    /// Vertical, likewise.
    #[serde(default = "corruptions")]
    y: String,
    /// `raw` or `share_of_clean`, for accuracies under perturbation.
    #[serde(default)]
    scale: Scale,
    /// Conditions, as in a measurement's key, for example `generated.0.1000`; those of most runs when absent.
    #[serde(default)]
    conditions: String,
    /// Conditions of attacks, `<seed>.<images>`; those of most runs when absent.
    #[serde(default)]
    attack_conditions: String,
}

fn selectivity() -> String {
    Quantity::Selectivity.to_string()
}

fn corruptions() -> String {
    "corruption:all:all".into()
}

/// Two measures of an experiment's trained runs, with means and intervals over seeds by alpha.
#[utoipa::path(get, path = "/experiments/{id}/scatter", params(("id" = i64, Path), ScatterQuery), responses((status = 200, body = Scatter)))]
pub(super) async fn scatter_of(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<ScatterQuery>,
) -> Answer<Scatter> {
    let (x, y): (Quantity, Quantity) = (parse(&query.x)?, parse(&query.y)?);
    let chosen = table::ChosenConditions {
        corruptions: parse_any(&query.conditions)?,
        attacks: parse_any(&query.attack_conditions)?,
    };
    let numbers = state.cache.numbers(&state.store, id).await?;
    let scatter = tokio::task::spawn_blocking(move || {
        scatter::scatter(&Table::new(numbers.iter()), x, y, query.scale, chosen)
    })
    .await?;
    Ok(Json(scatter))
}

/// Which measure of layers is requested.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ProfilesQuery {
    /// `selectivity`, `cv_across_samples`, `cv_across_units`, `gradient_norm`, or
    /// `dimensionality:<responses or activations>:<90, 95, 99 or participation>:<perturbations>`, for example
    /// `dimensionality:responses:95:corruption:all:all`.
    #[serde(default = "layer_selectivity")]
    measure: String,
    /// Conditions of dimensionality, for example `generated.0.1000`; those of most runs when absent.
    #[serde(default)]
    conditions: String,
}

fn layer_selectivity() -> String {
    LayerQuantity::Selectivity.to_string()
}

/// A measure of every layer of an experiment's trained runs, with means and intervals over seeds by alpha.
#[utoipa::path(get, path = "/experiments/{id}/layer-profiles", params(("id" = i64, Path), ProfilesQuery), responses((status = 200, body = LayerProfiles)))]
pub(super) async fn layer_profiles(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<ProfilesQuery>,
) -> Answer<LayerProfiles> {
    let measure: LayerQuantity = parse(&query.measure)?;
    let conditions: Option<CorruptionConditions> = parse_any(&query.conditions)?;
    let numbers = state.cache.numbers(&state.store, id).await?;
    let profiles = tokio::task::spawn_blocking(move || {
        layer_profiles::profiles(&Table::new(numbers.iter()), measure, conditions)
    })
    .await?;
    Ok(Json(profiles))
}
