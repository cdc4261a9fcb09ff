//! Alpha, with its colour.

use leptos::prelude::*;

use crate::format;
use crate::ui::alpha_scale::custom_properties;

/// One alpha: its colour as a mark, its value in words.
#[component]
pub fn AlphaChip(
    /// Regulariser strength.
    alpha: f64,
) -> impl IntoView {
    let mark = if alpha < 0.0 {
        "▼"
    } else if alpha > 0.0 {
        "▲"
    } else {
        "●"
    };
    view! {
        <span class="alpha" style=custom_properties(alpha)>
            <span class="mark" aria-hidden="true">{mark}</span>
            {format::alpha(alpha)}
        </span>
    }
}

/// Many alphas; beyond what a row holds, the middle is left out and counted.
#[component]
pub fn AlphaChips(
    /// Regulariser strengths.
    alphas: Vec<f64>,
) -> impl IntoView {
    const SHOWN: usize = 7;
    let all = alphas
        .iter()
        .copied()
        .map(format::alpha)
        .collect::<Vec<_>>()
        .join(", ");
    let hidden = alphas.len().saturating_sub(SHOWN);
    let chips = alphas
        .into_iter()
        .take(SHOWN)
        .map(|alpha| view! { <AlphaChip alpha /> })
        .collect_view();
    view! {
        <span class="alphas" title=format!("alpha: {all}")>
            {chips}
            {(hidden > 0).then(|| format!("and {hidden} more"))}
        </span>
    }
}
