//! Which columns the table of runs shows: all but those that the address names.

use leptos::prelude::*;

use super::view::View;
use crate::components::menu::close_by_escape;

/// Columns that are always shown, before the others: the box to select with, and the run.
const ALWAYS: usize = 2;

/// The columns that can be left out, in the table's order, each with its name in the address and its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(Vec<(String, String)>);

impl Columns {
    /// The columns that every table has, and those of `measures`, each with its name and its label.
    pub fn new(measures: Vec<(String, String)>) -> Columns {
        let own = [
            ("alpha", "Alpha"),
            ("seed", "Seed, or n"),
            ("state", "State"),
            ("progress", "Progress"),
            ("validation_accuracy", "Validation accuracy"),
            ("test_accuracy", "Test accuracy"),
            ("selectivity", "Selectivity"),
        ];
        let own = own.map(|(id, label)| (id.to_owned(), label.to_owned()));
        Columns(own.into_iter().chain(measures).collect())
    }

    /// Style that leaves out the columns of the table `#runs` that `hidden` names; names of no column change nothing.
    fn style(&self, hidden: &[String]) -> String {
        let places = self.0.iter().enumerate();
        let cells: Vec<String> = places
            .filter(|(_, (id, _))| hidden.contains(id))
            .map(|(place, _)| format!("#runs tr > :nth-child({})", ALWAYS + place + 1))
            .collect();
        match cells.is_empty() {
            true => String::new(),
            false => format!(
                "{} {{ display: none; }} #runs {{ min-width: 0; }}",
                cells.join(", ")
            ),
        }
    }

    /// How many columns the table has then, with those that are always shown.
    pub fn width(&self, hidden: &[String]) -> usize {
        let [shown, _] = self.shown(hidden);
        ALWAYS + shown
    }

    /// How many of them are shown, of how many.
    fn shown(&self, hidden: &[String]) -> [usize; 2] {
        let shown = self.0.iter().filter(|(id, _)| !hidden.contains(id));
        [shown.count(), self.0.len()]
    }
}

/// Leaves out what the address says: one rule of style, whatever the number of rows.
#[component]
pub fn ColumnStyle(columns: Memo<Columns>, view: Memo<View>) -> impl IntoView {
    let style = move || view.with(|view| columns.with(|columns| columns.style(&view.hidden)));
    view! { <style id="runs-columns-style" inner_html=style></style> }.into_any()
}

/// A menu to choose columns from.
#[component]
pub fn ColumnChoice(columns: Memo<Columns>, view: Memo<View>, go: Callback<View>) -> impl IntoView {
    let is_shown = move |id: &str| view.with(|view| view.hidden.iter().all(|other| other != id));
    let toggle = move |id: &str| {
        let mut view = view.get_untracked();
        let before = view.hidden.len();
        view.hidden.retain(|other| other != id);
        if view.hidden.len() == before {
            view.hidden.push(id.to_owned());
        }
        go.run(view);
    };
    let row = move |(id, label): (String, String)| {
        let (shown, name) = (id.clone(), id.clone());
        view! {
            <label>
                <input type="checkbox" data-column=name prop:checked=move || is_shown(&shown) on:change=move |_| toggle(&id) />
                {label}
            </label>
        }
    };
    let all = move |_| {
        go.run(View {
            hidden: Vec::new(),
            ..view.get_untracked()
        });
    };
    let counts = move || view.with(|view| columns.with(|columns| columns.shown(&view.hidden)));
    let heading = move || match counts() {
        [shown, all] if shown < all => format!("Columns: {shown} of {all}"),
        _ => "Columns".to_owned(),
    };
    view! {
        <details class="menu labelled" id="runs-columns" on:keydown=|event| close_by_escape(&event)>
            <summary>{heading}</summary>
            <fieldset class="menu-items">
                <legend class="sr-only">"Columns of the table of runs"</legend>
                <For each=move || columns.get().0 key=Clone::clone children=row />
                <button type="button" class="quiet" on:click=all>"Show all"</button>
            </fieldset>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when another column is left out than the one named, or a name of no column leaves one out.
    #[test]
    fn hidden_columns_are_found_by_their_place() {
        let columns = Columns::new(vec![("attack:fgsm".into(), "FGSM".into())]);
        let hidden = ["seed", "attack:fgsm", "no_such_column"].map(str::to_owned);
        let expected = "#runs tr > :nth-child(4), #runs tr > :nth-child(10) { display: none; } #runs { min-width: 0; }";
        assert_eq!(columns.style(&hidden), expected);
        assert_eq!(columns.style(&[]), "");
        assert_eq!(columns.shown(&hidden), [6, 8]);
        assert_eq!(columns.width(&hidden), 8);
    }
}
