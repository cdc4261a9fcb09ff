//! The perturbation bench: changes one image and shows how trained networks respond, fast enough to be interactive.
//!
//! Networks and test sets stay loaded between questions, and PGD's trajectory is kept, so that one step more costs
//! one step. Always on the CPU: one image gives a GPU nothing to do.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burn::tensor::{Device, Tensor, TensorData};
use protocol::attack::{Attack, Method};
use protocol::perturbation_bench::{
    BenchAnswer, BenchImage, BenchNetwork, ClassProbability, ImageChange, LayerChange, UnitChange,
    UnitMaps,
};
use protocol::result::LayerShape;
use protocol::{Dataset, Network};
use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::attacks::{Attack as _, Ball, Fgsm, Norm, Pgd, Samples, Start, Target, distance};
use crate::base::host::host;
use crate::corruptions::Corruptor;
use crate::data::{ImageSet, TestSet, test_set, unit_values, values_png};
use crate::networks::{Model, ModelConfig, weights};

/// How many networks, and how many PGD trajectories, are kept.
const KEPT: usize = 12;

/// The seed of corruptions. It is the default of evaluations, so that both corrupt a test image alike unless an
/// evaluation chose another seed.
const SEED: u64 = 0;

/// How many of either image's classes are reported.
const LIKELIEST: usize = 5;

/// How many units of a layer are reported.
const UNITS: usize = 12;

/// A trained network, as its run left it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchSource {
    /// The run.
    pub run_id: i64,
    /// Its regulariser strength.
    pub alpha: f64,
    /// Its seed.
    pub seed: u64,
    /// The architecture.
    pub network: Network,
    /// The file with its weights.
    pub weights: PathBuf,
    /// Channel means it was trained with, where they are not the data set's.
    pub mean: Option<[f32; 3]>,
    /// Channel standard deviations, likewise.
    pub std: Option<[f32; 3]>,
}

/// The image that is changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BenchPicture {
    /// An image of the test set, by its index.
    Test(u32),
    /// The content of a PNG or JPEG file of any size, in base64; its middle is cut out and scaled to the data set's size.
    File(String),
}

/// A question to the bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchQuestion {
    /// The data set that the networks were trained on.
    pub dataset: Dataset,
    /// The networks.
    pub networks: Vec<BenchSource>,
    /// The image.
    pub picture: BenchPicture,
    /// What is done to it, as [`ImageChange`] is written.
    pub change: String,
    /// The layer whose units are reported; the last when absent.
    pub layer: Option<String>,
    /// The unit of that layer whose maps are shown; the one that moved most when absent.
    pub unit: Option<u32>,
}

/// Networks and images, kept loaded.
pub struct PerturbationBench {
    datasets: PathBuf,
    device: Device,
    /// The test set, with its data set.
    set: Option<(Dataset, TestSet)>,
    networks: Vec<Loaded>,
    trajectories: Vec<Trajectory>,
}

struct Loaded {
    source: BenchSource,
    model: Model,
    target: Target<'static>,
}

/// The image, and what is known of it.
struct Picture {
    /// `[3, height, width]`, 0 to 255.
    pixels: Vec<u8>,
    index: Option<u32>,
    label: Option<u32>,
}

/// PGD's trajectory against one network from one image, as far as it was computed.
struct Trajectory {
    source: BenchSource,
    pixels: Vec<u8>,
    /// The attack without its number of steps.
    attack: Attack,
    /// `[1, 3, height, width]` after 0, 1, … steps.
    images: Vec<Tensor<4>>,
}

impl PerturbationBench {
    /// A bench that finds data sets in the folder `datasets`.
    pub fn new(datasets: PathBuf) -> Self {
        PerturbationBench {
            datasets,
            device: Device::flex(),
            set: None,
            networks: Vec::new(),
            trajectories: Vec::new(),
        }
    }

    /// Changes the image as asked, against each network.
    ///
    /// # Errors
    /// When the data set is not installed, there is no such image, layer or unit, the file is no image, or a network cannot
    /// be loaded.
    pub fn answer(&mut self, question: &BenchQuestion) -> Result<BenchAnswer, EngineError> {
        let change: ImageChange = question
            .change
            .parse()
            .map_err(|error: protocol::perturbation_bench::UnknownImageChange| refuse(error))?;
        if self
            .set
            .as_ref()
            .is_none_or(|(dataset, _)| *dataset != question.dataset)
        {
            let set = test_set(&question.dataset, &self.datasets)?;
            // They may have been loaded for another set's classes.
            self.networks.clear();
            self.set = Some((question.dataset.clone(), set));
        }
        let picture = picture(self.set()?, &question.picture)?;
        let mut networks = Vec::with_capacity(question.networks.len());
        for source in &question.networks {
            let place = self.load(source)?;
            networks.push(self.network(place, &picture, change, question)?);
        }
        let set = self.set()?;
        let class = |label: u32| set.classes.get(label as usize).cloned();
        Ok(BenchAnswer {
            image: BenchImage {
                index: picture.index,
                class: picture.label.and_then(class),
                test_images: set.images.len() as u32,
                url: url(&unit_values(&picture.pixels), &set.images)?,
                height: set.images.height() as u32,
                width: set.images.width() as u32,
            },
            change: change.to_string(),
            networks,
        })
    }

