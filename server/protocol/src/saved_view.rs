//! Saved views: pages of the dashboard as somebody arranged them, by name, for everyone in the lab.

use serde::{Deserialize, Serialize};

use crate::field_error::FieldError;

/// Most characters of a name.
pub const MOST_NAME: usize = 100;

/// Most bytes of an address.
pub const MOST_ADDRESS: usize = 2_000;

/// A saved view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SavedView {
    /// Its number.
    pub id: i64,
    /// Its name; no two have the same.
    pub name: String,
    /// The page and its choices, for example `/compare?experiments=1,2`.
    pub address: String,
    /// When it was saved, in milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
}

/// A view to be saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewView {
    /// Its name, 1 to 100 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub name: String,
    /// The page and its choices: an address within the dashboard, at most 2,000 bytes, that begins with `/`.
    #[cfg_attr(
        feature = "openapi",
        schema(pattern = "^/([^/\\\\].*)?$", max_length = 2000)
    )]
    pub address: String,
}

impl NewView {
    /// The same without spaces around its name.
    pub fn trimmed(self) -> NewView {
        NewView {
            name: self.name.trim().to_owned(),
            ..self
        }
    }

    /// Every field at fault; none where it can be saved.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut refuse = |field: &str, reason: String| errors.push(FieldError::new(field, reason));
        if self.name.is_empty() || self.name.chars().count() > MOST_NAME {
            refuse(
                "name",
                format!("give it a name of 1 to {MOST_NAME} characters"),
            );
        } else if self.name.chars().any(char::is_control) {
            refuse("name", "a name is one line of text".into());
        }
        if !is_within_the_dashboard(&self.address) {
            refuse(
                "address",
                format!(
                    "give an address within the dashboard, for example `/compare?experiments=1,2`, of at most {MOST_ADDRESS} bytes"
                ),
            );
        }
        errors
    }
}

/// Whether a browser that follows `address` stays on this site: a browser takes `//other` and `/\other` for other sites, also
/// after it has resolved segments such as `..`.
fn is_within_the_dashboard(address: &str) -> bool {
    let end = address.find(['?', '#']).unwrap_or(address.len());
    let path = address[..end].to_ascii_lowercase();
    let is_dots = |segment: &str| {
        !segment.is_empty() && segment.replace("%2e", ".").trim_matches('.').is_empty()
    };
    path.starts_with('/')
        && !path.contains("//")
        && !path.contains('\\')
        && !path.split('/').any(is_dots)
        && address.len() <= MOST_ADDRESS
        && !address.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a saved view can lead to another site or run a script, or a view of this site is refused.
    #[test]
    fn a_view_stays_on_this_site() {
        let valid = |address: &str| {
            let view = NewView {
                name: "Lab meeting".into(),
                address: address.into(),
            };
            view.validate().is_empty()
        };
        for address in [
            "/",
            "/compare?experiments=1,2#runs",
            "/experiments/1/robustness?corruption=fog",
        ] {
            assert!(valid(address), "{address}");
        }
        for address in [
            "",
            "compare",
            "//other.example/",
            "/\\other.example/",
            "/\t/other.example/",
            "https://other.example/",
            "javascript:alert(1)",
            "/.//other.example",
            "/a/%2E.//other.example",
            "/runs/../experiments",
        ] {
            assert!(!valid(address), "{address}");
        }
        assert!(!valid(&format!("/{}", "x".repeat(MOST_ADDRESS))));
    }

    /// Breaks when a view without a name is saved, or a name of spaces.
    #[test]
    fn a_view_has_a_name() {
        for (name, valid) in [(" ", false), ("a\nb", false), (" Lab meeting ", true)] {
            let view = NewView {
                name: name.into(),
                address: "/".into(),
            };
            assert_eq!(view.trimmed().validate().is_empty(), valid, "{name:?}");
        }
    }
}
