//! A run's robustness to attacks: how fast it falls, whether the numbers can be trusted, and on which images.

use leptos::prelude::*;
use protocol::attack::{AttackConditions, AttackMeasurement, MaskingReport};
use protocol::{Measurement, Run, RunState};

use super::result::share;
use super::tested::Tested;
use crate::chart::Figure;
use crate::data::attacks::Attacked;
use crate::figures::run_attacks::{self, Budget};
use crate::format;
use crate::ui::{Column, Grid};

mod samples;

/// What was measured under the conditions that are shown.
#[derive(Debug, Clone, Copy)]
struct Shown {
    tested: Tested<AttackConditions>,
    attacked: Memo<Attacked>,
}

/// The section.
#[component]
pub fn Attacks(
    /// The run.
    run: RwSignal<Run>,
    /// What was measured on it.
    measurements: RwSignal<Vec<Measurement>>,
) -> impl IntoView {
    let tested = Tested::new(measurements);
    let shown = Shown {
        tested,
        attacked: tested.measured(Attacked::under),
    };
    let content = view! {
        <Controls shown />
        <Curves shown />
        <Others shown />
        <Masking shown />
        <samples::Samples run=run.with_untracked(|run| run.id) shown />
    };
    tested.section(
        "attacks",
        "Robustness to attacks",
        move || run.with(why_missing),
        content.into_any(),
    )
}

/// What to say, and to do, while nothing is measured.
fn why_missing(run: &Run) -> &'static str {
    let requested = run.evaluations().any(|spec| spec.attacks.is_some());
    match (run.state, run.result.is_some()) {
        (RunState::Queued | RunState::Running, _) if requested => {
            "No attack has been run yet. Attacks follow training and appear here one by one."
        }
        (RunState::Queued | RunState::Running, _) => {
            "No attacks were requested. Once the run is finished, evaluate it again below."
        }
        (_, true) => "No attacks were run. Evaluate the run again below, with attacks.",
        (_, false) => "No attacks were run, because the run did not finish training.",
    }
}

/// Clean accuracy of the same images, and conditions where there are several.
#[component]
fn Controls(shown: Shown) -> impl IntoView {
    let clean = move || {
        shown.attacked.with(|attacked| {
            attacked.all().next().map_or("–".to_owned(), |one| {
                share(one.clean_accuracy, one.conditions.images)
            })
        })
    };
    let words = move || {
        let conditions = shown.tested.conditions.get()?;
        let attacks = shown.attacked.with(|attacked| attacked.all().count());
        Some(format!(
            "{}; {}",
            format::plural(attacks as u64, "attack", "attacks"),
            conditions.label()
        ))
    };
    view! {
        <div class="controls">
            {shown.tested.chooser("attacks-conditions")}
            <span class="hint">{words}</span>
        </div>
        <dl class="facts">
            <div><dt>"Clean accuracy on the same images"</dt><dd>{clean}</dd></div>
        </dl>
    }
    .into_any()
}

/// Accuracy over epsilon and over steps.
#[component]
fn Curves(shown: Shown) -> impl IntoView {
    let attacked = shown.attacked;
    view! {
        <div class="figures">
            <Figure
                id="figure-run-fgsm"
                question="How does accuracy fall with epsilon?"
                waiting="FGSM was not run under these conditions. Evaluate the run again below, with the attacks of Leavitt & Morcos (2020)."
                chart=move || attacked.with(|attacked| run_attacks::chart(&attacked.fgsm, Budget::Epsilon))
            />
            <Figure
                id="figure-run-pgd"
                question="How does accuracy fall with the number of attack steps?"
                waiting="PGD was not run under these conditions. Evaluate the run again below, with the attacks of Leavitt & Morcos (2020)."
                chart=move || attacked.with(|attacked| run_attacks::chart(&attacked.pgd, Budget::Steps))
            />
        </div>
    }
    .into_any()
}

/// The attacks that are on no curve, an ensemble with its members.
#[component]
fn Others(shown: Shown) -> impl IntoView {
    let attacked = shown.attacked;
    let rows = move || {
        let others = attacked.with(|attacked| attacked.others.clone());
        others.iter().flat_map(rows_of).map(row).collect_view()
    };
    view! {
        <div id="other-attacks" hidden=move || attacked.with(|attacked| attacked.others.is_empty())>
            <h3>"Other attacks"</h3>
            <Grid class="data" caption="Accuracy under other attacks" columns=[
                "Attack", "Accuracy, 95 % interval (Wilson), n", "Share of clean",
            ].map(Column::words).to_vec()>{rows}</Grid>
        </div>
    }
    .into_any()
}

/// A row of the table: attack, accuracy with n and interval, and the share of clean accuracy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    name: String,
    /// Whether it is a member of an ensemble.
    member: bool,
    accuracy: String,
    of_clean: String,
}

/// An attack's row, and one for each member of an ensemble.
fn rows_of(measured: &AttackMeasurement) -> Vec<Row> {
    let clean = measured.clean_accuracy;
    let row = |name: String, member: bool, accuracy: f64| Row {
        name,
        member,
        accuracy: share(accuracy, measured.conditions.images),
        of_clean: if clean > 0.0 {
            format::percent(accuracy / clean)
        } else {
            "–".to_owned()
        },
    };
    let members = measured
        .members
        .iter()
        .map(|&(method, accuracy)| row(format!("after {}", method.label()), true, accuracy));
    [row(measured.attack.label(), false, measured.accuracy)]
        .into_iter()
        .chain(members)
        .collect()
}

