//! Forms: a spec as texts, what was typed, and lists as people write them.

pub mod draft;
pub mod parse;
pub mod texts;
