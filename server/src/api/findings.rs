//! `GET /experiments/{id}/findings`: what an experiment says about the source's claims.

use axum::Json;
use axum::extract::State;
use protocol::finding::Findings;

use super::json::Id;
use super::{AppState, Refusal};

/// What an experiment says about each of the source's claims C1 to C8: a verdict with its rule, the tests behind it, and
/// what would decide where nothing does. Seeds are the replicates.
#[utoipa::path(get, path = "/experiments/{id}/findings", params(("id" = i64, Path)), responses((status = 200, body = Findings), (status = 404, body = protocol::api::ApiError)))]
pub(super) async fn findings(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<Json<Findings>, Refusal> {
    Ok(Json(state.kept.findings(&state.store, id).await?))
}
