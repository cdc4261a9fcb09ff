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

/// Each of `all` as a choice of its name and its label.
pub fn choices<T: Copy, N: Into<String>, L: Into<String>>(
    all: &[T],
    name: impl Fn(T) -> N,
    label: impl Fn(T) -> L,
) -> Vec<Choice> {
    let choice = |&one: &T| Choice::new(name(one), label(one));
    all.iter().map(choice).collect()
}
