//! Packed weights of inference passes, kept for the next pass with the same weights.
//!
//! Packed anew each time, the 11 million weights of ResNet18 cost a tenth of an inference pass of 16 images, and attacks pass
//! forward and back hundreds of times through weights that never change (`server/engine/PERFORMANCE.md`, section 7).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use burn::backend::Bytes;
use burn::backend::flex::FlexTensor;

use super::kernel::{PackedWeights, WeightOrder};

/// What is kept, of every network whose weights are still somebody's.
static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

struct Kept {
    /// What the weights lie in. It is the `Arc` that tells weights apart, not the address of their values: while it is referred
    /// to here nobody writes to what it holds, since burn writes in place through `Arc::make_mut` or `Arc::get_mut` alone, of
    /// which the first makes a new `Arc` of the same values, and the second refuses.
    memory: Weak<Bytes>,
    /// Where in it they begin.
    first: usize,
    order: WeightOrder,
    packed: Arc<PackedWeights>,
}

/// The weights `[channels_out, channels_in, kernel, kernel]`, contiguous, packed in `order`: those of an earlier pass where
/// they are the same memory, unchanged.
pub(super) fn packed(weights: &FlexTensor, order: WeightOrder) -> Arc<PackedWeights> {
    let (memory, first) = (weights.data_arc(), weights.layout().start_offset());
    let found = |kept: &mut Vec<Kept>| {
        forget(kept);
        let kept = kept.iter().find(|kept| {
            std::ptr::eq(kept.memory.as_ptr(), Arc::as_ptr(&memory))
                && kept.first == first
                && kept.order == order
        });
        kept.map(|kept| kept.packed.clone())
    };
    if let Some(packed) = found(&mut lock()) {
        return packed;
    }
    // Not while the list is locked: a thread that waits for others' parts takes up other tasks, which may want it.
    let values = weights.as_slice().expect("made contiguous");
    let packed = Arc::new(PackedWeights::pack(values, &order));
    let mut kept = lock();
    // Another thread may have packed the same meanwhile.
    if let Some(packed) = found(&mut kept) {
        return packed;
    }
    kept.push(Kept {
        memory: Arc::downgrade(&memory),
        first,
        order,
        packed: packed.clone(),
    });
    packed
}

/// Frees what is kept of weights that are gone; every pass does, of whatever network.
pub(super) fn forget_the_gone() {
    forget(&mut lock());
}

fn forget(kept: &mut Vec<Kept>) {
    kept.retain(|kept| kept.memory.strong_count() > 0);
}

fn lock() -> MutexGuard<'static, Vec<Kept>> {
    // What is in it is whole at any time: a panic elsewhere has spoilt nothing.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::layout::contiguous;
    use super::*;

    /// Of a kernel of two places, `[16, 2, 1, 2]`.
    fn order(rank: [Option<usize>; 2]) -> WeightOrder {
        WeightOrder {
            channels: 16,
            channel_stride: 4,
            others: 2,
            other_stride: 2,
            rank: rank.into(),
        }
    }

    const FORWARD: [Option<usize>; 2] = [Some(0), Some(1)];

    fn weights() -> FlexTensor {
        contiguous((0..64).map(|value| value as f32).collect(), [16, 2, 1, 2])
    }

    /// Breaks when weights are packed anew in each pass, or one order of them is taken for another.
    #[test]
    fn the_same_weights_are_packed_once() {
        let weights = weights();
        let forward = packed(&weights, order(FORWARD));
        let again = packed(&weights.clone(), order(FORWARD));
        assert!(Arc::ptr_eq(&forward, &again));
        // As the parts of a gradient by stride are: alike but for the places.
        let phases = [[Some(0), None], [None, Some(0)]].map(|rank| packed(&weights, order(rank)));
        assert_eq!(phases.map(|phase| phase.values()[0]), [0.0, 1.0]);
        let other = WeightOrder {
            channel_stride: 2,
            other_stride: 32,
            ..order(FORWARD)
        };
        assert_eq!(packed(&weights, other).values()[1], 2.0);
        assert_eq!(forward.values()[1], 4.0);
    }

    /// Breaks when weights that were written to in place are taken for what they were before.
    #[test]
    fn changed_weights_are_packed_anew() {
        let mut weights = weights();
        let first = |weights: &FlexTensor| packed(weights, order(FORWARD)).values()[0];
        assert_eq!(first(&weights), 0.0);
        weights.storage_mut::<f32>()[0] = 7.0;
        assert_eq!(first(&weights), 7.0);
        // Where somebody holds the old ones, they stay, and so does what is packed of them.
        let held = weights.clone();
        weights.storage_mut::<f32>()[0] = 8.0;
        assert_eq!([first(&held), first(&weights)], [7.0, 8.0]);
        // The other way to write in place is shut while what is packed is kept.
        assert!(weights.try_storage_mut::<f32>().is_none());
    }

    /// Breaks when packed weights outlive the network that they are of.
    #[test]
    fn what_is_gone_is_forgotten() {
        let weights = weights();
        let kept = Arc::downgrade(&packed(&weights, order(FORWARD)));
        forget_the_gone();
        assert_eq!(kept.strong_count(), 1);
        drop(weights);
        forget_the_gone();
        assert_eq!(kept.strong_count(), 0);
    }
}
