//! The attacks there are: what each is called, what can be chosen of it, and what it costs.
//!
//! A new one is a line of `methods!` here, a file of `engine::attacks`, and a line where that list becomes implementations
//! (`engine::attacks::implementation`).

use serde::{Deserialize, Serialize};

use crate::norm::Norm;

/// What is known of a method.
struct Facts {
    /// The name in specs.
    id: &'static str,
    /// What a person calls it.
    label: &'static str,
    /// Norms that it is made for.
    norms: &'static [Norm],
    /// Whether it has a step size, which must be chosen then.
    has_step_size: bool,
    /// Its steps.
    steps: Steps,
    /// What a step is called: one, and several.
    step_words: [&'static str; 2],
    /// Whether it can start from random places.
    has_random_starts: bool,
    /// What budgets of it have in common.
    shared: Shared,
    /// Forward passes an image, a backward pass counted as two, of so many steps and starts.
    forward_passes: fn(u64, u64) -> u64,
}

/// How many steps a method makes.
#[derive(Clone, Copy)]
enum Steps {
    /// Its own number, which cannot be chosen.
    Fixed,
    /// As many as are chosen.
    Chosen,
    /// As many as are chosen, or else this many.
    Default(u32),
}

/// What budgets of a method have in common, so that several cost no more than the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shared {
    /// Nothing.
    Nothing,
    /// The gradient at the clean image: all radii.
    Radii,
    /// The way from the clean image: all numbers of steps.
    Steps,
}

/// A gradient: one pass forward, and one back.
const GRADIENT: u64 = 3;

/// Targets of a targeted attack: all but the class itself, of ten.
const TARGETS: u64 = 9;

/// A method in L-infinity without anything to choose.
const PLAIN: Facts = Facts {
    id: "",
    label: "",
    norms: &[Norm::Linf],
    has_step_size: false,
    steps: Steps::Fixed,
    step_words: ["step", "steps"],
    has_random_starts: false,
    shared: Shared::Nothing,
    forward_passes: |_, _| 0,
};

/// A member of AutoAttack's standard ensemble, with the steps of its standard version.
const APGD: Facts = Facts {
    steps: Steps::Default(100),
    ..PLAIN
};

