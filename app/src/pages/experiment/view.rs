//! Which measures a figure sets against each other, and what the page's address selects for it.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use protocol::Corruption;
use protocol::api::ApiError;
use protocol::attack::{Attack, AttackConditions};
use protocol::corruption::SEVERITIES;
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::measure::Scatter;
use protocol::quantity::{LayerQuantity, LayerRange, Perturbations, Quantity, Scale};

use crate::data::api;
use crate::data::attacks::{closest, default_attack};
use crate::data::corruptions::scale_from;

/// Which measures are set against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Average-case against worst-case robustness.
    TradeOff,
    /// Selectivity against average-case robustness.
    Corruptions,
    /// Selectivity against worst-case robustness.
    Attacks,
    /// Selectivity against dimensionality.
    Geometry,
    /// Selectivity against the variability of input-unit gradients.
    Gradients,
    /// Geometry against robustness.
    GeometryRobustness,
}

/// How many views there are.
pub const VIEWS: usize = View::ALL.len();

/// The names of what can be chosen: in the page's address, and of the elements.
pub(super) struct Keys {
    /// The corruption.
    pub corruption: &'static str,
    pub severity: &'static str,
    pub attack: &'static str,
    pub scale: &'static str,
    pub conditions: &'static str,
    pub attack_conditions: &'static str,
    /// The measure of layers.
    pub geometry: &'static str,
    /// Of which layers.
    pub range: &'static str,
    /// An accuracy under perturbation.
    pub robustness: &'static str,
}

impl Keys {
    const NONE: Keys = Keys {
        corruption: "",
        severity: "",
        attack: "",
        scale: "",
        conditions: "",
        attack_conditions: "",
        geometry: "",
        range: "",
        robustness: "",
    };
}

impl View {
    /// Every view, in the order of [`Now`]'s answers.
    pub const ALL: [View; 6] = [
        View::TradeOff,
        View::Corruptions,
        View::Attacks,
        View::Geometry,
        View::Gradients,
        View::GeometryRobustness,
    ];

    pub(super) fn keys(self) -> Keys {
        match self {
            View::TradeOff => Keys {
                corruption: "trade-corruption",
                severity: "trade-severity",
                attack: "trade-attack",
                scale: "trade-scale",
                conditions: "trade-conditions",
                attack_conditions: "trade-attack-conditions",
                ..Keys::NONE
            },
            View::Corruptions => Keys {
                corruption: "corruption",
                severity: "severity",
                scale: "scale",
                conditions: "conditions",
                ..Keys::NONE
            },
            View::Attacks => Keys {
                attack: "attack",
                scale: "attack-scale",
                attack_conditions: "attack-conditions",
                ..Keys::NONE
            },
            View::Geometry => Keys {
                geometry: "geometry-measure",
                range: "geometry-layers",
                ..Keys::NONE
            },
            View::Gradients => Keys {
                geometry: "gradient-measure",
                range: "gradient-layers",
                ..Keys::NONE
            },
            View::GeometryRobustness => Keys {
                scale: "geometry-robustness-scale",
                geometry: "geometry-robustness-measure",
                range: "geometry-robustness-layers",
                robustness: "geometry-robustness-against",
                ..Keys::NONE
            },
        }
    }

    pub(super) fn has_corruption(self) -> bool {
        matches!(self, View::TradeOff | View::Corruptions)
    }

    pub(super) fn has_attack(self) -> bool {
        matches!(self, View::TradeOff | View::Attacks)
    }

    /// Whether it shows a measure of layers.
    pub(super) fn has_geometry(self) -> bool {
        self.default_geometry().is_some()
    }

    /// Whether an accuracy under perturbation is shown.
    pub(super) fn has_robustness(self) -> bool {
        !matches!(self, View::Geometry | View::Gradients)
    }

    /// The measure of layers that is shown unless another one is chosen.
    fn default_geometry(self) -> Option<LayerQuantity> {
        match self {
            View::TradeOff | View::Corruptions | View::Attacks => None,
            View::Geometry | View::GeometryRobustness => {
                Some(LayerQuantity::dimensionality(Perturbations::Clean))
            }
            View::Gradients => Some(LayerQuantity::CvAcrossSamples),
        }
    }

    /// The default layers: Leavitt & Morcos (2020) report the dimensionality of early ones, and gradients in all.
    fn default_range(self) -> LayerRange {
        match self {
            View::Gradients => LayerRange::All,
            _ => LayerRange::Early,
        }
    }

