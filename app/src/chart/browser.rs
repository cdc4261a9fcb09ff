//! plotly.js in the browser: loaded once, when the first figure is to be drawn.

use std::cell::RefCell;
use std::collections::BTreeSet;

use js_sys::{Object, Promise, Reflect};
use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, HtmlDivElement, HtmlScriptElement, Url};

use super::zoom::Zoomed;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = Plotly)]
    fn react(div: &HtmlDivElement, figure: &Object) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = Plotly, js_name = downloadImage)]
    fn download_image(div: &HtmlDivElement, options: &Object) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = Plotly)]
    fn purge(div: &HtmlDivElement) -> Result<JsValue, JsValue>;

    /// An element in which plotly has drawn.
    type Drawn;

    #[wasm_bindgen(method)]
    fn on(this: &Drawn, event: &str, handler: &Closure<dyn Fn(JsValue)>);
}

/// Handlers for the runs of clicked points and of brushed points, and for zooms.
pub struct Handlers {
    clicked: Closure<dyn Fn(JsValue)>,
    brushed: Closure<dyn Fn(JsValue)>,
    zoomed: Closure<dyn Fn(JsValue)>,
    zoomed_out: Closure<dyn Fn(JsValue)>,
}

impl Handlers {
    /// `clicked` gets the run of a point, `brushed` those of all points in the rectangle, and `zoomed` what was done to the
    /// horizontal and the vertical axis.
    pub fn new(
        clicked: impl Fn(i64) + 'static,
        brushed: impl Fn(BTreeSet<i64>) + 'static,
        zoomed: impl Fn([Option<Zoomed>; 2]) + Clone + 'static,
    ) -> Handlers {
        let zoom_out = zoomed.clone();
        Handlers {
            clicked: Closure::new(move |event| {
                if let Some(run) = runs(&event).first() {
                    clicked(*run);
                }
            }),
            // When its rectangle is removed, plotly reports an empty selection.
            brushed: Closure::new(move |event| {
                let runs = runs(&event);
                if !runs.is_empty() {
                    brushed(runs);
                }
            }),
            zoomed: Closure::new(move |event: JsValue| {
                let text = js_sys::JSON::stringify(&event).ok();
                let event = text.and_then(|text| serde_json::from_str(&text.as_string()?).ok());
                let event: Value = event.unwrap_or_default();
                let axes = ["xaxis", "yaxis"].map(|axis| super::zoom::zoomed(&event, axis));
                // Another size of the window is no zoom.
                if axes != [None, None] {
                    zoomed(axes);
                }
            }),
            zoomed_out: Closure::new(move |_| zoom_out([Some(Zoomed::Out); 2])),
        }
    }

    /// Listens to what is drawn in `div`.
    pub fn listen(&self, div: &HtmlDivElement) {
        let drawn: &Drawn = div.unchecked_ref();
        drawn.on("plotly_click", &self.clicked);
        drawn.on("plotly_selected", &self.brushed);
        drawn.on("plotly_relayout", &self.zoomed);
        drawn.on("plotly_doubleclick", &self.zoomed_out);
    }
}

/// The runs of the points of a plotly event; none where a rectangle was removed.
fn runs(event: &JsValue) -> BTreeSet<i64> {
    let points = Reflect::get(event, &"points".into()).unwrap_or(JsValue::UNDEFINED);
    let points = js_sys::Array::is_array(&points).then(|| js_sys::Array::from(&points));
    let points = points
        .into_iter()
        .flat_map(|points| points.iter().collect::<Vec<_>>());
    points
        .filter_map(|point| Reflect::get(&point, &"customdata".into()).ok()?.as_f64())
        // Numbers of runs are small whole numbers.
        .map(|run| run as i64)
        .collect()
}

thread_local! {
    /// Settles when plotly.js is loaded; none until it is first needed.
    static LOADED: RefCell<Option<Promise>> = const { RefCell::new(None) };
}

async fn load() -> Result<(), JsValue> {
    let promise = LOADED.with_borrow_mut(|loaded| {
        loaded
            .get_or_insert_with(|| {
                Promise::new(&mut |resolve, reject| insert_script(resolve, reject))
            })
            .clone()
    });
    let outcome = JsFuture::from(promise).await;
    if outcome.is_err() {
        // The next figure tries again.
        LOADED.set(None);
    }
    outcome.map(drop)
}

fn insert_script(resolve: js_sys::Function, reject: js_sys::Function) {
    let insert = || -> Result<(), JsValue> {
        let script: HtmlScriptElement = document().create_element("script")?.dyn_into()?;
        script.set_src(super::PLOTLY_JS);
        script.set_onload(Some(&resolve));
        script.set_onerror(Some(&reject));
        document()
            .head()
            .ok_or("the page has no head")?
            .append_child(&script)?;
        Ok(())
    };
    if let Err(error) = insert() {
        // Calling a promise's own reject cannot fail.
        let _ = reject.call1(&JsValue::NULL, &error);
    }
}

/// Whether plotly succeeded. It returns a promise, or nothing where there was nothing to do.
async fn settled(returned: Result<JsValue, JsValue>) -> bool {
    match returned {
        Ok(value) => JsFuture::from(Promise::resolve(&value)).await.is_ok(),
        Err(_) => false,
    }
}

/// Draws `figure` in `div`, or updates it there. Returns whether that worked.
pub async fn draw(div: &HtmlDivElement, figure: &Value) -> bool {
    let Ok(figure) = js_sys::JSON::parse(&figure.to_string()) else {
        return false;
    };
    load().await.is_ok() && settled(react(div, &figure.unchecked_into())).await
}

/// Frees what plotly keeps for `div`.
pub fn forget(div: &HtmlDivElement) {
    // Fails where plotly was never loaded; then there is nothing to free.
    let _ = purge(div);
}

/// Downloads what is drawn in `div` as `format`, `svg` or `png`. A PNG has twice the pixels, for print.
pub async fn download(div: &HtmlDivElement, format: &str, name: &str) -> bool {
    let options = Object::new();
    let entries: [(&str, JsValue); 5] = [
        ("format", format.into()),
        ("filename", name.into()),
        ("width", f64::from(div.client_width()).into()),
        ("height", f64::from(div.client_height()).into()),
        ("scale", (if format == "png" { 2.0 } else { 1.0 }).into()),
    ];
    for (key, value) in entries {
        if Reflect::set(&options, &key.into(), &value).is_err() {
            return false;
        }
    }
    settled(download_image(div, &options)).await
}

/// Downloads `text` as the file `name`.
pub fn download_text(text: &str, name: &str) -> Result<(), JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type("text/csv;charset=utf-8");
    let parts = js_sys::Array::of1(&text.into());
    let blob = Blob::new_with_str_sequence_and_options(&parts, &options)?;
    let url = Url::create_object_url_with_blob(&blob)?;
    let link: HtmlAnchorElement = document().create_element("a")?.dyn_into()?;
    link.set_href(&url);
    link.set_download(name);
    link.click();
    Url::revoke_object_url(&url)
}
