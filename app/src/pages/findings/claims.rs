//! The claims and their verdicts.

use leptos::prelude::*;
use leptos_router::components::A;
use protocol::finding::{Claim, Estimate, Finding, Findings, PILOT_BELOW, Role};

use crate::chart::svg;
use crate::data::addresses;
use crate::format;
use crate::ui::{Column, Grid, VerdictBadge};

/// Seeds and runs that a finding rests on, in words.
pub fn n(finding: &Finding) -> String {
    let deciding = finding.evidence.iter().filter(|one| one.decides);
    match deciding.max_by_key(|one| one.n) {
        None => "–".to_owned(),
        Some(one) => format!(
            "{}, {}{}",
            format::plural(one.n.into(), "seed", "seeds"),
            format::plural(one.runs.into(), "run", "runs"),
            if one.n < PILOT_BELOW { ", pilot" } else { "" }
        ),
    }
}

/// The rows of a claim's small forest: all but contrasts, which are shown with its details.
pub fn main_rows(finding: &Finding) -> Vec<&Estimate> {
    let rows = finding.estimates.iter();
    rows.filter(|row| row.role != Role::Contrast).collect()
}

/// The table of claims; a row opens its claim.
#[component]
pub fn Claims(
    /// What the experiment says.
    findings: Findings,
    /// The claim that is open.
    open: Memo<Option<Claim>>,
) -> impl IntoView {
    let (experiment, window) = (findings.experiment_id, findings.window);
    let rows = findings
        .findings
        .into_iter()
        .map(|finding| {
            let claim = finding.claim;
            let is_open = move || open.get() == Some(claim);
            let to = move || {
                let opened = (!is_open()).then_some(claim);
                let place = if opened.is_some() { "#claim" } else { "" };
                format!("{}{place}", addresses::findings(experiment, "findings", window, opened))
            };
            let forest = svg::estimates(claim.statement(), &main_rows(&finding));
            let n = n(&finding);
            view! {
                <tr data-claim=claim.id() class:chosen=is_open>
                    <th scope="row">
                        <A href=to attr:aria-expanded=move || is_open().to_string() attr:aria-controls="claim">
                            <b>{claim.id()}</b>" "{claim.statement()}
                        </A>
                    </th>
                    <td><VerdictBadge verdict=finding.verdict /></td>
                    <td class="summary">
                        {finding.sentence}
                        <div class="estimates" tabindex="0" role="group" aria-label=format!("Estimates of {}", claim.id()) inner_html=forest></div>
                    </td>
                    <td class="n">{n}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section aria-labelledby="findings-title">
            <h2 id="findings-title">"The claims of Leavitt & Morcos (2020)"</h2>
            <p class="hint">"Filled diamond: the primary estimand, declared before the data; pale diamond: the same claim measured in another way. Dashed line: no effect; band: differences that count as none. Open a claim to see its rule, contrasts and figures."</p>
            <Grid id="findings" columns=[
                "Claim", "Verdict", "What the runs say; estimates with 95 % intervals", "n",
            ].map(Column::words).to_vec()>{rows}</Grid>
        </section>
    }
    .into_any()
}
