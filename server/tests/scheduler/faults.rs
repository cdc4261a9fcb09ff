//! Workers that misbehave: scripts around the real one do what drivers and broken libraries do.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use protocol::api::LogLine;
use protocol::{Event, Run, RunState};

use crate::common::{Lab, executable, small};

/// A lab whose workers are this script; `$real` in it is the program itself.
async fn lab(script: &str) -> (Lab, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("worker.sh");
    let text = format!("#!/bin/bash\nreal='{}'\n{script}\n", executable().display());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (Lab::with_worker(1, path).await, folder)
}

/// Broken by: reading a worker's output as text and giving up on the first byte that is none; the pipe
/// then closes, and the worker dies of its next line.
#[tokio::test]
async fn noise_in_the_output_does_not_end_a_run() {
    let noise =
        r"printf '\377\376 noise\n'; printf 'driver \377\n' >&2; echo 'more of the driver' >&2";
    let (lab, _script) = lab(&format!("{noise}; exec \"$real\" \"$@\"")).await;
    let (_, ids) = lab.launch(&small(&[0.0], 1)).await;
    let run = lab.wait_for_end(ids[0]).await;
    assert_eq!(run.state, RunState::Finished, "{:?}", run.reason);
    let log: Vec<LogLine> = lab.get(&format!("/runs/{}/log", ids[0])).await;
    for expected in ["is no event", "driver \u{fffd}", "more of the driver"] {
        let found = log.iter().any(|line| line.message.contains(expected));
        assert!(found, "no `{expected}` in {log:?}");
    }
}

/// Broken by: waiting for a worker that hangs in a driver, or for a child of it that holds its pipes.
#[tokio::test]
async fn a_worker_that_does_not_listen_is_killed() {
    let (lab, _script) = lab("sleep 3 & while :; do sleep 1; done").await;
    let (_, ids) = lab.launch(&small(&[0.0, 1.0], 1)).await;
    lab.wait(ids[0], |run| run.state == RunState::Running).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let clock = Instant::now();
    lab.post::<Run>(&format!("/runs/{}/cancel", ids[0])).await;
    let run = lab.wait_for_end(ids[0]).await;
    assert_eq!(run.state, RunState::Cancelled, "{:?}", run.reason);
    let took = clock.elapsed();
    assert!(took < Duration::from_secs(2), "took {took:?}");
    // The server ends in time as well, with the second run at work.
    lab.wait(ids[1], |run| run.state == RunState::Running).await;
    let clock = Instant::now();
    lab.state.scheduler.stop().await;
    assert!(clock.elapsed() < Duration::from_secs(2));
    let run: Run = lab.get(&format!("/runs/{}", ids[1])).await;
    assert_eq!(run.state, RunState::Interrupted);
}

/// Broken by: taking an early exit with status 0 for success, or an error that does not quote what
/// the worker said last.
#[tokio::test]
async fn a_worker_that_ends_without_a_result_has_failed() {
    let (lab, _script) = lab("echo 'out of device memory' >&2; exit 0").await;
    let (_, ids) = lab.launch(&small(&[0.0], 1)).await;
    let run = lab.wait_for_end(ids[0]).await;
    let reason = run.reason.unwrap();
    assert_eq!((run.state, run.result), (RunState::Failed, None));
    assert!(
        reason.contains("exit status: 0") && reason.contains("out of device memory"),
        "{reason}"
    );
}

/// Two last words: the first counts. Broken by: events after the end, or an end that is replaced.
#[tokio::test]
async fn the_first_end_counts() {
    let ends = [
        Event::Failed {
            message: "first".into(),
        },
        Event::Failed {
            message: "second".into(),
        },
    ]
    .map(|end| serde_json::to_string(&end).unwrap());
    let (lab, _script) = lab(&format!(
        "read -r spec; echo '{}'; echo '{}'",
        ends[0], ends[1]
    ))
    .await;
    let (_, ids) = lab.launch(&small(&[0.0], 1)).await;
    let run = lab.wait_for_end(ids[0]).await;
    assert_eq!(
        (run.state, run.reason.as_deref()),
        (RunState::Failed, Some("first"))
    );
    let events = lab
        .state
        .store
        .events_after(0, None, Some(ids[0]), 100)
        .await
        .unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
}
