//! Who may ask: only our own pages, under our own name.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::middleware::from_fn_with_state;
use server::api::{AllowedHosts, guard};

use crate::common::{Answer, Lab};

/// A lab behind the guard of a server on port 3000, as `serve` puts it together.
async fn guarded(added: &[String]) -> Lab {
    let mut lab = Lab::open().await;
    lab.router = lab
        .router
        .clone()
        .layer(from_fn_with_state(AllowedHosts::new(3000, added), guard));
    lab
}

async fn ask(lab: &Lab, method: Method, headers: &[(&str, &str)]) -> Answer {
    let path = if method == Method::POST {
        "/api/v1/resume"
    } else {
        "/api/v1/health"
    };
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    lab.send(request.body(Body::empty()).unwrap()).await
}

/// Broken by: answering under any name (DNS rebinding lets a web page read our answers then).
#[tokio::test]
async fn a_foreign_host_is_refused() {
    let lab = guarded(&["lab.example".into()]).await;
    for host in [
        "evil.example",
        "localhost",
        "localhost:3001",
        "127.0.0.1:3000.evil.example",
        "localhost:3000@evil.example",
        "",
    ] {
        let error = ask(&lab, Method::GET, &[("host", host)])
            .await
            .refusal(StatusCode::FORBIDDEN);
        assert!(error.message.contains("--allow-host"), "{error:?}");
    }
    ask(&lab, Method::GET, &[])
        .await
        .refusal(StatusCode::FORBIDDEN);
    for host in [
        "localhost:3000",
        "127.0.0.1:3000",
        "[::1]:3000",
        "LOCALHOST:3000",
        "lab.example",
        "lab.example:3000",
    ] {
        let answer = ask(&lab, Method::GET, &[("host", host)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{host}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["x-frame-options"], "DENY");
    }
}

/// Broken by: letting a page of another site launch, cancel or delete (no browser asks first for a simple POST).
#[tokio::test]
async fn a_foreign_origin_is_refused() {
    let lab = guarded(&[]).await;
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
    let ours = [
        host,
        ("origin", "http://localhost:3000"),
        ("sec-fetch-site", "same-origin"),
    ];
    assert_eq!(ask(&lab, Method::POST, &ours).await.status, StatusCode::OK);
    // A link from elsewhere may lead here, and a program without a browser may ask.
    assert_eq!(
        ask(&lab, Method::GET, &[host, ("sec-fetch-site", "cross-site")])
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        ask(&lab, Method::POST, &[host]).await.status,
        StatusCode::OK
    );
}
