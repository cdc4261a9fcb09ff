//! Attacks against others' numbers, on one trained ResNet20 and 200 CIFAR-10 test images (`reference/` and
//! `data/` of the shared folder beside the repository, or of `SELECTIVITY_LAB_SHARED`). Where the folder is
//! not there each test says `skipped`.

mod common;

use std::sync::OnceLock;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use engine::attacks::{
    Apgd, Attack, AttackOutcome, Ball, Fab, Fgsm, FgsmSweep, Norm, Objective, Pgd, PgdTrajectory,
    Square, Start, Target, Work, masking, run, run_series,
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
    let within_one = |name: &str, ours: f64| {
        let theirs = expected[name].as_f64().unwrap();
        println!("{name}: {ours:.3}, reference {theirs:.3}");
        assert!((ours - theirs).abs() < 1.5 / 200.0, "{name}");
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
        let single = run(&Fgsm { ball: linf(*scale) }, &target, &work, &mut |_| true).unwrap();
        assert!((single.accuracy() - outcome.accuracy()).abs() < 1.5 / 200.0);
    }
    within_one("clean.accuracy", outcomes[0].clean_accuracy());

    let (_, theirs) = &common::arrays(&shared)["fgsm.eps=2/255.images"];
    assert_eq!(images.len(), theirs.len());
    let equal = images
        .iter()
        .zip(theirs)
        .filter(|(a, b)| (*a - *b).abs() < 1e-6)
        .count();
    let share = equal as f64 / theirs.len() as f64;
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

/// Breaks when an attack writes to the network: batch norm's running statistics above all, which a network
/// on a device with autodiff updates unless it is frozen.
#[test]
fn an_attack_leaves_the_network_as_it_was() {
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
        let pgd = Pgd::new(linf(1.0), 0.25 / 255.0, 2, Start::Random { restarts: 2 }).unwrap();
        attacked(&pgd, &target, &first(set, 20, 10));
        assert!(state(&model) == before, "bit by bit");
    }
}

#[test]
fn more() {
    let Some((model, set)) = subject() else {
        return;
    };
    let target = Target::new(model, &Device::flex());
    let work = whole(set);
    let l2 = Pgd::new(Ball::new(Norm::L2, 0.25).unwrap(), 0.05, 40, Start::Clean).unwrap();
    attacked(&l2, &target, &work);
    for scale in [0.5, 1.0] {
        let ball = linf(scale);
        let pgd = Pgd::new(
            ball,
            ball.epsilon() / 8.0,
            40,
            Start::Random { restarts: 1 },
        )
        .unwrap();
        attacked(&pgd, &target, &work);
        attacked(&Fab::new(ball, 20, 9, 1).unwrap(), &target, &work);
        attacked(&Square::new(ball, 1000).unwrap(), &target, &work);
    }
    let plan = masking::Plan {
        ball: linf(1.0),
        steps: 10,
        queries: 200,
        restarts: 3,
    };
    for scale in [1.0, 1e3] {
        let frozen = model.clone().freeze().train();
        let target =
            Target::from_function(10, &Device::flex(), |images| frozen.forward(images) * scale);
        let start = std::time::Instant::now();
        let report =
            masking::check_masking(&target, &first(set, 100, 100), &plan, &mut |_| true).unwrap();
        println!(
            "{} {:#?} {:?} {:?}",
            report.summary(),
            report.checks,
            target.passes(),
            start.elapsed()
        );
    }
}

/// Breaks when an attack of AutoAttack finds less than others' code does with the same budget.
#[test]
fn apgd() {
    let Some((model, set)) = subject() else {
        return;
    };
    let target = Target::new(model, &Device::flex());
    let work = whole(set);
    for scale in [0.5, 1.0] {
        let ball = linf(scale);
        let ce = Apgd::new(ball, 50, Objective::CrossEntropy, 1).unwrap();
        attacked(&ce, &target, &work);
        let t = Apgd::new(ball, 50, Objective::TargetedDlr { targets: 9 }, 1).unwrap();
        attacked(&t, &target, &work);
    }
}
