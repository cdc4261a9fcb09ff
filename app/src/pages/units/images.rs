//! The images that a unit responds to most and least, and what it looks for in an image.

use leptos::prelude::*;
use protocol::unit::{ActivatingImage, UnitDetail};

use crate::format;

/// Images that activate the unit, strongest or weakest first; its mean input gradient.
#[component]
pub fn Images(detail: Memo<Option<UnitDetail>>) -> impl IntoView {
    let images = move |which: fn(&UnitDetail) -> &Vec<ActivatingImage>| {
        Memo::new(move |_| {
            detail.with(|detail| {
                detail
                    .as_ref()
                    .map(|detail| which(detail).clone())
                    .unwrap_or_default()
            })
        })
    };
    let most = images(|detail| &detail.most_activating);
    let least = images(|detail| &detail.least_activating);
    view! {
        <section class="activating" aria-labelledby="unit-images-title">
            <h3 id="unit-images-title">"Which images does it respond to?"</h3>
            <p class="hint">"Clean test images, their class, and the unit's response."</p>
            <p class="waiting" hidden=move || most.with(|images| !images.is_empty())>
                "Responses to single images were not kept. Evaluate the run again with dimensionality, on the run's page."
            </p>
            <Grid images=most kind="most" title="Most activating" />
            <Grid images=least kind="least" title="Least activating" />
        </section>
        <GradientMap detail />
    }
    .into_any()
}

#[component]
fn Grid(
    images: Memo<Vec<ActivatingImage>>,
    kind: &'static str,
    title: &'static str,
) -> impl IntoView {
    let cards = move || {
        images.with(|images| {
            images
                .iter()
                .map(|image| {
                    let response = format::significant(f64::from(image.response));
                    let alt = format!("{}, test image {}, response {response}", image.class, image.index);
                    view! {
                        <li>
                            <img src=image.url.clone() alt=alt.clone() title=alt width="72" height="72" loading="lazy" />
                            <span class="verdict">{image.class.clone()}</span>
                            <span class="hint">{response}</span>
                        </li>
                    }
                })
                .collect_view()
        })
    };
    view! {
        <div data-activating=kind hidden=move || images.with(Vec::is_empty)>
            <h4>{title}</h4>
            <ul>{cards}</ul>
        </div>
    }
}

/// The map's colours, scale and n, in words.
fn map_words(detail: &UnitDetail) -> String {
    let scale = detail.gradient_scale.map_or_else(String::new, |scale| {
        format!(
            " The full range is ±{} response per unit of pixel value ([0, 1]).",
            format::significant(scale)
        )
    });
    let n = detail.gradient_images.map_or_else(String::new, |images| {
        format!(
            " Mean over {}.",
            format::plural(images.into(), "test image", "test images")
        )
    });
    format!(
        "How the response changes with each colour channel of each pixel. Mid-grey: not at all; brighter: more of the channel raises it; darker: more of the channel lowers it.{scale}{n}"
    )
}

#[component]
fn GradientMap(detail: Memo<Option<UnitDetail>>) -> impl IntoView {
    let map = move || {
        detail.with(|detail| {
            let detail = detail.as_ref()?;
            let url = detail.gradient_url.clone()?;
            let alt = format!(
                "Mean input gradient of {}, unit {}",
                detail.layer, detail.summary.unit
            );
            Some(view! {
                <div class="gradient-map">
                    <img src=url alt=alt width="160" height="160" />
                    <p class="hint">{map_words(detail)}</p>
                </div>
            })
        })
    };
    let missing = move || {
        detail.with(|detail| {
            detail
                .as_ref()
                .is_none_or(|detail| detail.gradient_url.is_none())
        })
    };
    view! {
        <section id="unit-gradient-map" aria-labelledby="unit-gradient-map-title">
            <h3 id="unit-gradient-map-title">"Which change in the image raises its response?"</h3>
            <p class="waiting" hidden=move || !missing()>
                "Its input gradient was not measured. Evaluate the run again with input-unit gradients, on the run's page."
            </p>
            {map}
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::unit_tuning::tests::detail;

    /// Broken by: a map without its scale or its number of images.
    #[test]
    fn the_map_tells_scale_and_n() {
        let mut detail = detail();
        detail.gradient_scale = Some(0.0123);
        let text = map_words(&detail);
        assert!(
            text.contains("±0.0123 response") && text.contains("over 3 test images"),
            "{text}"
        );
    }
}
