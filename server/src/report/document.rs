//! The report as one HTML file with everything in it, to be read with no server, no network and no script, and printed. Text
//! in, text out.

use app::chart::svg::{self, escape::escape};
use app::data::snippets;
use app::figures::words::optional;
use app::format;
use app::pages::findings::{main_rows, n};
use app::ui::{Column, evaluation_words, training_words};
use protocol::Run;
use protocol::api::Experiment;
use protocol::claim_figure::ClaimFigures;
use protocol::finding::Findings;

use super::claim;
use super::table::table;

/// What a report is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportData {
    /// The experiment.
    pub experiment: Experiment,
    /// Its runs.
    pub runs: Vec<Run>,
    /// Its findings.
    pub findings: Findings,
    /// The claims' figures.
    pub figures: Vec<ClaimFigures>,
    /// When the report is made, in milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// The version of Selectivity Lab that makes it.
    pub version: String,
}

/// The style, on screen and on paper.
const STYLE: &str = include_str!("style.css");

/// The most runs that are listed one by one; all are in the exports.
const LISTED_RUNS: usize = 200;

/// The report as a whole HTML document.
pub fn render(data: &ReportData) -> String {
    let name = escape(&data.findings.name);
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{name}: report</title><style>{STYLE}</style></head><body>"
    );
    text += &heading(data);
    text += &contents(data);
    text += &verdicts(data);
    for finding in &data.findings.findings {
        let figures = data
            .figures
            .iter()
            .find(|entry| entry.claim == finding.claim);
        text += &claim::section(finding, figures);
    }
    text += &runs(data);
    text += &configuration(data);
    text += &reading(data);
    text += "</body></html>\n";
    text
}

fn heading(data: &ReportData) -> String {
    let Findings {
        network,
        dataset,
        runs,
        missing_runs,
        alphas,
        seeds,
        ..
    } = &data.findings;
    let about = format!(
        "{} on {}; n = {} ({}, {})",
        network.label(),
        dataset.label(),
        format::plural((*runs).into(), "trained run", "trained runs"),
        format::plural(alphas.len() as u64, "alpha", "alphas"),
        format::plural(seeds.len() as u64, "seed", "seeds"),
    );
    let missing = match missing_runs {
        0 => String::new(),
        missing => format!(
            "<p><b>{} not trained when this report was made; the findings rest on the other runs only.</b></p>",
            format::plural((*missing).into(), "run was", "runs were")
        ),
    };
    let notes = match data.experiment.notes.trim() {
        "" => String::new(),
        notes => format!("<p class=\"notes\">{}</p>", escape(notes)),
    };
    format!(
        "<header><h1>{}</h1><p>{}</p><p class=\"muted\">Experiment {}, report of {}, Selectivity Lab {}.</p>{missing}{notes}<p>Do units that respond to one class rather than many make a network more or less robust? The claims are those of Leavitt &amp; Morcos (arXiv 2010.07693); each is tested on the runs of this experiment only. Seeds are the replicates.</p></header>",
        escape(&data.findings.name),
        escape(&about),
        data.experiment.id,
        format::timestamp(data.at),
        escape(&data.version),
    )
}

fn contents(data: &ReportData) -> String {
    let claims: Vec<String> = data
        .findings
        .findings
        .iter()
        .map(|one| format!("<a href=\"#{0}\">{0}</a>", one.claim.id()))
        .collect();
    format!(
        "<nav class=\"muted\">Contents: <a href=\"#claims\">claims</a>, {}, <a href=\"#runs\">runs</a>, <a href=\"#configuration\">configuration</a>, <a href=\"#data\">data</a></nav>",
        claims.join(", ")
    )
}

fn verdicts(data: &ReportData) -> String {
    let rows: String = data
        .findings
        .findings
        .iter()
        .map(|one| {
            format!(
                "<tr data-claim=\"{id}\"><th scope=\"row\"><a href=\"#{id}\">{id}</a> {}</th><td>{}</td><td class=\"estimates\">{}{}</td><td>{}</td></tr>",
                escape(one.claim.statement()),
                claim::badge(one.verdict),
                escape(&one.sentence),
                svg::estimates(one.claim.statement(), &main_rows(one)),
                escape(&n(one)),
                id = one.claim.id(),
            )
        })
        .collect();
    format!(
        "<section id=\"claims\"><h2>The claims</h2><div class=\"scroll\"><table id=\"findings\"><thead><tr><th>Claim</th><th>Verdict</th><th>What the runs say; estimates with 95 % intervals</th><th>n</th></tr></thead><tbody>{rows}</tbody></table></div><p>{}</p><h3>How verdicts are reached</h3><p>{}</p></section>",
        escape(&counted(&data.findings)),
        escape(&data.findings.method)
    )
}

