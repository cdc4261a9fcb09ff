//! The result of a trained run, with n and interval.

use leptos::prelude::*;
use protocol::{Run, RunResult};

use crate::format;

/// A share with n and Wilson's interval.
pub fn share(share: f64, n: u32) -> String {
    let interval = format::wilson(share, n.into()).map_or_else(String::new, |[low, high]| {
        format!(
            ", 95 % {} to {}",
            format::percent(low),
            format::percent(high)
        )
    });
    format!(
        "{}{interval} (n = {})",
        format::percent(share),
        format::count(n.into())
    )
}

/// The numbers of the result; nothing while there is none.
#[component]
pub fn ResultFacts(run: RwSignal<Run>) -> impl IntoView {
    let facts = |result: &RunResult| {
        view! {
            <section aria-labelledby="result-title" id="result">
                <h2 id="result-title">"Result"</h2>
                <dl class="facts">
                    <div><dt>"Test accuracy"</dt><dd>{share(result.test_accuracy, result.test_images)}</dd></div>
                    <div><dt>"Network selectivity, test images"</dt><dd>{format!("{:.4}", result.selectivity)}</dd></div>
                    <div><dt>"Test cross-entropy"</dt><dd>{format!("{:.4} nats", result.test_cross_entropy)}</dd></div>
                    {result.best_epoch.map(|epoch| view! { <div><dt>"Best epoch"</dt><dd>{epoch}</dd></div> })}
                    {result.validation_accuracy.map(|accuracy| view! { <div><dt>"Validation accuracy at that epoch"</dt><dd>{share(accuracy, result.validation_images)}</dd></div> })}
                </dl>
                <p class="hint">"Intervals are Wilson's score intervals over images: they hold for these weights, not for other seeds."</p>
            </section>
        }
    };
    move || run.with(|run| run.result.as_ref().map(facts))
}

#[cfg(test)]
mod tests {
    /// Broken by: a share without its n or interval.
    #[test]
    fn a_share_names_its_n_and_interval() {
        assert_eq!(
            super::share(0.5, 20),
            "50.0 %, 95 % 29.9 % to 70.1 % (n = 20)"
        );
        assert_eq!(super::share(0.0, 0), "0.0 % (n = 0)");
    }
}
