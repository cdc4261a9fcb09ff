//! Single images, as PNG.

use axum::http::header;
use axum::response::IntoResponse;

use super::Refusal;

/// The index of an image from the name of its file, `<index>.png`.
pub(super) fn index_of(file: &str) -> Result<usize, Refusal> {
    file.strip_suffix(".png")
        .and_then(|index| index.parse().ok())
        .ok_or_else(|| Refusal::not_found("the name of an image must be <index>.png"))
}

/// An answer with a PNG file, which a browser may keep for an hour: an image stays as it is.
pub(super) fn png_answer(file: Vec<u8>) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, "private, max-age=3600"),
    ];
    (headers, file)
}
