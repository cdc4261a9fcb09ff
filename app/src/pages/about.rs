//! An introduction on the first page, for readers who do not know the paper.

use leptos::prelude::*;

use crate::figures::selectivity_sketch;

/// Terms, and what they mean.
const GLOSSARY: [(&str, &str); 7] = [
    (
        "Unit",
        "One feature map after a ReLU; its response to an image is the mean of the map.",
    ),
    (
        "Class selectivity index",
        "SI = (top − rest) / (top + rest): top is a unit's largest mean response to a class, rest the mean of its responses to the others. 0: the same response to every class. 1: a response to one class only. A network's index is the mean over layers of the mean over units.",
    ),
    (
        "Alpha (α)",
        "Loss = cross-entropy − α × SI. Above 0 training promotes selectivity, below 0 it suppresses it; 0 is the control.",
    ),
    (
        "Average-case robustness",
        "Accuracy on naturally corrupted images (noise, blur, weather, digital), each at severities 1 to 5.",
    ),
    (
        "Worst-case robustness",
        "Accuracy under attacks that know the network (FGSM, PGD) and change no pixel by more than ε.",
    ),
    (
        "Dimension fraction",
        "Principal components that make up 95 % of the variance of a layer's responses, as a share of its units.",
    ),
    (
        "CV, gradient variability",
        "Standard deviation over mean of how strongly a unit's response depends on the pixels: over images for one unit, or over the units of a layer.",
    ),
];

/// Three sentences, the reference, and a glossary.
#[component]
pub fn About() -> impl IntoView {
    let terms = GLOSSARY
        .into_iter()
        .map(|(term, meaning)| view! { <div><dt>{term}</dt><dd>{meaning}</dd></div> })
        .collect_view();
    view! {
        <section class="about" id="about" aria-label="What this is">
            <div>
            <p class="lead">
                "Some units of a network respond to one class of images, others to many. Does class selectivity make a network more robust, or less? Selectivity Lab trains networks with more and with less of it, tests them on corrupted images and under attack, and shows which claims hold."
            </p>
            <details>
                <summary>"Terms and background"</summary>
                <dl class="facts">{terms}</dl>
                <p class="prose">
                    "M. L. Leavitt and A. S. Morcos, Linking average- and worst-case perturbation robustness via class selectivity and dimensionality, "
                    <a href="https://arxiv.org/abs/2010.07693" rel="external">"arXiv 2010.07693"</a>" (2020); the regulariser is from their Selectivity considered harmful, "
                    <a href="https://arxiv.org/abs/2003.01262" rel="external">"arXiv 2003.01262"</a>" (2020)."
                </p>
            </details>
            </div>
            <figure class="sketch" aria-label="Two units and their class selectivity">
                <div inner_html=selectivity_sketch::drawing()></div>
                <figcaption class="hint">"Made-up responses of two units to ten classes: the index is high when one class stands out."</figcaption>
            </figure>
        </section>
    }
    .into_any()
}
