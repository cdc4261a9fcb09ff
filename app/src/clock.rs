//! What time it is.

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
