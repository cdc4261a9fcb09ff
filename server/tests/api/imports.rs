//! Weights that were trained elsewhere, registered as runs.

use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use engine::base::digest::sha256;
use protocol::api::Artifact;
use protocol::corruption_evaluation::CorruptionSpec;
use protocol::{Corruption, EpochMetrics, Measurement, Run};
use server::import::remove_abandoned;
use server::store::{ImportTarget, StoreError};

use crate::common::{Answer, Lab, corruptions, small};

async fn import(lab: &Lab, experiment: i64, query: &str, file: &[u8]) -> Answer {
    let request = Request::post(format!("/api/v1/experiments/{experiment}/import?{query}"));
    lab.send(request.body(Body::from(file.to_vec())).unwrap())
        .await
}

/// Folders beside the runs', and the runs' own.
fn folders(lab: &Lab) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(lab.state.directory.runs())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Breaks when an imported network is measured otherwise than the same network trained here: other normalisation, other
/// images, other tests; or when it is not told from one: no origin on the run, in the exports and among its files.
#[tokio::test]
async fn imported_weights_are_measured_like_the_run_they_came_from() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 2);
    spec.evaluation = corruptions(20);
    spec.evaluation.corruptions = Some(CorruptionSpec {
        corruptions: vec![Corruption::Fog],
        ..CorruptionSpec::everything(Some(20))
    });
    let (experiment, runs) = lab.launch(&spec).await;
    let trained = lab.wait_for_end(runs[0]).await;
    let weights = lab.state.directory.run(runs[0]).join("weights.safetensors");
    let weights = std::fs::read(weights).unwrap();
    let answer = import(
        &lab,
        experiment.id,
        "file=my%20weights.safetensors&alpha=-0.4&seed=7&epochs=30",
        &weights,
    )
    .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let id = answer.json::<Run>().id;
    let run = lab.finished(id).await;
    assert_eq!((run.spec.alpha, run.spec.seed), (-0.4, 7));
    assert_eq!((run.spec.training.epochs, run.epochs_done), (30, 0));
    let origin = run.spec.origin.clone().unwrap();
    assert_eq!(origin.file, "my weights.safetensors");
    assert_eq!(origin.sha256, sha256(&weights));
    assert!((run.queued_at - origin.imported_at).abs() < 600_000);

    let (imported, original) = (run.result.unwrap(), trained.result.unwrap());
    assert_eq!(imported.test_accuracy, original.test_accuracy);
    assert_eq!(imported.test_cross_entropy, original.test_cross_entropy);
    assert_eq!(imported.layers, original.layers);
    assert_eq!(imported.best_epoch, None);
    assert_eq!(
        (imported.validation_accuracy, imported.validation_images),
        (None, 0)
    );
    let measured =
        async |id: i64| -> Vec<Measurement> { lab.get(&format!("/runs/{id}/measurements")).await };
    assert_eq!(measured(id).await.len(), 5);
    assert_eq!(measured(id).await, measured(runs[0]).await);
    let epochs: Vec<EpochMetrics> = lab.get(&format!("/runs/{id}/metrics")).await;
    assert_eq!(epochs, []);

    let files: Vec<Artifact> = lab.get(&format!("/runs/{id}/artifacts")).await;
    let kept = files
        .iter()
        .find(|file| file.name == "imported.safetensors");
    assert_eq!(kept.unwrap().bytes, weights.len() as u64);
    let csv = lab
        .ask(
            Method::GET,
            &format!("/experiments/{}/export.csv?table=runs", experiment.id),
        )
        .await
        .text();
    let line = csv
        .lines()
        .find(|line| line.contains("my weights"))
        .unwrap();
    assert!(line.contains(&origin.sha256), "{csv}");

    // Tested on more later, as any other.
    lab.evaluate(id, &corruptions(10)).await;
    lab.finished(id).await;
    assert_eq!(measured(id).await.len(), 5 + 95);

    // Counted with the others.
    let summary: protocol::api::ExperimentSummary = lab
        .get(&format!("/experiments/{}/summary", experiment.id))
        .await;
    assert_eq!(summary.alphas.len(), 2);
}

/// A safetensors file as other programs write it: without the checksum that ours carry in their header.
fn without_checksum(file: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    assert!(
        header
            .as_object_mut()
            .unwrap()
            .remove("__metadata__")
            .is_some()
    );
    let mut header = header.to_string();
    header += &" ".repeat(length - header.len());
    [&file[..8], header.as_bytes(), &file[8 + length..]].concat()
}

