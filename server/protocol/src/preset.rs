//! Experiments to start from.

use serde::{Deserialize, Serialize};

use crate::attack::AttackSpec;
use crate::corruption_evaluation::CorruptionSpec;
use crate::dimensionality::DimensionalitySpec;
use crate::gradient::InputUnitGradientSpec;
use crate::spec::{Augmentation, DEFAULT_RETRIES, ExperimentSpec, TrainingSpec};
use crate::{Dataset, EvaluationSpec, ExecutorSpec, Network};

/// A ready-made experiment; every field can be edited before launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Preset {
    /// Stable name, for example `quick-look`.
    pub id: String,
    /// What a person calls it.
    pub title: String,
    /// What it is for and what it costs, in a sentence or two.
    pub description: String,
    /// The experiment.
    pub spec: ExperimentSpec,
}

/// The source's values of alpha: 0, dense near 0, out to -2 and 2 (arXiv 2010.07693, section 3).
pub const SOURCE_ALPHAS: [f64; 17] = [
    -2.0, -1.0, -0.7, -0.4, -0.3, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.7, 1.0, 2.0,
];

/// The presets, in the order in which the form lists them.
pub fn presets() -> Vec<Preset> {
    vec![
        quick_look(),
        cifar10_pilot(),
        cifar10(),
        tiny_imagenet_18(),
        tiny_imagenet_50(),
    ]
}

/// Every corruption at every severity on so many images, the source's attacks on half as many, and the geometry
/// behind them.
fn robustness(images: Option<u32>) -> EvaluationSpec {
    EvaluationSpec {
        dimensionality: Some(DimensionalitySpec::source(images)),
        input_unit_gradients: Some(InputUnitGradientSpec {
            images: images.map_or(200, |images| images / 4),
        }),
        corruptions: Some(CorruptionSpec::everything(images)),
        attacks: Some(AttackSpec {
            check_masking: images.is_none(),
            ..AttackSpec::source(images.map(|images| images / 2))
        }),
    }
}

fn quick_look() -> Preset {
    Preset {
        id: "quick-look".into(),
        title: "Quick look".into(),
        description: "ResNet8 on the built-in shapes, five alphas, three seeds. About ten minutes on two recent CPU cores. It shows what alpha does, but proves nothing.".into(),
        spec: ExperimentSpec {
            name: "Quick look".into(),
            notes: String::new(),
            network: Network::ResNet8,
            dataset: Dataset::Builtin,
            // 1 is too much for so few steps: the network hardly learns.
            alphas: vec![-1.0, -0.4, 0.0, 0.2, 0.4],
            seeds: vec![0, 1, 2],
            device: "cpu".into(),
            training: TrainingSpec {
                epochs: 6,
                batch_size: 64,
                learning_rate: 0.1,
                momentum: 0.9,
                weight_decay: 1e-4,
                learning_rate_milestones: vec![4],
                learning_rate_factor: 0.1,
                augmentation: Augmentation::CropFlip,
                validation_images_per_class: 50,
                train_images_per_class: Some(250),
            },
            // Geometry on fewer images than robustness, but more than a layer has units: a first look, in minutes.
            evaluation: EvaluationSpec {
                dimensionality: Some(DimensionalitySpec::source(Some(80))),
                input_unit_gradients: Some(InputUnitGradientSpec { images: 16 }),
                ..robustness(Some(150))
            },
            retries: DEFAULT_RETRIES,
            executor: ExecutorSpec::Local,
        },
    }
}

/// The set-up of the study in `docs/study.md`, which took the hours that the description names.
fn cifar10_pilot() -> Preset {
    let source = cifar10().spec;
    Preset {
        id: "cifar10-pilot".into(),
        title: "Pilot on a laptop: CIFAR-10".into(),
        description: "ResNet20 on all training images for 16 epochs, five alphas, five seeds: enough for verdicts. On two recent CPU cores, training takes about six hours and the tests one hour, as measured in our study.".into(),
        spec: ExperimentSpec {
            name: "CIFAR-10, ResNet20, pilot".into(),
            alphas: vec![-1.0, -0.4, 0.0, 0.2, 0.5],
            seeds: (0..5).collect(),
            training: TrainingSpec {
                epochs: 16,
                batch_size: 128,
                learning_rate_milestones: vec![8, 12],
                ..source.training
            },
            evaluation: EvaluationSpec {
                corruptions: Some(CorruptionSpec::everything(Some(1000))),
                attacks: Some(AttackSpec::source(Some(500))),
                dimensionality: Some(DimensionalitySpec::source(Some(500))),
                input_unit_gradients: Some(InputUnitGradientSpec { images: 100 }),
            },
            ..source
        },
    }
}

