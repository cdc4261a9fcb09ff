//! Attacks compared with independent implementations, on one trained ResNet20 and 200 CIFAR-10 test images
//! (`reference/` and `data/` of the shared folder beside the repository, or of `SELECTIVITY_LAB_SHARED`). Where the
//! folder is not there each test says `skipped`.

mod common;

use std::sync::OnceLock;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use engine::attacks::masking::{self, Verdict, check_masking};
use engine::attacks::{
    Apgd, Attack, AttackError, AttackOutcome, Ball, Budget, Ensemble, EnsembleOutcome, Fab, Fgsm,
    FgsmSweep, Norm, Objective, Pgd, PgdTrajectory, STANDARD, Samples, Square, Start, Target, Work,
    run, run_series,
};
use engine::data::ImageSet;
use engine::networks::Model;

fn subject() -> Option<&'static (Model, ImageSet)> {
    static SUBJECT: OnceLock<Option<(Model, ImageSet)>> = OnceLock::new();
    SUBJECT
        .get_or_init(|| common::shared().map(|shared| common::subject(&shared)))
        .as_ref()
}

/// The first `images` of the set, `batch_size` at once.
fn first(set: &ImageSet, images: usize, batch_size: usize) -> Work<'_> {
    static INDICES: OnceLock<Vec<usize>> = OnceLock::new();
    Work {
        set,
        indices: &INDICES.get_or_init(|| (0..1000).collect())[..images],
        batch_size,
        seed: 0,
    }
}

fn whole(set: &ImageSet) -> Work<'_> {
    first(set, set.len(), 200)
}

fn attacked(attack: &dyn Attack, target: &Target, work: &Work) -> AttackOutcome {
    let start = std::time::Instant::now();
    let outcome = run(attack, target, work, &mut |_| true).unwrap();
    println!(
        "{} ({}): {:.3}; {:?}, {:.1} s",
        outcome.attack,
        outcome.description,
        outcome.accuracy(),
        outcome.passes,
        start.elapsed().as_secs_f64()
    );
    outcome
}

fn linf(in_255ths: f64) -> Ball {
    Ball::new(Norm::Linf, in_255ths / 255.0).unwrap()
}

/// Every parameter and every running statistic of a network.
fn state(model: &Model) -> Vec<Vec<f32>> {
    #[derive(Default)]
    struct Collect(Vec<Vec<f32>>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let data = param.val().into_data();
            self.0.push(data.convert::<f32>().try_into_vec().unwrap());
        }
    }
    let mut collect = Collect::default();
    model.visit(&mut collect);
    collect.0
}

/// Breaks when FGSM or PGD differ from the method's: sign, order of step and projection, start, loss, or
/// batch statistics in the batch norms.
#[test]
fn fgsm_and_pgd_agree_with_the_independent_reference() {
    let (Some(shared), Some((model, set))) = (common::shared(), subject()) else {
        return;
    };
    let expected = common::json(&shared, "expected.json");
    let target = Target::new(model, &Device::flex());
    let work = whole(set);
    let within_one = |name: &str, accuracy: f64| {
        let reference = expected[name].as_f64().unwrap();
        println!("{name}: {accuracy:.3}, reference {reference:.3}");
        assert!((accuracy - reference).abs() < 1.5 / 200.0, "{name}");
    };

    let scales = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
    let sweep = FgsmSweep::new(Norm::Linf, &scales.map(|scale| scale / 255.0)).unwrap();
    let mut images = Vec::new();
    let outcomes = run_series(&sweep, &target, &work, &mut |point, progress| {
        if point == 3 {
            let first = progress.adversarial.clone().narrow(0, 0, 16);
            images = first.into_data().try_into_vec::<f32>().unwrap();
        }
        true
    })
    .unwrap();
    for (scale, outcome) in scales.iter().zip(&outcomes) {
        within_one(&format!("fgsm.eps={scale}/255"), outcome.accuracy());
    }
    within_one("clean.accuracy", outcomes[0].clean_accuracy());
    let single = attacked(&Fgsm { ball: linf(1.0) }, &target, &work);
    assert!((single.accuracy() - outcomes[2].accuracy()).abs() < 1.5 / 200.0);

    let (_, reference) = &common::arrays(&shared)["fgsm.eps=2/255.images"];
    assert_eq!(images.len(), reference.len());
    let equal = images
        .iter()
        .zip(reference)
        .filter(|(a, b)| (*a - *b).abs() < 1e-6)
        .count();
    let share = equal as f64 / reference.len() as f64;
    println!("fgsm.eps=2/255.images: {share:.5} of the values are equal");
    assert!(share >= 0.995);

    let pgd = Pgd::new(linf(8.0), 0.5 / 255.0, 40, Start::Clean).unwrap();
    let trajectory = PgdTrajectory::new(pgd, &[1, 2, 5, 10, 20, 40]).unwrap();
    let start = std::time::Instant::now();
    let outcomes = run_series(&trajectory, &target, &work, &mut |_, _| true).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "pgd: {:.0} gradient steps x images a second",
        outcomes[0].passes.backward as f64 / seconds
    );
    for (steps, outcome) in trajectory.stops().iter().zip(&outcomes) {
        let name = format!("pgd.eps=8/255.step=0.5/255.steps={steps}");
        within_one(&name, outcome.accuracy());
    }
}

