//! JavaScript glue for the app's WASM, by the library behind wasm-bindgen's command line.

use std::fs;
use std::path::Path;

use wasm_bindgen_cli_support::Bindgen;

use crate::BundleError;

/// Writes `app.js` and `app_bg.wasm` into `package`, unless they are newer than `wasm`.
pub fn bind(wasm: &Path, package: &Path) -> Result<(), BundleError> {
    let modified = |path: &Path| fs::metadata(path).and_then(|facts| facts.modified());
    let built = modified(wasm).map_err(BundleError::file(wasm))?;
    let fresh = ["app.js", "app_bg.wasm"]
        .iter()
        .all(|name| modified(&package.join(name)).is_ok_and(|time| time > built));
    if fresh {
        return Ok(());
    }
    let refuse = |error: &dyn std::fmt::Display| BundleError::Wasm {
        path: wasm.to_owned(),
        message: error.to_string(),
    };
    Bindgen::new()
        .input_path(wasm)
        .web(true)
        .and_then(|bindgen| {
            bindgen
                .out_name("app")
                .typescript(false)
                .remove_name_section(true)
                .remove_producers_section(true)
                .generate(package)
        })
        .map_err(|error| refuse(&format!("{error:#}")))
}
