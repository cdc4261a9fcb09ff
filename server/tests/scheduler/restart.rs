//! Servers that are killed, stopped and started again.

use std::path::Path;
use std::time::{Duration, Instant};

use protocol::api::{Health, LiveEvent};
use protocol::{EpochMetrics, Event, Run, RunState};
use serde_json::Value;

use crate::common::process::{Server, serve};
use crate::common::small;
use crate::processes;

/// Epochs of the two runs: the first is long enough to be caught at work, the second waits for it.
const EPOCHS: [u32; 2] = [15, 1];

/// Launches both and waits until the first has measured an epoch.
fn launch(server: &Server) -> [i64; 2] {
    let ids = EPOCHS.map(|epochs| {
        let experiment = server.launch(&small(&[0.0], epochs));
        let runs = server.runs(experiment.id);
        runs[0].id
    });
    let run = server.wait_for(ids[0], |run| run.epochs_done >= 1);
    assert_eq!(run.state, RunState::Running, "{:?}", run.reason);
    ids
}

/// Starts the server again, checks that nothing that was sent is lost, and that both runs come to their end by themselves,
/// without one epoch trained twice.
fn everything_goes_on(folder: &Path, sent: &[LiveEvent], ids: [i64; 2]) {
    let server = Server::start(folder);
    assert_eq!(server.get::<Health>("/health").interrupted, 0);
    let sent: Vec<_> = sent
        .iter()
        .filter(|event| event.sequence.is_some())
        .collect();
    assert!(
        sent.iter()
            .any(|event| matches!(event.event, Event::Epoch(_)))
    );
    let replayed = server.listen();
    for (id, last) in ids.into_iter().zip(EPOCHS) {
        let run = server.wait_for(id, |run| !run.state.is_active());
        assert_eq!(
            (run.state, run.epochs_done),
            (RunState::Finished, last),
            "{:?}",
            run.reason
        );
        assert_eq!(run.started.unwrap().resumed_from_epoch, None);
        let epochs: Vec<EpochMetrics> = server.get(&format!("/runs/{id}/metrics"));
        assert_eq!(
            epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(),
            (1..=last).collect::<Vec<_>>()
        );
        for event in &sent {
            if let (Event::Epoch(metrics), true) = (&event.event, event.run_id == id) {
                assert_eq!(&epochs[metrics.epoch as usize - 1], metrics);
            }
        }
    }
    let replayed = replayed.lock().unwrap();
    for event in sent {
        assert!(replayed.contains(event), "{event:?} is lost");
    }
    // Nothing is stored twice.
    let mut seen: Vec<_> = replayed
        .iter()
        .filter(|event| event.sequence.is_some())
        .map(|event| format!("{} {:?}", event.run_id, event.event))
        .collect();
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all);
}

/// Broken by: publishing events before they are on disk, a worker that dies with its server, a queue that is emptied, events
/// that are read twice or not at all by the next server.
#[test]
fn a_killed_server_loses_nothing_and_its_runs_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let heard = server.listen();
    let ids = launch(&server);
    std::thread::sleep(Duration::from_millis(200));
    let workers = processes::workers(folder.path());
    assert_eq!(workers.len(), 1);
    processes::send("KILL", server.process());
    server.wait();
    let sent = heard.lock().unwrap().clone();
    assert_eq!(processes::workers(folder.path()), workers);
    everything_goes_on(folder.path(), &sent, ids);
}

/// Broken by: a stop that hangs on an open event stream, or that ends or forgets what is at work.
#[test]
fn a_stopped_server_leaves_its_runs_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let heard = server.listen();
    let ids = launch(&server);
    let clock = Instant::now();
    processes::send("TERM", server.process());
    assert!(server.wait().success());
    assert!(
        clock.elapsed() < Duration::from_secs(5),
        "took {:?}",
        clock.elapsed()
    );
    // A copy of the one file has everything.
    let log = folder.path().join("data/store.sqlite-wal");
    assert!(!log.exists(), "the write-ahead log stays");
    let sent = heard.lock().unwrap().clone();
    everything_goes_on(folder.path(), &sent, ids);
}

/// Ctrl-C in a terminal goes to the whole process group. Broken by: workers in the server's own group, which then die of it.
#[test]
fn ctrl_c_in_a_terminal_leaves_the_runs_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    launch(&server);
    let workers = processes::workers(folder.path());
    processes::send("INT", format!("-{}", server.process()));
    assert!(server.wait().success());
    assert_eq!(processes::workers(folder.path()), workers);
}

