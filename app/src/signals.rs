//! Signals that follow what a page reads again.

use leptos::prelude::*;

/// What `find` finds now; where it finds nothing any more, what it found last: a row that is about to disappear keeps its content.
pub fn lasting<T: Clone + PartialEq + Send + Sync + 'static>(
    find: impl Fn() -> Option<T> + Send + Sync + 'static,
) -> Memo<Option<T>> {
    Memo::new(move |last: Option<&Option<T>>| find().or_else(|| last.cloned().flatten()))
}

/// Takes over `value` where it is another one, so that figures whose data did not change are not drawn again. Does nothing on a page
/// that was left.
pub fn renew<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.try_with_untracked(|old| *old != value) == Some(true) {
        signal.set(value);
    }
}
