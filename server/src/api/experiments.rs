//! `/experiments`: create, list, read, cancel, resume, delete; and what their runs measured together.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use protocol::annotation::Annotation;
use protocol::api::{
    AlphaSummary, Change, Experiment, ExperimentPage, ExperimentSummary, Mean, RunMetrics,
};
use protocol::training_curve::{CurveQuantity, TrainingCurves};
use protocol::{ExperimentSpec, MoreRuns, Run, RunResult, RunState};

use super::epochs::EpochsQuery;
use super::json::{Body, Id, QueryParameters, check_page, first_page};
use super::{Answer, AppState, Refusal, annotations, estimates};
use crate::estimate::{is_measured, remaining};
use crate::store::ExperimentQuery;
use analysis::training_curves::training_curves;
use analysis::{INTERVAL_METHOD, mean};
use protocol::work::share_of_all_done;

/// Which experiments are asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Part of the name, the notes, the network, the data set or a tag of the experiment or of a run.
    #[serde(default)]
    search: String,
    /// Only experiments with a run in this state.
    #[serde(default)]
    #[param(pattern = "^(queued|running|interrupted|cancelled|failed|diverged|finished)?$")]
    state: String,
    /// Page, from 1.
    #[serde(default = "first_page")]
    #[param(value_type = i64, minimum = 1, maximum = 4294967295_u32)]
    page: u32,
    /// Experiments a page, 1 to 200.
    #[serde(default = "usual_page_size")]
    #[param(minimum = 1, maximum = 200)]
    page_size: u32,
}

/// The default number of experiments or runs per page.
pub(super) fn usual_page_size() -> u32 {
    50
}

/// A page of experiments, newest first.
#[utoipa::path(get, path = "/experiments", params(ListQuery), responses((status = 200, body = ExperimentPage)))]
pub(super) async fn list(
    State(state): State<AppState>,
    QueryParameters(query): QueryParameters<ListQuery>,
) -> Answer<ExperimentPage> {
    let run_state = match query.state.as_str() {
        "" => None,
        id => Some(RunState::from_id(id).ok_or_else(|| {
            let known: Vec<_> = RunState::ALL.into_iter().map(RunState::id).collect();
            Refusal::parameter(format!(
                "no state is called `{id}`; choose one of {}",
                known.join(", ")
            ))
        })?),
    };
    check_page(query.page, query.page_size, 200)?;
    let query = ExperimentQuery {
        search: query.search,
        state: run_state,
        page: query.page,
        page_size: query.page_size,
    };
    let mut page = state.store.experiments(&query).await?;
    for experiment in &mut page.experiments {
        stand(&state, experiment).await?;
        if !experiment.is_active() {
            let (id, scheduler) = (experiment.id, state.scheduler.clone());
            let tell = move || scheduler.tell_change(id, Vec::new(), Change::FindingsMade);
            experiment.verdicts = state.cache.verdicts(&state.store, id, tell).await?;
        }
    }
    Ok(Json(page))
}

/// The header with a launch's unique key.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Creates an experiment and queues its runs. Nothing is created when anything is wrong. A program that got no answer can
/// repeat the request with the same `Idempotency-Key`, and gets the existing experiment.
#[utoipa::path(
    post,
    path = "/experiments",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable characters of ASCII, another for each launch", min_length = 1, max_length = 255)),
    request_body = ExperimentSpec,
    responses((status = 201, body = Experiment, headers(("Location" = String, description = "where the experiment is"))))
)]
pub(super) async fn create(
    State(state): State<AppState>,
    headers: HeaderMap,
    Body(mut spec): Body<ExperimentSpec>,
) -> Result<impl IntoResponse, Refusal> {
    let key = headers.get(IDEMPOTENCY_KEY).map(|key| {
        let key = key.to_str().ok();
        key.filter(|key| (1..=255).contains(&key.len()))
            .ok_or_else(|| {
                Refusal::parameter("Idempotency-Key must be 1 to 255 printable characters of ASCII")
            })
    });
    let key = key.transpose()?;
    estimates::check(&state, &spec).await?;
    // One name per device, so that its slots are counted once.
    spec.device = state.catalogue.device_id(spec.device).await;
    let id = state.store.create_experiment_once(&spec, key).await?;
    state
        .scheduler
        .tell_change(id, Vec::new(), Change::ExperimentCreated);
    state.scheduler.wake();
    let location = [(header::LOCATION, format!("/api/v1/experiments/{id}"))];
    let experiment = load(&state, id).await?;
    Ok((StatusCode::CREATED, location, Json(experiment)))
}

/// One experiment.
#[utoipa::path(get, path = "/experiments/{id}", params(("id" = i64, Path)), responses((status = 200, body = Experiment)))]
pub(super) async fn read(State(state): State<AppState>, Id(id): Id) -> Answer<Experiment> {
    Ok(Json(load(&state, id).await?))
}

/// An experiment with its progress and remaining time.
async fn load(state: &AppState, id: i64) -> Result<Experiment, Refusal> {
    let mut experiment = state.store.experiment(id).await?;
    stand(state, &mut experiment).await?;
    Ok(experiment)
}

