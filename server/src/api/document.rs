//! The OpenAPI document, and the page that renders it. The page's files come from the
//! `utoipa-swagger-ui` crate itself: nothing is loaded from elsewhere.

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

use super::AppState;

/// `GET /api/v1/openapi.json`, and the page that `/api` leads to.
pub(super) fn routes(document: OpenApi) -> Router<AppState> {
    let page: Router<AppState> = SwaggerUi::new("/api/docs")
        .url("/api/v1/openapi.json", document)
        .into();
    page.route("/api", get(|| async { Redirect::temporary("/api/docs/") }))
}
