//! Connections that say nothing, say it slowly, or do not listen, come to an end.

use std::net::SocketAddr;
use std::time::Duration;

use server::connections::{Limits, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{Lab, PATIENCE};

/// A lab that is listening, with little time for anything that a test does not name.
async fn listening(limits: Limits) -> (Lab, SocketAddr) {
    let lab = Lab::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(
        listener,
        None,
        lab.router.clone(),
        limits,
        std::future::pending(),
    ));
    (lab, address)
}

fn short() -> Limits {
    Limits {
        head: Duration::from_millis(200),
        body: Duration::from_millis(200),
        write: Duration::from_millis(200),
        peer: 8,
    }
}

const PATIENT: Limits = Limits {
    head: PATIENCE,
    body: PATIENCE,
    write: PATIENCE,
    peer: 8,
};

/// What the server sends until it closes the connection, which it must.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // Closed with our bytes unread, a connection is reset.
    let _ = read.expect("the connection stays open");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn connect_and_send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

const HEALTH: &str = "GET /api/v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Breaks when a peer that says nothing, half a request, or nothing after an answer keeps its connection.
#[tokio::test]
async fn who_says_nothing_is_closed() {
    let limits = Limits {
        head: short().head,
        ..PATIENT
    };
    let (_lab, address) = listening(limits).await;
    for text in [
        "",
        "GET /api/v1/hea",
        "GET /api/v1/health HTTP/1.1\r\nhost: loc",
    ] {
        let answer = until_closed(&mut connect_and_send(address, text).await).await;
        assert!(!answer.contains("200 OK"), "{text:?}: {answer}");
    }
    let answer = until_closed(&mut connect_and_send(address, HEALTH).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

/// Breaks when a body that does not come keeps its connection, or is refused as something else.
#[tokio::test]
async fn a_body_that_does_not_come_is_refused() {
    let limits = Limits {
        body: short().body,
        ..PATIENT
    };
    let (_lab, address) = listening(limits).await;
    let head = "POST /api/v1/experiments HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let answer = until_closed(&mut connect_and_send(address, head).await).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// Breaks when a peer that takes nothing of a long answer keeps its connection for good.
#[tokio::test]
async fn who_takes_nothing_is_closed() {
    let limits = Limits {
        write: short().write,
        peer: 1,
        ..PATIENT
    };
    let (lab, address) = listening(limits).await;
    let (_, runs) = lab.launch(&crate::common::small(&[0.0], 1)).await;
    let run = runs[0];
    lab.wait_for_end(run).await;
    let weights = lab.state.directory.run(run).join("weights.safetensors");
    std::fs::write(weights, vec![7; 64 << 20]).unwrap();
    let request = format!(
        "GET /api/v1/runs/{run}/artifacts/weights.safetensors HTTP/1.1\r\nhost: localhost\r\n\r\n"
    );
    let mut stream = connect_and_send(address, &request).await;
    // The answer is the file, which no buffer between the two holds whole.
    let mut status = [0; 15];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200 OK");
    // Its place is free again although nothing more was read.
    let start = std::time::Instant::now();
    loop {
        let answer = until_answered(&mut connect_and_send(address, HEALTH).await).await;
        if answer.starts_with("HTTP/1.1 200 OK") {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(stream);
}

async fn until_answered(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 1 << 16];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await;
    let count = read.expect("no answer").unwrap_or(0);
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

/// Breaks when one address can take every connection, or a connection that ended still counts.
#[tokio::test]
async fn one_address_holds_so_many_connections_and_no_more() {
    let (_lab, address) = listening(PATIENT).await;
    let mut held = Vec::new();
    for _ in 0..PATIENT.peer {
        let mut stream = connect_and_send(address, HEALTH).await;
        assert!(
            until_answered(&mut stream)
                .await
                .starts_with("HTTP/1.1 200 OK")
        );
        held.push(stream);
    }
    let refused = until_closed(&mut connect_and_send(address, HEALTH).await).await;
    // The refusal may be lost where the request was on its way.
    assert!(
        refused.is_empty() || refused.starts_with("HTTP/1.1 503 "),
        "{refused}"
    );
    held.pop();
    let start = std::time::Instant::now();
    while !until_answered(&mut connect_and_send(address, HEALTH).await)
        .await
        .starts_with("HTTP/1.1 200 OK")
    {
        assert!(start.elapsed() < PATIENCE, "a place stays taken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Breaks when an event stream, on which the listener says nothing for long, is taken for an idle connection.
#[tokio::test]
async fn an_event_stream_stays_open() {
    let (lab, address) = listening(short()).await;
    let mut stream = connect_and_send(
        address,
        "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n",
    )
    .await;
    assert!(
        until_answered(&mut stream)
            .await
            .starts_with("HTTP/1.1 200 OK")
    );
    tokio::time::sleep(short().head * 5).await;
    let (_, runs) = lab.launch(&crate::common::small(&[0.0], 1)).await;
    let mut heard = String::new();
    while !heard.contains("\"finished\"") {
        let more = until_answered(&mut stream).await;
        assert!(!more.is_empty(), "closed after {heard}");
        heard.push_str(&more);
    }
    lab.wait_for_end(runs[0]).await;
}

/// Breaks when a connection is not encrypted although a certificate was named, or an unencrypted one is answered; also when the
/// sign-in cookie could be sent in the clear.
#[tokio::test]
async fn with_a_certificate_only_tls_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let generated = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, generated.cert.pem()).unwrap();
    std::fs::write(&key, generated.signing_key.serialize_pem()).unwrap();
    // Wrong files are named.
    let swapped = server::tls::acceptor(&key, &certificate).err().unwrap();
    assert!(swapped.to_string().contains("key.pem"), "{swapped}");

    let tls = server::tls::acceptor(&certificate, &key).unwrap();
    let lab = Lab::open().await;
    let tokens = server::tokens::Tokens::load_or_make(folder.path()).unwrap();
    let link = format!("/?token={}", tokens.of(server::tokens::Access::Full));
    let guarding = server::api::Guard::new(0, &[], Some(tokens), true);
    let layer = axum::middleware::from_fn_with_state(guarding, server::api::guard);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = lab.router.clone().layer(layer);
    tokio::spawn(serve(
        listener,
        Some(tls),
        site,
        PATIENT,
        std::future::pending(),
    ));

    let root = ureq::tls::Certificate::from_der(generated.cert.der());
    let get = move |path: String| {
        let root = root.to_owned();
        tokio::task::spawn_blocking(move || {
            let roots = ureq::tls::RootCerts::new_with_certs(&[root]);
            let tls = ureq::tls::TlsConfig::builder().root_certs(roots).build();
            let agent = ureq::Agent::config_builder().tls_config(tls).build();
            let agent = ureq::Agent::from(agent);
            agent
                .get(format!("https://localhost:{}{path}", address.port()))
                .call()
        })
    };
    let health = get("/api/v1/health".into()).await.unwrap().unwrap();
    assert_eq!(health.status(), 200);
    let signed_in = get(link).await.unwrap().unwrap();
    let cookie = signed_in.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    let mut plain = connect_and_send(address, HEALTH).await;
    let answer = until_closed(&mut plain).await;
    assert!(!answer.contains("200 OK"), "{answer}");
}
