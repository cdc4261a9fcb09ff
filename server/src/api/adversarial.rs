//! What attacks did to single images of a run.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use engine::EngineError;
use engine::data::SplitName;
use engine::studies::evaluations::{AttackPredictions, KEPT_IMAGES, Predictions};
use protocol::Measurement;
use protocol::api::{AdversarialSample, AdversarialSamplePage, Fall, SampleFilter};
use protocol::attack::{Attack, AttackConditions, Method};

use super::images::png_answer;
use super::json::{Id, QueryParameters, check_page, first_page, parse, parse_any};
use super::samples::{Labels, encoded, page_of, read_with_labels, test_image_url, usual_page_size};
use super::{Answer, AppState, Refusal};

/// Which samples are asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SamplesQuery {
    /// Conditions, as in a measurement's key; those of the run's first attack when absent.
    #[serde(default)]
    conditions: String,
    /// The attack, as in a measurement's key, for example `fgsm:linf:2/255`; the run's first when absent.
    #[serde(default)]
    attack: String,
    /// `broken`, `robust`, `mended` or `all`.
    #[serde(default)]
    filter: SampleFilter,
    /// Page, from 1.
    #[serde(default = "first_page")]
    #[param(value_type = i64, minimum = 1, maximum = 4294967295_u32)]
    page: u32,
    /// Samples a page, 1 to 100.
    #[serde(default = "usual_page_size")]
    #[param(minimum = 1, maximum = 100)]
    page_size: u32,
}

/// The conditions and the attack that are shown.
struct Choice {
    conditions: AttackConditions,
    attack: Attack,
    /// FGSM under the same conditions, by ascending radius, to find where each image falls.
    sweep: Vec<Attack>,
}

impl Choice {
    /// The requested attack, or the run's first; `None` if the run was not attacked.
    async fn of_run(
        state: &AppState,
        run: i64,
        query: &SamplesQuery,
    ) -> Result<Option<Choice>, Refusal> {
        let measurements = state.store.measurements(run).await?;
        let attacked: Vec<_> = measurements
            .iter()
            .filter_map(Measurement::attack)
            .collect();
        let Some(first) = attacked.first() else {
            return Ok(None);
        };
        let conditions = parse_any(&query.conditions)?.unwrap_or(first.conditions);
        let attack = parse_any(&query.attack)?.unwrap_or(first.attack);
        let radii = attacked
            .iter()
            .filter(|one| one.conditions == conditions && one.attack.method == Method::Fgsm);
        let mut sweep: Vec<Attack> = radii.map(|one| one.attack).collect();
        sweep.sort_by(|a, b| a.epsilon.total_cmp(&b.epsilon));
        Ok(Some(Choice {
            conditions,
            attack,
            sweep,
        }))
    }
}

/// The run's predictions for the attacked images.
struct Answers {
    indices: Vec<usize>,
    clean: Predictions,
    adversarial: Predictions,
    /// Predictions under FGSM, by ascending radius.
    falls: Vec<(f64, Predictions)>,
    labels: Labels,
}

impl Answers {
    fn is_right(&self, predictions: &Predictions, place: usize) -> bool {
        self.labels
            .is_right(predictions, place, self.indices[place])
    }

    /// The least radius of FGSM at which the image at `place` is misclassified.
    fn fall(&self, place: usize) -> Fall {
        if !self.is_right(&self.clean, place) {
            return Fall::WrongWhenClean;
        }
        let mut falls = self.falls.iter();
        let fallen = falls.find(|(_, predictions)| !self.is_right(predictions, place));
        fallen.map_or(Fall::Never, |&(epsilon, _)| Fall::At { epsilon })
    }
}

