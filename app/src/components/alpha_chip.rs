//! Alpha, with its colour.

use leptos::prelude::*;

use crate::alpha_scale::colour;
use crate::format;
use crate::theme::Theme;

/// One alpha: its colour as a mark, its value in words. Both themes' colours are in the element,
/// and the style sheet picks one, so that the server's page is right in either.
#[component]
pub fn AlphaChip(
    /// Regulariser strength.
    alpha: f64,
) -> impl IntoView {
    let colours = format!(
        "--alpha-light:{};--alpha-dark:{}",
        colour(alpha, Theme::Light),
        colour(alpha, Theme::Dark)
    );
    let mark = if alpha < 0.0 {
        "▼"
    } else if alpha > 0.0 {
        "▲"
    } else {
        "●"
    };
    view! {
        <span class="alpha" style=colours>
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