/// Every kind of attack with hardly any budget.
fn small_attacks(ball: Ball) -> Vec<Box<dyn Attack>> {
    let step = (ball.epsilon() / 2.0).max(1e-9);
    let restarts = Start::Random { restarts: 2 };
    let towards = Objective::TargetedDlr { targets: 2 };
    let mut attacks: Vec<Box<dyn Attack>> = vec![
        Box::new(Fgsm { ball }),
        Box::new(Pgd::new(ball, step, 2, restarts).unwrap()),
        Box::new(Apgd::new(ball, 4, Objective::CrossEntropy, 1).unwrap()),
        Box::new(Apgd::new(ball, 3, Objective::Dlr, 2).unwrap()),
        Box::new(Apgd::new(ball, 3, towards, 1).unwrap()),
        Box::new(Fab::new(ball, 3, 2, 2).unwrap()),
    ];
    if ball.norm() == Norm::Linf {
        attacks.push(Box::new(Square::new(ball, 10).unwrap()));
    }
    attacks
}

/// Breaks when an attack writes to the network (batch norm's running statistics above all, which a network
/// on a device with autodiff updates unless it is frozen), or leaves its ball or [0, 1], in either norm.
#[test]
fn attacks_stay_inside_and_leave_the_network_as_it_was() {
    let Some((model, set)) = subject() else {
        return;
    };
    for model in [model.clone(), model.valid().train().unfreeze()] {
        let before = state(&model);
        // 19 convolutions, batch norms of 4 vectors each, a linear layer of 2.
        assert_eq!(
            before.len(),
            19 * 5 + 2,
            "running statistics are among them"
        );
        let target = Target::new(&model, &Device::flex());
        for ball in [linf(1.0), Ball::new(Norm::L2, 0.1).unwrap(), linf(0.0)] {
            for attack in small_attacks(ball) {
                let outcome = attacked(&*attack, &target, &first(set, 12, 8));
                let sizes = match ball.norm() {
                    Norm::Linf => &outcome.linf,
                    Norm::L2 => &outcome.l2,
                };
                assert!(sizes.iter().all(|&size| ball.holds(size)));
                assert!(outcome.accuracy() <= outcome.clean_accuracy());
                if ball.epsilon() == 0.0 {
                    assert_eq!(outcome.accuracy(), outcome.clean_accuracy());
                } else {
                    assert!(sizes.iter().any(|&size| size > ball.epsilon() / 2.0));
                }
            }
        }
        assert!(state(&model) == before, "bit by bit");
    }
}

