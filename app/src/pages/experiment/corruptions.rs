//! What class selectivity does to average-case robustness, and tests of more.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{query_signal_with_options, use_query_map};
use protocol::Corruption;
use protocol::api::ApiError;
use protocol::corruption::SEVERITIES;
use protocol::evaluation::CorruptionConditions;
use protocol::measure::{Measure, Scale, Scatter};

use super::Now;
use crate::api;
use crate::components::{Choice, Chooser, ErrorBox, EvaluateAgain, Target};
use crate::corruptions::{FAMILIES, conditions_choices, of_family, scale_choices, scale_from};
use crate::figure::{Figure, corruption_selectivity};

/// What a select holds where the mean over all is shown, or no conditions were chosen.
const ALL: &str = "all";

/// Which corruption accuracy is shown; it lives in the address, so that a view can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    corruption: Option<Corruption>,
    severity: Option<u8>,
    scale: Scale,
    conditions: Option<CorruptionConditions>,
}

impl Selection {
    /// The selection of an address; what it does not name, or names wrongly, is left open.
    fn from_query(get: impl Fn(&str) -> Option<String>) -> Selection {
        Selection {
            corruption: get("corruption").and_then(|id| id.parse().ok()),
            severity: get("severity")
                .and_then(|text| text.parse().ok())
                .filter(|severity| SEVERITIES.contains(severity)),
            scale: scale_from(&get("scale").unwrap_or_default()),
            conditions: get("conditions").and_then(|text| text.parse().ok()),
        }
    }

    /// Where the API answers it.
    fn path(self, experiment: &str) -> String {
        let measure = Measure::Corruption {
            corruption: self.corruption,
            severity: self.severity,
        };
        let mut path = format!(
            "/experiments/{experiment}/scatter?x={}&y={measure}&scale={}",
            Measure::Selectivity,
            self.scale.id()
        );
        if let Some(conditions) = self.conditions {
            path += &format!("&conditions={conditions}");
        }
        path
    }

    /// Asks for the runs' corruption accuracies.
    pub fn read(
        self,
        experiment: &str,
    ) -> impl Future<Output = Result<Scatter, ApiError>> + Send + use<> {
        api::get(&self.path(experiment))
    }
}

/// The selection of the page's address.
pub fn use_selection() -> Memo<Selection> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| Selection::from_query(|key| query.get(key))))
}

/// Asks anew when another selection is made. Why there is no answer, if there is none.
fn follow(now: Now, selection: Memo<Selection>) -> RwSignal<Option<ApiError>> {
    let error = RwSignal::new(None);
    let id = now.experiment.with_untracked(|experiment| experiment.id);
    Effect::new(move |last: Option<Selection>| {
        let wanted = selection.get();
        if last.is_some_and(|last| last != wanted) {
            leptos::task::spawn_local(async move {
                let answer = wanted.read(&id.to_string()).await;
                // An answer to what is no longer selected, or on a page that was left, is dropped.
                if selection.try_get_untracked() != Some(wanted) {
                    return;
                }
                match answer {
                    Ok(scatter) => {
                        error.set(None);
                        now.scatter.set(scatter);
                    }
                    Err(refusal) => error.set(Some(refusal)),
                }
            });
        }
        wanted
    });
    error
}