/// Breaks when a run whose worker ended while no server was there stays `running`, loses what the worker measured, or is given
/// the time of the server's start for its end.
#[test]
fn what_happened_while_no_server_was_there_is_read_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let ids = launch(&server);
    processes::send("KILL", server.process());
    server.wait();
    let start = Instant::now();
    while !processes::workers(folder.path()).is_empty() {
        assert!(start.elapsed() < crate::common::PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(1500));
    let began = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64;
    let server = Server::start(folder.path());
    let run: Run = server.get(&format!("/runs/{}", ids[0]));
    assert_eq!(
        (run.state, run.epochs_done),
        (RunState::Finished, EPOCHS[0])
    );
    assert!(
        run.ended_at.unwrap() < began - 1000,
        "{:?} {began}",
        run.ended_at
    );
    server.wait_for(ids[1], |run| run.state == RunState::Finished);
}

/// Breaks when a worker that was killed while no server was there leaves its run `running`, or its epochs are lost.
#[test]
fn a_worker_that_was_killed_while_no_server_was_there_interrupts_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let ids = launch(&server);
    processes::send("KILL", server.process());
    server.wait();
    for worker in processes::workers(folder.path()) {
        processes::send("KILL", worker);
    }
    let server = Server::start(folder.path());
    let run: Run = server.get(&format!("/runs/{}", ids[0]));
    assert_eq!(run.state, RunState::Interrupted);
    assert!(run.reason.unwrap().contains("is gone"));
    assert!(run.epochs_done >= 1);
    let resumed: Value = server.ask("POST", "/resume", "");
    assert_eq!(resumed["resumed"], 1);
    let run = server.wait_for(ids[0], |run| run.state == RunState::Finished);
    assert_eq!(run.epochs_done, EPOCHS[0]);
    assert!(run.started.unwrap().resumed_from_epoch >= Some(1));
}

/// Breaks when a worker goes on for nobody after its run was deleted with its folder.
#[test]
fn a_worker_whose_folder_is_gone_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    launch(&server);
    processes::send("KILL", server.process());
    server.wait();
    assert_eq!(processes::workers(folder.path()).len(), 1);
    std::fs::remove_dir_all(folder.path().join("data/runs")).unwrap();
    let start = Instant::now();
    while !processes::workers(folder.path()).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(3), "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Breaks when a store that is made anew from run folders lacks a number, rounds it, or gives a run another number; or when one
/// that is there is overwritten.
#[test]
fn a_lost_store_is_made_anew_from_run_folders() {
    let folder = tempfile::tempdir().unwrap();
    let export = |server: &Server, id: i64| -> Value {
        let mut export: Value = server.get(&format!("/experiments/{id}/export.json"));
        for run in export["runs"].as_array_mut().unwrap() {
            // When the server saw it begin and end.
            for time in ["queued_at", "started_at", "ended_at"] {
                run.as_object_mut().unwrap().remove(time);
            }
        }
        export
    };
    let mut spec = small(&[-1.0, 0.0], 2);
    spec.evaluation = crate::common::corruptions(20);
    let mut server = Server::start(folder.path());
    let finished = server.launch(&spec);
    let runs = server.runs(finished.id);
    for run in &runs {
        server.wait_for(run.id, |run| run.state == RunState::Finished);
    }
    let cancelled = server.launch(&small(&[0.5], 1000));
    let run = server.runs(cancelled.id);
    // Two attempts: the second reports the first one's epochs once more.
    for epochs in [1, 2] {
        server.wait_for(run[0].id, |run| {
            run.epochs_done >= epochs && run.state == RunState::Running
        });
        server.ask::<Run>("POST", &format!("/runs/{}/cancel", run[0].id), "");
        server.wait_for(run[0].id, |run| run.state == RunState::Cancelled);
        if epochs == 1 {
            server.ask::<Run>("POST", &format!("/runs/{}/resume", run[0].id), "");
        }
    }
    let before = [finished.id, cancelled.id].map(|id| export(&server, id));
    processes::send("TERM", server.process());
    server.wait();
    let rebuild = || {
        let mut command = crate::common::process::command(folder.path());
        command.args(["store", "rebuild"]).output().unwrap()
    };
    let refused = rebuild();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is there"));
    std::fs::remove_file(folder.path().join("data/store.sqlite")).unwrap();
    let output = rebuild();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "3 runs of 2 experiments\n"
    );
    let server = Server::start(folder.path());
    let after = [finished.id, cancelled.id].map(|id| export(&server, id));
    assert_eq!(before, after);
    // What is done after a rebuild outlives the next one.
    server.ask::<Run>("POST", &format!("/runs/{}/resume", run[0].id), "");
    server.wait_for(run[0].id, |run| {
        run.epochs_done >= 3 && run.state == RunState::Running
    });
    server.ask::<Run>("POST", &format!("/runs/{}/cancel", run[0].id), "");
    server.wait_for(run[0].id, |run| run.state == RunState::Cancelled);
    let before = export(&server, cancelled.id);
    processes::send("TERM", server.process());
    let mut server = server;
    server.wait();
    std::fs::remove_file(folder.path().join("data/store.sqlite")).unwrap();
    let output = rebuild();
    assert!(output.status.success(), "{output:?}");
    let server = Server::start(folder.path());
    assert_eq!(before, export(&server, cancelled.id));
    // Numbers are not given twice.
    let next = server.launch(&small(&[0.0], 1));
    let runs = server.runs(next.id);
    assert!(next.id > cancelled.id && runs[0].id > run[0].id);
}

