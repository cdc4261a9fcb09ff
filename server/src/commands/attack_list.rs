//! Attacks as a person lists them on the command line.

use protocol::attack::{Attack, AttackSpec, Method};

/// Steps of PGD if only its method is named.
const PGD_STEPS: u32 = 40;

/// PGD's radius over its step if only its method is named, as in `source`: 0.5/255 at 8/255.
const PGD_RADIUS_IN_STEPS: f64 = 16.0;

/// The attacks of `names`: methods at each of `radii` (`8/255`), attacks as [`Attack`] is written, `source`.
///
/// # Errors
/// When a name is unknown, or a radius or an attack is not written as it must be; the error names it and what is allowed.
pub(super) fn parse(names: &[String], radii: &[String]) -> Result<Vec<Attack>, String> {
    let mut attacks = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        if name == "source" {
            attacks.extend(AttackSpec::source(None).attacks);
        } else if name.contains(':') {
            attacks.push(name.parse().map_err(|error| format!("{error}"))?);
        } else {
            let method = method(name)?;
            for radius in radii {
                attacks.push(at(method, radius.trim())?);
            }
        }
    }
    Ok(attacks)
}

fn method(name: &str) -> Result<Method, String> {
    if name == "autoattack" {
        return Ok(Method::AutoAttack);
    }
    Method::from_id(name).ok_or_else(|| {
        let known: Vec<_> = Method::ALL.into_iter().map(Method::id).collect();
        format!(
            "no attack is called `{name}`; there are source, {}, and attacks written like pgd:linf:8/255:step=0.5/255:steps=40",
            known.join(", ")
        )
    })
}

fn at(method: Method, radius: &str) -> Result<Attack, String> {
    let wrong = || {
        format!(
            "the radius `{radius}` is not written in 255ths, over 0 and at most 255/255, for example 8/255"
        )
    };
    let fgsm: Attack = format!("fgsm:linf:{radius}").parse().map_err(|_| wrong())?;
    Ok(match method {
        Method::Pgd => Attack {
            method,
            step_size: Some(fgsm.epsilon / PGD_RADIUS_IN_STEPS),
            steps: Some(PGD_STEPS),
            ..fgsm
        },
        _ => Attack { method, ..fgsm },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &str, radii: &str) -> Result<Vec<String>, String> {
        let split = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let attacks = parse(&split(names), &split(radii))?;
        Ok(attacks.iter().map(Attack::to_string).collect())
    }

    /// Breaks when a method gets another radius or budget than requested, or a wrong name is passed over.
    #[test]
    fn methods_are_taken_at_every_radius() {
        assert_eq!(
            list("autoattack,pgd", "1/255,8/255").unwrap(),
            [
                "auto-attack:linf:1/255",
                "auto-attack:linf:8/255",
                "pgd:linf:1/255:step=0.0625/255:steps=40",
                "pgd:linf:8/255:step=0.5/255:steps=40",
            ]
        );
        assert_eq!(list("source", "8/255").unwrap().len(), 12);
        assert_eq!(
            list("pgd:l2:0.5:step=0.1:steps=10", "8/255").unwrap(),
            ["pgd:l2:0.5:step=0.1:steps=10"]
        );
        assert!(list("apgd", "8/255").unwrap_err().contains("apgd-ce"));
        assert!(list("pgd:linf:8", "8/255").is_err());
        for radius in ["0.03", "0/255", "300/255", "NaN/255", "8"] {
            let error = list("fgsm", radius).unwrap_err();
            assert!(error.contains(radius), "{error}");
        }
    }
}
