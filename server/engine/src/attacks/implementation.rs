//! From the attacks of a spec to the attacks of this folder: the one place that knows them all.

use protocol::attack::{Attack as Specified, Method};

use super::{
    Apgd, Attack, AttackError, Ball, Ensemble, Fab, Fgsm, FgsmSweep, Objective, Pgd, PgdTrajectory,
    STANDARD, Series, Square, Start,
};

/// The implementation of a spec's attack.
pub enum Implementation {
    /// One attack.
    Single(Box<dyn Attack>),
    /// Several, one after another, with the method of each.
    Ensemble(Ensemble, Vec<Method>),
}

/// The implementation of `attack`.
///
/// # Errors
/// When it has no such budget, or is not made for its norm.
pub fn implementation(attack: Specified) -> Result<Implementation, AttackError> {
    let ball = Ball::new(attack.norm, attack.epsilon)?;
    let steps = attack.steps_made() as usize;
    let targets = STANDARD.targets;
    Ok(Implementation::Single(match attack.method {
        Method::Fgsm => Box::new(Fgsm { ball }),
        Method::Pgd => Box::new(pgd(attack)?),
        Method::ApgdCe => Box::new(Apgd::new(ball, steps, Objective::CrossEntropy, 1)?),
        Method::ApgdT => Box::new(Apgd::new(
            ball,
            steps,
            Objective::TargetedDlr { targets },
            1,
        )?),
        Method::FabT => Box::new(Fab::new(ball, steps, targets, 1)?),
        Method::Square => Box::new(Square::new(ball, steps)?),
        Method::AutoAttack => {
            let ensemble = Ensemble::standard(ball, STANDARD)?;
            return Ok(Implementation::Ensemble(
                ensemble,
                Method::AUTO_ATTACK.to_vec(),
            ));
        }
    }))
}

/// `attack` as one that perturbs every image.
///
/// # Errors
/// As [`implementation`], and when it is an ensemble, which skips images that are broken already.
pub fn perturbing(attack: Specified) -> Result<Box<dyn Attack>, AttackError> {
    match implementation(attack)? {
        Implementation::Single(attack) => Ok(attack),
        Implementation::Ensemble(..) => Err(AttackError::Ensemble(attack.method.label())),
    }
}

/// The series of attacks that share one path from the clean image (see [`Specified::shares_path_with`]), given in ascending
/// order of steps; none where there is more than one path.
///
/// # Errors
/// When one has no such budget.
pub fn series(attacks: &[Specified]) -> Result<Option<Box<dyn Series>>, AttackError> {
    let Some(&first) = attacks.first().filter(|first| first.is_single_path()) else {
        return Ok(None);
    };
    if first.method == Method::Fgsm {
        let radii: Vec<f64> = attacks.iter().map(|attack| attack.epsilon).collect();
        return Ok(Some(Box::new(FgsmSweep::new(first.norm, &radii)?)));
    }
    let stops: Vec<usize> = attacks
        .iter()
        .map(|attack| attack.steps_made() as usize)
        .collect();
    Ok(Some(Box::new(PgdTrajectory::new(pgd(first)?, &stops)?)))
}

fn pgd(attack: Specified) -> Result<Pgd, AttackError> {
    let start = match attack.random_starts {
        0 => Start::Clean,
        starts => Start::Random {
            restarts: starts as usize,
        },
    };
    let ball = Ball::new(attack.norm, attack.epsilon)?;
    let step_size = attack.step_size.unwrap_or_default();
    Pgd::new(ball, step_size, attack.steps_made() as usize, start)
}
