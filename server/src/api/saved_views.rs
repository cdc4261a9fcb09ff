//! `/views`: pages of the dashboard as somebody arranged them, by name.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::saved_view::{NewView, SavedView};

use super::json::{Body, Id};
use super::{Answer, AppState, Refusal};

/// Every saved view, in order of name.
#[utoipa::path(get, path = "/views", responses((status = 200, body = Vec<SavedView>)))]
pub(super) async fn list(State(state): State<AppState>) -> Answer<Vec<SavedView>> {
    Ok(Json(state.store.saved_views().await?))
}

/// Saves a view under a name that no other has.
#[utoipa::path(
    post,
    path = "/views",
    request_body = NewView,
    responses((status = 201, body = SavedView))
)]
pub(super) async fn create(
    State(state): State<AppState>,
    Body(view): Body<NewView>,
) -> Result<(StatusCode, Json<SavedView>), Refusal> {
    let view = view.trimmed();
    Refusal::if_any(view.validate())?;
    Ok((
        StatusCode::CREATED,
        Json(state.store.save_view(&view).await?),
    ))
}

/// Deletes a saved view; what it shows stays.
#[utoipa::path(delete, path = "/views/{id}", params(("id" = i64, Path)), responses((status = 204)))]
pub(super) async fn delete(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<StatusCode, Refusal> {
    state.store.delete_view(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
