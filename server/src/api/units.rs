//! `/runs/{id}/units`: single units of a trained run, and statistics of all units.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use engine::studies::evaluations::{UnitGradients as KeptGradients, UnitResponses};
use engine::training::unit_selectivity::UnitSelectivity;
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::dimensionality::{ActivationMatrix, Perturbation};
use protocol::result::LayerShape;
use protocol::unit::{
    ActivatingImage, LayerQuantiles, LayerUnitGradients, SelectivityOverTraining, UnitDetail,
    UnitGradients, UnitSummary, UnitTable, UnitTuning,
};
use protocol::{LayerSelectivity, Measurement, Run, RunResult};

use super::json::{Id, PathParameters, QueryParameters};
use super::samples::test_image_url;
use super::{Answer, AppState, Refusal};
use statistics::quantile;

/// Which layer is asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LayerQuery {
    /// Name of the layer; the first when absent.
    #[serde(default)]
    layer: String,
}

/// A trained run, and which of its measurements unit pages show.
struct Subject {
    run: Run,
    result: RunResult,
    classes: Vec<String>,
    /// Where responses were kept, on the most images.
    conditions: Option<CorruptionConditions>,
    /// Perturbations with responses under `conditions`, clean first; without those whose images match no clean ones.
    perturbations: Vec<Perturbation>,
    /// Why some perturbations are left out.
    unmatched: Option<&'static str>,
    /// The most images that gradients were measured on.
    gradient_images: Option<u32>,
    directory: std::path::PathBuf,
}

impl Subject {
    async fn open(state: &AppState, id: i64) -> Result<Subject, Refusal> {
        let run = state.store.run(id).await?;
        let result = run.result.clone().ok_or_else(|| {
            Refusal::not_found(format!(
                "run {id} is not trained, so it has no units to look at"
            ))
        })?;
        let measurements = state.store.measurements(id).await?;
        let responses = || {
            measurements
                .iter()
                .filter_map(Measurement::dimensionality)
                .filter(|measured| measured.matrix == ActivationMatrix::Responses)
        };
        let conditions = responses()
            .filter(|measured| measured.perturbation == Perturbation::Clean)
            .map(|measured| measured.conditions)
            .max_by_key(|conditions| conditions.images);
        let mut perturbations: Vec<Perturbation> = responses()
            .filter(|measured| Some(measured.conditions) == conditions)
            .map(|measured| measured.perturbation)
            .collect();
        let unmatched = conditions
            .and_then(|conditions| conditions.source.unmatched(&run.spec.dataset))
            .filter(|_| perturbations.iter().any(is_corruption));
        if unmatched.is_some() {
            perturbations.retain(|perturbation| !is_corruption(perturbation));
        }
        perturbations.sort_by_key(|perturbation| match perturbation {
            Perturbation::Clean => (0, 0, 0, String::new()),
            Perturbation::Corruption {
                corruption,
                severity,
            } => (1, *corruption as u8, *severity, String::new()),
            Perturbation::Attack(attack) => (2, 0, 0, attack.to_string()),
        });
        let gradient_images = measurements
            .iter()
            .filter_map(Measurement::input_unit_gradients)
            .map(|measured| measured.images)
            .max();
        let classes = run
            .started
            .as_ref()
            .map_or(Vec::new(), |started| started.classes.clone());
        Ok(Subject {
            directory: state.directory.run(id),
            run,
            result,
            classes,
            conditions,
            perturbations,
            unmatched,
            gradient_images,
        })
    }

    /// Place, in forward order, of the layer called `name`.
    fn layer(&self, name: &str) -> Result<usize, Refusal> {
        let mut layers = self.result.layers.iter();
        layers.position(|layer| layer.name == name).ok_or_else(|| {
            Refusal::not_found(format!(
                "run {} has no layer `{name}`; the first is `{}`",
                self.run.id,
                self.result.layers.first().map_or("", |layer| &layer.name)
            ))
        })
    }

    /// Number of the layer's first unit among those of all layers.
    fn first_unit(&self, layer: usize) -> usize {
        let before = self.result.layers[..layer].iter();
        before.map(|layer| layer.units.len()).sum()
    }

