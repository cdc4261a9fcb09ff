//! The claims' figures and the report by HTTP.

use axum::http::{Method, StatusCode, header};
use protocol::claim_figure::{ClaimFigureName, ClaimFigures, Picture};
use protocol::finding::Claim;

use crate::common::{Lab, corruptions, small};

/// Breaks when a claim has no figure, a run is lost on its way into one or into the report, a name is markup in the
/// report, or what is not there is answered.
#[tokio::test]
async fn every_claim_has_its_figures_and_the_report_has_all() {
    let lab = Lab::open().await;
    let mut spec = small(&[-1.0, 1.0], 1);
    spec.name = "<script>alert(1)</script>".into();
    spec.evaluation = corruptions(20);
    let (experiment, runs) = lab.launch(&spec).await;
    for &run in &runs {
        lab.finished(run).await;
    }
    let root = format!("/experiments/{}", experiment.id);
    // On all runs: without a control, none counts within a window.
    let path = format!("{root}/claim-figures?window=100");
    let all: Vec<ClaimFigures> = lab.get(&path).await;
    let claims: Vec<Claim> = all.iter().map(|figures| figures.claim).collect();
    assert_eq!(claims, Claim::ALL);
    assert!(all.iter().all(|figures| !figures.figures.is_empty()));
    for (claim, name) in [
        ("C1", ClaimFigureName::CorruptionSelectivity),
        ("C8", ClaimFigureName::CleanSelectivity),
    ] {
        let one: Vec<ClaimFigures> = lab.get(&format!("{path}&claim={claim}")).await;
        assert_eq!((one.len(), one[0].figures[0].name), (1, name));
        // A claim's figures are the same, requested alone or with the others.
        let same = all.iter().find(|figures| figures.claim == one[0].claim);
        assert_eq!(same, Some(&one[0]));
        let Picture::Scatter(scatter) = &one[0].figures[0].picture else {
            panic!("{claim} is not against selectivity");
        };
        assert_eq!(scatter.points.len(), 2, "{claim}");
    }

    let page = lab.ask(Method::GET, &format!("{root}/report.html")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    assert!(page.headers.get(header::CONTENT_DISPOSITION).is_none());
    let text = page.text();
    assert!(text.starts_with("<!DOCTYPE html>") && !text.contains("<script"));
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for claim in Claim::ALL {
        assert!(text.contains(&format!("data-claim=\"{}\"", claim.id())));
    }
    let file = lab
        .ask(Method::GET, &format!("{root}/report.html?download=true"))
        .await;
    let disposition = file.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(disposition.starts_with("attachment"), "{disposition}");

    for (path, status) in [
        (format!("{path}&claim=C9"), StatusCode::BAD_REQUEST),
        (
            "/experiments/999/claim-figures".into(),
            StatusCode::NOT_FOUND,
        ),
        ("/experiments/999/report.html".into(), StatusCode::NOT_FOUND),
    ] {
        lab.ask(Method::GET, &path).await.refusal(status);
    }
}