/// Fills in how much of an experiment is done and how long the rest will take: the same in the list, on its page and for
/// programs.
async fn stand(state: &AppState, experiment: &mut Experiment) -> Result<(), Refusal> {
    experiment.remaining_seconds = None;
    if experiment.state() == RunState::Finished {
        // The common case of a long list: its runs need not be read.
        experiment.progress = 1.0;
        return Ok(());
    }
    let runs = state.store.runs(experiment.id).await?.into_iter();
    let runs: Vec<Run> = runs.map(|run| state.scheduler.with_progress(run)).collect();
    experiment.progress = share_of_all_done(&runs);
    if !runs.iter().any(|run| run.state.is_active()) {
        return Ok(());
    }
    let spec = &experiment.spec;
    let mut whole = None;
    if !is_measured(&runs)
        && let Some(facts) = state.catalogue.dataset(spec.dataset.clone()).await?.facts
    {
        // The estimate that the form showed before the launch. Runs are at work: no speed is measured now.
        let slots = state.scheduler.slots(&spec.device);
        let estimate = state
            .estimator
            .estimate(&state.store, spec, &facts, slots, false)
            .await?;
        whole = estimate
            .seconds
            .map(|seconds| seconds / f64::from(estimate.runs.max(1)));
    }
    experiment.remaining_seconds = remaining(&runs, whole);
    Ok(())
}

/// Changes tags and notes; what is absent stays.
#[utoipa::path(
    patch,
    path = "/experiments/{id}",
    params(("id" = i64, Path)),
    request_body = Annotation,
    responses((status = 200, body = Experiment))
)]
pub(super) async fn annotate(
    State(state): State<AppState>,
    Id(id): Id,
    Body(annotation): Body<Annotation>,
) -> Answer<Experiment> {
    let annotation = annotations::checked(annotation)?;
    state.store.annotate_experiment(id, &annotation).await?;
    state
        .scheduler
        .tell_change(id, Vec::new(), Change::ExperimentAnnotated);
    Ok(Json(load(&state, id).await?))
}

/// Deletes an experiment with all that it measured; refused while a run is queued or running. For ten minutes `/restore`
/// brings it back; then it is gone for good, with its files.
#[utoipa::path(delete, path = "/experiments/{id}", params(("id" = i64, Path)), responses((status = 204)))]
pub(super) async fn delete(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<StatusCode, Refusal> {
    let runs = state.store.delete_experiment(id).await?;
    state
        .scheduler
        .tell_change(id, runs, Change::ExperimentDeleted);
    Ok(StatusCode::NO_CONTENT)
}

/// Brings back an experiment that was deleted less than ten minutes ago, with everything that it had.
#[utoipa::path(post, path = "/experiments/{id}/restore", params(("id" = i64, Path)), responses((status = 200, body = Experiment)))]
pub(super) async fn restore(State(state): State<AppState>, Id(id): Id) -> Answer<Experiment> {
    let runs = state.store.undelete(id).await?;
    state
        .scheduler
        .tell_change(id, runs, Change::ExperimentRestored);
    Ok(Json(load(&state, id).await?))
}

/// Cancels every queued and running run; what they measured is kept.
#[utoipa::path(post, path = "/experiments/{id}/cancel", params(("id" = i64, Path)), responses((status = 200, body = Experiment)))]
pub(super) async fn cancel(State(state): State<AppState>, Id(id): Id) -> Answer<Experiment> {
    state.scheduler.cancel_experiment(id).await?;
    Ok(Json(load(&state, id).await?))
}

/// Queues every interrupted, cancelled or failed run again; each goes on from its checkpoint.
#[utoipa::path(post, path = "/experiments/{id}/resume", params(("id" = i64, Path)), responses((status = 202, body = Experiment)))]
pub(super) async fn resume(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<(StatusCode, Json<Experiment>), Refusal> {
    let mut runs = Vec::new();
    for run_state in RunState::ALL
        .into_iter()
        .filter(|run_state| run_state.is_resumable())
    {
        runs.extend(state.store.run_ids(run_state, Some(id)).await?);
    }
    runs.sort_unstable();
    let requeued = state.store.requeue(&runs).await?;
    state.scheduler.queued(requeued);
    Ok((StatusCode::ACCEPTED, Json(load(&state, id).await?)))
}

/// How many runs were queued again.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Resumed {
    /// Runs that were interrupted and are queued now.
    resumed: usize,
}

/// Queues every interrupted run of every experiment again.
#[utoipa::path(post, path = "/resume", responses((status = 202, body = Resumed)))]
pub(super) async fn resume_all(
    State(state): State<AppState>,
) -> Result<(StatusCode, Json<Resumed>), Refusal> {
    let interrupted = state.store.run_ids(RunState::Interrupted, None).await?;
    let requeued = state.store.requeue(&interrupted).await?;
    let resumed = requeued.values().map(Vec::len).sum();
    state.scheduler.queued(requeued);
    Ok((StatusCode::ACCEPTED, Json(Resumed { resumed })))
}

/// What is told of each run.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RunsQuery {
    /// Whether values by layer are told (two thirds of an answer); true when absent. Without them `started.layers`,
    /// `latest_epoch.layer_selectivity` and `result.layers` are empty.
    #[serde(default = "yes")]
    layers: bool,
}

