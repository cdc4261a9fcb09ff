//! Verdicts and figures rest on the same numbers, for all eight claims; the window applies to both.

use protocol::Run;
use protocol::claim_figure::{ClaimFigure, ClaimFigureName, Picture, Series};
use protocol::dimensionality::Perturbation;
use protocol::finding::{DEFAULT_WINDOW, Role, Verdict, WIDEST_WINDOW};
use protocol::measure::Scatter;
use protocol::quantity::LayerRange;
use protocol::quantity::Scale;
use statistics::slope_by_seed;

use super::*;
use crate::made_up::{Lab, noise};

/// Three seeds of five alphas with everything measured, and different numbers for every run; one run lacks a corruption, one
/// was measured once more under other conditions, and one has collapsed.
fn lab() -> Lab {
    let accuracy = |base: f64, slope: f64| {
        move |seed: u64, alpha: f64, selectivity: f64| {
            (
                base + slope * selectivity + 0.004 * noise(seed, alpha),
                0.8 - 0.05 * selectivity,
            )
        }
    };
    let corrupted = accuracy(0.7, -0.3);
    let mut lab = Lab::new(3)
        .corruptions(corrupted)
        .each_attack(|attack, seed, alpha, selectivity| {
            let budget = attack.epsilon * 255.0 + 0.1 * f64::from(attack.steps.unwrap_or(1));
            let (accuracy, clean) = accuracy(0.4, 0.2)(seed, alpha, selectivity);
            ((accuracy - 0.045 * budget).max(0.0), clean)
        })
        .dimensions(|perturbation, layer, seed, alpha, selectivity| {
            let base = match perturbation {
                Perturbation::Clean => 0.5 - 0.2 * selectivity,
                Perturbation::Corruption { severity, .. } => 0.2 + 0.02 * f64::from(severity),
                Perturbation::Attack(_) => 0.4,
            };
            base + 0.01 * layer as f64 + 0.01 * noise(seed, alpha)
        })
        .gradients(|seed, alpha, selectivity| {
            let noise = 0.01 * noise(seed, alpha);
            [
                0.5 + 0.4 * selectivity + noise,
                0.9 + 0.2 * selectivity - noise,
            ]
        });
    lab.forget_a_corruption();
    // Seed 2 at alpha 1.
    lab.runs[14].result.as_mut().unwrap().test_accuracy = 0.3;
    lab
}

fn drawn(lab: &Lab, claim: Claim, window: f64) -> Vec<ClaimFigure> {
    let numbers = lab.run_numbers();
    figures(&lab.runs, &numbers, &[claim], window)
        .remove(0)
        .figures
}

fn finding(lab: &Lab, claim: Claim, window: f64) -> Finding {
    let numbers = lab.run_numbers();
    let findings = findings(&experiment(), &numbers, lab.runs.len(), window);
    findings
        .findings
        .into_iter()
        .find(|one| one.claim == claim)
        .unwrap()
}

fn experiment() -> Experiment {
    Experiment {
        id: 1,
        created_at: 0,
        spec: protocol::preset::presets().remove(0).spec,
        notes: String::new(),
        tags: Vec::new(),
        runs: Vec::new(),
        progress: 1.0,
        remaining_seconds: None,
        test_accuracy: None,
        verdicts: None,
    }
}

fn scatter(figures: &[ClaimFigure], name: ClaimFigureName, scale: Option<Scale>) -> &Scatter {
    let figure = figures
        .iter()
        .find(|one| one.name == name && one.scale == scale);
    match &figure.unwrap().picture {
        Picture::Scatter(scatter) => scatter,
        other => panic!("{other:?}"),
    }
}

/// The mean over seeds of the slopes through a figure's points.
fn slope(scatter: &Scatter) -> f64 {
    let points: Vec<_> = scatter
        .points
        .iter()
        .map(|point| (point.seed, point.x, point.y))
        .collect();
    slope_by_seed(&points).unwrap().inference.unwrap().estimate
}

fn close(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 1e-9 * (1.0 + expected.abs()),
        "{found} is not {expected}"
    );
}

