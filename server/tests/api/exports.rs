//! What was measured leaves as CSV, Parquet and JSON, number for number.

use axum::body::Bytes;
use axum::http::{Method, StatusCode, header};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use protocol::Run;
use protocol::api::{Artifact, ExperimentSummary, RunMetrics};
use protocol::export::ExportTable;
use serde_json::Value;

use crate::common::{Lab, small};
use crate::findings::everything;

/// The header and the rows of a CSV, each as long as the header.
async fn table(lab: &Lab, path: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let answer = lab.ask(Method::GET, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "text/csv; charset=utf-8"
    );
    let name = answer.headers[header::CONTENT_DISPOSITION]
        .to_str()
        .unwrap();
    assert!(
        name.starts_with("attachment; filename=\"") && name.ends_with(".csv\""),
        "{name}"
    );
    let mut reader = csv::Reader::from_reader(&answer.body[..]);
    let strings = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let header = strings(reader.headers().unwrap());
    let rows = reader
        .records()
        .map(|record| strings(&record.unwrap()))
        .collect();
    (header, rows)
}

/// The same for a Parquet file, its values written as CSV writes them.
async fn parquet_table(lab: &Lab, path: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let answer = lab.ask(Method::GET, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "application/vnd.apache.parquet"
    );
    let reader = SerializedFileReader::new(Bytes::from(answer.body)).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr();
    let header = schema.columns().iter();
    let header = header.map(|column| column.name().to_owned()).collect();
    let written = |field: &Field| match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Long(value) => value.to_string(),
        Field::Double(value) => value.to_string(),
        Field::Float(value) => value.to_string(),
        other => panic!("{other:?}"),
    };
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        row.get_column_iter()
            .map(|(_, value)| written(value))
            .collect()
    });
    (header, rows.collect())
}

/// A column of a table, as numbers.
fn numbers((header, rows): &(Vec<String>, Vec<Vec<String>>), name: &str) -> Vec<f64> {
    let column = header
        .iter()
        .position(|column| column == name)
        .unwrap_or_else(|| panic!("no column {name}"));
    rows.iter()
        .map(|row| row[column].parse().unwrap())
        .collect()
}

/// Broken by: rows of the wrong run, epoch or unit, a number rounded on its way, a column beside
/// its header, or a preferred class given as another's name.
#[tokio::test]
async fn tables_have_every_row_and_every_digit() {
    let lab = Lab::with_slots(2).await;
    let (experiment, ids) = lab.launch(&small(&[-1.0, 1.0], 2)).await;
    let mut runs = Vec::new();
    for &id in &ids {
        let run = lab.finished(id).await;
        runs.push(run);
    }
    let results: Vec<_> = runs
        .iter()
        .map(|run| run.result.as_ref().unwrap())
        .collect();
    let path = format!("/experiments/{}", experiment.id);

    let exported = table(&lab, &format!("{path}/export.csv")).await;
    assert_eq!(
        exported,
        table(&lab, &format!("{path}/export.csv?table=runs")).await
    );
    assert_eq!(numbers(&exported, "run"), [ids[0] as f64, ids[1] as f64]);
    assert_eq!(numbers(&exported, "alpha"), [-1.0, 1.0]);
    assert_eq!(
        numbers(&exported, "test_accuracy"),
        [results[0].test_accuracy, results[1].test_accuracy]
    );
    assert_eq!(
        numbers(&exported, "selectivity"),
        [results[0].selectivity, results[1].selectivity]
    );

    let metrics: Vec<RunMetrics> = lab.get(&format!("{path}/metrics")).await;
    let exported = table(&lab, &format!("{path}/export.csv?table=epochs")).await;
    assert_eq!(numbers(&exported, "epoch"), [1.0, 2.0, 1.0, 2.0]);
    let losses: Vec<f64> = metrics
        .iter()
        .flat_map(|run| &run.epochs)
        .map(|epoch| epoch.train_loss)
        .collect();
    assert_eq!(numbers(&exported, "train_loss_nats"), losses);
    let of_run = table(&lab, &format!("/runs/{}/export.csv", ids[1])).await;
    assert_eq!(numbers(&of_run, "train_loss_nats"), losses[2..]);

    let exported = table(&lab, &format!("{path}/export.csv?table=units")).await;
    let units: Vec<f64> = results
        .iter()
        .flat_map(|result| &result.layers)
        .flat_map(|layer| &layer.units)
        .map(|&unit| unit.to_string().parse().unwrap())
        .collect();
    assert!(units.len() > 100);
    assert_eq!(numbers(&exported, "selectivity"), units);
    let classes = &runs[0].started.as_ref().unwrap().classes;
    let last = results[1].layers.last().unwrap();
    let row = exported.1.last().unwrap();
    assert_eq!(row[4], last.name);
    assert_eq!(
        row[7],
        classes[*last.preferred_class.last().unwrap() as usize]
    );
    let of_run = table(&lab, &format!("/runs/{}/export.csv?table=units", ids[0])).await;
    assert_eq!(of_run.1, exported.1[..units.len() / 2]);

    for wrong in [
        format!("{path}/export.csv?table=layers"),
        format!("{path}/export.parquet?table=layers"),
        format!("/runs/{}/export.csv?table=runs", ids[0]),
        format!("/runs/{}/export.parquet?table=runs", ids[0]),
    ] {
        lab.refused(Method::GET, &wrong, StatusCode::BAD_REQUEST)
            .await;
    }

    let export: Value = lab.get(&format!("{path}/export.json")).await;
    let exported: Vec<Run> = serde_json::from_value(export["runs"].clone()).unwrap();
    assert_eq!(exported, runs);
    assert_eq!(
        serde_json::from_value::<Vec<RunMetrics>>(export["epochs"].clone()).unwrap(),
        metrics
    );
    let summary: ExperimentSummary = lab.get(&format!("{path}/summary")).await;
    assert_eq!(
        serde_json::from_value::<ExperimentSummary>(export["summary"].clone()).unwrap(),
        summary
    );
    assert_eq!(
        summary
            .alphas
            .iter()
            .map(|entry| entry.alpha)
            .collect::<Vec<_>>(),
        [-1.0, 1.0]
    );
    assert_eq!(summary.alphas[1].selectivity.mean, results[1].selectivity);
    assert_eq!(
        (
            summary.alphas[1].selectivity.n,
            summary.alphas[1].selectivity.interval
        ),
        (1, None)
    );
}

