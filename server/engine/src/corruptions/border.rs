//! What lies outside an image: which pixel of a line of `length` stands in for position `index`.

/// The edge pixel is repeated: `a a a | a b c d | d d d`.
pub(super) fn nearest(index: isize, length: usize) -> usize {
    index.clamp(0, length as isize - 1) as usize
}

/// A mirror behind the edge pixel, which is repeated: `c b a | a b c d | d c b`.
pub(super) fn reflect(index: isize, length: usize) -> usize {
    let period = 2 * length;
    let place = index.rem_euclid(period as isize) as usize;
    place.min(period - 1 - place)
}

/// A mirror on the edge pixel, which is not repeated: `d c b | a b c d | c b a` (OpenCV's `BORDER_REFLECT_101`).
pub(super) fn mirror(index: isize, length: usize) -> usize {
    if length == 1 {
        return 0;
    }
    let period = 2 * (length - 1);
    let place = index.rem_euclid(period as isize) as usize;
    place.min(period - place)
}