/// Which runs count, which do not, and whether it is a pilot.
fn counted(findings: &Findings) -> String {
    let mut text = format!(
        "Runs count if their clean accuracy is within {} points of their seed's control (alpha 0).",
        findings.window
    );
    let listed: Vec<String> = findings
        .left_out
        .iter()
        .take(LISTED_RUNS)
        .map(|run| {
            let alpha = format::alpha(run.alpha);
            let accuracy = format::percent(run.test_accuracy);
            format!(
                "run {} (alpha {alpha}, seed {}, {accuracy})",
                run.run_id, run.seed
            )
        })
        .collect();
    if !listed.is_empty() {
        text += &format!(
            " Left out ({}): {}.",
            format::plural(findings.left_out.len() as u64, "run", "runs"),
            listed.join(", ")
        );
    }
    if findings.pilot {
        text += " Pilot: fewer than 5 seeds.";
    }
    text
}

fn runs(data: &ReportData) -> String {
    let rows: Vec<Vec<String>> = data
        .runs
        .iter()
        .take(LISTED_RUNS)
        .map(|run| {
            let result = run.result.as_ref();
            vec![
                run.id.to_string(),
                format::alpha(run.spec.alpha),
                run.spec.seed.to_string(),
                run.state.id().to_owned(),
                match (result, &run.spec.origin) {
                    (_, Some(_)) => "imported".to_owned(),
                    (result, None) => result
                        .and_then(|result| result.best_epoch)
                        .map_or_else(|| "–".to_owned(), |epoch| epoch.to_string()),
                },
                optional(result.map(|result| result.selectivity), |value| {
                    format!("{value:.3}")
                }),
                optional(
                    result.and_then(|result| result.validation_accuracy),
                    format::percent,
                ),
                optional(result.map(|result| result.test_accuracy), format::percent),
            ]
        })
        .collect();
    let columns = [
        Column::number("run"),
        Column::number("alpha"),
        Column::number("seed"),
        Column::words("state"),
        Column::number("best epoch"),
        Column::number("selectivity"),
        Column::number("validation accuracy"),
        Column::number("test accuracy"),
    ];
    let rest = if data.runs.len() > LISTED_RUNS {
        format!(
            "<p class=\"muted\">The first {LISTED_RUNS} of {} runs are shown; the exports have all of them.</p>",
            format::count(data.runs.len() as u64)
        )
    } else {
        String::new()
    };
    format!(
        "<section id=\"runs\" class=\"page\"><h2>Runs</h2><p class=\"muted\">Selectivity and test accuracy are measured on the clean test set, with the weights of the epoch with the best clean validation accuracy.</p>{}{rest}</section>",
        table(&columns, &rows)
    )
}

/// Distinct values of `value` over the runs that have started, sorted.
fn distinct(runs: &[Run], value: impl Fn(&protocol::event::Started) -> String) -> String {
    let mut values: Vec<String> = runs
        .iter()
        .filter_map(|run| run.started.as_ref().map(&value))
        .collect();
    values.sort();
    values.dedup();
    if values.is_empty() {
        "no run has begun".to_owned()
    } else {
        values.join(", ")
    }
}

