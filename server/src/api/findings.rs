//! `GET /experiments/{id}/findings`: what an experiment says about the claims of Leavitt & Morcos (2020).

use axum::Json;
use axum::extract::State;
use protocol::finding::{Findings, window_of};

use super::json::{Id, QueryParameters};
use super::{Answer, AppState, Refusal};

/// Which networks count.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WindowQuery {
    /// How far, in points, a run's clean accuracy may be from its seed's control (alpha 0) for the run to count: 0 to 100, where
    /// 100 leaves no run out; 10 when absent.
    #[serde(default)]
    #[param(value_type = Option<f64>, minimum = 0, maximum = 100)]
    window: Option<String>,
}

/// The window that a query asks for.
pub(super) fn window(text: Option<&str>) -> Result<f64, Refusal> {
    if text == Some("") {
        return Err(Refusal::field("window", "give a number, or leave it out"));
    }
    window_of(text).map_err(|refused| Refusal::fields(vec![refused]))
}

/// What an experiment says about each of the claims C1 to C8 of Leavitt & Morcos (2020): a verdict, one sentence, the
/// estimates behind it, the rule, and what would decide where nothing does. Seeds are the replicates.
#[utoipa::path(get, path = "/experiments/{id}/findings", params(("id" = i64, Path), WindowQuery), responses((status = 200, body = Findings)))]
pub(super) async fn findings(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<WindowQuery>,
) -> Answer<Findings> {
    let window = window(query.window.as_deref())?;
    Ok(Json(state.cache.findings(&state.store, id, window).await?))
}
