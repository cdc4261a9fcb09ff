//! Geometry: what alpha does to each layer, and whether that explains robustness.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use protocol::Corruption;
use protocol::api::ApiError;
use protocol::attack::Attack;
use protocol::corruption::SEVERITIES;
use protocol::dimensionality::{ActivationMatrix, DimensionStatistic};
use protocol::layer_measure::LayerProfiles;
use protocol::quantity::{LayerQuantity, Perturbations};

use super::geometry_controls::source_attack;
use super::measures::{CorruptionChoosers, MeasuresFigure};
use super::view::View;
use super::{PageSignals, Selections};
use crate::chart::Figure;
use crate::data::api;
use crate::data::attacks::{self, attack_choices};
use crate::data::choice::choices;
use crate::data::geometry::{matrix_from, statistic_from};
use crate::data::query::{follow, setter};
use crate::figures::layer_profile;
use crate::ui::{Chooser, ErrorBox};

/// The first of `wanted` and [`source_attack`] that is known, else the first known one, else the first of the two.
fn closest(wanted: Option<Attack>, known: &[Attack]) -> Attack {
    attacks::closest(wanted, source_attack(), known)
        .or(wanted)
        .unwrap_or_else(source_attack)
}

/// Which measure of layers is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProfileKind {
    Clean,
    Corruption,
    Attack,
    CvAcrossSamples,
    CvAcrossUnits,
    GradientNorm,
    Selectivity,
}

impl ProfileKind {
    const ALL: [ProfileKind; 7] = [
        ProfileKind::Clean,
        ProfileKind::Corruption,
        ProfileKind::Attack,
        ProfileKind::CvAcrossSamples,
        ProfileKind::CvAcrossUnits,
        ProfileKind::GradientNorm,
        ProfileKind::Selectivity,
    ];

    fn id(self) -> &'static str {
        match self {
            ProfileKind::Clean => "dimension_clean",
            ProfileKind::Corruption => "dimension_corruption",
            ProfileKind::Attack => "dimension_attack",
            ProfileKind::CvAcrossSamples => "cv_across_samples",
            ProfileKind::CvAcrossUnits => "cv_across_units",
            ProfileKind::GradientNorm => "gradient_norm",
            ProfileKind::Selectivity => "selectivity",
        }
    }

    fn label(self) -> String {
        match self {
            ProfileKind::Clean => "Dimension fraction, clean".to_owned(),
            ProfileKind::Corruption => {
                "Dimension fraction of the difference, corruptions".to_owned()
            }
            ProfileKind::Attack => "Dimension fraction of the difference, attack".to_owned(),
            ProfileKind::CvAcrossSamples => LayerQuantity::CvAcrossSamples.label(),
            ProfileKind::CvAcrossUnits => LayerQuantity::CvAcrossUnits.label(),
            ProfileKind::GradientNorm => LayerQuantity::GradientNorm.label(),
            ProfileKind::Selectivity => LayerQuantity::Selectivity.label(),
        }
    }

    fn is_dimensionality(self) -> bool {
        matches!(
            self,
            ProfileKind::Clean | ProfileKind::Corruption | ProfileKind::Attack
        )
    }
}

const QUANTITY: &str = "profile";
const CORRUPTION: &str = "profile-corruption";
const SEVERITY: &str = "profile-severity";
const ATTACK: &str = "profile-attack";
const STATISTIC: &str = "profile-statistic";
const MATRIX: &str = "profile-matrix";

/// What the profile shows; it lives in the address, so that it can be shared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfileSelection {
    quantity: ProfileKind,
    corruption: Option<Corruption>,
    severity: Option<u8>,
    attack: Option<Attack>,
    statistic: DimensionStatistic,
    matrix: ActivationMatrix,
}

impl ProfileSelection {
    /// The selection of an address; what it does not name, or names wrongly, is left open.
    fn from_query(get: impl Fn(&str) -> Option<String>) -> ProfileSelection {
        let quantity = get(QUANTITY).and_then(|id| {
            let mut all = ProfileKind::ALL.into_iter();
            all.find(|quantity| quantity.id() == id)
        });
        ProfileSelection {
            quantity: quantity.unwrap_or(ProfileKind::Clean),
            corruption: get(CORRUPTION).and_then(|id| id.parse().ok()),
            severity: get(SEVERITY)
                .and_then(|text| text.parse().ok())
                .filter(|severity| SEVERITIES.contains(severity)),
            attack: get(ATTACK).and_then(|text| text.parse().ok()),
            statistic: statistic_from(get(STATISTIC).as_deref()),
            matrix: matrix_from(get(MATRIX).as_deref()).unwrap_or(ActivationMatrix::Responses),
        }
    }

