//! Dimensionality, input-unit gradients and single units by HTTP: numbers, files, exports and refusals.

use axum::http::{Method, StatusCode};
use protocol::attack::Attack;
use protocol::dimensionality::{ActivationMatrix, DimensionalitySpec, Perturbation};
use protocol::gradient::InputUnitGradientSpec;
use protocol::layer_measure::LayerProfiles;
use protocol::measure::Scatter;
use protocol::unit::{SelectivityOverTraining, UnitDetail, UnitGradients, UnitTable};
use protocol::{Corruption, EvaluationSpec, Measurement};

use crate::common::{Lab, fields, small};

fn geometry() -> EvaluationSpec {
    EvaluationSpec {
        dimensionality: Some(DimensionalitySpec {
            corruptions: vec![Corruption::GaussianNoise, Corruption::Contrast],
            severities: vec![1, 5],
            attacks: vec![Attack::pgd(8.0, 0.5, 3)],
            images: Some(40),
            activation_images: Some(10),
            ..DimensionalitySpec::source(None)
        }),
        input_unit_gradients: Some(InputUnitGradientSpec { images: 4 }),
        ..EvaluationSpec::default()
    }
}

/// Breaks when a number shown of a unit is of another unit or layer, images are not those that activate it, a
/// perturbation is lost, or a figure aggregates something else than the runs' measurements.
#[tokio::test]
async fn one_unit_is_followed_from_the_network_to_its_images() {
    let lab = Lab::open().await;
    let mut spec = small(&[0.0], 3);
    spec.seeds = vec![0, 1];
    spec.evaluation = geometry();
    let (experiment, runs) = lab.launch(&spec).await;
    let mut results = Vec::new();
    for &run in &runs {
        let run = lab.finished(run).await;
        results.push(run.result.unwrap());
    }
    let (id, result) = (runs[0], &results[0]);
    let measurements = lab.measurements(id).await;
    let dimensions: Vec<_> = measurements
        .iter()
        .filter_map(Measurement::dimensionality)
        .collect();
    assert_eq!(
        dimensions.len(),
        2 * 6,
        "clean, 4 corruptions, an attack; twice"
    );
    let clean = dimensions
        .iter()
        .find(|one| {
            one.perturbation == Perturbation::Clean && one.matrix == ActivationMatrix::Responses
        })
        .unwrap();
    assert_eq!(clean.conditions.to_string(), "generated.0.40");

    // From the network to a layer: the mean over two seeds is the mean of the two runs' own numbers.
    let profiles: LayerProfiles = lab
        .get(&format!(
            "/experiments/{}/layer-profiles?measure=dimensionality:responses:95:clean",
            experiment.id
        ))
        .await;
    assert_eq!((profiles.layers.len(), profiles.alphas.len()), (7, 1));
    assert_eq!((profiles.images, profiles.incomplete_runs), (Some(40), 0));
    assert!(profiles.has_activations);
    assert_eq!(profiles.known_attacks.len(), 1);
    let other = lab.measurements(runs[1]).await;
    let other = other
        .iter()
        .filter_map(Measurement::dimensionality)
        .find(|one| {
            one.perturbation == Perturbation::Clean && one.matrix == ActivationMatrix::Responses
        })
        .unwrap();
    for layer in 0..7 {
        let columns = f64::from(clean.columns[layer]);
        let sum = clean.components_95[layer] + other.components_95[layer];
        let mean = profiles.alphas[0].layers[layer].unwrap();
        assert!((mean.mean - f64::from(sum) / 2.0 / columns).abs() < 1e-12);
        assert_eq!(mean.n, 2);
    }
    let figure: Scatter = lab
        .get(&format!(
            "/experiments/{}/scatter?x=selectivity&y=layers:early:cv_across_units",
            experiment.id
        ))
        .await;
    assert_eq!((figure.points.len(), figure.y_images), (2, Some(4)));

    // To its units.
    let layer = "stage2.block1.relu2";
    let table: UnitTable = lab.get(&format!("/runs/{id}/units?layer={layer}")).await;
    assert_eq!((table.units.len(), table.layers.len()), (32, 7));
    assert_eq!(table.gradient_images, Some(4));
    let gradients: UnitGradients = lab.get(&format!("/runs/{id}/unit-gradients")).await;
    for (unit, summary) in table.units.iter().enumerate() {
        assert_eq!(summary.unit as usize, unit);
        assert_eq!(summary.selectivity, result.layers[4].units[unit]);
        let cv = gradients.layers[4].cv_across_samples[unit].map(f64::from);
        match (cv, summary.gradient_cv) {
            (Some(a), Some(b)) => assert!((a - b).abs() < 1e-6),
            (a, b) => assert_eq!(a, b),
        }
    }

    // To one of them.
    let alive = table.units.iter().find(|unit| unit.dead == Some(false));
    let unit = alive.expect("a unit responds").unit;
    let detail: UnitDetail = lab.get(&format!("/runs/{id}/units/{layer}/{unit}")).await;
    assert_eq!(detail.summary, table.units[unit as usize]);
    assert_eq!(detail.tuning.len(), 6);
    assert_eq!(detail.tuning[0].perturbation, Perturbation::Clean);
    let images: u32 = detail.tuning[0].images.iter().sum();
    assert_eq!((images, detail.tuning[0].images.len()), (40, 10));
    let total: f32 = detail.tuning[0]
        .mean
        .iter()
        .zip(&detail.tuning[0].images)
        .map(|(mean, &images)| mean * images as f32)
        .sum();
    let mean = detail.summary.mean_response.unwrap() as f32;
    assert!((total / 40.0 - mean).abs() < 2e-3 * (1.0 + mean), "{total}");
    assert_ne!(detail.tuning[0].mean, detail.tuning[5].mean);
    assert_eq!(detail.gradient_norms.len(), 4);
    assert_eq!(detail.selectivity_by_epoch.len(), 3);
    let most: Vec<f32> = detail
        .most_activating
        .iter()
        .map(|one| one.response)
        .collect();
    let least: Vec<f32> = detail
        .least_activating
        .iter()
        .map(|one| one.response)
        .collect();
    assert!(most.is_sorted_by(|a, b| a >= b) && least.is_sorted());
    assert!(most.len() == 12 && most[0] > 0.0 && most[0] >= mean && least[0] <= mean);
    for url in [
        detail.most_activating[0].url.clone(),
        detail.gradient_url.clone().unwrap(),
    ] {
        assert_eq!(lab.image(&url).await.dimensions(), (32, 32));
    }

    // And over training.
    let training: SelectivityOverTraining = lab
        .get(&format!("/runs/{id}/selectivity-over-training"))
        .await;
    assert_eq!(training.layers.len(), 7);
    let stem = &training.layers[0];
    assert_eq!((stem.units, stem.median.len()), (16, 3));
    for epoch in 0..3 {
        assert!(stem.quantile_05[epoch] <= stem.median[epoch]);
        assert!(stem.median[epoch] <= stem.quantile_95[epoch]);
    }

    // Files and tables.
    let artifacts: Vec<protocol::api::Artifact> = lab.get(&format!("/runs/{id}/artifacts")).await;
    let file = "dimensionality/generated.0.40/corruption.contrast.5.safetensors";
    let artifact = artifacts.iter().find(|one| one.name == file).unwrap();
    let answer = lab
        .ask(Method::GET, artifact.url.strip_prefix("/api/v1").unwrap())
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body.len() as u64, artifact.bytes);
    let rows = [
        ("dimensionality", 2 * 12 * 7),
        ("input_unit_gradients", 2 * 7),
    ];
    for (table, rows) in rows {
        let path = format!("/experiments/{}/export.csv?table={table}", experiment.id);
        let answer = lab.ask(Method::GET, &path).await;
        assert_eq!(answer.text().lines().count(), 1 + rows, "{table}");
    }
}