/// Breaks when a result depends on how images are cut into batches, or on how many threads compute it.
#[test]
fn results_depend_neither_on_batches_nor_on_threads() {
    let Some((model, set)) = subject() else {
        return;
    };
    let results = |batch_size: usize, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let target = Target::new(model, &Device::flex());
            small_attacks(linf(1.0))
                .iter()
                .map(|attack| attacked(&**attack, &target, &first(set, 200, batch_size)))
                .collect::<Vec<AttackOutcome>>()
        })
    };
    let known = results(200, 2);
    assert!(known == results(50, 2), "batches of 50");
    assert!(known == results(50, 1), "one thread");
}

/// The accuracy that the independent implementation found on the 200 images.
fn reference_accuracy(shared: &std::path::Path, keys: &[&str]) -> f64 {
    let attacks = common::json(shared, "attacks.json");
    let accuracy = keys.iter().fold(&attacks, |value, key| &value[key]);
    accuracy.as_f64().unwrap()
}

/// Fails when, of 200 images, over 3 more are still right than after the reference attack.
fn at_most_3_weaker(shared: &std::path::Path, keys: &[&str], accuracy: f64) {
    let reference = reference_accuracy(shared, keys);
    println!(
        "    {}: {accuracy:.3}, others {reference:.3}",
        keys.join(", ")
    );
    assert!(
        accuracy <= reference + 3.5 / 200.0,
        "{keys:?}: {accuracy} {reference}"
    );
}

/// Fails when, of 200 images, over 3 more or over 3 fewer are still right than after the reference attack of the same
/// budget: an attack that finds much more leaves its ball, or spends more than stated.
fn within_3(shared: &std::path::Path, keys: &[&str], accuracy: f64) {
    at_most_3_weaker(shared, keys, accuracy);
    let reference = reference_accuracy(shared, keys);
    assert!(
        accuracy >= reference - 3.5 / 200.0,
        "{keys:?}: {accuracy} {reference}"
    );
}

fn attacked_by_all(ensemble: &Ensemble, target: &Target, work: &Work) -> EnsembleOutcome {
    let start = std::time::Instant::now();
    let outcome = ensemble.run(target, work, &mut |_| true).unwrap();
    for member in &outcome.members {
        println!(
            "after {} ({}): {:.3}; {:?}",
            member.attack,
            member.description,
            member.accuracy(),
            member.passes
        );
    }
    println!("    {:.1} s", start.elapsed().as_secs_f64());
    outcome
}

/// Breaks when an attack finds less than the reference implementation: by a wrong loss, step, schedule, projection or start.
///
/// To save time, APGD-T and the ensemble have far *less* than the reference budget here, and must still be no weaker;
/// Square alone is tried at one radius. `published_budgets_find_what_others_find` spends the full budget.
#[test]
fn others_code_finds_hardly_more() {
    let (Some(shared), Some((model, set))) = (common::shared(), subject()) else {
        return;
    };
    let target = Target::new(model, &Device::flex());
    let work = whole(set);
    let l2 = Ball::new(Norm::L2, 0.25).unwrap();
    let pgd = Pgd::new(l2, 0.05, 40, Start::Clean).unwrap();
    let accuracy = attacked(&pgd, &target, &work).accuracy();
    at_most_3_weaker(&shared, &["pgd-l2 eps=0.25 step=0.05 steps=40"], accuracy);

    for (scale, name) in [(0.5, "linf eps=0.5/255"), (1.0, "linf eps=1/255")] {
        let ball = linf(scale);
        let compare =
            |attack: &str, accuracy: f64| at_most_3_weaker(&shared, &[name, attack], accuracy);
        let one = Start::Random { restarts: 1 };
        let pgd = Pgd::new(ball, ball.epsilon() / 8.0, 40, one).unwrap();
        compare(
            "pgd-40-random-start",
            attacked(&pgd, &target, &work).accuracy(),
        );
        if scale == 1.0 {
            let square = Square::new(ball, 1000).unwrap();
            compare("square", attacked(&square, &target, &work).accuracy());
        }

        let towards = Objective::TargetedDlr { targets: 9 };
        let small = Ensemble::new(vec![
            Box::new(Apgd::new(ball, 50, Objective::CrossEntropy, 1).unwrap()),
            Box::new(Apgd::new(ball, 10, towards, 1).unwrap()),
            Box::new(Fab::new(ball, 4, 9, 1).unwrap()),
            Box::new(Square::new(ball, 50).unwrap()),
        ])
        .unwrap();
        let outcome = attacked_by_all(&small, &target, &work);
        let left: Vec<f64> = outcome
            .members
            .iter()
            .map(AttackOutcome::accuracy)
            .collect();
        assert!(left.is_sorted_by(|a, b| a >= b), "{left:?}");
        compare("apgd-ce", left[0]);
        compare("apgd-dlr-targeted", left[1]);
        compare("autoattack-standard", left[3]);
        assert_eq!(outcome.overall.accuracy(), left[3]);
        let broken = outcome
            .overall
            .robust
            .iter()
            .filter(|&&robust| !robust)
            .count();
        let wrong = outcome
            .overall
            .predictions
            .iter()
            .zip(&outcome.overall.labels)
            .filter(|(prediction, label)| **prediction != Some(**label))
            .count();
        assert_eq!(broken, wrong, "each broken image has a wrong prediction");
    }
}

