//! Who may ask: this machine, and whoever has a token; from our own pages, and under our own name. Without this, any web
//! page that a person visits could launch or delete experiments on their machine (cross-site requests, DNS rebinding), and so
//! could everyone else on the network.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use protocol::problem::ErrorCode;

use super::Refusal;
use crate::tokens::{Access, Tokens};

/// Names of this machine to itself; a tunnel may give them another port.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Headers that a proxy adds: the request does not come from this machine, although its connection does.
const FORWARDED: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
    "via",
];

/// Whom the server answers.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    /// Names, with and without the port, that the person who started the server added.
    added: Vec<String>,
    /// `None` if only this machine is answered.
    tokens: Option<Tokens>,
    /// The cookie's name: browsers keep one jar for all ports of a host.
    cookie: String,
    /// Whether the cookie is sent over TLS only.
    secure: bool,
}

impl Guard {
    /// A guard of the server on `port`, which is also reached under the names `added`. Without `tokens` only this machine
    /// is answered. With `secure` the sign-in cookie is sent over TLS only.
    pub fn new(port: u16, added: &[String], tokens: Option<Tokens>, secure: bool) -> Self {
        let mut names = Vec::new();
        for name in added {
            names.push(name.to_lowercase());
            names.push(format!("{}:{port}", name.to_lowercase()));
        }
        Guard(Arc::new(Rules {
            added: names,
            tokens,
            cookie: format!("selectivity-lab-{port}"),
            secure,
        }))
    }
}

impl Rules {
    /// Whether `host`, as a `Host` header or within an `Origin`, is a name of this server.
    fn is_ours(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()) => {
                name
            }
            _ => host,
        };
        LOOPBACK_NAMES
            .iter()
            .any(|loopback| loopback.eq_ignore_ascii_case(name))
            || self
                .added
                .iter()
                .any(|added| added.eq_ignore_ascii_case(host))
    }

    /// What the request's token allows: a token in the address, in the header `Authorization`, or in the cookie.
    fn access(&self, request: &Request) -> Option<Access> {
        let tokens = self.tokens.as_ref()?;
        let token = token_in_query(request)
            .or_else(|| bearer(request.headers()))
            .or_else(|| cookie(request.headers(), &self.cookie))?;
        tokens.access(token)
    }
}

/// Refuses requests for other hosts, from other sites or without the token that they need, and adds the usual protection to every
/// answer.
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match admit(&guard.0, &request) {
        Ok(None) => next.run(request).await,
        Ok(Some(signed_in)) => signed_in,
        Err(refused) => refused,
    };
    let protection = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
    ];
    for (name, value) in protection {
        // An answer with a policy of its own, as the report's, keeps it.
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Lets a request through, or answers it: a link that signs in, or a refusal.
#[expect(
    clippy::result_large_err,
    reason = "a refusal is the whole answer, made once a request"
)]
fn admit(rules: &Rules, request: &Request) -> Result<Option<Response>, Response> {
    let forbidden = |code: ErrorCode, detail: String| Refusal::new(code, detail).into_response();
    let headers = request.headers();
    let host = text(headers, header::HOST)
        .or_else(|| {
            request
                .uri()
                .authority()
                .map(|authority| authority.as_str())
        })
        .unwrap_or_default();
    let access = if is_local(request) {
        if !rules.is_ours(host) {
            return Err(forbidden(
                ErrorCode::ForeignHost,
                format!(
                    "this server does not go by the name `{host}`; start it with --allow-host to allow that name"
                ),
            ));
        }
        Access::Full
    } else {
        rules
            .access(request)
            .ok_or_else(|| unauthorized(rules, request))?
    };
    if let Some(origin) = text(headers, header::ORIGIN) {
        let site = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        // Our own pages send the host name that they were loaded from; behind a proxy, an added name.
        let own_page = site.is_some_and(|site| {
            site.eq_ignore_ascii_case(host)
                || rules
                    .added
                    .iter()
                    .any(|added| added.eq_ignore_ascii_case(site))
        });
        if !own_page {
            return Err(forbidden(
                ErrorCode::ForeignOrigin,
                format!("pages from `{origin}` may not use this server"),
            ));
        }
    }
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let site = text(headers, HeaderName::from_static("sec-fetch-site"));
    if !reads && site.is_some_and(|site| !["same-origin", "none"].contains(&site)) {
        return Err(forbidden(
            ErrorCode::ForeignOrigin,
            "pages from other sites may not use this server".into(),
        ));
    }
    if !reads && access == Access::ReadOnly {
        return Err(forbidden(
            ErrorCode::ReadOnly,
            "this token is read-only; open the other link that the server printed".into(),
        ));
    }
    let page = !request.uri().path().starts_with("/api/");
    Ok((reads && page).then(|| sign_in(rules, request)).flatten())
}

/// Whether the request comes from this machine, and not through a proxy on it.
fn is_local(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
        && !FORWARDED
            .iter()
            .any(|name| request.headers().contains_key(*name))
}

/// A header's text; `?`, which matches nothing, if it cannot be read.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn token_in_query(request: &Request) -> Option<&str> {
    request
        .uri()
        .query()?
        .split('&')
        .find_map(|part| part.strip_prefix("token="))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Answers a link with a token: sets the token as a cookie and leads on to the page without it. Not a redirect: one that
/// began on another site would not carry a `SameSite=Strict` cookie.
fn sign_in(rules: &Rules, request: &Request) -> Option<Response> {
    let token = token_in_query(request)?;
    rules.tokens.as_ref()?.access(token)?;
    let cookie = format!(
        "{}={token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict{}",
        rules.cookie,
        if rules.secure { "; Secure" } else { "" }
    );
    // No `//`: that would be another server.
    let path = format!("/{}", request.uri().path().trim_start_matches('/'));
    let page = document(
        "Signed in",
        &format!(
            "<meta http-equiv=\"refresh\" content=\"0;url={}\">",
            escaped(&path)
        ),
        "<p>Signed in.</p>",
    );
    let mut response = page.into_response();
    let headers = response.headers_mut();
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// Tells a visitor without a token where to find one.
fn unauthorized(rules: &Rules, request: &Request) -> Response {
    let what_to_do = match rules.tokens {
        Some(_) => {
            "open the link with a token that the server printed when it started, or send the token as `Authorization: Bearer`"
        }
        None => {
            "this server only answers its own machine; to reach it from another machine or through a proxy, start it with --host or --allow-host, which creates a token"
        }
    };
    let mut response = if request.uri().path().starts_with("/api/") {
        Refusal::new(ErrorCode::Unauthorized, what_to_do).into_response()
    } else {
        let form = "<form method=\"get\" action=\"/\"><label>Token <input type=\"password\" name=\"token\" autocomplete=\"off\" required></label> <button>Sign in</button></form>";
        let form = if rules.tokens.is_some() { form } else { "" };
        let body = format!(
            "<h1>A token is needed</h1><p>{}</p>{form}",
            escaped(what_to_do)
        );
        let mut response = document("A token is needed", "", &body).into_response();
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    };
    let scheme = HeaderValue::from_static("Bearer realm=\"Selectivity Lab\"");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, scheme);
    response
}

/// A page that needs no other file from the server.
fn document(title: &str, head: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title} · Selectivity Lab</title>{head}</head>\
         <body style=\"font-family: system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem\">{body}</body></html>"
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