fn yes() -> bool {
    true
}

/// The runs of an experiment, without per-unit values.
#[utoipa::path(get, path = "/experiments/{id}/runs", params(("id" = i64, Path), RunsQuery), responses((status = 200, body = Vec<Run>)))]
pub(super) async fn runs(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<RunsQuery>,
) -> Answer<Vec<Run>> {
    let runs = state.store.runs(id).await?.into_iter();
    let runs = runs.map(|run| match query.layers {
        true => state.scheduler.with_progress(run),
        false => state.scheduler.with_progress(run).without_layers(),
    });
    Ok(Json(runs.collect()))
}

/// Adds alphas and seeds to an experiment and queues the new runs: a new alpha gets every seed, a new seed every alpha. They are
/// trained and tested as the others were, and on what was requested later for all of them. Nothing is added when anything is wrong.
#[utoipa::path(
    post,
    path = "/experiments/{id}/runs",
    params(("id" = i64, Path)),
    request_body = MoreRuns,
    responses((status = 201, body = Experiment))
)]
pub(super) async fn add_runs(
    State(state): State<AppState>,
    Id(id): Id,
    Body(more): Body<MoreRuns>,
) -> Result<(StatusCode, Json<Experiment>), Refusal> {
    let spec = state.store.experiment(id).await?.spec;
    let whole = spec.with_more(&more);
    if whole == spec {
        let reason = "the experiment has all of these: give another alpha or another seed";
        return Err(Refusal::field("seeds", reason));
    }
    estimates::check(&state, &whole).await?;
    let added = state.store.add_runs(id, &more).await?;
    state.scheduler.queued(BTreeMap::from([(id, added)]));
    Ok((StatusCode::CREATED, Json(load(&state, id).await?)))
}

/// The epochs of every run.
#[utoipa::path(get, path = "/experiments/{id}/metrics", params(("id" = i64, Path), EpochsQuery), responses((status = 200, body = Vec<RunMetrics>)))]
pub(super) async fn metrics(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<EpochsQuery>,
) -> Answer<Vec<RunMetrics>> {
    let epochs = query.epochs()?;
    Ok(Json(state.store.experiment_metrics(id, epochs).await?))
}

/// What is shown over the epochs.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CurvesQuery {
    /// The quantity; selectivity when absent.
    #[serde(default)]
    quantity: CurveQuantity,
}

/// One quantity over the epochs: means over the seeds of each alpha, and each run where there are at most 50. Of more than 400
/// epochs some are left out.
#[utoipa::path(get, path = "/experiments/{id}/training-curves", params(("id" = i64, Path), CurvesQuery), responses((status = 200, body = TrainingCurves)))]
pub(super) async fn curves(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<CurvesQuery>,
) -> Answer<TrainingCurves> {
    let (runs, every) = state.store.curves(id, query.quantity).await?;
    Ok(Json(training_curves(query.quantity, runs, every)))
}

/// The finished runs, aggregated over seeds for every alpha.
#[utoipa::path(get, path = "/experiments/{id}/summary", params(("id" = i64, Path)), responses((status = 200, body = ExperimentSummary)))]
pub(super) async fn summary(
    State(state): State<AppState>,
    Id(id): Id,
) -> Answer<ExperimentSummary> {
    Ok(Json(summarise(&state.store.runs(id).await?)))
}

/// Means over the seeds of each alpha, with their intervals.
pub(crate) fn summarise(runs: &[Run]) -> ExperimentSummary {
    let finished: Vec<(f64, &RunResult)> = runs
        .iter()
        .filter_map(|run| Some((run.spec.alpha, run.result.as_ref()?)))
        .collect();
    let mut alphas: Vec<f64> = finished.iter().map(|&(alpha, _)| alpha).collect();
    alphas.sort_by(f64::total_cmp);
    alphas.dedup();
    let layers = finished.first().map_or(Vec::new(), |(_, result)| {
        result
            .layers
            .iter()
            .map(|layer| layer.name.clone())
            .collect()
    });
    let mean_at = |alpha: f64, value: &dyn Fn(&RunResult) -> f64| -> Option<Mean> {
        let values: Vec<f64> = finished
            .iter()
            .filter(|&&(run_alpha, _)| run_alpha == alpha)
            .map(|(_, result)| value(result))
            .collect();
        mean(&values)
    };
    ExperimentSummary {
        alphas: alphas
            .into_iter()
            .filter_map(|alpha| {
                Some(AlphaSummary {
                    alpha,
                    selectivity: mean_at(alpha, &|result| result.selectivity)?,
                    test_accuracy: mean_at(alpha, &|result| result.test_accuracy)?,
                    layer_selectivity: (0..layers.len())
                        .filter_map(|layer| mean_at(alpha, &|result| result.layers[layer].mean))
                        .collect(),
                })
            })
            .collect(),
        layers,
        interval_method: INTERVAL_METHOD.into(),
    }
}