fn row(row: Row) -> impl IntoView + use<> {
    view! {
        <tr class:member=row.member>
            <th scope="row">{row.name}</th><td>{row.accuracy}</td><td>{row.of_clean}</td>
        </tr>
    }
}

/// Whether the numbers can be trusted.
#[component]
fn Masking(shown: Shown) -> impl IntoView {
    let report = Memo::new(move |_| shown.attacked.with(|attacked| attacked.masking.clone()));
    let content = move || {
        match report.get() {
        None => view! {
            <p class="hint">"This was not checked. Evaluate the run again below, with “Check for gradient masking” under “More”."</p>
        }
        .into_any(),
        Some(report) => checks(report).into_any(),
    }
    };
    view! {
        <section id="masking" aria-labelledby="masking-title">
            <h3 id="masking-title">"Are the gradients masked?"</h3>
            {content}
        </section>
    }
    .into_any()
}

/// What the checks say together.
fn verdict(report: &MaskingReport) -> &'static str {
    if report.checks.is_empty() {
        "Nothing could be checked"
    } else if report.passes() {
        "No sign of masked gradients"
    } else {
        "Gradients may be masked"
    }
}

fn checks(report: MaskingReport) -> impl IntoView + use<> {
    // No checks are no evidence.
    let trusted = report.passes() && !report.checks.is_empty();
    let passes = trusted.to_string();
    let says = verdict(&report);
    let mark = if trusted { "✓ " } else { "✗ " };
    let held = report.checks.iter().filter(|check| check.holds).count();
    let count = format!(
        "{held} of {} hold; {}. The checks follow Athalye et al. (2018): where one fails, the attacks may have missed what breaks the network, and the adversarial accuracy is then too high.",
        format::plural(report.checks.len() as u64, "check", "checks"),
        report.conditions.label()
    );
    let rows = report
        .checks
        .into_iter()
        .map(|check| {
            let holds = check.holds.to_string();
            let (mark, word) = if check.holds {
                ("✓ ", "holds")
            } else {
                ("✗ ", "fails")
            };
            view! {
                <li data-holds=holds>
                    <span class="verdict" data-right=holds.clone()><span aria-hidden="true">{mark}</span>{word}</span>
                    " "{check.expectation}
                    <p class="hint">{check.evidence}</p>
                </li>
            }
        })
        .collect_view();
    view! {
        <p id="masking-verdict" data-passes=passes>
            <strong class="verdict" data-right=passes.clone()><span aria-hidden="true">{mark}</span>{says}</strong>
        </p>
        <p class="hint">{count}</p>
        <ul class="checks">{rows}</ul>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::attacks::tests::measured;
    use protocol::EvaluationSpec;
    use protocol::attack::{Attack, MaskingCheck, Method};
    use protocol::preset::presets;

    /// Broken by: a run that is evaluated again for one kind of test, said to be about to get the other.
    #[test]
    fn another_test_is_no_request_for_this_one() {
        let mut run = Run {
            state: RunState::Running,
            ..Run::queued(1, 1, presets().remove(0).spec.runs().remove(0))
        };
        let every_test = std::mem::take(&mut run.spec.evaluation);
        run.later_evaluations = vec![EvaluationSpec {
            attacks: every_test.attacks,
            ..EvaluationSpec::default()
        }];
        assert!(why_missing(&run).contains("follow training"));
        let corruptions = super::super::robustness::why_missing;
        assert!(corruptions(&run).contains("No corruptions were requested"));
        run.later_evaluations = vec![EvaluationSpec {
            corruptions: every_test.corruptions,
            ..EvaluationSpec::default()
        }];
        assert!(why_missing(&run).contains("No attacks were requested"));
        assert!(corruptions(&run).contains("follow training"));
    }

    /// Broken by: a verdict that trusts numbers though a check failed, or none was made.
    #[test]
    fn one_failed_check_is_a_warning() {
        let report = |holds: &[bool]| MaskingReport {
            conditions: measured(Attack::fgsm(1.0), 0.5).conditions,
            checks: holds
                .iter()
                .map(|&holds| MaskingCheck {
                    expectation: String::new(),
                    evidence: String::new(),
                    holds,
                })
                .collect(),
        };
        assert_eq!(
            verdict(&report(&[true, true])),
            "No sign of masked gradients"
        );
        assert_eq!(verdict(&report(&[true, false])), "Gradients may be masked");
        assert_eq!(verdict(&report(&[])), "Nothing could be checked");
    }

    /// Broken by: an ensemble whose members are not listed, or a number without n or interval.
    #[test]
    fn an_ensemble_is_listed_with_its_members() {
        let mut one = measured(Attack::auto_attack(1.0), 0.2);
        one.members = vec![(Method::ApgdCe, 0.4), (Method::ApgdT, 0.2)];
        let rows = rows_of(&one);
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[1].name, "after APGD-CE");
        assert!(rows[1].member && rows[1].accuracy.contains("(n = 200)"));
        assert_eq!(rows[1].of_clean, "50.0 %");
    }
}
