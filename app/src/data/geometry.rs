//! A run's measurements of dimensionality: by matrix and conditions, clean, by severity, by attack.

use protocol::Measurement;
use protocol::corruption::Corruption;
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::dimensionality::{
    ActivationMatrix, DimensionStatistic, DimensionalityMeasurement, Perturbation,
};

use crate::data::corruptions::{by_family, mean};
use crate::format;
use crate::grouping::counted;

/// The statistic called `id`, else that of Leavitt & Morcos (2020).
pub fn statistic_from(id: Option<&str>) -> DimensionStatistic {
    DimensionStatistic::ALL
        .into_iter()
        .find(|statistic| Some(statistic.id()) == id)
        .unwrap_or(DimensionStatistic::Fraction95)
}

/// The matrix called `id`, if there is one.
pub fn matrix_from(id: Option<&str>) -> Option<ActivationMatrix> {
    id.and_then(ActivationMatrix::from_id)
}

/// Which of a run's measurements of dimensionality belong together: only numbers of the same matrix under the same
/// conditions compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    /// What the columns are.
    pub matrix: ActivationMatrix,
    /// On how many images; source and seed of corruptions.
    pub conditions: CorruptionConditions,
}

/// Every basis among `measurements`: unit responses first, then most measurements, then most images.
pub fn bases(measurements: &[Measurement]) -> Vec<Basis> {
    let mut counts = counted(
        measurements
            .iter()
            .filter_map(Measurement::dimensionality)
            .map(basis),
    );
    counts.sort_by_key(|&(basis, count)| {
        (
            basis.matrix,
            std::cmp::Reverse((count, basis.conditions.images)),
        )
    });
    counts.into_iter().map(|(basis, _)| basis).collect()
}

fn basis(measured: &DimensionalityMeasurement) -> Basis {
    Basis {
        matrix: measured.matrix,
        conditions: measured.conditions,
    }
}

/// The first basis in `known` with `matrix` (any, if none is named) and `conditions`, else the first with `matrix`, else the
/// first.
pub fn closest(
    matrix: Option<ActivationMatrix>,
    conditions: Option<CorruptionConditions>,
    known: &[Basis],
) -> Option<Basis> {
    let of_matrix = |basis: &&Basis| matrix.is_none_or(|matrix| matrix == basis.matrix);
    let under = |basis: &&Basis| conditions == Some(basis.conditions);
    known
        .iter()
        .find(|basis| of_matrix(basis) && under(basis))
        .or_else(|| known.iter().find(of_matrix))
        .or_else(|| known.first())
        .copied()
}

/// What was measured on `basis`, in the order in which it was measured.
pub fn on(measurements: &[Measurement], wanted: Basis) -> Vec<DimensionalityMeasurement> {
    measurements
        .iter()
        .filter_map(Measurement::dimensionality)
        .filter(|measured| basis(measured) == wanted)
        .cloned()
        .collect()
}

/// The corruptions among `measured`, each once, by family.
pub fn corruptions(measured: &[DimensionalityMeasurement]) -> Vec<Corruption> {
    let held = |wanted: &Corruption| {
        measured.iter().any(|one| {
            matches!(one.perturbation, Perturbation::Corruption { corruption, .. } if corruption == *wanted)
        })
    };
    by_family().filter(held).collect()
}

/// What a line of a figure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Clean activations.
    Clean,
    /// The difference that corruptions of a severity make.
    Severity(u8),
    /// The difference that an attack makes, and which of the attacks it is, from 0.
    Attack(usize),
}

/// One line: a measurement, or the mean of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What it is about.
    pub kind: Kind,
    /// What it is called in a legend.
    pub name: String,
    /// What it averages, in words.
    pub label: String,
    /// The measurements that it averages; one or more.
    pub over: Vec<DimensionalityMeasurement>,
}

impl Curve {
    /// The mean of `value` at layer `layer`; absent where one measurement lacks it.
    pub fn mean(
        &self,
        layer: usize,
        value: impl Fn(&DimensionalityMeasurement, usize) -> Option<f64>,
    ) -> Option<f64> {
        mean(self.over.iter().map(|measured| value(measured, layer)))
    }

    /// Share of the columns of layer `layer` that are used.
    pub fn fraction(&self, layer: usize, statistic: DimensionStatistic) -> Option<f64> {
        self.mean(layer, |measured, layer| measured.fraction(layer, statistic))
    }

    /// Columns of layer `layer`.
    pub fn columns(&self, layer: usize) -> Option<u32> {
        self.over.first()?.columns.get(layer).copied()
    }
}

/// The lines of `measured`: clean, one per severity, one per attack. A severity's line is for `corruption` alone, or for the mean
/// over all corruptions; it is left out if one of these was not measured at it, so that every mean is over the same corruptions.
pub fn curves(
    measured: &[DimensionalityMeasurement],
    corruption: Option<Corruption>,
) -> Vec<Curve> {
    let find = |perturbation: Perturbation| {
        let measurement = measured
            .iter()
            .find(|one| one.perturbation == perturbation)?;
        Some(measurement.clone())
    };
    let clean = find(Perturbation::Clean).map(|clean| Curve {
        kind: Kind::Clean,
        name: "Clean".into(),
        label: "Clean".into(),
        over: vec![clean],
    });
    let listed = match corruption {
        Some(one) => vec![one],
        None => corruptions(measured),
    };
    let severe = (1..=5).filter_map(|severity| {
        let over: Vec<_> = listed
            .iter()
            .map(|&corruption| {
                find(Perturbation::Corruption {
                    corruption,
                    severity,
                })
            })
            .collect::<Option<_>>()?;
        let label = match over.as_slice() {
            [] => return None,
            [one] => one.perturbation.label(),
            several => format!("Mean of {} corruptions, severity {severity}", several.len()),
        };
        Some(Curve {
            kind: Kind::Severity(severity),
            name: format!("Severity {severity}"),
            label,
            over,
        })
    });
    let attacked = measured
        .iter()
        .filter(|one| matches!(one.perturbation, Perturbation::Attack(_)))
        .enumerate()
        .map(|(index, one)| Curve {
            kind: Kind::Attack(index),
            name: one.perturbation.label(),
            label: one.perturbation.label(),
            over: vec![one.clone()],
        });
    clean.into_iter().chain(severe).chain(attacked).collect()
}

