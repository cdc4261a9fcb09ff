//! The reference of the API, drawn by Swagger UI within the dashboard's frame and theme.

use leptos::prelude::*;
use leptos_meta::{Stylesheet, Title};

/// The element that Swagger UI draws into.
const ID: &str = "api-reference";

/// The page at `/api`.
#[component]
pub fn ApiReference() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    Effect::new(|_| browser::draw());
    view! {
        <Title text="API" />
        <Stylesheet href="/api/docs/swagger-ui.css" />
        <div class="heading"><h1>"API"</h1></div>
        <p>
            "Everything that these pages show and do goes through the API under "<code>"/api/v1"</code>". "
            <a href="/api/v1/openapi.json" rel="external">"The OpenAPI document"</a>
            " describes it to programs, and this page to people."
        </p>
        <noscript><p class="notice">"The reference is drawn by a script. The OpenAPI document has the same content."</p></noscript>
        <div id=ID></div>
    }
    .into_any()
}

#[cfg(feature = "hydrate")]
mod browser {
    use js_sys::{Function, Reflect};
    use leptos::prelude::document;
    use wasm_bindgen::prelude::*;
    use web_sys::HtmlScriptElement;

    /// Draws the reference, with the script that is loaded first where it is not there yet.
    pub fn draw() {
        let loaded = Reflect::has(&js_sys::global(), &"SwaggerUIBundle".into());
        if loaded == Ok(true) {
            start();
        } else if let Err(error) = load() {
            leptos::logging::error!("the reference of the API: {error:?}");
        }
    }

    fn start() {
        let start = format!(
            "SwaggerUIBundle({{url: '/api/v1/openapi.json', dom_id: '#{}', deepLinking: true}})",
            super::ID
        );
        if let Err(error) = Function::new_no_args(&start).call0(&JsValue::NULL) {
            leptos::logging::error!("the reference of the API: {error:?}");
        }
    }

    fn load() -> Result<(), JsValue> {
        let script: HtmlScriptElement = document().create_element("script")?.dyn_into()?;
        script.set_src("/api/docs/swagger-ui-bundle.js");
        let started = Closure::once_into_js(start);
        script.set_onload(Some(started.unchecked_ref()));
        document()
            .head()
            .ok_or("the page has no head")?
            .append_child(&script)?;
        Ok(())
    }
}
