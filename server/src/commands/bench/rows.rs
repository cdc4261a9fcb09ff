//! Rows of the table of speeds: a kind of work each, ours and PyTorch's in each setting, over the rounds.

use clap::ValueEnum;
use serde::Deserialize;

use super::setting::Setting;

/// The regulariser's strengths that training is measured with.
pub const ALPHAS: [f64; 2] = [0.0, 1.0];

/// The kinds of work, a row each.
pub const WHAT: [&str; 4] = [
    "training",
    "training, alpha 1",
    "inference",
    "PGD, images x steps",
];

/// Images a second of each kind of work, measured once.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Rates {
    /// Whole training steps, for each of [`ALPHAS`].
    pub training: [f64; 2],
    /// Forward passes in inference mode, selectivity responses included.
    pub inference: f64,
    /// Images x gradient steps of PGD.
    pub attack: f64,
}

impl Rates {
    /// In the order of [`WHAT`].
    pub fn in_rows(self) -> [f64; WHAT.len()] {
        let [plain, regularised] = self.training;
        [plain, regularised, self.inference, self.attack]
    }
}

/// Images a second of one kind of work in one round: what was measured in turn, and is compared.
pub struct Round {
    /// Ours.
    pub lab: f64,
    /// PyTorch's in each setting that was measured.
    pub pytorch: Vec<(Setting, f64)>,
}

impl Round {
    fn pytorch(&self, setting: Setting) -> Option<f64> {
        let measured = self.pytorch.iter().find(|(other, _)| *other == setting);
        measured.map(|&(_, rate)| rate)
    }
}

/// One kind of work.
pub struct Row {
    what: &'static str,
    /// The rounds so far.
    pub rounds: Vec<Round>,
}

impl Row {
    /// The row of `what`, before the first round.
    pub fn new(what: &'static str) -> Self {
        Row {
            what,
            rounds: Vec::new(),
        }
    }

    /// PyTorch's images a second in `setting`, from the rounds that have it.
    fn pytorch(&self, setting: Setting) -> Vec<f64> {
        let rounds = self.rounds.iter();
        rounds.filter_map(|round| round.pytorch(setting)).collect()
    }

    /// The float32 setting with PyTorch's highest median; absent where none was measured.
    fn best(&self) -> Option<Setting> {
        let settings = Setting::value_variants().iter().copied();
        settings
            .filter(|setting| setting.is_float32())
            .map(|setting| (setting, self.pytorch(setting)))
            .filter(|(_, rates)| !rates.is_empty())
            .max_by(|(_, one), (_, other)| median(one).total_cmp(&median(other)))
            .map(|(setting, _)| setting)
    }

    /// The median over the rounds of ours divided by PyTorch's in `setting` of the same round.
    fn ratio(&self, setting: Setting) -> f64 {
        let ratios: Vec<f64> = self
            .rounds
            .iter()
            .filter_map(|round| Some(round.lab / round.pytorch(setting)?))
            .collect();
        median(&ratios)
    }

    /// The cells from the kind of work on.
    pub fn cells(&self) -> String {
        let lab: Vec<f64> = self.rounds.iter().map(|round| round.lab).collect();
        let [best, name, ratio] = match self.best() {
            Some(setting) => [
                spread(&self.pytorch(setting)),
                setting.name().to_owned(),
                format!("{:.2}", self.ratio(setting)),
            ],
            None => Default::default(),
        };
        let to_defaults = match self.pytorch(Setting::Eager).is_empty() {
            true => String::new(),
            false => format!("{:.2}", self.ratio(Setting::Eager)),
        };
        format!(
            "{} | {} | {best} | {name} | {ratio} | {to_defaults} | {} |",
            self.what,
            spread(&lab),
            spread(&self.pytorch(Setting::Bf16))
        )
    }
}

/// The median of at least one value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

