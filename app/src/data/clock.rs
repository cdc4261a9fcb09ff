//! What time it is.

use leptos::prelude::*;

/// Milliseconds since 1970-01-01 UTC.
#[cfg(all(feature = "hydrate", not(feature = "ssr")))]
pub fn now() -> i64 {
    js_sys::Date::now() as i64
}

/// Milliseconds since 1970-01-01 UTC.
#[cfg(not(all(feature = "hydrate", not(feature = "ssr"))))]
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// [`now`], a few times a minute while the calling component lives; 0 until the browser has taken the page over, so that the
/// server renders the same.
pub fn ticking() -> Signal<i64> {
    let time = RwSignal::new(0);
    let tick = move || {
        time.try_set(now());
    };
    Effect::new(move |_| tick());
    // The server renders once.
    #[cfg(feature = "hydrate")]
    leptos_use::use_interval_fn(tick, 10_000_u64);
    time.into()
}