macro_rules! methods {
    ($($(#[doc = $doc:literal])* $variant:ident: $facts:expr;)*) => {
        /// How an attack searches: FGSM, PGD, the members of AutoAttack's standard ensemble (Croce & Hein 2020), and that.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "kebab-case")]
        pub enum Method {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Method {
            /// Every method, weakest first.
            pub const ALL: [Method; [$(stringify!($variant)),*].len()] = [$(Method::$variant),*];

            /// The method called `id`, if there is one.
            pub fn from_id(id: &str) -> Option<Method> {
                Method::ALL.into_iter().find(|method| method.id() == id)
            }

            fn facts(self) -> Facts {
                match self { $(Method::$variant => $facts,)* }
            }
        }
    };
}

methods! {
    /// One step along the gradient's sign (Goodfellow et al. 2015).
    Fgsm: Facts {
        id: "fgsm",
        label: "FGSM",
        shared: Shared::Radii,
        forward_passes: |_, _| GRADIENT + 1,
        ..PLAIN
    };
    /// Projected gradient descent (Madry et al. 2018).
    Pgd: Facts {
        id: "pgd",
        label: "PGD",
        norms: &[Norm::Linf, Norm::L2],
        has_step_size: true,
        steps: Steps::Chosen,
        has_random_starts: true,
        shared: Shared::Steps,
        forward_passes: |steps, starts| starts.max(1) * (steps * GRADIENT + 1),
        ..PLAIN
    };
    /// Auto-PGD on the cross-entropy (Croce & Hein 2020).
    ApgdCe: Facts {
        id: "apgd-ce",
        label: "APGD-CE",
        forward_passes: |steps, _| steps * GRADIENT,
        ..APGD
    };
    /// Auto-PGD on the targeted difference-of-logits ratio (Croce & Hein 2020).
    ApgdT: Facts {
        id: "apgd-t",
        label: "APGD-T (DLR)",
        forward_passes: |steps, _| TARGETS * steps * GRADIENT,
        ..APGD
    };
    /// Fast adaptive boundary, targeted (Croce & Hein 2020).
    FabT: Facts {
        id: "fab-t",
        label: "FAB-T",
        forward_passes: |steps, _| TARGETS * steps * 2 * GRADIENT,
        ..APGD
    };
    /// Random search without gradients (Andriushchenko et al. 2020).
    Square: Facts {
        id: "square",
        label: "Square",
        steps: Steps::Default(5000),
        step_words: ["query", "queries"],
        forward_passes: |queries, _| queries,
        ..PLAIN
    };
    /// The standard ensemble: apgd-ce, apgd-t, fab-t, square, each on what the ones before left right.
    AutoAttack: Facts {
        id: "auto-attack",
        label: "AutoAttack",
        forward_passes: |_, _| {
            let members = Method::AUTO_ATTACK.map(|member| member.forward_passes(None, 0));
            members.iter().sum()
        },
        ..PLAIN
    };
}

impl Method {
    /// The members of AutoAttack's standard ensemble, in order (Croce & Hein 2020, section 5).
    pub const AUTO_ATTACK: [Method; 4] =
        [Method::ApgdCe, Method::ApgdT, Method::FabT, Method::Square];

    /// The name in specs.
    pub fn id(self) -> &'static str {
        self.facts().id
    }

    /// What a person calls it.
    pub fn label(self) -> &'static str {
        self.facts().label
    }

    /// A number of its steps in words, for example `40 steps`, `1 step` or `5000 queries`.
    pub fn steps_in_words(self, steps: u32) -> String {
        let [one, several] = self.facts().step_words;
        format!("{steps} {}", if steps == 1 { one } else { several })
    }

    /// The steps that it makes where `asked` are asked for.
    pub(crate) fn steps(self, asked: Option<u32>) -> u32 {
        match self.facts().steps {
            Steps::Fixed => 1,
            Steps::Chosen => asked.unwrap_or(1),
            Steps::Default(steps) => asked.unwrap_or(steps),
        }
    }

    /// What budgets of it have in common.
    pub(crate) fn shared(self) -> Shared {
        self.facts().shared
    }

    /// Forward passes that it costs an image, a backward pass counted as two.
    pub(crate) fn forward_passes(self, steps: Option<u32>, random_starts: u32) -> u64 {
        (self.facts().forward_passes)(u64::from(self.steps(steps)), u64::from(random_starts))
    }

    /// Everything wrong with a budget of it by itself.
    pub(crate) fn problems(
        self,
        norm: Norm,
        step_size: Option<f64>,
        steps: Option<u32>,
        random_starts: u32,
    ) -> Vec<String> {
        let facts = self.facts();
        let mut problems = Vec::new();
        match step_size {
            Some(size) if facts.has_step_size && size > 0.0 && size.is_finite() => {}
            _ if facts.has_step_size => {
                problems.push(format!("{} needs a step_size above 0", facts.label));
            }
            Some(_) => problems.push(format!("{} takes no step_size", facts.id)),
            None => {}
        }
        match (facts.steps, steps) {
            (Steps::Chosen, None) => problems.push(format!("{} needs steps", facts.label)),
            (Steps::Fixed, Some(_)) => {
                problems.push(format!("{} takes no steps", facts.id));
            }
            (_, Some(steps)) if !(1..=100_000).contains(&steps) => {
                problems.push(format!(
                    "{} must be between 1 and 100,000, not {steps}",
                    facts.step_words[1]
                ));
            }
            _ => {}
        }
        if random_starts > 0 && !facts.has_random_starts {
            problems.push(format!("{} takes no random_starts", facts.id));
        }
        if random_starts > 100 {
            problems.push("at most 100 random_starts are allowed".into());
        }
        if !facts.norms.contains(&norm) {
            problems.push(format!("{} is not available for {}", facts.id, norm.id()));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a method is called one thing in JSON and another in the text of an attack.
    #[test]
    fn names_are_those_of_json() {
        for method in Method::ALL {
            let json = serde_json::to_value(method).unwrap();
            assert_eq!(json, method.id());
        }
    }

    /// Breaks when AutoAttack is thought to cost other than its members together.
    #[test]
    fn the_ensemble_costs_what_its_members_do() {
        assert_eq!(
            Method::AutoAttack.forward_passes(None, 0),
            100 * 3 + 900 * 3 + 1800 * 3 + 5000
        );
    }
}
