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

/// The first value that an earlier one equals; looks at no more than can be right.
pub(crate) fn repeated<T: PartialEq>(values: &[T]) -> Option<&T> {
    let values = &values[..values.len().min(64)];
    (1..values.len())
        .find(|&index| values[..index].contains(&values[index]))
        .map(|index| &values[index])
}
