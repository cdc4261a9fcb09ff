//! The one colour of every alpha, on every page and figure.
//!
//! Blue to violet for alpha below 0, orange to dark red above 0 (on a dark page red to pale yellow) and grey at 0. A search chose
//! the stops: the alphas of the presets are as far apart in OKLab as possible, also as people with protanopia, deuteranopia and
//! tritanopia see them. The scale is fixed, never fitted to the alphas at hand, so a colour means the same alpha everywhere.
//! It is symmetric, and symlog-like from -2 to 2: the alphas of Leavitt & Morcos (2020) are dense near 0, and ±0.05 must be
//! told from 0. Beyond ±2 it saturates.

use crate::ui::theme::Theme;

/// The scale saturates here: the largest alpha of Leavitt & Morcos (2020).
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

/// The middle of the scale, and the colours on its sides at [`PLACES`]. On a dark page all are lighter, for contrast.
struct Stops {
    negative: [Rgb; 3],
    neutral: Rgb,
    positive: [Rgb; 3],
}

/// The places of a side's colours, from the middle (0) to the end (1); about ±0.22, ±0.52 and ±2 in alpha.
const PLACES: [f64; 3] = [0.36, 0.6, 1.0];

const LIGHT: Stops = Stops {
    negative: [
        [105.0, 135.0, 240.0],
        [71.0, 45.0, 147.0],
        [52.0, 19.0, 83.0],
    ],
    neutral: [119.0; 3],
    positive: [[231.0, 116.0, 14.0], [128.0, 43.0, 21.0], [71.0, 0.0, 40.0]],
};

const DARK: Stops = Stops {
    negative: [
        [77.0, 91.0, 204.0],
        [111.0, 183.0, 255.0],
        [219.0, 218.0, 253.0],
    ],
    neutral: [134.0; 3],
    positive: [
        [199.0, 35.0, 1.0],
        [251.0, 213.0, 117.0],
        [255.0, 240.0, 178.0],
    ],
};

/// The colour of `alpha` as a CSS hexadecimal colour.
pub fn colour(alpha: f64, theme: Theme) -> String {
    let stops = match theme {
        Theme::Light => LIGHT,
        Theme::Dark => DARK,
    };
    let position = position(alpha);
    let side = if position < 0.0 {
        stops.negative
    } else {
        stops.positive
    };
    let distance = position.abs();
    let mut from = (0.0, stops.neutral);
    let mut rgb = side[2];
    for to in PLACES.into_iter().zip(side) {
        if distance <= to.0 {
            rgb = mix(from.1, to.1, (distance - from.0) / (to.0 - from.0));
            break;
        }
        from = to;
    }
    let [red, green, blue] = rgb;
    format!(
        "#{:02x}{:02x}{:02x}",
        red.round() as u8,
        green.round() as u8,
        blue.round() as u8
    )
}

/// The colour of `alpha` in both themes, as custom properties of which the style sheet picks one, so that the server's page is right in
/// either.
pub fn custom_properties(alpha: f64) -> String {
    format!(
        "--alpha-light:{};--alpha-dark:{}",
        colour(alpha, Theme::Light),
        colour(alpha, Theme::Dark)
    )
}

fn mix(from: Rgb, to: Rgb, share: f64) -> Rgb {
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::preset::{SOURCE_ALPHAS, presets};

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

    /// Broken by: two alphas of Leavitt & Morcos (2020) that share a colour, or a scale that is not monotone.
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

    /// Red, green and blue in light, 0 to 1.
    fn linear(hex: &str) -> Rgb {
        [1, 3, 5].map(|at| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        })
    }

    fn product(matrix: [Rgb; 3], vector: Rgb) -> Rgb {
        matrix.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
    }

    /// In OKLab (Ottosson 2020), in which distances are as people see them: 0.02 is about the least that is noticed.
    fn oklab(light: Rgb) -> Rgb {
        let cones = [
            [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
            [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
            [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
        ];
        let lab = [
            [0.210_454_255_3, 0.793_617_785, -0.004_072_046_8],
            [1.977_998_495_1, -2.428_592_205, 0.450_593_709_9],
            [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766],
        ];
        product(lab, product(cones, light).map(|cone| cone.max(0.0).cbrt()))
    }

    /// How a colour is seen with all cones, and without one kind of them (Machado et al. 2009, severity 1).
    const SIGHTS: [(&str, [Rgb; 3]); 4] = [
        (
            "all cones",
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        ),
        (
            "protanopia",
            [
                [0.152_286, 1.052_583, -0.204_868],
                [0.114_503, 0.786_281, 0.099_216],
                [-0.003_882, -0.048_116, 1.051_998],
            ],
        ),
        (
            "deuteranopia",
            [
                [0.367_322, 0.860_646, -0.227_968],
                [0.280_085, 0.672_501, 0.047_413],
                [-0.011_82, 0.042_94, 0.968_881],
            ],
        ),
        (
            "tritanopia",
            [
                [1.255_528, -0.076_749, -0.178_779],
                [-0.078_411, 0.930_809, 0.147_602],
                [0.004_733, 0.691_367, 0.303_9],
            ],
        ),
    ];

    /// Breaks when someone cannot tell two alphas of a preset apart, side by side. The seventeen of Leavitt & Morcos (2020) are
    /// too many for one scale; their labels tell them apart.
    #[test]
    fn the_alphas_of_a_preset_are_told_apart_by_everyone() {
        const FAR: f64 = 0.1;
        let presets = presets().into_iter().map(|preset| preset.spec.alphas);
        let study = vec![-1.0, -0.4, 0.0, 0.2, 0.4, 0.7];
        let all: Vec<Vec<f64>> = presets
            .filter(|alphas| alphas.len() < SOURCE_ALPHAS.len())
            .chain([study])
            .collect();
        assert!(all.len() >= 3);
        for alphas in all {
            for theme in [Theme::Light, Theme::Dark] {
                for (sight, matrix) in SIGHTS {
                    let seen = alphas.iter().map(|&alpha| {
                        let light = product(matrix, linear(&colour(alpha, theme)));
                        (alpha, oklab(light.map(|part| part.clamp(0.0, 1.0))))
                    });
                    let seen: Vec<(f64, Rgb)> = seen.collect();
                    for (place, (a, one)) in seen.iter().enumerate() {
                        for (b, other) in &seen[..place] {
                            let parts = one.iter().zip(other);
                            let distance = parts.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                            assert!(
                                distance >= FAR,
                                "{a} and {b} in {theme:?}, {sight}: {distance:.3}"
                            );
                        }
                    }
                }
            }
        }
    }

    /// WCAG 1.4.11 requires 3:1 for graphics. Broken by: a stop too pale for its page.
    #[test]
    fn every_colour_stands_out_from_its_page() {
        let luminance = |hex: &str| {
            let [red, green, blue] = linear(hex);
            0.2126 * red + 0.7152 * green + 0.0722 * blue
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
