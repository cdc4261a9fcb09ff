//! Evaluations by HTTP: with the launch, again later, their numbers, samples, images and refusals.

use axum::http::{Method, StatusCode};
use protocol::api::{CorruptedSamplePage, EvaluationQueued};
use protocol::corruption_evaluation::{CorruptionMeasurement, CorruptionSource, CorruptionSpec};
use protocol::measure::Scatter;
use protocol::{Corruption, EvaluationSpec, Event, Measurement, RunState};

use crate::common::{Lab, corruptions, fields, small};

fn of_corruptions(measurements: Vec<Measurement>) -> Vec<CorruptionMeasurement> {
    measurements
        .iter()
        .filter_map(|measurement| measurement.corruption().cloned())
        .collect()
}

fn only(corruption: Corruption, severities: &[u8], images: u32) -> EvaluationSpec {
    EvaluationSpec {
        corruptions: Some(CorruptionSpec {
            corruptions: vec![corruption],
            severities: severities.to_vec(),
            ..CorruptionSpec::everything(Some(images))
        }),
        ..EvaluationSpec::default()
    }
}

/// Breaks when a corruption or severity is left out, a share is of another clean accuracy, samples are not
/// those that the numbers count, or the figure shows other numbers than were measured.
#[tokio::test]
async fn a_run_is_tested_on_every_corruption_and_shows_its_samples() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 3);
    spec.evaluation = corruptions(40);
    let (experiment, runs) = lab.launch(&spec).await;
    let id = runs[0];
    let run = lab.finished(id).await;
    let measured = of_corruptions(lab.get(&format!("/runs/{id}/measurements")).await);
    assert_eq!(measured.len(), 19 * 5);
    let clean = measured[0].clean_accuracy;
    for one in &measured {
        assert_eq!(one.conditions.to_string(), "generated.0.40");
        assert_eq!(one.clean_accuracy, clean);
        assert!((0.0..=1.0).contains(&one.accuracy) && one.cross_entropy.is_finite());
        assert_eq!((one.accuracy * 40.0).fract(), 0.0, "a share of 40 images");
    }

    // A sample's page counts what the accuracy counts.
    let page = |filter: &str| {
        format!(
            "/runs/{id}/corrupted-samples?conditions=generated.0.40&corruption=contrast&severity=5&filter={filter}&page_size=100"
        )
    };
    let all: CorruptedSamplePage = lab.get(&page("all")).await;
    let contrast = measured
        .iter()
        .find(|one| one.corruption == Corruption::Contrast && one.severity == 5)
        .unwrap();
    assert_eq!((all.total, all.images, all.samples.len()), (40, 40, 40));
    let right = all
        .samples
        .iter()
        .filter(|sample| sample.corrupted.right)
        .count();
    assert_eq!(right as f64 / 40.0, contrast.accuracy);
    let broken: CorruptedSamplePage = lab.get(&page("broken")).await;
    assert!(
        broken
            .samples
            .iter()
            .all(|sample| sample.clean.right && !sample.corrupted.right)
    );
    let expected = all
        .samples
        .iter()
        .filter(|sample| sample.clean.right && !sample.corrupted.right)
        .count();
    assert_eq!(broken.total as usize, expected);

    // Both images are there, and differ.
    let sample = &all.samples[7];
    let mut images = Vec::new();
    for url in [&sample.clean.url, &sample.corrupted.url] {
        let image = lab.image(url).await;
        assert_eq!(image.dimensions(), (32, 32));
        images.push(image);
    }
    assert_ne!(images[0], images[1]);

    let figure: Scatter = lab
        .get(&format!("/experiments/{}/scatter", experiment.id))
        .await;
    let mean = measured.iter().map(|one| one.accuracy).sum::<f64>() / 95.0;
    assert_eq!((figure.points.len(), figure.averaged_over), (1, 95));
    assert!((figure.points[0].y - mean).abs() < 1e-12);
    assert_eq!(figure.points[0].x, run.result.unwrap().selectivity);

    let table = lab
        .ask(
            Method::GET,
            &format!(
                "/experiments/{}/export.csv?table=corruptions",
                experiment.id
            ),
        )
        .await;
    assert_eq!(table.text().lines().count(), 1 + 95);
}

