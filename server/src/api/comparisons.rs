//! `/compare`: any runs and experiments, grouped by their configuration and compared.

use axum::Json;
use axum::extract::State;
use protocol::comparison::{Comparison, Grouping};
use protocol::quantity::{Quantity, Scale};

use super::json::{QueryParameters, parse, parts};
use super::{Answer, AppState, Refusal};
use analysis::comparison::{Request, compare};
use analysis::table::Table;

/// What is compared, and how.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CompareQuery {
    /// Experiments whose runs are chosen, by number with commas between.
    #[serde(default)]
    experiments: String,
    /// Runs that are chosen besides, by number with commas between.
    #[serde(default)]
    runs: String,
    /// Which of them count: `field:value` with commas between, for example `network:resnet20,tag:good`. Values of
    /// one field are alternatives.
    #[serde(default)]
    filter: String,
    /// Fields in which the runs of a group agree, with commas between, for example `alpha,network`; all runs are
    /// one group when empty.
    group: Option<String>,
    /// Alternatively, all fields except these and tags; `seed` when neither is given.
    group_all_but: Option<String>,
    /// What is compared, with commas between, each as in `/experiments/{id}/scatter`; the first is tested.
    /// `selectivity` when empty.
    #[serde(default)]
    measure: String,
    /// `raw` or `share_of_clean`, for accuracies under perturbation.
    #[serde(default)]
    scale: Scale,
}

/// Groups of runs: means and intervals over seeds, how their configurations differ, tests of their differences.
#[utoipa::path(get, path = "/compare", params(CompareQuery), responses((status = 200, body = Comparison)))]
pub(super) async fn comparison(
    State(state): State<AppState>,
    QueryParameters(query): QueryParameters<CompareQuery>,
) -> Answer<Comparison> {
    let measures: Vec<Quantity> = parts(&query.measure).map(parse).collect::<Result<_, _>>()?;
    let request = Request {
        filter: parse(&query.filter)?,
        grouping: Grouping::from_names(query.group.as_deref(), query.group_all_but.as_deref())
            .map_err(Refusal::parameter)?,
        measures,
        scale: query.scale,
    };
    let (experiments, runs) = (
        numbers("experiments", &query.experiments)?,
        numbers("runs", &query.runs)?,
    );
    let (labels, runs) = state.store.chosen_runs(&experiments, &runs).await?;
    let mut numbers = Vec::new();
    for experiment in &labels {
        numbers.push(state.cache.numbers(&state.store, experiment.id).await?);
    }
    let comparison = tokio::task::spawn_blocking(move || {
        let table = Table::new(numbers.iter().flat_map(|experiment| experiment.iter()));
        compare(labels, &runs, &table, &request)
    })
    .await?;
    Ok(Json(comparison))
}

fn numbers(name: &str, list: &str) -> Result<Vec<i64>, Refusal> {
    parts(list)
        .map(|part| {
            part.parse().map_err(|_| {
                Refusal::parameter(format!("`{part}` in {name} is not a whole number"))
            })
        })
        .collect()
}
