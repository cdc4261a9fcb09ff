//! What the perturbation bench shows, as its address says: networks, an image, a change of it, a layer and a unit.

use protocol::Corruption;
use protocol::attack::{Attack, SOURCE_PGD_STEPS};
use protocol::corruption::SEVERITIES;
use protocol::perturbation_bench::{ImageChange, MAXIMUM_NETWORKS};

use crate::data::api::segment;

/// The largest radius of FGSM and PGD that the slider reaches, in 255ths.
pub const WIDEST: f64 = 16.0;

/// The most steps of PGD that the slider reaches: Leavitt & Morcos' own.
pub const MOST_STEPS: u32 = SOURCE_PGD_STEPS[SOURCE_PGD_STEPS.len() - 1];

/// Sizes of a step of PGD to choose from, in 255ths; the first is Leavitt & Morcos' own.
pub const STEP_SIZES: [f64; 4] = [0.5, 0.25, 1.0, 2.0];

/// Ways to change an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A natural corruption.
    Corruption,
    /// The fast gradient sign method.
    Fgsm,
    /// Projected gradient descent, step by step.
    Pgd,
}

impl ChangeKind {
    /// Every way.
    pub const ALL: [ChangeKind; 3] = [ChangeKind::Corruption, ChangeKind::Fgsm, ChangeKind::Pgd];

    /// The name in the address.
    pub fn id(self) -> &'static str {
        match self {
            ChangeKind::Corruption => "corruption",
            ChangeKind::Fgsm => "fgsm",
            ChangeKind::Pgd => "pgd",
        }
    }

    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            ChangeKind::Corruption => "Natural corruption",
            ChangeKind::Fgsm => "FGSM",
            ChangeKind::Pgd => "PGD, step by step",
        }
    }
}

/// What the bench shows.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The networks' runs; those of the lowest, middle and highest alpha where there are none.
    pub runs: Vec<i64>,
    /// Index of a test image, or the name of one that was brought.
    pub image: String,
    /// How it is changed.
    pub way: ChangeKind,
    /// With which corruption.
    pub corruption: Corruption,
    /// How strongly, 1 to 5; 0 not at all.
    pub severity: u8,
    /// Radius of attacks in 255ths; 0 not at all.
    pub epsilon: f64,
    /// Size of a step of PGD in 255ths.
    pub step: f64,
    /// Steps of PGD; 0 not at all.
    pub steps: u32,
    /// The layer that is looked at; the last when absent.
    pub layer: Option<String>,
    /// The unit that is looked at; in each network the one that moved most when absent.
    pub unit: Option<u32>,
}

impl Default for View {
    fn default() -> View {
        View {
            runs: Vec::new(),
            image: "0".into(),
            way: ChangeKind::Corruption,
            corruption: Corruption::GaussianNoise,
            severity: 2,
            epsilon: 2.0,
            step: STEP_SIZES[0],
            steps: 10,
            layer: None,
            unit: None,
        }
    }
}

impl View {
    /// The view of a query; what it leaves out, or names wrongly, has its default.
    pub fn from_query(get: impl Fn(&str) -> Option<String>) -> View {
        let first = View::default();
        let runs = get("runs").unwrap_or_default();
        let mut runs: Vec<i64> = runs.split(',').filter_map(|run| run.parse().ok()).collect();
        runs.truncate(MAXIMUM_NETWORKS);
        let number = |key: &str, within: [f64; 2], otherwise: f64| {
            let number: Option<f64> = get(key).and_then(|text| text.parse().ok());
            number
                .filter(|number| (within[0]..=within[1]).contains(number))
                .unwrap_or(otherwise)
        };
        let way = get("way").unwrap_or_default();
        View {
            runs,
            image: get("image")
                .filter(|image| !image.is_empty())
                .unwrap_or(first.image),
            way: ChangeKind::ALL
                .into_iter()
                .find(|known| known.id() == way)
                .unwrap_or(first.way),
            corruption: get("corruption")
                .and_then(|text| text.parse().ok())
                .unwrap_or(first.corruption),
            severity: number("severity", [0.0, 5.0], first.severity.into()) as u8,
            epsilon: number("epsilon", [0.0, WIDEST], first.epsilon),
            step: number("step", [0.01, WIDEST], first.step),
            steps: number("steps", [0.0, MOST_STEPS.into()], first.steps.into()) as u32,
            layer: get("layer").filter(|layer| !layer.is_empty()),
            unit: get("unit").and_then(|text| text.parse().ok()),
        }
    }

