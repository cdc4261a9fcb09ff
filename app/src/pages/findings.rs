//! An experiment's findings on the claims of Leavitt & Morcos (2020): eight verdicts, each with its evidence and figures.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_navigate;
use protocol::api::ApiError;
use protocol::claim_figure::ClaimFigures;
use protocol::finding::{Claim, DEFAULT_WINDOW, Findings, WIDEST_WINDOW, window_of};
use protocol::problem::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::data::query::{chosen, number_of, use_id};
use crate::data::{addresses, api, clock};
use crate::format;
use crate::ui::{AlphaChips, Contents, ExperimentTab, ExperimentTabs, Load};
pub use claims::{main_rows, n};
use detail::Detail;

mod claims;
mod data;
mod detail;

/// The figures of a claim, or why there are none.
type Figures = (Claim, Result<ClaimFigures, ApiError>);

/// Everything that the page shows. Without its figures, the rest is still shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Data {
    findings: Findings,
    figures: Option<Figures>,
    /// When the findings were asked for, in milliseconds since 1970-01-01 UTC.
    read_at: i64,
}

/// The claim that an address names; none where it names no known one.
fn claim_of(text: Option<String>) -> Option<Claim> {
    Claim::from_id(&text?)
}

/// The claim that is open.
fn use_claim() -> Memo<Option<Claim>> {
    let named = chosen("claim");
    Memo::new(move |_| claim_of(named.get()))
}

/// The window on clean accuracy, as it is written in the address.
pub fn use_window() -> Memo<Option<String>> {
    chosen("window")
}

/// That window in points.
///
/// # Errors
/// When it is invalid, with the field.
pub fn read_window(text: Option<&str>) -> Result<f64, ApiError> {
    window_of(text).map_err(|refused| {
        let detail = format!("{}: {}", refused.field, refused.reason);
        ApiError {
            fields: vec![refused],
            ..ApiError::new(ErrorCode::InvalidParameter, detail)
        }
    })
}

async fn read_figures(experiment: i64, window: f64, claim: Claim) -> Figures {
    let path = format!(
        "/experiments/{experiment}/claim-figures?claim={}&window={window}",
        claim.id()
    );
    let answer: Result<Vec<ClaimFigures>, ApiError> = api::get_part(&path).await;
    let figures = answer.and_then(|figures| {
        let first = figures.into_iter().next();
        first.ok_or_else(|| api::failure("the server has no figures of this claim"))
    });
    (claim, figures)
}

async fn read(id: String, window: Option<String>, claim: Option<Claim>) -> Result<Data, ApiError> {
    let window = read_window(window.as_deref())?;
    let number = number_of(&id, "an experiment")?;
    let findings = api::get(&format!("/experiments/{number}/findings?window={window}"));
    let figures = claim.map(|claim| read_figures(number, window, claim));
    let findings = findings.await?;
    let figures = match figures {
        Some(figures) => Some(figures.await),
        None => None,
    };
    Ok(Data {
        findings,
        figures,
        read_at: clock::now(),
    })
}

/// The page at `/experiments/:id/findings`.
#[component]
pub fn FindingsPage() -> impl IntoView {
    let id = use_id();
    let claim = use_claim();
    // Another claim is requested by its own part alone, not by the whole page.
    let window = use_window();
    let data = Resource::new(
        move || (id.get(), window.get()),
        move |(id, window)| read(id, window, claim.get_untracked()),
    );
    view! { <Load resource=data render=|data| view! { <Page data /> } /> }.into_any()
}

/// The figures of the open claim, requested when another one is opened.
fn follow(
    experiment: i64,
    window: f64,
    claim: Memo<Option<Claim>>,
    first: Option<Figures>,
) -> RwSignal<Option<Figures>> {
    let figures = RwSignal::new(first);
    Effect::new(move |_| {
        let Some(wanted) = claim.get() else {
            return;
        };
        let known = figures
            .with_untracked(|figures| figures.as_ref().is_some_and(|(claim, _)| *claim == wanted));
        if known {
            return;
        }
        let request = read_figures(experiment, window, wanted);
        leptos::task::spawn_local(async move {
            let answer = request.await;
            // An answer to an older claim, or on a page that was left, is dropped.
            if claim.try_get_untracked() == Some(Some(wanted)) {
                figures.set(Some(answer));
            }
        });
    });
    figures
}