/// Breaks when evaluating again repeats or loses what was measured, changes the result, or a second set of
/// conditions is mixed with the first.
#[tokio::test]
async fn a_finished_run_is_evaluated_again_with_more() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 1);
    spec.evaluation = only(Corruption::Fog, &[1, 3], 20);
    let (experiment, runs) = lab.launch(&spec).await;
    let id = runs[0];
    let first = lab.finished(id).await;
    let measured = lab.measurements(id).await;
    assert_eq!(measured.len(), 2);
    let sequence = lab.state.store.last_sequence().await.unwrap();

    let answer = lab
        .post_value(
            &format!("/experiments/{}/evaluate", experiment.id),
            &only(Corruption::Fog, &[3, 5], 20),
        )
        .await;
    let queued: EvaluationQueued = answer.json();
    assert_eq!((queued.queued, queued.skipped), (1, 0));
    lab.finished(id).await;
    lab.evaluate(id, &only(Corruption::Fog, &[5], 30)).await;
    let again = lab.finished(id).await;
    assert_eq!(again.later_evaluations.len(), 2);
    assert_eq!(again.result, first.result);

    let after = lab.measurements(id).await;
    let keys: Vec<_> = after.iter().map(|one| one.key().to_string()).collect();
    assert_eq!(
        keys,
        [
            "corruption/generated.0.20/fog/1",
            "corruption/generated.0.20/fog/3",
            "corruption/generated.0.20/fog/5",
            "corruption/generated.0.30/fog/5",
        ]
    );
    for one in measured {
        assert!(after.contains(&one), "{} was measured anew", one.key());
    }
    // Each is published once, and nothing of the training again.
    let events = lab.events_after(sequence, id).await;
    let measurements = events
        .iter()
        .filter(|live| matches!(live.event, Event::Measured(_)))
        .count();
    assert_eq!(measurements, 2);
    assert!(
        !events
            .iter()
            .any(|live| matches!(live.event, Event::Epoch(_) | Event::Trained(_)))
    );
}

/// Breaks when photographs of frost that a spec names are not used, not named in the conditions, mixed with others', or
/// their samples cannot be seen; or when a folder that is not there is found out only by a run.
#[tokio::test]
async fn frost_is_of_the_photographs_that_a_spec_names() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 1);
    spec.evaluation = only(Corruption::Frost, &[3], 20);
    let photographs = |folder: &str| Some(folder.to_owned());
    spec.evaluation
        .corruptions
        .as_mut()
        .unwrap()
        .frost_photographs = photographs("ice");
    let refused = lab.unprocessable("/experiments", &spec).await;
    assert_eq!(refused.fields.len(), 1, "{refused:?}");
    let field = "evaluation.corruptions.frost_photographs";
    assert_eq!(refused.fields[0].field, field);
    let reason = &refused.fields[0].reason;
    assert!(reason.contains("put the photographs there"), "{reason}");

    let datasets = lab.state.directory.datasets().to_owned();
    for (folder, grey) in [("ice", 250), ("rime", 20)] {
        std::fs::create_dir_all(datasets.join(folder)).unwrap();
        let picture = image::RgbImage::from_pixel(200, 200, image::Rgb([grey; 3]));
        let file = datasets.join(folder).join("1.png");
        picture.save(file).unwrap();
    }
    let (_, runs) = lab.launch(&spec).await;
    let id = runs[0];
    lab.finished(id).await;
    let mut again = only(Corruption::Frost, &[3], 20);
    again.corruptions.as_mut().unwrap().frost_photographs = photographs("rime");
    lab.evaluate(id, &again).await;
    lab.finished(id).await;
    let measured = of_corruptions(lab.get(&format!("/runs/{id}/measurements")).await);
    let conditions: Vec<_> = measured.iter().map(|one| one.conditions).collect();
    assert_eq!(conditions.len(), 2);
    assert_ne!(conditions[0].frost, conditions[1].frost);
    assert!(conditions.iter().all(|one| one.frost.is_some()));

    // White frost brightens, dark frost hardly does: each sample is drawn with its own photographs.
    let mut brightness = Vec::new();
    for conditions in conditions {
        let page: CorruptedSamplePage = lab
            .get(&format!(
                "/runs/{id}/corrupted-samples?conditions={conditions}&corruption=frost&severity=3&filter=all"
            ))
            .await;
        let url = page.samples[0].corrupted.url.clone();
        let image = lab.image(&url).await;
        let sum: u32 = image.as_raw().iter().map(|&value| u32::from(value)).sum();
        brightness.push(sum / (3 * 32 * 32));
    }
    let apart = brightness[0].abs_diff(brightness[1]);
    assert!(apart > 40, "{brightness:?}");

    // Missing photographs are reported, not replaced.
    std::fs::remove_dir_all(datasets.join("ice")).unwrap();
    std::fs::remove_dir_all(datasets.join("rime")).unwrap();
    let page: CorruptedSamplePage = lab
        .get(&format!(
            "/runs/{id}/corrupted-samples?conditions={}&corruption=frost&severity=3&filter=all",
            measured[0].conditions
        ))
        .await;
    let url = &page.samples[0].corrupted.url;
    lab.ask(Method::GET, url.strip_prefix("/api/v1").unwrap())
        .await
        .refusal(StatusCode::UNPROCESSABLE_ENTITY);
}

