//! Light or dark. The page's style sheet follows `data-theme` on the `html` element, or the
//! system's preference without it; figures ask the same thing here.

use leptos::prelude::*;

/// The two themes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// The name in `data-theme` and in `?theme=`.
    pub fn id(self) -> &'static str {
        match self {
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The other one.
    pub fn other(self) -> Theme {
        match self {
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Light,
        }
    }
}

/// Runs in the head before anything is drawn, so that no page flashes in the wrong theme: an
/// explicit `?theme=` is remembered; otherwise what was remembered holds.
pub const SCRIPT: &str = r#"(function(){var k="theme",t=new URLSearchParams(location.search).get(k);
try{if(t==="dark"||t==="light")localStorage.setItem(k,t);else t=localStorage.getItem(k)}catch(e){}
if(t==="dark"||t==="light")document.documentElement.dataset.theme=t})()"#;

/// The theme in use, for what is drawn by script. Light until hydration.
#[derive(Debug, Clone, Copy)]
pub struct CurrentTheme(pub RwSignal<Theme>);

/// Puts [`CurrentTheme`] into context; it follows the page from hydration on.
pub fn provide_theme() {
    let current = RwSignal::new(Theme::Light);
    provide_context(CurrentTheme(current));
    let preferred_dark = leptos_use::use_preferred_dark();
    Effect::new(move |_| {
        let chosen = chosen();
        let system = if preferred_dark.get() {
            Theme::Dark
        } else {
            Theme::Light
        };
        current.set(chosen.unwrap_or(system));
    });
}

/// The theme in use; light where no page provides one.
pub fn current_theme() -> Signal<Theme> {
    match use_context::<CurrentTheme>() {
        Some(CurrentTheme(theme)) => theme.into(),
        None => Signal::stored(Theme::Light),
    }
}

/// The button that changes the theme.
#[component]
pub fn ThemeToggle() -> impl IntoView {
    let theme = use_context::<CurrentTheme>();
    let change = move |_| {
        if let Some(CurrentTheme(theme)) = theme {
            theme.update(|theme| *theme = theme.other());
            choose(theme.get_untracked());
        }
    };
    view! {
        <button type="button" class="quiet icon" on:click=change aria-label="Switch between light and dark" title="Light or dark">
            <span aria-hidden="true">"◐"</span>
        </button>
    }
}

/// The theme that was chosen for this page, if one was.
#[cfg(feature = "hydrate")]
fn chosen() -> Option<Theme> {
    let root = document().document_element()?;
    match root.get_attribute("data-theme")?.as_str() {
        "dark" => Some(Theme::Dark),
        "light" => Some(Theme::Light),
        _ => None,
    }
}

#[cfg(not(feature = "hydrate"))]
fn chosen() -> Option<Theme> {
    None
}

/// Applies and remembers a choice.
#[cfg(feature = "hydrate")]
fn choose(theme: Theme) {
    if let Some(root) = document().document_element() {
        // Both can only fail where the browser forbids them; then the choice lasts for this page.
        let _ = root.set_attribute("data-theme", theme.id());
        if let Ok(Some(storage)) = window().local_storage() {
            let _ = storage.set_item("theme", theme.id());
        }
    }
}

#[cfg(not(feature = "hydrate"))]
fn choose(_theme: Theme) {}