    fn responses(&self) -> Result<Option<UnitResponses>, Refusal> {
        Ok(match self.conditions {
            Some(conditions) => UnitResponses::load(&self.directory, conditions)?,
            None => None,
        })
    }

    /// The mean responses to each class of the unit at `place` among all layers', for each perturbation.
    fn tuning(&self, place: usize, responses: &UnitResponses) -> Result<Vec<UnitTuning>, Refusal> {
        let mut tuning = Vec::new();
        if let Some(conditions) = self.conditions {
            for &perturbation in &self.perturbations {
                let measured =
                    UnitResponses::tuning(&self.directory, conditions, perturbation, place)?;
                tuning.extend(measured.map(|measured| UnitTuning {
                    perturbation,
                    images: responses.class_images.clone(),
                    mean: measured.class_means,
                    standard_error: measured.class_standard_errors,
                    selectivity: measured.selectivity,
                }));
            }
        }
        Ok(tuning)
    }

    fn gradients(&self, layer: &str) -> Result<Option<KeptGradients>, Refusal> {
        Ok(match self.gradient_images {
            Some(images) => KeptGradients::load(&self.directory, images, layer)?,
            None => None,
        })
    }
}

fn is_corruption(perturbation: &Perturbation) -> bool {
    matches!(perturbation, Perturbation::Corruption { .. })
}

/// The numbers of a layer's units, in order.
fn summaries(
    layer: &LayerSelectivity,
    first: usize,
    responses: Option<&UnitResponses>,
    gradients: Option<&KeptGradients>,
) -> Vec<UnitSummary> {
    let variability = gradients.map(KeptGradients::variability);
    layer
        .units
        .iter()
        .zip(&layer.preferred_class)
        .enumerate()
        .map(|(unit, (&selectivity, &preferred_class))| {
            let most = responses.and_then(|kept| kept.most_activating.get(first + unit));
            UnitSummary {
                unit: unit as u32,
                selectivity,
                preferred_class,
                dead: most.and_then(|most| Some(most.first()?.0 <= 0.0)),
                mean_response: responses
                    .and_then(|kept| kept.mean_responses.get(first + unit))
                    .map(|&mean| f64::from(mean)),
                gradient_norm: variability
                    .as_ref()
                    .and_then(|variability| variability.mean_norms.get(unit).copied()),
                gradient_cv: variability
                    .as_ref()
                    .and_then(|variability| *variability.cv_across_samples.get(unit)?),
            }
        })
        .collect()
}

/// The units of one layer of a trained run, in numbers.
#[utoipa::path(get, path = "/runs/{id}/units", params(("id" = i64, Path), LayerQuery), responses((status = 200, body = UnitTable)))]
pub(super) async fn table(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<LayerQuery>,
) -> Answer<UnitTable> {
    let subject = Subject::open(&state, id).await?;
    let layer = match query.layer.as_str() {
        "" => 0,
        name => subject.layer(name)?,
    };
    tokio::task::spawn_blocking(move || {
        let layer_result = subject
            .result
            .layers
            .get(layer)
            .ok_or_else(|| Refusal::not_found("the network has no layers"))?;
        let (responses, gradients) = (subject.responses()?, subject.gradients(&layer_result.name)?);
        let first = subject.first_unit(layer);
        let layers = subject.result.layers.iter().map(|layer| LayerShape {
            name: layer.name.clone(),
            units: layer.units.len() as u32,
        });
        Ok(Json(UnitTable {
            layer: layer_result.name.clone(),
            layers: layers.collect(),
            units: summaries(layer_result, first, responses.as_ref(), gradients.as_ref()),
            classes: subject.classes.clone(),
            test_images: subject.result.test_images,
            gradient_images: gradients.map(|kept| kept.images as u32),
        }))
    })
    .await?
}

