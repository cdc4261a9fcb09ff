//! Which columns the table of runs shows: all but those that the address names.

use leptos::prelude::*;

use super::view::{Column as SortColumn, View};
use crate::data::choice::Choice;
use crate::ui::Column;
use crate::ui::menu::close_by_escape;

/// Every column, in the table's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(pub Vec<Column>);

impl Columns {
    /// The columns that every table has, and those of `measures`, each with its name and its label.
    pub fn new(measures: Vec<(String, String)>) -> Columns {
        let own = |column: Column, sort: SortColumn| {
            let label = column.heading.clone();
            column.chosen_as(sort.id(), label).sorted_as(sort.id())
        };
        let measures = measures.into_iter().enumerate();
        let measures = measures.map(|(place, (name, label))| {
            let column = own(Column::number(label.clone()), SortColumn::Extra(place));
            column.chosen_as(name, label).class("measure")
        });
        let own = [
            Column::controls("Select"),
            Column::words("Run").sorted_as(SortColumn::Run.id()),
            own(Column::words("Alpha"), SortColumn::Alpha),
            own(Column::number("Seed"), SortColumn::Seed).chosen_as("seed", "Seed, or n"),
            own(Column::words("State"), SortColumn::State),
            Column::words("Progress").chosen_as("progress", "Progress"),
            own(
                Column::number("Validation accuracy"),
                SortColumn::Validation,
            ),
            own(Column::number("Test accuracy"), SortColumn::Test),
            own(Column::number("Selectivity"), SortColumn::Selectivity),
        ];
        Columns(own.into_iter().chain(measures).collect())
    }

    /// What can be left out.
    fn choices(&self) -> impl Iterator<Item = &Choice> {
        self.0.iter().filter_map(|column| column.choice.as_ref())
    }

    /// Style that leaves out the columns of the table `#runs` that `hidden` names; names of no column change nothing.
    fn style(&self, hidden: &[String]) -> String {
        let places = self.0.iter().enumerate();
        let cells: Vec<String> = places
            .filter(|(_, column)| {
                column
                    .choice
                    .as_ref()
                    .is_some_and(|one| hidden.contains(&one.value))
            })
            .map(|(place, _)| format!("#runs tr > :nth-child({})", place + 1))
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
        let [shown, all] = self.shown(hidden);
        self.0.len() - (all - shown)
    }

    /// How many of those that can be left out are shown, of how many.
    fn shown(&self, hidden: &[String]) -> [usize; 2] {
        let shown = self.choices().filter(|one| !hidden.contains(&one.value));
        [shown.count(), self.choices().count()]
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
    let row = move |Choice { value: id, label }: Choice| {
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
    let choices = move || columns.with(|columns| columns.choices().cloned().collect::<Vec<_>>());
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
                <For each=choices key=|one| (one.value.clone(), one.label.clone()) children=row />
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
