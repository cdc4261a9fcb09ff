//! The table of a layer's units.

use leptos::prelude::*;
use protocol::unit::{UnitSummary, UnitTable};

use super::PageSignals;
use super::view::{Column, View};
use crate::data::choice::Choice;
use crate::format;
use crate::ui::{Chooser, ErrorBox, Grid, Sorting};

/// Rows that are shown at first; more would slow the page down.
const ROWS: usize = 256;

/// What a select holds where nothing is filtered.
const ANY: &str = "";

/// The classes that some unit prefers, by name, with the number of units.
fn class_choices(table: &UnitTable) -> Vec<Choice> {
    let mut counted: Vec<(&String, u64)> = table
        .classes
        .iter()
        .enumerate()
        .map(|(index, class)| {
            let prefers = |unit: &&UnitSummary| unit.preferred_class as usize == index;
            (class, table.units.iter().filter(prefers).count() as u64)
        })
        .filter(|(_, units)| *units > 0)
        .collect();
    counted.sort();
    let named = counted.into_iter().map(|(class, units)| {
        let units = format::plural(units, "unit", "units");
        Choice::new(class.clone(), format!("{class} ({units})"))
    });
    std::iter::once(Choice::new(ANY, "Any"))
        .chain(named)
        .collect()
}

/// What is shown, and over how many images.
fn caption(table: &UnitTable, number: usize) -> String {
    let all = table.units.len();
    let units = if number == all {
        format::plural(all as u64, "unit", "units")
    } else {
        format!(
            "{} of {}",
            format::count(number as u64),
            format::plural(all as u64, "unit", "units")
        )
    };
    let dead = match table
        .units
        .iter()
        .filter(|unit| unit.dead == Some(true))
        .count()
    {
        _ if table.units.iter().all(|unit| unit.dead.is_none()) => String::new(),
        dead => format!(", {} dead in the layer", format::count(dead as u64)),
    };
    let gradients = table.gradient_images.map_or_else(
        || "input gradients not measured: evaluate the run again with input-unit gradients, on the run's page".to_owned(),
        |images| {
            let images = format::plural(images.into(), "image", "images");
            format!("CV_u and gradient norm on {images}")
        },
    );
    format!(
        "{units}{dead}; selectivity on {}; {gradients}.",
        format::plural(table.test_images.into(), "test image", "test images")
    )
}

/// Which units are listed.
#[component]
pub fn Filters(now: PageSignals) -> impl IntoView {
    let classes = Memo::new(move |_| {
        let mut choices = now
            .table
            .with(|table| table.as_ref().map(class_choices).unwrap_or_default());
        // The class of the filter stays a choice in a layer where no unit prefers it.
        if let Some(class) = now.view.with(|view| view.class.clone())
            && !choices.iter().any(|choice| choice.value == class)
        {
            choices.push(Choice::new(class.clone(), format!("{class} (0 units)")));
        }
        choices
    });
    let dead = vec![
        Choice::new(ANY, "All"),
        Choice::new("no", "Alive only"),
        Choice::new("yes", "Dead only"),
    ];
    // Not inside `view!`, which takes the `>` of `=>` for the end of the tag.
    let dead_now = Signal::derive(move || {
        let value = match now.view.with(|view| view.dead) {
            None => ANY,
            Some(true) => "yes",
            Some(false) => "no",
        };
        value.to_owned()
    });
    let filtered = move |value: String| (value != ANY).then_some(value);
    view! {
        <Chooser
            id="units-class" label="Preferred class" options=classes
            value=Signal::derive(move || now.view.with(|view| view.class.clone().unwrap_or_default()))
            choose=move |value| now.change(|view| View { class: filtered(value), ..view })
        />
        <Chooser
            id="units-dead" label="Show" options=Signal::stored(dead)
            value=dead_now
            choose=move |value| now.change(|view| View { dead: filtered(value).map(|value| value == "yes"), ..view })
        />
    }
    .into_any()
}

