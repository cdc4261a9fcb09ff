//! One network on the bench: the image that it sees, the classes that it finds, and a unit's maps.

use leptos::prelude::*;
use protocol::perturbation_bench::{BenchNetwork, ClassProbability, UnitChange};

use super::{Bench, Trained};
use crate::format;
use crate::ui::AlphaChip;
use crate::ui::alpha_scale::custom_properties;

/// A column: which network it is, and what it makes of the image.
#[component]
pub fn Column(bench: Bench, place: usize) -> impl IntoView {
    let network = Memo::new(move |_| {
        bench.answer.with(|answer| {
            let answer = answer.as_ref().ok()?;
            answer.networks.get(place).cloned()
        })
    });
    let class = Memo::new(move |_| {
        bench
            .answer
            .with(|answer| answer.as_ref().ok()?.image.class.clone())
    });
    let alpha =
        Memo::new(move |_| network.with(|network| network.as_ref().map(|network| network.alpha)));
    let colours = move || custom_properties(alpha.get().unwrap_or(0.0));
    view! {
        <article class="bench-network" style=colours aria-label=format!("Network {}", place + 1)>
            <Which bench place />
            <Pictures network />
            <Verdict network class />
            <Classes network class />
            <Maps bench place network />
        </article>
    }
    .into_any()
}

/// The chooser of the network.
#[component]
fn Which(bench: Bench, place: usize) -> impl IntoView {
    let id = format!("bench-run-{}", place + 1);
    let chosen = move || bench.view.with(|view| view.runs.get(place).copied());
    let options = bench.trained.with_value(|trained| {
        trained
            .iter()
            .map(|run| {
                let Trained { id, alpha, seed } = *run;
                let selected = move || chosen() == Some(id);
                view! { <option value=id.to_string() selected=selected>{format!("alpha {}, seed {seed} (run {id})", format::alpha(alpha))}</option> }
            })
            .collect_view()
    });
    let choose = move |event| {
        if let Ok(run) = event_target_value(&event).parse() {
            bench.change(|view| {
                if let Some(old) = view.runs.get_mut(place) {
                    *old = run;
                }
            });
        }
    };
    let alpha = move || {
        let run = chosen()?;
        let alpha = bench.trained.with_value(|trained| {
            trained
                .iter()
                .find(|one| one.id == run)
                .map(|one| one.alpha)
        })?;
        Some(view! { <AlphaChip alpha /> })
    };
    let remove = move |_| {
        bench.change(|view| {
            if view.runs.len() > 1 {
                view.runs.remove(place);
            }
        });
    };
    view! {
        <header>
            {alpha}
            <label for=id.clone() class="sr-only">{format!("Network {}", place + 1)}</label>
            <select id=id on:change=choose prop:value=move || chosen().map(|run| run.to_string()).unwrap_or_default()>{options}</select>
            <button type="button" class="quiet" aria-label=format!("Remove network {}", place + 1) hidden=move || bench.view.with(|view| view.runs.len() < 2) on:click=remove>"×"</button>
        </header>
    }
    .into_any()
}

/// How large a change is, in words.
fn size(network: &BenchNetwork) -> String {
    if network.linf == 0.0 {
        return "The image is unchanged.".into();
    }
    format!(
        "Largest change {}/255, L2 norm {}. Mid-grey: no change; black: −{scale}/255; white: +{scale}/255.",
        format::significant(network.linf * 255.0),
        format::significant(network.l2),
        scale = format::significant(network.full_scale * 255.0)
    )
}

#[component]
fn Pictures(network: Memo<Option<BenchNetwork>>) -> impl IntoView {
    let picture = move |url: fn(&BenchNetwork) -> &String| {
        move || network.with(|network| network.as_ref().map(|network| url(network).clone()))
    };
    let words = move || network.with(|network| network.as_ref().map(size).unwrap_or_default());
    view! {
        <div class="pictures">
            <figure>
                <img src=picture(|network| &network.url) alt="The changed image" width="160" height="160" />
                <figcaption>"What the network sees"</figcaption>
            </figure>
            <figure>
                <img src=picture(|network| &network.change_url) alt="The change, magnified" width="160" height="160" />
                <figcaption>"The change, magnified"</figcaption>
            </figure>
        </div>
        <p class="hint">{words}</p>
    }
    .into_any()
}

