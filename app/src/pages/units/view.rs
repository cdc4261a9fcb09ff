//! What the explorer shows, as its address says: a layer, its units in some order, and one of them.

use std::cmp::Ordering;

use protocol::dimensionality::Perturbation;
use protocol::unit::{UnitSummary, UnitTable};

use crate::data::addresses::query;
use crate::ui::grid;

/// A column of the table of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Number of the unit.
    Unit,
    /// Selectivity index.
    Selectivity,
    /// Preferred class, by name.
    Class,
    /// CV_u.
    GradientCv,
    /// mu_u.
    GradientNorm,
    /// Mean response.
    MeanResponse,
    /// Dead or alive.
    Dead,
}

impl Column {
    /// Every column, from left to right.
    pub const ALL: [Column; 7] = [
        Column::Unit,
        Column::Selectivity,
        Column::Class,
        Column::GradientCv,
        Column::GradientNorm,
        Column::MeanResponse,
        Column::Dead,
    ];

    /// The name in the address.
    pub fn id(self) -> &'static str {
        match self {
            Column::Unit => "unit",
            Column::Selectivity => "selectivity",
            Column::Class => "class",
            Column::GradientCv => "gradient_cv",
            Column::GradientNorm => "gradient_norm",
            Column::MeanResponse => "mean_response",
            Column::Dead => "dead",
        }
    }

    /// The column called `id`.
    pub fn from_id(id: &str) -> Option<Column> {
        Column::ALL.into_iter().find(|column| column.id() == id)
    }

    /// The heading, with what is in the column.
    pub fn heading(self) -> grid::Column {
        let words = grid::Column::words;
        let number = grid::Column::number;
        let (heading, meaning) = match self {
            Column::Unit => (
                number("Unit"),
                "Number of the unit (feature map) within its layer, from 0",
            ),
            Column::Selectivity => (
                number("Selectivity"),
                "Selectivity index on the clean test images, 0 to 1",
            ),
            Column::Class => (
                words("Preferred class"),
                "The class whose images it responds to most",
            ),
            Column::GradientCv => (
                number("CV_u"),
                "Variability of its input gradient across images: standard deviation / mean of the norm",
            ),
            Column::GradientNorm => (
                number("Gradient norm"),
                "Mean L2 norm of its input gradient, response per unit of pixel value",
            ),
            Column::MeanResponse => (
                number("Mean response"),
                "Mean response (after ReLU, averaged over space) to the images",
            ),
            Column::Dead => (words("Dead"), "Whether it responds to no image at all"),
        };
        heading.explained(meaning).sorted_as(self.id())
    }

    /// Whether it is first sorted in descending order.
    fn begins_descending(self) -> bool {
        !matches!(self, Column::Unit | Column::Class)
    }

    /// The number it is sorted by; absent where not measured, or not a number.
    fn number(self, unit: &UnitSummary) -> Option<f64> {
        match self {
            Column::Unit => Some(unit.unit.into()),
            Column::Selectivity => Some(unit.selectivity.into()),
            Column::Class => None,
            Column::GradientCv => unit.gradient_cv,
            Column::GradientNorm => unit.gradient_norm,
            Column::MeanResponse => unit.mean_response,
            Column::Dead => unit.dead.map(|dead| f64::from(u8::from(dead))),
        }
    }
}

/// What the explorer shows.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The layer; the first when absent.
    pub layer: Option<String>,
    /// The unit that is looked at closely.
    pub unit: Option<u32>,
    /// What the units are sorted by.
    pub sort: Column,
    /// Whether the largest comes first.
    pub descending: bool,
    /// Only units that prefer this class, by its name.
    pub class: Option<String>,
    /// Only dead units, or only living ones.
    pub dead: Option<bool>,
    /// The perturbation compared with clean; a measured one when absent.
    pub perturbation: Option<Perturbation>,
    /// Classes as they are listed, not by the unit's response.
    pub listed: bool,
    /// All classes, not those of the largest response.
    pub all_classes: bool,
}

impl View {
    /// What an address says; what it does not name, or names wrongly, is left open.
    pub fn from_query(get: impl Fn(&str) -> Option<String>) -> View {
        let sort = get("sort")
            .and_then(|id| Column::from_id(&id))
            .unwrap_or(Column::Selectivity);
        View {
            layer: get("layer").filter(|layer| !layer.is_empty()),
            unit: get("unit").and_then(|unit| unit.parse().ok()),
            sort,
            descending: match get("order").as_deref() {
                Some("ascending") => false,
                Some("descending") => true,
                _ => sort.begins_descending(),
            },
            class: get("class").filter(|class| !class.is_empty()),
            dead: match get("dead").as_deref() {
                Some("yes") => Some(true),
                Some("no") => Some(false),
                _ => None,
            },
            perturbation: get("perturbation").and_then(|text| text.parse().ok()),
            listed: get("classes-by").as_deref() == Some("list"),
            all_classes: get("classes").as_deref() == Some("all"),
        }
    }

    /// Its address on `run`, without defaults.
    pub fn address(&self, run: i64) -> String {
        let order =
            (self.descending != self.sort.begins_descending()).then_some(if self.descending {
                "descending"
            } else {
                "ascending"
            });
        let sort = (self.sort != Column::Selectivity).then(|| self.sort.id().to_owned());
        let dead = self.dead.map(|dead| if dead { "yes" } else { "no" });
        let query = query([
            ("layer", self.layer.clone()),
            ("unit", self.unit.map(|unit| unit.to_string())),
            ("sort", sort),
            ("order", order.map(str::to_owned)),
            ("class", self.class.clone()),
            ("dead", dead.map(str::to_owned)),
            ("perturbation", self.perturbation.map(|one| one.to_string())),
            ("classes-by", self.listed.then(|| "list".to_owned())),
            ("classes", self.all_classes.then(|| "all".to_owned())),
        ]);
        format!("/runs/{run}/units{query}")
    }

