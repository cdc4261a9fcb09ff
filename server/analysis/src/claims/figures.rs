//! The figures of the source's claims, rebuilt from an experiment's runs. Like is compared with like throughout:
//! measurements under the conditions of most runs, and only runs that have all that most runs have.

use std::collections::{BTreeMap, BTreeSet};

use protocol::api::Mean;
use protocol::attack::{Attack, AttackConditions, Method, Norm};
use protocol::claim_figure::{
    ClaimFigure, ClaimFigureName, ClaimFigures, Lines, Picture, Series, SlopeCell, SlopeMap,
    SlopeRow,
};
use protocol::dimensionality::{ActivationMatrix, DimensionStatistic, Perturbation};
use protocol::evaluation::CorruptionConditions;
use protocol::finding::Claim;
use protocol::layer_measure::{LayerMeasure, LayerRange, Perturbations};
use protocol::measure::{Measure, Scale, Scatter, ScatterMean, ScatterPoint};
use protocol::{Corruption, Run};
use rayon::prelude::*;

use crate::layer_values::{LayerValues, profiles};
use crate::mean;
use crate::run_numbers::{Accuracy, MeasuredRuns, RunNumbers};
use crate::scatter::{most_common, scatter};
use statistics::{CONFIDENCE, FEWEST_POINTS, INTERVAL_METHOD, holm, least_squares, one_sample};

const SCALES: [Scale; 2] = [Scale::Raw, Scale::ShareOfClean];

const CORRUPTIONS: Measure = Measure::Corruption {
    corruption: None,
    severity: None,
};

/// The figures of `claims`, in their order, from an experiment's runs and the numbers of the trained ones.
pub fn figures(runs: &[Run], numbers: &[RunNumbers], claims: &[Claim]) -> Vec<ClaimFigures> {
    let measured = Measured::new(runs, numbers);
    let of_claim = |&claim: &Claim| ClaimFigures {
        claim,
        figures: of_claim(&measured, claim),
    };
    claims.par_iter().map(of_claim).collect()
}

fn of_claim(measured: &Measured, claim: Claim) -> Vec<ClaimFigure> {
    let mut figures = Vec::new();
    let mut add = |name, scale, picture| {
        figures.push(ClaimFigure {
            name,
            scale,
            picture,
        });
    };
    match claim {
        Claim::C1 => {
            for scale in SCALES {
                let shown = measured.against_selectivity(CORRUPTIONS, scale);
                add(
                    ClaimFigureName::CorruptionSelectivity,
                    Some(scale),
                    Picture::Scatter(shown),
                );
            }
            for scale in SCALES {
                let shown = Picture::Lines(measured.corruption_by_alpha(scale));
                add(ClaimFigureName::CorruptionAlpha, Some(scale), shown);
            }
            for scale in SCALES {
                let shown = Picture::Lines(measured.corruption_by_severity(scale));
                add(ClaimFigureName::CorruptionSeverity, Some(scale), shown);
            }
        }
        Claim::C2 => {
            for scale in SCALES {
                let shown = Picture::Slopes(measured.slopes(scale));
                add(ClaimFigureName::CorruptionSlopes, Some(scale), shown);
            }
        }
        Claim::C3 => {
            for (name, sweep) in [
                (ClaimFigureName::FgsmEpsilon, Sweep::Fgsm),
                (ClaimFigureName::PgdSteps, Sweep::Pgd),
            ] {
                for scale in SCALES {
                    add(
                        name,
                        Some(scale),
                        Picture::Lines(measured.by_budget(sweep, scale)),
                    );
                }
            }
        }
        Claim::C4 => {
            let measure = LayerMeasure::dimensionality(Perturbations::Clean);
            let early = measured.layers_against_selectivity(LayerRange::Early, measure);
            add(
                ClaimFigureName::DimensionLayers,
                None,
                measured.by_layer(measure),
            );
            add(ClaimFigureName::DimensionSelectivity, None, early);
        }
        Claim::C5 => {
            let shown = Picture::Lines(measured.differences());
            add(ClaimFigureName::DifferenceLayers, None, shown);
        }
        Claim::C6 => {
            let names = [
                (
                    LayerMeasure::CvAcrossSamples,
                    ClaimFigureName::SampleVariabilitySelectivity,
                    ClaimFigureName::SampleVariabilityLayers,
                ),
                (
                    LayerMeasure::CvAcrossUnits,
                    ClaimFigureName::UnitVariabilitySelectivity,
                    ClaimFigureName::UnitVariabilityLayers,
                ),
            ];
            for (measure, against_selectivity, by_layer) in names {
                let all = measured.layers_against_selectivity(LayerRange::All, measure);
                add(against_selectivity, None, all);
                add(by_layer, None, measured.by_layer(measure));
            }
        }
        Claim::C7 => {
            for (name, sweep) in [
                (ClaimFigureName::TradeOffFgsm, Sweep::Fgsm),
                (ClaimFigureName::TradeOffPgd, Sweep::Pgd),
            ] {
                for scale in SCALES {
                    let shown = Picture::Scatter(measured.trade_off(sweep, scale));
                    add(name, Some(scale), shown);
                }
            }
        }
        Claim::C8 => {
            let shown = measured.against_selectivity(Measure::TestAccuracy, Scale::Raw);
            add(
                ClaimFigureName::CleanSelectivity,
                None,
                Picture::Scatter(shown),
            );
        }
    }
    figures
}

