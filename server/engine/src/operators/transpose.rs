//! Weights between the order of the network, where an output channel's lie together, and the orders of the inner loops, where
//! the same weight of many channels does: four by four, since one value at a time took an eighth of a training step of ResNet18
//! (`server/engine/PERFORMANCE.md`, section 7).

use std::mem::MaybeUninit;

/// Values that are moved together, of as many channels.
const TOGETHER: usize = 4;

type Square = [[f32; TOGETHER]; TOGETHER];

/// In registers, which the compiler does not find by itself.
#[cfg(target_arch = "x86_64")]
fn transposed(square: Square) -> Square {
    use std::arch::x86_64::{
        __m128, _mm_movehl_ps, _mm_movelh_ps, _mm_unpackhi_ps, _mm_unpacklo_ps,
    };

    let [a, b, c, d] = square.map(pulp::cast::<[f32; TOGETHER], __m128>);
    // SAFETY: every x86-64 processor has SSE.
    #[allow(unsafe_code)]
    let square = unsafe {
        let (low_ab, low_cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
        let (high_ab, high_cd) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
        [
            _mm_movelh_ps(low_ab, low_cd),
            _mm_movehl_ps(low_cd, low_ab),
            _mm_movelh_ps(high_ab, high_cd),
            _mm_movehl_ps(high_cd, high_ab),
        ]
    };
    square.map(pulp::cast)
}

#[cfg(not(target_arch = "x86_64"))]
fn transposed(square: Square) -> Square {
    std::array::from_fn(|row| std::array::from_fn(|column| square[column][row]))
}

fn four(values: &[f32], at: usize) -> [f32; TOGETHER] {
    let values = values[at..].first_chunk();
    *values.expect("four values lie there")
}

/// Writes `from[channel * step + place]`, for each of `channels` and each place, to `to[rows[place] + channel]`.
///
/// # Panics
/// Where one of these lies outside.
pub(super) fn channels_to_rows(
    from: &[f32],
    step: usize,
    channels: usize,
    rows: &[usize],
    to: &mut [MaybeUninit<f32>],
) {
    if step == 1 && rows.len() == 1 {
        to[rows[0]..][..channels].write_copy_of_slice(&from[..channels]);
        return;
    }
    let square_channels = channels - channels % TOGETHER;
    let (squares, left) = rows.as_chunks::<TOGETHER>();
    for channel in (0..square_channels).step_by(TOGETHER) {
        for (index, rows) in squares.iter().enumerate() {
            let place = index * TOGETHER;
            let runs = std::array::from_fn(|next| four(from, (channel + next) * step + place));
            for (row, values) in rows.iter().zip(transposed(runs)) {
                to[row + channel..][..TOGETHER].write_copy_of_slice(&values);
            }
        }
        let first = rows.len() - left.len();
        for (place, row) in (first..).zip(left) {
            let values: [f32; TOGETHER] =
                std::array::from_fn(|next| from[(channel + next) * step + place]);
            to[row + channel..][..TOGETHER].write_copy_of_slice(&values);
        }
    }
    for channel in square_channels..channels {
        for (place, row) in rows.iter().enumerate() {
            to[row + channel].write(from[channel * step + place]);
        }
    }
}

/// The way back: writes `from[rows[place] + channel]`, for each of `channels` and each place, to `to[channel * step + place]`.
///
/// # Panics
/// Where one of these lies outside.
pub(super) fn rows_to_channels(
    from: &[f32],
    rows: &[usize],
    channels: usize,
    step: usize,
    to: &mut [MaybeUninit<f32>],
) {
    let square_channels = channels - channels % TOGETHER;
    let (squares, left) = rows.as_chunks::<TOGETHER>();
    for channel in (0..square_channels).step_by(TOGETHER) {
        for (index, rows) in squares.iter().enumerate() {
            let place = index * TOGETHER;
            let runs = transposed(rows.map(|row| four(from, row + channel)));
            for (next, values) in runs.iter().enumerate() {
                let at = (channel + next) * step + place;
                to[at..][..TOGETHER].write_copy_of_slice(values);
            }
        }
        let first = rows.len() - left.len();
        for (place, row) in (first..).zip(left) {
            for next in 0..TOGETHER {
                to[(channel + next) * step + place].write(from[row + channel + next]);
            }
        }
    }
    for channel in square_channels..channels {
        for (place, row) in rows.iter().enumerate() {
            to[channel * step + place].write(from[row + channel]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a value comes to another's place, one is left out, or what is beyond the channels is written to.
    #[test]
    fn every_value_comes_to_its_place_and_back() {
        for (channels, places) in [(16, 9), (7, 5), (4, 4), (1, 1), (9, 1), (3, 144)] {
            let step = places + 3;
            let from: Vec<f32> = (0..channels * step).map(|value| value as f32).collect();
            // Rows in reverse order, with room between them.
            let rows: Vec<usize> = (0..places).rev().map(|row| row * (channels + 2)).collect();
            let mut in_rows = vec![MaybeUninit::new(-1.0); places * (channels + 2)];
            channels_to_rows(&from, step, channels, &rows, &mut in_rows);
            // SAFETY: initialised above.
            #[allow(unsafe_code)]
            let in_rows: Vec<f32> = in_rows
                .iter()
                .map(|value| unsafe { value.assume_init() })
                .collect();
            for (place, row) in rows.iter().enumerate() {
                for channel in 0..channels {
                    assert_eq!(in_rows[row + channel], from[channel * step + place]);
                }
                assert_eq!(in_rows[row + channels..][..2], [-1.0; 2]);
            }
            let mut back: Vec<_> = from.iter().map(|_| MaybeUninit::new(-1.0)).collect();
            rows_to_channels(&in_rows, &rows, channels, step, &mut back);
            for (at, (value, expected)) in back.iter().zip(&from).enumerate() {
                // SAFETY: initialised above.
                #[allow(unsafe_code)]
                let value = unsafe { value.assume_init() };
                let expected = if at % step < places { *expected } else { -1.0 };
                assert_eq!(
                    value, expected,
                    "{channels} channels, {places} places, {at}"
                );
            }
        }
    }

    /// Breaks when the channels of a kernel of one place, which lie together in both orders, are not copied as they are.
    #[test]
    fn channels_that_lie_together_are_copied() {
        let from: Vec<f32> = (0..10).map(|value| value as f32).collect();
        let mut to = vec![MaybeUninit::new(-1.0); 12];
        channels_to_rows(&from, 1, 10, &[1], &mut to);
        // SAFETY: initialised above.
        #[allow(unsafe_code)]
        let to: Vec<f32> = to
            .iter()
            .map(|value| unsafe { value.assume_init() })
            .collect();
        assert_eq!(to[1..11], from);
        assert_eq!((to[0], to[11]), (-1.0, -1.0));
    }
}
