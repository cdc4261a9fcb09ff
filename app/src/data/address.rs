//! What a page shows is in its address, so that a view can be shared and survives a reload.

use std::future::Future;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{query_signal_with_options, use_navigate, use_query_map};

use crate::api::segment;

/// What the address holds under `key`.
pub fn asked(key: &'static str) -> Memo<Option<String>> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| query.get(key)))
}

/// What `read` makes of the address, which it is given as a function from key to value.
pub fn selection<T: Send + Sync + PartialEq + 'static>(
    read: impl Fn(&dyn Fn(&str) -> Option<String>) -> T + Send + Sync + 'static,
) -> Memo<T> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| read(&|key| query.get(key))))
}

/// Puts a choice into the address under `key`. What is shown without being named, `defaults`, is not named there.
pub fn setter(
    key: &'static str,
    defaults: &'static [&'static str],
) -> impl Fn(String) + Send + Sync + 'static {
    let options = NavigateOptions {
        replace: true,
        scroll: false,
        ..Default::default()
    };
    let (_, set) = query_signal_with_options::<String>(key, options);
    move |value: String| set.set((!defaults.contains(&value.as_str())).then_some(value))
}

/// A query of these parameters, with its `?`; those without a value are left out.
pub fn query<const N: usize>(parameters: [(&str, Option<String>); N]) -> String {
    let parts: Vec<String> = parameters
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", segment(&value?))))
        .collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!("?{}", parts.join("&")),
    }
}

/// Goes to an address without scrolling; the page before stays in the history unless it is to be replaced.
pub fn navigator(replace: bool) -> Callback<String> {
    let navigate = use_navigate();
    Callback::new(move |address: String| {
        let options = NavigateOptions {
            replace,
            scroll: false,
            ..Default::default()
        };
        navigate(&address, options);
    })
}

/// Asks anew when `key` changes, and hands the answer to `put`; whether an answer is waited for. What was answered first
/// is there already.
pub fn follow<K, T, F>(
    key: Memo<K>,
    read: impl Fn(K) -> F + 'static,
    put: impl Fn(T) + Copy + 'static,
) -> RwSignal<bool>
where
    K: Clone + PartialEq + Send + Sync + 'static,
    F: Future<Output = T> + 'static,
{
    let busy = RwSignal::new(false);
    Effect::new(move |last: Option<K>| {
        let wanted = key.get();
        if last.is_some_and(|last| last != wanted) {
            busy.set(true);
            let (asked, found) = (wanted.clone(), read(wanted.clone()));
            leptos::task::spawn_local(async move {
                let found = found.await;
                // An answer to what is no longer chosen, or on a page that was left, is dropped.
                if key.try_get_untracked() == Some(asked) {
                    put(found);
                    busy.set(false);
                }
            });
        }
        wanted
    });
    busy
}