    fn set(&self) -> Result<&TestSet, EngineError> {
        let set = self.set.as_ref().map(|(_, set)| set);
        set.ok_or_else(|| refuse("no data set is loaded"))
    }

    /// Loads the network if needed; returns its place in `networks`.
    fn load(&mut self, source: &BenchSource) -> Result<usize, EngineError> {
        if let Some(place) = self
            .networks
            .iter()
            .position(|loaded| loaded.source == *source)
        {
            return Ok(place);
        }
        let set = self.set()?;
        let config = ModelConfig {
            network: source.network,
            classes: set.classes.len(),
            mean: source.mean.unwrap_or(set.mean),
            std: source.std.unwrap_or(set.std),
        };
        config.check_images(set.images.height(), set.images.width())?;
        let model = weights::load(&config, &source.weights, &self.device)?;
        if self.networks.len() == KEPT {
            self.networks.remove(0);
        }
        self.networks.push(Loaded {
            source: source.clone(),
            target: Target::new(&model, &self.device),
            model,
        });
        Ok(self.networks.len() - 1)
    }

    fn network(
        &mut self,
        place: usize,
        picture: &Picture,
        change: ImageChange,
        question: &BenchQuestion,
    ) -> Result<BenchNetwork, EngineError> {
        let set = self.set()?;
        let (height, width) = (set.images.height(), set.images.width());
        let clean = unit_values(&picture.pixels);
        let device = self.device.clone();
        let tensor = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [1, 3, height, width]);
            Tensor::<4>::from_data(data, &device)
        };
        let changed = match change {
            ImageChange::None => clean.clone(),
            ImageChange::Corruption {
                corruption,
                severity,
            } => {
                let table = protocol::corruption::ParameterTable::for_size(height, width);
                let drawn = Corruptor::new(table, SEED);
                let index = u64::from(picture.index.unwrap_or(0));
                let pixels = &picture.pixels;
                let pixels = drawn.corrupt(corruption, severity, index, pixels, height, width);
                unit_values(&pixels)
            }
            ImageChange::Attack(attack) => {
                let attacked = self.attacked(place, picture, attack, tensor(&clean))?;
                host(attacked)
            }
        };
        let set = self.set()?;
        let loaded = &self.networks[place];
        let both = Tensor::cat(vec![tensor(&clean), tensor(&changed)], 0);
        let seen = ResponsePair::of(&loaded.model, both, question)?;
        let class = |index: usize| set.classes.get(index).cloned().unwrap_or_default();
        let [linf, l2] = [Norm::Linf, Norm::L2].map(|norm| distance(norm, &clean, &changed));
        let full_scale = match change {
            ImageChange::Attack(attack) if attack.norm == Norm::Linf => attack.epsilon,
            _ => linf,
        };
        let magnified: Vec<f32> = clean
            .iter()
            .zip(&changed)
            .map(|(clean, changed)| match full_scale > 0.0 {
                true => 0.5 + 0.5 * (changed - clean) / full_scale as f32,
                false => 0.5,
            })
            .collect();
        let classes = likeliest(&seen.probabilities)
            .into_iter()
            .map(|index| ClassProbability {
                class: class(index),
                clean: seen.probabilities[0][index],
                changed: seen.probabilities[1][index],
            });
        Ok(BenchNetwork {
            run_id: loaded.source.run_id,
            alpha: loaded.source.alpha,
            seed: loaded.source.seed,
            url: url(&changed, &set.images)?,
            change_url: url(&magnified, &set.images)?,
            full_scale,
            linf,
            l2,
            clean_class: class(largest(&seen.probabilities[0])),
            changed_class: class(largest(&seen.probabilities[1])),
            classes: classes.collect(),
            layers: seen.layers,
            units: seen.units,
            maps: seen.maps,
        })
    }

    /// The adversarial image `[1, 3, height, width]`, attacked against the image's class or, where that is unknown, the
    /// class that the network predicts.
    fn attacked(
        &mut self,
        place: usize,
        picture: &Picture,
        attack: Attack,
        clean: Tensor<4>,
    ) -> Result<Tensor<4>, EngineError> {
        let Loaded { source, target, .. } = &self.networks[place];
        let label = match picture.label {
            Some(label) => label,
            None => target
                .logits(clean.clone())?
                .prediction(0)
                .ok_or_else(|| refuse("the network's logits for this image are not finite"))?,
        };
        let index = picture.index.unwrap_or(0) as usize;
        let samples = Samples::new(clean.clone(), vec![label], vec![index], SEED)?;
        let ball = Ball::new(attack.norm, attack.epsilon)?;
        if attack.method == Method::Fgsm {
            return Ok(Fgsm { ball }.perturb(target, &samples)?);
        }
        let steps = attack.steps_made() as usize;
        let pgd = Pgd::new(
            ball,
            attack.step_size.unwrap_or_default(),
            steps,
            Start::Clean,
        )?;
        let without_steps = Attack {
            steps: None,
            ..attack
        };
        let known = self.trajectories.iter().position(|known| {
            known.attack == without_steps
                && known.source == *source
                && known.pixels == picture.pixels
        });
        let place = known.unwrap_or_else(|| {
            if self.trajectories.len() == KEPT {
                self.trajectories.remove(0);
            }
            self.trajectories.push(Trajectory {
                source: source.clone(),
                pixels: picture.pixels.clone(),
                attack: without_steps,
                images: vec![clean],
            });
            self.trajectories.len() - 1
        });
        let images = &mut self.trajectories[place].images;
        while images.len() <= steps {
            let next = pgd.step_from(target, &samples, images[images.len() - 1].clone())?;
            images.push(next);
        }
        Ok(images[steps].clone())
    }
}

