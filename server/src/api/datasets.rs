//! `/datasets`: what is installed, samples of it, and fetching.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use engine::data::{self, SplitName};
use protocol::Dataset;
use protocol::api::{DatasetInfo, Sample};
use protocol::dataset::UnknownDataset;
use protocol::problem::ErrorCode;

use super::images::{index_of, png_answer};
use super::json::{PathParameters, QueryParameters};
use super::samples::encoded;
use super::{Answer, AppState, Refusal};
use crate::fetch::{Download, Sources};

/// Data sets, installed or not.
#[utoipa::path(get, path = "/datasets", responses((status = 200, body = Vec<DatasetInfo>)))]
pub(super) async fn list(State(state): State<AppState>) -> Answer<Vec<DatasetInfo>> {
    Ok(Json(state.catalogue.datasets().await?))
}

/// One data set.
#[utoipa::path(get, path = "/datasets/{id}", params(("id" = String, Path)), responses((status = 200, body = DatasetInfo)))]
pub(super) async fn one(
    State(state): State<AppState>,
    PathParameters(id): PathParameters<String>,
) -> Answer<DatasetInfo> {
    Ok(Json(state.catalogue.dataset(parse(&id)?).await?))
}

/// Which samples are asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SampleQuery {
    /// `train` or `test`.
    #[serde(default = "test_split")]
    #[param(pattern = "^(train|test)$")]
    split: String,
    /// Images of each class, 1 to 20.
    #[serde(default = "six")]
    #[param(minimum = 1, maximum = 20)]
    per_class: usize,
}

fn test_split() -> String {
    "test".into()
}

fn six() -> usize {
    6
}

/// The first images of each class.
#[utoipa::path(get, path = "/datasets/{id}/samples", params(("id" = String, Path), SampleQuery), responses((status = 200, body = Vec<Sample>)))]
pub(super) async fn samples(
    State(state): State<AppState>,
    PathParameters(id): PathParameters<String>,
    QueryParameters(query): QueryParameters<SampleQuery>,
) -> Answer<Vec<Sample>> {
    let dataset: Dataset = parse(&id)?;
    let split: SplitName = query.split.parse()?;
    if !(1..=20).contains(&query.per_class) {
        return Err(Refusal::parameter("per_class must be 1 to 20"));
    }
    let info = state.catalogue.dataset(dataset.clone()).await?;
    let classes = info.facts.map(|facts| facts.classes).unwrap_or_default();
    let directory = state.directory.datasets().to_owned();
    let images = tokio::task::spawn_blocking(move || {
        data::samples(&dataset, &directory, split, query.per_class)
    })
    .await??;
    let id = encoded(id);
    let samples = images.into_iter().map(|sample| Sample {
        index: sample.index as u32,
        label: sample.label,
        class: classes
            .get(sample.label as usize)
            .cloned()
            .unwrap_or_default(),
        url: format!("/api/v1/datasets/{id}/images/{split}/{}.png", sample.index),
    });
    Ok(Json(samples.collect()))
}

/// One image as PNG.
#[utoipa::path(
    get,
    path = "/datasets/{id}/images/{split}/{file}",
    params(("id" = String, Path), ("split" = String, Path, pattern = "^(train|test)$"), ("file" = String, Path, description = "`<index>.png`")),
    responses((status = 200, content_type = "image/png", body = Vec<u8>))
)]
pub(super) async fn image(
    State(state): State<AppState>,
    PathParameters((id, split, file)): PathParameters<(String, String, String)>,
) -> Result<impl IntoResponse, Refusal> {
    let dataset = parse(&id)?;
    let split: SplitName = split.parse()?;
    let index = index_of(&file)?;
    let directory = state.directory.datasets().to_owned();
    let png =
        tokio::task::spawn_blocking(move || data::image_png(&dataset, &directory, split, index))
            .await??;
    Ok(png_answer(png))
}

/// Starts to download a published data set, or with `-c` after its name the corrupted copy of its test
/// images; `GET /datasets/{id}` says how far it is.
#[utoipa::path(post, path = "/datasets/{id}/fetch", params(("id" = String, Path)), responses((status = 202, body = DatasetInfo)))]
pub(super) async fn fetch(
    State(state): State<AppState>,
    PathParameters(id): PathParameters<String>,
) -> Result<(StatusCode, Json<DatasetInfo>), Refusal> {
    let download: Download = parse(&id)?;
    if Sources::default().archive(&download).is_none() {
        return Err(Refusal::new(
            ErrorCode::NotFetchable,
            format!(
                "{download} cannot be downloaded; fetch cifar10, cifar10-c, tiny-imagenet or tiny-imagenet-c"
            ),
        ));
    }
    state.catalogue.fetch(download.clone());
    let (Download::Dataset(dataset) | Download::Corrupted(dataset)) = download;
    Ok((
        StatusCode::ACCEPTED,
        Json(state.catalogue.dataset(dataset).await?),
    ))
}

/// A data set, or a download of one, by its name.
pub(super) fn parse<T: FromStr<Err = UnknownDataset>>(id: &str) -> Result<T, Refusal> {
    id.parse()
        .map_err(|error: UnknownDataset| Refusal::not_found(error.to_string()))
}
