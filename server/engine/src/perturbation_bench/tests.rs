use super::*;
use crate::data::SplitName;
use crate::inference::clean_performance::clean_performance;

/// A bench with two untrained networks for the built-in shapes, in files.
struct Fixture {
    bench: PerturbationBench,
    sources: Vec<BenchSource>,
    folder: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let set = test_set(&Dataset::Builtin, folder.path()).unwrap();
    let sources = [3, 4].map(|seed| {
        let config = ModelConfig {
            network: Network::ResNet8,
            classes: set.classes.len(),
            mean: set.mean,
            std: set.std,
        };
        let path = folder.path().join(format!("{seed}.safetensors"));
        weights::save(&config.init(seed, &Device::flex()), &path, &[]).unwrap();
        BenchSource {
            run_id: seed as i64,
            alpha: 0.0,
            seed,
            network: Network::ResNet8,
            weights: path,
            mean: None,
            std: None,
        }
    });
    Fixture {
        bench: PerturbationBench::new(folder.path().to_owned()),
        sources: sources.into(),
        folder,
    }
}

impl Fixture {
    fn ask(&mut self, picture: BenchPicture, change: &str) -> Result<BenchAnswer, EngineError> {
        self.bench.answer(&BenchQuestion {
            dataset: Dataset::Builtin,
            networks: self.sources.clone(),
            picture,
            change: change.into(),
            layer: None,
            unit: None,
        })
    }
}

/// The pixels of a PNG as `data:` URL, `[3, height, width]`.
fn pixels(url: &str) -> Vec<u8> {
    let text = url.strip_prefix("data:image/png;base64,").unwrap();
    let image = image::load_from_memory(&STANDARD.decode(text).unwrap()).unwrap();
    let image = image.to_rgb8();
    (0..3)
        .flat_map(|channel| image.pixels().map(move |pixel| pixel.0[channel]))
        .collect()
}

/// Breaks when an image that is not changed moves a layer, or one network's numbers are another's.
#[test]
fn nothing_moves_where_nothing_is_changed() {
    let mut fixture = fixture();
    let answer = fixture.ask(BenchPicture::Test(5), "none").unwrap();
    let set = test_set(&Dataset::Builtin, fixture.folder.path()).unwrap();
    assert_eq!(answer.image.index, Some(5));
    assert_eq!(pixels(&answer.image.url), set.images.image(5));
    assert_eq!(
        answer.image.class.as_ref(),
        Some(&set.classes[set.images.labels()[5] as usize])
    );
    for network in &answer.networks {
        assert_eq!(network.layers.len(), 7);
        assert!(
            network
                .layers
                .iter()
                .all(|layer| layer.relative == Some(0.0))
        );
        assert_eq!(
            (network.linf, network.l2, network.full_scale),
            (0.0, 0.0, 0.0)
        );
        assert!(
            network
                .classes
                .iter()
                .all(|class| class.clean == class.changed)
        );
        assert!(
            pixels(&network.change_url)
                .iter()
                .all(|&value| value == 128)
        );
        let maps = network.maps.as_ref().unwrap();
        assert_eq!(maps.clean_url, maps.changed_url);
    }
    assert_ne!(answer.networks[0].classes, answer.networks[1].classes);
    // As an evaluation sees it.
    let config = ModelConfig {
        network: Network::ResNet8,
        classes: set.classes.len(),
        mean: set.mean,
        std: set.std,
    };
    let model = weights::load(&config, &fixture.sources[0].weights, &Device::flex()).unwrap();
    let right =
        clean_performance(&model, &set.images, &[5], &Device::flex(), 1, &mut |_| true).unwrap();
    let network = &answer.networks[0];
    assert_eq!(
        right.accuracy == 1.0,
        Some(&network.clean_class) == answer.image.class.as_ref()
    );
    let probability = (-right.cross_entropy).exp();
    let true_class = network
        .classes
        .iter()
        .find(|class| Some(&class.class) == answer.image.class.as_ref());
    assert!(true_class.is_none_or(|class| (class.clean - probability).abs() < 1e-5));
}

/// Breaks when the image shown is not the one that an evaluation under the usual conditions draws.
#[test]
fn a_corruption_is_that_of_evaluations() {
    let mut fixture = fixture();
    let answer = fixture.ask(BenchPicture::Test(2), "glass_blur:4").unwrap();
    let drawn = crate::data::corrupted_image_png(
        &Dataset::Builtin,
        fixture.folder.path(),
        Corruptor::new(protocol::corruption::ParameterTable::Cifar10, 0).conditions(100),
        &[],
        protocol::Corruption::GlassBlur,
        4,
        2,
    )
    .unwrap();
    let expected = pixels(&data_url(&drawn));
    for network in &answer.networks {
        assert_eq!(pixels(&network.url), expected);
        assert!(
            network
                .layers
                .iter()
                .any(|layer| layer.relative > Some(0.0))
        );
        assert_eq!(network.full_scale, network.linf);
    }
    let clean =
        crate::data::image_png(&Dataset::Builtin, fixture.folder.path(), SplitName::Test, 2);
    assert_eq!(
        pixels(&answer.image.url),
        pixels(&data_url(&clean.unwrap()))
    );
}

