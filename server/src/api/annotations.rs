//! Checks tags and notes before they are stored.

use protocol::annotation::Annotation;

use super::error::Refusal;

/// A valid annotation, without spaces around its parts.
pub(super) fn checked(annotation: Annotation) -> Result<Annotation, Refusal> {
    let annotation = annotation.trimmed();
    Refusal::if_any(annotation.validate())?;
    Ok(annotation)
}