/// Breaks when a scatter has other runs, conditions, attacks or means than the verdict beside it: C1, C4, C6, C7.
#[test]
fn slopes_through_the_points_are_the_verdicts() {
    use ClaimFigureName as Name;
    let lab = lab();
    let (raw, share) = (Some(Scale::Raw), Some(Scale::ShareOfClean));
    for (claim, name, scale, row, factor) in [
        (Claim::C1, Name::CorruptionSelectivity, raw, 0, 10.0),
        (Claim::C1, Name::CorruptionSelectivity, share, 1, 10.0),
        (Claim::C4, Name::DimensionSelectivity, None, 0, 0.1),
        (Claim::C6, Name::SampleVariabilitySelectivity, None, 0, 0.1),
        (Claim::C6, Name::UnitVariabilitySelectivity, None, 1, 0.1),
        (Claim::C7, Name::TradeOffFgsm, raw, 0, 10.0),
        (Claim::C7, Name::TradeOffPgd, raw, 1, 10.0),
        (Claim::C7, Name::TradeOffFgsm, share, 2, 10.0),
        (Claim::C7, Name::TradeOffPgd, share, 3, 10.0),
    ] {
        let row = &finding(&lab, claim, DEFAULT_WINDOW).estimates[row];
        let figures = drawn(&lab, claim, DEFAULT_WINDOW);
        let figure = scatter(&figures, name, scale);
        close(slope(figure) * factor, row.estimate.unwrap());
        assert_eq!(figure.points.len() as u32, row.runs, "{claim:?} {name:?}");
    }
    // Some attack is left out, which shows that it is left out of both.
    assert!(finding(&lab, Claim::C7, DEFAULT_WINDOW).notes[0].starts_with("Left out"));
}

/// Breaks when a figure does not say what its verdict leaves out, or writes attacks otherwise than elsewhere.
#[test]
fn a_figure_says_what_its_verdict_leaves_out() {
    let figures = drawn(&lab(), Claim::C3, DEFAULT_WINDOW);
    let notes = figures.iter().filter_map(|figure| match &figure.picture {
        Picture::Lines(lines) => lines
            .of
            .split_once("; for the verdict, ")
            .map(|(_, note)| note),
        _ => None,
    });
    let notes: Vec<&str> = notes.collect();
    assert!(!notes.is_empty());
    for note in notes {
        assert!(
            note.starts_with("left out because more than half"),
            "{note}"
        );
        assert!(
            note.contains("FGSM L∞") || note.contains("PGD L∞"),
            "{note}"
        );
        assert!(!note.ends_with('.'), "{note}");
    }
}

/// Breaks when the map of slopes has other cells than the verdict counts: C2.
#[test]
fn the_maps_cells_are_the_verdicts() {
    let lab = lab();
    let finding = finding(&lab, Claim::C2, DEFAULT_WINDOW);
    let figures = drawn(&lab, Claim::C2, DEFAULT_WINDOW);
    for (place, figure) in figures.iter().enumerate() {
        let Picture::Slopes(map) = &figure.picture else {
            panic!("no slopes");
        };
        let cells: Vec<_> = map
            .rows
            .iter()
            .flat_map(|row| row.cells.iter().flatten())
            .collect();
        assert_eq!(cells.len(), 95);
        let below = cells.iter().filter(|cell| cell.slope < 0.0).count();
        assert_eq!(finding.estimates[place].estimate, Some(below as f64));
        let of_scale: Vec<_> = finding.evidence[4..]
            .iter()
            .filter(|one| one.scale == figure.scale)
            .collect();
        for (cell, evidence) in cells.iter().zip(of_scale) {
            close(10.0 * cell.slope, evidence.estimate.unwrap());
            assert_eq!((cell.p_holm, cell.n), (evidence.p_holm, evidence.n));
        }
    }
}

fn series(figure: &ClaimFigure) -> &[Series] {
    match &figure.picture {
        Picture::Lines(lines) => &lines.series,
        other => panic!("{other:?}"),
    }
}