/// Breaks when an attack on the bench differs from that of evaluations, when a step computed earlier differs from the attack
/// run at once, or networks' trajectories are mixed up.
#[test]
fn attacks_are_those_of_evaluations_step_by_step() {
    let mut fixture = fixture();
    let set = test_set(&Dataset::Builtin, fixture.folder.path()).unwrap();
    let device = Device::flex();
    let mut answers = Vec::new();
    // Back and forth, as a slider goes.
    for steps in [1, 4, 2] {
        let change = format!("pgd:linf:8/255:step=2/255:steps={steps}");
        answers.push((steps, fixture.ask(BenchPicture::Test(7), &change).unwrap()));
    }
    let fgsm = fixture
        .ask(BenchPicture::Test(7), "fgsm:linf:2/255")
        .unwrap();
    for (place, source) in fixture.sources.iter().enumerate() {
        let config = ModelConfig {
            network: Network::ResNet8,
            classes: set.classes.len(),
            mean: set.mean,
            std: set.std,
        };
        let model = weights::load(&config, &source.weights, &device).unwrap();
        let target = Target::new(&model, &device);
        let images = crate::inference::batch::clean_images(&set.images, &[7], &device);
        let samples = Samples::new(images, vec![set.images.labels()[7]], vec![7], 0).unwrap();
        let as_shown = |values: Vec<f32>| -> Vec<u8> {
            values
                .iter()
                .map(|value| (value * 255.0).round() as u8)
                .collect()
        };
        let ball = |epsilon: f64| Ball::new(Norm::Linf, epsilon / 255.0).unwrap();
        for (steps, answer) in &answers {
            let pgd = Pgd::new(ball(8.0), 2.0 / 255.0, *steps, Start::Clean).unwrap();
            let expected = host(pgd.perturb(&target, &samples).unwrap());
            let network = &answer.networks[place];
            assert_eq!(pixels(&network.url), as_shown(expected), "{steps} steps");
            assert!((network.full_scale - 8.0 / 255.0).abs() < 1e-9);
            assert!(network.linf <= 8.0 / 255.0 + 1e-6 && network.linf > 0.0);
        }
        let expected = Fgsm { ball: ball(2.0) }.perturb(&target, &samples).unwrap();
        assert_eq!(pixels(&fgsm.networks[place].url), as_shown(host(expected)));
    }
    assert_ne!(fgsm.networks[0].url, fgsm.networks[1].url);
}

/// Breaks when a layer's change is not the length of the difference over the clean length, a silent layer divides by 0, or
/// the unit that moved farthest is not the first.
#[test]
fn movement_of_known_responses() {
    let shapes = ["a", "b"].map(|name| LayerShape {
        name: name.into(),
        units: 2,
    });
    let changes = layer_changes(
        &shapes,
        &[vec![3.0, 4.0, 3.0, 1.0], vec![0.0, 0.0, 1.0, 0.0]],
    );
    assert_eq!(changes[0].relative, Some(0.6));
    assert_eq!(changes[1].relative, None);
    let moved = by_movement(&[3.0, 4.0, 3.5, 1.0]);
    assert_eq!(
        moved.iter().map(|unit| unit.unit).collect::<Vec<_>>(),
        [1, 0]
    );
    assert_eq!((moved[0].clean, moved[0].changed), (4.0, 1.0));
}

/// Breaks when a picture from outside is stretched, or what cannot be shown ends the process instead of being refused.
#[test]
fn pictures_from_outside_and_refusals() {
    let mut fixture = fixture();
    // Twice as wide as high: green in the middle, red at the sides.
    let wide = image::RgbImage::from_fn(128, 64, |x, _| {
        image::Rgb(if (32..96).contains(&x) {
            [0, 200, 0]
        } else {
            [200, 0, 0]
        })
    });
    let mut file = std::io::Cursor::new(Vec::new());
    wide.write_to(&mut file, image::ImageFormat::Png).unwrap();
    let picture = BenchPicture::File(STANDARD.encode(file.into_inner()));
    let answer = fixture.ask(picture, "fgsm:linf:4/255").unwrap();
    assert_eq!(
        (answer.image.index, answer.image.class.as_ref()),
        (None, None)
    );
    let seen = pixels(&answer.image.url);
    let plane = seen.len() / 3;
    assert!(seen[..plane].iter().filter(|&&red| red > 100).count() < plane / 10);
    assert!(answer.networks[0].linf > 0.0);

    let broken = BenchPicture::File(STANDARD.encode(b"no image"));
    assert!(
        fixture
            .ask(broken, "none")
            .unwrap_err()
            .to_string()
            .contains("no image")
    );
    for (index, change) in [(1_000_000, "none"), (0, "fog:9"), (0, "square:linf:1/255")] {
        fixture.ask(BenchPicture::Test(index), change).unwrap_err();
    }
    let mut question = BenchQuestion {
        dataset: Dataset::Builtin,
        networks: fixture.sources.clone(),
        picture: BenchPicture::Test(0),
        change: "none".into(),
        layer: Some("stem".into()),
        unit: Some(15),
    };
    let answer = fixture.bench.answer(&question).unwrap();
    let maps = answer.networks[0].maps.as_ref().unwrap();
    assert_eq!(
        (maps.unit.unit, maps.height, maps.width),
        (15, answer.image.height, answer.image.width)
    );
    question.unit = Some(16);
    assert!(fixture.bench.answer(&question).is_err());
    question.layer = Some("stage9".into());
    assert!(fixture.bench.answer(&question).is_err());
    question.layer = None;
    question.networks[0].weights = "nowhere".into();
    assert!(fixture.bench.answer(&question).is_err());
}