    /// The same, sorted by `column`; reversed if it is already.
    pub fn sorted_by(self, column: Column) -> View {
        let descending = if self.sort == column {
            !self.descending
        } else {
            column.begins_descending()
        };
        View {
            sort: column,
            descending,
            ..self
        }
    }

    /// The units that are shown, in order; those without a value last, either way round.
    pub fn arrange(&self, table: &UnitTable) -> Vec<UnitSummary> {
        let class = |unit: &UnitSummary| table.classes.get(unit.preferred_class as usize);
        let is_shown = |unit: &&UnitSummary| {
            self.class
                .as_ref()
                .is_none_or(|wanted| class(unit) == Some(wanted))
                && self.dead.is_none_or(|wanted| unit.dead == Some(wanted))
        };
        let mut units: Vec<UnitSummary> = table.units.iter().filter(is_shown).copied().collect();
        let directed = |ordering: Ordering| {
            if self.descending {
                ordering.reverse()
            } else {
                ordering
            }
        };
        units.sort_by(|a, b| {
            let by_value = match self.sort {
                Column::Class => directed(class(a).cmp(&class(b))),
                column => match (column.number(a), column.number(b)) {
                    (Some(a), Some(b)) => directed(a.total_cmp(&b)),
                    (a, b) => b.is_some().cmp(&a.is_some()),
                },
            };
            by_value.then(a.unit.cmp(&b.unit))
        });
        units
    }
}

/// The units before and after `unit` in the table's order; the ends where it is not in the table.
pub fn neighbours(order: &[UnitSummary], unit: u32) -> (Option<u32>, Option<u32>) {
    let number = |place: usize| order.get(place).map(|one| one.unit);
    match order.iter().position(|one| one.unit == unit) {
        Some(place) => (place.checked_sub(1).and_then(number), number(place + 1)),
        None => (None, number(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::query::tests::from_pairs;

    fn table() -> UnitTable {
        let unit = |unit, selectivity, preferred_class, gradient_cv, dead| UnitSummary {
            unit,
            selectivity,
            preferred_class,
            dead,
            mean_response: None,
            gradient_norm: None,
            gradient_cv,
        };
        UnitTable {
            layer: "stem".into(),
            layers: Vec::new(),
            classes: vec!["owl".into(), "cat".into()],
            units: vec![
                unit(0, 0.2, 0, Some(0.5), Some(false)),
                unit(1, 0.6, 1, None, Some(true)),
                unit(2, 0.4, 1, Some(0.75), Some(false)),
            ],
            test_images: 100,
            gradient_images: Some(8),
        }
    }

    fn view(pairs: &[(&str, &str)]) -> View {
        View::from_query(from_pairs(pairs))
    }

    fn order(pairs: &[(&str, &str)]) -> Vec<u32> {
        let units = view(pairs).arrange(&table());
        units.into_iter().map(|unit| unit.unit).collect()
    }

    /// Broken by: units without a value that lead a column, classes sorted by their index, or a filter that lets
    /// others through.
    #[test]
    fn units_are_sorted_and_filtered() {
        assert_eq!(order(&[]), [1, 2, 0]);
        assert_eq!(order(&[("sort", "gradient_cv")]), [2, 0, 1]);
        let upwards = [("sort", "gradient_cv"), ("order", "ascending")];
        assert_eq!(order(&upwards), [0, 2, 1]);
        assert_eq!(order(&[("sort", "class")]), [1, 2, 0]);
        assert_eq!(order(&[("class", "cat"), ("dead", "no")]), [2]);
        assert_eq!(order(&[("dead", "yes")]), [1]);
    }

    /// Broken by: an address that cannot be read back, or a typo in it that takes the page down.
    #[test]
    fn an_address_is_read_as_it_is_written() {
        let pairs = [
            ("layer", "stage1.block1.relu1"),
            ("unit", "3"),
            ("sort", "dead"),
            ("order", "ascending"),
            ("class", "sea lion"),
            ("dead", "no"),
            ("perturbation", "corruption:fog:3"),
            ("classes-by", "list"),
            ("classes", "all"),
        ];
        assert_eq!(
            view(&pairs).address(7),
            "/runs/7/units?layer=stage1.block1.relu1&unit=3&sort=dead&order=ascending&class=sea%20lion&dead=no&perturbation=corruption%3Afog%3A3&classes-by=list&classes=all"
        );
        let wrong = [
            ("unit", "x"),
            ("sort", "size"),
            ("dead", "?"),
            ("order", ""),
        ];
        assert_eq!(view(&wrong).address(7), "/runs/7/units");
    }

    /// Broken by: a second click that does not turn the order round, or "next" by number instead of the
    /// table's order.
    #[test]
    fn next_follows_the_order_of_the_table() {
        let by_class = view(&[]).sorted_by(Column::Class);
        assert!(!by_class.descending);
        assert!(by_class.sorted_by(Column::Class).descending);
        let units = view(&[]).arrange(&table());
        assert_eq!(neighbours(&units, 1), (None, Some(2)));
        assert_eq!(neighbours(&units, 2), (Some(1), Some(0)));
        assert_eq!(neighbours(&units, 9), (None, Some(1)));
    }
}
