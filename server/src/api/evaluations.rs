//! Evaluations: asked for, read, and set against each other.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use engine::evaluations::CorruptionPredictions;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::api::{
    CorruptedSample, CorruptedSamplePage, DatasetStatus, EvaluationQueued, Prediction, SampleFilter,
};
use protocol::corruption::SEVERITIES;
use protocol::evaluation::{CorruptionConditions, UnknownConditions};
use protocol::layer_measure::LayerProfiles;
use protocol::measure::Scatter;
use protocol::problem::ErrorCode;
use protocol::quantity::{LayerQuantity, Quantity, Scale, UnknownLayerQuantity, UnknownQuantity};
use protocol::{Corruption, Dataset, EvaluationSpec, FieldError, Measurement, Run};

use super::json::{Asked, Body, Id, Named};
use super::{AppState, Refusal};
use crate::catalogue::Catalogue;
use analysis::table::{self, Table};
use analysis::{layer_values, scatter};

/// What was measured on a run besides its clean result.
#[utoipa::path(get, path = "/runs/{id}/measurements", params(("id" = i64, Path)), responses((status = 200, body = Vec<Measurement>)))]
pub(super) async fn measurements(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<Json<Vec<Measurement>>, Refusal> {
    Ok(Json(state.store.measurements(id).await?))
}

/// Tests a trained run on more, or under other conditions; what it has measured is kept.
#[utoipa::path(
    post,
    path = "/runs/{id}/evaluate",
    params(("id" = i64, Path)),
    request_body = EvaluationSpec,
    responses((status = 202, body = Run), (status = 409, body = protocol::api::ApiError), (status = 422, body = protocol::api::ApiError))
)]
pub(super) async fn evaluate_run(
    State(state): State<AppState>,
    Id(id): Id,
    Body(spec): Body<EvaluationSpec>,
) -> Result<(StatusCode, Json<Run>), Refusal> {
    let run = state.store.run(id).await?;
    check(&state.catalogue, &run.spec.dataset, &spec).await?;
    state.store.evaluate_again(id, &spec).await?;
    let queued = BTreeMap::from([(run.experiment_id, vec![id])]);
    state.scheduler.queued(queued);
    Ok((StatusCode::ACCEPTED, Json(state.store.run(id).await?)))
}

/// Tests every trained run of an experiment that is not at work, as `/runs/{id}/evaluate` does.
#[utoipa::path(
    post,
    path = "/experiments/{id}/evaluate",
    params(("id" = i64, Path)),
    request_body = EvaluationSpec,
    responses((status = 202, body = EvaluationQueued), (status = 422, body = protocol::api::ApiError))
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
            "ask for at least one evaluation",
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
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Refusal::fields(errors))
    }
}

/// What stands against an evaluation on this data set and machine.
pub(super) fn fits(
    spec: &EvaluationSpec,
    dataset: &Dataset,
    test_images: u32,
    catalogue: &Catalogue,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(corruptions) = &spec.corruptions {
        if let Some(images) = corruptions.images.filter(|&images| images > test_images) {
            errors.push(FieldError::new(
                "evaluation.corruptions.images",
                format!("{images}, but the test set has {test_images}; leave it empty for all"),
            ));
        }
        if let Some(reason) = catalogue.lacks_published(dataset, corruptions) {
            errors.push(FieldError::new("evaluation.corruptions.source", reason));
        }
    }
    if let Some(images) = spec.attacks.as_ref().and_then(|attacks| attacks.images)
        && images > test_images
    {
        errors.push(FieldError::new(
            "evaluation.attacks.images",
            format!("{images}, but the test set has {test_images}; leave it empty for all"),
        ));
    }
    if let Some(dimensionality) = &spec.dimensionality {
        let asked = [
            ("images", dimensionality.images),
            ("activation_images", dimensionality.activation_images),
        ];
        for (field, images) in asked {
            if let Some(images) = images.filter(|&images| images > test_images) {
                errors.push(FieldError::new(
                    format!("evaluation.dimensionality.{field}"),
                    format!("{images}, but the test set has {test_images}"),
                ));
            }
        }
        let corruptions = dimensionality.corrupted();
        if !corruptions.corruptions.is_empty()
            && let Some(reason) = catalogue.lacks_published(dataset, &corruptions)
        {
            errors.push(FieldError::new("evaluation.dimensionality.source", reason));
        }
    }
    if let Some(gradients) = &spec.input_unit_gradients
        && gradients.images > test_images
    {
        errors.push(FieldError::new(
            "evaluation.input_unit_gradients.images",
            format!("{}, but the test set has {test_images}", gradients.images),
        ));
    }
    errors
}