    /// The measure, with `attack` where it needs one.
    fn measure(self, attack: Attack) -> LayerQuantity {
        let dimensionality = |perturbations| LayerQuantity::Dimensionality {
            matrix: self.matrix,
            statistic: self.statistic,
            perturbations,
        };
        match self.quantity {
            ProfileKind::Clean => dimensionality(Perturbations::Clean),
            ProfileKind::Corruption => dimensionality(Perturbations::Corruption {
                corruption: self.corruption,
                severity: self.severity,
            }),
            ProfileKind::Attack => dimensionality(Perturbations::Attack(attack)),
            ProfileKind::CvAcrossSamples => LayerQuantity::CvAcrossSamples,
            ProfileKind::CvAcrossUnits => LayerQuantity::CvAcrossUnits,
            ProfileKind::GradientNorm => LayerQuantity::GradientNorm,
            ProfileKind::Selectivity => LayerQuantity::Selectivity,
        }
    }

    fn path(self, experiment: &str, attack: Attack) -> String {
        let measure = api::segment(&self.measure(attack).to_string());
        format!("/experiments/{experiment}/layer-profiles?measure={measure}")
    }

    /// Requests the profiles; twice where dimensionality was measured under other attacks than the first requested.
    pub async fn read(self, experiment: String) -> Result<LayerProfiles, ApiError> {
        let attack = self.attack.unwrap_or_else(source_attack);
        let first: LayerProfiles = api::get(&self.path(&experiment, attack)).await?;
        let other = closest(Some(attack), &first.known_attacks);
        if self.quantity == ProfileKind::Attack && other != attack {
            return api::get(&self.path(&experiment, other)).await;
        }
        Ok(first)
    }
}

/// What the page's address selects for the profile.
pub fn use_profile_selection() -> Memo<ProfileSelection> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| ProfileSelection::from_query(|key| query.get(key))))
}

/// The section.
#[component]
pub fn Geometry(now: PageSignals, selections: Selections) -> impl IntoView {
    let figures = View::ALL
        .into_iter()
        .filter(|view| view.has_geometry())
        .map(|view| view! { <MeasuresFigure now view selections /> })
        .collect_view();
    view! {
        <section class="robustness" id="geometry" aria-labelledby="geometry-title">
            <h2 id="geometry-title">"Geometry"</h2>
            <p class="hint">
                "Dimension fraction: the number of principal components that explain a given share of the variance of a layer's activations, or of the change that a perturbation causes in them, divided by the number of units. Early layers: the first third."
            </p>
            <div class="figures">
                <Profiles now selection=selections.profile />
                {figures}
            </div>
        </section>
    }
    .into_any()
}

/// A measure of each layer, by alpha.
#[component]
fn Profiles(now: PageSignals, selection: Memo<ProfileSelection>) -> impl IntoView {
    let profiles = now.profiles?;
    let id = now.experiment.with_untracked(|experiment| experiment.id);
    let error = follow(selection, profiles, move |wanted| {
        wanted.read(id.to_string())
    });
    let figure = view! {
        <Figure
            id="figure-layer-profiles"
            question="How does alpha change each layer?"
            waiting="No trained run has this. Dimensionality and input-unit gradients are measured after training if the experiment requests them, or later from “Set-up and data”."
            chart=move || profiles.with(layer_profile::of_profiles)
        >
            <ProfileControls selection profiles />
            {move || error.get().map(|error| view! { <ErrorBox error /> })}
        </Figure>
    };
    Some(figure.into_any())
}