/// Which attacks make a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sweep {
    /// FGSM, by epsilon.
    Fgsm,
    /// L-infinity PGD from the clean image at the epsilon and step size of most measurements, by steps.
    Pgd,
}

impl Sweep {
    fn has(self, attack: &Attack) -> bool {
        match self {
            Sweep::Fgsm => attack.method == Method::Fgsm,
            Sweep::Pgd => {
                attack.method == Method::Pgd
                    && attack.norm == Norm::Linf
                    && attack.random_starts == 0
            }
        }
    }

    /// What is held fixed along the curve.
    fn budget(self, attack: &Attack) -> Option<[u64; 2]> {
        match self {
            Sweep::Fgsm => None,
            Sweep::Pgd => Some([attack.epsilon, attack.step_size?].map(f64::to_bits)),
        }
    }
}

/// An accuracy, and its share of clean accuracy where that is not 0.
type Both = [Option<f64>; 2];

fn of_scale(both: &Both, scale: Scale) -> Option<f64> {
    both[usize::from(scale == Scale::ShareOfClean)]
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The set that most runs have; of equally frequent ones the largest.
fn common<T: Ord>(sets: impl Iterator<Item = BTreeSet<T>>) -> BTreeSet<T> {
    let mut counts: BTreeMap<BTreeSet<T>, usize> = BTreeMap::new();
    for set in sets.filter(|set| !set.is_empty()) {
        *counts.entry(set).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(set, runs)| (*runs, set.len()))
        .map(|(set, _)| set)
        .unwrap_or_default()
}

/// Alphas of runs, each once, in order.
fn alphas_of<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<f64> {
    let mut alphas: Vec<f64> = runs.map(|run| run.spec.alpha).collect();
    alphas.sort_by(f64::total_cmp);
    alphas.dedup();
    alphas
}

/// Values by run, one a place, as a line an alpha of means over seeds.
fn lines_by_alpha(values: &[(&Run, Vec<f64>)]) -> Vec<Series> {
    alphas_of(values.iter().map(|(run, _)| *run))
        .into_par_iter()
        .map(|alpha| {
            let of_alpha: Vec<&Vec<f64>> = values
                .iter()
                .filter(|(run, _)| run.spec.alpha == alpha)
                .map(|(_, values)| values)
                .collect();
            let places = of_alpha.first().map_or(0, |values| values.len());
            let at = |place: usize| {
                let seeds: Vec<f64> = of_alpha.iter().map(|values| values[place]).collect();
                mean(&seeds)
            };
            Series {
                label: String::new(),
                alpha: Some(alpha),
                means: (0..places).map(at).collect(),
            }
        })
        .collect()
}

/// What was measured on corruptions and with attacks, by run, under the conditions of most runs.
struct Measured<'a> {
    runs: &'a [Run],
    numbers: MeasuredRuns<'a>,
    trained: Vec<&'a Run>,
    conditions: Option<CorruptionConditions>,
    corrupted: BTreeMap<i64, BTreeMap<(Corruption, u8), Both>>,
    /// Corruptions and severities that most runs have.
    needed: BTreeSet<(Corruption, u8)>,
    attack_conditions: Option<AttackConditions>,
    attacked: BTreeMap<i64, Vec<(Attack, Accuracy)>>,
}

