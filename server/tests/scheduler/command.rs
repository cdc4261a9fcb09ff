//! Commands: `selectivity-lab run`, into the browser's store; `import-weights`; what all commands must withstand.

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
    assert_eq!(resumed, None, "its worker went on, and was found");
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

/// Broken by: an import that no server and no worker measures, weights that lose what was said of them, or a command that
/// waits for a run that a server at work measures.
#[test]
fn weights_are_imported_with_and_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let spec = small(&[1.0], 1);
    let file = folder.path().join("experiment.toml");
    std::fs::write(&file, toml::to_string(&spec).unwrap()).unwrap();
    let trained = command(folder.path()).arg("run").arg(&file).output();
    assert!(trained.unwrap().status.success());
    let weights = folder.path().join("data/runs/1/weights.safetensors");
    let import = |arguments: &[&str]| {
        let output = command(folder.path())
            .args(["import-weights", "--weights"])
            .arg(&weights)
            .args(arguments)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text, errors)
    };
    let (done, text, errors) = import(&[
        "--new-experiment",
        "theirs",
        "--arch",
        "resnet8",
        "--dataset",
        "builtin",
        "--alpha",
        "-0.4",
        "--seed",
        "3",
        "--epochs",
        "7",
    ]);
    assert!(done, "{text}{errors}");
    assert!(text.contains("finished"), "{text}");
    for (wrong, reason) in [
        (["--experiment", "1", "--arch", "resnet20"], "resnet8"),
        (["--experiment", "1", "--dataset", "cifar10"], "builtin"),
        (["--experiment", "1", "--std", "0,1,1"], "over 0"),
        (["--experiment", "9", "--epochs", "1"], "no experiment 9"),
    ] {
        let mut arguments = wrong.to_vec();
        arguments.extend(["--alpha", "0", "--seed", "3"]);
        let (done, text, errors) = import(&arguments);
        assert!(!done, "{text}");
        assert!(errors.contains(reason), "{errors}");
    }

    let server = Server::start(folder.path());
    let page: ExperimentPage = server.get("/experiments");
    assert_eq!(
        (page.total, page.experiments[0].spec.name.as_str()),
        (2, "theirs")
    );
    let (trained, imported): (Run, Run) = (server.get("/runs/1"), server.get("/runs/2"));
    assert_eq!((imported.spec.alpha, imported.spec.seed), (-0.4, 3));
    assert_eq!(imported.spec.training.epochs, 7);
    assert_eq!(imported.spec.origin.unwrap().file, "weights.safetensors");
    let accuracy = |run: Option<protocol::RunResult>| run.unwrap().test_accuracy;
    assert_eq!(accuracy(imported.result), accuracy(trained.result));

    let (done, text, errors) = import(&["--experiment", "1", "--alpha", "0", "--seed", "0"]);
    assert!(done, "{text}{errors}");
    assert!(text.contains("the server at"), "{text}");
    let run = server.wait_for(3, |run| !run.state.is_active());
    assert_eq!(run.state, RunState::Finished, "{:?}", run.reason);
}

/// Broken by: a command that panics where nobody reads its output.
#[test]
fn a_closed_output_ends_no_command() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [vec!["devices"], vec!["data", "list"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(folder.path())
            .args(&arguments)
            .stdout(writer)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
    }
}

/// Broken by: input of `analyze` that means nothing and is taken, or ends in a panic instead of a sentence.
#[test]
fn analyze_refuses_what_cannot_be_measured() {
    let folder = tempfile::tempdir().unwrap();
    let npy = |name: &str, shape: &str, values: usize| {
        let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
        header += &" ".repeat(117 - header.len());
        let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        file.extend(header.as_bytes());
        file.push(b'\n');
        file.extend(vec![0; values]);
        let path = folder.path().join(name);
        std::fs::write(&path, file).unwrap();
        path
    };
    let labels = npy("labels.npy", "(1,)", 1);
    let one = npy("one.npy", "(1, 1, 1, 3)", 3);
    let none = npy("none.npy", "(1, 0, 0, 3)", 0);
    let good = npy("good.npy", "(1, 32, 32, 3)", 3072);
    let cut = npy("cut.npy", "(1, 32, 32, 3)", 3000);
    let weights = folder.path().join("weights.safetensors");
    std::fs::write(&weights, b"no weights").unwrap();
    for (images, arguments, reason) in [
        (&one, &[][..], "at least 8x8 pixels"),
        (&none, &[], "images of 0x0 pixels"),
        (&cut, &[], "3000 bytes follow"),
        (&good, &["--std", "0,1,1"], "over 0"),
        (&good, &["--mean", "0,NaN,1"], "no finite number"),
        (&good, &["--classes", "0"], "2 or more"),
        (
            &good,
            &["--only", "attack"],
            "no analysis is called `attack`",
        ),
        (&good, &["--attacks", "apgd"], "no attack is called `apgd`"),
        (&good, &["--epsilon", "8", "--attacks", "pgd"], "255ths"),
        (&good, &["--attack-images", "0"], "at least 1"),
        (&good, &[], "no whole safetensors file"),
    ] {
        let out = folder.path().join("report.json");
        let output = command(folder.path())
            .args(["analyze", "--arch", "resnet20", "--weights"])
            .arg(&weights)
            .arg("--images")
            .arg(images)
            .arg("--labels")
            .arg(&labels)
            .arg("--out")
            .arg(&out)
            .args(arguments)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(errors.contains(reason), "{arguments:?}: {errors}");
        assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
        assert!(!out.exists());
    }
}
