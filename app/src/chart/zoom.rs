//! One zoom for all figures of a page: axes that measure the same show the same range.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use serde_json::Value;

use super::{Axis, Chart, Place, Point};

/// The ranges that the reader zoomed to, by what an axis measures.
#[derive(Debug, Clone, Copy)]
pub struct SharedZoom(RwSignal<BTreeMap<String, [f64; 2]>>);

/// Puts [`SharedZoom`] into context, for the life of the page.
pub fn provide_zoom() {
    provide_context(SharedZoom(RwSignal::new(BTreeMap::new())));
}

/// Ends the zoom with the page that it was made on. Must be inside the router.
#[component]
pub fn ZoomReset() -> impl IntoView {
    let (zoom, path) = (shared_zoom(), use_location().pathname);
    Effect::new(move |_| {
        path.track();
        zoom.0.update(BTreeMap::clear);
    });
}

/// The zoom of all figures; one of its own where no page provides it.
pub fn shared_zoom() -> SharedZoom {
    use_context().unwrap_or_else(|| SharedZoom(RwSignal::new(BTreeMap::new())))
}

/// What a reader did to one axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Zoomed {
    /// The first and the last value that are shown now, as they are drawn.
    To([f64; 2]),
    /// All values are shown again.
    Out,
}

/// The ranges of a chart's two axes, where they are zoomed.
pub type Ranges = [Option<[f64; 2]>; 2];

impl SharedZoom {
    /// The ranges that a chart is shown with. One in which it has nothing to show is another chart's.
    pub fn of(self, chart: &Chart) -> Ranges {
        self.0.with(|zoom| {
            if zoom.is_empty() {
                return [None, None];
            }
            let on = |axis: &Axis, coordinate: fn(&Point) -> &Place| {
                let range = zoom.get(&key(axis)).copied()?;
                shows_anything(chart, axis, coordinate, range).then_some(range)
            };
            [
                on(&chart.x, |point| &point.x),
                on(&chart.y, |point| &point.y),
            ]
        })
    }

    /// Takes over what a reader did to the axes of a chart: a new range, or none.
    pub fn change(self, chart: &Chart, zoomed: [Option<Zoomed>; 2]) {
        let mut changed = self.0.get_untracked();
        for (axis, zoomed) in [&chart.x, &chart.y].into_iter().zip(zoomed) {
            match zoomed {
                Some(Zoomed::To(range)) if axis.range != Some(range) => {
                    changed.insert(key(axis), range);
                }
                Some(_) => {
                    changed.remove(&key(axis));
                }
                None => {}
            }
        }
        if self.0.with_untracked(|zoom| *zoom != changed) {
            self.0.set(changed);
        }
    }
}

/// Whether a point of the chart lies in `range` of an axis, given as it is drawn. Named places are the same in all charts of the
/// axis.
fn shows_anything(
    chart: &Chart,
    axis: &Axis,
    coordinate: fn(&Point) -> &Place,
    range: [f64; 2],
) -> bool {
    let low = range[0].min(range[1]);
    let high = range[0].max(range[1]);
    let mut points = chart.series.iter().flat_map(|series| &series.points);
    axis.places.is_some()
        || points.any(|point| match coordinate(point) {
            Place::Number(value) => (low..=high).contains(&(value * axis.factor)),
            Place::Whole(value) => (low..=high).contains(&f64::from(*value)),
            Place::Name(_) => true,
            Place::Missing => false,
        })
}

/// What an axis measures: equal for axes on which the same range means the same.
fn key(axis: &Axis) -> String {
    let places = axis.places.as_deref().unwrap_or_default();
    format!("{}\n{}", axis.title, places.join("\n"))
}

/// What `event`, plotly's on a change of the layout, says of an axis, `xaxis` or `yaxis`.
pub fn zoomed(event: &Value, axis: &str) -> Option<Zoomed> {
    let end = |place: usize| {
        event[format!("{axis}.range[{place}]")]
            .as_f64()
            .or_else(|| event[format!("{axis}.range")][place].as_f64())
    };
    if let (Some(first), Some(last)) = (end(0), end(1)) {
        return Some(Zoomed::To([first, last]));
    }
    (event[format!("{axis}.autorange")] == Value::Bool(true)).then_some(Zoomed::Out)
}

#[cfg(test)]
mod tests {
    use leptos::reactive::owner::Owner;
    use serde_json::json;

    use super::*;
    use crate::chart::{Ink, Kind, Series};

    /// Breaks when a zoom is taken for another axis' or lost, or resizing a window counts as one.
    #[test]
    fn events_of_plotly_are_read() {
        let drag = json!({"xaxis.range[0]": 1.5, "xaxis.range[1]": 4.0, "yaxis.autorange": true});
        assert_eq!(zoomed(&drag, "xaxis"), Some(Zoomed::To([1.5, 4.0])));
        assert_eq!(zoomed(&drag, "yaxis"), Some(Zoomed::Out));
        let whole = json!({"xaxis.range": [0.0, 1.0]});
        assert_eq!(zoomed(&whole, "xaxis"), Some(Zoomed::To([0.0, 1.0])));
        assert_eq!(zoomed(&whole, "yaxis"), None);
        assert_eq!(zoomed(&json!({"autosize": true}), "xaxis"), None);
    }

    /// Breaks when another figure of the same axis is not zoomed, one of another axis is, or zooming out leaves one behind.
    #[test]
    fn axes_of_one_measure_are_zoomed_together() {
        let owner = Owner::new();
        owner.with(|| {
            let chart = |x: Axis, y: &str| {
                let points = [0.5, 3.0].map(|at| Point::new(at, at));
                Chart::new(x, Axis::numbers(y)).with([Series::new(
                    Kind::Points,
                    "",
                    Ink::First,
                    points.to_vec(),
                )])
            };
            let loss = chart(Axis::numbers("Epoch"), "Cross-entropy");
            let accuracy = chart(Axis::numbers("Epoch"), "Accuracy (%)");
            let layers = |names: &[&str]| {
                let names = names.iter().map(|name| (*name).to_owned()).collect();
                chart(Axis::layers(names), "Selectivity")
            };
            let zoom = shared_zoom();
            let to = Some(Zoomed::To([2.0, 5.0]));
            zoom.change(&loss, [to, Some(Zoomed::To([0.0, 1.0]))]);
            assert_eq!(zoom.of(&loss), [Some([2.0, 5.0]), Some([0.0, 1.0])]);
            assert_eq!(zoom.of(&accuracy), [Some([2.0, 5.0]), None]);
            zoom.change(&accuracy, [Some(Zoomed::Out), None]);
            assert_eq!(zoom.of(&loss), [None, Some([0.0, 1.0])]);
            // The third of ten layers is not the third of twenty.
            zoom.change(&layers(&["a", "b"]), [to, None]);
            assert_eq!(zoom.of(&layers(&["a", "c"])), [None, None]);
            // Back to the range that the axis has by itself.
            let whole = chart(Axis::unit_range("Share"), "n");
            zoom.change(&whole, [to, None]);
            zoom.change(&whole, [Some(Zoomed::To([-0.02, 1.02])), None]);
            assert_eq!(zoom.of(&whole), [None, None]);
            // Another chart of the axis may have nothing there.
            zoom.change(&loss, [Some(Zoomed::To([7.0, 9.0])), None]);
            assert_eq!(zoom.of(&loss), [None, Some([0.0, 1.0])]);
        });
    }
}