impl<'a> Measured<'a> {
    fn new(runs: &'a [Run], numbers: &'a [RunNumbers]) -> Measured<'a> {
        let corruptions = numbers.iter().flat_map(|run| {
            let of_run = run.corruptions.iter();
            of_run.map(|one| (run.id, one.0))
        });
        let conditions = most_common(corruptions.collect()).first().copied();
        let attacks = numbers.iter().flat_map(|run| {
            let of_run = run.attacks.iter();
            of_run.map(|one| (run.id, one.0))
        });
        let attack_conditions = most_common(attacks.collect()).first().copied();
        let mut corrupted: BTreeMap<i64, BTreeMap<(Corruption, u8), Both>> = BTreeMap::new();
        let mut attacked: BTreeMap<i64, Vec<(Attack, Accuracy)>> = BTreeMap::new();
        for run in numbers {
            for &(of, item, accuracy) in &run.corruptions {
                if Some(of) == conditions {
                    let both = SCALES.map(|scale| accuracy.on(scale));
                    corrupted.entry(run.id).or_default().insert(item, both);
                }
            }
            for &(of, attack, accuracy) in &run.attacks {
                if Some(of) == attack_conditions {
                    attacked.entry(run.id).or_default().push((attack, accuracy));
                }
            }
        }
        Measured {
            trained: runs.iter().filter(|run| run.result.is_some()).collect(),
            needed: common(corrupted.values().map(|of| of.keys().copied().collect())),
            runs,
            numbers: MeasuredRuns::new(numbers),
            conditions,
            corrupted,
            attack_conditions,
            attacked,
        }
    }

    /// `measure` against selectivity, with no word on conditions that it was not measured under.
    fn against_selectivity(&self, measure: Measure, scale: Scale) -> Scatter {
        let shown = scatter(
            self.runs,
            &self.numbers,
            Measure::Selectivity,
            measure,
            scale,
            None,
            None,
        );
        let corrupted = matches!(measure, Measure::Corruption { .. });
        Scatter {
            conditions: shown.conditions.filter(|_| corrupted),
            known_conditions: Vec::new(),
            attack_conditions: None,
            known_attack_conditions: Vec::new(),
            known_attacks: Vec::new(),
            ..shown
        }
    }

    fn layers_against_selectivity(&self, range: LayerRange, measure: LayerMeasure) -> Picture {
        Picture::Scatter(self.against_selectivity(Measure::Layers { range, measure }, Scale::Raw))
    }

    /// The accuracies of a complete run on what is `needed` at the severities that `takes` lets through.
    fn corruption_values(
        &self,
        run: &Run,
        scale: Scale,
        takes: impl Fn(u8) -> bool,
    ) -> Option<Vec<f64>> {
        let of_run = self.corrupted.get(&run.id)?;
        let wanted = self.needed.iter().filter(|(_, severity)| takes(*severity));
        wanted
            .map(|item| of_scale(of_run.get(item)?, scale))
            .collect()
    }

    fn severities(&self) -> Vec<u8> {
        let severities: BTreeSet<u8> = self.needed.iter().map(|item| item.1).collect();
        severities.into_iter().collect()
    }

    fn of_corruptions(&self) -> String {
        let Some(conditions) = self.conditions else {
            return String::new();
        };
        let corruptions: BTreeSet<Corruption> = self.needed.iter().map(|item| item.0).collect();
        format!(
            "mean of {} corruptions, {}",
            corruptions.len(),
            conditions.label()
        )
    }

    fn lines(&self, x: &str, places: Vec<String>, y: String, values: &[(&Run, Vec<f64>)]) -> Lines {
        Lines {
            x: x.to_owned(),
            places,
            y,
            series: lines_by_alpha(values),
            of: String::new(),
            images: None,
            incomplete_runs: (self.trained.len() - values.len()) as u32,
            interval_method: INTERVAL_METHOD.into(),
        }
    }

    fn corruption_by_alpha(&self, scale: Scale) -> Lines {
        let values: Vec<(&Run, Vec<f64>)> = self
            .trained
            .iter()
            .filter(|_| !self.needed.is_empty())
            .filter_map(|&run| {
                let values = self.corruption_values(run, scale, |_| true)?;
                Some((run, vec![average(&values)]))
            })
            .collect();
        let alphas = alphas_of(values.iter().map(|(run, _)| *run));
        let places = alphas.iter().map(|alpha| written_alpha(*alpha)).collect();
        let mut lines = self.lines("Alpha", places, label(CORRUPTIONS, scale), &values);
        // Each alpha has its own place.
        for (place, series) in lines.series.iter_mut().enumerate() {
            let own = series.means.first().copied().flatten();
            series.means = vec![None; alphas.len()];
            series.means[place] = own;
        }
        lines.of = self.of_corruptions();
        lines.images = self.conditions.map(|conditions| conditions.images);
        lines
    }

    fn corruption_by_severity(&self, scale: Scale) -> Lines {
        let severities = self.severities();
        let values: Vec<(&Run, Vec<f64>)> = self
            .trained
            .iter()
            .filter(|_| !severities.is_empty())
            .filter_map(|&run| {
                let at = |wanted: &u8| {
                    let values = self.corruption_values(run, scale, |one| one == *wanted)?;
                    Some(average(&values))
                };
                Some((run, severities.iter().map(at).collect::<Option<_>>()?))
            })
            .collect();
        let places = severities.iter().map(u8::to_string).collect();
        let y = match scale {
            Scale::Raw => "Corruption accuracy",
            Scale::ShareOfClean => "Corruption accuracy, share of clean",
        };
        let mut lines = self.lines("Severity", places, y.to_owned(), &values);
        lines.of = self.of_corruptions();
        lines.images = self.conditions.map(|conditions| conditions.images);
        lines
    }

    /// The attacks of a sweep that most runs have, weakest first.
    fn sweep(&self, sweep: Sweep) -> Vec<Attack> {
        let mut budgets: BTreeMap<Option<[u64; 2]>, usize> = BTreeMap::new();
        let all = || self.attacked.values().flatten().map(|one| one.0);
        for attack in all().filter(|attack| sweep.has(attack)) {
            *budgets.entry(sweep.budget(&attack)).or_default() += 1;
        }
        let most = budgets.into_iter().max_by_key(|(_, count)| *count);
        let Some((budget, _)) = most else {
            return Vec::new();
        };
        let takes = |attack: &Attack| sweep.has(attack) && sweep.budget(attack) == budget;
        // As text, since attacks have no order of their own.
        let needed = common(self.attacked.values().map(|of| {
            let attacks = of.iter().map(|one| one.0);
            attacks.filter(takes).map(|one| one.to_string()).collect()
        }));
        let mut attacks: Vec<Attack> = needed.iter().filter_map(|one| one.parse().ok()).collect();
        attacks.sort_by(|a, b| a.epsilon.total_cmp(&b.epsilon).then(a.steps.cmp(&b.steps)));
        attacks
    }

    /// A run's accuracies on clean images and under each of `attacks`; none where it lacks one.
    fn attack_values(&self, run: &Run, attacks: &[Attack], scale: Scale) -> Option<Vec<f64>> {
        let of_run = self.attacked.get(&run.id)?;
        // All of them attacked the same images.
        let clean = match scale {
            Scale::Raw => of_run.first()?.1.clean,
            Scale::ShareOfClean => 1.0,
        };
        let mut values = vec![clean];
        for attack in attacks {
            let (_, accuracy) = of_run.iter().find(|(by, _)| by == attack)?;
            values.push(accuracy.on(scale)?);
        }
        Some(values)
    }

    fn by_budget(&self, sweep: Sweep, scale: Scale) -> Lines {
        let attacks = self.sweep(sweep);
        let values: Vec<(&Run, Vec<f64>)> = self
            .trained
            .iter()
            .filter(|_| !attacks.is_empty())
            .filter_map(|&run| Some((run, self.attack_values(run, &attacks, scale)?)))
            .collect();
        let (x, written): (_, fn(&Attack) -> String) = match sweep {
            Sweep::Fgsm => ("Epsilon (0: clean)", |attack| {
                attack.norm.radius(attack.epsilon)
            }),
            Sweep::Pgd => ("Steps (0: clean)", |attack| {
                attack.steps.unwrap_or(1).to_string()
            }),
        };
        let places = ["0".to_owned()]
            .into_iter()
            .chain(attacks.iter().map(written))
            .collect();
        let share = match scale {
            Scale::Raw => "",
            Scale::ShareOfClean => ", share of clean",
        };
        let name = match (sweep, attacks.first()) {
            (Sweep::Pgd, Some(attack)) => {
                let step = attack.step_size.unwrap_or_default();
                format!(
                    "PGD L∞ ε {}, step {}",
                    attack.norm.radius(attack.epsilon),
                    attack.norm.radius(step)
                )
            }
            (Sweep::Pgd, None) => "PGD L∞".to_owned(),
            (Sweep::Fgsm, _) => "FGSM L∞".to_owned(),
        };
        let y = format!("Adversarial accuracy, {name}{share}");
        let mut lines = self.lines(x, places, y, &values);
        if let Some(conditions) = self.attack_conditions {
            lines.of = conditions.label();
            lines.images = Some(conditions.images);
        }
        lines
    }

    fn trade_off(&self, sweep: Sweep, scale: Scale) -> Scatter {
        let attacks = self.sweep(sweep);
        let mut points = Vec::new();
        for run in &self.trained {
            let both = || {
                let average_case = self.corruption_values(run, scale, |_| true)?;
                let worst_case = self.attack_values(run, &attacks, scale)?;
                // The first is clean.
                let worst_case = worst_case.get(1..).filter(|values| !values.is_empty())?;
                (!average_case.is_empty()).then(|| [average(&average_case), average(worst_case)])
            };
            if let Some([x, y]) = both() {
                points.push(ScatterPoint {
                    run_id: run.id,
                    alpha: run.spec.alpha,
                    seed: run.spec.seed,
                    x,
                    y,
                });
            }
        }
        let means = alphas_of(self.trained.iter().copied())
            .into_iter()
            .filter_map(|alpha| {
                let of_alpha = || points.iter().filter(|point| point.alpha == alpha);
                let over = |value: fn(&ScatterPoint) -> f64| -> Option<Mean> {
                    mean(&of_alpha().map(value).collect::<Vec<_>>())
                };
                Some(ScatterMean {
                    alpha,
                    x: over(|point| point.x)?,
                    y: over(|point| point.y)?,
                })
            })
            .collect();
        let what = match sweep {
            Sweep::Fgsm => format!("mean of {} FGSM radii", attacks.len()),
            Sweep::Pgd => format!("mean of {} numbers of PGD steps", attacks.len()),
        };
        let share = match scale {
            Scale::Raw => "",
            Scale::ShareOfClean => ", share of clean",
        };
        Scatter {
            x: label(CORRUPTIONS, scale),
            y: format!("Adversarial accuracy, {what}{share}"),
            conditions: self.conditions,
            known_conditions: Vec::new(),
            attack_conditions: self.attack_conditions,
            known_attack_conditions: Vec::new(),
            known_attacks: attacks,
            incomplete_runs: (self.trained.len() - points.len()) as u32,
            points,
            alphas: means,
            averaged_over: self.needed.len() as u32,
            x_images: self.conditions.map(|conditions| conditions.images),
            y_images: self.attack_conditions.map(|conditions| conditions.images),
            interval_method: INTERVAL_METHOD.into(),
        }
    }

    fn by_layer(&self, measure: LayerMeasure) -> Picture {
        let found = profiles(self.runs, &self.numbers, measure, None, false);
        Picture::Lines(Lines {
            x: "Layer, from input to output".to_owned(),
            places: found.layers,
            y: found.label,
            series: found
                .alphas
                .into_iter()
                .map(|profile| Series {
                    label: String::new(),
                    alpha: Some(profile.alpha),
                    means: profile.layers,
                })
                .collect(),
            of: found
                .conditions
                .map_or_else(String::new, |conditions| conditions.label()),
            images: found.images,
            incomplete_runs: found.incomplete_runs,
            interval_method: found.interval_method,
        })
    }

    /// The strongest attack that dimensionality was measured under.
    fn strongest_attack(&self) -> Option<Attack> {
        let differences = self.numbers.numbers.iter().flat_map(|run| &run.differences);
        differences
            .filter_map(|(_, perturbation, _)| match perturbation {
                Perturbation::Attack(attack) => Some(*attack),
                _ => None,
            })
            .max_by(|a, b| {
                (a.method == Method::Pgd)
                    .cmp(&(b.method == Method::Pgd))
                    .then(a.steps.cmp(&b.steps))
                    .then(a.epsilon.total_cmp(&b.epsilon))
            })
    }

    /// Dimension of the difference that the strongest attack and all corruptions make, by layer: of every seed the mean
    /// over its alphas, then the mean over seeds.
    fn differences(&self) -> Lines {
        let find = |perturbations| {
            let measure = LayerMeasure::dimensionality(perturbations);
            LayerValues::find(self.runs, &self.numbers, measure, None)
        };
        let all = Perturbations::Corruption {
            corruption: None,
            severity: None,
        };
        let attack = self.strongest_attack();
        let corrupted = find(all);
        let attacked = attack.map_or_else(LayerValues::default, |attack| {
            find(Perturbations::Attack(attack))
        });
        // Runs with both, so that the lines are over the same networks.
        let shown: Vec<&Run> = self
            .trained
            .iter()
            .copied()
            .filter(|run| corrupted.of(run.id).is_some() && attacked.of(run.id).is_some())
            .collect();
        let layers: Vec<String> = shown.first().map_or(Vec::new(), |run| {
            let layers = run.spec.network.layers();
            layers.into_iter().map(|layer| layer.name).collect()
        });
        let line = |label: String, values: &LayerValues| {
            let at = |layer: usize| {
                let mut by_seed: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
                for run in &shown {
                    let of_run = values.of(run.id);
                    if let Some(value) = of_run.and_then(|of| *of.get(layer)?) {
                        by_seed.entry(run.spec.seed).or_default().push(value);
                    }
                }
                let seeds: Vec<f64> = by_seed.values().map(|of| average(of)).collect();
                mean(&seeds)
            };
            Series {
                label,
                alpha: None,
                means: (0..layers.len()).map(at).collect(),
            }
        };
        let series = match attack.filter(|_| !shown.is_empty()) {
            Some(attack) => vec![
                line(attack.label(), &attacked),
                line("all corruptions and severities".to_owned(), &corrupted),
            ],
            None => Vec::new(),
        };
        Lines {
            x: "Layer, from input to output".to_owned(),
            y: format!(
                "Dimension fraction of the difference, {}, {}",
                DimensionStatistic::Fraction95.label(),
                ActivationMatrix::Responses.label()
            ),
            series,
            of: corrupted.conditions.map_or_else(String::new, |conditions| {
                format!("each seed's mean over its alphas; {}", conditions.label())
            }),
            images: corrupted.images,
            incomplete_runs: (self.trained.len() - shown.len()) as u32,
            interval_method: INTERVAL_METHOD.into(),
            places: layers,
        }
    }

    fn slopes(&self, scale: Scale) -> SlopeMap {
        let severities = self.severities();
        let corruptions: BTreeSet<Corruption> = self.needed.iter().map(|item| item.0).collect();
        let cell = |item: (Corruption, u8)| -> Option<SlopeCell> {
            let mut by_seed: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
            for run in &self.trained {
                let of_run = self.corrupted.get(&run.id);
                let complete =
                    of_run.filter(|of| self.needed.iter().all(|one| of.contains_key(one)));
                let accuracy = complete.and_then(|of| of_scale(of.get(&item)?, scale));
                if let (Some(accuracy), Some(result)) = (accuracy, &run.result) {
                    let points = by_seed.entry(run.spec.seed).or_default();
                    points.push((result.selectivity, accuracy));
                }
            }
            let slopes: Vec<f64> = by_seed
                .values()
                .filter(|points| points.len() >= FEWEST_POINTS)
                .filter_map(|points| Some(least_squares(points)?.slope))
                .collect();
            let inference = one_sample(&slopes, 0.0, CONFIDENCE);
            Some(SlopeCell {
                slope: mean(&slopes)?.mean,
                interval: inference.as_ref().map(|found| found.interval),
                // Corrected below, when all are known.
                p_holm: inference.map(|found| found.p),
                n: slopes.len() as u32,
            })
        };
        let mut rows: Vec<SlopeRow> = corruptions
            .into_par_iter()
            .map(|corruption| SlopeRow {
                corruption,
                cells: severities
                    .iter()
                    .map(|&severity| {
                        let item = (corruption, severity);
                        self.needed.contains(&item).then(|| cell(item)).flatten()
                    })
                    .collect(),
            })
            .filter(|row: &SlopeRow| row.cells.iter().any(Option::is_some))
            .collect();
        let tested = |rows: &mut Vec<SlopeRow>, set: &mut dyn FnMut(&mut f64)| {
            for cell in rows
                .iter_mut()
                .flat_map(|row| row.cells.iter_mut().flatten())
            {
                if let Some(p) = &mut cell.p_holm {
                    set(p);
                }
            }
        };
        let mut p_values = Vec::new();
        tested(&mut rows, &mut |p| p_values.push(*p));
        let mut corrected = holm(&p_values).into_iter();
        tested(&mut rows, &mut |p| *p = corrected.next().unwrap_or(*p));
        SlopeMap {
            scale,
            severities,
            rows,
            images: self.conditions.map(|conditions| conditions.images),
            method: format!(
                "Of every seed with {FEWEST_POINTS} alphas or more the least-squares slope over its alphas; the mean over seeds, Student t, p after Holm for all cells"
            ),
        }
    }
}

