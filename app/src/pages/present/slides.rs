//! The order of slides, and what a key does.

use protocol::claim_figure::{ClaimFigureName, ClaimFigures};
use protocol::finding::Claim;

/// What a slide is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slide {
    /// The experiment.
    Title,
    /// All verdicts.
    Verdicts,
    /// A claim, and the figure that it is shown with; none where it has none.
    Claim(Claim, Option<ClaimFigureName>),
}

/// The slides in order: a title, the verdicts, then each claim, one figure per slide. A claim for which nothing was
/// measured has one slide that says so. Slides are numbered from 1.
pub fn slides(figures: &[ClaimFigures]) -> Vec<Slide> {
    let mut slides = vec![Slide::Title, Slide::Verdicts];
    for claim in Claim::ALL {
        let of_claim = figures.iter().filter(|entry| entry.claim == claim);
        let mut first = None;
        // A figure drawn at two scales counts once.
        let mut names: Vec<ClaimFigureName> = Vec::new();
        for figure in of_claim.flat_map(|entry| &entry.figures) {
            first = first.or(Some(figure.name));
            if !figure.picture.is_empty() && !names.contains(&figure.name) {
                names.push(figure.name);
            }
        }
        if names.is_empty() {
            slides.push(Slide::Claim(claim, first));
        }
        let names = names.into_iter();
        slides.extend(names.map(|name| Slide::Claim(claim, Some(name))));
    }
    slides
}

/// The number that an address names; the first slide where it names none of the `slides` that there are.
pub fn number_of(text: Option<&str>, slides: usize) -> usize {
    text.and_then(|text| text.parse().ok())
        .filter(|number| (1..=slides).contains(number))
        .unwrap_or(1)
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// A slide, from 1.
    Slide(usize),
    /// Back to the findings.
    Leave,
    /// Shows or hides the speaker notes.
    Notes,
    /// The other scale of a figure that has two: raw accuracy, or share of clean.
    Scale,
}

/// What a key does on a slide of `slides`; none where it is not a key of the presentation.
pub fn on_key(number: usize, slides: usize, key: &str) -> Option<Move> {
    Some(match key {
        "ArrowRight" | "ArrowDown" | "PageDown" | " " => Move::Slide((number + 1).min(slides)),
        "ArrowLeft" | "ArrowUp" | "PageUp" => Move::Slide(number.saturating_sub(1).max(1)),
        "Home" => Move::Slide(1),
        "End" => Move::Slide(slides),
        "Escape" => Move::Leave,
        "n" | "N" => Move::Notes,
        "s" | "S" => Move::Scale,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::lines::tests::lines;
    use protocol::claim_figure::{ClaimFigure, Picture};
    use protocol::measure::Scale;

    /// Broken by: a claim without a slide, slides out of the claims' order, a figure that is left out, the two scales of
    /// one figure on slides of their own, or a slide for each figure that nothing was measured for.
    #[test]
    fn slides_are_title_answer_and_figures() {
        let figure = |name, scale| ClaimFigure {
            name,
            scale: Some(scale),
            picture: Picture::Lines(lines()),
        };
        let unmeasured = |name| {
            let mut empty = lines();
            empty.series.clear();
            ClaimFigure {
                name,
                scale: None,
                picture: Picture::Lines(empty),
            }
        };
        let (fgsm, pgd) = (ClaimFigureName::FgsmEpsilon, ClaimFigureName::PgdSteps);
        let figures = ClaimFigures {
            claim: Claim::C3,
            figures: vec![
                figure(fgsm, Scale::Raw),
                figure(fgsm, Scale::ShareOfClean),
                figure(pgd, Scale::Raw),
                figure(pgd, Scale::ShareOfClean),
            ],
        };
        let (layers, differences) = (
            ClaimFigureName::DimensionLayers,
            ClaimFigureName::DimensionSelectivity,
        );
        let empty = ClaimFigures {
            claim: Claim::C4,
            figures: vec![unmeasured(layers), unmeasured(differences)],
        };
        let all = slides(&[figures, empty]);
        let expected = [
            Slide::Title,
            Slide::Verdicts,
            Slide::Claim(Claim::C1, None),
            Slide::Claim(Claim::C2, None),
            Slide::Claim(Claim::C3, Some(fgsm)),
            Slide::Claim(Claim::C3, Some(pgd)),
            Slide::Claim(Claim::C4, Some(layers)),
        ];
        assert_eq!(all[..7], expected);
        assert_eq!(all.len(), 11);
        assert_eq!(all.last(), Some(&Slide::Claim(Claim::C8, None)));
    }

    /// Broken by: a key that leads past the ends, an address that does, or typing keys that are swallowed.
    #[test]
    fn keys_stay_between_the_ends() {
        assert_eq!(on_key(1, 9, "ArrowLeft"), Some(Move::Slide(1)));
        assert_eq!(on_key(9, 9, "PageDown"), Some(Move::Slide(9)));
        assert_eq!(on_key(3, 9, "ArrowRight"), Some(Move::Slide(4)));
        assert_eq!(on_key(3, 9, " "), Some(Move::Slide(4)));
        assert_eq!(on_key(3, 9, "End"), Some(Move::Slide(9)));
        assert_eq!(on_key(3, 9, "Home"), Some(Move::Slide(1)));
        assert_eq!(on_key(3, 9, "Escape"), Some(Move::Leave));
        assert_eq!(on_key(3, 9, "n"), Some(Move::Notes));
        assert_eq!(on_key(3, 9, "Tab"), None);
        for (text, expected) in [("3", 3), ("0", 1), ("10", 1), ("x", 1)] {
            assert_eq!(number_of(Some(text), 9), expected);
        }
        assert_eq!(number_of(None, 9), 1);
    }
}
