//! What is wrong with one field of what a person asks for.

use serde::{Deserialize, Serialize};

/// One thing wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field's path in the spec, for example `training.batch_size`.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl FieldError {
    /// A complaint about `field`.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        FieldError {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

/// The checks of one part of a spec, and what they found wrong.
pub(crate) struct Checks {
    /// The part's path, with a point after it; empty for the whole spec.
    path: &'static str,
    errors: Vec<FieldError>,
}

impl Checks {
    /// Nothing wrong yet with the part whose fields' paths begin with `path`.
    pub(crate) fn new(path: &'static str) -> Checks {
        Checks {
            path,
            errors: Vec::new(),
        }
    }

    /// Finds `field` wrong.
    pub(crate) fn refuse(&mut self, field: &str, reason: impl Into<String>) {
        let field = format!("{}{field}", self.path);
        self.errors.push(FieldError::new(field, reason));
    }

    /// Finds `field` wrong unless `holds`.
    pub(crate) fn require(&mut self, holds: bool, field: &str, reason: impl Into<String>) {
        if !holds {
            self.refuse(field, reason);
        }
    }

    /// Finds `field` wrong where its list has a value twice; looks at no more of it than can be right.
    pub(crate) fn without_repeats<T: PartialEq>(
        &mut self,
        field: &str,
        values: &[T],
        name: impl Fn(&T) -> String,
    ) {
        let values = &values[..values.len().min(64)];
        let twice = (1..values.len()).find(|&index| values[..index].contains(&values[index]));
        if let Some(index) = twice {
            self.refuse(field, format!("{} is given twice", name(&values[index])));
        }
    }

    /// Adds what was found wrong elsewhere, under its own paths.
    pub(crate) fn extend(&mut self, errors: impl IntoIterator<Item = FieldError>) {
        self.errors.extend(errors);
    }

    /// Everything that was found wrong.
    pub(crate) fn errors(self) -> Vec<FieldError> {
        self.errors
    }
}