/// A measure's label, at a scale.
fn label(measure: Measure, scale: Scale) -> String {
    match scale {
        Scale::Raw => measure.label(),
        Scale::ShareOfClean => format!("{}, share of clean", measure.label()),
    }
}

/// Alpha with a true minus sign and an explicit plus, as the dashboard writes it.
fn written_alpha(alpha: f64) -> String {
    protocol::numeral::alpha(alpha)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::run;
    use protocol::Measurement;
    use protocol::attack::{AttackMeasurement, AttackSpec};
    use protocol::evaluation::{CorruptionMeasurement, CorruptionSpec};

    /// Three seeds of alphas -1, 0 and 1. Selectivity 0.2, 0.4, 0.6 and corruption accuracy 0.6, 0.5, 0.4 (fog), at
    /// severity 2 0.1 lower; seed 3 has 0.02 more throughout.
    fn experiment() -> (Vec<Run>, Vec<(i64, Measurement)>) {
        let (mut runs, mut measurements) = (Vec::new(), Vec::new());
        for seed in 1..=3 {
            for (place, alpha) in [-1.0, 0.0, 1.0].into_iter().enumerate() {
                let id = runs.len() as i64 + 1;
                let step = place as f64;
                let mut one = run(id, alpha, 0.2 + 0.2 * step);
                one.spec.seed = seed;
                runs.push(one);
                for severity in [1, 2] {
                    let accuracy = 0.6 - 0.1 * step - 0.1 * f64::from(severity - 1)
                        + if seed == 3 { 0.02 } else { 0.0 };
                    measurements.push((
                        id,
                        Measurement::Corruption(CorruptionMeasurement {
                            conditions: CorruptionSpec::everything(Some(100)).conditions(1000),
                            corruption: Corruption::Fog,
                            severity,
                            accuracy,
                            cross_entropy: 1.0,
                            clean_accuracy: 0.8,
                        }),
                    ));
                }
                for attack in [
                    Attack::fgsm(2.0),
                    Attack::fgsm(1.0),
                    Attack::pgd(8.0, 0.5, 40),
                ] {
                    let spent = attack.epsilon * 255.0;
                    measurements.push((
                        id,
                        Measurement::Attack(AttackMeasurement {
                            conditions: AttackSpec::source(Some(50)).conditions(1000),
                            attack,
                            accuracy: 0.5 - 0.05 * spent + 0.01 * step,
                            clean_accuracy: 0.8,
                            members: vec![],
                        }),
                    ));
                }
            }
        }
        (runs, measurements)
    }

    fn figure(claim: Claim, place: usize) -> ClaimFigure {
        let (runs, measurements) = experiment();
        figures(&runs, &RunNumbers::of_runs(&runs, &measurements), &[claim])[0].figures[place]
            .clone()
    }

    /// By hand: (0.4 - 0.6) / (0.6 - 0.2) = -0.5 for each seed, and -0.5 / 0.8 as a share of clean accuracy.
    /// Broken by: a slope over all seeds' points at once, on alpha instead of selectivity, or scales that are swapped.
    #[test]
    fn slopes_are_of_seeds_on_selectivity() {
        for (place, expected) in [(0, -0.5), (1, -0.625)] {
            let Picture::Slopes(map) = figure(Claim::C2, place).picture else {
                panic!("no slopes");
            };
            assert_eq!((map.severities, map.rows.len()), (vec![1, 2], 1));
            for cell in map.rows[0].cells.iter().flatten() {
                assert!((cell.slope - expected).abs() < 1e-12);
                assert_eq!(cell.n, 3);
            }
            assert!(map.rows[0].cells.iter().all(Option::is_some));
        }
    }

    /// Broken by: attacks out of order, a curve that does not begin at clean accuracy, or means over alphas instead of
    /// over seeds.
    #[test]
    fn curves_begin_clean_and_go_on_in_order_of_budget() {
        let Picture::Lines(raw) = figure(Claim::C3, 0).picture else {
            panic!("no lines");
        };
        assert_eq!(raw.places, ["0", "1/255", "2/255"]);
        assert_eq!(raw.series.len(), 3);
        let values: Vec<f64> = raw.series[2]
            .means
            .iter()
            .flatten()
            .map(|m| m.mean)
            .collect();
        for (value, expected) in values.iter().zip([0.8, 0.47, 0.42]) {
            assert!((value - expected).abs() < 1e-12, "{values:?}");
        }
        assert_eq!(raw.series[0].means[1].map(|mean| mean.n), Some(3));
        let Picture::Lines(share) = figure(Claim::C3, 1).picture else {
            panic!("no lines");
        };
        assert_eq!(share.series[0].means[0].map(|mean| mean.mean), Some(1.0));
        assert!(share.y.ends_with(", share of clean"), "{}", share.y);
    }

    /// Broken by: a trade-off of single attacks, or a run that lacks a corruption among the points.
    #[test]
    fn the_trade_off_is_of_means_of_complete_runs() {
        let (runs, mut measurements) = experiment();
        measurements.remove(0);
        let found = &figures(
            &runs,
            &RunNumbers::of_runs(&runs, &measurements),
            &[Claim::C7],
        )[0]
        .figures[0];
        let Picture::Scatter(scatter) = &found.picture else {
            panic!("no points");
        };
        assert_eq!((scatter.points.len(), scatter.incomplete_runs), (8, 1));
        let point = scatter
            .points
            .iter()
            .find(|point| point.run_id == 2)
            .unwrap();
        assert!((point.x - 0.45).abs() < 1e-12 && (point.y - 0.435).abs() < 1e-12);
    }

    /// Broken by: a figure drawn from nothing, or a panic on an experiment that is not trained.
    #[test]
    fn without_measurements_every_figure_is_empty() {
        let empty = |runs: &[Run]| {
            figures(runs, &[], &Claim::ALL)
                .into_iter()
                .flat_map(|claim| claim.figures)
                .all(|figure| {
                    figure.name == ClaimFigureName::CleanSelectivity || figure.picture.is_empty()
                })
        };
        assert!(empty(&[]));
        assert!(empty(&experiment().0));
        let mut untrained = run(1, 0.0, 0.5);
        untrained.result = None;
        assert!(empty(&[untrained]));
    }

    /// Broken by: alphas that share a place, which would draw a line through them.
    #[test]
    fn every_alpha_has_its_own_place() {
        let Picture::Lines(lines) = figure(Claim::C1, 2).picture else {
            panic!("no lines");
        };
        assert_eq!(lines.places, ["−1", "0", "+1"]);
        for (place, series) in lines.series.iter().enumerate() {
            let filled: Vec<usize> = (0..3).filter(|&at| series.means[at].is_some()).collect();
            assert_eq!(filled, [place]);
        }
    }
}
