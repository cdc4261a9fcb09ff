//! A run's files come whole, compressed or not, and in parts.

use std::io::Read;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};

use crate::common::{Answer, Lab, small};

/// A lab behind the whole site, as it is served: with compression.
async fn served() -> (Lab, i64) {
    let mut lab = Lab::open().await;
    let (_, runs) = lab.launch(&small(&[0.0], 1)).await;
    lab.wait_for_end(runs[0]).await;
    lab.router = server::ssr::site(lab.router.clone(), lab.folder.path().to_owned());
    (lab, runs[0])
}

async fn download(lab: &Lab, run: i64, name: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(format!("/api/v1/runs/{run}/artifacts/{name}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    lab.send(request.body(Body::empty()).unwrap()).await
}

fn decoded(answer: &Answer) -> Vec<u8> {
    let mut whole = Vec::new();
    let encoding = answer.headers.get(header::CONTENT_ENCODING);
    match encoding.map(|encoding| encoding.to_str().unwrap()) {
        None => whole.clone_from(&answer.body),
        Some("gzip") => {
            flate2::read::GzDecoder::new(&answer.body[..])
                .read_to_end(&mut whole)
                .unwrap();
        }
        Some("br") => {
            brotli::Decompressor::new(&answer.body[..], 4096)
                .read_to_end(&mut whole)
                .unwrap();
        }
        Some(other) => panic!("nobody asked for {other}"),
    }
    whole
}

/// Breaks when a compressed download ends before the file does, text is not compressed, or weights lose their length.
#[tokio::test]
async fn files_come_whole_however_they_are_encoded() {
    let (lab, run) = served().await;
    let folder = lab.state.directory.run(run);
    let log = "a line that repeats itself\n".repeat(20_000);
    std::fs::write(folder.join("worker.log"), &log).unwrap();
    for name in ["weights.safetensors", "result.json", "worker.log"] {
        let file = std::fs::read(folder.join(name)).unwrap();
        assert!(file.len() > 1000, "{name}");
        for encoding in ["identity", "gzip", "br", "gzip, deflate, br"] {
            let answer = download(&lab, run, name, &[("accept-encoding", encoding)]).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(decoded(&answer) == file, "{name} as {encoding} is another");
            let weights = name.ends_with(".safetensors");
            let compressed = answer.headers.contains_key(header::CONTENT_ENCODING);
            assert_eq!(
                compressed,
                !weights && encoding != "identity",
                "{name} as {encoding}"
            );
            if weights {
                assert_eq!(answer.headers["content-length"], file.len().to_string());
                assert_eq!(answer.headers["accept-ranges"], "bytes");
            }
            let disposition = answer.headers["content-disposition"].to_str().unwrap();
            assert_eq!(
                disposition,
                format!("attachment; filename=\"run-{run}-{name}\"")
            );
        }
    }
}

/// Breaks when a download that was cut off cannot go on, or goes on with other bytes.
#[tokio::test]
async fn a_part_of_a_file_is_that_part() {
    let (lab, run) = served().await;
    let file = std::fs::read(lab.state.directory.run(run).join("weights.safetensors")).unwrap();
    for encoding in ["identity", "gzip", "br"] {
        for (range, part) in [
            ("bytes=0-9".to_owned(), &file[..10]),
            (
                format!("bytes={}-", file.len() - 7),
                &file[file.len() - 7..],
            ),
            ("bytes=100-70099".to_owned(), &file[100..70_100]),
        ] {
            let headers = [("accept-encoding", encoding), ("range", range.as_str())];
            let answer = download(&lab, run, "weights.safetensors", &headers).await;
            assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
            assert!(answer.body == part, "{range} as {encoding} is another part");
        }
    }
    let beyond = format!("bytes={}-", file.len());
    let answer = download(&lab, run, "weights.safetensors", &[("range", &beyond)]).await;
    assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let missing = lab
        .ask(
            Method::GET,
            &format!("/runs/{run}/artifacts/corruptions/a/b.safetensors"),
        )
        .await;
    missing.refusal(StatusCode::NOT_FOUND);
}

/// Breaks when a name longer than any file's is the server's fault and not the asker's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_too_long_for_a_file_is_not_found() {
    let (lab, run) = served().await;
    for length in [251, 252, 253, 255, 256, 5000] {
        let long = "a".repeat(length);
        for path in [
            format!("/{long}"),
            format!("/pkg/{long}"),
            format!("/api/v1/runs/{run}/artifacts/{long}"),
            format!("/api/v1/runs/{run}/artifacts/dimensionality/{long}/x.safetensors"),
        ] {
            for encoding in ["identity", "gzip", "br"] {
                let request = Request::get(&path).header("accept-encoding", encoding);
                let answer = lab.send(request.body(Body::empty()).unwrap()).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{length}: {path:.40}");
            }
        }
    }
}
