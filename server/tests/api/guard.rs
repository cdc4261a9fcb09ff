//! Who may ask: this machine and whoever has a token, from our own pages, under our own name.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode, header};
use axum::middleware::from_fn_with_state;
use protocol::api::Experiment;
use server::api::{Guard, guard};
use server::tokens::{Access, Tokens};

use crate::common::{Answer, Lab, small};

/// This machine, and another (RFC 5737 keeps such addresses for examples).
const HERE: &str = "127.0.0.1:50000";
const THERE: &str = "192.0.2.7:50000";

/// A lab behind the guard of a server on port 3000, as `serve` puts it together.
async fn guarded(added: &[String], tokens: bool) -> (Lab, Tokens) {
    let mut lab = Lab::open().await;
    let access_tokens = Tokens::load_or_make(lab.folder.path()).unwrap();
    let guarding = Guard::new(3000, added, tokens.then(|| access_tokens.clone()), false);
    let site = server::ssr::site(lab.router.clone(), lab.folder.path().to_owned());
    lab.router = site.layer(from_fn_with_state(guarding, guard));
    (lab, access_tokens)
}

async fn ask_from(
    lab: &Lab,
    peer: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let peer: SocketAddr = peer.parse().unwrap();
    let request = request.extension(ConnectInfo(peer)).body(Body::empty());
    let answer = lab.send(request.unwrap()).await;
    // Refusals too.
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers["x-frame-options"], "DENY");
    assert_eq!(answer.headers["referrer-policy"], "same-origin");
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    answer
}

async fn ask(lab: &Lab, method: Method, headers: &[(&str, &str)]) -> Answer {
    let path = if method == Method::POST {
        "/api/v1/resume"
    } else {
        "/api/v1/health"
    };
    ask_from(lab, HERE, method, path, headers).await
}

/// Broken by: answering under any name (DNS rebinding lets a web page read our answers then).
#[tokio::test]
async fn a_foreign_host_is_refused() {
    let (lab, _) = guarded(&["lab.example".into()], false).await;
    for host in [
        "evil.example",
        "evil.example:3000",
        "localhost.evil.example",
        "localhost:",
        "lab.example:3001",
        "127.0.0.1:3000.evil.example",
        "localhost:3000@evil.example",
        "",
    ] {
        let error = ask(&lab, Method::GET, &[("host", host)])
            .await
            .refusal(StatusCode::FORBIDDEN);
        assert!(error.detail.contains("--allow-host"), "{error:?}");
    }
    ask(&lab, Method::GET, &[])
        .await
        .refusal(StatusCode::FORBIDDEN);
    for host in [
        "localhost:3000",
        "localhost",
        // An SSH tunnel from another port: no web page is called so.
        "localhost:8080",
        "127.0.0.1:3000",
        "[::1]:3000",
        "LOCALHOST:3000",
        "lab.example",
        "lab.example:3000",
    ] {
        let answer = ask(&lab, Method::GET, &[("host", host)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{host}");
    }
}

/// Broken by: letting a page of another site launch, cancel or delete (no browser asks first for a simple POST).
#[tokio::test]
async fn a_foreign_origin_is_refused() {
    let (lab, _) = guarded(&[], false).await;
    let host = ("host", "localhost:3000");
    for origin in [
        "http://evil.example",
        "null",
        "http://localhost:3001",
        "http://localhost:3000.evil.example",
        "localhost:3000",
        "http://\u{e9}vil.example",
    ] {
        for method in [Method::GET, Method::POST] {
            ask(&lab, method, &[host, ("origin", origin)])
                .await
                .refusal(StatusCode::FORBIDDEN);
        }
    }
    for site in ["cross-site", "same-site"] {
        ask(&lab, Method::POST, &[host, ("sec-fetch-site", site)])
            .await
            .refusal(StatusCode::FORBIDDEN);
    }
    let own_page = [
        host,
        ("origin", "http://localhost:3000"),
        ("sec-fetch-site", "same-origin"),
    ];
    assert_eq!(
        ask(&lab, Method::POST, &own_page).await.status,
        StatusCode::ACCEPTED
    );
    // A link from elsewhere may lead here, and a program without a browser may ask.
    assert_eq!(
        ask(&lab, Method::GET, &[host, ("sec-fetch-site", "cross-site")])
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        ask(&lab, Method::POST, &[host]).await.status,
        StatusCode::ACCEPTED
    );
}

/// Breaks when whoever reaches the port may launch and delete, because they send a name of this server.
#[tokio::test]
async fn another_machine_needs_a_token() {
    for tokens in [false, true] {
        let (lab, access_tokens) = guarded(&["lab.example".into()], tokens).await;
        let (experiment, _) = lab_launch(&lab).await;
        let one = format!("/api/v1/experiments/{experiment}");
        let spoofed = [("host", "localhost:3000")];
        let named = [("host", "lab.example")];
        let wrong = [
            ("host", "lab.example"),
            ("authorization", "Bearer 0123456789abcdef0123456789abcdef"),
        ];
        for headers in [&spoofed[..], &named[..], &wrong[..]] {
            for (method, path) in [
                (Method::DELETE, one.as_str()),
                (Method::POST, "/api/v1/resume"),
                (Method::GET, "/api/v1/health"),
                (Method::GET, "/api/v1/nonsense"),
            ] {
                let answer = ask_from(&lab, THERE, method, path, headers).await;
                assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
                answer.refusal(StatusCode::UNAUTHORIZED);
            }
            let page = ask_from(&lab, THERE, Method::GET, "/", headers).await;
            assert_eq!(page.status, StatusCode::UNAUTHORIZED);
            assert!(
                page.text().starts_with("<!DOCTYPE html>"),
                "{}",
                page.text()
            );
        }
        // A proxy's connection comes from here, its requests do not.
        for forwarded in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
            let headers = [("host", "localhost:3000"), (forwarded, "203.0.113.9")];
            ask_from(&lab, HERE, Method::DELETE, &one, &headers)
                .await
                .refusal(StatusCode::UNAUTHORIZED);
        }
        let bearer = format!("Bearer {}", access_tokens.of(Access::Full));
        let headers = [
            ("host", "whatever.example"),
            ("authorization", bearer.as_str()),
        ];
        let answer = ask_from(&lab, THERE, Method::GET, &one, &headers).await;
        let expected = if tokens {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        };
        assert_eq!(answer.status, expected);
        if tokens {
            let answer = ask_from(&lab, THERE, Method::DELETE, &one, &headers).await;
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text());
            // A page of another site cannot use it either.
            let elsewhere = [headers[0], headers[1], ("origin", "http://evil.example")];
            ask_from(&lab, THERE, Method::POST, "/api/v1/resume", &elsewhere)
                .await
                .refusal(StatusCode::FORBIDDEN);
        }
    }
}