/// The same with the published budgets, FAB alone too. Takes half an hour on two cores:
/// `cargo test --test attacks -- --ignored --nocapture`.
#[test]
#[ignore = "takes half an hour; the budgets of AutoAttack's standard version"]
fn published_budgets_find_what_others_find() {
    let (Some(shared), Some((model, set))) = (common::shared(), subject()) else {
        return;
    };
    let target = Target::new(model, &Device::flex());
    let work = whole(set);
    for (scale, name) in [(1.0, "linf eps=1/255"), (0.5, "linf eps=0.5/255")] {
        let ball = linf(scale);
        let compare = |attack: &str, accuracy: f64| within_3(&shared, &[name, attack], accuracy);
        let standard = Ensemble::standard(ball, STANDARD).unwrap();
        let outcome = attacked_by_all(&standard, &target, &work);
        compare("autoattack-standard", outcome.overall.accuracy());
        let towards = Objective::TargetedDlr { targets: 9 };
        let targeted = Apgd::new(ball, 50, towards, 1).unwrap();
        compare(
            "apgd-dlr-targeted",
            attacked(&targeted, &target, &work).accuracy(),
        );
        let square = Square::new(ball, 1000).unwrap();
        compare("square", attacked(&square, &target, &work).accuracy());
        let fab = Fab::new(ball, 100, 9, 1).unwrap();
        // FAB alone must come close to the four attacks together, and cannot find more.
        let alone = attacked(&fab, &target, &work).accuracy();
        at_most_3_weaker(&shared, &[name, "autoattack-standard"], alone);
        assert!(alone >= outcome.overall.accuracy() - 3.5 / 200.0);
    }
}

/// Breaks when the distances at which FAB finds images to fall are not those of its images, or disagree with
/// attacks in a ball: an image that falls at a distance is not robust beyond it.
#[test]
fn the_nearest_images_are_as_near_as_said() {
    let Some((model, set)) = subject() else {
        return;
    };
    let target = Target::new(model, &Device::flex());
    let indices: Vec<usize> = (0..30).collect();
    let clean = engine::inference::batch::clean_images(set, &indices, &Device::flex());
    let labels = set.labels()[..30].to_vec();
    let samples = Samples::new(clean.clone(), labels.clone(), indices, 0).unwrap();
    let values = |images: Tensor<4>| images.into_data().try_into_vec::<f32>().unwrap();
    for norm in [Norm::Linf, Norm::L2] {
        let fab = Fab::new(Ball::new(norm, 0.0).unwrap(), 10, 3, 1).unwrap();
        let nearest = fab.nearest(&target, &samples).unwrap();
        let right = target.logits(clean.clone()).unwrap();
        let fallen = target.logits(nearest.images.clone()).unwrap();
        let (from, to) = (values(clean.clone()), values(nearest.images));
        for (row, distance) in nearest.distances.iter().enumerate() {
            let distance = distance.expect("found with a few steps");
            assert_ne!(fallen.prediction(row), Some(labels[row]));
            let part = row * set.image_len()..(row + 1) * set.image_len();
            assert_eq!(
                engine::attacks::distance(norm, &from[part.clone()], &to[part]),
                distance
            );
            assert_eq!(distance == 0.0, right.prediction(row) != Some(labels[row]));
        }
        let mut sorted: Vec<f64> = nearest.distances.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        println!(
            "{}: the median image falls at {:.5}",
            norm.label(),
            sorted[15]
        );
    }
}