fn configuration(data: &ReportData) -> String {
    let spec = &data.experiment.spec;
    let alphas: Vec<String> = spec.alphas.iter().copied().map(format::alpha).collect();
    let seeds: Vec<String> = spec.seeds.iter().map(u64::to_string).collect();
    let mut facts: Vec<(&str, String)> = vec![
        ("Network", spec.network.label().to_owned()),
        ("Data set", spec.dataset.label()),
        ("Alpha", alphas.join(", ")),
        ("Seeds", seeds.join(", ")),
        ("Created", format::timestamp(data.experiment.created_at)),
    ];
    facts.extend(training_words(&spec.training));
    facts.extend(evaluation_words(&spec.evaluation, &data.runs));
    facts.extend([
        ("Requested device", spec.device.clone()),
        (
            "Trained on",
            distinct(&data.runs, |started| started.device.clone()),
        ),
        (
            "Engine",
            distinct(&data.runs, |started| started.engine_version.clone()),
        ),
        (
            "Trainable parameters",
            distinct(&data.runs, |started| format::count(started.parameters)),
        ),
        (
            "Report made with",
            format!("Selectivity Lab {}", data.version),
        ),
    ]);
    let entries: String = facts
        .iter()
        .map(|(name, what)| {
            format!(
                "<div><dt>{}</dt><dd>{}</dd></div>",
                escape(name),
                escape(what)
            )
        })
        .collect();
    format!(
        "<section id=\"configuration\" class=\"page\"><h2>Configuration</h2><dl class=\"facts\">{entries}</dl></section>"
    )
}

