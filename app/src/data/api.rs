//! The app's only access to data: paths of the server's REST API.
//!
//! In the browser a path is fetched; while a page is rendered on the server, the server's own
//! router answers it in-process, through [`Backend`]. Pages therefore read the same anywhere.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;
use protocol::api::ApiError;
use protocol::problem::ErrorCode;
use serde::de::DeserializeOwned;

/// Root of the API.
pub const ROOT: &str = "/api/v1";

/// The answer of a [`Backend`]: HTTP status and body, or why there is none.
pub type Answer = Pin<Box<dyn Future<Output = Result<(u16, Vec<u8>), String>> + Send>>;

/// What answers the app's API requests while a page is rendered on the server.
pub trait Backend: Send + Sync {
    /// Answers `GET path`, for example `/api/v1/experiments?page=1`.
    fn get(&self, path: String) -> Answer;
}

/// The backend as the server puts it into Leptos' context.
pub type SharedBackend = Arc<dyn Backend>;

/// `GET` of a path below [`ROOT`], for example `/runs/3`. Works on the server and in the browser.
///
/// Not an `async fn`: the backend is looked up when this is called, while the page's context is
/// sure to be there.
pub fn get<T: DeserializeOwned>(
    path: &str,
) -> impl Future<Output = Result<T, ApiError>> + Send + use<T> {
    let answer = request(Method::Get, format!("{ROOT}{path}"), None);
    async move { read(answer.await) }
}

/// As [`get`], for a part of a page: an error does not set the status of the page.
pub fn get_part<T: DeserializeOwned>(
    path: &str,
) -> impl Future<Output = Result<T, ApiError>> + Send + use<T> {
    let answer = request_part(format!("{ROOT}{path}"));
    async move { read(answer.await) }
}

/// As [`get_part`], for data that may not exist: none where the server has none.
pub fn get_if_any<T: DeserializeOwned>(
    path: &str,
) -> impl Future<Output = Result<Option<T>, ApiError>> + Send + use<T> {
    let answer = request_part(format!("{ROOT}{path}"));
    async move { read_if_any(answer.await) }
}

/// A failure that no field has caused.
pub fn failure(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::Unknown, message)
}

/// The HTTP method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Create or command.
    Post,
    /// Change a part.
    Patch,
    /// Remove.
    Delete,
}

/// Sends a command below [`ROOT`] and reads its answer. Only the browser sends commands; on the
/// server the answer is an error.
pub fn send<T: DeserializeOwned>(
    method: Method,
    path: &str,
    body: Option<String>,
) -> impl Future<Output = Result<T, ApiError>> + Send + use<T> {
    let answer = request(method, format!("{ROOT}{path}"), body);
    async move { read(answer.await) }
}

/// A file that a person chose.
#[derive(Debug)]
pub struct Upload {
    /// Its name, without folders.
    pub name: String,
    #[cfg(all(feature = "hydrate", not(feature = "ssr")))]
    file: web_sys::File,
}

impl Upload {
    /// The file that is chosen in `input`; none on the server.
    #[cfg(all(feature = "hydrate", not(feature = "ssr")))]
    pub fn chosen(input: NodeRef<html::Input>) -> Option<Upload> {
        let file = input.get_untracked()?.files()?.get(0)?;
        Some(Upload {
            name: file.name(),
            file,
        })
    }

    /// The file that is chosen in `input`; none on the server.
    #[cfg(not(all(feature = "hydrate", not(feature = "ssr"))))]
    pub fn chosen(_input: NodeRef<html::Input>) -> Option<Upload> {
        None
    }
}

/// Sends a file as the body of `POST path` below [`ROOT`] and reads the answer. Only the browser does.
#[cfg(all(feature = "hydrate", not(feature = "ssr")))]
pub fn send_file<T: DeserializeOwned>(
    path: &str,
    upload: Upload,
) -> impl Future<Output = Result<T, ApiError>> + Send + use<T> {
    let request = gloo_net::http::RequestBuilder::new(&format!("{ROOT}{path}"))
        .method(gloo_net::http::Method::POST)
        .header("accept", "application/json")
        .header("content-type", "application/octet-stream")
        .body(upload.file);
    let answer = send_wrapper::SendWrapper::new(fetch(request));
    async move { read(answer.await) }
}

/// Sends a file as the body of `POST path` below [`ROOT`] and reads the answer. Only the browser does.
#[cfg(not(all(feature = "hydrate", not(feature = "ssr"))))]
pub fn send_file<T: DeserializeOwned>(
    _path: &str,
    _upload: Upload,
) -> impl Future<Output = Result<T, ApiError>> + Send + use<T> {
    async { Err(failure("only the browser sends files")) }
}

/// Turns status and body into the requested data, or into an error that a person can read.
fn read<T: DeserializeOwned>(answer: Result<(u16, Vec<u8>), String>) -> Result<T, ApiError> {
    let (status, body) = answer.map_err(failure)?;
    if (200..300).contains(&status) {
        // 204 has no body; `()` reads as null.
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        return serde_json::from_slice(body).map_err(|error| {
            failure(format!(
                "the server's answer could not be read ({error}); the page may be older than the server: reload it"
            ))
        });
    }
    Err(serde_json::from_slice(&body)
        .unwrap_or_else(|_| failure(format!("the server answered with status {status}"))))
}