/// Breaks when the checks for gradient masking find what is not there, or miss a network whose gradients are
/// gone (its logits are no differentiable function any more) or vanish (its softmax is saturated).
#[test]
fn masked_gradients_are_found_and_only_those() {
    let Some((model, set)) = subject() else {
        return;
    };
    let device = Device::flex();
    let work = first(set, 60, 60);
    let plan = masking::Plan {
        ball: linf(1.0),
        steps: 8,
        queries: 100,
        restarts: 2,
    };
    let report = |target: &Target| {
        let report = check_masking(target, &work, &plan, &mut |_| true).unwrap();
        println!("{}", report.summary());
        for check in &report.checks {
            println!("    {}: {:?}", check.name, check.verdict);
            for evidence in &check.evidence {
                println!("        {}: {:.3}", evidence.what, evidence.share);
            }
        }
        report
    };
    let honest = report(&Target::new(model, &device));
    assert_eq!(honest.verdict(), Verdict::Sound);
    assert_eq!(honest.summary(), "no sign of masking");
    assert_eq!(honest.checks.len(), 7);

    let frozen = model.valid().freeze().train();
    let gone = Target::from_function(10, &device, |images| frozen.forward(images).detach());
    let saturated = Target::from_function(10, &device, |images| frozen.forward(images) * 1e3);
    for (target, least) in [
        (gone, &["gradients", "unbounded", "black-box"][..]),
        (saturated, &["gradients", "unbounded"]),
    ] {
        let masked = report(&target);
        assert_eq!(masked.verdict(), Verdict::Suspicious);
        for name in least {
            assert!(
                masked.suspicious().any(|check| check.name == *name),
                "{name}"
            );
        }
    }
}

/// An attack that does not keep to its ball, or to images.
struct Wild {
    change: f64,
}

impl Attack for Wild {
    fn name(&self) -> &'static str {
        "wild"
    }

    fn description(&self) -> String {
        String::new()
    }

    fn ball(&self) -> Ball {
        linf(1.0)
    }

    fn perturb(&self, _: &Target, samples: &Samples) -> Result<Tensor<4>, AttackError> {
        Ok(samples.images().clone().mul_scalar(1.0 - self.change))
    }

    fn with_epsilon_zero(&self) -> Box<dyn Attack> {
        Box::new(Wild { change: 0.0 })
    }
}