fn cifar10() -> Preset {
    Preset {
        id: "cifar10-resnet20".into(),
        title: "Leavitt & Morcos (2020): CIFAR-10".into(),
        description: "ResNet20, 200 epochs, 17 alphas, 20 seeds: their set-up. Meant for a GPU; cut alphas, seeds and epochs to fit a CPU.".into(),
        spec: ExperimentSpec {
            name: "CIFAR-10, ResNet20".into(),
            notes: String::new(),
            network: Network::ResNet20,
            dataset: Dataset::Cifar10,
            alphas: SOURCE_ALPHAS.to_vec(),
            seeds: (0..20).collect(),
            device: "cpu".into(),
            training: TrainingSpec {
                epochs: 200,
                batch_size: 256,
                learning_rate: 0.1,
                momentum: 0.9,
                weight_decay: 1e-4,
                learning_rate_milestones: vec![100, 150],
                learning_rate_factor: 0.1,
                augmentation: Augmentation::CropFlip,
                validation_images_per_class: 500,
                train_images_per_class: None,
            },
            evaluation: robustness(None),
            retries: DEFAULT_RETRIES,
            executor: ExecutorSpec::Local,
        },
    }
}

fn tiny_imagenet(network: Network, batch_size: u32, seeds: u64) -> ExperimentSpec {
    ExperimentSpec {
        name: format!("Tiny ImageNet, {}", network.label()),
        notes: String::new(),
        network,
        dataset: Dataset::TinyImagenet,
        alphas: SOURCE_ALPHAS.to_vec(),
        seeds: (0..seeds).collect(),
        device: "cpu".into(),
        training: TrainingSpec {
            epochs: 90,
            batch_size,
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay: 1e-4,
            learning_rate_milestones: vec![35, 50, 65, 80],
            learning_rate_factor: 0.1,
            augmentation: Augmentation::ResizedCropFlip,
            validation_images_per_class: 50,
            train_images_per_class: None,
        },
        evaluation: robustness(None),
        retries: DEFAULT_RETRIES,
        executor: ExecutorSpec::Local,
    }
}

fn tiny_imagenet_18() -> Preset {
    Preset {
        id: "tiny-imagenet-resnet18".into(),
        title: "Leavitt & Morcos (2020): Tiny ImageNet, ResNet18".into(),
        description: "ResNet18, 90 epochs, batch 4096, 17 alphas, 20 seeds: their set-up. Needs a GPU with enough memory for the batch.".into(),
        spec: tiny_imagenet(Network::ResNet18, 4096, 20),
    }
}

fn tiny_imagenet_50() -> Preset {
    Preset {
        id: "tiny-imagenet-resnet50".into(),
        title: "Leavitt & Morcos (2020): Tiny ImageNet, ResNet50".into(),
        description: "ResNet50, 90 epochs, batch 1400, 17 alphas, 5 seeds: their set-up. Needs a GPU with enough memory for the batch.".into(),
        spec: tiny_imagenet(Network::ResNet50, 1400, 5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when the preset that promises the study's set-up, and its hours, trains or tests something else.
    #[test]
    fn the_pilot_is_the_study() {
        let study = include_str!("../../../docs/study/experiment.json");
        let study: ExperimentSpec = serde_json::from_str(study).unwrap();
        let tests = include_str!("../../../docs/study/evaluation.json");
        let pilot = cifar10_pilot().spec;
        let expected = ExperimentSpec {
            name: pilot.name.clone(),
            notes: pilot.notes.clone(),
            evaluation: serde_json::from_str(tests).unwrap(),
            ..study
        };
        assert_eq!(pilot, expected);
    }
}
