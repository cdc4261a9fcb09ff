//! Gradients that wait for a tensor, so that the next one is added in the pass that makes it.
//!
//! A tensor with several readers (a shortcut, the next layer, a selectivity regulariser) gets a gradient from each.
//! Burn adds them up with an addition of its own each time, which costs a pass over memory and loses the
//! channels-last layout. The engine's operators look up here whether a gradient waits already, take it, and register
//! the sum. For all others burn adds as usual.

use std::cell::RefCell;
use std::collections::HashSet;

use burn::backend::autodiff::NodeId;

/// Beyond this many, old notes are dropped: that costs an addition, but never makes a sum wrong.
const REMEMBERED: usize = 4096;

thread_local! {
    static REGISTERED: RefCell<HashSet<u64>> = RefCell::default();
}

/// Notes that a gradient was registered for a node.
pub(super) fn note(node: NodeId) {
    REGISTERED.with_borrow_mut(|registered| {
        if registered.len() >= REMEMBERED {
            registered.clear();
        }
        registered.insert(node.value);
    });
}

/// Whether a gradient of these operators waits for a node; the caller then consumes it and registers the sum.
///
/// Burn keeps a leaf's gradient when it is consumed, so burn adds the gradients of leaves.
pub(super) fn waits(node: NodeId, is_leaf: bool) -> bool {
    REGISTERED.with_borrow_mut(|registered| registered.remove(&node.value)) && !is_leaf
}