/// What the network says, before and after.
#[component]
fn Verdict(network: Memo<Option<BenchNetwork>>, class: Memo<Option<String>>) -> impl IntoView {
    let words = move || {
        let network = network.get()?;
        let class = class.get();
        let mark = |seen: &str| match &class {
            Some(class) if class == seen => "tag good",
            Some(_) => "tag bad",
            None => "tag",
        };
        let (before, after) = (mark(&network.clean_class), mark(&network.changed_class));
        Some(view! {
            <span class=before>{network.clean_class}</span>
            <span aria-label="becomes">" → "</span>
            <span class=after>{network.changed_class}</span>
        })
    };
    view! { <p class="verdict" data-verdict>{words}</p> }.into_any()
}

/// The likeliest classes, a pair of bars each.
#[component]
fn Classes(network: Memo<Option<BenchNetwork>>, class: Memo<Option<String>>) -> impl IntoView {
    let rows = move || {
        let network = network.get()?;
        let own = class.get();
        let row = |one: ClassProbability| {
            let is_own = own.as_ref() == Some(&one.class);
            let width = |share: f64| format!("width:{:.1}%", 100.0 * share);
            view! {
                <tr class:own=is_own>
                    <th scope="row">{one.class}</th>
                    <td class="bars" aria-hidden="true">
                        <span class="before" style=width(one.clean)></span>
                        <span class="after" style=width(one.changed)></span>
                    </td>
                    <td class="number">{format::percent(one.clean)}</td>
                    <td class="number">{format::percent(one.changed)}</td>
                </tr>
            }
        };
        Some(network.classes.into_iter().map(row).collect_view())
    };
    view! {
        <table class="classes">
            <thead>
                <tr>
                    <th scope="col">"Class"</th>
                    <td></td>
                    <th scope="col" class="number">"Clean"</th>
                    <th scope="col" class="number">"Changed"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// A unit's maps, and the units that moved most.
#[component]
fn Maps(bench: Bench, place: usize, network: Memo<Option<BenchNetwork>>) -> impl IntoView {
    let maps = move || {
        let maps = network.with(|network| network.as_ref()?.maps.clone())?;
        let UnitChange {
            unit,
            clean,
            changed,
        } = maps.unit;
        let alt = |what: &str| {
            format!(
                "Feature map of unit {unit}, {what} image, {} × {}",
                maps.height, maps.width
            )
        };
        Some(view! {
            <h3>{format!("Unit {unit}: response {} → {}", format::significant(clean.into()), format::significant(changed.into()))}</h3>
            <div class="pictures">
                <figure>
                    <img src=maps.clean_url.clone() alt=alt("clean") width="120" height="120" />
                    <figcaption>"Clean"</figcaption>
                </figure>
                <figure>
                    <img src=maps.changed_url.clone() alt=alt("changed") width="120" height="120" />
                    <figcaption>"Changed"</figcaption>
                </figure>
            </div>
            <p class="hint">{format!("Dark: 0; light: {}.", format::significant(maps.largest.into()))}</p>
        })
    };
    let mapped_unit =
        move || network.with(|network| Some(network.as_ref()?.maps.as_ref()?.unit.unit));
    let units = move || {
        let units = network.with(|network| Some(network.as_ref()?.units.clone()))?;
        let mapped = mapped_unit();
        let button = |one: UnitChange| {
            let unit = one.unit;
            let title = format!(
                "response {} → {}",
                format::significant(one.clean.into()),
                format::significant(one.changed.into())
            );
            let pressed = (mapped == Some(unit)).to_string();
            view! { <button type="button" class="quiet" title=title aria-pressed=pressed on:click=move |_| bench.change(|view| view.unit = Some(unit))>{unit}</button> }
        };
        Some(
            view! { <p class="farthest">"Changed most: " {units.into_iter().map(button).collect_view()}</p> },
        )
    };
    view! { <section class="maps" aria-label=format!("Feature maps of network {}", place + 1)>{maps}{units}</section> }.into_any()
}
