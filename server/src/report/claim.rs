//! A claim's section, in the order of its slides: the verdict in a sentence, its figures, then the numbers and the rule.

use app::chart::svg::{self, escape::escape};
use app::figures::words::{ends, optional};
use app::figures::{claim, evidence};
use app::format::{self, significant};
use app::ui::Column;
use app::ui::verdict_badge::{id, sign};
use protocol::claim_figure::{ClaimFigure, ClaimFigures};
use protocol::finding::{Evidence, Finding, Verdict};

use super::table::table;

/// The most tests that are listed; all are in the exports.
const LISTED: usize = 16;

/// A verdict as sign, word, shape and colour.
pub fn badge(verdict: Verdict) -> String {
    format!(
        "<span class=\"badge\" data-verdict=\"{}\">{} {}</span>",
        id(verdict),
        sign(verdict),
        verdict.label()
    )
}

/// The section: what a slide shows, what its notes say, and how the verdict was reached.
pub fn section(finding: &Finding, figures: Option<&ClaimFigures>) -> String {
    let claim = finding.claim;
    let more = finding
        .more_seeds
        .as_ref()
        .map_or_else(String::new, |more| {
            format!(
                "<p><b>{} for every alpha</b> would bring the interval to about ± {}. {}</p>",
                format::plural(more.seeds.into(), "more seed", "more seeds"),
                significant(more.half_width),
                escape(&more.basis)
            )
        });
    let forests: String = evidence::groups(&finding.evidence)
        .iter()
        .map(|group| {
            let question = "How certain are the estimates?";
            let chart = evidence::chart(group);
            let drawn = figure(question, &svg::draw(question, &chart), &chart.caption());
            format!("<div class=\"forest\">{drawn}</div>")
        })
        .collect();
    let figures = figures.map_or_else(String::new, |entry| drawn(&entry.figures));
    let all_runs = finding.all_runs.as_ref().map_or_else(String::new, |all| {
        format!(
            "<p>Without the window (all runs): {} {}</p>",
            badge(all.verdict),
            escape(&all.sentence)
        )
    });
    let notes: String = finding
        .notes
        .iter()
        .map(|note| format!("<p>{}</p>", escape(note)))
        .collect();
    format!(
        "<section id=\"{id}\" class=\"page\"><h2>{id} {}</h2><p>{}</p><p>{}</p>{}{figures}<h3>The numbers</h3>{all_runs}{notes}{}{forests}<h3>How the verdict is reached</h3><dl class=\"facts rule\"><div><dt>Primary estimand</dt><dd>{}</dd></div><div><dt>Measured as</dt><dd>{}</dd></div><div><dt>Rule</dt><dd>{}</dd></div></dl>{more}</section>",
        escape(claim.statement()),
        badge(finding.verdict),
        escape(&finding.sentence),
        svg::estimates(
            claim.statement(),
            &finding.estimates.iter().collect::<Vec<_>>()
        ),
        evidence_table(&finding.evidence),
        escape(claim.primary()),
        escape(claim.measured_as()),
        escape(&finding.rule),
        id = claim.id(),
    )
}

fn figure(question: &str, svg: &str, caption: &str) -> String {
    format!(
        "<figure><h3>{}</h3>{svg}<figcaption>{}</figcaption></figure>",
        escape(question),
        escape(caption)
    )
}

/// The figures, those of one question side by side. A line names what was not measured.
fn drawn(figures: &[ClaimFigure]) -> String {
    figures
        .chunk_by(|one, next| one.name == next.name)
        .map(|alike| {
            let Some(first) = alike.first() else {
                return String::new();
            };
            let question = first.name.question();
            if alike.iter().all(|one| one.picture.is_empty()) {
                return format!(
                    "<p class=\"muted\">{} Not measured in this experiment.</p>",
                    escape(question)
                );
            }
            let drawn: String = alike
                .iter()
                .map(|one| figure(question, &claim::drawing(one), &claim::chart(one).caption()))
                .collect();
            format!("<div class=\"pair\">{drawn}</div>")
        })
        .collect()
}

fn evidence_table(evidence: &[Evidence]) -> String {
    if evidence.is_empty() {
        return "<p class=\"muted\">There are no measurements to test this claim with.</p>"
            .to_owned();
    }
    let rows: Vec<Vec<String>> = evidence
        .iter()
        .take(LISTED)
        .map(|one| {
            vec![
                format!("{} ({})", evidence::name(one), one.unit),
                optional(one.estimate, significant),
                ends(one.interval),
                ends(one.bootstrap_interval),
                optional(one.p, format::p),
                optional(one.p_holm, format::p),
                optional(one.effect, significant),
                format::count(one.n.into()),
                format::count(one.runs.into()),
                if one.decides { "yes" } else { "no" }.to_owned(),
            ]
        })
        .collect();
    let columns = [
        Column::words("Test (unit)"),
        Column::number("Estimate"),
        Column::number("t 95 %"),
        Column::number("BCa 95 %"),
        Column::number("p"),
        Column::number("p (Holm)"),
        Column::number("Effect"),
        Column::number("Seeds (n)"),
        Column::number("Runs"),
        Column::words("Decides"),
    ];
    let rest = if evidence.len() > LISTED {
        format!(
            "<p class=\"muted\">The first {LISTED} of {} tests are shown; the server's findings have all of them.</p>",
            format::count(evidence.len() as u64)
        )
    } else {
        String::new()
    };
    format!("{}{rest}", table(&columns, &rows))
}
