//! What a browser does itself when a link loads a page, and must be done here, where pages change without loading: announcing
//! the new page's title, and restoring the scroll position on going back.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// Time between two checks for the new page, in milliseconds.
#[cfg(feature = "hydrate")]
const AGAIN: u64 = 50;
/// Number of checks: ten seconds in all.
#[cfg(feature = "hydrate")]
const TRIES: u32 = 200;

/// Announces the title of each new page to screen readers. Must be inside the router.
#[component]
pub fn Announcer() -> impl IntoView {
    let path = use_location().pathname;
    let words = RwSignal::new(String::new());
    Effect::new(move |last: Option<String>| {
        let path = path.get();
        // The first page was loaded by the browser, which has announced it.
        if last.is_some_and(|last| last != path) {
            announce(words);
        }
        path
    });
    restore_positions();
    view! { <p id="announcer" class="sr-only" role="status">{words}</p> }
}

/// Announces the new page's title once it has one, and again if it changes while the page loads.
#[cfg(feature = "hydrate")]
fn announce(words: RwSignal<String>) {
    let look = move || {
        let title = document().title();
        // The old page's title goes with it, and for a while there is none.
        if !title.is_empty() && words.try_get_untracked().as_ref() != Some(&title) {
            words.try_set(title);
        }
        // Until the tries are used up.
        false
    };
    // Not within the calling effect: a value set there is shown only with the next change.
    set_timeout(
        move || again(TRIES, look),
        std::time::Duration::from_millis(AGAIN),
    );
}

#[cfg(not(feature = "hydrate"))]
fn announce(_words: RwSignal<String>) {}

/// Calls `done` at intervals until it returns true, at most `tries` times.
#[cfg(feature = "hydrate")]
fn again(tries: u32, mut done: impl FnMut() -> bool + 'static) {
    if tries > 0 && !done() {
        set_timeout(
            move || again(tries - 1, done),
            std::time::Duration::from_millis(AGAIN),
        );
    }
}

/// Remembers the scroll position of each address, and restores it on going back once the page is long enough. A browser
/// tries that at once, before the page has loaded.
#[cfg(feature = "hydrate")]
fn restore_positions() {
    use leptos::ev;
    use std::collections::HashMap;

    fn address() -> String {
        let location = window().location();
        // A document always has an address.
        location.href().unwrap_or_default()
    }
    let positions = StoredValue::new(HashMap::<String, f64>::new());
    // The restoration in progress; a newer one, or the reader's own scrolling, ends it.
    let current = StoredValue::new(0_u32);
    let under_way = StoredValue::new(false);
    let listeners = [
        window_event_listener(ev::scroll, move |_| {
            if !under_way.get_value()
                && let Ok(y) = window().scroll_y()
            {
                positions.update_value(|positions| {
                    positions.insert(address(), y);
                });
            }
        }),
        window_event_listener(ev::popstate, move |_| {
            current.update_value(|number| *number += 1);
            let number = current.get_value();
            let Some(y) = positions.with_value(|positions| positions.get(&address()).copied())
            else {
                return;
            };
            under_way.set_value(true);
            again(TRIES, move || {
                if current.try_get_value() != Some(number) {
                    return true;
                }
                window().scroll_to_with_x_and_y(0.0, y);
                let there = window().scroll_y().is_ok_and(|now| (now - y).abs() < 2.0);
                let loading = document().query_selector("[aria-busy=\"true\"].waiting");
                if there && loading.is_ok_and(|element| element.is_none()) {
                    under_way.try_set_value(false);
                    return true;
                }
                false
            });
        }),
    ];
    let own = move || {
        current.update_value(|number| *number += 1);
        under_way.set_value(false);
    };
    let moves = [
        window_event_listener(ev::wheel, move |_| own()),
        window_event_listener(ev::touchmove, move |_| own()),
        window_event_listener(ev::keydown, move |_| own()),
    ];
    on_cleanup(move || {
        for listener in listeners.into_iter().chain(moves) {
            listener.remove();
        }
    });
}

#[cfg(not(feature = "hydrate"))]
fn restore_positions() {}