fn reading(data: &ReportData) -> String {
    let id = data.experiment.id;
    let files: String = snippets::files(id)
        .iter()
        .map(|(name, address)| {
            format!(
                "<li><code>{}</code>: <code>{}</code></li>",
                escape(name),
                escape(address)
            )
        })
        .collect();
    format!(
        "<section id=\"data\"><h2>Data</h2><p>The server that made this report provides every number behind it:</p><ul>{files}</ul><h3>Python</h3><pre><code>{}</code></pre><h3>R</h3><pre><code>{}</code></pre></section>",
        escape(&snippets::python(id)),
        escape(&snippets::r(id))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use analysis::made_up::{Lab, falls};
    use app::pages::present::slides::{Slide, slides};
    use protocol::claim_figure::ClaimFigureName;
    use protocol::finding::{
        AllRuns, Claim, Estimate, Evidence, Finding, LeftOutRun, MoreSeeds, Role, Verdict,
    };
    use protocol::measure::Scale;
    use protocol::preset::presets;

    const HOSTILE: &str = "<script>alert('x')</script> & \"quoted\"";

    /// A report of one untrained run, with hostile text wherever a person can write.
    fn data() -> ReportData {
        let mut spec = presets().remove(0).spec;
        spec.name = HOSTILE.into();
        spec.notes = HOSTILE.into();
        spec.device = HOSTILE.into();
        spec.dataset = protocol::Dataset::Folder(HOSTILE.into());
        let run = Run::queued(1, 7, spec.runs().remove(0));
        let estimate = Estimate {
            label: HOSTILE.into(),
            unit: "points".into(),
            estimate: Some(0.5),
            interval: Some([-0.4, 1.4]),
            margin: Some(0.5),
            p: Some(0.01),
            n: 3,
            runs: 15,
            role: Role::Primary,
            verdict: Verdict::Supported,
        };
        let evidence = Evidence {
            what: HOSTILE.into(),
            scale: Some(Scale::Raw),
            unit: HOSTILE.into(),
            estimate: Some(0.5),
            interval: Some([0.4, 0.8]),
            bootstrap_interval: Some([0.45, 0.7]),
            p: Some(0.01),
            p_holm: None,
            effect: Some(2.0),
            n: 3,
            runs: 15,
            agrees: Some(true),
            decides: true,
        };
        let finding = |claim| Finding {
            claim,
            verdict: Verdict::Inconclusive,
            sentence: HOSTILE.into(),
            estimates: vec![estimate.clone()],
            notes: vec![HOSTILE.into()],
            all_runs: Some(AllRuns {
                verdict: Verdict::DependsOnScale,
                sentence: HOSTILE.into(),
            }),
            rule: HOSTILE.into(),
            evidence: vec![evidence.clone()],
            more_seeds: Some(MoreSeeds {
                seeds: 4,
                half_width: 0.01,
                basis: HOSTILE.into(),
            }),
        };
        let lab = Lab::new(3).corruptions(falls(0.1)).attacks(falls(0.1));
        let numbers = lab.run_numbers();
        let drawn = analysis::claims::figures(&lab.runs, &numbers, &[Claim::C2, Claim::C3], 10.0);
        let drawn = |name| {
            let mut all = drawn.iter().flat_map(|entry| &entry.figures);
            let found = all.find(|one| one.name == name && one.scale == Some(Scale::Raw));
            found.unwrap().clone()
        };
        let figures = |claim| ClaimFigures {
            claim,
            figures: vec![
                drawn(ClaimFigureName::FgsmEpsilon),
                drawn(ClaimFigureName::CorruptionSlopes),
            ],
        };
        ReportData {
            findings: Findings {
                experiment_id: 7,
                name: spec.name.clone(),
                network: spec.network,
                dataset: spec.dataset.clone(),
                alphas: vec![-1.0, 0.0, 1.0],
                seeds: vec![0, 1, 2],
                runs: 9,
                missing_runs: 1,
                pilot: true,
                window: 10.0,
                left_out: vec![LeftOutRun {
                    run_id: 5,
                    alpha: 1.0,
                    seed: 2,
                    test_accuracy: 0.3,
                    control_accuracy: Some(0.8),
                }],
                findings: Claim::ALL.map(finding).into(),
                method: HOSTILE.into(),
            },
            experiment: Experiment {
                id: 7,
                created_at: 0,
                runs: vec![],
                progress: 0.0,
                remaining_seconds: None,
                test_accuracy: None,
                verdicts: None,
                tags: vec![],
                notes: spec.notes.clone(),
                spec,
            },
            runs: vec![run],
            figures: Claim::ALL.map(figures).into(),
            at: 0,
            version: "0.1.0".into(),
        }
    }

    /// Broken by: any text a person wrote that reaches the file unescaped, as a script that runs where it is opened.
    #[test]
    fn what_people_wrote_is_inert() {
        let text = render(&data());
        assert!(!text.contains("<script"), "a script is in the report");
        assert!(text.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert!(!text.contains("& \"quoted\""));
    }

    /// Broken by: anything that the file would have to fetch, which without a network is missing.
    #[test]
    fn it_needs_nothing_but_itself() {
        let text = render(&data());
        for outside in [
            "src=",
            "url(",
            "@import",
            "<link",
            "href=\"http",
            "href=\"/",
        ] {
            assert!(!text.contains(outside), "{outside}");
        }
        assert!(text.starts_with("<!DOCTYPE html>"));
    }

    /// Broken by: a claim without its row, section or figure, or a number that is none.
    #[test]
    fn every_claim_has_its_section_and_figures() {
        let text = render(&data());
        for claim in Claim::ALL {
            assert!(text.contains(&format!("data-claim=\"{}\"", claim.id())));
            assert!(text.contains(&format!("<section id=\"{}\"", claim.id())));
        }
        // Two figures, a forest plot, and the small forest in its row and in its section.
        assert_eq!(text.matches("<svg").count(), 5 * Claim::ALL.len());
        assert!(text.contains("run 5 (alpha +1, seed 2, 30.0 %)") && text.contains("Pilot"));
        assert!(!text.contains("NaN"));
        assert!(text.contains("4 more seeds") && text.contains("1 run was not trained"));
    }

    /// Broken by: another order of claims or of their figures than the slides', or numbers before a claim's figures.
    #[test]
    fn the_order_is_that_of_the_slides() {
        let data = data();
        let text = render(&data);
        let mut rest = &text[..];
        let mut next = |what: &str| {
            let at = rest.find(what);
            let at = at.unwrap_or_else(|| panic!("{what} is missing, or comes earlier"));
            rest = &rest[at + what.len()..];
        };
        let mut shown = None;
        for slide in slides(&data.figures) {
            match slide {
                Slide::Title => next("<header><h1>"),
                Slide::Verdicts => next("id=\"findings\""),
                Slide::Claim(claim, figure) => {
                    if shown.replace(claim) != Some(claim) {
                        next(&format!("<section id=\"{}\"", claim.id()));
                        next("class=\"badge\"");
                    }
                    let figure = figure.expect("every claim here has figures");
                    next(&escape(figure.question()));
                }
            }
        }
        for section in text.split("<section id=\"C").skip(1) {
            let last = section.rfind("class=\"pair\"").unwrap();
            for behind in [
                "<h3>The numbers</h3>",
                "<table",
                "class=\"forest\"",
                "<dl class",
            ] {
                assert!(last < section.find(behind).unwrap(), "{behind}");
            }
        }
    }
}
