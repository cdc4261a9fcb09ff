//! Resizing: Pillow's box filter and OpenCV's bilinear one.

/// Bits after the point of Pillow's weights.
const WEIGHT_BITS: u32 = 22;

/// The source pixels of one target pixel, and their weights.
#[derive(Debug, Clone)]
struct Span {
    start: usize,
    weights: Vec<u32>,
}

/// The span of each of `to` pixels in `from`: all pixels within half a step of its middle, weighted evenly.
fn box_spans(from: usize, to: usize) -> Vec<Span> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let support = 0.5 * reach;
    (0..to)
        .map(|place| {
            let centre = (place as f64 + 0.5) * scale;
            let start = ((centre - support + 0.5) as usize).min(from - 1);
            let end = ((centre + support + 0.5) as usize).min(from);
            let inside: Vec<bool> = (start..end.max(start + 1))
                .map(|x| {
                    let distance = (x as f64 - centre + 0.5) / reach;
                    distance > -0.5 && distance <= 0.5
                })
                .collect();
            let count = inside.iter().filter(|&&inside| inside).count().max(1);
            let weight = (0.5 + f64::from(1 << WEIGHT_BITS) / count as f64) as u32;
            Span {
                start,
                weights: inside
                    .into_iter()
                    .map(|inside| u32::from(inside) * weight)
                    .collect(),
            }
        })
        .collect()
}

/// The weighted mean that a span takes of a line whose pixels lie `stride` apart.
fn mean(span: &Span, line: &[u8], stride: usize) -> u8 {
    let values = line[span.start * stride..].iter().step_by(stride);
    let sum: u32 = span
        .weights
        .iter()
        .zip(values)
        .map(|(weight, &value)| weight * u32::from(value))
        .sum();
    ((sum + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS).min(255) as u8
}

/// A plane's size: rows, columns.
pub(super) type Size = (usize, usize);

/// The plane of size `from` at size `to`, by Pillow's `resize(.., BOX)`: rows first, bytes in between.
pub(super) fn box_resized(plane: &[u8], from: Size, to: Size) -> Vec<u8> {
    let columns = box_spans(from.1, to.1);
    let narrow: Vec<u8> = plane
        .chunks_exact(from.1)
        .flat_map(|row| columns.iter().map(move |span| mean(span, row, 1)))
        .collect();
    let mut result = Vec::with_capacity(to.0 * to.1);
    for span in box_spans(from.0, to.0) {
        result.extend((0..to.1).map(|x| mean(&span, &narrow[x..], to.1)));
    }
    result
}

/// The plane of size `from` scaled by `factor` in both axes, by OpenCV's `resize(.., INTER_LINEAR)`: no
/// smoothing before a reduction.
pub(super) fn scaled(plane: &[u8], from: Size, factor: f64) -> (Vec<u8>, Size) {
    let to =
        [from.0, from.1].map(|length| ((length as f64 * factor).round_ties_even() as usize).max(1));
    let (rows, columns) = (
        linear_taps(from.0, to[0], factor),
        linear_taps(from.1, to[1], factor),
    );
    let mut result = Vec::with_capacity(to[0] * to[1]);
    for &(top, bottom, down) in &rows {
        for &(left, right, along) in &columns {
            let at = |y: usize, x: usize| f32::from(plane[y * from.1 + x]);
            let upper = at(top, left) * (1.0 - along) + at(top, right) * along;
            let lower = at(bottom, left) * (1.0 - along) + at(bottom, right) * along;
            result.push((upper * (1.0 - down) + lower * down).round() as u8);
        }
    }
    (result, (to[0], to[1]))
}

/// Two neighbours and the second one's share, for each of `to` pixels.
fn linear_taps(from: usize, to: usize, factor: f64) -> Vec<(usize, usize, f32)> {
    (0..to)
        .map(|place| {
            let position = ((place as f64 + 0.5) / factor - 0.5).clamp(0.0, (from - 1) as f64);
            let first = position as usize;
            (
                first,
                (first + 1).min(from - 1),
                (position - first as f64) as f32,
            )
        })
        .collect()
}
