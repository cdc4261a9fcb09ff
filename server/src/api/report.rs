//! An experiment's report, to look at or to keep.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse};

use super::json::{Id, QueryParameters};
use super::{AppState, Refusal};
use crate::report::{self, ReportError};

/// Options of the report.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportQuery {
    /// Whether to send it as a file to save, not as a page.
    #[serde(default)]
    download: bool,
    /// Which runs count, as in `/experiments/{id}/findings`.
    #[serde(default)]
    #[param(value_type = Option<f64>, minimum = 0, maximum = 100)]
    window: Option<String>,
}

impl From<ReportError> for Refusal {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::Task(error) => error.into(),
        }
    }
}

/// An experiment's report: one HTML file with text, figures, tables, configuration, versions and seeds, that needs no
/// server and no network.
#[utoipa::path(get, path = "/experiments/{id}/report.html", params(("id" = i64, Path), ReportQuery), responses((status = 200, content_type = "text/html", body = String)))]
pub(super) async fn report(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<ReportQuery>,
) -> Result<impl IntoResponse, Refusal> {
    let window = super::findings::window(query.window.as_deref())?;
    let text = report::report(&state.store, id, window).await?;
    let mut headers = HeaderMap::new();
    if query.download {
        let disposition = format!("attachment; filename=\"experiment-{id}-report.html\"");
        if let Ok(disposition) = HeaderValue::try_from(disposition) {
            headers.insert(header::CONTENT_DISPOSITION, disposition);
        }
    }
    // The report needs no scripts and fetches nothing; this makes the browser enforce it, whatever a name contains.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
    );
    Ok((headers, Html(text)))
}
