//! Memory that is read next, asked for while something else is computed.
//!
//! A batch's maps are larger than the second-level cache, and the processor's own prefetching begins anew at every page:
//! without this, copying an image into its frame waits for memory.
#![allow(unsafe_code)]

use super::aligned::LINE;

/// Pieces of memory that are fetched into the second-level cache, some lines at a time.
#[derive(Debug)]
pub(super) struct Ahead<'a> {
    pieces: [&'a [f32]; 3],
    /// The piece, and the value in it, that is fetched next.
    next: (usize, usize),
    lines_each: usize,
}

impl<'a> Ahead<'a> {
    /// Fetches `pieces` in `calls` calls of [`Ahead::fetch`].
    pub(super) fn new(pieces: [&'a [f32]; 3], calls: usize) -> Self {
        // Moving on to the next piece takes the turn of a line.
        let lines: usize = pieces
            .iter()
            .map(|piece| piece.len().div_ceil(LINE) + 1)
            .sum();
        Ahead {
            pieces,
            next: (0, 0),
            lines_each: lines.div_ceil(calls.max(1)),
        }
    }

    /// Fetches nothing.
    pub(super) fn nothing() -> Self {
        Ahead::new([&[]; 3], 1)
    }

    /// Asks for the next lines. Changes nothing that can be computed, only when it arrives.
    #[inline(always)]
    pub(super) fn fetch(&mut self) {
        for _ in 0..self.lines_each {
            let (piece, at) = self.next;
            let Some(values) = self.pieces.get(piece) else {
                return;
            };
            match values.get(at) {
                Some(value) => {
                    fetch_line(value);
                    self.next.1 += LINE;
                }
                None => self.next = (piece + 1, 0),
            }
        }
    }
}

#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn fetch_line(value: &f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing a program can see, and faults on no address; SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(value).cast());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a call skips lines, when the last piece is not reached in the calls that were said, or when fetching goes
    /// on beyond it.
    #[test]
    fn all_pieces_are_fetched_in_the_calls_that_were_said() {
        let (long, short) = (vec![0.0; 1000], vec![0.0; 17]);
        let mut ahead = Ahead::new([&long, &[], &short], 7);
        assert_eq!(ahead.lines_each, 10, "63 + 2 lines and 3 turns");
        ahead.fetch();
        assert_eq!(ahead.next, (0, 10 * LINE));
        for _ in 1..6 {
            ahead.fetch();
        }
        assert_eq!(ahead.next, (0, 60 * LINE));
        for _ in 0..2 {
            ahead.fetch();
            assert_eq!(ahead.next, (3, 0));
        }
    }
}
