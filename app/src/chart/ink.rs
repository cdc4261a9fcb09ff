//! What colours stand for.

use crate::ui::alpha_scale;
use crate::ui::theme::Theme;

/// What a colour stands for; the theme decides the colour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ink {
    /// An alpha: its one colour on every page and figure.
    Alpha(f64),
    /// The first of two series that are not about alpha.
    First,
    /// The second of two series that are not about alpha; its shape or dash differs as well.
    Second,
    /// As strong as letters.
    Text,
    /// As quiet as an axis.
    Quiet,
    /// A colour of its own, for the light theme and the dark one.
    Own([&'static str; 2]),
}

impl Ink {
    /// The colour in `theme`, as `#rrggbb`.
    pub fn colour(self, theme: Theme) -> String {
        let colours = Colours::of(theme);
        let colour = match self {
            Ink::Alpha(alpha) => return alpha_scale::colour(alpha, theme),
            Ink::First => colours.first,
            Ink::Second => colours.second,
            Ink::Text => colours.text,
            Ink::Quiet => colours.line,
            Ink::Own([light, dark]) => match theme {
                Theme::Light => light,
                Theme::Dark => dark,
            },
        };
        colour.to_owned()
    }
}

/// A theme's colours. The same values are in the style sheet's custom properties.
#[derive(Debug, Clone, Copy)]
pub struct Colours {
    /// Letters.
    pub text: &'static str,
    /// Axis lines and ticks.
    pub line: &'static str,
    /// Grid lines.
    pub grid: &'static str,
    /// The page behind a figure.
    pub page: &'static str,
    /// [`Ink::First`].
    pub first: &'static str,
    /// [`Ink::Second`].
    pub second: &'static str,
}

impl Colours {
    /// The colours of `theme`.
    pub fn of(theme: Theme) -> Colours {
        match theme {
            Theme::Light => Colours {
                text: "#3c4247",
                line: "#8b9298",
                grid: "#e6e8ea",
                page: "#ffffff",
                first: "#0b6b74",
                second: "#7a6a00",
            },
            Theme::Dark => Colours {
                text: "#c6ccd1",
                line: "#757d84",
                grid: "#2b3035",
                page: "#171a1d",
                first: "#56c4cf",
                second: "#d3bf4a",
            },
        }
    }
}
