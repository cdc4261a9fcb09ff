//! The pages of one experiment, as tabs: each has an address, and shows one side of it.

use leptos::prelude::*;

/// A page of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ExperimentTab {
    /// Where it stands, what came out, and its runs.
    Overview,
    /// The claims and their verdicts.
    Findings,
    /// Accuracy, clean, corrupted and under attack, against selectivity.
    Robustness,
    /// What alpha does to each layer.
    Layers,
    /// Curves over the epochs.
    Training,
    /// One image, changed, and what networks make of it.
    PerturbationBench,
    /// Configuration, further tests, imports and downloads.
    SetUp,
}

impl ExperimentTab {
    /// Every tab, in order.
    pub const ALL: [ExperimentTab; 7] = [
        ExperimentTab::Overview,
        ExperimentTab::Findings,
        ExperimentTab::Robustness,
        ExperimentTab::Layers,
        ExperimentTab::Training,
        ExperimentTab::PerturbationBench,
        ExperimentTab::SetUp,
    ];

    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            ExperimentTab::Overview => "Overview",
            ExperimentTab::Findings => "Findings",
            ExperimentTab::Robustness => "Robustness",
            ExperimentTab::Layers => "Layers",
            ExperimentTab::Training => "Training",
            ExperimentTab::PerturbationBench => "Perturbation bench",
            ExperimentTab::SetUp => "Set-up and data",
        }
    }

    /// Its part of the address, after the experiment's number; empty for the first.
    pub fn segment(self) -> &'static str {
        match self {
            ExperimentTab::Overview => "",
            ExperimentTab::Findings => "findings",
            ExperimentTab::Robustness => "robustness",
            ExperimentTab::Layers => "layers",
            ExperimentTab::Training => "training",
            ExperimentTab::PerturbationBench => "perturb",
            ExperimentTab::SetUp => "set-up",
        }
    }

    /// The tab of that part of an address; none where there is no such page.
    pub fn from_segment(segment: &str) -> Option<ExperimentTab> {
        let mut all = ExperimentTab::ALL.into_iter();
        all.find(|tab| tab.segment() == segment)
    }

    /// Its address.
    pub fn address(self, experiment: i64) -> String {
        match self.segment() {
            "" => format!("/experiments/{experiment}"),
            segment => format!("/experiments/{experiment}/{segment}"),
        }
    }
}

/// Links to the pages of an experiment.
#[component]
pub fn ExperimentTabs(
    /// The experiment.
    experiment: i64,
    /// The page that these are on.
    current: ExperimentTab,
) -> impl IntoView {
    let links = ExperimentTab::ALL
        .into_iter()
        .map(|tab| {
            let here = (tab == current).then_some("page");
            let id = format!(
                "tab-{}",
                if tab.segment().is_empty() {
                    "overview"
                } else {
                    tab.segment()
                }
            );
            view! { <a id=id href=tab.address(experiment) aria-current=here>{tab.label()}</a> }
        })
        .collect_view();
    view! { <nav class="tabs" aria-label="Pages of this experiment">{links}</nav> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a tab leads to another page than its own, or an address with a typo to some page.
    #[test]
    fn every_tab_has_an_address() {
        for tab in ExperimentTab::ALL {
            assert_eq!(ExperimentTab::from_segment(tab.segment()), Some(tab));
        }
        assert_eq!(ExperimentTab::Overview.address(3), "/experiments/3");
        assert_eq!(ExperimentTab::Layers.address(3), "/experiments/3/layers");
        assert_eq!(ExperimentTab::from_segment("layer"), None);
    }
}
