//! Hue, saturation, value: as scikit-image's `rgb2hsv` and `hsv2rgb`, each in [0, 1].

use super::picture::{Picture, to_byte};

/// Hue (a share of the full circle, 0 for grey), saturation and value of red, green and blue.
pub(super) fn to_hsv([red, green, blue]: [f64; 3]) -> [f64; 3] {
    let value = red.max(green).max(blue);
    let range = value - red.min(green).min(blue);
    if range == 0.0 {
        return [0.0, 0.0, value];
    }
    // Where two channels are the largest, the later one counts.
    let sextant = if blue == value {
        4.0 + (red - green) / range
    } else if green == value {
        2.0 + (blue - red) / range
    } else {
        (green - blue) / range
    };
    [(sextant / 6.0).rem_euclid(1.0), range / value, value]
}

/// Red, green and blue of hue, saturation and value.
pub(super) fn to_rgb([hue, saturation, value]: [f64; 3]) -> [f64; 3] {
    let sextant = (hue * 6.0).floor();
    let along = hue * 6.0 - sextant;
    let low = value * (1.0 - saturation);
    let falling = value * (1.0 - along * saturation);
    let rising = value * (1.0 - (1.0 - along) * saturation);
    match sextant as u8 % 6 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    }
}

/// The picture with every colour changed by `change`, which takes and gives hue, saturation and value.
pub(super) fn change(picture: Picture<'_>, out: &mut [u8], change: impl Fn([f64; 3]) -> [f64; 3]) {
    let area = picture.area();
    for place in 0..area {
        let unit =
            [0, 1, 2].map(|channel| f64::from(picture.pixels[channel * area + place]) / 255.0);
        let changed = to_rgb(change(to_hsv(unit)));
        for (channel, value) in changed.into_iter().enumerate() {
            out[channel * area + place] = to_byte(value);
        }
    }
}
