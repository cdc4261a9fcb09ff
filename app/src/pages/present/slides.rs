//! The order of slides, and what a key does.

use protocol::finding::Claim;

/// How many slides there are: a title, one a claim, and a table at the end.
pub const SLIDES: usize = Claim::ALL.len() + 2;

/// What a slide is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slide {
    /// The experiment.
    Title,
    /// A claim.
    Claim(Claim),
    /// All verdicts.
    Closing,
}

/// The slide of a number, from 1.
pub fn slide_of(number: usize) -> Slide {
    match number.checked_sub(2) {
        None => Slide::Title,
        Some(place) => Claim::ALL
            .get(place)
            .map_or(Slide::Closing, |claim| Slide::Claim(*claim)),
    }
}

/// The number that an address names; the first slide where it names none that there is.
pub fn number_of(text: Option<&str>) -> usize {
    text.and_then(|text| text.parse().ok())
        .filter(|number| (1..=SLIDES).contains(number))
        .unwrap_or(1)
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// A slide, from 1.
    Slide(usize),
    /// Back to the findings.
    Leave,
    /// The speaker notes, or no longer.
    Notes,
}

/// What a key does on a slide; none where it is not a key of the presentation. A space is left to buttons.
pub fn on_key(number: usize, key: &str) -> Option<Move> {
    Some(match key {
        "ArrowRight" | "ArrowDown" | "PageDown" => Move::Slide((number + 1).min(SLIDES)),
        "ArrowLeft" | "ArrowUp" | "PageUp" => Move::Slide(number.saturating_sub(1).max(1)),
        "Home" => Move::Slide(1),
        "End" => Move::Slide(SLIDES),
        "Escape" => Move::Leave,
        "n" | "N" => Move::Notes,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a claim without a slide, or slides out of the claims' order.
    #[test]
    fn slides_are_title_claims_and_table() {
        let all: Vec<Slide> = (1..=SLIDES).map(slide_of).collect();
        assert_eq!(all.first(), Some(&Slide::Title));
        assert_eq!(all.last(), Some(&Slide::Closing));
        let claims = Claim::ALL.map(Slide::Claim);
        assert_eq!(all[1..SLIDES - 1], claims);
    }

    /// Broken by: a key that leads past the ends, an address that does, or typing keys that are swallowed.
    #[test]
    fn keys_stay_between_the_ends() {
        assert_eq!(on_key(1, "ArrowLeft"), Some(Move::Slide(1)));
        assert_eq!(on_key(SLIDES, "PageDown"), Some(Move::Slide(SLIDES)));
        assert_eq!(on_key(3, "ArrowRight"), Some(Move::Slide(4)));
        assert_eq!(on_key(3, "End"), Some(Move::Slide(SLIDES)));
        assert_eq!(on_key(3, "Home"), Some(Move::Slide(1)));
        assert_eq!(on_key(3, "Escape"), Some(Move::Leave));
        assert_eq!(on_key(3, "n"), Some(Move::Notes));
        assert_eq!(on_key(3, "Tab"), None);
        for (text, expected) in [("3", 3), ("0", 1), ("99", 1), ("x", 1)] {
            assert_eq!(number_of(Some(text)), expected);
        }
        assert_eq!(number_of(None), 1);
    }
}
