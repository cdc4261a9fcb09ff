//! An experiment as one file: what another store shows of it is the same to the digit.

use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use protocol::api::{EvaluationQueued, Experiment, RunMetrics};
use protocol::{Measurement, Run, RunState};
use serde_json::Value;
use server::api::AppState;
use server::archive::{Imported, import as import_file, import_example};
use server::purge::purge;

use crate::common::{Answer, Lab, corruptions, endless, small};
use crate::findings::everything;

async fn archive(lab: &Lab, experiment: i64, query: &str) -> Vec<u8> {
    let path = format!("/experiments/{experiment}/archive?{query}");
    let answer = lab.ask(Method::GET, &path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.body
}

async fn import(lab: &Lab, archive: impl Into<Body>) -> Answer {
    let request = Request::post("/api/v1/archives");
    lab.send(request.body(archive.into()).unwrap()).await
}

/// Everything in the folder of the lab's runs, by path.
fn files(lab: &Lab) -> Vec<String> {
    fn walk(folder: &Path, root: &Path, paths: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            paths.push(path.strip_prefix(root).unwrap().display().to_string());
            if path.is_dir() {
                walk(&path, root, paths);
            }
        }
    }
    let (root, mut paths) = (lab.state.directory.runs(), Vec::new());
    walk(&root, &root, &mut paths);
    paths.sort();
    paths
}

/// What a store shows of an experiment, with the numbers of its runs counted from 0.
async fn contents(lab: &Lab, experiment: i64) -> (Vec<Run>, Vec<Value>) {
    let path = format!("/experiments/{experiment}");
    let mut runs: Vec<Run> = lab.get(&format!("{path}/runs")).await;
    let first = runs[0].id;
    let mut values = Vec::new();
    for run in &mut runs {
        let whole = lab.run(run.id).await;
        let measured = lab.measurements(run.id).await;
        let log: Value = lab.get(&format!("/runs/{}/log", run.id)).await;
        values.push(serde_json::json!([
            whole.result,
            whole.started,
            measured,
            log
        ]));
        (run.id, run.experiment_id) = (run.id - first, 0);
    }
    let metrics: Vec<RunMetrics> = lab.get(&format!("{path}/metrics")).await;
    values.extend(
        metrics
            .iter()
            .map(|run| serde_json::json!([run.run_id - first, run.epochs])),
    );
    let mut findings: Value = lab.get(&format!("{path}/findings")).await;
    renumber(&mut findings, first, experiment);
    values.push(findings);
    (runs, values)
}

/// Numbers of runs and experiments within an answer, counted from 0.
fn renumber(value: &mut Value, first: i64, experiment: i64) {
    match value {
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| renumber(value, first, experiment)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value.as_i64()) {
                    ("run" | "run_id", Some(id)) => *value = (id - first).into(),
                    ("experiment" | "experiment_id", Some(id)) => *value = (id - experiment).into(),
                    _ => renumber(value, first, experiment),
                }
            }
        }
        _ => {}
    }
}