/// Which measures are set against each other.
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
    Asked(query): Asked<ScatterQuery>,
) -> Result<Json<Scatter>, Refusal> {
    let measure = |text: &str| -> Result<Quantity, Refusal> {
        text.parse().map_err(|error: UnknownQuantity| {
            Refusal::new(ErrorCode::InvalidParameter, error.to_string())
        })
    };
    let (x, y) = (measure(&query.x)?, measure(&query.y)?);
    let conditions = match query.conditions.as_str() {
        "" => None,
        text => Some(parse_conditions(text)?),
    };
    let attack_conditions = match query.attack_conditions.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|error: UnknownConditions| {
            Refusal::new(ErrorCode::InvalidParameter, error.to_string())
        })?),
    };
    let asked = table::Asked {
        corruptions: conditions,
        attacks: attack_conditions,
    };
    let numbers = state.kept.numbers(&state.store, id).await?;
    let scatter = tokio::task::spawn_blocking(move || {
        scatter::scatter(&Table::new(numbers.iter()), x, y, query.scale, asked)
    })
    .await?;
    Ok(Json(scatter))
}

/// Which measure of layers is asked for.
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
    Asked(query): Asked<ProfilesQuery>,
) -> Result<Json<LayerProfiles>, Refusal> {
    let measure: LayerQuantity = query
        .measure
        .parse()
        .map_err(|error: UnknownLayerQuantity| {
            Refusal::new(ErrorCode::InvalidParameter, error.to_string())
        })?;
    let conditions = match query.conditions.as_str() {
        "" => None,
        text => Some(parse_conditions(text)?),
    };
    let numbers = state.kept.numbers(&state.store, id).await?;
    let profiles = tokio::task::spawn_blocking(move || {
        layer_values::profiles(&Table::new(numbers.iter()), measure, conditions)
    })
    .await?;
    Ok(Json(profiles))
}

fn parse_conditions(text: &str) -> Result<CorruptionConditions, Refusal> {
    text.parse().map_err(|error: UnknownConditions| {
        Refusal::new(ErrorCode::InvalidParameter, error.to_string())
    })
}

fn parse_corruption(text: &str) -> Result<Corruption, Refusal> {
    text.parse()
        .map_err(|error: protocol::corruption::UnknownCorruption| {
            Refusal::new(ErrorCode::InvalidParameter, error.to_string())
        })
}

fn check_severity(severity: u8) -> Result<u8, Refusal> {
    if SEVERITIES.contains(&severity) {
        Ok(severity)
    } else {
        Err(Refusal::new(
            ErrorCode::InvalidParameter,
            "severity must be 1 to 5",
        ))
    }
}

/// Which samples are asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SamplesQuery {
    /// Conditions, as in a measurement's key; those of the run's first measurement when absent.
    #[serde(default)]
    conditions: String,
    /// The corruption.
    #[serde(default = "gaussian_noise")]
    corruption: String,
    /// Its severity, 1 to 5.
    #[serde(default = "three")]
    #[param(minimum = 1, maximum = 5)]
    severity: u8,
    /// `broken`, `robust`, `mended` or `all`.
    #[serde(default)]
    filter: SampleFilter,
    /// Page, from 1.
    #[serde(default = "one")]
    #[param(value_type = i64, minimum = 1, maximum = 4294967295_u32)]
    page: u32,
    /// Samples a page, 1 to 100.
    #[serde(default = "twelve")]
    #[param(minimum = 1, maximum = 100)]
    page_size: u32,
}

fn one() -> u32 {
    1
}

fn gaussian_noise() -> String {
    Corruption::GaussianNoise.to_string()
}

fn three() -> u8 {
    3
}

fn twelve() -> u32 {
    12
}