#[component]
fn ProfileControls(
    selection: Memo<ProfileSelection>,
    profiles: RwSignal<LayerProfiles>,
) -> impl IntoView {
    let quantities = choices(&ProfileKind::ALL, ProfileKind::id, ProfileKind::label);
    let statistics = choices(
        &DimensionStatistic::ALL,
        DimensionStatistic::id,
        DimensionStatistic::label,
    );
    let matrices = choices(
        &ActivationMatrix::ALL,
        ActivationMatrix::id,
        ActivationMatrix::label,
    );
    let is = move |quantity: ProfileKind| move || selection.get().quantity == quantity;
    let chosen_corruption = Signal::derive(move || {
        let selection = selection.get();
        (selection.corruption, selection.severity)
    });
    let (corrupted, attacked) = (is(ProfileKind::Corruption), is(ProfileKind::Attack));
    let dimensionality = move || selection.get().quantity.is_dimensionality();
    let attacks = Memo::new(move |_| profiles.with(|profiles| profiles.known_attacks.clone()));
    let matrix_choice = move || {
        let other = selection.get().matrix != ActivationMatrix::Responses;
        dimensionality() && (other || profiles.with(|profiles| profiles.has_activations))
    };
    let attack_choice = move || attacked() && attacks.with(|attacks| !attacks.is_empty());
    view! {
        <div class="controls">
            <Chooser
                id=QUANTITY label="Quantity" options=Signal::stored(quantities)
                value=Signal::derive(move || selection.get().quantity.id().to_owned())
                choose=setter(QUANTITY)
            />
            <div class="controls" hidden=move || !corrupted()>
                <CorruptionChoosers keys=[CORRUPTION, SEVERITY] selected=chosen_corruption />
            </div>
            <div hidden=move || !attack_choice()>
                <Chooser
                    id=ATTACK label="Attack" options=Signal::derive(move || attacks.with(|attacks| attack_choices(attacks)))
                    value=Signal::derive(move || attacks.with(|attacks| closest(selection.get().attack, attacks).to_string()))
                    choose=setter(ATTACK)
                />
            </div>
            <div hidden=move || !dimensionality()>
                <Chooser
                    id=STATISTIC label="Dimensions counted as" options=Signal::stored(statistics)
                    value=Signal::derive(move || selection.get().statistic.id().to_owned())
                    choose=setter(STATISTIC)
                />
            </div>
            <div hidden=move || !matrix_choice()>
                <Chooser
                    id=MATRIX label="Activations" options=Signal::stored(matrices)
                    value=Signal::derive(move || selection.get().matrix.id().to_owned())
                    choose=setter(MATRIX)
                />
            </div>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::query::tests::from_pairs;

    fn selection(pairs: &[(&str, &str)]) -> ProfileSelection {
        ProfileSelection::from_query(from_pairs(pairs))
    }

    /// Broken by: an address that requests something else than it names, or a typo in it that breaks the whole page.
    #[test]
    fn an_address_selects_a_measure_of_layers() {
        let path = |pairs: &[(&str, &str)]| selection(pairs).path("7", source_attack());
        assert_eq!(
            path(&[]),
            "/experiments/7/layer-profiles?measure=dimensionality%3Aresponses%3A95%3Aclean"
        );
        let corrupted = [
            (QUANTITY, "dimension_corruption"),
            (CORRUPTION, "fog"),
            (SEVERITY, "3"),
            (STATISTIC, "participation"),
            (MATRIX, "activations"),
        ];
        assert_eq!(
            path(&corrupted),
            "/experiments/7/layer-profiles?measure=dimensionality%3Aactivations%3Aparticipation%3Acorruption%3Afog%3A3"
        );
        let wrong = [
            (QUANTITY, "x"),
            (SEVERITY, "6"),
            (STATISTIC, "94"),
            (MATRIX, ""),
        ];
        assert_eq!(selection(&wrong), selection(&[]));
        for quantity in ProfileKind::ALL {
            let selected = selection(&[(QUANTITY, quantity.id())]);
            assert_eq!(selected.quantity, quantity);
        }
    }

    /// Broken by: an empty profile while dimensionality was measured under some attack.
    #[test]
    fn an_attack_that_was_measured_is_shown() {
        let (weak, source) = (Attack::fgsm(1.0), source_attack());
        assert_eq!(closest(None, &[weak, source]), source);
        assert_eq!(closest(Some(weak), &[weak, source]), weak);
        assert_eq!(closest(None, &[weak]), weak);
        assert_eq!(closest(Some(weak), &[]), weak);
    }
}