/// The median with the smallest and the largest value; nothing of no values.
pub fn spread(values: &[f64]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.0} [{smallest:.0}, {largest:.0}]", median(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row from ours and PyTorch's images a second, a round each.
    fn row<const SETTINGS: usize>(rounds: &[(f64, [(Setting, f64); SETTINGS])]) -> Row {
        let mut row = Row::new("training");
        row.rounds.extend(rounds.iter().map(|(lab, pytorch)| Round {
            lab: *lab,
            pytorch: pytorch.to_vec(),
        }));
        row
    }

    /// Breaks when a row quotes a mean, or a ratio of medians instead of the median of paired ratios.
    #[test]
    fn a_row_quotes_medians_and_paired_ratios() {
        let row = row(&[
            (30.0, [(Setting::Eager, 10.0)]),
            (10.0, [(Setting::Eager, 10.0)]),
            (20.0, [(Setting::Eager, 40.0)]),
        ]);
        assert_eq!(
            row.cells(),
            "training | 20 [10, 30] | 10 [10, 40] | eager | 1.00 | 1.00 |  |"
        );
        assert_eq!(median(&[1.0, 4.0, 2.0, 3.0]), 2.5);
    }

    /// Breaks when the best setting is the one with the highest single round, bfloat16 is taken for float32, or the
    /// ratio is to another setting than the one that is named.
    #[test]
    fn the_best_setting_is_that_of_the_highest_float32_median() {
        let row = row(&[
            (40.0, settings(10.0, 20.0, 90.0, 70.0)),
            (60.0, settings(11.0, 30.0, 15.0, 80.0)),
            (80.0, settings(12.0, 40.0, 16.0, 90.0)),
        ]);
        assert_eq!(row.best(), Some(Setting::ChannelsLast));
        assert_eq!(
            row.cells(),
            "training | 60 [40, 80] | 30 [20, 40] | channels_last | 2.00 | 5.45 | 80 [70, 90] |"
        );
    }

    fn settings(eager: f64, channels_last: f64, compile: f64, bf16: f64) -> [(Setting, f64); 4] {
        [
            (Setting::Eager, eager),
            (Setting::ChannelsLast, channels_last),
            (Setting::Compile, compile),
            (Setting::Bf16, bf16),
        ]
    }

    /// Breaks when a round that a setting lacks shifts its pairs, so that ours is divided by another round's.
    #[test]
    fn ours_is_divided_by_the_same_rounds() {
        let mut row = row(&[
            (100.0, [(Setting::Eager, 10.0)]),
            (40.0, [(Setting::Compile, 20.0)]),
            (60.0, [(Setting::Compile, 20.0)]),
        ]);
        assert_eq!(row.ratio(Setting::Compile), 2.5);
        assert_eq!(row.ratio(Setting::Eager), 10.0);
        assert_eq!(row.best(), Some(Setting::Compile));
        // Nor does the order in which a round measured the settings matter.
        row.rounds[1].pytorch.insert(0, (Setting::Eager, 4.0));
        assert_eq!(row.ratio(Setting::Compile), 2.5);
        assert_eq!(row.ratio(Setting::Eager), 10.0);
    }

    /// Breaks when a row without PyTorch cannot be written, or bfloat16 alone counts as PyTorch's best.
    #[test]
    fn a_row_without_float32_settings_has_no_ratio() {
        let alone = row::<0>(&[(20.0, [])]);
        assert_eq!(alone.cells(), "training | 20 [20, 20] |  |  |  |  |  |");
        let bf16 = row(&[(20.0, [(Setting::Bf16, 40.0)])]);
        assert_eq!(
            bf16.cells(),
            "training | 20 [20, 20] |  |  |  |  | 40 [40, 40] |"
        );
    }

    /// Breaks when a kind of work is put into another one's row.
    #[test]
    fn rates_are_in_the_order_of_the_rows() {
        let rates = Rates {
            training: [1.0, 2.0],
            inference: 3.0,
            attack: 4.0,
        };
        assert_eq!(rates.in_rows(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(WHAT[2], "inference");
    }
}
