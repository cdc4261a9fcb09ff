//! Memory that begins at a cache line, so that no register's load crosses two.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

use rayon::prelude::*;

/// Values of a cache line.
pub(super) const LINE: usize = 16;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A vector of values that begins at a cache line.
#[derive(Clone, Default)]
pub(super) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// Zeros.
    pub(super) fn zeros(len: usize) -> Self {
        Aligned {
            lines: vec![Line([0.0; LINE]); len.div_ceil(LINE)],
            len,
        }
    }

    /// `len` values, made in parallel: each piece of `chunk` values is zeroed and handed to `fill` with its index, by
    /// the thread that then has it in its cache.
    pub(super) fn in_chunks(
        len: usize,
        chunk: usize,
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Self {
        let fill = |index: usize, values: &mut [MaybeUninit<f32>]| {
            values.fill(MaybeUninit::new(0.0));
            // SAFETY: all of them were just written.
            let values = unsafe { &mut *(std::ptr::from_mut(values) as *mut [f32]) };
            fill(index, values);
        };
        // SAFETY: zeros are written first.
        unsafe { Self::in_unwritten_chunks(len, chunk, fill) }
    }

    /// As [`Aligned::in_chunks`], without zeros.
    ///
    /// # Safety
    /// `fill` writes every value of the piece that it is handed.
    pub(super) unsafe fn in_unwritten_chunks(
        len: usize,
        chunk: usize,
        fill: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync,
    ) -> Self {
        let count = len.div_ceil(LINE);
        let mut lines: Vec<Line> = Vec::with_capacity(count);
        let spare = &mut lines.spare_capacity_mut()[..count];
        // SAFETY: `Line` is an array of f32 without padding, and nothing of it is read before it is written.
        let values: &mut [MaybeUninit<f32>] =
            unsafe { std::slice::from_raw_parts_mut(spare.as_mut_ptr().cast(), count * LINE) };
        let (values, rest) = values.split_at_mut(len);
        rest.fill(MaybeUninit::new(0.0));
        values
            .par_chunks_mut(chunk.max(1))
            .enumerate()
            .for_each(|(index, values)| fill(index, values));
        // SAFETY: the pieces and the rest are all of `count` lines, and the caller vouches for the pieces.
        unsafe { lines.set_len(count) };
        Aligned { lines, len }
    }

    /// Makes room for `len` values; what they are is not defined, but some value they are.
    pub(super) fn resize(&mut self, len: usize) {
        let lines = len.div_ceil(LINE);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0.0; LINE]));
        }
        self.len = len;
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `Line` is an array of f32 without padding, and `len` values lie in `lines`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`; the lines are borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl std::fmt::Debug for Aligned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Aligned({} values)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a piece is left out, begins elsewhere, is not zero at first, or the length is not the one asked for.
    #[test]
    fn chunks_are_zeroed_and_filled_each_at_its_place() {
        for (len, chunk) in [(0, 5), (1, 5), (37, 5), (64, 16), (100, 1000)] {
            let filled = Aligned::in_chunks(len, chunk, |index, values| {
                assert!(values.iter().all(|&value| value == 0.0));
                for (within, value) in values.iter_mut().enumerate() {
                    *value = (index * chunk + within) as f32;
                }
            });
            let expected: Vec<f32> = (0..len).map(|at| at as f32).collect();
            assert_eq!(filled[..], expected[..]);
            assert_eq!(filled.as_ptr().align_offset(64), 0);
        }
    }
}
