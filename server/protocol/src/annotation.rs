//! What people write on experiments and runs after the launch: tags and notes.

use serde::{Deserialize, Serialize};

use crate::field_error::FieldError;

/// The most tags that one experiment or run has.
pub const MAXIMUM_TAGS: usize = 20;

/// The most characters of a tag.
pub const MAXIMUM_TAG_CHARACTERS: usize = 50;

/// The most characters of notes.
pub const MAXIMUM_NOTES_CHARACTERS: usize = 10_000;

/// A change of tags and notes; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Annotation {
    /// All tags from now on, in this order: at most 20 of 1 to 50 characters each, without commas; no repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub tags: Option<Vec<String>>,
    /// The notes from now on, at most 10,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 10000))]
    pub notes: Option<String>,
}

impl Annotation {
    /// The same without spaces around its tags and its notes.
    pub fn trimmed(self) -> Annotation {
        let trimmed = |text: String| text.trim().to_owned();
        Annotation {
            tags: self
                .tags
                .map(|tags| tags.into_iter().map(trimmed).collect()),
            notes: self.notes.map(trimmed),
        }
    }

    /// Everything wrong with it, as `tags` or `notes`; empty when it can be kept. Tags are compared as they
    /// are: [`Annotation::trimmed`] comes first.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let tags = self.tags.as_deref().unwrap_or_default();
        if tags.len() > MAXIMUM_TAGS {
            let reason = format!("{} tags; at most {MAXIMUM_TAGS}", tags.len());
            return vec![FieldError::new("tags", reason)];
        }
        for (index, tag) in tags.iter().enumerate() {
            let characters = tag.chars().count();
            let reason = if characters == 0 {
                "a tag is empty".to_owned()
            } else if characters > MAXIMUM_TAG_CHARACTERS {
                format!(
                    "a tag has {characters} characters; at most {MAXIMUM_TAG_CHARACTERS} are allowed"
                )
            } else if tag.contains(',') || tag.chars().any(char::is_control) {
                // Filters and the form separate tags by commas.
                format!(
                    "`{}` contains a comma or a control character",
                    tag.escape_debug()
                )
            } else if tags[..index].contains(tag) {
                format!("`{tag}` is given twice")
            } else {
                continue;
            };
            errors.push(FieldError::new("tags", reason));
        }
        let characters = self.notes.as_deref().unwrap_or_default().chars().count();
        if characters > MAXIMUM_NOTES_CHARACTERS {
            let reason = format!("{characters} characters; at most 10,000 are allowed");
            errors.push(FieldError::new("notes", reason));
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(tags: &[&str]) -> Annotation {
        Annotation {
            tags: Some(tags.iter().map(|&tag| tag.to_owned()).collect()),
            notes: None,
        }
    }

    /// Breaks when spaces make a tag another one, or a tag is kept that a filter cannot name.
    #[test]
    fn tags_are_trimmed_and_checked() {
        let good = tagged(&[" control ", "lab meeting"]).trimmed();
        assert_eq!(good, tagged(&["control", "lab meeting"]));
        assert_eq!(good.validate(), vec![]);
        assert_eq!(tagged(&[]).validate(), vec![]);
        let long = "ü".repeat(MAXIMUM_TAG_CHARACTERS);
        assert_eq!(tagged(&[&long]).validate(), vec![]);
        let too_long = format!("{long}ü");
        let too_many: Vec<String> = (0..=MAXIMUM_TAGS).map(|tag| tag.to_string()).collect();
        let too_many: Vec<&str> = too_many.iter().map(String::as_str).collect();
        for wrong in [
            &["  "][..],
            &["a,b"],
            &["a\nb"],
            &["a", " a"],
            &[&too_long],
            &too_many,
        ] {
            let errors = tagged(wrong).trimmed().validate();
            assert_eq!(errors.len(), 1, "{wrong:?}: {errors:?}");
            assert_eq!(errors[0].field, "tags");
        }
    }

    /// Breaks when notes of any length are taken, or a wrong note is said of the tags.
    #[test]
    fn notes_have_a_limit() {
        let notes = |characters| Annotation {
            tags: None,
            notes: Some("ü".repeat(characters)),
        };
        assert_eq!(notes(MAXIMUM_NOTES_CHARACTERS).validate(), vec![]);
        let errors = notes(MAXIMUM_NOTES_CHARACTERS + 1).validate();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].field, "notes");
    }
}