/// What a run said about each test image, clean and corrupted. Refused where the two are not of the same image, as with
/// the published Tiny ImageNet-C.
#[utoipa::path(get, path = "/runs/{id}/corrupted-samples", params(("id" = i64, Path), SamplesQuery), responses((status = 200, body = CorruptedSamplePage), (status = 409, body = protocol::api::ApiError)))]
pub(super) async fn samples(
    State(state): State<AppState>,
    Id(id): Id,
    Asked(query): Asked<SamplesQuery>,
) -> Result<Json<CorruptedSamplePage>, Refusal> {
    let conditions = match query.conditions.as_str() {
        "" => state
            .store
            .measurements(id)
            .await?
            .iter()
            .find_map(Measurement::corruption)
            .map(|measured| measured.conditions)
            .ok_or_else(|| Refusal::not_found(format!("run {id} was tested on no corruption")))?,
        text => parse_conditions(text)?,
    };
    let corruption = parse_corruption(&query.corruption)?;
    let severity = check_severity(query.severity)?;
    if query.page == 0 || !(1..=100).contains(&query.page_size) {
        return Err(Refusal::new(
            ErrorCode::InvalidParameter,
            "page must be 1 or more, and page_size 1 to 100",
        ));
    }
    let run = state.store.run(id).await?;
    if let Some(reason) = conditions.source.unmatched(&run.spec.dataset) {
        return Err(Refusal::new(ErrorCode::UnpairedImages, reason));
    }
    let missing = || {
        Refusal::not_found(format!(
            "run {id} has no predictions for {corruption} {severity} ({conditions})"
        ))
    };
    let started = run.started.ok_or_else(missing)?;
    let (run_directory, datasets) = (
        state.directory.run(id),
        state.directory.datasets().to_owned(),
    );
    let dataset = run.spec.dataset.clone();
    let test_images = started.test_images as usize;
    let (predictions, labels) = tokio::task::spawn_blocking(move || {
        let labels = engine::data::test_labels(&dataset, &datasets)?;
        let predictions =
            CorruptionPredictions::load(&run_directory, conditions, corruption, severity, &labels)?;
        Ok::<_, engine::EngineError>((predictions, labels))
    })
    .await??;
    let predictions = predictions.ok_or_else(missing)?;
    if labels.len() != test_images {
        return Err(Refusal::new(
            ErrorCode::DataChanged,
            format!(
                "the test set has {} images now, and had {test_images} when the run began",
                labels.len()
            ),
        ));
    }

    let class = |label: u32| started.classes.get(label as usize).cloned();
    let chosen: Vec<usize> = (0..predictions.indices.len())
        .filter(|&place| {
            let label = labels[predictions.indices[place]];
            let right = |predicted: &[u32]| predicted.get(place) == Some(&label);
            query.filter.takes(
                right(&predictions.clean.predicted),
                right(&predictions.corrupted.predicted),
            )
        })
        .collect();
    let dataset_id =
        utf8_percent_encode(&run.spec.dataset.to_string(), NON_ALPHANUMERIC).to_string();
    let clean_folder = format!("/api/v1/datasets/{dataset_id}/images/test");
    let corrupted_folder =
        format!("/api/v1/datasets/{dataset_id}/corrupted/{conditions}/{corruption}/{severity}");
    // Photographs of frost are found by what the run's evaluations name.
    let of_run = if conditions.frost.is_some() {
        format!("?run={id}")
    } else {
        String::new()
    };
    let first = (query.page - 1) as usize * query.page_size as usize;
    let samples = chosen
        .iter()
        .skip(first)
        .take(query.page_size as usize)
        .map(|&place| {
            let index = predictions.indices[place];
            let prediction = |of: &engine::evaluations::Predictions, url: String| Prediction {
                class: class(of.predicted[place]),
                confidence: of.confidence[place],
                right: of.predicted[place] == labels[index],
                url,
            };
            CorruptedSample {
                index: index as u32,
                class: class(labels[index]).unwrap_or_default(),
                clean: prediction(&predictions.clean, format!("{clean_folder}/{index}.png")),
                corrupted: prediction(
                    &predictions.corrupted,
                    format!("{corrupted_folder}/{index}.png{of_run}"),
                ),
            }
        });
    Ok(Json(CorruptedSamplePage {
        samples: samples.collect(),
        total: chosen.len() as u32,
        images: predictions.indices.len() as u32,
    }))
}

/// Whose photographs of frost an image is drawn with.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PhotographsQuery {
    /// A run whose evaluations name the folder; only needed for frost whose conditions name photographs.
    run: Option<i64>,
}

/// One corrupted test image as PNG.
#[utoipa::path(
    get,
    path = "/datasets/{id}/corrupted/{conditions}/{corruption}/{severity}/{file}",
    params(
        ("id" = String, Path),
        ("conditions" = String, Path, description = "for example `generated.0.1000`"),
        ("corruption" = String, Path),
        ("severity" = u8, Path),
        ("file" = String, Path, description = "`<index>.png`"),
        PhotographsQuery
    ),
    responses((status = 200, content_type = "image/png", body = Vec<u8>))
)]
pub(super) async fn corrupted_image(
    State(state): State<AppState>,
    Named((id, conditions, corruption, severity, file)): Named<(
        String,
        String,
        String,
        u8,
        String,
    )>,
    Asked(query): Asked<PhotographsQuery>,
) -> Result<impl IntoResponse, Refusal> {
    let dataset = super::datasets::parse(&id)?;
    let conditions = parse_conditions(&conditions)?;
    let corruption = parse_corruption(&corruption)?;
    let severity = check_severity(severity)?;
    let index = file
        .strip_suffix(".png")
        .and_then(|index| index.parse().ok())
        .ok_or_else(|| Refusal::not_found("an image is called <index>.png"))?;
    let photographs = match query.run {
        Some(run) => state.store.run(run).await?.frost_photographs(),
        None => Vec::new(),
    };
    let directory = state.directory.datasets().to_owned();
    let png = tokio::task::spawn_blocking(move || {
        engine::data::corrupted_image_png(
            &dataset,
            &directory,
            conditions,
            &photographs,
            corruption,
            severity,
            index,
        )
    })
    .await??;
    Ok((
        [
            (header::CONTENT_TYPE, "image/png"),
            (header::CACHE_CONTROL, "private, max-age=3600"),
        ],
        png,
    ))
}
