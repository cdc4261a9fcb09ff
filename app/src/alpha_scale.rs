//! The one colour of every alpha, on every page and figure.
//!
//! Purple for alpha below 0, orange for alpha above 0 and grey at 0 (Brewer's PuOr, safe for the
//! common kinds of colour blindness). The scale is fixed, never fitted to the alphas at hand, so a
//! colour means the same alpha everywhere. It is symmetric, and symlog-like from -2 to 2: the
//! source's alphas are dense near 0, and ±0.05 must be told from 0. Beyond ±2 it saturates.

use crate::theme::Theme;

/// Where the scale saturates: the source's largest alpha.
pub const SATURATION: f64 = 2.0;

/// Below about this the scale is linear in alpha, above it logarithmic.
const LINEAR: f64 = 0.1;

/// Where `alpha` lies on the scale: -1 at -2 and below, 0 at 0, 1 at 2 and above.
pub fn position(alpha: f64) -> f64 {
    if alpha.is_nan() {
        return 0.0;
    }
    let stretched = (alpha.abs() / LINEAR).ln_1p() / (SATURATION / LINEAR).ln_1p();
    stretched.min(1.0).copysign(alpha)
}

type Rgb = [f64; 3];

/// The ends and the middle of the scale. On a dark page all are lighter, for contrast.
struct Stops {
    negative: [Rgb; 2],
    neutral: Rgb,
    positive: [Rgb; 2],
}

const LIGHT: Stops = Stops {
    negative: [[142.0, 126.0, 186.0], [62.0, 22.0, 118.0]],
    neutral: [112.0, 112.0, 112.0],
    positive: [[204.0, 124.0, 28.0], [146.0, 62.0, 0.0]],
};

const DARK: Stops = Stops {
    negative: [[132.0, 116.0, 190.0], [190.0, 168.0, 255.0]],
    neutral: [150.0, 150.0, 150.0],
    positive: [[196.0, 124.0, 44.0], [255.0, 184.0, 92.0]],
};

/// The colour of `alpha` as a CSS hexadecimal colour.
pub fn colour(alpha: f64, theme: Theme) -> String {
    let stops = match theme {
        Theme::Light => LIGHT,
        Theme::Dark => DARK,
    };
    let position = position(alpha);
    let [near, far] = if position < 0.0 {
        stops.negative
    } else {
        stops.positive
    };
    // The first hue stop is at a third of the way, so that even ±0.05 is no longer grey.
    const FIRST: f64 = 1.0 / 3.0;
    let distance = position.abs();
    let [red, green, blue] = if distance < FIRST {
        mix(stops.neutral, near, distance / FIRST)
    } else {
        mix(near, far, (distance - FIRST) / (1.0 - FIRST))
    };
    format!(
        "#{:02x}{:02x}{:02x}",
        red.round() as u8,
        green.round() as u8,
        blue.round() as u8
    )
}

fn mix(from: Rgb, to: Rgb, share: f64) -> Rgb {
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::preset::SOURCE_ALPHAS;

    /// Broken by: a scale that is fitted, skewed, or goes on beyond ±2.
    #[test]
    fn the_scale_is_symmetric_and_saturates() {
        assert_eq!(position(0.0), 0.0);
        assert!((position(SATURATION) - 1.0).abs() < 1e-12);
        assert_eq!(position(50.0), 1.0);
        for alpha in SOURCE_ALPHAS {
            assert_eq!(position(-alpha), -position(alpha));
        }
    }

    /// Broken by: two of the source's alphas that share a colour, or a scale that is not monotone.
    #[test]
    fn the_sources_alphas_are_told_apart() {
        for pair in SOURCE_ALPHAS.windows(2) {
            assert!(position(pair[0]) < position(pair[1]));
            for theme in [Theme::Light, Theme::Dark] {
                assert_ne!(colour(pair[0], theme), colour(pair[1], theme), "{pair:?}");
            }
        }
    }

    /// Broken by: a tint at 0, which would give the control a side.
    #[test]
    fn zero_is_neutral_grey() {
        for theme in [Theme::Light, Theme::Dark] {
            let grey = colour(0.0, theme);
            assert_eq!((&grey[1..3], &grey[3..5]), (&grey[3..5], &grey[5..7]));
            assert_eq!(grey, colour(-0.0, theme));
            assert_eq!(grey, colour(f64::NAN, theme));
        }
    }

    /// WCAG 1.4.11 asks 3:1 of graphics. Broken by: a stop too pale for the page it is on.
    #[test]
    fn every_colour_stands_out_from_its_page() {
        let luminance = |hex: &str| {
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
                if value <= 0.040_45 {
                    value / 12.92
                } else {
                    ((value + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        for (theme, page) in [(Theme::Light, "#ffffff"), (Theme::Dark, "#171a1d")] {
            for step in -40..=40 {
                let colour = colour(f64::from(step) / 20.0, theme);
                let (a, b) = (luminance(&colour), luminance(page));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 3.0, "{colour} on {page}: {contrast:.2}");
            }
        }
    }
}
