//! `selectivity-lab run`: the browser's twin, into the same store.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use protocol::api::ExperimentPage;
use protocol::{Run, RunState};

use crate::common::process::{Server, command};
use crate::common::small;
use crate::processes;

/// Broken by: another store than the server's, a success before the runs have finished, or an output
/// without the results.
#[test]
fn an_experiment_from_a_file_is_in_the_servers_store() {
    let folder = tempfile::tempdir().unwrap();
    let spec = small(&[-1.0, 1.0], 1);
    let file = folder.path().join("experiment.toml");
    std::fs::write(&file, toml::to_string(&spec).unwrap()).unwrap();
    let output = command(folder.path())
        .arg("run")
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let server = Server::start(folder.path());
    let page: ExperimentPage = server.get("/experiments");
    assert_eq!((page.total, &page.experiments[0].spec), (1, &spec));
    let runs: Vec<Run> = server.get(&format!("/experiments/{}/runs", page.experiments[0].id));
    assert_eq!(runs.len(), 2);
    for run in runs {
        assert_eq!((run.state, run.epochs_done), (RunState::Finished, 1));
        let accuracy = format!("{:.4}", run.result.unwrap().test_accuracy);
        assert!(
            text.lines()
                .any(|line| line.contains("finished") && line.contains(&accuracy)),
            "{accuracy}: {text}"
        );
    }
}

/// Breaks when a command that was ended begins anew instead of going on, launches again what has finished, or does not
/// launch again what is to be launched again.
#[test]
fn a_command_goes_on_with_what_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("experiment.toml");
    std::fs::write(&file, toml::to_string(&small(&[0.0, 1.0], 6)).unwrap()).unwrap();
    let run = || {
        let mut command = command(folder.path());
        command.arg("run").arg(&file);
        command
    };
    let mut first = run()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    lines
        .by_ref()
        .find(|line| line.as_ref().unwrap().contains("epoch 2"))
        .unwrap()
        .unwrap();
    processes::send("KILL", first.id());
    first.wait().unwrap();
    let output = run().output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("experiment 1: small goes on with 2 of 2 runs"),
        "{text}"
    );
    let output = run().output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("--new") && text.contains("finished"),
        "{text}"
    );
    // Another spec is another experiment, and so is the same again where it is asked for.
    let another = toml::to_string(&small(&[0.0, 1.0], 1)).unwrap();
    std::fs::write(&file, another).unwrap();
    assert!(run().output().unwrap().status.success());
    assert!(run().arg("--new").output().unwrap().status.success());
    let server = Server::start(folder.path());
    assert_eq!(server.get::<ExperimentPage>("/experiments").total, 3);
    let runs: Vec<Run> = server.get("/experiments/1/runs");
    let resumed = runs[0].started.as_ref().unwrap().resumed_from_epoch;
    assert!(resumed.is_some_and(|epoch| epoch >= 2), "{resumed:?}");
    assert!(
        runs.iter()
            .all(|run| run.state == RunState::Finished && run.epochs_done == 6)
    );
}

/// Breaks when the command refuses because a server is at work on the store, launches twice what is there, or takes a
/// refusal for a success.
#[test]
fn a_server_that_is_up_runs_the_commands_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let file = folder.path().join("experiment.toml");
    let good = toml::to_string(&small(&[-1.0, 1.0], 1)).unwrap();
    std::fs::write(&file, &good).unwrap();
    let run = || {
        command(folder.path())
            .arg("run")
            .arg(&file)
            .output()
            .unwrap()
    };
    for again in [false, true] {
        let output = run();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}{errors}");
        assert!(
            text.contains(&format!("{}/experiments/1", server.url())),
            "{text}"
        );
        assert_eq!(
            text.lines()
                .filter(|line| line.contains("finished"))
                .count(),
            2,
            "{text}"
        );
        assert_eq!(text.contains("--new"), again, "{text}");
        assert_eq!(server.get::<ExperimentPage>("/experiments").total, 1);
    }
    std::fs::write(
        &file,
        good.replace("device = \"cpu\"", "device = \"abacus\""),
    )
    .unwrap();
    let output = run();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("abacus"),
        "{errors}"
    );
}

/// Broken by: a message that leaves the person to guess, a success, or an experiment half-created.
#[test]
fn a_wrong_file_is_refused_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let good = toml::to_string(&small(&[0.0], 1)).unwrap();
    let file = folder.path().join("experiment.toml");
    let cases = [
        (
            good.replace("batch_size = 32", "batch_size = \"many\""),
            "batch_size",
        ),
        (
            good.replace("batch_size = 32", "batch_size = 1"),
            "training.batch_size",
        ),
        (good.replace("resnet8", "resnet7"), "network"),
        (good.replace("momentum", "momentun"), "momentun"),
        (
            good.replace("device = \"cpu\"", "device = \"abacus\""),
            "device",
        ),
        ("name = ".to_owned(), "experiment.toml"),
    ];
    for (text, field) in cases {
        assert_ne!(text, good, "nothing was spoiled for {field}");
        std::fs::write(&file, &text).unwrap();
        let output = command(folder.path())
            .arg("run")
            .arg(&file)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{field} was accepted");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(field), "{field}: {errors}");
    }
    let missing = command(folder.path())
        .arg("run")
        .arg(folder.path().join("no.toml"))
        .output()
        .unwrap();
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no.toml"));
    let server = Server::start(folder.path());
    assert_eq!(server.get::<ExperimentPage>("/experiments").total, 0);
}
