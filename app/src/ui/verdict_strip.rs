//! The verdicts of an experiment in one row.

use leptos::prelude::*;
use protocol::finding::ClaimVerdict;

use super::verdict_badge::{id, sign};
use crate::data::addresses;

/// One sign per claim, each leading to the claim.
#[component]
pub fn VerdictStrip(
    /// The experiment.
    experiment: i64,
    /// What it says, in order of the claims.
    verdicts: Vec<ClaimVerdict>,
) -> impl IntoView {
    let signs = verdicts
        .into_iter()
        .map(|ClaimVerdict { claim, verdict }| {
            let words = format!("{} {} {}", claim.id(), claim.statement(), verdict.label());
            let to = addresses::findings(experiment, "findings", protocol::finding::DEFAULT_WINDOW, Some(claim));
            view! {
                <li>
                    <a href=format!("{to}#claim") data-claim=claim.id() data-verdict=id(verdict) title=words.clone() aria-label=words>
                        <span aria-hidden="true">{sign(verdict)}</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! { <ol class="verdict-strip">{signs}</ol> }.into_any()
}
