//! Answers computed from an experiment's measurements carry the measurements' version (`ETag`): a client that has the answer
//! already gets 304, and nothing is computed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use std::time::SystemTime;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::problem::ErrorCode;
use utoipa::openapi::{OpenApi, RefOr, ResponseBuilder};

use super::json::Id;
use super::{AppState, Refusal};

/// The time stamp of this program's file: another build may compute other numbers from the same measurements.
static PROGRAM: LazyLock<Option<SystemTime>> = LazyLock::new(|| {
    let program = std::env::current_exe().ok()?;
    program.metadata().ok()?.modified().ok()
});

/// Lets `If-None-Match` decide whether the answer is needed.
pub(super) async fn versioned(
    State(state): State<AppState>,
    Id(id): Id,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(next.run(request).await);
    }
    // Read before the answer is computed: a measurement in between makes it old, not wrong.
    let tag = tag(&state, id).await?;
    let known = is_known(request.headers(), &tag);
    let mut answer = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => next.run(request).await,
    };
    if known || answer.status() == StatusCode::OK {
        let headers = answer.headers_mut();
        headers.insert(header::ETAG, tag);
        // Kept by the browser, and asked about each time.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    Ok(answer)
}

/// Identifies the measurements, their experiment and this program. The launch time tells the experiment from one of the same
/// number, with as many events, in another store behind the same address. Weak: compression changes the bytes.
async fn tag(state: &AppState, experiment: i64) -> Result<HeaderValue, Refusal> {
    let described = state.store.experiment(experiment).await?;
    let version = state.store.findings_version(experiment).await?;
    let mut hasher = DefaultHasher::new();
    let experiment = (described.created_at, described.spec.name);
    (version, experiment, *PROGRAM).hash(&mut hasher);
    let text = format!("W/\"{:016x}\"", hasher.finish());
    HeaderValue::try_from(text)
        .map_err(|error| Refusal::new(ErrorCode::Internal, error.to_string()))
}

/// Documents the 304 answer for every operation of `document`.
pub(super) fn describe(document: &mut OpenApi) {
    let items = document.paths.paths.values_mut();
    for operation in items.filter_map(|item| item.get.as_mut()) {
        let answer = ResponseBuilder::new().description(
            "what `If-None-Match` names (the `ETag` of an earlier answer) is still so",
        );
        let responses = &mut operation.responses.responses;
        responses.insert("304".to_owned(), RefOr::T(answer.build()));
    }
}

fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter();
    tags.filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .any(|known| known.trim() == "*" || known.trim().as_bytes() == tag.as_bytes())
}
