//! A run's measurements on corrupted images: by conditions, by corruption, and averaged.

use protocol::corruption::{Corruption, CorruptionFamily};
use protocol::corruption_evaluation::{CorruptionConditions, CorruptionMeasurement};
use protocol::measure::Scale;
use protocol::{Dataset, Measurement};

use crate::data::choice::Choice;

/// The corruptions of a family, the benchmark's before the extra ones.
pub fn of_family(family: CorruptionFamily) -> impl Iterator<Item = Corruption> {
    Corruption::ALL
        .into_iter()
        .filter(move |corruption| corruption.family() == family)
}

/// Every corruption, by family.
pub fn by_family() -> impl Iterator<Item = Corruption> {
    CorruptionFamily::ALL.into_iter().flat_map(of_family)
}

/// Explains the share of clean accuracy where the corrupted images of `conditions` are not those of `dataset`; else `None`.
pub fn other_images(
    conditions: Option<CorruptionConditions>,
    dataset: &Dataset,
) -> Option<&'static str> {
    conditions?.source.unmatched(dataset).map(|_| {
        "Clean accuracy is measured on Tiny ImageNet’s own test images. The published Tiny ImageNet-C was made from other crops, so a share of clean accuracy compares two sets of images of the same classes. It ranks networks, but is not the share of images that stay right."
    })
}

/// What was measured under `conditions`, in the order of families, corruptions and severities.
pub fn under(
    measurements: &[Measurement],
    conditions: CorruptionConditions,
) -> Vec<CorruptionMeasurement> {
    let mut results: Vec<CorruptionMeasurement> = measurements
        .iter()
        .filter_map(Measurement::corruption)
        .filter(|measured| measured.conditions == conditions)
        .cloned()
        .collect();
    let place = |corruption: Corruption| {
        CorruptionFamily::ALL
            .iter()
            .position(|&family| family == corruption.family())
    };
    results.sort_by_key(|measured| {
        (
            place(measured.corruption),
            measured.corruption,
            measured.severity,
        )
    });
    results
}

/// The corruptions among `measured`, each once, in its order.
pub fn corruptions(measured: &[CorruptionMeasurement]) -> Vec<Corruption> {
    let mut corruptions: Vec<Corruption> = measured.iter().map(|one| one.corruption).collect();
    corruptions.dedup();
    corruptions
}

/// The severities among `measured`, each once, mildest first.
pub fn severities(measured: &[CorruptionMeasurement]) -> Vec<u8> {
    let mut severities: Vec<u8> = measured.iter().map(|one| one.severity).collect();
    severities.sort_unstable();
    severities.dedup();
    severities
}

/// Accuracy on `scale`; absent as a share of 0.
pub fn value(measured: &CorruptionMeasurement, scale: Scale) -> Option<f64> {
    match scale {
        Scale::Raw => Some(measured.accuracy),
        Scale::ShareOfClean => measured.share_of_clean(),
    }
}

/// The mean of `values`; absent if one is absent or there are none.
pub fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Mean accuracy at a severity over `corruptions`; absent unless all of them were measured at it, so that
/// no mean is over fewer corruptions than its neighbours.
pub fn mean_at(
    measured: &[CorruptionMeasurement],
    corruptions: &[Corruption],
    severity: u8,
    scale: Scale,
) -> Option<f64> {
    mean(
        corruptions.iter().map(|&corruption| {
            find(measured, corruption, severity).and_then(|one| value(one, scale))
        }),
    )
}

/// What was measured on `corruption` at `severity`.
pub fn find(
    measured: &[CorruptionMeasurement],
    corruption: Corruption,
    severity: u8,
) -> Option<&CorruptionMeasurement> {
    measured
        .iter()
        .find(|one| one.corruption == corruption && one.severity == severity)
}

/// What `scale` is called on an axis.
pub fn axis_label(scale: Scale) -> &'static str {
    match scale {
        Scale::Raw => "Accuracy (%)",
        Scale::ShareOfClean => "Share of clean accuracy (%)",
    }
}

/// `95 sets: 19 corruptions × 5 severities`; only the number of sets where the grid has gaps.
pub fn sets(measured: &[CorruptionMeasurement]) -> String {
    let (rows, columns) = (corruptions(measured).len(), severities(measured).len());
    let plural =
        |number: usize, singular, plural| crate::format::plural(number as u64, singular, plural);
    let all = plural(measured.len(), "set", "sets");
    if rows * columns == measured.len() {
        format!(
            "{all}: {} × {}",
            plural(rows, "corruption", "corruptions"),
            plural(columns, "severity", "severities")
        )
    } else {
        format!("{all}, each one corruption at one severity")
    }
}