/// As [`read`]; none where the status says that there is nothing.
fn read_if_any<T: DeserializeOwned>(
    answer: Result<(u16, Vec<u8>), String>,
) -> Result<Option<T>, ApiError> {
    match answer {
        Ok((404, _)) => Ok(None),
        answer => read(answer).map(Some),
    }
}

#[cfg(feature = "ssr")]
fn request(method: Method, path: String, _body: Option<String>) -> Answer {
    match (method, leptos::prelude::use_context::<SharedBackend>()) {
        (Method::Get, Some(backend)) => {
            let page = leptos::prelude::use_context::<leptos_axum::ResponseOptions>();
            let answer = backend.get(path);
            Box::pin(async move {
                let answer = answer.await;
                // A page about something missing or impossible takes its status from the answer.
                if let (Some(page), Ok((status @ 400.., _))) = (page, &answer)
                    && let Ok(status) = http::StatusCode::from_u16(*status)
                {
                    page.set_status(status);
                }
                answer
            })
        }
        (Method::Get, None) => {
            Box::pin(async { Err("no API was given to render pages with".to_owned()) })
        }
        _ => Box::pin(async { Err("only the browser sends commands".to_owned()) }),
    }
}

#[cfg(feature = "ssr")]
fn request_part(path: String) -> Answer {
    match leptos::prelude::use_context::<SharedBackend>() {
        Some(backend) => backend.get(path),
        None => request(Method::Get, path, None),
    }
}

#[cfg(not(feature = "ssr"))]
fn request_part(path: String) -> Answer {
    request(Method::Get, path, None)
}

#[cfg(all(feature = "hydrate", not(feature = "ssr")))]
fn request(method: Method, path: String, body: Option<String>) -> Answer {
    let request = gloo_net::http::RequestBuilder::new(&path)
        .method(match method {
            Method::Get => gloo_net::http::Method::GET,
            Method::Post => gloo_net::http::Method::POST,
            Method::Patch => gloo_net::http::Method::PATCH,
            Method::Delete => gloo_net::http::Method::DELETE,
        })
        .header("accept", "application/json");
    let request = match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(body),
        None => request.build(),
    };
    // The browser has one thread, so the future never leaves it.
    Box::pin(send_wrapper::SendWrapper::new(fetch(request)))
}

#[cfg(all(feature = "hydrate", not(feature = "ssr")))]
async fn fetch(
    request: Result<gloo_net::http::Request, gloo_net::Error>,
) -> Result<(u16, Vec<u8>), String> {
    let lost = |error: gloo_net::Error| format!("the server did not answer ({error})");
    let response = request.map_err(lost)?.send().await.map_err(lost)?;
    let body = response.binary().await.map_err(lost)?;
    Ok((response.status(), body))
}

#[cfg(not(any(feature = "ssr", feature = "hydrate")))]
fn request(_method: Method, _path: String, _body: Option<String>) -> Answer {
    Box::pin(async { Err("built without the features `ssr` and `hydrate`".to_owned()) })
}

/// `text` as one segment of a path: everything but letters, digits and `-._~` is percent-encoded.
pub fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a data set named `folder:mine` that leads to another path, or a search for
    /// `a&b` that ends at the ampersand.
    #[test]
    fn segments_are_percent_encoded() {
        assert_eq!(segment("folder:mine"), "folder%3Amine");
        assert_eq!(segment("a&b c/ü"), "a%26b%20c%2F%C3%BC");
    }

    /// Broken by: a refusal that loses its fields, or an unreadable one that passes for a success.
    #[test]
    fn refusals_keep_their_fields_and_are_never_successes() {
        let body = br#"{"code":"invalid_fields","detail":"no","fields":[{"field":"name","reason":"empty"}]}"#;
        let error = read::<u32>(Ok((422, body.to_vec()))).unwrap_err();
        assert_eq!((error.detail.as_str(), error.fields.len()), ("no", 1));
        assert!(read::<u32>(Ok((500, b"7".to_vec()))).is_err());
        assert!(read::<u32>(Err("gone".into())).is_err());
        assert_eq!(read::<u32>(Ok((200, b"7".to_vec()))), Ok(7));
        assert_eq!(read::<()>(Ok((204, Vec::new()))), Ok(()));
    }

    /// Broken by: a missing measurement shown as a failure, or the reverse.
    #[test]
    fn only_what_is_not_found_is_nothing() {
        let read = read_if_any::<u32>;
        assert_eq!(read(Ok((404, b"{}".to_vec()))), Ok(None));
        assert_eq!(read(Ok((200, b"7".to_vec()))), Ok(Some(7)));
        assert!(read(Ok((500, Vec::new()))).is_err());
        assert!(read(Err("gone".into())).is_err());
    }
}
