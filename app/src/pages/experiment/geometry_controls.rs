//! The choices for a figure of geometry: the measure of layers, which layers, and the accuracy it is set against.

use leptos::prelude::*;
use protocol::attack::Attack;
use protocol::layer_measure::LayerProfiles;
use protocol::measure::Scatter;
use protocol::quantity::{LayerQuantity, LayerRange, Perturbations, Quantity};

use super::PageSignals;
use super::view::{RANGES, Selection, View};
use crate::data::choice::{Choice, choices};
use crate::data::query::{naming_setter, setter};
use crate::ui::Chooser;

/// The attack of dimensionality in Leavitt & Morcos (2020).
pub(super) fn source_attack() -> Attack {
    Attack::pgd(8.0, 0.5, 40)
}

/// The measures of layers that a view can show, `selected` among them. Dimensionality was measured under `attacks`.
fn geometry_choices(
    view: View,
    attacks: &[Attack],
    selected: Option<LayerQuantity>,
) -> Vec<Choice> {
    let mut measures = Vec::new();
    if view != View::Gradients {
        let all = Perturbations::Corruption {
            corruption: None,
            severity: None,
        };
        let attacks = match attacks {
            [] => vec![source_attack()],
            known => known.to_vec(),
        };
        let attacks = attacks.into_iter().map(Perturbations::Attack);
        measures.extend(
            [Perturbations::Clean, all]
                .into_iter()
                .chain(attacks)
                .map(LayerQuantity::dimensionality),
        );
    }
    if view != View::Geometry {
        measures.extend([LayerQuantity::CvAcrossSamples, LayerQuantity::CvAcrossUnits]);
    }
    if view == View::Gradients {
        measures.push(LayerQuantity::GradientNorm);
    }
    measures.extend(selected.filter(|selected| !measures.contains(selected)));
    measures
        .into_iter()
        .map(|measure| {
            let label = measure.label();
            // The count of Leavitt & Morcos (2020) is left out of the label; the axis names it.
            let label = label
                .strip_suffix(" (components for 95 % of variance, unit responses)")
                .unwrap_or(&label);
            Choice::new(measure.to_string(), label)
        })
        .collect()
}

/// The accuracies that geometry can be set against.
fn robustness_choices(attacks: &[Attack], selected: Quantity) -> Vec<Choice> {
    let mut measures = vec![Quantity::Corruption {
        corruption: None,
        severity: None,
    }];
    measures.extend(attacks.iter().copied().map(Quantity::Attack));
    if !measures.contains(&selected) {
        measures.push(selected);
    }
    choices(&measures, |one| one.to_string(), |one| one.label())
}

/// Which measure of layers, of which layers, and against which accuracy.
#[component]
pub fn GeometryControls(
    /// What the page shows.
    now: PageSignals,
    /// The view.
    view: View,
    /// What the address selects for it.
    selection: Memo<Selection>,
    /// The answer.
    scatter: RwSignal<Scatter>,
) -> impl IntoView {
    let keys = view.keys();
    let attacks = Memo::new(move |_| {
        let attacks = |profiles: RwSignal<LayerProfiles>| {
            profiles.with(|profiles| profiles.known_attacks.clone())
        };
        now.profiles.map(attacks).unwrap_or_default()
    });
    let measures = Memo::new(move |_| {
        let selected = selection.get().geometry();
        attacks.with(|attacks| geometry_choices(view, attacks, selected))
    });
    let ranges = choices(&RANGES, LayerRange::id, LayerRange::label);
    let robustness = (view == View::GeometryRobustness).then(|| {
        let against = Memo::new(move |_| {
            let selected = selection.get().robustness();
            scatter.with(|scatter| robustness_choices(&scatter.known_attacks, selected))
        });
        view! {
            <Chooser
                id=keys.robustness label="Against" options=against
                value=Signal::derive(move || selection.get().robustness().to_string())
                choose=setter(keys.robustness)
            />
        }
    });
    // "All" is a choice of its own here: the views begin with other layers.
    let choose_range = naming_setter(keys.range);
    view! {
        <Chooser
            id=keys.geometry label="Measure" options=measures
            value=Signal::derive(move || selection.get().geometry().map_or_else(String::new, |measure| measure.to_string()))
            choose=setter(keys.geometry)
        />
        <Chooser
            id=keys.range label="Layers" options=Signal::stored(ranges)
            value=Signal::derive(move || selection.get().range().id().to_owned())
            choose=choose_range
        />
        {robustness}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a measure in the address that its chooser does not list, or one listed twice.
    #[test]
    fn what_is_shown_is_a_choice() {
        let values = |view, selected| -> Vec<String> {
            let choices = geometry_choices(view, &[], selected);
            choices.into_iter().map(|choice| choice.value).collect()
        };
        let clean = LayerQuantity::dimensionality(Perturbations::Clean);
        assert_eq!(values(View::Geometry, Some(clean)).len(), 3);
        let other = LayerQuantity::Selectivity;
        assert_eq!(values(View::Geometry, Some(other))[3], other.to_string());
        assert_eq!(values(View::GeometryRobustness, None).len(), 5);
        let gradients = values(View::Gradients, None);
        assert_eq!(
            gradients,
            ["cv_across_samples", "cv_across_units", "gradient_norm"]
        );
        let all = Quantity::Corruption {
            corruption: None,
            severity: None,
        };
        let attack = Attack::fgsm(1.0);
        assert_eq!(robustness_choices(&[attack], all).len(), 2);
        assert_eq!(robustness_choices(&[], Quantity::Attack(attack)).len(), 2);
    }
}
