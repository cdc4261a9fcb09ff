//! What a run was tested on, under one set of conditions at a time: what its sections on corruptions and attacks share.

use leptos::prelude::*;
use protocol::Measurement;

use crate::data::conditions::{self, Conditions};
use crate::ui::ConditionsChooser;

/// The conditions of a section's numbers.
#[derive(Debug, Clone, Copy)]
pub struct Tested<C: Conditions> {
    /// What was measured on the run.
    measurements: RwSignal<Vec<Measurement>>,
    /// Every set of conditions, most measurements first.
    known: Memo<Vec<C>>,
    /// The set that a person chose.
    chosen: RwSignal<Option<C>>,
    /// The conditions that are shown; none while nothing was measured.
    pub conditions: Memo<Option<C>>,
}

impl<C: Conditions> Tested<C> {
    /// The conditions among `measurements`.
    pub fn new(measurements: RwSignal<Vec<Measurement>>) -> Tested<C> {
        let known = Memo::new(move |_| measurements.with(|all| conditions::known(all)));
        let chosen = RwSignal::new(None::<C>);
        let conditions = Memo::new(move |_| {
            known.with(|known: &Vec<C>| {
                let chosen = chosen.get().filter(|chosen| known.contains(chosen));
                chosen.or_else(|| known.first().copied())
            })
        });
        Tested {
            measurements,
            known,
            chosen,
            conditions,
        }
    }

    /// What `under` takes of the measurements under the conditions that are shown.
    pub fn measured<T: Default + PartialEq + Send + Sync + 'static>(
        self,
        under: fn(&[Measurement], C) -> T,
    ) -> Memo<T> {
        Memo::new(move |_| {
            let conditions = self.conditions.get();
            conditions.map_or_else(T::default, |conditions| {
                self.measurements.with(|all| under(all, conditions))
            })
        })
    }

    /// A choice of conditions, where there are several.
    pub fn chooser(self, id: &'static str) -> impl IntoView {
        let choose = move |value: String| self.chosen.set(value.parse().ok());
        view! { <ConditionsChooser id known=self.known shown=self.conditions choose /> }
    }

    /// A section: what is `missing`, and how to get it, while nothing is measured, else its content.
    pub fn section(
        self,
        id: &'static str,
        title: &'static str,
        missing: impl Fn() -> &'static str + Send + Sync + 'static,
        content: AnyView,
    ) -> AnyView {
        let any = Memo::new(move |_| self.known.with(|known| !known.is_empty()));
        let title_id = format!("{id}-title");
        let labelled_by = title_id.clone();
        view! {
            <section class="robustness" id=id aria-labelledby=labelled_by>
                <h2 id=title_id>{title}</h2>
                <p class="empty" hidden=move || any.get()>{missing}</p>
                <div class="robustness" hidden=move || !any.get()>{content}</div>
            </section>
        }
        .into_any()
    }
}