/// Breaks when bad input or a wrong attack gives a number or a panic instead of an error.
#[test]
fn what_cannot_be_measured_is_refused() {
    let device = Device::flex();
    let pixels = (0..6 * 192).map(|i| (i * 7919 % 256) as u8).collect();
    let set = ImageSet::new(pixels, vec![0, 1, 2, 0, 1, 2], 8, 8).unwrap();
    // The sums of three stretches of pixels.
    let sums = |classes: usize| {
        Target::from_function(classes, &device, move |images| {
            let batch = images.dims()[0];
            let parts = images.reshape([batch, 64, 3]).sum_dim(1);
            parts.reshape([batch, 3]).narrow(1, 0, classes)
        })
    };
    let work = first(&set, 6, 4);
    let refused = |attack: &dyn Attack, target: &Target, work: &Work| {
        run(attack, target, work, &mut |_| true).unwrap_err()
    };
    let fgsm = Fgsm { ball: linf(1.0) };
    let none = Work {
        batch_size: 0,
        ..work
    };
    let error = refused(&fgsm, &sums(3), &none);
    assert!(matches!(error, AttackError::Parameter { .. }), "{error}");
    let beyond = Work {
        indices: &[1, 6],
        ..work
    };
    let error = refused(&fgsm, &sums(3), &beyond);
    assert_eq!(
        error,
        AttackError::Index {
            index: 6,
            images: 6
        }
    );
    let error = refused(&fgsm, &sums(2), &work);
    assert!(
        matches!(error, AttackError::Label { label: 2, .. }),
        "{error}"
    );

    let right = run(&fgsm, &sums(3), &work, &mut |_| true).unwrap();
    assert!(right.clean_accuracy() > 0.0, "there is something to attack");
    let towards = Objective::TargetedDlr { targets: 9 };
    let targeted = Apgd::new(linf(1.0), 2, towards, 1).unwrap();
    let error = refused(&targeted, &sums(3), &work);
    assert!(
        matches!(error, AttackError::TooFewClasses { needed: 4, .. }),
        "{error}"
    );
    let error = refused(&Wild { change: 0.1 }, &sums(3), &work);
    assert!(matches!(error, AttackError::OutsideBall { .. }), "{error}");
    for change in [-1.0, f64::NAN] {
        let error = refused(&Wild { change }, &sums(3), &work);
        assert!(
            matches!(error, AttackError::OutsideImages { .. }),
            "{error}"
        );
    }

    let cancelled = run(&fgsm, &sums(3), &work, &mut |_| false);
    assert_eq!(cancelled, Err(AttackError::Cancelled));
    let pgd = Pgd::new(linf(1.0), 0.001, 1000, Start::Clean).unwrap();
    let watched = sums(3).watched(|passes| passes.backward < 20);
    assert_eq!(
        run(&pgd, &watched, &work, &mut |_| true),
        Err(AttackError::Cancelled)
    );
    for (step, steps) in [(0.0, 1), (f64::NAN, 1), (0.1, 0)] {
        assert!(Pgd::new(linf(1.0), step, steps, Start::Clean).is_err());
    }
    assert!(PgdTrajectory::new(pgd, &[]).is_err());
    assert!(PgdTrajectory::new(pgd, &[3, 0]).is_err());
    assert!(FgsmSweep::new(Norm::Linf, &[0.1, -0.1]).is_err());
    let nothing = Budget {
        queries: 0,
        ..STANDARD
    };
    assert!(Ensemble::standard(linf(1.0), nothing).is_err());
    let empty = run(&fgsm, &sums(3), &first(&set, 0, 4), &mut |_| true).unwrap();
    assert_eq!(empty.accuracy(), 0.0);
}

/// An attack that keeps to its ball, and changes images by a share of epsilon that a test chooses.
struct Shift {
    epsilon: f64,
    /// The share of epsilon that is subtracted from every value, by the number of images in the batch.
    share: fn(usize) -> f64,
    /// The change it makes when its radius is 0.
    at_zero: f64,
}

impl Attack for Shift {
    fn name(&self) -> &'static str {
        "shift"
    }

    fn description(&self) -> String {
        String::new()
    }

    fn ball(&self) -> Ball {
        Ball::new(Norm::Linf, self.epsilon).unwrap()
    }

    fn perturb(&self, _: &Target, samples: &Samples) -> Result<Tensor<4>, AttackError> {
        let change = self.epsilon * (self.share)(samples.len());
        Ok((samples.images().clone() - change).clamp(0.0, 1.0))
    }

    fn with_epsilon_zero(&self) -> Box<dyn Attack> {
        Box::new(Shift {
            epsilon: self.at_zero,
            ..*self
        })
    }
}

