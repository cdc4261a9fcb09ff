//! The claims and their verdicts.

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::finding::{Claim, Finding, Findings};

use crate::components::VerdictBadge;
use crate::format;

/// Seeds and runs that a finding rests on, in words.
pub fn n(finding: &Finding) -> String {
    let deciding = finding.evidence.iter().filter(|one| one.decides);
    match deciding.max_by_key(|one| one.n) {
        None => "–".to_owned(),
        Some(one) => format!(
            "{}, {}",
            format::plural(one.n.into(), "seed", "seeds"),
            format::plural(one.runs.into(), "run", "runs")
        ),
    }
}

/// The table of claims; a row opens its claim.
#[component]
pub fn Claims(
    /// What the experiment says.
    findings: Findings,
    /// The claim that is open.
    open: Memo<Option<Claim>>,
) -> impl IntoView {
    let experiment = findings.experiment_id;
    let rows = findings
        .findings
        .into_iter()
        .map(|finding| {
            let claim = finding.claim;
            let is_open = move || open.get() == Some(claim);
            let address = move || {
                if is_open() {
                    format!("/experiments/{experiment}/findings")
                } else {
                    format!(
                        "/experiments/{experiment}/findings?claim={}#claim",
                        claim.id()
                    )
                }
            };
            let n = n(&finding);
            view! {
                <tr data-claim=claim.id() class:chosen=is_open>
                    <th scope="row">
                        <A href=address attr:aria-expanded=move || is_open().to_string() attr:aria-controls="claim">
                            <b>{claim.id()}</b>" "{claim.statement()}
                        </A>
                    </th>
                    <td><VerdictBadge verdict=finding.verdict /></td>
                    <td class="summary">{finding.summary}</td>
                    <td class="n">{n}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section aria-labelledby="findings-title">
            <h2 id="findings-title">"The source's claims"</h2>
            <p class="hint">"Open a claim for its rule, its evidence and its figures."</p>
            <div class="scroll">
                <table id="findings">
                    <thead>
                        <tr>
                            <th scope="col">"Claim"</th>
                            <th scope="col">"Verdict"</th>
                            <th scope="col">"What the runs say"</th>
                            <th scope="col">"n"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}
