//! How the runs are listed, read from the page's address.

use std::cmp::Ordering;

use protocol::comparison::{ExperimentLabel, Filter, FilterError};
use protocol::{Run, RunState};

/// What a list of single runs is sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Column {
    /// The run's number.
    #[default]
    Run,
    /// Its regulariser strength.
    Alpha,
    /// Its seed.
    Seed,
    /// Where it stands.
    State,
    /// Clean validation accuracy of the newest epoch.
    Validation,
    /// Clean test accuracy.
    Test,
    /// Network selectivity.
    Selectivity,
    /// A further measure, by index.
    Extra(usize),
}

impl Column {
    /// Every column that each table has.
    pub const ALL: [Column; 7] = [
        Column::Run,
        Column::Alpha,
        Column::Seed,
        Column::State,
        Column::Validation,
        Column::Test,
        Column::Selectivity,
    ];

    /// The name in the address.
    pub fn id(self) -> String {
        match self {
            Column::Run => "run".into(),
            Column::Alpha => "alpha".into(),
            Column::Seed => "seed".into(),
            Column::State => "state".into(),
            Column::Validation => "validation_accuracy".into(),
            Column::Test => "test_accuracy".into(),
            Column::Selectivity => "selectivity".into(),
            Column::Extra(place) => format!("measure-{place}"),
        }
    }

    pub fn from_id(id: &str) -> Option<Column> {
        if let Some(place) = id.strip_prefix("measure-") {
            return place.parse().ok().map(Column::Extra);
        }
        Column::ALL.into_iter().find(|column| column.id() == id)
    }

    /// Its number for a run; absent where there is none.
    fn number(self, run: &Run, extra: &[Option<f64>]) -> Option<f64> {
        let result = run.result.as_ref();
        match self {
            Column::Run => Some(run.id as f64),
            Column::Alpha => Some(run.spec.alpha),
            Column::Seed => Some(run.spec.seed as f64),
            Column::State => RunState::ALL
                .iter()
                .position(|&state| state == run.state)
                .map(|place| place as f64),
            Column::Validation => run
                .latest_epoch
                .as_ref()
                .map(|epoch| epoch.validation_accuracy),
            Column::Test => result.map(|result| result.test_accuracy),
            Column::Selectivity => result.map(|result| result.selectivity),
            Column::Extra(place) => extra.get(place).copied().flatten(),
        }
    }
}

/// What stands between the names of columns in the address.
const SEPARATOR: &str = ",";

/// How the runs are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// One by one, instead of by alpha.
    pub all: bool,
    /// What they are sorted by.
    pub sort: Column,
    /// Largest first.
    pub descending: bool,
    /// Page, from 0.
    pub page: usize,
    /// Which are listed, as a [`Filter`] is written.
    pub filter: String,
    /// Only those in this state.
    pub state: Option<RunState>,
    /// Columns that are left out, by their names in [`Columns`](super::columns::Columns).
    pub hidden: Vec<String>,
}

impl View {
    /// The view of an address; what it names wrongly is left out.
    pub fn from_query(get: impl Fn(&str) -> Option<String>) -> View {
        View {
            all: get("runs").as_deref() == Some("all"),
            sort: get("runs-sort")
                .and_then(|id| Column::from_id(&id))
                .unwrap_or_default(),
            descending: get("runs-order").as_deref() == Some("descending"),
            page: get("runs-page")
                .and_then(|page| page.parse::<usize>().ok())
                .map_or(0, |page| page.saturating_sub(1)),
            filter: get("runs-filter").unwrap_or_default(),
            state: get("runs-state").and_then(|id| RunState::from_id(&id)),
            hidden: get("runs-hide").map_or_else(Vec::new, |ids| {
                let ids = ids.split(SEPARATOR).filter(|id| !id.is_empty());
                ids.map(str::to_owned).collect()
            }),
        }
    }