    /// What is done to the image.
    pub fn change(&self) -> ImageChange {
        match self.way {
            ChangeKind::Corruption if SEVERITIES.contains(&self.severity) => {
                ImageChange::Corruption {
                    corruption: self.corruption,
                    severity: self.severity,
                }
            }
            ChangeKind::Fgsm if self.epsilon > 0.0 => {
                ImageChange::Attack(Attack::fgsm(self.epsilon))
            }
            ChangeKind::Pgd if self.epsilon > 0.0 && self.steps > 0 => {
                ImageChange::Attack(Attack::pgd(self.epsilon, self.step, self.steps))
            }
            ChangeKind::Corruption | ChangeKind::Fgsm | ChangeKind::Pgd => ImageChange::None,
        }
    }

    fn runs_text(&self) -> String {
        let runs: Vec<String> = self.runs.iter().map(i64::to_string).collect();
        runs.join(",")
    }

    fn watched(&self) -> String {
        let layer = self.layer.as_ref();
        let layer = layer.map_or(String::new(), |layer| format!("&layer={}", segment(layer)));
        let unit = self
            .unit
            .map_or(String::new(), |unit| format!("&unit={unit}"));
        layer + &unit
    }

    /// Its path in the API.
    pub fn question(&self) -> String {
        format!(
            "/perturbation?runs={}&image={}&change={}{}",
            self.runs_text(),
            segment(&self.image),
            segment(&self.change().to_string()),
            self.watched()
        )
    }

    /// Its address on the experiment's bench.
    pub fn address(&self, experiment: i64) -> String {
        let settings = match self.way {
            ChangeKind::Corruption => {
                format!("corruption={}&severity={}", self.corruption, self.severity)
            }
            ChangeKind::Fgsm => format!("epsilon={}", self.epsilon),
            ChangeKind::Pgd => format!(
                "epsilon={}&step={}&steps={}",
                self.epsilon, self.step, self.steps
            ),
        };
        format!(
            "/experiments/{experiment}/perturb?runs={}&image={}&way={}&{settings}{}",
            self.runs_text(),
            segment(&self.image),
            self.way.id(),
            self.watched()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::query::tests::from_pairs;

    fn read(address: &str) -> View {
        let (_, query) = address.split_once('?').unwrap();
        let pairs: Vec<_> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        View::from_query(from_pairs(&pairs))
    }

    /// Breaks when an address that is shared shows something else.
    #[test]
    fn addresses_read_back() {
        let views = [
            View {
                runs: vec![1, 5, 9],
                image: "17".into(),
                severity: 5,
                corruption: Corruption::Fog,
                layer: Some("stage1.block1.relu1".into()),
                unit: Some(3),
                ..View::default()
            },
            View {
                runs: vec![2],
                way: ChangeKind::Fgsm,
                epsilon: 0.25,
                ..View::default()
            },
            View {
                way: ChangeKind::Pgd,
                epsilon: 8.0,
                step: 1.0,
                steps: 0,
                ..View::default()
            },
        ];
        for view in views {
            assert_eq!(read(&view.address(4)), view);
        }
        assert_eq!(
            read("?severity=9&epsilon=-1&runs=x,2,3,4,5&way=b"),
            View {
                runs: vec![2, 3, 4],
                ..View::default()
            }
        );
    }

    /// Breaks when a slider at 0 still changes the image, or the API is asked for something else than the slider says.
    #[test]
    fn nothing_is_done_at_zero() {
        let at = |way, severity, epsilon, steps| {
            let view = View {
                way,
                severity,
                epsilon,
                steps,
                ..View::default()
            };
            view.change().to_string()
        };
        assert_eq!(at(ChangeKind::Corruption, 3, 0.0, 0), "gaussian_noise:3");
        assert_eq!(at(ChangeKind::Fgsm, 0, 2.5, 0), "fgsm:linf:2.5/255");
        assert_eq!(
            at(ChangeKind::Pgd, 0, 8.0, 3),
            "pgd:linf:8/255:step=0.5/255:steps=3"
        );
        for nothing in [
            at(ChangeKind::Corruption, 0, 2.0, 2),
            at(ChangeKind::Fgsm, 2, 0.0, 2),
            at(ChangeKind::Pgd, 2, 2.0, 0),
            at(ChangeKind::Pgd, 2, 0.0, 2),
        ] {
            assert_eq!(nothing, "none");
        }
        let view = View {
            runs: vec![3, 1],
            ..View::default()
        };
        assert_eq!(
            view.question(),
            "/perturbation?runs=3,1&image=0&change=gaussian_noise%3A2"
        );
    }
}