/// One unit, looked at closely.
#[utoipa::path(
    get,
    path = "/runs/{id}/units/{layer}/{unit}",
    params(("id" = i64, Path), ("layer" = String, Path, description = "name of the layer"), ("unit" = u32, Path, description = "from 0")),
    responses((status = 200, body = UnitDetail))
)]
pub(super) async fn detail(
    State(state): State<AppState>,
    PathParameters((id, layer, unit)): PathParameters<(i64, String, u32)>,
) -> Answer<UnitDetail> {
    let subject = Subject::open(&state, id).await?;
    let place = subject.layer(&layer)?;
    let units = subject.result.layers[place].units.len();
    if unit as usize >= units {
        return Err(Refusal::not_found(format!(
            "layer `{layer}` has units 0 to {}",
            units.saturating_sub(1)
        )));
    }
    let datasets = state.directory.datasets().to_owned();
    tokio::task::spawn_blocking(move || look_at(&subject, place, unit, &datasets).map(Json)).await?
}

/// Responses and images of each unit.
type Extremes = Vec<Vec<(f32, u32)>>;

fn look_at(
    subject: &Subject,
    layer: usize,
    unit: u32,
    datasets: &std::path::Path,
) -> Result<UnitDetail, Refusal> {
    let layer_result = &subject.result.layers[layer];
    let (responses, gradients) = (subject.responses()?, subject.gradients(&layer_result.name)?);
    let first = subject.first_unit(layer);
    let place = first + unit as usize;
    let summary = summaries(layer_result, first, responses.as_ref(), gradients.as_ref())
        .swap_remove(unit as usize);
    let tuning = match &responses {
        Some(responses) => subject.tuning(place, responses)?,
        None => Vec::new(),
    };
    let labels = engine::data::test_labels(&subject.run.spec.dataset, datasets)?;
    let images = |extremes: Option<&Vec<(f32, u32)>>| -> Vec<ActivatingImage> {
        extremes
            .into_iter()
            .flatten()
            .map(|&(response, index)| ActivatingImage {
                index,
                class: labels
                    .get(index as usize)
                    .and_then(|&label| subject.classes.get(label as usize).cloned())
                    .unwrap_or_default(),
                response,
                url: test_image_url(&subject.run.spec.dataset, index as usize),
            })
            .collect()
    };
    let extremes = |choose: fn(&UnitResponses) -> &Extremes| {
        images(responses.as_ref().and_then(|kept| choose(kept).get(place)))
    };
    let scale = gradients
        .as_ref()
        .and_then(|kept| kept.mean_gradient(unit as usize))
        .map(|gradient| f64::from(largest(gradient)));
    let over_training = UnitSelectivity::load(&subject.directory)?;
    let id = subject.run.id;
    Ok(UnitDetail {
        layer: layer_result.name.clone(),
        units: layer_result.units.len() as u32,
        summary,
        classes: subject.classes.clone(),
        conditions: responses.as_ref().and(subject.conditions),
        tuning,
        unmatched: subject.unmatched.map(str::to_owned),
        most_activating: extremes(|kept| &kept.most_activating),
        least_activating: extremes(|kept| &kept.least_activating),
        gradient_url: scale.map(|_| {
            format!(
                "/api/v1/runs/{id}/units/{}/{unit}/gradient.png",
                layer_result.name
            )
        }),
        gradient_scale: scale,
        gradient_images: gradients.as_ref().map(|kept| kept.images as u32),
        gradient_norms: gradients.as_ref().map_or(Vec::new(), |kept| {
            let norms = kept.norms.iter().skip(unit as usize).step_by(kept.units);
            norms.map(|&norm| norm as f32).collect()
        }),
        selectivity_by_epoch: over_training
            .epochs()
            .iter()
            .filter_map(|units| units.get(place).copied())
            .collect(),
        best_epoch: subject.result.best_epoch,
    })
}

fn largest(gradient: &[f32]) -> f32 {
    gradient
        .iter()
        .fold(0.0, |largest, value| value.abs().max(largest))
}

