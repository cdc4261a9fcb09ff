//! A page's choices are in its address: how they are written there, and answers that follow them.

use std::future::Future;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{query_signal_with_options, use_params_map, use_query_map};
use protocol::api::ApiError;
use protocol::quantity::Scale;

use crate::data::api;

/// What a select holds where the mean over all is shown, or no conditions were chosen.
pub const ALL: &str = "all";

/// The `:id` of the page's address.
pub fn use_id() -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()))
}

/// The number that an address gives as `id`; an error that says it is not the number of `what`.
pub fn number_of(id: &str, what: &str) -> Result<i64, ApiError> {
    id.parse()
        .map_err(|_| api::failure(format!("`{id}` is not the number of {what}")))
}

/// What the address holds under `key`.
pub fn chosen(key: &'static str) -> Memo<Option<String>> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| query.get(key)))
}

/// The way to an address that differs only in what is chosen on the page: no step back, and no jump.
pub fn in_place() -> NavigateOptions {
    NavigateOptions {
        replace: true,
        scroll: false,
        ..Default::default()
    }
}

/// Asks again when `key` changes, and hands the answer to `take`: not one to an older key, or on a page that was left.
pub fn ask_again<K, F>(
    key: Memo<K>,
    ask: impl Fn(K) -> F + 'static,
    take: impl Fn(F::Output) + Copy + 'static,
) where
    K: Clone + PartialEq + Send + Sync + 'static,
    F: Future + 'static,
{
    Effect::new(move |last: Option<K>| {
        let wanted = key.get();
        if last.is_some_and(|last| last != wanted) {
            let (asked, answer) = (wanted.clone(), ask(wanted.clone()));
            leptos::task::spawn_local(async move {
                let answer = answer.await;
                if key.try_get_untracked() == Some(asked) {
                    take(answer);
                }
            });
        }
        wanted
    });
}

/// Asks again when `selection` changes. Returns the error of the last answer, if any.
pub fn follow<S, T, F>(
    selection: Memo<S>,
    answer: RwSignal<T>,
    read: impl Fn(S) -> F + 'static,
) -> RwSignal<Option<ApiError>>
where
    S: Clone + PartialEq + Send + Sync + 'static,
    T: Send + Sync + 'static,
    F: Future<Output = Result<T, ApiError>> + 'static,
{
    let error = RwSignal::new(None);
    ask_again(selection, read, move |result| match result {
        Ok(value) => {
            error.set(None);
            answer.set(value);
        }
        Err(refusal) => error.set(Some(refusal)),
    });
    error
}

/// Puts a choice into the address; defaults are left out.
pub fn setter(key: &'static str) -> impl Fn(String) + Send + Sync + 'static {
    let set = query_setter(key);
    move |value: String| set((value != ALL && value != Scale::Raw.id()).then_some(value))
}

/// As [`setter`], without leaving out any choice.
pub fn naming_setter(key: &'static str) -> impl Fn(String) + Send + Sync + 'static {
    let set = query_setter(key);
    move |value| set(Some(value))
}

/// As [`setter`], with another `default`, which is left out.
pub fn setter_with_default(
    key: &'static str,
    default: &'static str,
) -> impl Fn(String) + Send + Sync + 'static {
    let set = query_setter(key);
    move |value: String| set((value != default).then_some(value))
}

fn query_setter(key: &'static str) -> impl Fn(Option<String>) + Send + Sync + 'static {
    let (_, set) = query_signal_with_options::<String>(key, in_place());
    move |value| set.set(value)
}

#[cfg(test)]
pub(crate) mod tests {
    /// Reads a query of these names and values.
    pub(crate) fn from_pairs(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |key| {
            let pair = pairs.iter().find(|(name, _)| *name == key)?;
            Some(pair.1.to_owned())
        }
    }
}
