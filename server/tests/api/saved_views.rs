//! Views are saved under a name, listed and deleted.

use axum::http::{Method, StatusCode};
use protocol::saved_view::SavedView;
use serde_json::json;

use crate::common::Lab;

/// Breaks when a view is lost or changed, two have one name, one leads to another site, or a deleted one is still listed.
#[tokio::test]
async fn views_are_saved_by_name() {
    let lab = Lab::open().await;
    let save = async |name: &str, address: &str| {
        let view = json!({"name": name, "address": address});
        lab.post_json("/views", view.to_string()).await
    };
    let address = "/experiments/1/robustness?corruption=fog";
    assert_eq!(
        save(" Lab meeting ", address).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        save("All", "/experiments").await.status,
        StatusCode::CREATED
    );
    let taken = save("Lab meeting", "/compare").await;
    assert_eq!(
        taken.refusal(StatusCode::CONFLICT).code.id(),
        "already_there"
    );
    let foreign = save("Elsewhere", "//other.example/").await;
    let foreign = foreign.refusal(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(foreign.fields[0].field, "address");
    let views: Vec<SavedView> = lab.get("/views").await;
    let listed: Vec<(&str, &str)> = views
        .iter()
        .map(|view| (&*view.name, &*view.address))
        .collect();
    assert_eq!(listed, [("All", "/experiments"), ("Lab meeting", address)]);
    let path = format!("/views/{}", views[1].id);
    let deleted = lab.ask(Method::DELETE, &path).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    lab.refused(Method::DELETE, &path, StatusCode::NOT_FOUND)
        .await;
    assert_eq!(lab.get::<Vec<SavedView>>("/views").await.len(), 1);
}
