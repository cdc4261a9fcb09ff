//! What an experiment says about a claim.

use leptos::prelude::*;
use protocol::finding::Verdict;

/// The name in attributes, as the API writes it.
pub fn id(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Supported => "supported",
        Verdict::Contradicted => "contradicted",
        Verdict::DependsOnScale => "depends_on_scale",
        Verdict::NoDifference => "no_difference",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotEnoughRuns => "not_enough_runs",
    }
}

/// A sign for a verdict, so that its colour is not alone.
pub fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Supported => "✓",
        Verdict::Contradicted => "✕",
        Verdict::DependsOnScale => "⇄",
        Verdict::NoDifference => "=",
        Verdict::Inconclusive => "?",
        Verdict::NotEnoughRuns => "–",
    }
}

/// A verdict as sign, word, shape and colour.
#[component]
pub fn VerdictBadge(
    /// The verdict.
    verdict: Verdict,
) -> impl IntoView {
    view! {
        <span class="verdict-badge" data-verdict=id(verdict)>
            <span aria-hidden="true">{sign(verdict)}</span>
            " "
            {verdict.label()}
        </span>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: two verdicts told apart by colour alone, or an id that is not the API's, which would leave the badge
    /// without its shape.
    #[test]
    fn verdicts_differ_by_word_sign_and_id() {
        for (place, &verdict) in Verdict::ALL.iter().enumerate() {
            assert_eq!(serde_json::to_value(verdict).unwrap(), id(verdict));
            for &other in &Verdict::ALL[place + 1..] {
                assert_ne!(verdict.label(), other.label());
                assert_ne!(sign(verdict), sign(other));
            }
        }
    }
}
