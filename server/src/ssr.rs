//! Pages and files: the app rendered on the server, and what the browser needs to take it over.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use app::data::api::{Backend, SharedBackend};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::{self, Next};
use leptos::prelude::{LeptosOptions, provide_context};
use leptos_axum::{LeptosRoutes, generate_route_list};
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::services::ServeDir;

/// Answers the app's requests while a page is rendered: the API's own router, called in this
/// process. One code path for browser and server, and no network between them.
struct InProcess(Router);

impl Backend for InProcess {
    fn get(
        &self,
        path: String,
    ) -> Pin<Box<dyn Future<Output = Result<(u16, Vec<u8>), String>> + Send>> {
        let api = self.0.clone();
        Box::pin(async move {
            let request = Request::get(path)
                .body(Body::empty())
                .map_err(|error| error.to_string())?;
            let response = api
                .oneshot(request)
                .await
                .map_err(|error| error.to_string())?;
            let status = response.status().as_u16();
            let body = axum::body::to_bytes(response.into_body(), usize::MAX)
                .await
                .map_err(|error| error.to_string())?;
            Ok((status, body.to_vec()))
        })
    }
}

/// The whole site: API, pages, and files of `site_root`.
pub fn site(api: Router, site_root: PathBuf) -> Router {
    let options = LeptosOptions::builder()
        .output_name("app")
        .site_root(site_root.to_string_lossy().into_owned())
        .build();
    let backend: SharedBackend = Arc::new(InProcess(api.clone()));
    let routes = generate_route_list(app::App);
    let files = ServeDir::new(&site_root)
        .precompressed_br()
        .precompressed_gzip();
    let shell_options = options.clone();
    let pages = Router::new()
        .leptos_routes_with_context(
            &options,
            routes,
            move || provide_context(backend.clone()),
            move || app::shell(shell_options.clone()),
        )
        .with_state(options);
    let fallback_pages = pages.clone();
    Router::new()
        .merge(api)
        .merge(pages)
        .fallback(move |request: Request| {
            let (files, pages) = (files.clone(), fallback_pages.clone());
            async move { file_or_page(files, pages, request).await }
        })
        .layer(CompressionLayer::new().compress_when(compressible()))
        .layer(middleware::from_fn(cache))
}

/// Compresses only text. Weights and measurements would shrink by a few percent, but lose their length and the ranges by
/// which a download goes on.
fn compressible() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("application/octet-stream"))
}

/// A file of the site, else the app's own page for what is not there.
async fn file_or_page(mut files: ServeDir, pages: Router, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    match files.try_call(request).await {
        Ok(response) if response.status() != StatusCode::NOT_FOUND => response.map(Body::new),
        Err(error) if !is_not_there(&error) => {
            tracing::error!(%error, path, "a file of the site cannot be read");
            let mut response = Response::default();
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
        _ => {
            let request = Request::get("/not-found").body(Body::empty());
            let page = match request {
                Ok(request) if !path.starts_with("/pkg/") => pages.oneshot(request).await.ok(),
                _ => None,
            };
            let mut response = page.unwrap_or_default();
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

/// Whether no file can have that path, or none that may be served.
fn is_not_there(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    matches!(
        error.kind(),
        InvalidFilename | NotADirectory | NotFound | PermissionDenied
    )
}

/// Files that carry their version in the address are kept for good; everything else is asked for anew.
async fn cache(request: Request, next: Next) -> Response<Body> {
    let versioned = request.uri().path().starts_with("/pkg/")
        && request
            .uri()
            .query()
            .is_some_and(|query| query.starts_with("v="));
    let mut response = next.run(request).await;
    let policy = if versioned && response.status().is_success() {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static(policy));
    response
}
