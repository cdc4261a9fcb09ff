//! Differences between groups, tested.

use leptos::prelude::*;
use protocol::comparison::{Comparison, GroupTest};

use super::ROWS;
use super::groups::More;
use crate::format;
use crate::ui::{Column, Grid};

/// The table of tests.
#[component]
pub fn Tests(comparison: StoredValue<Comparison>) -> impl IntoView {
    let limit = RwSignal::new(ROWS);
    let all = comparison.with_value(|comparison| comparison.tests.len());
    let what = comparison.with_value(|comparison| {
        let measure = comparison.measures.first();
        measure.map_or_else(String::new, |measure| measure.label.clone())
    });
    let rows = move || {
        comparison.with_value(|comparison| {
            let tests = comparison.tests.iter().take(limit.get());
            tests.map(|test| row(comparison, test)).collect_view()
        })
    };
    let (method, none, untested) = comparison.with_value(|comparison| {
        (
            comparison.test_method.clone(),
            why_none(comparison),
            comparison.untested_pairs,
        )
    });
    let untested = (untested > 0 && all > 0).then(|| {
        let pairs = format::plural(untested.into(), "pair", "pairs");
        view! { <p class="hint">{format!("{pairs} not tested because one of the groups has fewer than two replicates.")}</p> }
    });
    view! {
        <section aria-labelledby="tests-title">
            <h2 id="tests-title">"Are the differences real?"</h2>
            <p class="hint">{format!("{what}: first group minus second. {method}.")}</p>
            <Grid id="tests" label="Table of tests" hidden=all == 0 columns=vec![
                Column::words("First"), Column::words("Second"), Column::number("Difference [95 %]"), Column::number("p"),
                Column::number("p, Holm"), Column::number("Hedges' g [95 %]"), Column::words("Test"), Column::number("n"),
            ]>{rows}</Grid>
            <More limit all />
            {untested}
            <p class="waiting" id="no-tests" hidden=all != 0>{none}</p>
        </section>
    }
    .into_any()
}

/// Why there is no test, where there is none.
fn why_none(comparison: &Comparison) -> String {
    if let Some(why) = &comparison.too_many_groups {
        return format!("{why}.");
    }
    match comparison.groups.len() {
        1 => {
            "One group has nothing to be compared with: group by a field in which the runs differ."
        }
        _ => "No two groups have at least two replicates with this measure: run more seeds.",
    }
    .to_owned()
}

/// A p-value as it is written: never 0.
fn p_value(p: f64) -> String {
    match p {
        p if p.is_nan() => "–".to_owned(),
        p if p < 0.001 => "< 0.001".to_owned(),
        p => format!("{p:.3}"),
    }
}

/// A number with a true minus sign.
fn signed(value: f64, digits: usize) -> String {
    format!("{value:+.digits$}").replace('-', "−")
}

fn row(comparison: &Comparison, test: &GroupTest) -> impl IntoView + use<> {
    let name = |place: u32| {
        let group = comparison.groups.get(place as usize);
        group.map_or_else(String::new, |group| group.label.clone())
    };
    let [low, high] = test.interval;
    let difference = format!(
        "{} [{}, {}]",
        signed(test.difference, 4),
        signed(low, 4),
        signed(high, 4)
    );
    let effect = match (test.hedges_g, test.hedges_g_interval) {
        (Some(g), Some([low, high])) => {
            format!("{} [{}, {}]", signed(g, 2), signed(low, 2), signed(high, 2))
        }
        _ => "–".to_owned(),
    };
    let (kind, n) = match (test.paired, test.n) {
        (true, [n, _]) => ("paired by seed", n.to_string()),
        (false, [first, second]) => ("Welch", format!("{first}, {second}")),
    };
    let real = test.p_holm < 0.05;
    view! {
        <tr data-significant=real.to_string()>
            <th scope="row">{name(test.first)}</th>
            <td>{name(test.second)}</td>
            <td class="number">{difference}</td>
            <td class="number">{p_value(test.p)}</td>
            <td class="number">{p_value(test.p_holm)}{real.then_some(" *")}</td>
            <td class="number">{effect}</td>
            <td>{kind}</td>
            <td class="number">{n}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a p of 0, or a hyphen for a minus.
    #[test]
    fn numbers_are_written_as_papers_do() {
        assert_eq!(
            [0.0, 0.000_4, 0.012_3, 1.0, f64::NAN].map(p_value),
            ["< 0.001", "< 0.001", "0.012", "1.000", "–"]
        );
        assert_eq!([signed(-0.5, 2), signed(0.25, 2)], ["−0.50", "+0.25"]);
    }

    /// Broken by: an empty table that does not say what would fill it.
    #[test]
    fn the_reason_for_no_test_is_told() {
        let mut comparison = crate::figures::comparison::tests::two_alphas();
        assert!(why_none(&comparison).contains("more seeds"));
        comparison.groups.truncate(1);
        assert!(why_none(&comparison).contains("One group"));
        comparison.too_many_groups = Some("50 groups are too many".into());
        assert!(why_none(&comparison).starts_with("50 groups"));
    }
}
