//! plotly.js, cut out of the script tags in which the plotly crate hands it out.

use plotly::Plot;

use crate::BundleError;

const TAG: &str = "<script type=\"text/javascript\">";

/// The minified plotly.js of the plotly crate. The second script it hands out, MathJax, is left
/// out: no figure here has formulas.
pub fn plotly_js() -> Result<String, BundleError> {
    let both = Plot::offline_js_sources();
    let first = both.rfind(TAG).map(|second| &both[..second]);
    first
        .and_then(|script| script.trim().strip_prefix(TAG))
        .and_then(|script| script.strip_suffix("</script>"))
        .filter(|script| script.contains("plotly.js v"))
        .map(str::to_owned)
        .ok_or(BundleError::Plotly)
}

#[cfg(test)]
mod tests {
    /// Broken by: a plotly release that changes its script tags or their order.
    #[test]
    fn the_script_is_plotly_alone() {
        let script = super::plotly_js().unwrap();
        assert!(script.len() > 1_000_000);
        assert!(!script.contains("MathJax.loader"));
        assert!(!script.contains(super::TAG));
    }
}