/// Breaks when a clean and a corrupted image that are not the same one are set side by side, or subtracted.
#[tokio::test]
async fn the_published_tiny_imagenet_c_has_no_pairs() {
    use protocol::dimensionality::DimensionalitySpec;
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 1);
    spec.dataset = protocol::Dataset::TinyImagenet;
    let published = EvaluationSpec {
        dimensionality: Some(DimensionalitySpec {
            source: CorruptionSource::Published,
            ..DimensionalitySpec::source(Some(20))
        }),
        ..EvaluationSpec::default()
    };
    spec.evaluation = published.clone();
    for path in ["/experiments", "/estimates"] {
        let refused = lab.unprocessable(path, &spec).await;
        let reasons: Vec<_> = refused
            .fields
            .iter()
            .filter(|error| error.field == "evaluation.dimensionality.source")
            .collect();
        assert_eq!(reasons.len(), 1, "{refused:?}");
        assert!(reasons[0].reason.contains("other crops"), "{refused:?}");
    }
    // A run as it may be in a store: its samples are refused before anything is looked for.
    spec.evaluation.dimensionality = None;
    let id = lab.state.store.create_experiment(&spec).await.unwrap();
    let run = lab.state.store.runs(id).await.unwrap()[0].id;
    let refused = lab
        .refused(
            Method::GET,
            &format!(
                "/runs/{run}/corrupted-samples?conditions=published.0.20&corruption=fog&severity=1"
            ),
            StatusCode::CONFLICT,
        )
        .await;
    assert!(refused.detail.contains("other crops"), "{refused:?}");
    let refused = lab
        .unprocessable(&format!("/runs/{run}/evaluate"), &published)
        .await;
    let fields = fields(&refused);
    assert!(
        fields.contains(&"evaluation.dimensionality.source"),
        "{refused:?}"
    );
}

/// Breaks when something that cannot be evaluated is queued, or a wrong value is not named.
#[tokio::test]
async fn what_cannot_be_evaluated_is_refused() {
    let lab = Lab::open().await;
    let (_, runs) = lab.launch(&small(&[0.0], 1)).await;
    let id = runs[0];
    lab.finished(id).await;
    let path = format!("/runs/{id}/evaluate");
    let refused = async |spec: EvaluationSpec, field: &str| {
        let answer = lab.post_value(&path, &spec).await;
        let error = answer.refusal(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            error.fields.iter().any(|wrong| wrong.field == field),
            "{error:?}"
        );
    };
    refused(EvaluationSpec::default(), "evaluation").await;
    refused(
        only(Corruption::Fog, &[6], 20),
        "evaluation.corruptions.severities",
    )
    .await;
    refused(
        only(Corruption::Fog, &[1], 1_000_000),
        "evaluation.corruptions.images",
    )
    .await;
    let mut published = only(Corruption::Fog, &[1], 20);
    published.corruptions.as_mut().unwrap().source = CorruptionSource::Published;
    refused(published, "evaluation.corruptions.source").await;
    let unchanged = lab.run(id).await;
    assert_eq!(
        (unchanged.state, unchanged.later_evaluations.len()),
        (RunState::Finished, 0)
    );

    let spec = serde_json::to_vec(&only(Corruption::Fog, &[1], 20)).unwrap();
    lab.post_json("/runs/999/evaluate", spec.clone())
        .await
        .refusal(StatusCode::NOT_FOUND);
    let (_, endless) = lab.launch(&crate::common::endless(&[0.0])).await;
    lab.wait_for_epoch(endless[0]).await;
    let error = lab
        .post_json(&format!("/runs/{}/evaluate", endless[0]), spec)
        .await
        .refusal(StatusCode::CONFLICT);
    assert!(error.detail.contains("trained"), "{}", error.detail);
    lab.cancel(endless[0]).await;
    for path in [
        "/experiments/1/scatter?x=selectivty",
        "/experiments/1/scatter?conditions=some",
        "/runs/1/corrupted-samples?conditions=generated.0.20&corruption=fogg&severity=1",
        "/runs/1/corrupted-samples?conditions=generated.0.20&corruption=fog&severity=6",
    ] {
        lab.refused(Method::GET, path, StatusCode::BAD_REQUEST)
            .await;
    }
    lab.refused(
        Method::GET,
        "/runs/1/corrupted-samples?conditions=generated.0.20&corruption=fog&severity=1",
        StatusCode::NOT_FOUND,
    )
    .await;
    let none: Scatter = lab.get("/experiments/1/scatter").await;
    assert_eq!((none.points.len(), none.incomplete_runs), (0, 1));
}