/// Scrolls to the head of an opened claim. The router's own scrolling came before the claim was rendered.
#[cfg(feature = "hydrate")]
fn scroll_to_opened(claim: Memo<Option<Claim>>) {
    Effect::new(move |last: Option<Option<Claim>>| {
        let now = claim.get();
        if last.is_some_and(|last| last != now) && now.is_some() {
            request_animation_frame(|| {
                if let Some(section) = document().get_element_by_id("claim") {
                    section.scroll_into_view();
                }
            });
        }
        now
    });
}

#[cfg(not(feature = "hydrate"))]
fn scroll_to_opened(_claim: Memo<Option<Claim>>) {}

#[component]
fn Page(data: Data) -> impl IntoView {
    let Data {
        findings,
        figures,
        read_at,
    } = data;
    let (id, window) = (findings.experiment_id, findings.window);
    let claim = use_claim();
    let figures = follow(id, findings.window, claim, figures);
    scroll_to_opened(claim);
    let name = findings.name.clone();
    let list = findings.findings.clone();
    let detail = move || {
        let claim = claim.get()?;
        let finding = list.iter().find(|finding| finding.claim == claim)?.clone();
        Some(view! { <Detail finding figures /> })
    };
    view! {
        <Title text=format!("Findings of {name}") />
        <nav class="crumbs" aria-label="Breadcrumb">
            <A href="/experiments">"Experiments"</A>" / "
            <A href=format!("/experiments/{id}")>{format!("Experiment {id}")}</A>" / "
            <span>"Findings"</span>
        </nav>
        <div class="heading">
            <h1>{name.clone()}</h1>
            <div class="actions">
                <A href=addresses::findings(id, "present", window, None) attr:class="button" attr:id="open-present">"Present"</A>
                <a href=report_address(id, window, false) class="button" id="open-report" rel="external">"Report"</a>
                <a href=report_address(id, window, true) class="button" rel="external" download="">"Download the report"</a>
            </div>
        </div>
        <ExperimentTabs experiment=id current=ExperimentTab::Findings />
        <About findings=findings.clone() read_at />
        <Window findings=findings.clone() />
        <Contents parts=vec![
            ("findings-title", "Claims"),
            ("findings-method", "How verdicts are reached"),
            ("data", "Data"),
        ] />
        <claims::Claims findings=findings.clone() open=claim />
        <section id="claim" class="claim" aria-label="The open claim">{detail}</section>
        <section aria-labelledby="findings-method">
            <h2 id="findings-method">"How verdicts are reached"</h2>
            <p class="prose">{findings.method.clone()}</p>
        </section>
        <data::DataSection experiment=id />
    }
    .into_any()
}

/// The address of the report; as a download if `download`.
fn report_address(experiment: i64, window: f64, download: bool) -> String {
    let download = if download { "&download=true" } else { "" };
    format!("/api/v1/experiments/{experiment}/report.html?window={window}{download}")
}

/// Which runs count, and those that do not. Without script the form loads the page again.
#[component]
fn Window(findings: Findings) -> impl IntoView {
    let id = findings.experiment_id;
    let claim = use_claim();
    let points = RwSignal::new(findings.window);
    let navigate = use_navigate();
    let moved =
        move |event| points.set(event_target_value(&event).parse().unwrap_or(DEFAULT_WINDOW));
    let chosen = move |event| {
        if let Ok(window) = event_target_value(&event).parse() {
            let to = addresses::findings(id, "findings", window, claim.get_untracked());
            navigate(&to, Default::default());
        }
    };
    let left_out = findings.left_out.clone();
    let counted = left_out.len();
    let listed = left_out
        .into_iter()
        .take(LISTED)
        .map(|run| {
            let control = match run.control_accuracy {
                Some(control) => format!("control {}", format::percent(control)),
                None => "its seed has no control".to_owned(),
            };
            let text = format!(
                ": alpha {}, seed {}, clean accuracy {} ({control})",
                format::alpha(run.alpha),
                run.seed,
                format::percent(run.test_accuracy)
            );
            view! { <li><A href=format!("/runs/{}", run.run_id)>{format!("Run {}", run.run_id)}</A>{text}</li> }
        })
        .collect_view();
    let more = counted.checked_sub(LISTED).filter(|&more| more > 0);
    view! {
        <form id="window" method="get" action=format!("/experiments/{id}/findings")>
            <label for="window-points">"Count runs whose clean accuracy is within"</label>
            <input id="window-points" type="range" name="window" min="0" max=WIDEST_WINDOW step="1" value=findings.window on:input=moved on:change=chosen />
            <output for="window-points">{move || format!("{} points", points.get())}</output>
            <span>"of their seed's control (alpha 0)."</span>
            {move || claim.get().map(|claim| view! { <input type="hidden" name="claim" value=claim.id() /> })}
            <noscript><button type="submit">"Apply"</button></noscript>
        </form>
        {(counted > 0).then(|| view! {
            <details id="left-out">
                <summary>{format!("{} left out; each claim also shows its verdict on all runs", format::plural(counted as u64, "run is", "runs are"))}</summary>
                <ul>{listed}{more.map(|more| view! { <li>{format!("and {more} more")}</li> })}</ul>
            </details>
        })}
    }
    .into_any()
}