/// Broken by: two schedulers on one store (each would start the other's runs), or a refusal that does
/// not say where the first is.
#[test]
fn a_second_server_on_the_same_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path());
    let second = serve(folder.path()).output().unwrap();
    assert!(!second.status.success());
    let errors = String::from_utf8_lossy(&second.stderr);
    assert!(
        errors.contains(&first.url()) && errors.contains("--data"),
        "{errors}"
    );
    assert_eq!(first.get::<Health>("/health").status, "ok");
}

/// Breaks when a server starts on a store that was emptied or damaged, or a backup from under a server at work is not whole.
#[test]
fn an_emptied_or_damaged_store_is_refused_and_a_backup_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/store.sqlite");
    let backup = folder.path().join("backup.sqlite");
    {
        let server = Server::start(folder.path());
        server.launch(&small(&[0.0], 1));
        server.wait_for(1, |run| run.state == RunState::Finished);
        let mut command = crate::common::process::command(folder.path());
        let output = command
            .args(["store", "backup"])
            .arg(&backup)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let remove_logs = || {
        for log in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{log}", path.display()));
        }
    };
    // The log of a server that was killed still has everything.
    remove_logs();
    for damage in ["emptied", "damaged"] {
        let text = if damage == "emptied" {
            ""
        } else {
            "this is no store"
        };
        std::fs::write(&path, text).unwrap();
        let refused = serve(folder.path()).output().unwrap();
        assert!(!refused.status.success(), "{damage}");
        let errors = String::from_utf8_lossy(&refused.stderr);
        assert!(
            errors.contains(if damage == "emptied" {
                "is empty"
            } else {
                "damaged"
            }) && errors.contains("backup"),
            "{errors}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    remove_logs();
    std::fs::copy(&backup, &path).unwrap();
    let server = Server::start(folder.path());
    assert_eq!(server.get::<Run>("/runs/1").state, RunState::Finished);
}

/// Broken by: starting without the dashboard's files, which would serve empty pages.
#[test]
fn a_server_without_its_site_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path());
    std::fs::remove_file(folder.path().join("site/pkg/app.js")).unwrap();
    let refused = command.output().unwrap();
    assert!(!refused.status.success());
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(errors.contains("make site"), "{errors}");
}

/// Broken by: a run that takes the result that a run of the same number of an older store left in its folder, though
/// it was asked for other epochs (1 for 2), or that loses it, or says nothing of it.
#[test]
fn a_new_store_takes_nothing_that_an_older_one_left() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // A server refuses to begin a store beside folders of runs; they are put back once it has begun.
    let (runs_folder, older) = (data.join("runs"), folder.path().join("older"));
    for epochs in [1, 2, 2] {
        let server = Server::start(folder.path());
        if older.is_dir() {
            std::fs::create_dir_all(&runs_folder).unwrap();
            for entry in std::fs::read_dir(&older).unwrap() {
                let entry = entry.unwrap();
                std::fs::rename(entry.path(), runs_folder.join(entry.file_name())).unwrap();
            }
            std::fs::remove_dir(&older).unwrap();
        }
        let experiment = server.launch(&small(&[0.0], epochs));
        let runs = server.runs(experiment.id);
        assert_eq!(runs[0].id, 1, "a store begins with run 1");
        let run = server.wait_for(1, |run| !run.state.is_active());
        assert_eq!(run.state, RunState::Finished, "{:?}", run.reason);
        assert_eq!(run.epochs_done, epochs, "it was trained");
        drop(server);
        for entry in std::fs::read_dir(&data).unwrap() {
            let path = entry.unwrap().path();
            if path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("store")
            {
                std::fs::remove_file(path).unwrap();
            }
        }
        std::fs::rename(&runs_folder, &older).unwrap();
    }
    let kept = std::fs::read_dir(&older).unwrap().count();
    assert_eq!(kept, 3, "the older runs' files were moved aside, not lost");
}