/// Breaks when an archive leaves out or rounds a number, a tag, a note, a log line or a file, when importing once more
/// makes a second experiment, or when runs that are partly here are taken twice.
#[tokio::test]
async fn an_archive_gives_the_same_findings_in_another_store() {
    let (here, there) = (Lab::open().await, Lab::open().await);
    // Experiments and runs have other numbers there.
    let (_, other) = there.launch(&small(&[0.5], 1)).await;
    there.wait_for_end(other[0]).await;
    let mut spec = small(&[-1.0, 0.0, 1.0], 2);
    spec.evaluation = everything();
    let (experiment, runs) = here.launch(&spec).await;
    for &run in &runs {
        assert_eq!(here.wait_for_end(run).await.state, RunState::Finished);
    }
    let annotation = r#"{"tags": ["for the lab", "ärger"], "notes": "see 12"}"#;
    for path in [
        format!("/experiments/{}", experiment.id),
        format!("/runs/{}", runs[1]),
    ] {
        let request =
            Request::patch(format!("/api/v1{path}")).header("content-type", "application/json");
        let answer = here.send(request.body(annotation.into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }

    let whole = archive(&here, experiment.id, "files=everything").await;
    let answer = import(&there, whole.clone()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let imported: Experiment = answer.json();
    assert_ne!(imported.id, experiment.id);
    let annotated: Experiment = here.get(&format!("/experiments/{}", experiment.id)).await;
    assert_eq!(
        (
            &imported.spec,
            &imported.tags,
            &imported.notes,
            imported.created_at
        ),
        (
            &annotated.spec,
            &annotated.tags,
            &annotated.notes,
            annotated.created_at
        )
    );
    assert_eq!(
        contents(&here, experiment.id).await,
        contents(&there, imported.id).await
    );
    let files_here: Vec<String> = files(&here)
        .into_iter()
        .filter(|file| !file.contains("checkpoint") && !format!("{file}/").contains("/worker/"))
        .collect();
    let offset = other[0];
    let files_there: Vec<String> = files(&there)
        .into_iter()
        .filter_map(|file| {
            let (run, rest) = file.split_once('/').unwrap_or((&file, ""));
            let run = run.parse::<i64>().unwrap() - offset;
            (run > 0).then(|| format!("{run}/{rest}").trim_end_matches('/').to_owned())
        })
        .collect();
    assert!(
        files_here
            .iter()
            .any(|file| file.ends_with("weights.safetensors"))
    );
    assert_eq!(files_here, files_there);
    for file in [
        "weights.safetensors",
        "run.json",
        "unit_selectivity.safetensors",
    ] {
        let (a, b) = (
            here.state.directory.run(runs[2]).join(file),
            there.state.directory.run(runs[2] + offset).join(file),
        );
        assert_eq!(
            std::fs::read(a).unwrap(),
            std::fs::read(b).unwrap(),
            "{file}"
        );
    }

    // Once more: nothing changes.
    let answer = import(&there, whole.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.json::<Experiment>().id, imported.id);
    let again = import(&here, whole).await;
    assert_eq!(again.json::<Experiment>().id, experiment.id);
    // A fresh archive of the copy is an archive of the original.
    let copied = archive(&there, imported.id, "").await;
    assert_eq!(
        import(&here, copied).await.json::<Experiment>().id,
        experiment.id
    );

    // What was imported is measured like any other.
    let more = r#"{"input_unit_gradients": {"images": 5}}"#;
    let answer = there
        .post_json(&format!("/runs/{}/evaluate", runs[0] + offset), more)
        .await;
    assert!(answer.status.is_success(), "{}", answer.text());
    there.finished(runs[0] + offset).await;
}

/// Breaks when files come that were not asked for.
#[tokio::test]
async fn an_archive_has_the_files_that_were_asked_for() {
    let (here, there) = (Lab::open().await, Lab::open().await);
    let mut spec = small(&[0.0], 1);
    spec.seeds = vec![3, 4];
    let (experiment, runs) = here.launch(&spec).await;
    for &run in &runs {
        here.wait_for_end(run).await;
    }
    import(
        &there,
        archive(&here, experiment.id, "files=weights&seeds=4").await,
    )
    .await;
    assert_eq!(files(&there), ["2", "2/weights.safetensors"]);
    let there = Lab::open().await;
    import(&there, archive(&here, experiment.id, "").await).await;
    assert_eq!(files(&there), [""; 0]);
    let path = format!("/experiments/{}/archive?seeds=x", experiment.id);
    here.refused(Method::GET, &path, StatusCode::BAD_REQUEST)
        .await;
    here.refused(
        Method::GET,
        "/experiments/99/archive",
        StatusCode::NOT_FOUND,
    )
    .await;
}

/// Breaks when imported weights are not those that are tested, when a run that came with its numbers alone is trained once more
/// to be tested, or when it is not said why it cannot be.
#[tokio::test]
async fn imported_weights_can_be_tested_on_more() {
    let (here, there) = (Lab::open().await, Lab::open().await);
    let mut spec = small(&[0.0], 1);
    spec.seeds = vec![0, 1];
    let (experiment, runs) = here.launch(&spec).await;
    for &run in &runs {
        here.wait_for_end(run).await;
    }
    let archived = archive(&here, experiment.id, "files=weights&seeds=1").await;
    let imported = import(&there, archived).await;
    assert_eq!(imported.status, StatusCode::CREATED, "{}", imported.text());
    let id = imported.json::<Experiment>().id;
    let there_runs: Vec<Run> = there.get(&format!("/experiments/{id}/runs")).await;
    let evaluation = serde_json::to_string(&corruptions(20)).unwrap();
    let measured = async |lab: &Lab, run: i64| -> Vec<Measurement> {
        let path = format!("/runs/{run}/evaluate");
        let asked = lab.post_json(&path, evaluation.clone()).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text());
        lab.finished(run).await;
        lab.get(&format!("/runs/{run}/measurements")).await
    };
    let (numbers_alone, with_weights) = (there_runs[0].id, there_runs[1].id);
    let asked = format!("/runs/{numbers_alone}/evaluate");
    let refused = there.post_json(&asked, evaluation.clone()).await;
    let refused = refused.refusal(StatusCode::CONFLICT);
    assert_eq!(refused.code.id(), "not_evaluable");
    assert!(refused.detail.contains("weights"), "{}", refused.detail);
    assert_eq!(
        measured(&there, with_weights).await,
        measured(&here, runs[1]).await
    );
    assert!(
        there
            .state
            .directory
            .runs()
            .read_dir()
            .unwrap()
            .all(|entry| {
                let name = entry.unwrap().file_name();
                !name.to_string_lossy().contains("earlier")
            }),
        "nothing was set aside"
    );
    let path = format!("/experiments/{id}/evaluate");
    let again = there.post_json(&path, evaluation.clone()).await;
    let again: EvaluationQueued = again.json();
    assert_eq!((again.queued, again.skipped), (1, 1));
    there.wait_for_end(with_weights).await;
    let result = async |lab: &Lab, run: i64| lab.run(run).await.result;
    assert_eq!(
        result(&there, with_weights).await,
        result(&here, runs[1]).await
    );
}

/// Breaks when a run that was at work is lost, runs in two stores at once, or begins anew.
#[tokio::test]
async fn a_run_that_was_at_work_can_be_resumed_elsewhere() {
    let (here, there) = (Lab::open().await, Lab::open().await);
    let (experiment, runs) = here.launch(&endless(&[0.0, 1.0])).await;
    here.wait_for_epoch(runs[0]).await;
    let archived = archive(&here, experiment.id, "files=everything").await;
    let imported = import(&there, archived).await;
    assert_eq!(imported.status, StatusCode::CREATED, "{}", imported.text());
    let imported_runs: Vec<Run> = there
        .get(&format!(
            "/experiments/{}/runs",
            imported.json::<Experiment>().id
        ))
        .await;
    for (run, was) in imported_runs.iter().zip(["running", "queued"]) {
        assert_eq!(run.state, RunState::Interrupted);
        assert!(
            run.reason.as_ref().unwrap().contains(was),
            "{:?}",
            run.reason
        );
    }
    assert!(imported_runs[0].epochs_done >= 1);
    there.resume(imported_runs[0].id).await;
    let resumed = there
        .wait(imported_runs[0].id, |run| {
            run.started
                .as_ref()
                .is_some_and(|started| started.resumed_from_epoch.is_some())
        })
        .await;
    assert!(resumed.started.unwrap().resumed_from_epoch >= Some(1));
    for (lab, runs) in [(&here, runs), (&there, vec![imported_runs[0].id])] {
        for run in runs {
            lab.cancel(run).await;
        }
    }
}

/// Breaks when anything is taken from an archive that is not whole, was changed, names files outside it, or is newer.
#[tokio::test]
async fn a_damaged_archive_changes_nothing() {
    let (here, there) = (Lab::open().await, Lab::open().await);
    let (experiment, runs) = here.launch(&small(&[0.0], 1)).await;
    here.wait_for_end(runs[0]).await;
    let whole = archive(&here, experiment.id, "files=weights").await;
    let plain = zstd::decode_all(&whole[..]).unwrap();
    let pack = |tar: &[u8]| zstd::encode_all(tar, 1).unwrap();
    let find = |text: &str| {
        plain
            .windows(text.len())
            .position(|part| part == text.as_bytes())
            .unwrap()
    };
    let changed = |at: usize| {
        let mut tar = plain.clone();
        tar[at] ^= 1;
        pack(&tar)
    };
    let replaced = |from: &str, to: &str| {
        let mut tar = plain.clone();
        tar[find(from)..][..to.len()].copy_from_slice(to.as_bytes());
        pack(&tar)
    };
    let with = |path: &str, kind: tar::EntryType| {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_link_name("manifest.json").unwrap();
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
        let mut tar = builder.into_inner().unwrap();
        tar.truncate(512);
        tar.extend(&plain);
        pack(&tar)
    };
    let zeros = {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(80 << 20);
        let zeros = std::io::Read::take(std::io::repeat(0), 80 << 20);
        builder
            .append_data(&mut header, "runs/1/files/x", zeros)
            .unwrap();
        pack(&builder.into_inner().unwrap())
    };
    let cases = [
        (
            "a few kilobytes of very many zeros",
            zeros,
            "200 times its size",
        ),
        ("nothing", vec![], "damaged"),
        ("no archive", b"PK not an archive".to_vec(), "damaged"),
        ("cut off", whole[..whole.len() / 2].to_vec(), "damaged"),
        (
            "no manifest",
            pack(&plain[..find("manifest.json")]),
            "manifest",
        ),
        (
            "an event changed",
            changed(find("\"event\"") + 40),
            "runs/1/events.jsonl",
        ),
        (
            "a weight changed",
            changed(find("manifest.json") - 2000),
            "runs/1/files/weights.safetensors",
        ),
        (
            "another file",
            with("runs/1/files/x", tar::EntryType::Regular),
            "runs/1/files/x",
        ),
        (
            "a file outside",
            with("../x", tar::EntryType::Regular),
            "../x",
        ),
        (
            "an absolute path",
            with("/tmp/x", tar::EntryType::Regular),
            "/tmp/x",
        ),
        (
            "a link",
            with("runs/1/files/x", tar::EntryType::Symlink),
            "runs/1/files/x",
        ),
        (
            "newer",
            replaced("\"format\": 1", "\"format\": 2"),
            "format 2",
        ),
        (
            "a state that is none",
            replaced("\"finished\"", "\"fin1shed\""),
            "damaged",
        ),
    ];
    for (name, archive, expected) in cases {
        let refusal = import(&there, archive)
            .await
            .refusal(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            refusal.detail.contains(expected),
            "{name}: {}",
            refusal.detail
        );
        let page: protocol::api::ExperimentPage = there.get("/experiments").await;
        assert_eq!(page.total, 0, "{name}");
        assert_eq!(files(&there), [""; 0], "{name}");
    }
    assert_eq!(import(&there, whole).await.status, StatusCode::CREATED);
}

/// Breaks when an event that cannot be (an epoch twice) leaves half an experiment or its files behind.
#[tokio::test]
async fn events_that_do_not_fit_leave_nothing() {
    let (here, there) = (Lab::open().await, Lab::open().await);
    let (experiment, runs) = here.launch(&small(&[0.0], 1)).await;
    here.wait_for_end(runs[0]).await;
    let whole = archive(&here, experiment.id, "files=weights").await;
    let mut builder = tar::Builder::new(Vec::new());
    let (mut written, mut doubled) = (0, String::new());
    for entry in tar::Archive::new(zstd::Decoder::new(&whole[..]).unwrap())
        .entries()
        .unwrap()
    {
        use std::io::Read;
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if path.ends_with("events.jsonl") {
            let text = String::from_utf8(bytes).unwrap();
            let epoch = text
                .lines()
                .find(|line| line.contains("\"type\":\"epoch\""))
                .unwrap();
            bytes = format!("{text}{epoch}\n").into_bytes();
            written = bytes.len();
            doubled = engine::base::digest::sha256(&bytes);
        }
        if path.ends_with("manifest.json") {
            let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
            manifest["entries"][0]["sha256"] = doubled.clone().into();
            manifest["entries"][0]["bytes"] = written.into();
            bytes = serde_json::to_vec(&manifest).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, path, &bytes[..]).unwrap();
    }
    let archive = zstd::encode_all(&builder.into_inner().unwrap()[..], 1).unwrap();
    let refusal = import(&there, archive)
        .await
        .refusal(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refusal.detail.contains("of run 1"), "{}", refusal.detail);
    let page: protocol::api::ExperimentPage = there.get("/experiments").await;
    assert_eq!((page.total, files(&there).len()), (0, 0));
}

/// Breaks when the example is not there at the first start, is not marked, comes back after it was deleted, or is put beside
/// somebody's own experiments.
#[tokio::test]
async fn the_example_comes_once() {
    let here = Lab::open().await;
    let (experiment, runs) = here.launch(&small(&[0.0], 1)).await;
    here.wait_for_end(runs[0]).await;
    let bytes = archive(&here, experiment.id, "").await;
    let file = here.folder.path().join("example.tar.zst");
    std::fs::write(&file, bytes).unwrap();

    let there = Lab::open().await;
    let AppState {
        store, directory, ..
    } = &there.state;
    let missing = there.folder.path().join("missing.tar.zst");
    import_example(store, directory, &missing)
        .await
        .unwrap_err();
    let id = import_example(store, directory, &file).await.unwrap();
    let example: Experiment = there.get(&format!("/experiments/{}", id.unwrap())).await;
    assert_eq!(example.tags, ["example"]);
    assert_eq!(example.spec, experiment.spec);
    assert_eq!(import_example(store, directory, &file).await.unwrap(), None);
    let deleted = there
        .ask(Method::DELETE, &format!("/experiments/{}", example.id))
        .await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(import_example(store, directory, &file).await.unwrap(), None);
    // Whoever imports it again gets what the archive has, and nothing of what was deleted.
    for found in [Imported::New(example.id + 1), Imported::New(example.id + 2)] {
        let input = std::fs::File::open(&file).unwrap();
        assert_eq!(import_file(store, directory, input).await.unwrap(), found);
        let path = format!("/experiments/{}", found.experiment());
        there.get::<Experiment>(&path).await;
        there.ask(Method::DELETE, &path).await;
    }
    purge(store, directory, 0).await.unwrap();
}