/// The requested picture, in the size of the set's images.
fn picture(set: &TestSet, picture: &BenchPicture) -> Result<Picture, EngineError> {
    let images = &set.images;
    match picture {
        BenchPicture::Test(index) => {
            let place = *index as usize;
            let label = images.labels().get(place).ok_or_else(|| {
                refuse(format!(
                    "there is no test image {index}; there are {}, from 0",
                    images.len()
                ))
            })?;
            Ok(Picture {
                pixels: images.image(place).to_vec(),
                index: Some(*index),
                label: Some(*label),
            })
        }
        BenchPicture::File(text) => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|error| refuse(format!("the file did not come whole: {error}")))?;
            Ok(Picture {
                pixels: scaled(&bytes, images.height(), images.width())?,
                index: None,
                label: None,
            })
        }
    }
}

/// A network's outputs for two images, the clean one first.
struct ResponsePair {
    probabilities: [Vec<f64>; 2],
    layers: Vec<LayerChange>,
    units: Vec<UnitChange>,
    maps: Option<UnitMaps>,
}

impl ResponsePair {
    fn of(
        model: &Model,
        both: Tensor<4>,
        question: &BenchQuestion,
    ) -> Result<ResponsePair, EngineError> {
        let shapes = model.layers();
        let watched = match &question.layer {
            None => shapes.len() - 1,
            Some(name) => shapes
                .iter()
                .position(|shape| shape.name == *name)
                .ok_or_else(|| refuse(format!("the network has no layer `{name}`")))?,
        };
        let units = shapes[watched].units;
        if let Some(unit) = question.unit.filter(|&unit| unit >= units) {
            return Err(refuse(format!(
                "{} has no unit {unit}; it has {units}, from 0",
                shapes[watched].name
            )));
        }
        let (mut responses, mut maps) = (Vec::new(), None);
        let logits = model.forward_observed(both, &mut |activations| {
            if responses.len() == watched {
                maps = Some(activations.maps);
            }
            responses.push(host(activations.responses));
        });
        let logits = host(logits);
        let classes = logits.len() / 2;
        let moved = by_movement(&responses[watched]);
        let chosen_unit = question.unit.or(moved.first().map(|unit| unit.unit));
        Ok(ResponsePair {
            probabilities: [0, 1].map(|row| softmax(&logits[row * classes..][..classes])),
            layers: layer_changes(&shapes, &responses),
            maps: match (maps, chosen_unit) {
                (Some(maps), Some(unit)) => Some(unit_maps(maps, unit, &responses[watched])?),
                _ => None,
            },
            units: moved.into_iter().take(UNITS).collect(),
        })
    }
}

