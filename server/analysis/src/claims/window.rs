//! Which networks count: those whose clean accuracy is near their seed's control. Networks that hardly learned would dominate
//! the slopes.

use protocol::finding::{LeftOutRun, WIDEST_WINDOW};

use super::numbers::{Numbers, RunRow};

/// Differences up to this, in points, are rounding.
const ROUNDING: f64 = 1e-9;

/// The numbers of the runs whose clean test accuracy is within `window` points of that of their seed's control (alpha 0), on
/// both sides, and the runs that are left out. A seed without a control has nothing to be compared with: its runs are left
/// out. The widest window leaves no run out.
pub fn within<'a>(numbers: &Numbers<'a>, window: f64) -> (Numbers<'a>, Vec<LeftOutRun>) {
    if window >= WIDEST_WINDOW {
        return (numbers.clone(), Vec::new());
    }
    let controls = numbers.controls(&numbers.test_accuracy());
    let counts = |run: &RunRow| {
        controls
            .get(&run.seed)
            .is_some_and(|control| 100.0 * (run.test_accuracy - control).abs() <= window + ROUNDING)
    };
    let mut left_out: Vec<LeftOutRun> = numbers
        .runs
        .iter()
        .filter(|run| !counts(run))
        .map(|run| LeftOutRun {
            run_id: run.id,
            alpha: run.alpha,
            seed: run.seed,
            test_accuracy: run.test_accuracy,
            control_accuracy: controls.get(&run.seed).copied(),
        })
        .collect();
    left_out.sort_by(|a, b| a.seed.cmp(&b.seed).then(a.alpha.total_cmp(&b.alpha)));
    (numbers.only(counts), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::Lab;

    /// Control 0.80; the runs at alpha -1, -0.4, 0.4 and 1 have 0.70, 0.75, 0.85 and 0.60. Breaks when a window holds on one side
    /// only, its end is outside, another seed's control is taken, or a seed without a control counts.
    #[test]
    fn runs_count_near_their_own_control() {
        let mut lab = Lab::new(3);
        for run in &mut lab.runs {
            let accuracy = match run.spec.alpha {
                -1.0 => 0.70,
                -0.4 => 0.75,
                0.4 => 0.85,
                1.0 => 0.60,
                _ => 0.80,
            };
            let shift = if run.spec.seed == 1 { 0.1 } else { 0.0 };
            run.result.as_mut().unwrap().test_accuracy = accuracy + shift;
        }
        lab.runs
            .retain(|run| run.spec.seed != 2 || run.spec.alpha != 0.0);
        let runs = lab.run_numbers();
        let numbers = Numbers::new(&runs);
        let (inside, left_out) = within(&numbers, 10.0);
        let alphas_of = |seed| {
            let runs = inside.runs.iter().filter(move |run| run.seed == seed);
            runs.map(|run| run.alpha).collect::<Vec<_>>()
        };
        assert_eq!(alphas_of(0), [-1.0, -0.4, 0.0, 0.4]);
        assert_eq!(alphas_of(1), [-1.0, -0.4, 0.0, 0.4]);
        assert_eq!(alphas_of(2), [0.0; 0]);
        let outside: Vec<_> = left_out.iter().map(|run| (run.seed, run.alpha)).collect();
        assert_eq!(outside[..2], [(0, 1.0), (1, 1.0)]);
        assert_eq!((left_out.len(), left_out[2].control_accuracy), (6, None));
        assert_eq!(left_out[0].control_accuracy, Some(0.8));
        let (all, none) = within(&numbers, 100.0);
        assert_eq!((all.runs.len(), none.len()), (14, 0));
        assert_eq!(within(&numbers, 4.9).0.runs.len(), 2);
    }
}
