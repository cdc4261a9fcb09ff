//! What attacks did to single images of a run.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use engine::data::SplitName;
use engine::evaluations::{AttackPredictions, KEPT_IMAGES, Predictions};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::Measurement;
use protocol::api::{AdversarialSample, AdversarialSamplePage, Fall, Prediction, SampleFilter};
use protocol::attack::{Attack, AttackConditions, Method, UnknownAttack};
use protocol::evaluation::UnknownConditions;
use protocol::problem::ErrorCode;

use super::json::{Asked, Id};
use super::{AppState, Refusal};

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
    #[serde(default = "one")]
    #[param(value_type = i64, minimum = 1, maximum = 4294967295_u32)]
    page: u32,
    /// Samples a page, 1 to 100.
    #[serde(default = "twelve")]
    #[param(minimum = 1, maximum = 100)]
    page_size: u32,
}

fn one() -> u32 {
    1
}

fn twelve() -> u32 {
    12
}

fn bad(message: impl ToString) -> Refusal {
    Refusal::new(ErrorCode::InvalidParameter, message.to_string())
}

/// What a run said about test images, clean and attacked; of those whose adversarial image was kept.
#[utoipa::path(get, path = "/runs/{id}/adversarial-samples", params(("id" = i64, Path), SamplesQuery), responses((status = 200, body = AdversarialSamplePage)))]
pub(super) async fn samples(
    State(state): State<AppState>,
    Id(id): Id,
    Asked(query): Asked<SamplesQuery>,
) -> Result<Json<AdversarialSamplePage>, Refusal> {
    if query.page == 0 || !(1..=100).contains(&query.page_size) {
        return Err(bad("page must be 1 or more, and page_size 1 to 100"));
    }
    let run = state.store.run(id).await?;
    let measured: Vec<_> = state
        .store
        .measurements(id)
        .await?
        .into_iter()
        .filter_map(|measurement| match measurement {
            Measurement::Attack(measured) => Some(measured),
            _ => None,
        })
        .collect();
    let missing = |what: &str| Refusal::not_found(format!("run {id} {what}"));
    let first = measured
        .first()
        .ok_or_else(|| missing("was not attacked"))?;
    let conditions: AttackConditions = match query.conditions.as_str() {
        "" => first.conditions,
        text => text
            .parse()
            .map_err(|error: UnknownConditions| bad(error))?,
    };
    let attack: Attack = match query.attack.as_str() {
        "" => first.attack,
        text => text.parse().map_err(|error: UnknownAttack| bad(error))?,
    };
    // The radii of FGSM, ascending: where each image falls.
    let mut sweep: Vec<Attack> = measured
        .iter()
        .filter(|one| one.conditions == conditions && one.attack.method == Method::Fgsm)
        .map(|one| one.attack)
        .collect();
    sweep.sort_by(|a, b| a.epsilon.total_cmp(&b.epsilon));
    let started = run.started.ok_or_else(|| missing("was not attacked"))?;
    let (run_directory, datasets) = (
        state.directory.run(id),
        state.directory.datasets().to_owned(),
    );
    let dataset = run.spec.dataset.clone();
    let test_images = started.test_images as usize;
    let mut attacks = vec![attack];
    attacks.extend(&sweep);
    let (predictions, labels) = tokio::task::spawn_blocking(move || {
        let labels = engine::data::test_labels(&dataset, &datasets)?;
        let predictions = AttackPredictions::load(&run_directory, conditions, &attacks, &labels)?;
        Ok::<_, engine::EngineError>((predictions, labels))
    })
    .await??;
    let predictions =
        predictions.ok_or_else(|| missing("has no predictions under these conditions"))?;
    let mut found = predictions.adversarial.into_iter();
    let adversarial = found
        .next()
        .flatten()
        .ok_or_else(|| missing(&format!("was not attacked with {attack}")))?;
    let falls: Vec<(f64, Predictions)> = sweep
        .iter()
        .zip(found)
        .filter_map(|(attack, found)| Some((attack.epsilon, found?)))
        .collect();
    if labels.len() != test_images {
        return Err(Refusal::new(
            ErrorCode::DataChanged,
            format!(
                "the test set has {} images now, and had {test_images} when the run began",
                labels.len()
            ),
        ));
    }

    let class = |label: u32| started.classes.get(label as usize).cloned();
    let right = |of: &Predictions, place: usize| {
        of.predicted.get(place) == Some(&labels[predictions.indices[place]])
    };
    let shown = predictions.indices.len().min(KEPT_IMAGES);
    let chosen: Vec<usize> = (0..shown)
        .filter(|&place| {
            query
                .filter
                .takes(right(&predictions.clean, place), right(&adversarial, place))
        })
        .collect();
    let dataset_id =
        utf8_percent_encode(&run.spec.dataset.to_string(), NON_ALPHANUMERIC).to_string();
    let encoded = utf8_percent_encode(&attack.to_string(), NON_ALPHANUMERIC).to_string();
    let image = |place: usize, show: &str| {
        format!(
            "/api/v1/runs/{id}/adversarial.png?conditions={conditions}&attack={encoded}&place={place}&show={show}"
        )
    };
    let first = (query.page - 1) as usize * query.page_size as usize;
    let samples = chosen
        .iter()
        .skip(first)
        .take(query.page_size as usize)
        .map(|&place| {
            let index = predictions.indices[place];
            let prediction = |of: &Predictions, url: String| Prediction {
                class: class(of.predicted[place]),
                confidence: of.confidence[place],
                right: right(of, place),
                url,
            };
            AdversarialSample {
                index: index as u32,
                class: class(labels[index]).unwrap_or_default(),
                clean: prediction(
                    &predictions.clean,
                    format!("/api/v1/datasets/{dataset_id}/images/test/{index}.png"),
                ),
                adversarial: prediction(&adversarial, image(place, "adversarial")),
                perturbation_url: image(place, "perturbation"),
                falls_at: if !right(&predictions.clean, place) {
                    Fall::WrongWhenClean
                } else {
                    let fallen = falls.iter().find(|(_, found)| !right(found, place));
                    fallen.map_or(Fall::Never, |&(epsilon, _)| Fall::At { epsilon })
                },
            }
        });
    Ok(Json(AdversarialSamplePage {
        samples: samples.collect(),
        total: chosen.len() as u32,
        kept: shown as u32,
        images: predictions.indices.len() as u32,
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
    Asked(query): Asked<ImageQuery>,
) -> Result<impl IntoResponse, Refusal> {
    let conditions: AttackConditions = query
        .conditions
        .parse()
        .map_err(|error: UnknownConditions| bad(error))?;
    let attack: Attack = query
        .attack
        .parse()
        .map_err(|error: UnknownAttack| bad(error))?;
    let run = state.store.run(id).await?;
    let missing = || Refusal::not_found(format!("run {id} kept no such image"));
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
        let index = engine::evaluations::spread(&labels, images)
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
            .map_err(engine::EngineError::from)
    })
    .await??
    .ok_or_else(missing)?;
    Ok((
        [
            (header::CONTENT_TYPE, "image/png"),
            (header::CACHE_CONTROL, "private, max-age=3600"),
        ],
        png,
    ))
}
