//! The figures of the claims of Leavitt & Morcos (2020).

use axum::Json;
use axum::extract::State;
use protocol::claim_figure::ClaimFigures;
use protocol::finding::Claim;

use super::json::{Id, QueryParameters};
use super::{Answer, AppState, Refusal};

/// The claims whose figures are requested.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FiguresQuery {
    /// `C1` to `C8`; all claims' when absent.
    #[serde(default)]
    #[param(pattern = "^(C[1-8])?$")]
    claim: String,
    /// Which runs count, as in `/experiments/{id}/findings`.
    #[serde(default)]
    #[param(value_type = Option<f64>, minimum = 0, maximum = 100)]
    window: Option<String>,
}

/// The figures of Leavitt & Morcos (2020) for a claim, or for all, rebuilt from an experiment's runs.
#[utoipa::path(get, path = "/experiments/{id}/claim-figures", params(("id" = i64, Path), FiguresQuery), responses((status = 200, body = Vec<ClaimFigures>)))]
pub(super) async fn figures(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<FiguresQuery>,
) -> Answer<Vec<ClaimFigures>> {
    let claims = match query.claim.as_str() {
        "" => Claim::ALL.to_vec(),
        text => {
            let known = Claim::from_id(text);
            vec![known.ok_or_else(|| {
                Refusal::parameter(format!("`{text}` is not a claim; choose one of C1 to C8"))
            })?]
        }
    };
    let window = super::findings::window(query.window.as_deref())?;
    let runs = state.store.runs(id).await?;
    let numbers = state.cache.numbers(&state.store, id).await?;
    let figures = tokio::task::spawn_blocking(move || {
        analysis::claims::figures(&runs, &numbers, &claims, window)
    })
    .await?;
    Ok(Json(figures))
}
