//! A zoom into the middle of an image, bilinear, of the same size: the generator's `clipped_zoom`.

/// Where one row or column of the zoomed image reads: two neighbours of the source and the second one's share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tap {
    /// The first neighbour.
    pub first: usize,
    /// The second neighbour: the next one, or the same at the end.
    pub second: usize,
    /// Share of the second neighbour, in [0, 1).
    pub share: f64,
}

/// What an axis of `length` pixels reads when it is zoomed by `factor` (1 or more), one [`Tap`] a pixel.
///
/// The middle `ceil(length / factor)` pixels are enlarged so that their first and last one keep their
/// values, and what goes beyond `length` is cut off on both sides.
pub(super) fn taps(length: usize, factor: f64) -> Vec<Tap> {
    let crop = (length as f64 / factor).ceil() as usize;
    let start = (length - crop) / 2;
    let enlarged = ((crop as f64 * factor).round_ties_even() as usize).max(length);
    let trim = (enlarged - length) / 2;
    let step = (crop - 1) as f64 / (enlarged - 1).max(1) as f64;
    (trim..trim + length)
        .map(|place| {
            let position = (place as f64 * step).min((crop - 1) as f64);
            let first = position as usize;
            Tap {
                first: start + first,
                second: start + (first + 1).min(crop - 1),
                share: position - first as f64,
            }
        })
        .collect()
}

/// One row of a zoomed plane before its columns are zoomed: two source rows, mixed into `line`.
pub(super) fn mix_rows<T: Copy + Into<f64>>(plane: &[T], tap: Tap, line: &mut [f64]) {
    let width = line.len();
    let first = &plane[tap.first * width..][..width];
    let second = &plane[tap.second * width..][..width];
    for ((value, &a), &b) in line.iter_mut().zip(first).zip(second) {
        *value = a.into() * (1.0 - tap.share) + b.into() * tap.share;
    }
}

/// The value that a column's tap takes from a row.
pub(super) fn mix_columns(line: &[f64], tap: Tap) -> f64 {
    line[tap.first] * (1.0 - tap.share) + line[tap.second] * tap.share
}

/// The plane `[height, width]`, zoomed by `factor`.
pub(super) fn zoomed(plane: &[f64], height: usize, width: usize, factor: f64) -> Vec<f64> {
    let columns = taps(width, factor);
    let mut line = vec![0.0; width];
    let mut result = Vec::with_capacity(plane.len());
    for tap in taps(height, factor) {
        mix_rows(plane, tap, &mut line);
        result.extend(columns.iter().map(|&column| mix_columns(&line, column)));
    }
    result
}
