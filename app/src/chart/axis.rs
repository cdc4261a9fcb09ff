//! What an axis measures.

/// An axis: its title with its unit, and numbers or named places along it.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Title with its unit; `<br>` breaks its line.
    pub title: String,
    /// What values are multiplied by: 100 for shares on an axis in per cent.
    pub factor: f64,
    /// Names along it in reading order, evenly spaced; numbers where there are none.
    pub places: Option<Vec<String>>,
    /// Whether the places are rows: from the top down, each with its name in full.
    pub rows: bool,
    /// Whether the names of places stand at a slant.
    pub slanted: bool,
    /// The first and the last value; the range of the values where there is none.
    pub range: Option<[f64; 2]>,
    /// Whether it begins at 0, however large the values are.
    pub from_zero: bool,
    /// Whether its ticks are at whole numbers only.
    pub whole: bool,
    /// The distance between ticks; a round one where there is none.
    pub step: Option<f64>,
    /// The least and the largest possible value; intervals are drawn no further.
    pub bounds: [f64; 2],
}

impl Default for Axis {
    fn default() -> Axis {
        Axis {
            title: String::new(),
            factor: 1.0,
            places: None,
            rows: false,
            slanted: false,
            range: None,
            from_zero: false,
            whole: false,
            step: None,
            bounds: [f64::NEG_INFINITY, f64::INFINITY],
        }
    }
}

impl Axis {
    /// Numbers, in the unit that the title says.
    pub fn numbers(title: impl Into<String>) -> Axis {
        Axis {
            title: title.into(),
            ..Axis::default()
        }
    }

    /// Shares, shown in per cent.
    pub fn percent(title: impl Into<String>) -> Axis {
        Axis {
            factor: 100.0,
            ..Axis::numbers(title)
        }
        .bounds([0.0, 1.0])
    }

    /// With the least and the largest possible value.
    pub fn bounds(self, bounds: [f64; 2]) -> Axis {
        Axis { bounds, ..self }
    }

    /// An interval within the possible values, and whether it was cut.
    pub fn cut(&self, interval: [f64; 2]) -> ([f64; 2], bool) {
        let [low, high] = self.bounds;
        let cut = interval.map(|end| end.clamp(low, high));
        (cut, cut != interval)
    }

    /// A number from 0 to 1, with the whole range in view, so that figures compare.
    pub fn unit_range(title: impl Into<String>) -> Axis {
        Axis {
            range: Some([-0.02, 1.02]),
            ..Axis::numbers(title)
        }
    }

    /// Counts.
    pub fn counts(title: impl Into<String>) -> Axis {
        Axis {
            whole: true,
            ..Axis::numbers(title)
        }
    }

    /// Epochs, from 1 to `epochs`.
    pub fn epochs(epochs: usize) -> Axis {
        Axis {
            // With few epochs, plotly's own ticks lie between them.
            step: (epochs <= 12).then_some(1.0),
            ..Axis::counts("Epoch")
        }
    }

    /// Names, evenly spaced.
    pub fn places(title: impl Into<String>, places: Vec<String>) -> Axis {
        Axis {
            places: Some(places),
            ..Axis::numbers(title)
        }
    }

    /// The layers of a network in forward order.
    pub fn layers(layers: Vec<String>) -> Axis {
        Axis {
            slanted: true,
            ..Axis::places("Layer, from input to output", layers)
        }
    }

    /// Rows from the top down.
    pub fn rows(names: Vec<String>) -> Axis {
        Axis {
            rows: true,
            ..Axis::places("", names)
        }
    }

    /// From 0 on.
    pub fn from_zero(self) -> Axis {
        Axis {
            from_zero: true,
            ..self
        }
    }

    /// With its names at a slant.
    pub fn slanted(self) -> Axis {
        Axis {
            slanted: true,
            ..self
        }
    }

    /// With ticks this far apart.
    pub fn step(self, step: f64) -> Axis {
        Axis {
            step: Some(step),
            ..self
        }
    }
}
