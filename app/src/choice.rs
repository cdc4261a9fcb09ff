//! One of several that a person chooses from.

/// A choice of a select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What the spec holds.
    pub value: String,
    /// What a person reads.
    pub label: String,
}

impl Choice {
    /// A choice of `value` that a person reads as `label`.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Choice {
        Choice {
            value: value.into(),
            label: label.into(),
        }
    }
}
