//! What the page compares, read from its address.

use protocol::comparison::{ConfigurationField, Grouping};
use protocol::measure::Scale;
use serde::{Deserialize, Serialize};

use crate::data::addresses::query;
use crate::data::corruptions::scale_from;

/// What is compared, and how. Kept as it was written: the server reports its errors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Experiments, by number with commas between.
    pub experiments: String,
    /// Further runs, likewise.
    pub runs: String,
    /// Which of the runs count.
    pub filter: String,
    /// Fields to group by, with commas between.
    pub group: Option<String>,
    /// Fields not to group by.
    pub group_all_but: Option<String>,
    /// The measure that is drawn and tested; the server's choice when empty.
    pub measure: String,
    /// Whether accuracies are shares of clean.
    pub share_of_clean: bool,
}

impl View {
    /// The view of an address, whose parameters `get` returns.
    pub fn from_query(get: impl Fn(&str) -> Option<String>) -> View {
        let text = |key| get(key).unwrap_or_default().trim().to_owned();
        View {
            experiments: text("experiments"),
            runs: text("runs"),
            filter: text("filter"),
            group: get("group"),
            group_all_but: get("group_all_but"),
            measure: text("measure"),
            share_of_clean: scale_from(&text("scale")) == Scale::ShareOfClean,
        }
    }

    /// Whether any run is chosen.
    pub fn is_empty(&self) -> bool {
        self.experiments.is_empty() && self.runs.is_empty()
    }

    /// The page's query, and the API's: with its `?`.
    pub fn query(&self) -> String {
        let given = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        let scale = self
            .share_of_clean
            .then(|| Scale::ShareOfClean.id().to_owned());
        query([
            ("experiments", given(&self.experiments)),
            ("runs", given(&self.runs)),
            ("filter", given(&self.filter)),
            // All runs as one group is a choice too.
            ("group", self.group.clone()),
            ("group_all_but", self.group_all_but.clone()),
            ("measure", given(&self.measure)),
            ("scale", scale),
        ])
    }

    /// The address of the page.
    pub fn address(&self) -> String {
        format!("/compare{}", self.query())
    }

    /// How the runs are grouped; seeds as replicates where the address names no grouping.
    pub fn grouping(&self) -> Grouping {
        Grouping::from_names(self.group.as_deref(), self.group_all_but.as_deref())
            .unwrap_or_default()
    }

    /// The same view with another grouping.
    pub fn grouped(&self, grouping: &Grouping) -> View {
        let names = |fields: &[ConfigurationField]| {
            let names: Vec<&str> = fields.iter().map(|field| field.id()).collect();
            Some(names.join(","))
        };
        let (group, group_all_but) = match grouping {
            same if *same == Grouping::default() => (None, None),
            Grouping::By(fields) => (names(fields), None),
            Grouping::AllBut(fields) => (None, names(fields)),
        };
        View {
            group,
            group_all_but,
            ..self.clone()
        }
    }

    /// The same, with `field` taken into the grouping or out of it.
    pub fn toggled(&self, field: ConfigurationField) -> View {
        let grouping = self.grouping();
        let fields = grouping.fields();
        let is_in = fields.contains(&field);
        let toggled = match grouping {
            // `AllBut` never includes tags.
            Grouping::AllBut(_) if field == ConfigurationField::Tag => {
                Grouping::By([fields, vec![field]].concat())
            }
            Grouping::AllBut(left_out) if is_in => {
                Grouping::AllBut([left_out, vec![field]].concat())
            }
            Grouping::AllBut(left_out) => Grouping::AllBut(without(left_out, field)),
            Grouping::By(_) if is_in => Grouping::By(without(fields, field)),
            Grouping::By(_) => Grouping::By([fields, vec![field]].concat()),
        };
        self.grouped(&toggled)
    }

    /// The same with one more experiment.
    pub fn with_experiment(&self, id: &str) -> View {
        let mut known: Vec<&str> = parts(&self.experiments);
        if !known.contains(&id) {
            known.push(id);
        }
        View {
            experiments: known.join(","),
            ..self.clone()
        }
    }

    /// The same without an experiment.
    pub fn without_experiment(&self, id: &str) -> View {
        let mut known = parts(&self.experiments);
        known.retain(|known| *known != id);
        View {
            experiments: known.join(","),
            ..self.clone()
        }
    }

    /// The chosen experiments, by number.
    pub fn experiment_ids(&self) -> Vec<&str> {
        parts(&self.experiments)
    }

    /// How many runs are chosen besides the experiments.
    pub fn single_runs(&self) -> usize {
        parts(&self.runs).len()
    }
}

fn without(
    mut fields: Vec<ConfigurationField>,
    field: ConfigurationField,
) -> Vec<ConfigurationField> {
    fields.retain(|other| *other != field);
    fields
}

fn parts(list: &str) -> Vec<&str> {
    let parts = list.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::addresses::comparison;
    use ConfigurationField::{Alpha, Network, Seed, Tag};

    fn from(address: &str) -> View {
        let query = address.split_once('?').map_or("", |(_, query)| query);
        View::from_query(|key| {
            query.split('&').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let value = value.replace("%2C", ",").replace("%3A", ":");
                (name == key).then_some(value)
            })
        })
    }

    /// Broken by: a view that is lost when its address is shared, or one group of all runs that becomes the
    /// default grouping.
    #[test]
    fn the_view_survives_the_address() {
        for view in [
            View::default(),
            View {
                experiments: "1,2".into(),
                runs: "5".into(),
                filter: "tag:good".into(),
                group: Some(String::new()),
                measure: "corruption:all:all".into(),
                share_of_clean: true,
                ..View::default()
            },
            View {
                group_all_but: Some("seed,alpha".into()),
                ..View::default()
            },
        ] {
            assert_eq!(from(&view.address()), view, "{}", view.address());
        }
        assert_eq!(View::default().address(), "/compare");
        assert_eq!(from(&comparison(&[1, 2], &[])).experiments, "1,2");
        assert_eq!(from(&comparison(&[1], &[7, 9])).runs, "7,9");
    }

    /// Broken by: a chip that does not undo itself, drops another field, or cannot take in tags.
    #[test]
    fn chips_toggle_their_own_field() {
        let all_but_seed = View::default();
        let with_seed = all_but_seed.toggled(Seed);
        assert_eq!(with_seed.grouping(), Grouping::AllBut(vec![]));
        assert_eq!(with_seed.toggled(Seed), all_but_seed);
        assert!(
            !all_but_seed
                .toggled(Alpha)
                .grouping()
                .fields()
                .contains(&Alpha)
        );
        let tagged = all_but_seed.toggled(Tag).grouping().fields();
        assert!(tagged.contains(&Tag) && tagged.contains(&Alpha) && !tagged.contains(&Seed));
        let by_network = all_but_seed.grouped(&Grouping::By(vec![Network]));
        assert_eq!(
            by_network.toggled(Alpha).grouping(),
            Grouping::By(vec![Network, Alpha])
        );
        assert_eq!(by_network.toggled(Network).grouping(), Grouping::By(vec![]));
    }

    /// Broken by: an experiment chosen twice, or others lost with the one that is taken out.
    #[test]
    fn experiments_come_and_go() {
        let view = View::default().with_experiment("3").with_experiment("5");
        assert_eq!(view.with_experiment("3"), view);
        assert_eq!(view.without_experiment("3").experiment_ids(), ["5"]);
        assert!(
            view.without_experiment("3")
                .without_experiment("5")
                .is_empty()
        );
    }
}
