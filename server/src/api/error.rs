//! Every refusal, as a status and an [`ApiError`] body.

use axum::Json;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use engine::EngineError;
use engine::base::FileError;
use engine::data::{DataError, UnknownSplit};
use protocol::FieldError;
use protocol::api::ApiError;
use protocol::problem::{ErrorCode, Problem};

use crate::store::StoreError;

/// What a handler answers: JSON, or a refusal.
pub(super) type Answer<T> = Result<Json<T>, Refusal>;

/// The refusal of a request.
#[derive(Debug)]
pub struct Refusal(ApiError);

impl Refusal {
    /// A refusal with one sentence on what was wrong and what to do.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Refusal(ApiError::new(code, detail))
    }

    /// A spec that cannot be launched, with every field at fault.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let detail = match &fields[..] {
            [field] => format!("{}: {}", field.field, field.reason),
            fields => format!("{} fields need a different value", fields.len()),
        };
        Refusal(ApiError {
            fields,
            ..ApiError::new(ErrorCode::InvalidFields, detail)
        })
    }

    /// A spec that cannot be launched, with the one field at fault.
    pub fn field(field: &str, reason: impl Into<String>) -> Self {
        Refusal::fields(vec![FieldError::new(field, reason)])
    }

    /// Refuses where any field is at fault.
    pub fn if_any(fields: Vec<FieldError>) -> Result<(), Refusal> {
        match fields.is_empty() {
            true => Ok(()),
            false => Err(Refusal::fields(fields)),
        }
    }

    /// A parameter of the query, the path or a header that cannot be taken as it is.
    pub fn parameter(detail: impl ToString) -> Self {
        Refusal::new(ErrorCode::InvalidParameter, detail.to_string())
    }

    /// Something that is not there.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Refusal::new(ErrorCode::NotFound, detail)
    }
}

/// The media type of every refusal (RFC 9457).
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, PROBLEM_JSON)];
        (status, kind, Json(self.0)).into_response()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::NoExperiment(_)
            | StoreError::NoRun(_)
            | StoreError::NotDeleted(_)
            | StoreError::NoView(_) => ErrorCode::NotFound,
            StoreError::Active { .. } | StoreError::RunActive(_) => ErrorCode::RunsActive,
            StoreError::NotEvaluable(_) => ErrorCode::NotEvaluable,
            StoreError::Taken { .. } | StoreError::ViewExists(_) => ErrorCode::AlreadyThere,
            StoreError::KeyTaken(_) => ErrorCode::KeyReused,
            _ => {
                tracing::error!(%error, "a request failed");
                ErrorCode::StoreFailed
            }
        };
        Refusal::new(code, error.to_string())
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Refusal::new(ErrorCode::UnusableData, error.to_string())
    }
}

impl From<DataError> for Refusal {
    fn from(error: DataError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<UnknownSplit> for Refusal {
    fn from(error: UnknownSplit) -> Self {
        DataError::from(error).into()
    }
}

impl From<tokio::task::JoinError> for Refusal {
    fn from(error: tokio::task::JoinError) -> Self {
        tracing::error!(%error, "a request failed");
        Refusal::new(ErrorCode::Internal, "the server failed; its log says more")
    }
}

/// The table of problems: every code that a refusal may have, with its status.
#[utoipa::path(get, path = "/problems", responses((status = 200, body = Vec<Problem>)))]
pub(super) async fn problems() -> Json<Vec<Problem>> {
    Json(protocol::problem::problems())
}

/// No route under `/api` has this path.
pub(super) async fn no_route(uri: Uri) -> Refusal {
    Refusal::not_found(format!(
        "there is no {}; /api lists what exists",
        uri.path()
    ))
}

/// The route is there, but not for this method.
pub(super) async fn no_method(method: Method, uri: Uri) -> Refusal {
    Refusal::new(
        ErrorCode::MethodNotAllowed,
        format!(
            "{} does not accept {method}; /api lists what it accepts",
            uri.path()
        ),
    )
}
