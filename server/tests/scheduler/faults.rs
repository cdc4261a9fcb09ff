//! Workers that misbehave: scripts around the real one do what drivers and broken libraries do.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use protocol::api::{DeviceInfo, Health, LogLine};
use protocol::{EpochMetrics, Event, RunState};

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
    lab.finished(ids[0]).await;
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
    lab.cancel(ids[0]).await;
    let run = lab.wait_for_end(ids[0]).await;
    assert_eq!(run.state, RunState::Cancelled, "{:?}", run.reason);
    let took = clock.elapsed();
    assert!(took < Duration::from_secs(2), "took {took:?}");
    // The server ends in time as well, with the second run at work.
    lab.wait(ids[1], |run| run.state == RunState::Running).await;
    let clock = Instant::now();
    lab.state.scheduler.stop().await;
    assert!(clock.elapsed() < Duration::from_secs(2));
    let run = lab.run(ids[1]).await;
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
    let events = lab.events_after(0, ids[0]).await;
    assert_eq!(events.len(), 1, "{events:?}");
}

/// Makes every write of an event of a run fail while it is there, as a full disk does: SQLite itself ends the transaction.
struct FullDisk(sqlx::SqlitePool);

impl FullDisk {
    async fn begin(lab: &Lab, run: i64) -> FullDisk {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(lab.state.directory.store())
            .busy_timeout(crate::common::PATIENCE);
        let disk = FullDisk(sqlx::SqlitePool::connect_with(options).await.unwrap());
        disk.execute(format!(
            "CREATE TRIGGER full_disk BEFORE INSERT ON events WHEN NEW.run_id = {run}
             BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END"
        ))
        .await;
        disk
    }

    async fn execute(&self, sql: String) {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&self.0)
            .await
            .unwrap();
    }

    async fn end(self) {
        self.execute("DROP TRIGGER full_disk".into()).await;
        self.0.close().await;
    }
}

