//! Why a request is refused: problem details as RFC 9457 has them, with a code that stays.

use serde::{Deserialize, Serialize};

use crate::field_error::FieldError;

/// What was wrong with a request. A code keeps its meaning and its status for good; programs tell refusals apart by it,
/// people read the `detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A part of the path or of the query.
    InvalidParameter,
    /// The body cannot be read.
    MalformedBody,
    /// No token, or none of this server.
    Unauthorized,
    /// The server has no such name.
    ForeignHost,
    /// A page of another site asks.
    ForeignOrigin,
    /// The token allows reading alone.
    ReadOnly,
    /// Nothing is there.
    NotFound,
    /// Not with this method.
    MethodNotAllowed,
    /// The body did not come.
    RequestTimeout,
    /// Runs are queued or running.
    RunsActive,
    /// The run's state does not allow it.
    NotResumable,
    /// The run is not trained, or at work.
    NotEvaluable,
    /// The data set cannot be downloaded.
    NotFetchable,
    /// The data set is not the one that was measured on.
    DataChanged,
    /// The same is here already.
    AlreadyThere,
    /// The corrupted images do not match the clean ones.
    UnpairedImages,
    /// The body is too long.
    PayloadTooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// Fields of the body need another value.
    InvalidFields,
    /// The `Idempotency-Key` was sent before with another body.
    KeyReused,
    /// What is asked for cannot be made of the files that there are.
    UnusableData,
    /// The archive is not what was written, or a newer version wrote it.
    UnusableArchive,
    /// The store failed.
    StoreFailed,
    /// The server failed.
    Internal,
    /// No code that this version knows. Never sent.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// Every code that is sent, in order of status.
    pub const ALL: [ErrorCode; 24] = [
        ErrorCode::InvalidParameter,
        ErrorCode::MalformedBody,
        ErrorCode::Unauthorized,
        ErrorCode::ForeignHost,
        ErrorCode::ForeignOrigin,
        ErrorCode::ReadOnly,
        ErrorCode::NotFound,
        ErrorCode::MethodNotAllowed,
        ErrorCode::RequestTimeout,
        ErrorCode::RunsActive,
        ErrorCode::NotResumable,
        ErrorCode::NotEvaluable,
        ErrorCode::NotFetchable,
        ErrorCode::DataChanged,
        ErrorCode::AlreadyThere,
        ErrorCode::UnpairedImages,
        ErrorCode::PayloadTooLarge,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::InvalidFields,
        ErrorCode::KeyReused,
        ErrorCode::UnusableData,
        ErrorCode::UnusableArchive,
        ErrorCode::StoreFailed,
        ErrorCode::Internal,
    ];

    /// The table: the code as it is sent, its HTTP status, and what it says, always in the same words.
    fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            ErrorCode::InvalidParameter => (
                "invalid_parameter",
                400,
                "Part of the address needs a different value",
            ),
            ErrorCode::MalformedBody => ("malformed_body", 400, "The body is not JSON"),
            ErrorCode::Unauthorized => ("unauthorized", 401, "A token is needed"),
            ErrorCode::ForeignHost => ("foreign_host", 403, "The server does not go by this name"),
            ErrorCode::ForeignOrigin => (
                "foreign_origin",
                403,
                "Pages from other sites may not use this server",
            ),
            ErrorCode::ReadOnly => ("read_only", 403, "This token is read-only"),
            ErrorCode::NotFound => ("not_found", 404, "This does not exist"),
            ErrorCode::MethodNotAllowed => (
                "method_not_allowed",
                405,
                "This address does not accept this method",
            ),
            ErrorCode::RequestTimeout => {
                ("request_timeout", 408, "The body did not arrive in time")
            }
            ErrorCode::RunsActive => ("runs_active", 409, "Runs are queued or running"),
            ErrorCode::NotResumable => ("not_resumable", 409, "The run cannot be resumed"),
            ErrorCode::NotEvaluable => ("not_evaluable", 409, "The run cannot be evaluated now"),
            ErrorCode::NotFetchable => ("not_fetchable", 409, "The data set cannot be downloaded"),
            ErrorCode::DataChanged => (
                "data_changed",
                409,
                "The data set has changed since the run began",
            ),
            ErrorCode::AlreadyThere => ("already_there", 409, "This is already here"),
            ErrorCode::UnpairedImages => (
                "unpaired_images",
                409,
                "The corrupted images do not match the clean ones",
            ),
            ErrorCode::PayloadTooLarge => ("payload_too_large", 413, "The body is too long"),
            ErrorCode::UnsupportedMediaType => {
                ("unsupported_media_type", 415, "The body must be JSON")
            }
            ErrorCode::InvalidFields => ("invalid_fields", 422, "Fields need a different value"),
            ErrorCode::KeyReused => (
                "key_reused",
                422,
                "The Idempotency-Key was sent before with a different body",
            ),
            ErrorCode::UnusableData => (
                "unusable_data",
                422,
                "This cannot be made from the existing files",
            ),
            ErrorCode::UnusableArchive => {
                ("unusable_archive", 422, "The archive cannot be imported")
            }
            ErrorCode::StoreFailed => ("store_failed", 500, "The store failed"),
            ErrorCode::Internal => ("internal", 500, "The server failed"),
            ErrorCode::Unknown => ("unknown", 500, "The server did not answer as expected"),
        }
    }

    /// The code as it is sent, for example `not_found`.
    pub fn id(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status it is sent with.
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// What it says, in the same words every time.
    pub fn title(self) -> &'static str {
        self.row().2
    }
}

/// Every refusal, as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[error("{detail}")]
pub struct ApiError {
    /// Which problem it is, as an address: `/api/v1/problems#<code>`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What the code says, in the same words every time.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// The code.
    pub code: ErrorCode,
    /// What was wrong this time and what to do, in a sentence.
    pub detail: String,
    /// The fields at fault; empty where no single field is.
    #[serde(default)]
    pub fields: Vec<FieldError>,
}

impl ApiError {
    /// A problem without a field at fault.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        ApiError {
            kind: format!("/api/v1/problems#{}", code.id()),
            title: code.title().into(),
            status: code.status(),
            code,
            detail: detail.into(),
            fields: Vec::new(),
        }
    }
}

/// One row of the table of problems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The code.
    pub code: ErrorCode,
    /// The HTTP status it is sent with.
    pub status: u16,
    /// What it says.
    pub title: String,
}

/// The table of problems, in order of status.
pub fn problems() -> Vec<Problem> {
    let row = |code: ErrorCode| Problem {
        code,
        status: code.status(),
        title: code.title().into(),
    };
    ErrorCode::ALL.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a code is sent under another name than the table has, a code is not in the table, or a page that is
    /// older than the server cannot read a refusal.
    #[test]
    fn codes_are_sent_as_the_table_has_them() {
        for code in ErrorCode::ALL {
            let sent = serde_json::to_value(code).unwrap();
            assert_eq!(sent, code.id());
            assert_eq!(serde_json::from_value::<ErrorCode>(sent).unwrap(), code);
            assert!((400..600).contains(&code.status()));
        }
        let statuses: Vec<u16> = problems().iter().map(|problem| problem.status).collect();
        assert!(statuses.is_sorted());
        let newer = r#"{"code":"too_many_connections","detail":"later"}"#;
        let read: ApiError = serde_json::from_str(newer).unwrap();
        assert_eq!(
            (read.code, read.detail.as_str()),
            (ErrorCode::Unknown, "later")
        );
    }
}