/// A unit's mean input gradient as PNG: each colour channel about middle grey, the largest magnitude at full scale.
#[utoipa::path(
    get,
    path = "/runs/{id}/units/{layer}/{unit}/gradient.png",
    params(("id" = i64, Path), ("layer" = String, Path), ("unit" = u32, Path)),
    responses((status = 200, content_type = "image/png", body = Vec<u8>))
)]
pub(super) async fn gradient_image(
    State(state): State<AppState>,
    PathParameters((id, layer, unit)): PathParameters<(i64, String, u32)>,
) -> Result<impl IntoResponse, Refusal> {
    let subject = Subject::open(&state, id).await?;
    subject.layer(&layer)?;
    let png = tokio::task::spawn_blocking(move || {
        let missing = || {
            Refusal::not_found(format!(
                "run {id} has no gradient of unit {unit} of {layer}"
            ))
        };
        let kept = subject.gradients(&layer)?.ok_or_else(missing)?;
        let gradient = kept.mean_gradient(unit as usize).ok_or_else(missing)?;
        let scale = largest(gradient).max(f32::MIN_POSITIVE);
        let values: Vec<f32> = gradient
            .iter()
            .map(|value| 0.5 + 0.5 * value / scale)
            .collect();
        Ok::<_, Refusal>(engine::data::values_png(&values, kept.height, kept.width)?)
    })
    .await??;
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, "private, max-age=60"),
    ];
    Ok((headers, png))
}

/// Variability of every unit's input gradient across samples, by layer.
#[utoipa::path(get, path = "/runs/{id}/unit-gradients", params(("id" = i64, Path)), responses((status = 200, body = UnitGradients)))]
pub(super) async fn gradients(State(state): State<AppState>, Id(id): Id) -> Answer<UnitGradients> {
    let subject = Subject::open(&state, id).await?;
    let images = subject.gradient_images.ok_or_else(|| {
        Refusal::not_found(format!(
            "run {id} has no input-unit gradients; evaluate it again"
        ))
    })?;
    tokio::task::spawn_blocking(move || {
        let mut layers = Vec::new();
        for layer in &subject.result.layers {
            let kept = subject.gradients(&layer.name)?.ok_or_else(|| {
                Refusal::not_found(format!(
                    "the gradients of {} are missing from run {id}",
                    layer.name
                ))
            })?;
            let variability = kept.variability();
            let each = variability.cv_across_samples.iter();
            layers.push(LayerUnitGradients {
                layer: layer.name.clone(),
                cv_across_samples: each.map(|cv| cv.map(|cv| cv as f32)).collect(),
                cv_across_units: variability.cv_across_units,
            });
        }
        Ok(Json(UnitGradients { images, layers }))
    })
    .await?
}

/// How the selectivity of each layer's units was distributed after every epoch, on the clean validation images.
#[utoipa::path(get, path = "/runs/{id}/selectivity-over-training", params(("id" = i64, Path)), responses((status = 200, body = SelectivityOverTraining)))]
pub(super) async fn over_training(
    State(state): State<AppState>,
    Id(id): Id,
) -> Answer<SelectivityOverTraining> {
    let run = state.store.run(id).await?;
    let directory = state.directory.run(id);
    let missing = || {
        Refusal::not_found(format!(
            "run {id} has no selectivity of units by epoch: no epoch is finished, or the run was trained before this was kept"
        ))
    };
    let started = run.started.ok_or_else(missing)?;
    let kept = tokio::task::spawn_blocking(move || UnitSelectivity::load(&directory)).await??;
    if kept.epochs().is_empty() {
        return Err(missing());
    }
    let mut first = 0;
    let layers = started.layers.iter().map(|layer| {
        let units = first..first + layer.units as usize;
        first = units.end;
        let mut quantiles = LayerQuantiles {
            layer: layer.name.clone(),
            units: layer.units,
            quantile_05: vec![],
            quantile_25: vec![],
            median: vec![],
            quantile_75: vec![],
            quantile_95: vec![],
        };
        for epoch in kept.epochs() {
            let mut values: Vec<f64> = epoch
                .get(units.clone())
                .unwrap_or_default()
                .iter()
                .map(|&value| f64::from(value))
                .collect();
            let mut at = |share| quantile(&mut values, share).map(|value| value as f32);
            quantiles.quantile_05.extend(at(0.05));
            quantiles.quantile_25.extend(at(0.25));
            quantiles.median.extend(at(0.5));
            quantiles.quantile_75.extend(at(0.75));
            quantiles.quantile_95.extend(at(0.95));
        }
        quantiles
    });
    Ok(Json(SelectivityOverTraining {
        layers: layers.collect(),
        validation_images: started.validation_images,
    }))
}
