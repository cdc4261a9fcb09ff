//! What corruptions did to single images of a run.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use engine::studies::evaluations::CorruptionPredictions;
use protocol::api::{CorruptedSample, CorruptedSamplePage, SampleFilter};
use protocol::corruption::SEVERITIES;
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::problem::ErrorCode;
use protocol::{Corruption, Measurement};

use super::images::{index_of, png_answer};
use super::json::{Id, PathParameters, QueryParameters, check_page, first_page, parse, parse_any};
use super::samples::{encoded, page_of, read_with_labels, test_image_url, usual_page_size};
use super::{Answer, AppState, Refusal};

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
    #[serde(default = "first_page")]
    #[param(value_type = i64, minimum = 1, maximum = 4294967295_u32)]
    page: u32,
    /// Samples a page, 1 to 100.
    #[serde(default = "usual_page_size")]
    #[param(minimum = 1, maximum = 100)]
    page_size: u32,
}

fn gaussian_noise() -> String {
    Corruption::GaussianNoise.to_string()
}

fn three() -> u8 {
    3
}

fn check_severity(severity: u8) -> Result<u8, Refusal> {
    if SEVERITIES.contains(&severity) {
        Ok(severity)
    } else {
        Err(Refusal::parameter("severity must be 1 to 5"))
    }
}

/// The requested conditions, or those of the run's first measurement.
async fn conditions_of(
    state: &AppState,
    run: i64,
    requested: &str,
) -> Result<CorruptionConditions, Refusal> {
    if let Some(conditions) = parse_any(requested)? {
        return Ok(conditions);
    }
    let measurements = state.store.measurements(run).await?;
    let first = measurements.iter().find_map(Measurement::corruption);
    first
        .map(|measured| measured.conditions)
        .ok_or_else(|| Refusal::not_found(format!("run {run} was not tested on any corruption")))
}

/// A run's predictions for each test image, clean and corrupted. Refused where the two are different images, as in
/// the published Tiny ImageNet-C.
#[utoipa::path(get, path = "/runs/{id}/corrupted-samples", params(("id" = i64, Path), SamplesQuery), responses((status = 200, body = CorruptedSamplePage)))]
pub(super) async fn samples(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<SamplesQuery>,
) -> Answer<CorruptedSamplePage> {
    let conditions = conditions_of(&state, id, &query.conditions).await?;
    let corruption: Corruption = parse(&query.corruption)?;
    let severity = check_severity(query.severity)?;
    check_page(query.page, query.page_size, 100)?;
    let run = state.store.run(id).await?;
    let dataset = run.spec.dataset.clone();
    if let Some(reason) = conditions.source.unmatched(&dataset) {
        return Err(Refusal::new(ErrorCode::UnpairedImages, reason));
    }
    let read = read_with_labels(&state, run, move |folder, labels| {
        CorruptionPredictions::load(folder, conditions, corruption, severity, labels)
    });
    let (predictions, labels) = read.await?.ok_or_else(|| {
        Refusal::not_found(format!(
            "run {id} has no predictions for {corruption} {severity} ({conditions})"
        ))
    })?;
    let (clean, corrupted) = (&predictions.clean, &predictions.corrupted);
    let images = predictions.indices.iter().copied().enumerate();
    let chosen: Vec<(usize, usize)> = images
        .filter(|&(place, index)| {
            let right = |predictions| labels.is_right(predictions, place, index);
            query.filter.takes(right(clean), right(corrupted))
        })
        .collect();
    // The run's evaluations name the folder of frost photographs.
    let of_run = match conditions.frost {
        Some(_) => format!("?run={id}"),
        None => String::new(),
    };
    let folder = format!(
        "/api/v1/datasets/{}/corrupted/{conditions}/{corruption}/{severity}",
        encoded(&dataset)
    );
    let sample = |&(place, index): &(usize, usize)| {
        let url = format!("{folder}/{index}.png{of_run}");
        CorruptedSample {
            index: index as u32,
            class: labels.class_of(index),
            clean: labels.prediction(clean, place, index, test_image_url(&dataset, index)),
            corrupted: labels.prediction(corrupted, place, index, url),
        }
    };
    let samples = page_of(&chosen, query.page, query.page_size).map(sample);
    Ok(Json(CorruptedSamplePage {
        samples: samples.collect(),
        total: chosen.len() as u32,
        images: predictions.indices.len() as u32,
    }))
}

/// Which run's frost photographs an image is drawn with.
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
pub(super) async fn image(
    State(state): State<AppState>,
    PathParameters((id, conditions, corruption, severity, file)): PathParameters<(
        String,
        String,
        String,
        u8,
        String,
    )>,
    QueryParameters(query): QueryParameters<PhotographsQuery>,
) -> Result<impl IntoResponse, Refusal> {
    let dataset = super::datasets::parse(&id)?;
    let conditions: CorruptionConditions = parse(&conditions)?;
    let corruption: Corruption = parse(&corruption)?;
    let severity = check_severity(severity)?;
    let index = index_of(&file)?;
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
    Ok(png_answer(png))
}
