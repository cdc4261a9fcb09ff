//! Which of the store's runs a scheduler looks after.

/// Which runs a scheduler looks after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of the store's.
    Everything,
    /// Those of one experiment; others wait, or are at work, for another scheduler.
    Experiment(i64),
    /// This one run.
    Run(i64),
}

impl Scope {
    /// Whether a scheduler of this scope hands over runs of an experiment.
    pub(crate) fn hands_over(self, experiment: i64) -> bool {
        match self {
            Scope::Everything => true,
            Scope::Experiment(id) => id == experiment,
            Scope::Run(_) => false,
        }
    }
}

/// The runs of a scope, as a condition on `runs`.
pub(super) fn within(scope: Scope) -> String {
    match scope {
        Scope::Everything => "true".into(),
        Scope::Experiment(id) => format!("experiment_id = {id}"),
        Scope::Run(id) => format!("id = {id}"),
    }
}
