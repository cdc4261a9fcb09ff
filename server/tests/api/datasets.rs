//! Data sets are described, and their images shown.

use axum::http::{Method, StatusCode, header};
use protocol::api::{DatasetInfo, DatasetStatus, DeviceInfo, FormOptions, Sample};

use crate::common::Lab;

/// Broken by: samples of the wrong class or number, a link that leads nowhere, or bytes that are no PNG
/// of the size the facts say.
#[tokio::test]
async fn samples_are_pngs_of_their_class() {
    let lab = Lab::open().await;
    let info: DatasetInfo = lab.get("/datasets/builtin").await;
    assert_eq!(info.status, DatasetStatus::Installed);
    let facts = info.facts.unwrap();
    assert_eq!(facts.classes.len(), 10);
    for split in ["train", "test"] {
        let samples: Vec<Sample> = lab
            .get(&format!(
                "/datasets/builtin/samples?split={split}&per_class=2"
            ))
            .await;
        assert_eq!(samples.len(), 20);
        for (position, sample) in samples.iter().enumerate() {
            assert_eq!(sample.class, facts.classes[sample.label as usize]);
            assert_eq!(
                samples
                    .iter()
                    .filter(|other| other.label == sample.label)
                    .count(),
                2,
                "{position}"
            );
        }
        let sample = &samples[7];
        let answer = lab
            .ask(Method::GET, sample.url.strip_prefix("/api/v1").unwrap())
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", sample.url);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "image/png");
        let image =
            image::load_from_memory_with_format(&answer.body, image::ImageFormat::Png).unwrap();
        assert_eq!((image.height(), image.width()), (facts.height, facts.width));
        let pixels = image.to_rgb8();
        assert!(
            pixels.pixels().any(|pixel| pixel != pixels.get_pixel(0, 0)),
            "{} is blank",
            sample.url
        );
    }
}

/// Broken by: a panic or a success for an image, a split or a name that is not there.
#[tokio::test]
async fn images_that_are_not_there_are_refused() {
    let lab = Lab::open().await;
    for path in [
        "builtin/images/test/9999999.png",
        "builtin/images/holiday/0.png",
        "builtin/samples?split=holiday",
        "cifar10/samples",
    ] {
        let answer = lab.ask(Method::GET, &format!("/datasets/{path}")).await;
        answer.refusal(StatusCode::UNPROCESSABLE_ENTITY);
    }
    for name in [
        "0.jpg",
        "-1.png",
        "first.png",
        ".png",
        "99999999999999999999.png",
    ] {
        let answer = lab
            .ask(
                Method::GET,
                &format!("/datasets/builtin/images/test/{name}"),
            )
            .await;
        answer.refusal(StatusCode::NOT_FOUND);
    }
    // What nobody publishes cannot be fetched; nothing is downloaded here.
    for dataset in ["builtin", "folder%3Amine"] {
        let error = lab
            .refused(
                Method::POST,
                &format!("/datasets/{dataset}/fetch"),
                StatusCode::CONFLICT,
            )
            .await;
        assert!(error.detail.contains("cannot be downloaded"), "{error:?}");
    }
}

/// Broken by: a form that offers what is not there, or lacks the CPU that is always there.
#[tokio::test]
async fn the_form_has_its_options() {
    let lab = Lab::open().await;
    let options: FormOptions = lab.get("/options").await;
    assert!(!options.presets.is_empty() && !options.networks.is_empty());
    assert!(
        options
            .datasets
            .iter()
            .any(|info| info.id == protocol::Dataset::Builtin)
    );
    let devices: Vec<DeviceInfo> = lab.get("/devices").await;
    assert_eq!(options.devices, devices);
    let cpu = devices.iter().find(|device| device.id == "cpu").unwrap();
    assert_eq!(
        (cpu.slots, cpu.running, cpu.queued, cpu.software),
        (1, 0, 0, false)
    );
}