/// Breaks when a full disk ends a run, or loses or doubles what was measured meanwhile, nobody is told of it, or a run that
/// ended then stays `running`.
#[tokio::test]
async fn a_full_disk_delays_events_and_ends_nothing() {
    let lab = Lab::open().await;
    let (_, ids) = lab.launch(&small(&[0.0], 10_000)).await;
    lab.wait_for_epoch(ids[0]).await;
    let disk = FullDisk::begin(&lab, ids[0]).await;
    let before = lab.run(ids[0]).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(crate::processes::workers(lab.folder.path()).len(), 1);
    let run = lab.run(ids[0]).await;
    assert_eq!(
        (run.state, run.epochs_done),
        (RunState::Running, before.epochs_done)
    );
    // It is reported, and what waits is not begun.
    let lacking = lab.get::<Health>("/health").await.lacking_room;
    assert!(lacking.is_some_and(|reason| reason.contains("disk is full")));
    disk.end().await;
    let run = lab
        .wait(ids[0], |run| run.epochs_done > before.epochs_done + 2)
        .await;
    assert_eq!(run.started.unwrap().resumed_from_epoch, None);
    let epochs: Vec<EpochMetrics> = lab.get(&format!("/runs/{}/metrics", ids[0])).await;
    let numbers: Vec<u32> = epochs.iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
    assert_eq!(lab.get::<Health>("/health").await.lacking_room, None);
    // The end, too, is stored once there is room.
    let disk = FullDisk::begin(&lab, ids[0]).await;
    for worker in crate::processes::workers(lab.folder.path()) {
        crate::processes::send("KILL", worker);
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let run = lab.run(ids[0]).await;
    assert_eq!(run.state, RunState::Running);
    disk.end().await;
    let run = lab.wait_for_end(ids[0]).await;
    assert_eq!(run.state, RunState::Interrupted, "{:?}", run.reason);
    // The slot is free again.
    let (_, next) = lab.launch(&small(&[0.0], 1)).await;
    lab.finished(next[0]).await;
}

/// Breaks when a run that cannot be read holds its slot for good because nothing could be stored at that moment.
#[tokio::test]
async fn a_run_that_cannot_be_read_ends_once_a_full_disk_has_room_again() {
    let lab = Lab::open().await;
    let (_, first) = lab.launch(&small(&[0.0], 10_000)).await;
    lab.wait_for_epoch(first[0]).await;
    let (_, unreadable) = lab.launch(&small(&[1.0], 1)).await;
    let (_, next) = lab.launch(&small(&[0.5], 1)).await;
    let disk = FullDisk::begin(&lab, unreadable[0]).await;
    disk.execute("UPDATE runs SET spec = '{' WHERE alpha = 1".into())
        .await;
    lab.cancel(first[0]).await;
    lab.wait_for_end(first[0]).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    disk.end().await;
    let failed = async || {
        let store = &lab.state.store;
        store.run_ids(RunState::Failed, None).await.unwrap()
    };
    lab.finished(next[0]).await;
    assert_eq!(failed().await, unreadable);
}

/// Breaks when a device on which nothing starts burns its queue, says nothing of it, or does not go on when it is mended.
#[tokio::test]
async fn a_device_on_which_nothing_starts_is_paused_and_its_queue_waits() {
    let folder = tempfile::tempdir().unwrap();
    let worker = folder.path().join("worker");
    let lab = Lab::with_worker(1, worker.clone()).await;
    let (_, ids) = lab.launch(&small(&[0.0, 0.1, 0.2, 0.3, 0.4], 1)).await;
    let cpu = async || -> DeviceInfo {
        let devices: Vec<DeviceInfo> = lab.get("/devices").await;
        devices
            .into_iter()
            .find(|device| device.id == "cpu")
            .unwrap()
    };
    let start = Instant::now();
    let paused = loop {
        if let Some(reason) = cpu().await.paused {
            break reason;
        }
        assert!(start.elapsed() < crate::common::PATIENCE, "not paused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(paused.contains("cannot start a worker"), "{paused}");
    let queued = lab
        .state
        .store
        .run_ids(RunState::Queued, None)
        .await
        .unwrap();
    assert_eq!(queued, ids, "runs were lost to a missing program");
    // A launch does not wake it, and a waiting run can be cancelled.
    let (_, late) = lab.launch(&small(&[0.0], 1)).await;
    let cancelled = lab.cancel(ids[4]).await;
    assert_eq!(cancelled.state, RunState::Cancelled);
    std::os::unix::fs::symlink(executable(), &worker).unwrap();
    let device: DeviceInfo = lab.post("/devices/cpu/resume").await;
    assert_eq!(device.paused, None);
    for id in ids[..4].iter().chain(&late) {
        lab.finished(*id).await;
    }
    assert_eq!(cpu().await.paused, None);
    lab.ask(axum::http::Method::POST, "/devices/abacus/resume")
        .await
        .refusal(axum::http::StatusCode::NOT_FOUND);
}

/// Breaks when workers that die before their first word do not count as failed starts.
#[tokio::test]
async fn workers_that_die_at_once_pause_their_device() {
    let (lab, _script) =
        lab("echo 'libvulkan.so.1: cannot open shared object file' >&2; exit 127").await;
    let (_, ids) = lab.launch(&small(&[0.0, 0.1, 0.2, 0.3, 0.4], 1)).await;
    for id in &ids[..3] {
        assert_eq!(lab.wait_for_end(*id).await.state, RunState::Failed);
    }
    let devices: Vec<DeviceInfo> = lab.get("/devices").await;
    let cpu = devices.iter().find(|device| device.id == "cpu").unwrap();
    let reason = cpu.paused.as_deref().unwrap();
    assert!(reason.contains("libvulkan"), "{reason}");
    let queued = lab
        .state
        .store
        .run_ids(RunState::Queued, None)
        .await
        .unwrap();
    assert_eq!(queued, ids[3..]);
}
