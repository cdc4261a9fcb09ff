//! What pages often do with signals.

use std::collections::BTreeSet;

use leptos::prelude::*;

/// Takes `key` into a set, or out of it.
pub fn toggle<K: Ord + Send + Sync + 'static>(set: RwSignal<BTreeSet<K>>, key: K) {
    set.update(|set| {
        if !set.remove(&key) {
            set.insert(key);
        }
    });
}

/// What `find` finds now; where it finds nothing any more, what it found last: a row that is about to disappear keeps its content. None
/// where it finds nothing from the first.
pub fn last_found<T: Clone + PartialEq + Send + Sync + 'static>(
    find: impl Fn() -> Option<T> + Send + Sync + 'static,
) -> Option<Memo<T>> {
    let first = untrack(&find)?;
    Some(Memo::new(move |last: Option<&T>| {
        find().unwrap_or_else(|| last.unwrap_or(&first).clone())
    }))
}

/// Takes over `value` where it is another one, so that figures whose data did not change are not drawn again. Does nothing on a page
/// that was left.
pub fn renew<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.try_with_untracked(|old| *old != value) == Some(true) {
        signal.set(value);
    }
}
