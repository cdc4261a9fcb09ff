//! What the sections on corruptions and on attacks share: conditions to choose from, and what to say while there are none.

use leptos::prelude::*;
use protocol::{EvaluationSpec, Measurement, Run, RunState};

use crate::components::Chooser;
use crate::tested::{Tested, conditions, conditions_choices};

/// The conditions that a run was tested under.
pub struct Under<T: Tested> {
    /// Every set of conditions, that of most tests first.
    known: Memo<Vec<T::Conditions>>,
    chosen: RwSignal<Option<T::Conditions>>,
    /// The conditions that are shown; none while nothing was tested.
    pub shown: Memo<Option<T::Conditions>>,
}

impl<T: Tested> Clone for Under<T> {
    fn clone(&self) -> Under<T> {
        *self
    }
}

impl<T: Tested> Copy for Under<T> {}

impl<T: Tested> Under<T> {
    /// Those of `measurements`; until others are chosen, those of most tests are shown.
    pub fn new(measurements: RwSignal<Vec<Measurement>>) -> Under<T> {
        let known = Memo::new(move |_| measurements.with(|all| conditions::<T>(all)));
        let chosen = RwSignal::new(None::<T::Conditions>);
        let shown = Memo::new(move |_| {
            known.with(|known| {
                let chosen = chosen.get().filter(|chosen| known.contains(chosen));
                chosen.or_else(|| known.first().copied())
            })
        });
        Under {
            known,
            chosen,
            shown,
        }
    }

    /// A choice of conditions, where there are several.
    pub fn chooser(self, id: &'static str, label: &'static str) -> AnyView {
        let several = move || self.known.with(|known| known.len() > 1);
        let value = move || {
            let shown = self.shown.get();
            shown.map_or_else(String::new, |conditions| conditions.to_string())
        };
        view! {
            <div hidden=move || !several()>
                <Chooser
                    id label
                    options=Signal::derive(move || self.known.with(|known| conditions_choices(known)))
                    value=Signal::derive(value)
                    choose=move |value| self.chosen.set(value.parse().ok())
                />
            </div>
        }
        .into_any()
    }
}

/// What a section is about, in the words of its sentences.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The element's id.
    pub id: &'static str,
    /// The heading.
    pub title: &'static str,
    /// After "No", where nothing is there yet.
    pub yet: &'static str,
    /// After "No", where nothing was asked for.
    pub asked: &'static str,
    /// After "No", where nothing was done.
    pub done: &'static str,
    /// What to evaluate the run again with.
    pub again: &'static str,
    /// Whether an evaluation asks for it.
    pub asks: fn(&EvaluationSpec) -> bool,
}

impl Words {
    /// What to say, and to do, while nothing is measured.
    fn nothing(self, run: &Run) -> String {
        let asked = (self.asks)(&run.spec.evaluation) || !run.later_evaluations.is_empty();
        match (run.state, run.result.is_some()) {
            (RunState::Queued | RunState::Running, _) if asked => format!(
                "No {}: they follow training, and appear here one by one.",
                self.yet
            ),
            (RunState::Queued | RunState::Running, _) => format!(
                "No {}. Once the run is finished, evaluate it again, below.",
                self.asked
            ),
            (_, true) => format!(
                "No {}. Evaluate the run again{}, below.",
                self.done, self.again
            ),
            (_, false) => format!("No {}: the run is not trained to its end.", self.done),
        }
    }
}

/// The section: `shown` once anything was tested.
pub fn section<T: Tested>(
    words: Words,
    run: RwSignal<Run>,
    under: Under<T>,
    shown: AnyView,
) -> AnyView {
    let any = Memo::new(move |_| under.known.with(|known| !known.is_empty()));
    let title_id = format!("{}-title", words.id);
    let labelled_by = title_id.clone();
    view! {
        <section class="robustness" id=words.id aria-labelledby=labelled_by>
            <h2 id=title_id>{words.title}</h2>
            <p class="empty" hidden=move || any.get()>{move || run.with(|run| words.nothing(run))}</p>
            <div class="robustness" hidden=move || !any.get()>{shown}</div>
        </section>
    }
    .into_any()
}
