//! What a browser does by itself where a link loads a page, and must be done here, where pages change without one: the new
//! page's title is announced, and the way back leads to where one was on the page before.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// How often what waits for the new page looks again, in milliseconds.
#[cfg(feature = "hydrate")]
const AGAIN: u64 = 50;
/// How often it looks: ten seconds long.
#[cfg(feature = "hydrate")]
const TRIES: u32 = 200;

/// Says the title of each page that takes another's place, to those who do not see it. Must stand inside the router.
#[component]
pub fn Announcer() -> impl IntoView {
    let path = use_location().pathname;
    let words = RwSignal::new(String::new());
    let left = title_left();
    Effect::new(move |last: Option<String>| {
        let path = path.get();
        // The first page was loaded by the browser, which has announced it.
        if last.is_some_and(|last| last != path) {
            announce(words, left.get_value());
        }
        path
    });
    restore_positions();
    view! { <p id="announcer" class="sr-only" role="status">{words}</p> }
}

/// The title of the page that was left last. A click and the way back are heard here before the router hears of them: once
/// it has, the title may be the new page's, sooner or later than its address.
fn title_left() -> StoredValue<String> {
    let left = StoredValue::new(String::new());
    #[cfg(feature = "hydrate")]
    {
        use leptos::wasm_bindgen::{JsCast, closure::Closure};
        let keep = Closure::<dyn Fn()>::new(move || {
            left.try_set_value(document().title());
        });
        for event in ["click", "popstate"] {
            // It fails for no event that a window knows.
            let _ = window().add_event_listener_with_callback_and_bool(
                event,
                keep.as_ref().unchecked_ref(),
                true,
            );
        }
        // The router, and this with it, lives as long as the page.
        keep.forget();
    }
    left
}

/// Says the new page's title, once it is another than that of the page that was `left`; and again should it change while the
/// page is read.
#[cfg(feature = "hydrate")]
fn announce(words: RwSignal<String>, left: String) {
    let look = move || {
        let title = document().title();
        // Between two pages there is none.
        if !title.is_empty() && title != left && words.try_get_untracked().as_ref() != Some(&title)
        {
            words.try_set(title);
        }
        false
    };
    // Not within the effect that calls this: what is set there is shown only with the next change.
    set_timeout(
        move || again(TRIES, look),
        std::time::Duration::from_millis(AGAIN),
    );
}

#[cfg(not(feature = "hydrate"))]
fn announce(_words: RwSignal<String>, _left: String) {}

/// Calls `done` now and then until it is, at most `tries` times.
#[cfg(feature = "hydrate")]
fn again(tries: u32, mut done: impl FnMut() -> bool + 'static) {
    if tries > 0 && !done() {
        set_timeout(
            move || again(tries - 1, done),
            std::time::Duration::from_millis(AGAIN),
        );
    }
}

/// Remembers how far each address was scrolled, and goes there again on the way back once its page is long enough. A
/// browser tries that at once, when the page is still to be read.
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
    // The way back that is under way; a newer one, or the reader's own scrolling, ends it.
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
                if there && loading.is_ok_and(|found| found.is_none()) {
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