/// A count, or the mean of counts, as people write it.
pub fn dimensions(count: f64) -> String {
    if count.fract() == 0.0 {
        format::count(count as u64)
    } else {
        format!("{count:.1}")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::data::corruptions::corruption_choices;
    use protocol::attack::Attack;
    use protocol::dimensionality::DimensionalitySpec;

    /// Two layers of 16 and 32 units on 200 of 1,000 images, of which `used` components hold 95 % of the variance.
    pub(crate) fn measured(perturbation: Perturbation, used: u32) -> DimensionalityMeasurement {
        DimensionalityMeasurement {
            conditions: DimensionalitySpec::source(Some(200)).conditions(1000),
            matrix: ActivationMatrix::Responses,
            perturbation,
            columns: vec![16, 32],
            components_90: vec![used - 1; 2],
            components_95: vec![used; 2],
            components_99: vec![used + 1; 2],
            participation_ratio: vec![1.5, 2.5],
        }
    }

    /// `corruption` at `severity`.
    pub(crate) fn corrupted(corruption: Corruption, severity: u8) -> Perturbation {
        Perturbation::Corruption {
            corruption,
            severity,
        }
    }

    /// Broken by: numbers of several conditions or matrices in one figure, or full activations shown unasked.
    #[test]
    fn measurements_are_told_apart_by_matrix_and_conditions() {
        let clean = measured(Perturbation::Clean, 4);
        let mut more = clean.clone();
        more.conditions.images = 1000;
        let mut full = clean.clone();
        full.matrix = ActivationMatrix::Activations;
        full.conditions.images = 50;
        let all: Vec<Measurement> = [
            full.clone(),
            measured(corrupted(Corruption::Fog, 1), 5),
            more.clone(),
            clean.clone(),
        ]
        .map(Measurement::Dimensionality)
        .into();
        let known = bases(&all);
        assert_eq!(known, [&clean, &more, &full].map(basis));
        assert_eq!(on(&all, known[0]).len(), 2);
        let activations = Some(ActivationMatrix::Activations);
        assert_eq!(closest(None, None, &known), Some(known[0]));
        assert_eq!(closest(None, Some(more.conditions), &known), Some(known[1]));
        // Conditions that the matrix was not measured under do not hide it.
        assert_eq!(
            closest(activations, Some(more.conditions), &known),
            Some(known[2])
        );
        assert_eq!(closest(activations, None, &known[..2]), Some(known[0]));
        assert_eq!(closest(None, None, &[]), None);
    }

    /// Broken by: a mean over the corruptions that happen to be there while others are still measured, a mean that
    /// takes in clean images or an attack, or a line that is lost.
    #[test]
    fn lines_are_clean_then_severities_then_attacks() {
        let attack = Perturbation::Attack(Attack::pgd(8.0, 0.5, 40));
        let some = [
            measured(attack, 12),
            measured(corrupted(Corruption::Fog, 1), 4),
            measured(corrupted(Corruption::Snow, 1), 8),
            measured(corrupted(Corruption::Fog, 2), 5),
            measured(Perturbation::Clean, 2),
        ];
        let kinds = |corruption| -> Vec<Kind> {
            let curves = curves(&some, corruption).into_iter();
            curves.map(|curve| curve.kind).collect()
        };
        assert_eq!(
            kinds(None),
            [Kind::Clean, Kind::Severity(1), Kind::Attack(0)]
        );
        assert_eq!(
            kinds(Some(Corruption::Fog)),
            [
                Kind::Clean,
                Kind::Severity(1),
                Kind::Severity(2),
                Kind::Attack(0)
            ]
        );
        assert_eq!(
            kinds(Some(Corruption::Frost)),
            [Kind::Clean, Kind::Attack(0)]
        );
        let mean = &curves(&some, None)[1];
        assert_eq!(mean.label, "Mean of 2 corruptions, severity 1");
        assert_eq!(
            mean.fraction(0, DimensionStatistic::Fraction95),
            Some(6.0 / 16.0)
        );
        assert_eq!(mean.fraction(2, DimensionStatistic::Fraction95), None);
        assert_eq!(curves(&[], None), []);
    }

    /// Broken by: a severity invented where nothing was corrupted.
    #[test]
    fn without_corruptions_there_are_no_severities() {
        let only = [measured(Perturbation::Clean, 3)];
        assert_eq!(curves(&only, None).len(), 1);
        assert_eq!(corruption_choices(corruptions(&only), "all").len(), 1);
        assert_eq!(dimensions(8.0), "8");
        assert_eq!(dimensions(8.25), "8.2");
    }
}