/// Breaks when weights that do not fit or are broken are registered, are refused without the tensor's name, or leave
/// anything behind.
#[tokio::test]
async fn what_cannot_be_imported_is_refused_and_leaves_nothing() {
    let lab = Lab::open().await;
    let (experiment, runs) = lab.launch(&small(&[0.0], 1)).await;
    lab.wait_for_end(runs[0]).await;
    let path = lab.state.directory.run(runs[0]).join("weights.safetensors");
    let good = without_checksum(&std::fs::read(path).unwrap());
    let before = folders(&lab);
    let refused = async |query: &str, file: &[u8], status: StatusCode, words: &[&str]| {
        let error = import(&lab, experiment.id, query, file)
            .await
            .refusal(status);
        for word in words {
            let fields = error.fields.iter();
            let messages = fields.map(|field| format!("{}: {}", field.field, field.reason));
            let messages = messages
                .chain([error.detail.clone()])
                .collect::<Vec<_>>()
                .join("\n");
            assert!(
                messages.contains(word),
                "{query}: `{word}` is not in: {messages}"
            );
        }
        assert_eq!(folders(&lab), before, "{query}");
    };
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    let plain = "file=a.safetensors&alpha=1&seed=1";

    let place = good
        .windows(11)
        .position(|at| at == b"linear.bias")
        .unwrap();
    let mut renamed = good.clone();
    renamed[place..place + 11].copy_from_slice(b"linear.bios");
    refused(
        plain,
        &renamed,
        unprocessable,
        &["weights", "`linear.bias`"],
    )
    .await;
    let mut broken = good.clone();
    let end = broken.len();
    broken[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    refused(plain, &broken, unprocessable, &["not finite", "`"]).await;
    refused(
        plain,
        &good[..end / 2],
        unprocessable,
        &["no whole safetensors file"],
    )
    .await;
    refused(plain, b"", unprocessable, &["no whole safetensors file"]).await;
    let pytorch = "file=a.pt&alpha=1&seed=1";
    refused(pytorch, &good, unprocessable, &["PyTorch state dict"]).await;

    refused(
        "file=a.safetensors&alpha=101&seed=1",
        &good,
        unprocessable,
        &["alpha"],
    )
    .await;
    refused(
        "file=a.safetensors&alpha=NaN&seed=1",
        &good,
        unprocessable,
        &["alpha"],
    )
    .await;
    refused("file=%20&alpha=1&seed=1", &good, unprocessable, &["file"]).await;
    let seed = "file=a.safetensors&alpha=1&seed=9007199254740992";
    refused(seed, &good, unprocessable, &["seed"]).await;
    refused(
        &format!("{plain}&epochs=0"),
        &good,
        unprocessable,
        &["epochs"],
    )
    .await;
    refused(
        &format!("{plain}&std=0.2,0,0.2"),
        &good,
        unprocessable,
        &["std"],
    )
    .await;
    refused(
        &format!("{plain}&mean=0.5"),
        &good,
        unprocessable,
        &["mean"],
    )
    .await;
    refused("alpha=1&seed=1", &good, StatusCode::BAD_REQUEST, &["file"]).await;
    let taken = "file=a.safetensors&alpha=0&seed=0";
    refused(taken, &good, StatusCode::CONFLICT, &["run 1", "seed"]).await;
    import(&lab, 99, plain, &good)
        .await
        .refusal(StatusCode::NOT_FOUND);
    assert_eq!(folders(&lab), before);
    let all: Vec<Run> = lab
        .get(&format!("/experiments/{}/runs", experiment.id))
        .await;
    assert_eq!(all.len(), 1);

    // The same weights, whole, are taken.
    let answer = import(&lab, experiment.id, plain, &good).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    lab.finished(answer.json::<Run>().id).await;
}

fn make_old(path: &Path) {
    let folder = std::fs::File::open(path).unwrap();
    let day = std::time::Duration::from_secs(86_400);
    folder
        .set_modified(std::time::SystemTime::now() - day)
        .unwrap();
}

/// Breaks when an import that is cut off leaves a run without its file, or a file that stands in the next import's way or
/// stays for good; and when cleaning up takes anything of a run.
#[tokio::test]
async fn an_import_that_is_cut_off_leaves_nothing() {
    let lab = Lab::open().await;
    let (experiment, runs) = lab.launch(&small(&[0.0], 1)).await;
    let trained = lab.wait_for_end(runs[0]).await;
    let (store, directory) = (&lab.state.store, &lab.state.directory);
    let good = std::fs::read(directory.run(runs[0]).join("weights.safetensors")).unwrap();
    let next = runs[0] + 1;

    // Killed once the file is in place, before the store says so: the transaction is never ended.
    let mut spec = trained.spec.clone();
    spec.alpha = 1.0;
    let cut_off = store
        .import_run(ImportTarget::Experiment(experiment.id), &spec, |id| {
            assert_eq!(id, next);
            std::fs::create_dir(directory.run(id))?;
            std::fs::write(directory.run(id).join("imported.safetensors"), &good)?;
            Err(std::io::Error::other("killed"))
        })
        .await;
    assert!(matches!(cut_off, Err(StoreError::Place(_))));
    // Killed earlier, while the file came in.
    std::fs::create_dir(directory.runs().join(".importing-x")).unwrap();
    assert!(matches!(store.run(next).await, Err(StoreError::NoRun(_))));
    assert!(directory.run(next).is_dir());

    remove_abandoned(store, directory).await.unwrap();
    assert!(directory.run(next).is_dir(), "it may be at work right now");
    for name in [
        ".importing-x".to_owned(),
        next.to_string(),
        runs[0].to_string(),
    ] {
        make_old(&directory.runs().join(name));
    }
    remove_abandoned(store, directory).await.unwrap();
    assert_eq!(folders(&lab), [runs[0].to_string()]);
    assert!(directory.run(runs[0]).join("weights.safetensors").is_file());

    // An orphan that is not cleaned up yet does not stand in the way; a folder with results does.
    let plain = "file=a.safetensors&alpha=1&seed=1";
    std::fs::create_dir(directory.run(next)).unwrap();
    std::fs::write(directory.run(next).join("result.json"), "{}").unwrap();
    let error = import(&lab, experiment.id, plain, &good)
        .await
        .refusal(StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        error.detail.contains("of another store"),
        "{}",
        error.detail
    );
    std::fs::rename(
        directory.run(next).join("result.json"),
        directory.run(next).join("imported.pt"),
    )
    .unwrap();
    let answer = import(&lab, experiment.id, plain, &good).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    lab.finished(next).await;
}