async fn lab_launch(lab: &Lab) -> (i64, Experiment) {
    let body = serde_json::to_vec(&small(&[0.0], 1)).unwrap();
    let request = Request::post("/api/v1/experiments")
        .header("content-type", "application/json")
        .header("host", "localhost:3000")
        .extension(ConnectInfo(HERE.parse::<SocketAddr>().unwrap()));
    let answer = lab.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let experiment: Experiment = answer.json();
    (experiment.id, experiment)
}

/// Breaks when a link with a token does not sign in, leaves the token in the address, signs in scripts of other sites, or
/// when the token for reading changes something.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_signs_in() {
    let (lab, tokens) = guarded(&[], true).await;
    for (access, changes) in [
        (Access::Full, StatusCode::ACCEPTED),
        (Access::ReadOnly, StatusCode::FORBIDDEN),
    ] {
        let link = format!("/devices?token={}", tokens.of(access));
        let host = ("host", "192.0.2.1:3000");
        let page = ask_from(&lab, THERE, Method::GET, &link, &[host]).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.text().contains("content=\"0;url=/devices\""),
            "{}",
            page.text()
        );
        assert_eq!(page.headers["cache-control"], "no-store");
        let cookie = page.headers["set-cookie"].to_str().unwrap().to_owned();
        for word in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(word), "{cookie}");
        }
        let cookie = format!("theme=dark; {}", cookie.split(';').next().unwrap());
        let headers = [host, ("cookie", cookie.as_str())];
        let read = ask_from(&lab, THERE, Method::GET, "/api/v1/health", &headers).await;
        assert_eq!(read.status, StatusCode::OK);
        let page = ask_from(&lab, THERE, Method::GET, "/", &headers).await;
        assert!(page.text().contains("Selectivity Lab") && page.status == StatusCode::OK);
        let changed = ask_from(&lab, THERE, Method::POST, "/api/v1/resume", &headers).await;
        assert_eq!(changed.status, changes, "{}", changed.text());
    }
    // No other server, and no markup, however the path is written.
    let link = format!("//evil.example/%22%3E<?token={}", tokens.of(Access::Full));
    let request = Request::get(link.replace('<', "%3C"))
        .header("host", "192.0.2.1:3000")
        .extension(ConnectInfo(THERE.parse::<SocketAddr>().unwrap()));
    let page = lab.send(request.body(Body::empty()).unwrap()).await;
    assert!(!page.text().contains("url=//"), "{}", page.text());
    let wrong = ask_from(&lab, THERE, Method::GET, "/?token=wrong", &[]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(!wrong.headers.contains_key("set-cookie"));
}

/// Breaks when the report's own policy is overwritten on its way to the browser.
#[tokio::test]
async fn the_reports_policy_reaches_the_browser() {
    let (lab, _) = guarded(&[], false).await;
    let (experiment, _) = lab_launch(&lab).await;
    let path = format!("/api/v1/experiments/{experiment}/report.html");
    let report = ask_from(
        &lab,
        HERE,
        Method::GET,
        &path,
        &[("host", "localhost:3000")],
    )
    .await;
    assert_eq!(report.status, StatusCode::OK);
    let policy = report.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
}

/// Breaks when an unknown path under `/api` is answered with a page.
#[tokio::test]
async fn nonsense_under_api_is_refused_as_a_problem() {
    let (lab, _) = guarded(&[], false).await;
    for path in ["/api/nonsense", "/api/", "/api/v2/runs", "/api/v1/nonsense"] {
        for method in [Method::GET, Method::POST] {
            let host = [("host", "localhost:3000")];
            ask_from(&lab, HERE, method, path, &host)
                .await
                .refusal(StatusCode::NOT_FOUND);
        }
    }
    let docs = ask_from(
        &lab,
        HERE,
        Method::GET,
        "/api/docs/",
        &[("host", "localhost")],
    )
    .await;
    assert_eq!(docs.status, StatusCode::OK);
}
