//! Made-up runs with known answers, for the tests of the claims.

use protocol::attack::{Attack, AttackMeasurement, AttackSpec};
use protocol::corruption_evaluation::{CorruptionMeasurement, CorruptionSpec};
use protocol::dimensionality::{
    ActivationMatrix, DimensionalityMeasurement, DimensionalitySpec, Perturbation,
};
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::preset::presets;
use protocol::{Corruption, Measurement, Network, Run, RunResult, RunState};

use crate::run_numbers::RunNumbers;

/// A trained ResNet8.
pub fn run(id: i64, alpha: f64, selectivity: f64) -> Run {
    let mut spec = presets().remove(0).spec.runs().remove(0);
    spec.alpha = alpha;
    spec.seed = id as u64;
    Run {
        id,
        experiment_id: 1,
        spec,
        state: RunState::Finished,
        reason: None,
        queued_at: 0,
        started_at: None,
        ended_at: None,
        started: None,
        epochs_done: 1,
        latest_epoch: None,
        progress: None,
        job: None,
        later_evaluations: vec![],
        tags: Vec::new(),
        notes: String::new(),
        result: Some(RunResult {
            best_epoch: Some(1),
            validation_accuracy: Some(0.5),
            validation_images: 10,
            test_accuracy: 0.8,
            test_cross_entropy: 1.0,
            test_images: 100,
            selectivity,
            layers: vec![],
        }),
    }
}

/// The default alphas of a lab.
const ALPHAS: [f64; 5] = [-1.0, -0.4, 0.0, 0.4, 1.0];

/// Columns of each layer in a made-up measurement of dimensionality: fractions are right to half of 1 / 640.
const COLUMNS: u32 = 640;

/// Trained ResNet20s, one for each seed and alpha, with what was measured on them.
pub struct Lab {
    /// The runs; selectivity grows with alpha, 0.3 at alpha 0.
    pub runs: Vec<Run>,
    /// What was measured, by run.
    pub measurements: Vec<(i64, Measurement)>,
}

impl Lab {
    /// A lab of five alphas and seeds from 0.
    pub fn new(seeds: u64) -> Lab {
        Lab::with_alphas(seeds, &ALPHAS)
    }

    /// A lab of these alphas and seeds from 0.
    pub fn with_alphas(seeds: u64, alphas: &[f64]) -> Lab {
        let mut runs = Vec::new();
        for seed in 0..seeds {
            for &alpha in alphas {
                let selectivity = 0.3 + 0.1 * alpha + 0.002 * noise(seed, alpha);
                let mut run = run(runs.len() as i64 + 1, alpha, selectivity);
                run.spec.seed = seed;
                run.spec.network = Network::ResNet20;
                runs.push(run);
            }
        }
        Lab {
            runs,
            measurements: Vec::new(),
        }
    }

    /// The numbers that the claims are weighed by.
    pub fn run_numbers(&self) -> Vec<RunNumbers> {
        RunNumbers::of_runs(&self.runs, &self.measurements)
    }

    /// The same (accuracy, clean accuracy) on every corruption and severity, by seed, alpha and selectivity.
    pub fn corruptions(self, accuracies: impl Fn(u64, f64, f64) -> (f64, f64)) -> Lab {
        self.measured_corruptions(|_, _, seed, alpha, selectivity| {
            accuracies(seed, alpha, selectivity)
        })
    }

    /// Accuracy on each corruption, by severity, seed, alpha and selectivity; clean accuracy is 0.8.
    pub fn each_corruption(self, accuracy: impl Fn(Corruption, u8, u64, f64, f64) -> f64) -> Lab {
        self.measured_corruptions(|corruption, severity, seed, alpha, selectivity| {
            (
                accuracy(corruption, severity, seed, alpha, selectivity),
                0.8,
            )
        })
    }

    fn measured_corruptions(
        self,
        accuracies: impl Fn(Corruption, u8, u64, f64, f64) -> (f64, f64),
    ) -> Lab {
        let spec = CorruptionSpec::everything(Some(100));
        self.measure(|seed, alpha, selectivity| {
            let mut measured = Vec::new();
            for &corruption in &spec.corruptions {
                for &severity in &spec.severities {
                    let (accuracy, clean_accuracy) =
                        accuracies(corruption, severity, seed, alpha, selectivity);
                    measured.push(Measurement::Corruption(CorruptionMeasurement {
                        conditions: spec.conditions(1000),
                        corruption,
                        severity,
                        accuracy,
                        cross_entropy: 1.0,
                        clean_accuracy,
                    }));
                }
            }
            measured
        })
    }

    /// The same (accuracy, clean accuracy) under every attack of Leavitt & Morcos (2020), by seed, alpha and selectivity.
    pub fn attacks(self, accuracies: impl Fn(u64, f64, f64) -> (f64, f64)) -> Lab {
        self.each_attack(|_, seed, alpha, selectivity| accuracies(seed, alpha, selectivity))
    }