/// Broken by: a list of files that leaves one out or invents one, a download of other bytes than are
/// on disk, or a way to any other file.
#[tokio::test]
async fn a_run_hands_out_its_files_and_no_others() {
    let lab = Lab::open().await;
    let (_, ids) = lab.launch(&small(&[0.0], 1)).await;
    lab.finished(ids[0]).await;
    let artifacts: Vec<Artifact> = lab.get(&format!("/runs/{}/artifacts", ids[0])).await;
    for name in [
        engine::training::run_folder::WEIGHTS_FILE,
        engine::training::run_folder::RESULT_FILE,
    ] {
        assert!(
            artifacts.iter().any(|artifact| artifact.name == name),
            "{artifacts:?} lacks {name}"
        );
    }
    let folder = lab.state.directory.run(ids[0]);
    for artifact in &artifacts {
        let answer = lab
            .ask(Method::GET, artifact.url.strip_prefix("/api/v1").unwrap())
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", artifact.url);
        assert_eq!(
            answer.body,
            std::fs::read(folder.join(&artifact.name)).unwrap()
        );
        assert_eq!(answer.body.len() as u64, artifact.bytes);
    }
    std::fs::write(folder.join("private"), "secret").unwrap();
    for name in ["private", "..%2F..%2Fstore.sqlite", "%2Fetc%2Fpasswd", ".."] {
        lab.refused(
            Method::GET,
            &format!("/runs/{}/artifacts/{name}", ids[0]),
            StatusCode::NOT_FOUND,
        )
        .await;
    }
}

/// Broken by: a Parquet column with another's values, a value that its column's type loses, or a table that lacks rows in
/// one format.
#[tokio::test]
async fn parquet_says_what_csv_says() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 1);
    spec.evaluation = everything();
    let (experiment, ids) = lab.launch(&spec).await;
    lab.finished(ids[0]).await;
    let roots = [
        format!("/experiments/{}", experiment.id),
        format!("/runs/{}", ids[0]),
    ];
    for root in roots {
        for name in ExportTable::ALL {
            if root.starts_with("/runs") && name == ExportTable::Runs {
                continue; // Only for experiments.
            }
            let written = table(&lab, &format!("{root}/export.csv?table={name}")).await;
            let read = parquet_table(&lab, &format!("{root}/export.parquet?table={name}")).await;
            assert!(!written.1.is_empty(), "{root} {name}");
            assert_eq!(read, written, "{root} {name}");
        }
    }
}
