//! Every refusal, as a status and an [`ApiError`] body.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use engine::EngineError;
use engine::data::DataError;
use protocol::FieldError;
use protocol::api::ApiError;

use crate::store::StoreError;

/// A request that is not answered as asked.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: ApiError,
}

impl Refusal {
    /// A refusal with one sentence on what was wrong and what to do.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal {
            status,
            error: ApiError {
                message: message.into(),
                fields: Vec::new(),
            },
        }
    }

    /// A spec that cannot be launched, with every field at fault.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let message = match &fields[..] {
            [field] => format!("{}: {}", field.field, field.reason),
            fields => format!("{} fields need another value", fields.len()),
        };
        Refusal {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            error: ApiError { message, fields },
        }
    }

    /// Something that is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.error)).into_response()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::NoExperiment(_) | StoreError::NoRun(_) => StatusCode::NOT_FOUND,
            StoreError::Active { .. } | StoreError::NotEvaluable(_) | StoreError::Taken { .. } => {
                StatusCode::CONFLICT
            }
            _ => {
                tracing::error!(%error, "a request failed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Refusal::new(status, error.to_string())
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

impl From<DataError> for Refusal {
    fn from(error: DataError) -> Self {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

impl From<tokio::task::JoinError> for Refusal {
    fn from(error: tokio::task::JoinError) -> Self {
        tracing::error!(%error, "a request failed");
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed at this; its log says more",
        )
    }
}

/// No route under `/api` has this path.
pub(super) async fn no_route(uri: Uri) -> Refusal {
    Refusal::not_found(format!(
        "there is no {}; /api lists what there is",
        uri.path()
    ))
}

/// The route is there, but not for this method.
pub(super) async fn no_method(method: Method, uri: Uri) -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!(
            "{} does not take {method}; /api lists what it takes",
            uri.path()
        ),
    )
}