/// Runs left out that are listed one by one.
const LISTED: usize = 50;

/// What the findings are about: network, data, alphas, seeds, n, and as of when.
#[component]
fn About(findings: Findings, read_at: i64) -> impl IntoView {
    let seeds: Vec<String> = findings.seeds.iter().map(u64::to_string).collect();
    let state = match (findings.runs, findings.missing_runs) {
        (0, _) => Some(
            "No run is trained yet, so no claim can be tested. Reload the page once some are."
                .to_owned(),
        ),
        (_, 0) => None,
        (runs, missing) => Some(format!(
            "{} of {} runs are trained; the findings rest on these only. Reload the page once more are.",
            format::count(runs.into()),
            format::count(u64::from(runs) + u64::from(missing))
        )),
    };
    view! {
        <dl class="facts about">
            <div><dt>"Network"</dt><dd>{findings.network.label()}</dd></div>
            <div><dt>"Data set"</dt><dd>{findings.dataset.label()}</dd></div>
            <div><dt>"Trained runs (n)"</dt><dd>{format::count(findings.runs.into())}</dd></div>
            <div><dt>"Alpha"</dt><dd><AlphaChips alphas=findings.alphas.clone() /></dd></div>
            <div><dt>{format!("Seeds ({})", findings.seeds.len())}</dt><dd>{shortened(&seeds)}</dd></div>
            <div><dt>"Computed"</dt><dd>{format::timestamp(read_at)}</dd></div>
        </dl>
        {findings.pilot.then(|| view! {
            <p class="notice" id="pilot">"Pilot: fewer than 5 seeds. Intervals are wide, and verdicts may change with more seeds."</p>
        })}
        {state.map(|state| view! { <p class="notice" id="findings-state">{state}</p> })}
    }
    .into_any()
}

/// The first words, and how many more there are.
fn shortened(words: &[String]) -> String {
    const SHOWN: usize = 10;
    match words.len().checked_sub(SHOWN) {
        None | Some(0) => words.join(", "),
        Some(more) => format!("{} and {more} more", words[..SHOWN].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: an address with a typo that breaks the page, or a claim that cannot be opened by its address.
    #[test]
    fn an_address_opens_the_claim_that_it_names() {
        for claim in Claim::ALL {
            assert_eq!(claim_of(Some(claim.id().to_owned())), Some(claim));
        }
        for wrong in [None, Some("C9"), Some("c1"), Some("")] {
            assert_eq!(claim_of(wrong.map(str::to_owned)), None);
        }
    }

    /// Breaks when a window outside its range is taken.
    #[test]
    fn a_window_is_read() {
        assert_eq!(read_window(Some("2.5")), Ok(2.5));
        let refused = read_window(Some("101")).unwrap_err();
        assert_eq!(refused.fields[0].field, "window");
    }

    /// Broken by: a page of a hundred seeds, or one that hides that there are more.
    #[test]
    fn many_seeds_are_counted() {
        let words: Vec<String> = (0..12).map(|seed| seed.to_string()).collect();
        assert!(shortened(&words).ends_with("9 and 2 more"));
        assert_eq!(shortened(&words[..3]), "0, 1, 2");
    }
}