    pub(super) fn id(self) -> &'static str {
        match self {
            View::TradeOff => "figure-trade-off",
            View::Corruptions => "figure-corruption-selectivity",
            View::Attacks => "figure-attack-selectivity",
            View::Geometry => "figure-geometry-selectivity",
            View::Gradients => "figure-gradient-selectivity",
            View::GeometryRobustness => "figure-geometry-robustness",
        }
    }

    pub(super) fn question(self) -> &'static str {
        match self {
            View::TradeOff => "Does average-case robustness cost worst-case robustness?",
            View::Corruptions => "Does selectivity cost average-case robustness?",
            View::Attacks => "Does selectivity buy worst-case robustness?",
            View::Geometry => "Does selectivity lower the dimensionality of early layers?",
            View::Gradients => "Do the gradients of selective networks vary more?",
            View::GeometryRobustness => "Does geometry explain robustness?",
        }
    }

    pub(super) fn waiting(self) -> &'static str {
        match self {
            View::TradeOff => {
                "No trained run was tested on both. Corruptions and attacks are tested after training if the experiment requests them, or later from “Set-up and data”."
            }
            View::Corruptions => {
                "No trained run was tested on this. Corruptions are tested after training if the experiment requests it, or later from “Set-up and data”."
            }
            View::Attacks => {
                "No trained run was tested with this. Attacks follow training if the experiment requests them, or can be requested later from “Set-up and data”."
            }
            View::Geometry => {
                "No trained run has this. Dimensionality is measured after training if the experiment requests it, or later from “Set-up and data”."
            }
            View::Gradients => {
                "No trained run has this. Input-unit gradients are measured after training if the experiment requests it, or later from “Set-up and data”."
            }
            View::GeometryRobustness => {
                "No trained run has both. Dimensionality, input-unit gradients, corruptions and attacks follow training if the experiment requests them, or can be requested later from “Set-up and data”."
            }
        }
    }
}

/// What a view shows; it lives in the address, so that it can be shared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Selection {
    view: View,
    pub(super) corruption: Option<Corruption>,
    pub(super) severity: Option<u8>,
    attack: Option<Attack>,
    pub(super) scale: Scale,
    conditions: Option<CorruptionConditions>,
    attack_conditions: Option<AttackConditions>,
    geometry: Option<LayerQuantity>,
    range: Option<LayerRange>,
    robustness: Option<Quantity>,
}

/// Every choice of layers that a mean is over.
pub const RANGES: [LayerRange; 2] = [LayerRange::Early, LayerRange::All];

impl Selection {
    /// The selection of an address; what it does not name, or names wrongly, is left open.
    fn from_query(view: View, get: impl Fn(&str) -> Option<String>) -> Selection {
        let keys = view.keys();
        let get = |key: &str| (!key.is_empty()).then(|| get(key)).flatten();
        Selection {
            view,
            corruption: get(keys.corruption).and_then(|id| id.parse().ok()),
            severity: get(keys.severity)
                .and_then(|text| text.parse().ok())
                .filter(|severity| SEVERITIES.contains(severity)),
            attack: get(keys.attack).and_then(|text| text.parse().ok()),
            scale: scale_from(&get(keys.scale).unwrap_or_default()),
            conditions: get(keys.conditions).and_then(|text| text.parse().ok()),
            attack_conditions: get(keys.attack_conditions).and_then(|text| text.parse().ok()),
            geometry: get(keys.geometry).and_then(|text| text.parse().ok()),
            range: get(keys.range).and_then(|id| LayerRange::from_id(&id)),
            robustness: get(keys.robustness)
                .and_then(|text| text.parse().ok())
                .filter(|measure: &Quantity| measure.can_be_share_of_clean()),
        }
    }

    /// The measure of layers that is shown, if one is.
    pub(super) fn geometry(self) -> Option<LayerQuantity> {
        let default = self.view.default_geometry()?;
        Some(self.geometry.unwrap_or(default))
    }

    /// The layers that its mean is over.
    pub(super) fn range(self) -> LayerRange {
        self.range.unwrap_or(self.view.default_range())
    }

    /// The accuracy under perturbation that geometry is set against.
    pub(super) fn robustness(self) -> Quantity {
        self.robustness.unwrap_or(Quantity::Corruption {
            corruption: None,
            severity: None,
        })
    }

    fn layers(self) -> Quantity {
        let default = LayerQuantity::dimensionality(Perturbations::Clean);
        Quantity::Layers {
            range: self.range(),
            quantity: self.geometry().unwrap_or(default),
        }
    }

    /// Its path in the API, with `attack`.
    fn path(self, experiment: &str, attack: Attack) -> String {
        let corruption = Quantity::Corruption {
            corruption: self.corruption,
            severity: self.severity,
        };
        let (x, y) = match self.view {
            View::TradeOff => (corruption, Quantity::Attack(attack)),
            View::Corruptions => (Quantity::Selectivity, corruption),
            View::Attacks => (Quantity::Selectivity, Quantity::Attack(attack)),
            View::Geometry | View::Gradients => (Quantity::Selectivity, self.layers()),
            View::GeometryRobustness => (self.layers(), self.robustness()),
        };
        let [x, y] = [x, y].map(|measure| api::segment(&measure.to_string()));
        let mut path = format!(
            "/experiments/{experiment}/scatter?x={x}&y={y}&scale={}",
            self.scale.id()
        );
        if let Some(conditions) = self.conditions {
            path += &format!("&conditions={conditions}");
        }
        if let Some(conditions) = self.attack_conditions {
            path += &format!("&attack_conditions={conditions}");
        }
        path
    }

