//! One archive over HTTP into its `.part` file, going on where an earlier try stopped.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, StatusCode, header};

use super::{FetchError, FetchStep, Job};
use crate::directory::remove_file;

/// Bytes received at a time.
const CHUNK: usize = 1 << 16;

/// How often cancellation is looked for while nothing arrives.
const PATIENCE: Duration = Duration::from_millis(100);

/// A server that sends nothing for so long is taken for dead.
const STALLED_AFTER: Duration = Duration::from_secs(60);

/// What the receiving thread says.
enum Message {
    Head(StatusCode, Box<HeaderMap>),
    Chunk(Vec<u8>),
    End,
    Failed(String),
}

/// The result of one request.
enum Outcome {
    Complete,
    /// The part on disk cannot be continued: begin anew.
    StartOver,
}

/// Downloads what is missing of the archive.
pub(super) fn download(job: &mut Job, part: &mut File) -> Result<(), FetchError> {
    if let Outcome::StartOver = request(job, part)? {
        truncate(job, part)?;
        if let Outcome::StartOver = request(job, part)? {
            return Err(network(
                job,
                part,
                "the server refuses to send the file from its start",
            ));
        }
    }
    Ok(())
}

fn network(job: &Job, part: &File, problem: impl Into<String>) -> FetchError {
    FetchError::Network {
        url: job.archive.url.clone(),
        problem: problem.into(),
        received: part.metadata().map_or(0, |metadata| metadata.len()),
    }
}

fn truncate(job: &Job, part: &mut File) -> Result<(), FetchError> {
    let truncated = part.set_len(0).and_then(|()| part.rewind());
    truncated.map_err(|source| FetchError::file(&job.hidden("part"), source))
}

/// Asks for what is missing once.
fn request(job: &mut Job, part: &mut File) -> Result<Outcome, FetchError> {
    let path = job.hidden("part");
    let unwritable = |source| FetchError::file(&path, source);
    let have = part.seek(SeekFrom::End(0)).map_err(unwritable)?;
    // Where nothing is known of the earlier file, the checksum decides in the end.
    let validator = fs::read_to_string(job.hidden("validator")).ok();

    let (sender, receiver) = sync_channel(4);
    let url = job.archive.url.clone();
    // A thread of its own, since a blocked read cannot be cancelled. It ends when the receiver is
    // dropped, or when the connection is.
    std::thread::spawn(move || receive(&url, have, validator.as_deref(), &sender));

    let Message::Head(status, headers) = next(job, part, &receiver)? else {
        return Err(network(job, part, "the server sent no answer"));
    };
    let (mut bytes, total) = match status {
        StatusCode::OK => {
            // The whole file: at the first try, or because the server ignores ranges, or because
            // the file is no longer the one that was begun.
            truncate(job, part)?;
            remember_validator(job, &headers)?;
            (0, number(&headers, header::CONTENT_LENGTH))
        }
        StatusCode::PARTIAL_CONTENT => match content_range(&headers) {
            Some((Some(start), total)) if start == have => (have, total),
            _ => return Ok(Outcome::StartOver),
        },
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
            return Ok(match content_range(&headers) {
                Some((None, Some(total))) if total == have => Outcome::Complete,
                _ => Outcome::StartOver,
            });
        }
        status => {
            return Err(FetchError::Status {
                url: job.archive.url.clone(),
                status: status.as_u16(),
            });
        }
    };
    job.report(FetchStep::Downloading, bytes, total);
    loop {
        match next(job, part, &receiver)? {
            Message::Chunk(chunk) => {
                part.write_all(&chunk).map_err(unwritable)?;
                bytes += chunk.len() as u64;
                job.report(FetchStep::Downloading, bytes, total);
            }
            _ if total.is_some_and(|total| bytes < total) => {
                return Err(network(job, part, "the connection ended early"));
            }
            _ => break,
        }
    }
    part.sync_all().map_err(unwritable)?;
    Ok(Outcome::Complete)
}

/// The next message, unless the fetch is cancelled, failed or stalled.
fn next(job: &Job, part: &File, receiver: &Receiver<Message>) -> Result<Message, FetchError> {
    let since = Instant::now();
    loop {
        job.check_cancelled()?;
        match receiver.recv_timeout(PATIENCE) {
            Ok(Message::Failed(problem)) => return Err(network(job, part, problem)),
            Ok(message) => return Ok(message),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(network(job, part, "the connection ended early"));
            }
            Err(RecvTimeoutError::Timeout) if since.elapsed() > STALLED_AFTER => {
                return Err(network(job, part, "the server sent nothing for a minute"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Sends the answer on, piece by piece, until it ends or nobody listens.
fn receive(url: &str, have: u64, validator: Option<&str>, sender: &SyncSender<Message>) {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(STALLED_AFTER))
        .build()
        .new_agent();
    // Ranges count bytes of the file as it is: no compression on the way.
    let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
        if let Some(validator) = validator {
            request = request.header(header::IF_RANGE, validator);
        }
    }
    let response = match request.call() {
        Ok(response) => response,
        Err(error) => {
            // Whoever waited may be gone: then nobody needs to know.
            let _ = sender.send(Message::Failed(error.to_string()));
            return;
        }
    };
    let (head, body) = response.into_parts();
    if sender
        .send(Message::Head(head.status, Box::new(head.headers)))
        .is_err()
    {
        return;
    }
    let mut body = body.into_reader();
    loop {
        let mut chunk = vec![0; CHUNK];
        let message = match body.read(&mut chunk) {
            Ok(0) => Message::End,
            Ok(count) => {
                chunk.truncate(count);
                Message::Chunk(chunk)
            }
            Err(error) => Message::Failed(error.to_string()),
        };
        let last = !matches!(message, Message::Chunk(_));
        if sender.send(message).is_err() || last {
            return;
        }
    }
}

/// Keeps what tells this version of the file from another, for `If-Range` (RFC 9110, section
/// 13.1.5: a strong entity tag, or else the date).
fn remember_validator(job: &Job, headers: &HeaderMap) -> Result<(), FetchError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let validator = text(header::ETAG)
        .filter(|tag| !tag.starts_with("W/"))
        .or_else(|| text(header::LAST_MODIFIED));
    let path = job.hidden("validator");
    let written = match validator {
        Some(validator) => fs::write(&path, validator),
        None => remove_file(&path),
    };
    written.map_err(|source| FetchError::file(&path, source))
}

fn number(headers: &HeaderMap, name: header::HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// First byte (none in `bytes */total`) and total (none in `bytes first-last/*`) of `Content-Range`.
fn content_range(headers: &HeaderMap) -> Option<(Option<u64>, Option<u64>)> {
    let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let start = range
        .split_once('-')
        .and_then(|(start, _)| start.parse().ok());
    Some((start, total.parse().ok()))
}