/// The contrast of an alpha with the control, in points, is the distance of its line from the control's, averaged over the
/// budgets that count: C3. Breaks when the figure's curves are of other runs or attacks. All runs count here, so that every
/// line is of all seeds.
#[test]
fn the_curves_are_the_contrasts() {
    let lab = lab();
    let runs = lab.run_numbers();
    let numbers = Numbers::new(&runs);
    let finding = finding(&lab, Claim::C3, WIDEST_WINDOW);
    let figures = drawn(&lab, Claim::C3, WIDEST_WINDOW);
    for (sweep, figure) in attacks::Sweep::all(&numbers)
        .iter()
        .zip([&figures[0], &figures[2]])
    {
        assert!(sweep.counted() > 1);
        let line = |alpha: f64| -> f64 {
            let of_alpha = series(figure)
                .iter()
                .find(|series| series.alpha == Some(alpha))
                .unwrap();
            let counts = sweep.attacks.iter().zip(&of_alpha.means[1..]);
            let values: Vec<f64> = counts
                .filter(|(attack, _)| sweep.counts(attack))
                .map(|(_, mean)| mean.unwrap().mean)
                .collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        for alpha in [-1.0, -0.4, 0.4, 1.0] {
            let label = format!(
                "{}, alpha {} minus control",
                sweep.family.label(),
                protocol::numeral::alpha(alpha)
            );
            let contrast = finding
                .estimates
                .iter()
                .find(|one| one.label == label)
                .unwrap();
            assert_eq!(contrast.role, Role::Contrast);
            close(
                100.0 * (line(alpha) - line(0.0)),
                contrast.estimate.unwrap(),
            );
        }
    }
}

/// The distance of the two lines, averaged over the early layers, is the verdict's estimate: C5. Breaks when another attack is
/// drawn, or a run that lacks one of the two is in the other line.
#[test]
fn the_lines_distance_is_the_verdicts() {
    let mut lab = lab();
    // An attack of more steps that fewer runs have: neither verdict nor figure may take it.
    let mut stronger: Vec<_> = lab.measurements.iter().take(2_000).cloned().collect();
    stronger.retain_mut(|(_, measured)| match measured {
        protocol::Measurement::Dimensionality(dimensions) => match &mut dimensions.perturbation {
            Perturbation::Attack(attack) => {
                attack.steps = Some(80);
                dimensions.components_95 = vec![600; dimensions.columns.len()];
                true
            }
            _ => false,
        },
        _ => false,
    });
    let attacked = stronger.len();
    stronger.truncate(attacked.saturating_sub(1).max(1));
    lab.measurements.extend(stronger);
    let row = finding(&lab, Claim::C5, WIDEST_WINDOW).estimates[0].clone();
    let figures = drawn(&lab, Claim::C5, WIDEST_WINDOW);
    let [attack, corruptions] = series(&figures[0]) else {
        panic!("not two lines");
    };
    assert!(attack.label.contains("40"), "{}", attack.label);
    let early = LayerRange::Early.count(attack.means.len());
    let distance: f64 = (0..early)
        .map(|layer| attack.means[layer].unwrap().mean - corruptions.means[layer].unwrap().mean)
        .sum();
    close(distance / early as f64, row.estimate.unwrap());
    assert_eq!(row.verdict, Verdict::Supported);
}

/// The mean clean accuracy of an alpha's points minus that of the control's is the verdict's difference: C8. Breaks when runs
/// are left out of one of them.
#[test]
fn the_points_differences_are_the_verdicts() {
    let lab = lab();
    let finding = finding(&lab, Claim::C8, DEFAULT_WINDOW);
    let figures = drawn(&lab, Claim::C8, DEFAULT_WINDOW);
    let figure = scatter(&figures, ClaimFigureName::CleanSelectivity, None);
    assert_eq!(figure.points.len(), lab.runs.len(), "no window");
    let at = |alpha: f64| {
        figure
            .alphas
            .iter()
            .find(|one| one.alpha == alpha)
            .unwrap()
            .y
            .mean
    };
    for (alpha, row) in [-1.0, -0.4].into_iter().zip(&finding.estimates) {
        assert!((100.0 * (at(alpha) - at(0.0)) - row.estimate.unwrap()).abs() < 1e-9);
    }
}

/// Breaks when a collapsed run counts, is not named, or the verdict on all runs is missing.
#[test]
fn the_window_leaves_collapsed_runs_out_and_says_so() {
    let lab = lab();
    let numbers = lab.run_numbers();
    let findings_within = |window| findings(&experiment(), &numbers, 15, window);
    let windowed = findings_within(DEFAULT_WINDOW);
    let [left_out] = &windowed.left_out[..] else {
        panic!("{:?}", windowed.left_out);
    };
    assert_eq!(
        (left_out.run_id, left_out.alpha, left_out.seed),
        (15, 1.0, 2)
    );
    assert_eq!(
        (left_out.test_accuracy, left_out.control_accuracy),
        (0.3, Some(0.8))
    );
    assert!(windowed.pilot && windowed.window == DEFAULT_WINDOW);
    for finding in &windowed.findings {
        assert_eq!(
            finding.all_runs.is_some(),
            finding.claim != Claim::C8,
            "{:?}",
            finding.claim
        );
    }
    assert_eq!(
        windowed.findings[0].estimates[0].runs, 13,
        "one lacks a corruption"
    );
    let all = findings_within(WIDEST_WINDOW);
    assert!(all.left_out.is_empty());
    assert!(
        all.findings
            .iter()
            .all(|finding| finding.all_runs.is_none())
    );
    assert_eq!(all.findings[0].estimates[0].runs, 14);
    let all_runs = windowed.findings[0].all_runs.as_ref().unwrap();
    assert_eq!(
        (all_runs.verdict, &all_runs.sentence),
        (all.findings[0].verdict, &all.findings[0].sentence)
    );
}

/// Breaks when an experiment without a control is called unmeasured, or has a verdict within a window that has no control to
/// lie around.
#[test]
fn without_a_control_only_all_runs_have_a_verdict() {
    let lab = Lab::with_alphas(3, &[-1.0, 0.5, 1.0]).corruptions(crate::made_up::falls(0.3));
    let numbers = lab.run_numbers();
    let result = findings(&experiment(), &numbers, 9, DEFAULT_WINDOW);
    assert_eq!(result.left_out.len(), 9);
    assert_eq!(result.findings[0].verdict, Verdict::NotEnoughRuns);
    assert!(
        result.findings[0].sentence.contains("within 10 points"),
        "{}",
        result.findings[0].sentence
    );
    assert_eq!(
        result.findings[0].all_runs.as_ref().unwrap().verdict,
        Verdict::Supported
    );
}

/// Breaks when a figure is drawn from nothing, or there is a panic on an experiment that is not trained.
#[test]
fn without_measurements_every_figure_is_empty() {
    let empty = |runs: &[Run], numbers: &[RunNumbers]| {
        figures(runs, numbers, &Claim::ALL, DEFAULT_WINDOW)
            .into_iter()
            .flat_map(|claim| claim.figures)
            .all(|figure| {
                figure.name == ClaimFigureName::CleanSelectivity || figure.picture.is_empty()
            })
    };
    assert!(empty(&[], &[]));
    let lab = Lab::new(2);
    assert!(empty(&lab.runs, &lab.run_numbers()));
    let mut untrained = lab.runs[0].clone();
    untrained.result = None;
    assert!(empty(&[untrained], &[]));
}

/// Breaks when alphas share a place, which would draw a line through them, a curve does not begin at clean accuracy, or attacks
/// are out of order.
#[test]
fn places_are_in_order() {
    let lab = lab();
    let figures = drawn(&lab, Claim::C1, WIDEST_WINDOW);
    let Picture::Lines(lines) = &figures[2].picture else {
        panic!("no lines");
    };
    assert_eq!(lines.places, ["−1", "−0.4", "0", "+0.4", "+1"]);
    for (place, series) in lines.series.iter().enumerate() {
        let filled: Vec<usize> = (0..5).filter(|&at| series.means[at].is_some()).collect();
        assert_eq!(filled, [place]);
    }
    let figures = drawn(&lab, Claim::C3, WIDEST_WINDOW);
    let Picture::Lines(fgsm) = &figures[0].picture else {
        panic!("no lines");
    };
    assert_eq!(
        fgsm.places,
        [
            "0", "0.25/255", "0.5/255", "1/255", "2/255", "4/255", "8/255"
        ]
    );
    let clean = fgsm.series[2].means[0].unwrap();
    assert!((clean.mean - (0.8 - 0.05 * 0.3)).abs() < 0.001);
    let Picture::Lines(share) = &figures[1].picture else {
        panic!("no lines");
    };
    assert_eq!(share.series[0].means[0].map(|mean| mean.mean), Some(1.0));
    assert!(share.y.ends_with(", share of clean"), "{}", share.y);
}