/// The two ways in which an accuracy under perturbation is shown, as choices.
pub fn scale_choices() -> Vec<Choice> {
    vec![
        Choice::new(Scale::Raw.id(), "Raw accuracy"),
        Choice::new(Scale::ShareOfClean.id(), "Share of clean accuracy"),
    ]
}

/// The scale called `id`; raw where there is none.
pub fn scale_from(id: &str) -> Scale {
    if id == Scale::ShareOfClean.id() {
        Scale::ShareOfClean
    } else {
        Scale::Raw
    }
}

/// Corruptions as choices, each with its family, after the mean over all of them, which `all` stands for.
pub fn corruption_choices(listed: impl IntoIterator<Item = Corruption>, all: &str) -> Vec<Choice> {
    let one = |corruption: Corruption| {
        let family = corruption.family().label();
        Choice::new(corruption.id(), format!("{family}: {}", corruption.label()))
    };
    std::iter::once(Choice::new(all, "Mean over all"))
        .chain(listed.into_iter().map(one))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::data::conditions::known;
    use protocol::corruption_evaluation::CorruptionSpec;

    /// Broken by: a share over other images shown as if over the same images, or the reverse.
    #[test]
    fn a_share_over_other_images_is_told() {
        let note = |conditions: &str, dataset| other_images(conditions.parse().ok(), &dataset);
        assert!(note("published.0.100", Dataset::TinyImagenet).is_some());
        assert_eq!(note("published.0.100", Dataset::Cifar10), None);
        assert_eq!(note("generated.0.100.jpeg85", Dataset::TinyImagenet), None);
        assert_eq!(note("", Dataset::TinyImagenet), None);
    }

    /// Measured on 200 of 1,000 generated images; clean accuracy 0.8.
    pub(crate) fn measured(
        corruption: Corruption,
        severity: u8,
        accuracy: f64,
    ) -> CorruptionMeasurement {
        CorruptionMeasurement {
            conditions: CorruptionSpec::everything(Some(200)).conditions(1000),
            corruption,
            severity,
            accuracy,
            cross_entropy: 1.0,
            clean_accuracy: 0.8,
        }
    }

    /// Broken by: a new corruption of a family that no page lists.
    #[test]
    fn every_corruption_is_in_a_family_that_is_listed() {
        let listed = by_family().count();
        assert_eq!(listed, Corruption::ALL.len());
    }

    /// Broken by: numbers of several conditions in one figure, or an extra corruption (last in the list of
    /// all) that is torn from its family.
    #[test]
    fn measurements_are_told_apart_by_conditions_and_ordered_by_family() {
        let mut other = measured(Corruption::Fog, 1, 0.1);
        other.conditions.images = 1000;
        let all: Vec<Measurement> = [
            measured(Corruption::SpeckleNoise, 1, 0.4),
            measured(Corruption::Fog, 2, 0.3),
            other.clone(),
            measured(Corruption::Fog, 1, 0.5),
            measured(Corruption::DefocusBlur, 1, 0.5),
        ]
        .map(Measurement::Corruption)
        .into();
        let known: Vec<CorruptionConditions> = known(&all);
        assert_eq!(known.len(), 2);
        assert_eq!(known[1], other.conditions);
        let results = under(&all, known[0]);
        assert_eq!(
            corruptions(&results),
            [
                Corruption::SpeckleNoise,
                Corruption::DefocusBlur,
                Corruption::Fog
            ]
        );
        assert_eq!(severities(&results), [1, 2]);
        assert_eq!(
            sets(&results),
            "4 sets, each one corruption at one severity"
        );
        assert_eq!(
            sets(&under(&all, known[1])),
            "1 set: 1 corruption × 1 severity"
        );
    }

    /// Broken by: a mean over the corruptions that happen to be there while others are still measured, or a
    /// share of clean accuracy that is divided twice.
    #[test]
    fn a_mean_is_over_all_or_absent() {
        let results = [
            measured(Corruption::Snow, 1, 0.4),
            measured(Corruption::Fog, 1, 0.6),
            measured(Corruption::Fog, 2, 0.3),
        ];
        let both = [Corruption::Snow, Corruption::Fog];
        let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-12;
        assert!(close(mean_at(&results, &both, 1, Scale::Raw), 0.5));
        assert!(close(
            mean_at(&results, &both, 1, Scale::ShareOfClean),
            0.625
        ));
        assert_eq!(mean_at(&results, &both, 2, Scale::Raw), None);
        assert_eq!(mean(std::iter::empty()), None);
    }
}
