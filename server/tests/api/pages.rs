//! Pages as the server renders them.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use tower::ServiceExt;

use crate::common::{Lab, small};

/// Breaks when the server makes a page's view more than once and hands the browser the resources of the discarded views:
/// the browser then hydrates another page than it was sent, and stands still. It did so about every third time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_asks_for_everything_once() {
    let lab = Lab::open().await;
    let (_, runs) = lab.launch(&small(&[0.0], 1)).await;
    lab.wait_for_end(runs[0]).await;
    let site = server::ssr::site(lab.router.clone(), lab.folder.path().to_owned());
    let mut pending: Vec<String> = Vec::new();
    for _ in 0..40 {
        let request = Request::get(format!("/runs/{}", runs[0]));
        let request = request.body(Body::empty()).unwrap();
        let response = site.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let page = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let page = String::from_utf8(page.to_vec()).unwrap();
        let (_, resources) = page.split_once("__PENDING_RESOURCES=[").unwrap();
        let (resources, _) = resources.split_once(']').unwrap();
        pending.push(resources.to_owned());
    }
    pending.sort_unstable();
    pending.dedup();
    assert_eq!(pending.len(), 1, "{pending:?}");
    let resources = pending[0].split(',').filter(|one| !one.is_empty()).count();
    assert!(
        resources > 1,
        "no part of the page asks for anything itself"
    );
}
