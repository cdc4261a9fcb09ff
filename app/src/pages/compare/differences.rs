//! How the configurations of the groups differ.

use std::iter::once;

use leptos::prelude::*;
use protocol::comparison::{Comparison, ConfigurationField, FieldValue};

use super::groups::value;
use crate::format;
use crate::ui::{Column, Grid};

/// The most groups with a column; more would not be read, but are counted.
const COLUMNS: usize = 12;

/// The most values of a field that a cell shows.
const VALUES: usize = 6;

/// The table of fields that differ, and those that all runs share.
#[component]
pub fn Differences(comparison: StoredValue<Comparison>) -> impl IntoView {
    comparison.with_value(|comparison| {
        let groups = comparison.groups.len();
        let shown = comparison.groups.iter().take(COLUMNS);
        let of_groups =
            shown.map(|group| Column::words(group.label.clone()).class("measure"));
        let columns: Vec<_> = once(Column::words("Field")).chain(of_groups).collect();
        let rows = comparison
            .differing
            .iter()
            .map(|field| {
                let cells = field
                    .values
                    .iter()
                    .take(COLUMNS)
                    .map(|values| view! { <td>{cell(field.field, values)}</td> })
                    .collect_view();
                let within = (!field.between_groups)
                    .then(|| view! { <div class="hint">"the same in every group"</div> });
                view! { <tr data-field=field.field.id()><th scope="row">{field.field.label()}{within}</th>{cells}</tr> }
            })
            .collect_view();
        let none = comparison.differing.is_empty();
        let rest = (groups > COLUMNS).then(|| {
            let text = format!(
                "The first {COLUMNS} of {} groups are shown.",
                format::count(groups as u64)
            );
            view! { <p class="hint">{text}</p> }
        });
        let shared = comparison
            .shared
            .iter()
            .map(|shared| {
                view! { <div data-shared=shared.field.id()><dt>{shared.field.label()}</dt><dd>{value(shared.field, &shared.value)}</dd></div> }
            })
            .collect_view();
        view! {
            <section aria-labelledby="differences-title">
                <h2 id="differences-title">"What differs"</h2>
                <Grid id="differences" label="Table of differences" columns hidden=none>{rows}</Grid>
                <p class="waiting" hidden=!none>"Nothing: all runs have the same configuration."</p>
                {rest}
                <details>
                    <summary>"What all runs share"</summary>
                    <dl class="facts" id="shared">{shared}</dl>
                </details>
            </section>
        }
        .into_any()
    })
}

fn cell(field: ConfigurationField, values: &[FieldValue]) -> AnyView {
    if let [one] = values {
        return value(field, one);
    }
    words(values).into_any()
}

/// Some of the values, and how many more there are.
fn words(values: &[FieldValue]) -> String {
    let labels: Vec<&str> = values
        .iter()
        .take(VALUES)
        .map(|value| value.label.as_str())
        .collect();
    let rest = match values.len().saturating_sub(VALUES) {
        0 => String::new(),
        left => format!(" and {} more", format::count(left as u64)),
    };
    format!("{}{rest}", labels.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a cell of a thousand seeds, or values that are left out without a word on them.
    #[test]
    fn many_values_are_counted() {
        let values: Vec<FieldValue> = (0..8)
            .map(|seed| FieldValue {
                text: seed.to_string(),
                label: seed.to_string(),
                number: Some(f64::from(seed)),
            })
            .collect();
        assert_eq!(words(&values), "0, 1, 2, 3, 4, 5 and 2 more");
        assert_eq!(words(&values[..2]), "0, 1");
    }
}