/// A run's predictions for test images, clean and attacked, where the adversarial image was kept.
#[utoipa::path(get, path = "/runs/{id}/adversarial-samples", params(("id" = i64, Path), SamplesQuery), responses((status = 200, body = AdversarialSamplePage)))]
pub(super) async fn samples(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<SamplesQuery>,
) -> Answer<AdversarialSamplePage> {
    check_page(query.page, query.page_size, 100)?;
    let run = state.store.run(id).await?;
    let missing = |what: &str| Refusal::not_found(format!("run {id} {what}"));
    let Choice {
        conditions,
        attack,
        sweep,
    } = Choice::of_run(&state, id, &query)
        .await?
        .ok_or_else(|| missing("was not attacked"))?;
    let dataset = run.spec.dataset.clone();
    let attacks: Vec<Attack> = std::iter::once(attack).chain(sweep.clone()).collect();
    let read = read_with_labels(&state, run, move |folder, labels| {
        Ok(AttackPredictions::load(
            folder, conditions, &attacks, labels,
        )?)
    });
    let (predictions, labels) = read
        .await?
        .ok_or_else(|| missing("has no predictions under these conditions"))?;
    let mut by_attack = predictions.adversarial.into_iter();
    let adversarial = by_attack
        .next()
        .flatten()
        .ok_or_else(|| missing(&format!("was not attacked with {attack}")))?;
    let falls = sweep.iter().zip(by_attack);
    let answers = Answers {
        falls: falls
            .filter_map(|(attack, predictions)| Some((attack.epsilon, predictions?)))
            .collect(),
        indices: predictions.indices,
        clean: predictions.clean,
        adversarial,
        labels,
    };
    let kept = answers.indices.len().min(KEPT_IMAGES);
    let chosen: Vec<usize> = (0..kept)
        .filter(|&place| {
            let right = |predictions| answers.is_right(predictions, place);
            let (clean, adversarial) = (&answers.clean, &answers.adversarial);
            query.filter.takes(right(clean), right(adversarial))
        })
        .collect();
    let encoded = encoded(attack);
    let image = |place: usize, show: &str| {
        format!(
            "/api/v1/runs/{id}/adversarial.png?conditions={conditions}&attack={encoded}&place={place}&show={show}"
        )
    };
    let sample = |&place: &usize| {
        let index = answers.indices[place];
        let prediction =
            |predictions, url| answers.labels.prediction(predictions, place, index, url);
        AdversarialSample {
            index: index as u32,
            class: answers.labels.class_of(index),
            clean: prediction(&answers.clean, test_image_url(&dataset, index)),
            adversarial: prediction(&answers.adversarial, image(place, "adversarial")),
            perturbation_url: image(place, "perturbation"),
            falls_at: answers.fall(place),
        }
    };
    let samples = page_of(&chosen, query.page, query.page_size).map(sample);
    Ok(Json(AdversarialSamplePage {
        samples: samples.collect(),
        total: chosen.len() as u32,
        kept: kept as u32,
        images: answers.indices.len() as u32,
    }))
}

/// Which image is asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ImageQuery {
    /// Conditions, as in a measurement's key.
    #[serde(default)]
    conditions: String,
    /// The attack, as in a measurement's key.
    #[serde(default)]
    attack: String,
    /// Place among the attacked images, from 0.
    #[serde(default)]
    place: usize,
    /// `adversarial`, or `perturbation`: the change, magnified so that the attack's radius fills the range, on grey.
    #[serde(default)]
    #[param(pattern = "^(adversarial|perturbation)?$")]
    show: String,
}

/// An adversarial image, or what it changes, as PNG.
#[utoipa::path(get, path = "/runs/{id}/adversarial.png", params(("id" = i64, Path), ImageQuery), responses((status = 200, content_type = "image/png", body = Vec<u8>)))]
pub(super) async fn image(
    State(state): State<AppState>,
    Id(id): Id,
    QueryParameters(query): QueryParameters<ImageQuery>,
) -> Result<impl IntoResponse, Refusal> {
    let conditions: AttackConditions = parse(&query.conditions)?;
    let attack: Attack = parse(&query.attack)?;
    let run = state.store.run(id).await?;
    let missing = || Refusal::not_found(format!("run {id} did not keep this image"));
    let (run_directory, datasets) = (
        state.directory.run(id),
        state.directory.datasets().to_owned(),
    );
    let png = tokio::task::spawn_blocking(move || {
        let kept = AttackPredictions::image(&run_directory, conditions, attack, query.place)?;
        let Some(adversarial) = kept else {
            return Ok(None);
        };
        let images = conditions.images as usize;
        let labels = engine::data::test_labels(&run.spec.dataset, &datasets)?;
        let index = engine::studies::evaluations::spread(&labels, images)
            .get(query.place)
            .copied()
            .unwrap_or_default();
        let values = match query.show.as_str() {
            "perturbation" => {
                let clean =
                    engine::data::unit_image(&run.spec.dataset, &datasets, SplitName::Test, index)?;
                let largest = clean
                    .iter()
                    .zip(&adversarial)
                    .map(|(clean, adversarial)| (adversarial - clean).abs())
                    .fold(f32::MIN_POSITIVE, f32::max);
                let radius = match attack.norm {
                    protocol::attack::Norm::Linf => attack.epsilon as f32,
                    protocol::attack::Norm::L2 => largest,
                };
                clean
                    .iter()
                    .zip(&adversarial)
                    .map(|(clean, adversarial)| 0.5 + 0.5 * (adversarial - clean) / radius)
                    .collect()
            }
            _ => adversarial,
        };
        engine::data::unit_image_png(&run.spec.dataset, &datasets, &values)
            .map(Some)
            .map_err(EngineError::from)
    })
    .await??
    .ok_or_else(missing)?;
    Ok(png_answer(png))
}