    /// Its parameters in the address: absent ones are at their defaults.
    pub fn parameters(&self) -> [(&'static str, Option<String>); 7] {
        // Without the list of single runs, its parameters are left out.
        let of_all = |value: Option<String>| value.filter(|_| self.all);
        let default = self.sort == Column::default();
        [
            ("runs", self.all.then(|| "all".to_owned())),
            ("runs-sort", of_all((!default).then(|| self.sort.id()))),
            (
                "runs-order",
                of_all(self.descending.then(|| "descending".to_owned())),
            ),
            (
                "runs-page",
                of_all((self.page > 0).then(|| (self.page + 1).to_string())),
            ),
            (
                "runs-filter",
                of_all((!self.filter.is_empty()).then(|| self.filter.clone())),
            ),
            (
                "runs-state",
                of_all(self.state.map(|state| state.id().to_owned())),
            ),
            (
                "runs-hide",
                (!self.hidden.is_empty()).then(|| self.hidden.join(SEPARATOR)),
            ),
        ]
    }

    /// The same sorted by `column`; reversed if it was already.
    pub fn sorted_by(self, column: Column) -> View {
        View {
            descending: self.sort == column && !self.descending,
            sort: column,
            page: 0,
            ..self
        }
    }

    /// The runs that are listed on all pages, in order, by number. Runs without a value come last either way.
    ///
    /// # Errors
    /// When the filter is invalid.
    pub fn order(
        &self,
        runs: &[Run],
        experiment: &ExperimentLabel,
        extra: impl Fn(i64) -> Vec<Option<f64>>,
    ) -> Result<Vec<i64>, FilterError> {
        let filter: Filter = self.filter.parse()?;
        let mut listed: Vec<(Option<f64>, i64)> = runs
            .iter()
            .filter(|run| self.state.is_none_or(|state| run.state == state))
            .filter(|run| filter.admits(run, experiment))
            .map(|run| {
                let extra = match self.sort {
                    Column::Extra(_) => extra(run.id),
                    _ => Vec::new(),
                };
                (self.sort.number(run, &extra), run.id)
            })
            .collect();
        listed.sort_by(|(a, a_id), (b, b_id)| {
            let order = match (a, b) {
                (Some(a), Some(b)) if self.descending => b.total_cmp(a),
                (Some(a), Some(b)) => a.total_cmp(b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            };
            order.then(a_id.cmp(b_id))
        });
        Ok(listed.into_iter().map(|(_, id)| id).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::run_state::tests::run;

    /// Broken by: a view that is lost when its address is shared, or parameters of a list that is not shown.
    #[test]
    fn the_view_survives_the_address() {
        let view = View {
            all: true,
            sort: Column::Extra(1),
            descending: true,
            page: 3,
            filter: "alpha:0".into(),
            state: Some(RunState::Finished),
            hidden: vec!["seed".into(), "attack:fgsm:0.01".into()],
        };
        let read = |view: &View| {
            let parameters = view.parameters();
            View::from_query(|key| {
                let parameter = parameters.iter().find(|(name, _)| *name == key);
                parameter.and_then(|(_, value)| value.clone())
            })
        };
        assert_eq!(read(&view), view);
        assert_eq!(read(&View::default()), View::default());
        let empty = View::from_query(|key| (key == "runs-hide").then(|| ",seed,".to_owned()));
        assert_eq!(empty.hidden, ["seed"]);
        let by_alpha = View { all: false, ..view };
        let hidden = by_alpha.hidden.clone();
        assert_eq!(
            read(&by_alpha),
            View {
                hidden,
                ..View::default()
            }
        );
        for column in Column::ALL {
            assert_eq!(Column::from_id(&column.id()), Some(column));
        }
    }

    /// Broken by: runs without a value between others, an order that is not turned, or a filter that is passed over.
    #[test]
    fn runs_are_sorted_and_filtered() {
        let runs: Vec<Run> = [(1, 0.5), (2, -1.0), (3, 2.0)]
            .into_iter()
            .map(|(id, alpha)| {
                let mut run = run();
                (run.id, run.spec.alpha) = (id, alpha);
                run
            })
            .collect();
        let label = ExperimentLabel::default();
        // The second has no value.
        let extra = |id: i64| vec![(id != 2).then_some(-id as f64)];
        let order = |view: View| view.order(&runs, &label, extra).unwrap();
        let sorted = |column| View::default().sorted_by(column);
        assert_eq!(order(View::default()), [1, 2, 3]);
        assert_eq!(order(sorted(Column::Alpha)), [2, 1, 3]);
        assert_eq!(
            order(sorted(Column::Alpha).sorted_by(Column::Alpha)),
            [3, 1, 2]
        );
        assert_eq!(order(sorted(Column::Extra(0))), [3, 1, 2]);
        let turned = sorted(Column::Extra(0)).sorted_by(Column::Extra(0));
        assert_eq!(order(turned), [1, 3, 2]);
        let filtered = View {
            filter: "alpha:2,alpha:-1".into(),
            ..View::default()
        };
        assert_eq!(order(filtered), [2, 3]);
        let finished = View {
            state: Some(RunState::Finished),
            ..View::default()
        };
        assert!(order(finished).is_empty());
        let wrong = View {
            filter: "colour:red".into(),
            ..View::default()
        };
        assert!(wrong.order(&runs, &label, extra).is_err());
    }
}
