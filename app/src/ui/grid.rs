//! Tables: a box that scrolls, headings that explain and sort, and rows that open to others.

use std::borrow::Cow;
use std::collections::BTreeSet;

use leptos::attr::custom::custom_attribute;
use leptos::prelude::*;

use crate::data::choice::Choice;
use crate::signals::toggle;

/// A column: its heading, and what a reader can do with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub heading: Cow<'static, str>,
    /// Whether it holds numbers.
    pub number: bool,
    /// The name to leave it out by, and what it is called where columns are chosen.
    pub choice: Option<Choice>,
    /// The name to sort by.
    sort: Option<String>,
    /// A further class of the heading.
    class: Option<&'static str>,
    /// What is in it, in a sentence.
    explanation: Option<String>,
    /// Whether only screen readers see the heading.
    unseen: bool,
}

impl Column {
    /// A column of words.
    pub fn words(heading: impl Into<Cow<'static, str>>) -> Column {
        Column {
            heading: heading.into(),
            ..Column::default()
        }
    }

    /// A column of numbers.
    pub fn number(heading: impl Into<Cow<'static, str>>) -> Column {
        Column {
            number: true,
            ..Column::words(heading)
        }
    }

    /// A column of controls, whose heading only screen readers see.
    pub fn controls(heading: &'static str) -> Column {
        Column {
            unseen: true,
            ..Column::words(heading)
        }
    }

    /// With a further class of the heading.
    pub fn class(mut self, class: &'static str) -> Column {
        self.class = Some(class);
        self
    }

    /// With a sentence on what is in it.
    pub fn explained(mut self, explanation: impl Into<String>) -> Column {
        self.explanation = Some(explanation.into());
        self
    }

    /// One to sort by, under a name.
    pub fn sorted_as(mut self, name: impl Into<String>) -> Column {
        self.sort = Some(name.into());
        self
    }

    /// One that can be left out, under a name, and is called `label` where columns are chosen.
    pub fn chosen_as(mut self, name: impl Into<String>, label: impl Into<String>) -> Column {
        self.choice = Some(Choice::new(name, label));
        self
    }
}

/// What the rows are sorted by, and the way to another order.
#[derive(Debug, Clone, Copy)]
pub struct Sorting {
    /// The name of the column, and whether the largest comes first.
    pub order: Signal<(String, bool)>,
    /// Sorts by the column of a name.
    pub choose: Callback<String>,
}

/// A table in a box that scrolls.
#[component]
pub fn Grid(
    /// From left to right.
    #[prop(into)]
    columns: Signal<Vec<Column>>,
    /// The table's id.
    #[prop(optional_no_strip, into)]
    id: Option<&'static str>,
    /// The table's class.
    #[prop(optional)]
    class: Option<&'static str>,
    /// The name of the box, which can then be reached, and scrolled, by keys.
    #[prop(optional)]
    label: Option<&'static str>,
    /// What the table shows, for screen readers.
    #[prop(optional)]
    caption: Option<&'static str>,
    /// Whether nothing of it is shown.
    #[prop(optional, into)]
    hidden: Signal<bool>,
    /// How it is sorted, where a reader can change that.
    #[prop(optional)]
    sorting: Option<Sorting>,
    /// The rows.
    children: Children,
) -> impl IntoView {
    let heading = move |column: Column| heading(column, sorting);
    let headings = move || columns.get().into_iter().map(heading).collect_view();
    let class = custom_attribute("class", class);
    let (focus, role) = (label.map(|_| "0"), label.map(|_| "region"));
    view! {
        <div class="scroll" tabindex=focus role=role aria-label=label hidden=move || hidden.get()>
            <table {..class} id=id>
                {caption.map(|caption| view! { <caption class="sr-only">{caption}</caption> })}
                <thead><tr>{headings}</tr></thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A heading; with a button where the table can be sorted by its column.
fn heading(column: Column, sorting: Option<Sorting>) -> AnyView {
    let class = custom_attribute(
        "class",
        match (column.number, column.class) {
            (true, Some(further)) => Some(format!("number {further}")),
            (true, None) => Some("number".to_owned()),
            (false, further) => further.map(str::to_owned),
        },
    );
    let (heading, explanation) = (column.heading, column.explanation);
    let Some((sorting, name)) = sorting.zip(column.sort) else {
        let heading = match column.unseen {
            true => view! { <span class="sr-only">{heading}</span> }.into_any(),
            false => heading.into_any(),
        };
        return view! { <th scope="col" {..class} title=explanation>{heading}</th> }.into_any();
    };
    let own = name.clone();
    let descending = Memo::new(move |_| {
        let (column, descending) = sorting.order.get();
        (column == own).then_some(descending)
    });
    let words = move |down: &'static str, up: &'static str| {
        move || descending.get().map(|is| if is { down } else { up })
    };
    let arrow = words(" ↓", " ↑");
    let sort = {
        let name = name.clone();
        move |_| sorting.choose.run(name.clone())
    };
    view! {
        <th scope="col" {..class} aria-sort=words("descending", "ascending")>
            <button type="button" class="sort" data-sort=name title=explanation on:click=sort>
                {heading}<span aria-hidden="true">{move || arrow().unwrap_or_default()}</span>
            </button>
        </th>
    }
    .into_any()
}

/// The button of a row that opens to others: which rows are open, by their keys, and this one's.
pub fn fold<K: Ord + Copy + Send + Sync + 'static>(
    open: RwSignal<BTreeSet<K>>,
    key: K,
    label: Option<String>,
    text: impl IntoView + 'static,
) -> impl IntoView {
    let is_open = Memo::new(move |_| open.with(|open| open.contains(&key)));
    let sign = move || if is_open.get() { "▾ " } else { "▸ " };
    view! {
        <button type="button" class="quiet open" aria-label=label aria-expanded=move || is_open.get().to_string() on:click=move |_| toggle(open, key)>
            <span aria-hidden="true">{sign}</span>{text}
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a sort is not told to screen readers, or is on a heading that does not sort, or classes are lost.
    #[test]
    fn headings_say_how_rows_are_sorted() {
        let html = Owner::new().with(|| {
            let columns = vec![
                Column::controls("Select"),
                Column::number("Seed").class("measure").sorted_as("seed"),
                Column::words("State")
                    .explained("Where it is")
                    .sorted_as("state"),
                Column::words("Progress"),
            ];
            let order = Signal::stored(("seed".to_owned(), true));
            let choose = Callback::new(|_| ());
            view! { <Grid columns id="runs" sorting=Sorting { order, choose }>"rows"</Grid> }
                .to_html()
        });
        // Without the marks that the framework leaves for the browser.
        let html = html.replace("<!>", "");
        for part in [
            r#"<th scope="col"><span class="sr-only">Select</span></th>"#,
            r#"<th scope="col" class="number measure" aria-sort="descending">"#,
            r#"data-sort="state" title="Where it is" class="sort">"#,
            r#"<th scope="col">Progress</th>"#,
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(html.matches("aria-sort").count(), 1);
    }
}