/// Breaks when an evaluation goes on though an attack of radius 0 changes a class, an image's answer depends on its
/// batch, or logits or gradients are not numbers, or does not say which attack and image and by how much.
#[test]
fn a_breach_ends_the_evaluation() {
    let device = Device::flex();
    // 127 divides no image's 192 values, so that no two images have the same mean.
    let pixels = (0..20 * 192).map(|i| (64 + i * 7919 % 127) as u8).collect();
    let set = ImageSet::new(pixels, vec![0; 20], 8, 8).unwrap();
    // Class 0 wins where the image's mean is over 1/4, which all are.
    let logits = |images: Tensor<4>| {
        let batch = images.dims()[0];
        let mean = images.reshape([batch, 192]).mean_dim(1);
        Tensor::cat(vec![mean.clone() - 0.25, mean.neg() + 0.25], 1)
    };
    let bright = Target::from_function(2, &device, logits);
    let work = first(&set, 20, 16);
    let shift = |share: fn(usize) -> f64, at_zero: f64| Shift {
        epsilon: 0.1,
        share,
        at_zero,
    };
    let run_attack =
        |attack: &dyn Attack, target: &Target| run(attack, target, &work, &mut |_| true);
    let right = run_attack(&shift(|_| 0.5, 0.0), &bright).unwrap();
    assert_eq!(right.clean_accuracy(), 1.0);

    let error = run_attack(&shift(|_| 1.0, 0.9), &bright).unwrap_err();
    let AttackError::EpsilonZero {
        attack: "shift",
        index: 7,
        clean: Some(0),
        found: Some(1),
        distance,
    } = error
    else {
        panic!("{error}");
    };
    assert!(distance > 0.2, "{distance}");
    // It changes no class, but leaves the ball of radius 0.
    let error = run_attack(&shift(|_| 1.0, 0.001), &bright).unwrap_err();
    assert!(
        matches!(error, AttackError::OutsideBall { epsilon: 0.0, .. }),
        "{error}"
    );
    // The answer depends on how many images come together.
    let by_batch = shift(|images| if images == 16 { 1.0 } else { 0.5 }, 0.0);
    let error = run_attack(&by_batch, &bright).unwrap_err();
    let AttackError::OtherBatch {
        attack: "shift",
        index: 7,
        what,
        difference,
    } = error
    else {
        panic!("{error}");
    };
    assert!(
        what.contains("values") && (difference - 0.05).abs() < 1e-6,
        "{what} {difference}"
    );
    // So does that of a network that looks at the batch, as batch norm does in training mode.
    let looks = Target::from_function(2, &device, |images| {
        let all = logits(images);
        all.clone() + all.mean_dim(0)
    });
    let error = run_attack(&shift(|_| 0.5, 0.0), &looks).unwrap_err();
    assert!(
        matches!(error, AttackError::OtherBatch { what: "logits", .. }),
        "{error}"
    );
    // The same must hold of series.
    let sweep = FgsmSweep::new(Norm::Linf, &[0.0, 0.01]).unwrap();
    let swept = |target: &Target| run_series(&sweep, target, &work, &mut |_, _| true);
    assert!(swept(&bright).is_ok());
    let error = swept(&looks).unwrap_err();
    assert!(
        matches!(error, AttackError::OtherBatch { attack: "fgsm", .. }),
        "{error}"
    );

    for value in [f32::NAN, f32::INFINITY] {
        let broken = Target::from_function(2, &device, move |images| {
            let batch = images.dims()[0];
            logits(images)
                + Tensor::<2>::from_data([[0.0, value]], &Device::flex().autodiff())
                    .expand([batch, 2])
        });
        let error = run_attack(&shift(|_| 0.5, 0.0), &broken).unwrap_err();
        let expected = AttackError::NotNumbers {
            attack: "clean",
            index: 0,
        };
        assert_eq!(error, expected, "{value}");
        assert_eq!(swept(&broken), Err(expected), "{value}");
    }
    // sqrt has an infinite slope at 0: the logits are finite, the gradient is not.
    let steep = Target::from_function(2, &device, |images| {
        let zero = (images.clone() - images.clone().detach()).sqrt();
        let batch = zero.dims()[0];
        logits(images) + zero.reshape([batch, 192]).sum_dim(1).repeat_dim(1, 2)
    });
    let error = run_attack(&Fgsm { ball: linf(1.0) }, &steep).unwrap_err();
    assert!(
        matches!(error, AttackError::Gradient { row: 0, .. }),
        "{error}"
    );
}
