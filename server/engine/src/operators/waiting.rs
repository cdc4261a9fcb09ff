//! Gradients that wait for a tensor, so that the next one is added in the pass that makes it.
//!
//! A tensor with several readers (a shortcut, the next layer, a selectivity regulariser) gets a gradient
//! from each. Burn adds them up with an addition of its own each time, which costs a pass over memory and
//! loses the channels-last layout. Our operators ask here whether a gradient waits already, take it, and
//! register the sum. Whoever does not ask is added to by burn as ever.

use std::cell::RefCell;
use std::collections::HashSet;

use burn::backend::autodiff::NodeId;

/// Beyond so many, old notes are forgotten: that costs an addition, never a wrong sum.
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

/// Whether a gradient of ours waits for a node, which the caller then consumes and registers anew.
///
/// A leaf's gradient stays with burn when it is consumed, so that leaves are left to burn.
pub(super) fn waits(node: NodeId, is_leaf: bool) -> bool {
    REGISTERED.with_borrow_mut(|registered| registered.remove(&node.value)) && !is_leaf
}
