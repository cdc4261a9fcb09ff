//! The perturbation bench: one image, changed, and what up to three trained networks make of it.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::base::digest::sha256;
use engine::perturbation_bench::{BenchPicture, BenchQuestion, BenchSource};
use protocol::Run;
use protocol::perturbation_bench::{BenchAnswer, ImageChange, MAXIMUM_NETWORKS};
use protocol::problem::ErrorCode;

use super::json::{QueryParameters, parse};
use super::{Answer, AppState, Refusal};
use crate::perturbation_bench::BenchError;

/// The networks, the image and its perturbation.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct BenchQuery {
    /// One to three trained runs of one data set, by number, with commas between.
    #[param(pattern = "^[0-9]+(,[0-9]+){0,2}$")]
    runs: String,
    /// The index of a test image, or the name of an uploaded image.
    #[serde(default = "zero")]
    #[param(pattern = "^([0-9]{1,9}|brought-[0-9a-f]{16})$")]
    image: String,
    /// What is done to it: `none`, a corruption and its severity (`fog:3`), or an attack (`fgsm:linf:2/255`,
    /// `pgd:linf:8/255:step=0.5/255:steps=40`).
    #[serde(default = "none")]
    #[param(
        pattern = "^(none|fgsm:linf:[1-9]/255|pgd:linf:[1-9]/255:step=0.5/255:steps=[1-9]|[a-z_]+:[1-5])$"
    )]
    change: String,
    /// The layer whose units are looked at; the last when absent.
    layer: Option<String>,
    /// The unit of it whose maps are shown; the one that moved most when absent.
    unit: Option<u32>,
}

fn zero() -> String {
    "0".into()
}

fn none() -> String {
    ImageChange::None.to_string()
}

/// What the networks make of the image, clean and changed. Computed at once, by a process that keeps the networks loaded.
#[utoipa::path(get, path = "/perturbation", params(BenchQuery), responses((status = 200, body = BenchAnswer)))]
pub(super) async fn answer(
    State(state): State<AppState>,
    QueryParameters(query): QueryParameters<BenchQuery>,
) -> Answer<BenchAnswer> {
    let runs: Vec<i64> = query
        .runs
        .split(',')
        .map(|run| {
            run.parse()
                .map_err(|_| Refusal::parameter("runs must be numbers separated by commas"))
        })
        .collect::<Result<_, _>>()?;
    if runs.len() > MAXIMUM_NETWORKS {
        return Err(Refusal::parameter(format!(
            "at most {MAXIMUM_NETWORKS} runs are allowed"
        )));
    }
    let change: ImageChange = parse(&query.change)?;
    let mut sources: Vec<(Run, BenchSource)> = Vec::new();
    for id in runs {
        let run = state.store.run(id).await?;
        let source = source(&state, &run)?;
        sources.push((run, source));
    }
    let dataset = sources[0].0.spec.dataset.clone();
    if let Some((other, _)) = sources.iter().find(|(run, _)| run.spec.dataset != dataset) {
        return Err(Refusal::parameter(format!(
            "the runs must have the same data set; run {} has {}, run {} has {dataset}",
            other.id, other.spec.dataset, sources[0].0.id
        )));
    }
    let picture = match query.image.parse() {
        Ok(index) => BenchPicture::Test(index),
        Err(_) => BenchPicture::File(state.bench.brought(&query.image).await.ok_or_else(|| {
            Refusal::not_found(format!(
                "no image is called `{}`: upload it again, or give the index of a test image",
                query.image
            ))
        })?),
    };
    let question = BenchQuestion {
        dataset,
        networks: sources.into_iter().map(|(_, source)| source).collect(),
        picture,
        change: change.to_string(),
        layer: query.layer,
        unit: query.unit,
    };
    Ok(Json(state.bench.ask(question).await?))
}

/// Where the network of a run is.
fn source(state: &AppState, run: &Run) -> Result<BenchSource, Refusal> {
    let weights = state.directory.weights(run.id);
    if run.result.is_none() {
        return Err(Refusal::not_found(format!(
            "run {} is not trained yet",
            run.id
        )));
    }
    if !weights.is_file() {
        return Err(Refusal::not_found(format!(
            "the weights of run {} are not here; an archive includes them if it was written with `--files weights`",
            run.id
        )));
    }
    let origin = run.spec.origin.as_ref();
    Ok(BenchSource {
        run_id: run.id,
        alpha: run.spec.alpha,
        seed: run.spec.seed,
        network: run.spec.network,
        weights,
        mean: origin.and_then(|origin| origin.mean),
        std: origin.and_then(|origin| origin.std),
    })
}

/// The largest image file that can be uploaded, in bytes.
const LARGEST_IMAGE: usize = 16 << 20;

/// An uploaded image.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct BroughtImage {
    /// Its name, for `image` of `GET /perturbation`.
    image: String,
}

/// Uploads an image: the body is a PNG or JPEG file. The last 8 are kept in memory until the server ends.
#[utoipa::path(
    post,
    path = "/perturbation/images",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = BroughtImage))
)]
pub(super) async fn bring(
    State(state): State<AppState>,
    body: Body,
) -> Result<(StatusCode, Json<BroughtImage>), Refusal> {
    let body = to_bytes(body, LARGEST_IMAGE).await.map_err(|error| {
        let detail = format!(
            "the image did not arrive completely or is larger than {} MiB: {error}",
            LARGEST_IMAGE >> 20
        );
        Refusal::new(ErrorCode::PayloadTooLarge, detail)
    })?;
    if image::guess_format(&body).is_err() {
        return Err(Refusal::new(
            ErrorCode::MalformedBody,
            "this is not an image; send a PNG or JPEG file",
        ));
    }
    let image = format!("brought-{}", &sha256(&body)[..16]);
    state
        .bench
        .bring(image.clone(), STANDARD.encode(&body))
        .await;
    Ok((StatusCode::CREATED, Json(BroughtImage { image })))
}

impl From<BenchError> for Refusal {
    fn from(error: BenchError) -> Self {
        let code = match error {
            BenchError::Refused(_) => ErrorCode::InvalidParameter,
            BenchError::Failed(_) => {
                tracing::error!(%error, "the perturbation bench failed");
                ErrorCode::Internal
            }
        };
        Refusal::new(code, error.to_string())
    }
}