    /// (Accuracy, clean accuracy) under each attack of Leavitt & Morcos (2020), by seed, alpha and selectivity.
    pub fn each_attack(self, accuracies: impl Fn(Attack, u64, f64, f64) -> (f64, f64)) -> Lab {
        let spec = AttackSpec::source(Some(100));
        self.measure(|seed, alpha, selectivity| {
            let measured = spec.attacks.iter().map(|&attack| {
                let (accuracy, clean_accuracy) = accuracies(attack, seed, alpha, selectivity);
                Measurement::Attack(AttackMeasurement {
                    conditions: spec.conditions(1000),
                    attack,
                    accuracy,
                    clean_accuracy,
                    members: Vec::new(),
                })
            });
            measured.collect()
        })
    }

    /// The dimension fraction of each layer, clean and of the difference that each perturbation of Leavitt & Morcos (2020)
    /// makes, by seed, alpha and selectivity.
    pub fn dimensions(
        self,
        dimension_fraction: impl Fn(Perturbation, usize, u64, f64, f64) -> f64,
    ) -> Lab {
        let spec = DimensionalitySpec::source(Some(100));
        let layers = Network::ResNet20.layers().len();
        self.measure(|seed, alpha, selectivity| {
            let measured = spec.perturbations().into_iter().map(|perturbation| {
                let components: Vec<u32> = (0..layers)
                    .map(|layer| {
                        let fraction =
                            dimension_fraction(perturbation, layer, seed, alpha, selectivity);
                        (fraction * f64::from(COLUMNS)).round() as u32
                    })
                    .collect();
                Measurement::Dimensionality(DimensionalityMeasurement {
                    conditions: spec.conditions(1000),
                    matrix: ActivationMatrix::Responses,
                    perturbation,
                    columns: vec![COLUMNS; layers],
                    components_90: components.iter().map(|n| n / 2).collect(),
                    components_99: vec![COLUMNS; layers],
                    participation_ratio: vec![2.0; layers],
                    components_95: components,
                })
            });
            measured.collect()
        })
    }

    /// CV_u and CV_l of every layer, by seed, alpha and selectivity.
    pub fn gradients(self, variability: impl Fn(u64, f64, f64) -> [f64; 2]) -> Lab {
        let layers = Network::ResNet20.layers().len();
        self.measure(|seed, alpha, selectivity| {
            let [samples, units] = variability(seed, alpha, selectivity);
            vec![Measurement::InputUnitGradients(
                InputUnitGradientMeasurement {
                    images: 64,
                    mean_norm: vec![1.0; layers],
                    cv_across_samples: vec![Some(samples); layers],
                    cv_across_units: vec![Some(units); layers],
                    units_without_gradient: vec![0; layers],
                },
            )]
        })
    }

    /// Takes one corruption from the first run, and gives the second one measurement under other conditions.
    pub fn forget_a_corruption(&mut self) {
        let first = self.runs[0].id;
        let place = self.measurements.iter().position(|(run, _)| *run == first);
        self.measurements.remove(place.unwrap());
        let second = self.runs[1].id;
        let place = self.measurements.iter().position(|(run, _)| *run == second);
        let mut other = self.measurements[place.unwrap()].clone();
        if let Measurement::Corruption(measured) = &mut other.1 {
            measured.conditions.images += 1;
            measured.accuracy = 0.0;
        }
        self.measurements.push(other);
    }

    fn measure(mut self, measurements: impl Fn(u64, f64, f64) -> Vec<Measurement>) -> Lab {
        for run in &self.runs {
            let selectivity = run.result.as_ref().unwrap().selectivity;
            let measured = measurements(run.spec.seed, run.spec.alpha, selectivity);
            self.measurements
                .extend(measured.into_iter().map(|one| (run.id, one)));
        }
        self
    }
}

/// Accuracy that falls by `slope` for each unit of selectivity, 0.8 clean, with a little noise.
pub fn falls(slope: f64) -> impl Fn(u64, f64, f64) -> (f64, f64) + Copy {
    move |seed, alpha, selectivity| (0.7 - slope * selectivity + 0.0002 * noise(seed, alpha), 0.8)
}

/// Accuracy that rises by `slope` for each unit of selectivity, 0.8 clean, with a little noise.
pub fn rises(slope: f64) -> impl Fn(u64, f64, f64) -> (f64, f64) + Copy {
    move |seed, alpha, selectivity| (0.2 + slope * selectivity + 0.0002 * noise(seed, alpha), 0.8)
}

/// A share with a little noise.
pub fn share_of(seed: u64, alpha: f64, share: f64) -> f64 {
    share + 0.0003 * noise(seed, alpha)
}

/// Noise within [-1, 1] that is always the same for a run.
pub fn noise(seed: u64, alpha: f64) -> f64 {
    (12.9898 * (seed as f64 + 1.0) + 78.233 * (alpha + 3.0)).sin()
}
