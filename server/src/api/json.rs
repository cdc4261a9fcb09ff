//! Request bodies, queries and paths, refused with the field and the reason in an [`ApiError`] body.
//!
//! [`ApiError`]: protocol::api::ApiError

use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use futures::StreamExt;
use protocol::problem::ErrorCode;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::Refusal;
use crate::connections::BodyDeadline;

/// A refusal by axum, in our format.
fn rejected(status: StatusCode, detail: String) -> Refusal {
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::PayloadTooLarge,
        _ => ErrorCode::InvalidParameter,
    };
    Refusal::new(code, detail)
}

/// Parses a parameter from text.
pub(super) fn parse<T>(text: &str) -> Result<T, Refusal>
where
    T: FromStr,
    T::Err: ToString,
{
    text.parse().map_err(Refusal::parameter)
}

/// The same; `None` if the text is empty.
pub(super) fn parse_any<T>(text: &str) -> Result<Option<T>, Refusal>
where
    T: FromStr,
    T::Err: ToString,
{
    match text {
        "" => Ok(None),
        text => parse(text).map(Some),
    }
}

/// The parts of a list with commas between, without spaces around them; empty ones are left out.
pub(super) fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// The number of the first page.
pub(super) fn first_page() -> u32 {
    1
}

/// Checks the number of a page, and its size, which is 1 to `largest`.
pub(super) fn check_page(page: u32, page_size: u32, largest: u32) -> Result<(), Refusal> {
    match page > 0 && (1..=largest).contains(&page_size) {
        true => Ok(()),
        false => Err(Refusal::parameter(format!(
            "page must be 1 or more, and page_size 1 to {largest}"
        ))),
    }
}

/// Hands a file that is the body of a request to `write`, part after part as it arrives; `what` names it in a refusal.
pub(super) async fn receive(
    body: axum::body::Body,
    what: &str,
    mut write: impl FnMut(&[u8]) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| {
            Refusal::new(
                ErrorCode::MalformedBody,
                format!("the {what} did not arrive completely: {error}"),
            )
        })?;
        write(&part)?;
    }
    Ok(())
}

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/json"));
        if !json {
            return Err(Refusal::new(
                ErrorCode::UnsupportedMediaType,
                "send JSON, with the header content-type: application/json",
            ));
        }
        let deadline = request.extensions().get::<BodyDeadline>().copied();
        let body = bytes::Bytes::from_request(request, state);
        let body = match deadline {
            Some(BodyDeadline(at)) => tokio::time::timeout_at(at, body).await.map_err(|_| {
                Refusal::new(
                    ErrorCode::RequestTimeout,
                    "the body did not arrive in time; send it without delay",
                )
            })?,
            None => body.await,
        };
        let bytes =
            body.map_err(|rejection| rejected(rejection.status(), rejection.body_text()))?;
        // serde would accept a list of values as an object's fields in order.
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            return Err(Refusal::new(
                ErrorCode::InvalidFields,
                "the body is a list; send an object with the fields by name",
            ));
        }
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            let error = error.into_inner();
            match error.classify() {
                Category::Data => wrong_value(&path, error.to_string()),
                _ => Refusal::new(
                    ErrorCode::MalformedBody,
                    format!("this is not JSON: {error}"),
                ),
            }
        })?;
        reader.end().map_err(|error| {
            Refusal::new(
                ErrorCode::MalformedBody,
                format!("there is more after the JSON: {error}"),
            )
        })?;
        Ok(Body(value))
    }
}

/// A value of the wrong kind at `path` (`.` for the whole body). Where a field is missing, serde's path
/// ends at the object that lacks it and its message names the field; a person looks for the field.
fn wrong_value(path: &str, reason: String) -> Refusal {
    let missing = reason
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'));
    let field = match (path, missing) {
        (".", None) => {
            return Refusal::new(ErrorCode::InvalidFields, format!("the body: {reason}"));
        }
        (".", Some((field, _))) => field.to_owned(),
        (path, Some((field, _))) => format!("{path}.{field}"),
        (path, None) => path.to_owned(),
    };
    Refusal::field(&field, reason)
}

/// The query of a request.
pub(super) struct QueryParameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Query::<T>::from_request_parts(parts, state)
            .await
            .map(|Query(query)| QueryParameters(query))
            .map_err(|rejection| rejected(rejection.status(), rejection.body_text()))
    }
}

/// Names in the path.
pub(super) struct PathParameters<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Path::<T>::from_request_parts(parts, state)
            .await
            .map(|Path(names)| PathParameters(names))
            .map_err(|rejection| rejected(rejection.status(), rejection.body_text()))
    }
}

/// The number of an experiment or a run in the path.
pub(super) struct Id(pub(super) i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Path::<i64>::from_request_parts(parts, state)
            .await
            .map(|Path(id)| Id(id))
            .map_err(|_| Refusal::not_found("the path needs a whole number here"))
    }
}