    /// Requests the runs' numbers; twice where the runs were attacked, but not with the attack requested first.
    pub async fn read(self, experiment: String) -> Result<Scatter, ApiError> {
        let attack = self.attack.unwrap_or_else(default_attack);
        let first: Scatter = api::get(&self.path(&experiment, attack)).await?;
        match closest(Some(attack), default_attack(), &first.known_attacks) {
            Some(other) if self.view.has_attack() && other != attack => {
                api::get(&self.path(&experiment, other)).await
            }
            _ => Ok(first),
        }
    }
}

/// What the page's address selects for each view.
pub fn use_selections() -> [Memo<Selection>; VIEWS] {
    let query = use_query_map();
    View::ALL.map(|view| {
        Memo::new(move |_| query.with(|query| Selection::from_query(view, |key| query.get(key))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::query::tests::from_pairs;

    fn selection(view: View, pairs: &'static [(&str, &str)]) -> Selection {
        Selection::from_query(view, from_pairs(pairs))
    }

    /// Broken by: an address that requests something else than it names, or a typo in it that breaks the whole page.
    #[test]
    fn an_address_selects_what_it_names() {
        let selected = selection(
            View::Corruptions,
            &[
                ("corruption", "fog"),
                ("severity", "3"),
                ("scale", "share_of_clean"),
                ("conditions", "generated.0.200"),
            ],
        );
        assert_eq!(
            selected.path("7", default_attack()),
            "/experiments/7/scatter?x=selectivity&y=corruption%3Afog%3A3&scale=share_of_clean&conditions=generated.0.200"
        );
        let wrong = [
            ("corruption", "fogg"),
            ("severity", "6"),
            ("scale", "log"),
            ("conditions", "x"),
            ("attack", "fgsm"),
            ("attack-conditions", "0"),
        ];
        for view in View::ALL {
            let wrong = Selection::from_query(view, from_pairs(&wrong));
            assert_eq!(wrong, selection(view, &[]));
        }
    }

    /// Broken by: axes that are swapped, one figure's address that changes another figure, or an attack whose
    /// slashes and equals signs are sent as they are.
    #[test]
    fn the_trade_off_sets_average_case_against_worst_case() {
        let pairs: &[(&str, &str)] = &[
            ("trade-corruption", "fog"),
            ("corruption", "snow"),
            ("trade-attack", "pgd:linf:8/255:step=0.5/255:steps=40"),
            ("trade-attack-conditions", "0.100"),
        ];
        let selected = selection(View::TradeOff, pairs);
        assert_eq!(
            selected.path("7", selected.attack.unwrap()),
            "/experiments/7/scatter?x=corruption%3Afog%3Aall&y=attack%3Apgd%3Alinf%3A8%2F255%3Astep%3D0.5%2F255%3Asteps%3D40&scale=raw&attack_conditions=0.100"
        );
        assert_eq!(selection(View::Attacks, pairs).attack, None);
    }

    /// Broken by: geometry on the axis of robustness, a measure of layers sent with its colons, or an accuracy
    /// that is none under perturbation.
    #[test]
    fn geometry_is_set_against_selectivity_and_robustness() {
        let path = |view: View, pairs: &'static [(&str, &str)]| {
            selection(view, pairs).path("7", default_attack())
        };
        assert_eq!(
            path(View::Geometry, &[]),
            "/experiments/7/scatter?x=selectivity&y=layers%3Aearly%3Adimensionality%3Aresponses%3A95%3Aclean&scale=raw"
        );
        assert_eq!(
            path(View::Gradients, &[("gradient-measure", "cv_across_units")]),
            "/experiments/7/scatter?x=selectivity&y=layers%3Aall%3Acv_across_units&scale=raw"
        );
        let pairs: &[(&str, &str)] = &[
            ("geometry-robustness-measure", "cv_across_samples"),
            ("geometry-robustness-layers", "all"),
            ("geometry-robustness-against", "attack:fgsm:linf:1/255"),
            ("geometry-robustness-scale", "share_of_clean"),
        ];
        assert_eq!(
            path(View::GeometryRobustness, pairs),
            "/experiments/7/scatter?x=layers%3Aall%3Acv_across_samples&y=attack%3Afgsm%3Alinf%3A1%2F255&scale=share_of_clean"
        );
        let wrong: &[(&str, &str)] = &[("geometry-robustness-against", "test_accuracy")];
        assert_eq!(
            selection(View::GeometryRobustness, wrong),
            selection(View::GeometryRobustness, &[])
        );
    }
}