/// How far each layer's responses `[2, units]` moved.
fn layer_changes(shapes: &[LayerShape], responses: &[Vec<f32>]) -> Vec<LayerChange> {
    let length = |values: &mut dyn Iterator<Item = f64>| {
        values.map(|value| value * value).sum::<f64>().sqrt()
    };
    let layers = shapes.iter().zip(responses).map(|(shape, responses)| {
        let (clean, changed) = responses.split_at(responses.len() / 2);
        let clean_length = length(&mut clean.iter().map(|&value| f64::from(value)));
        let pairs = clean.iter().zip(changed);
        let change_length = length(&mut pairs.map(|(&a, &b)| f64::from(b) - f64::from(a)));
        LayerChange {
            layer: shape.name.clone(),
            relative: (clean_length > 0.0).then_some(change_length / clean_length),
        }
    });
    layers.collect()
}

/// The units of a layer with responses `[2, units]`, the one that moved farthest first.
fn by_movement(responses: &[f32]) -> Vec<UnitChange> {
    let mut units: Vec<UnitChange> = (0..responses.len() / 2)
        .map(|unit| unit_change(responses, unit as u32))
        .collect();
    let moved = |unit: &UnitChange| (unit.changed - unit.clean).abs();
    units.sort_by(|a, b| moved(b).total_cmp(&moved(a)));
    units
}

fn unit_change(responses: &[f32], unit: u32) -> UnitChange {
    let units = responses.len() / 2;
    UnitChange {
        unit,
        clean: responses[unit as usize],
        changed: responses[units + unit as usize],
    }
}

/// The maps of one unit, of maps `[2, units, height, width]`.
fn unit_maps(maps: Tensor<4>, unit: u32, responses: &[f32]) -> Result<UnitMaps, EngineError> {
    let [_, _, height, width] = maps.dims();
    let values = host(maps.narrow(1, unit as usize, 1));
    let largest = values.iter().copied().fold(0.0, f32::max);
    let picture = |row: usize| -> Result<String, EngineError> {
        let map = &values[row * height * width..][..height * width];
        let share = |value: f32| match largest > 0.0 {
            true => (value / largest).clamp(0.0, 1.0),
            false => 0.0,
        };
        let channel = |channel: usize| map.iter().map(move |&value| heat(share(value))[channel]);
        let planes: Vec<f32> = (0..3).flat_map(channel).collect();
        Ok(data_url(&values_png(&planes, height, width)?))
    };
    Ok(UnitMaps {
        unit: unit_change(responses, unit),
        clean_url: picture(0)?,
        changed_url: picture(1)?,
        largest,
        height: height as u32,
        width: width as u32,
    })
}

/// The colour of a share from 0 to 1: from near black over teal to a pale yellow, lighter throughout.
fn heat(share: f32) -> [f32; 3] {
    const STOPS: [[f32; 3]; 4] = [
        [0.05, 0.07, 0.10],
        [0.04, 0.36, 0.42],
        [0.36, 0.74, 0.60],
        [0.99, 0.97, 0.78],
    ];
    let place = share * (STOPS.len() - 1) as f32;
    let from = (place as usize).min(STOPS.len() - 2);
    let along = place - from as f32;
    std::array::from_fn(|channel| {
        STOPS[from][channel] + (STOPS[from + 1][channel] - STOPS[from][channel]) * along
    })
}

/// The classes among the likeliest of either image, the likeliest of the clean one first.
fn likeliest(probabilities: &[Vec<f64>; 2]) -> Vec<usize> {
    let order = |values: &[f64]| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        order.truncate(LIKELIEST);
        order
    };
    let mut classes = order(&probabilities[0]);
    for class in order(&probabilities[1]) {
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    classes
}

/// The place of the largest value, the first of equal ones.
fn largest(values: &[f64]) -> usize {
    let first_best = (0..values.len())
        .rev()
        .max_by(|&a, &b| values[a].total_cmp(&values[b]));
    first_best.unwrap_or(0)
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits
        .iter()
        .map(|&logit| f64::from(logit - largest).exp())
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The middle of an image file, square-cut to the shape `[3, height, width]` and scaled.
fn scaled(file: &[u8], height: usize, width: usize) -> Result<Vec<u8>, EngineError> {
    let image = image::load_from_memory(file)
        .map_err(|error| refuse(format!("the file is no image that can be read: {error}")))?;
    let image = image
        .resize_to_fill(
            width as u32,
            height as u32,
            image::imageops::FilterType::Lanczos3,
        )
        .to_rgb8();
    let channel = |channel: usize| image.pixels().map(move |pixel| pixel.0[channel]);
    Ok((0..3).flat_map(channel).collect())
}

fn url(values: &[f32], set: &ImageSet) -> Result<String, EngineError> {
    Ok(data_url(&values_png(values, set.height(), set.width())?))
}

fn data_url(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

fn refuse(reason: impl ToString) -> EngineError {
    EngineError::Bench {
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests;
