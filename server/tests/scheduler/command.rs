//! `selectivity-lab run`: the browser's twin, into the same store.

use protocol::api::ExperimentPage;
use protocol::{Run, RunState};

use crate::common::process::{Server, command};
use crate::common::small;

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
