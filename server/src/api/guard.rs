//! Who may ask: requests to our own name, from our own pages. Without this, any web page that a
//! person visits could launch or delete experiments on their machine (cross-site requests, DNS rebinding).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Refusal;

/// The values of `Host` that are us.
#[derive(Debug, Clone)]
pub struct AllowedHosts(Arc<Vec<String>>);

impl AllowedHosts {
    /// Loopback's names at `port`, and what the person who started the server added, with or without a port.
    pub fn new(port: u16, added: &[String]) -> Self {
        let mut hosts = Vec::new();
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            hosts.push(format!("{name}:{port}"));
            if port == 80 {
                hosts.push(name.to_owned());
            }
        }
        for name in added {
            hosts.push(name.to_lowercase());
            hosts.push(format!("{}:{port}", name.to_lowercase()));
        }
        AllowedHosts(Arc::new(hosts))
    }

    fn allows(&self, host: &str) -> bool {
        self.0
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

/// Refuses what is not for us or not from us, and puts the usual protection on every answer.
pub async fn guard(State(hosts): State<AllowedHosts>, request: Request, next: Next) -> Response {
    if let Err(refusal) = check(&hosts, &request) {
        return refusal.into_response();
    }
    let mut response = next.run(request).await;
    let protection = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
    ];
    for (name, value) in protection {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn check(hosts: &AllowedHosts, request: &Request) -> Result<(), Refusal> {
    let forbidden = |message: String| Refusal::new(StatusCode::FORBIDDEN, message);
    // What cannot be read is not ours.
    let text = |name| {
        request
            .headers()
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    let host = text(header::HOST)
        .or_else(|| {
            request
                .uri()
                .authority()
                .map(|authority| authority.as_str())
        })
        .unwrap_or_default();
    if !hosts.allows(host) {
        return Err(forbidden(format!(
            "this server is not called `{host}`; start it with --allow-host to give it that name"
        )));
    }
    if let Some(origin) = text(header::ORIGIN) {
        let ours = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
            .is_some_and(|origin| hosts.allows(origin));
        if !ours {
            return Err(forbidden(format!(
                "pages of `{origin}` may not use this server"
            )));
        }
    }
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    if !reads && site.is_some_and(|site| !["same-origin", "none"].contains(&site)) {
        return Err(forbidden(
            "pages of other sites may not use this server".into(),
        ));
    }
    Ok(())
}