/// The table.
#[component]
pub fn Units(now: PageSignals, busy: RwSignal<bool>) -> impl IntoView {
    let whole = RwSignal::new(false);
    let error = move || {
        let error = now.table.with(|table| table.as_ref().err().cloned());
        error.map(|error| {
            view! {
                <ErrorBox error />
                <p class="hint">"Units are measured once a run is trained; see the run's page."</p>
            }
        })
    };
    let words = move || {
        let number = now.order.with(Vec::len);
        now.table
            .with(|table| table.as_ref().ok().map(|table| caption(table, number)))
    };
    let none = move || now.order.with(Vec::is_empty) && now.table.with(|table| table.is_ok());
    let failed = move || now.table.with(Result::is_err);
    let columns: Vec<_> = Column::ALL.into_iter().map(Column::heading).collect();
    let sorting = Sorting {
        order: Signal::derive(move || {
            now.view
                .with(|view| (view.sort.id().into(), view.descending))
        }),
        choose: Callback::new(move |name: String| {
            if let Some(column) = Column::from_id(&name) {
                now.change(|view| view.sorted_by(column));
            }
        }),
    };
    let rows = move || {
        let limit = if whole.get() { usize::MAX } else { ROWS };
        let classes = now.table.with(|table| {
            table
                .as_ref()
                .map(|table| table.classes.clone())
                .unwrap_or_default()
        });
        now.order.with(|order| {
            let units = order.iter().take(limit);
            units.map(|unit| row(now, *unit, &classes)).collect_view()
        })
    };
    let hidden = move || {
        let all = now.order.with(Vec::len);
        whole.get() || all <= ROWS
    };
    let all = move || {
        format!(
            "Show all {}",
            format::count(now.order.with(Vec::len) as u64)
        )
    };
    view! {
        <section class="units" aria-labelledby="units-title" aria-busy=move || busy.get().to_string()>
            <h2 id="units-title">{move || now.layer.get()}</h2>
            <p class="hint" role="status" id="units-caption">{words}</p>
            {error}
            <Grid id="units" class="data" label="Table of units" columns sorting hidden=failed>{rows}</Grid>
            <p class="waiting" hidden=move || !none()>"No unit of this layer matches. Choose another class, or show all."</p>
            <p hidden=hidden><button type="button" id="units-all" on:click=move |_| whole.set(true)>{all}</button></p>
            <p class="exports"><a href=format!("/api/v1/runs/{}/export.csv?table=units", now.run) download="" rel="external">"All units of the run (CSV)"</a></p>
        </section>
    }
    .into_any()
}

fn row(now: PageSignals, unit: UnitSummary, classes: &[String]) -> impl IntoView + use<> {
    let number = unit.unit;
    let chosen = move || now.view.with(|view| view.unit == Some(number));
    let address = move || {
        let view = now.view.get();
        View {
            unit: Some(number),
            ..view
        }
        .address(now.run)
    };
    let width = format!(
        "{:.0}%",
        f64::from(unit.selectivity).clamp(0.0, 1.0) * 100.0
    );
    let class = classes.get(unit.preferred_class as usize).cloned();
    let significant = |value: Option<f64>| value.map_or("–".to_owned(), format::significant);
    let dead = match unit.dead {
        None => "–",
        Some(true) => "dead",
        Some(false) => "alive",
    };
    view! {
        <tr data-unit=number class:chosen=chosen>
            <th scope="row" class="number"><a href=address data-noscroll="" aria-current=move || chosen().then_some("true")>{number}</a></th>
            <td class="number">
                <span class="meter" aria-hidden="true"><span class="fill" style:width=width></span></span>
                {format!("{:.3}", unit.selectivity)}
            </td>
            <td>{class.unwrap_or_else(|| "–".to_owned())}</td>
            <td class="number">{unit.gradient_cv.map_or("–".to_owned(), |cv| format!("{cv:.3}"))}</td>
            <td class="number">{significant(unit.gradient_norm)}</td>
            <td class="number">{significant(unit.mean_response)}</td>
            <td>{dead}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> UnitTable {
        let unit = |unit, preferred_class, dead| UnitSummary {
            unit,
            selectivity: 0.5,
            preferred_class,
            dead: Some(dead),
            mean_response: None,
            gradient_norm: None,
            gradient_cv: None,
        };
        UnitTable {
            layer: "stem".into(),
            layers: Vec::new(),
            classes: ["owl", "cat", "dog"].map(str::to_owned).into(),
            units: vec![unit(0, 0, false), unit(1, 1, false), unit(2, 0, true)],
            test_images: 1000,
            gradient_images: None,
        }
    }

    /// Broken by: 200 classes to choose from of which most lead to an empty table.
    #[test]
    fn classes_that_no_unit_prefers_are_no_choice() {
        let labels: Vec<String> = class_choices(&table())
            .into_iter()
            .map(|choice| choice.label)
            .collect();
        assert_eq!(labels, ["Any", "cat (1 unit)", "owl (2 units)"]);
    }

    /// Broken by: a filtered table that looks like the whole layer, or gradients missing without a word on how
    /// to get them.
    #[test]
    fn the_caption_tells_what_is_left_out() {
        let mut table = table();
        let text = caption(&table, 1);
        assert!(
            text.starts_with("1 of 3 units, 1 dead in the layer; selectivity on 1,000 test images"),
            "{text}"
        );
        assert!(text.contains("evaluate the run again"), "{text}");
        table.gradient_images = Some(64);
        assert!(caption(&table, 3).ends_with("on 64 images."));
    }
}