/// The figure, with what it can be changed by.
#[component]
pub fn CorruptionFigure(now: Now, selection: Memo<Selection>) -> impl IntoView {
    let scatter = now.scatter;
    let error = follow(now, selection);
    let in_place = || NavigateOptions {
        replace: true,
        scroll: false,
        ..Default::default()
    };
    let signal = |key: &'static str| query_signal_with_options::<String>(key, in_place()).1;
    let (set_corruption, set_severity) = (signal("corruption"), signal("severity"));
    let (set_scale, set_conditions) = (signal("scale"), signal("conditions"));
    // What is shown without being named is not named in the address.
    let named = |value: String| (value != ALL && value != Scale::Raw.id()).then_some(value);

    let mut corruptions = vec![Choice::new(ALL, "Mean over all")];
    corruptions.extend(FAMILIES.into_iter().flat_map(|family| {
        of_family(family)
            .map(move |one| Choice::new(one.id(), format!("{}: {}", family.label(), one.label())))
    }));
    let mut severities = vec![Choice::new(ALL, "Mean over all")];
    severities.extend(SEVERITIES.map(|one| Choice::new(one.to_string(), one.to_string())));
    let known = Memo::new(move |_| scatter.with(|scatter| scatter.known_conditions.clone()));
    let several = move || known.with(|known| known.len() > 1);
    let shown = Signal::derive(move || {
        let conditions = scatter.with(|scatter| scatter.conditions);
        conditions.map_or_else(String::new, |conditions| conditions.to_string())
    });
    view! {
        <Figure
            id="figure-corruption-selectivity"
            question="Does selectivity cost average-case robustness?"
            subtitle=Signal::derive(move || scatter.with(corruption_selectivity::subtitle))
            waiting="No trained run was tested on this. Corruptions are tested after training where the experiment asks for it, or with “Evaluate all trained runs again” below."
            table=Signal::derive(move || scatter.with(corruption_selectivity::table))
            plot=move |theme| scatter.with(|scatter| corruption_selectivity::plot(scatter, theme))
        >
            <div class="controls">
                <Chooser
                    id="corruption" label="Corruption" options=Signal::stored(corruptions)
                    value=Signal::derive(move || selection.get().corruption.map_or(ALL, Corruption::id).to_owned())
                    choose=move |value| set_corruption.set(named(value))
                />
                <Chooser
                    id="severity" label="Severity" options=Signal::stored(severities)
                    value=Signal::derive(move || selection.get().severity.map_or(ALL.to_owned(), |severity| severity.to_string()))
                    choose=move |value| set_severity.set(named(value))
                />
                <Chooser
                    id="scale" label="Shown as" options=Signal::stored(scale_choices())
                    value=Signal::derive(move || selection.get().scale.id().to_owned())
                    choose=move |value| set_scale.set(named(value))
                />
                <div hidden=move || !several()>
                    <Chooser
                        id="conditions" label="Tested" options=Signal::derive(move || known.with(|known| conditions_choices(known)))
                        value=shown choose=move |value| set_conditions.set(Some(value))
                    />
                </div>
            </div>
            {move || error.get().map(|error| view! { <ErrorBox error /> })}
        </Figure>
    }
    .into_any()
}

/// Tests of more, on every trained run.
#[component]
pub fn Again(now: Now, after: impl Fn() + Clone + Send + Sync + 'static) -> impl IntoView {
    let (id, spec) = now
        .experiment
        .with_untracked(|experiment| (experiment.id, experiment.spec.clone()));
    let untrained = Memo::new(move |_| {
        now.runs
            .with(|runs| runs.iter().all(|run| run.result.is_none()))
    });
    let blocked = Signal::derive(move || {
        untrained
            .get()
            .then_some("No run is trained yet: there are no weights to test.")
    });
    view! { <EvaluateAgain target=Target::Experiment(id) dataset=spec.dataset start=spec.evaluation blocked after /> }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: an address that asks for something else than what it names, or a typo in it that takes the
    /// whole page down.
    #[test]
    fn an_address_selects_what_it_names() {
        let selection = |pairs: &'static [(&str, &str)]| {
            Selection::from_query(|key| {
                let pair = pairs.iter().find(|(name, _)| *name == key)?;
                Some(pair.1.to_owned())
            })
        };
        assert_eq!(
            selection(&[
                ("corruption", "fog"),
                ("severity", "3"),
                ("scale", "share_of_clean"),
                ("conditions", "generated.0.200"),
            ])
            .path("7"),
            "/experiments/7/scatter?x=selectivity&y=corruption:fog:3&scale=share_of_clean&conditions=generated.0.200"
        );
        let wrong = selection(&[
            ("corruption", "fogg"),
            ("severity", "6"),
            ("scale", "log"),
            ("conditions", "x"),
        ]);
        assert_eq!(wrong, Selection::default());
    }
}