/// Breaks when a unit or layer that is not there, or was never measured, is an empty page or a crash instead of
/// an answer; or geometry that the test set is too small for is launched.
#[tokio::test]
async fn what_is_not_there_is_said() {
    let lab = Lab::open().await;
    let (experiment, runs) = lab.launch(&small(&[0.0], 1)).await;
    let id = runs[0];
    lab.wait_for_end(id).await;
    for path in [
        format!("/runs/{id}/units?layer=stage9"),
        format!("/runs/{id}/units/stem/16"),
        format!("/runs/{id}/units/stage9/0"),
        format!("/runs/{id}/units/stem/0/gradient.png"),
        format!("/runs/{id}/unit-gradients"),
        "/runs/999/units".into(),
        format!("/runs/{id}/artifacts/dimensionality/../weights.safetensors"),
    ] {
        let answer = lab.ask(Method::GET, &path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let path = format!("/experiments/{}/layer-profiles?measure=x", experiment.id);
    lab.refused(Method::GET, &path, StatusCode::BAD_REQUEST)
        .await;
    // Nothing measured: an empty figure, a unit without responses.
    let path = format!(
        "/experiments/{}/layer-profiles?measure=cv_across_units",
        experiment.id
    );
    let empty: LayerProfiles = lab.get(&path).await;
    assert_eq!((empty.alphas.len(), empty.incomplete_runs), (0, 1));
    let detail: UnitDetail = lab.get(&format!("/runs/{id}/units/stem/0")).await;
    assert!(detail.tuning.is_empty() && detail.gradient_url.is_none());
    assert_eq!(detail.selectivity_by_epoch.len(), 1);

    let mut spec = small(&[0.0], 1);
    spec.evaluation = geometry();
    if let Some(gradients) = &mut spec.evaluation.input_unit_gradients {
        gradients.images = 1_000_000;
    }
    if let Some(dimensionality) = &mut spec.evaluation.dimensionality {
        dimensionality.images = Some(1_000_000);
    }
    let refused = lab.unprocessable("/experiments", &spec).await;
    let fields = fields(&refused);
    assert_eq!(
        fields,
        [
            "evaluation.dimensionality.images",
            "evaluation.input_unit_gradients.images"
        ]
    );
}
