//! What can go wrong in an attack.

use protocol::attack::Norm;

fn class(class: &Option<u32>) -> String {
    class.map_or_else(|| "none".to_owned(), |class| class.to_string())
}

/// Why an attack could not be set up, or its result cannot be trusted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AttackError {
    /// The radius of a ball is no radius.
    #[error("epsilon is {0}; it must be finite and not negative, on the [0, 1] scale")]
    Epsilon(f64),
    /// A budget or a parameter makes no sense.
    #[error("{attack}: {what} is {value}; it must be {expected}")]
    Parameter {
        /// The attack.
        attack: &'static str,
        /// The parameter.
        what: &'static str,
        /// What was asked for.
        value: f64,
        /// The allowed values.
        expected: &'static str,
    },
    /// The attack is not defined in this norm.
    #[error("{attack} is not defined in {}", norm.label())]
    Norm {
        /// The attack.
        attack: &'static str,
        /// What was asked for.
        norm: Norm,
    },
    /// An ensemble was to change every image.
    #[error(
        "{0} changes only the images that are still classified correctly; choose one of its members"
    )]
    Ensemble(&'static str),
    /// The attacks of one ensemble have different balls.
    #[error("{attack} has the ball {ball}; the attacks before it have {expected}")]
    Balls {
        /// The attack.
        attack: &'static str,
        /// Its ball.
        ball: String,
        /// The ball of those before it.
        expected: String,
    },
    /// The attack's loss needs more classes than the network has.
    #[error("{attack} needs at least {needed} classes; the network has {classes}")]
    TooFewClasses {
        /// The attack or loss.
        attack: &'static str,
        /// Fewest classes.
        needed: usize,
        /// Classes of the network.
        classes: usize,
    },
    /// A label is no class of the network.
    #[error("label {label} of sample {row} is no class; the network knows 0 to {}", classes.saturating_sub(1))]
    Label {
        /// Which sample of the batch.
        row: usize,
        /// Its label.
        label: u32,
        /// Classes of the network.
        classes: usize,
    },
    /// Two counts that must be equal differ.
    #[error("there are {found} {what} for {expected} images")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many images there are.
        expected: usize,
    },
    /// An index points at no image of the set.
    #[error("image {index} is not in the set of {images}")]
    Index {
        /// What was asked for.
        index: usize,
        /// Images of the set.
        images: usize,
    },
    /// An adversarial image is not where it has to be: a mistake in an attack.
    #[error(
        "{attack}: the adversarial image of {index} is {distance:e} from the clean one in {}, allowed are {epsilon:e}", norm.label()
    )]
    OutsideBall {
        /// The attack.
        attack: String,
        /// The image in its set.
        index: usize,
        /// How far it is.
        distance: f64,
        /// How far it may be.
        epsilon: f64,
        /// How distance is measured.
        norm: Norm,
    },
    /// An adversarial image is no image: a mistake in an attack.
    #[error("{attack}: the adversarial image of {index} has the value {value}, outside [0, 1]")]
    OutsideImages {
        /// The attack.
        attack: String,
        /// The image in its set.
        index: usize,
        /// The value, perhaps not a number.
        value: f32,
    },
    /// An attack of radius 0 changed a class: a mistake in an attack.
    #[error(
        "{attack} with epsilon 0 changes image {index} by {distance:e} and its class from {} to {}: no accuracy under it can be trusted",
        class(.clean), class(.found)
    )]
    EpsilonZero {
        /// The attack.
        attack: &'static str,
        /// The image in its set.
        index: usize,
        /// Its class as it is.
        clean: Option<u32>,
        /// Its class after the attack.
        found: Option<u32>,
        /// The largest change of a value, on the [0, 1] scale.
        distance: f64,
    },
    /// An image's answer depends on the images around it: a mistake in an attack, the network or the device.
    #[error(
        "{attack}: attacked in another batch, image {index} gives {what} that differ by {difference:e}: no accuracy under it can be trusted"
    )]
    OtherBatch {
        /// The attack.
        attack: &'static str,
        /// The image in its set.
        index: usize,
        /// What differs.
        what: &'static str,
        /// The largest difference.
        difference: f64,
    },
    /// The network gives NaN or infinity.
    #[error(
        "{attack}: the network's logits of image {index} are not numbers: its weights are broken; train it again"
    )]
    NotNumbers {
        /// The attack, or that it was the clean image.
        attack: &'static str,
        /// The image in its set.
        index: usize,
    },
    /// The gradient is NaN or infinite where the logits are numbers: an attack that goes on without it is weaker
    /// than it says.
    #[error(
        "the gradient of {loss} with respect to sample {row} of the batch is {}, though its logits are finite: no accuracy under this attack can be trusted",
        value.map_or_else(|| "not finite".to_owned(), |value| value.to_string())
    )]
    Gradient {
        /// The loss.
        loss: &'static str,
        /// Which sample of the batch.
        row: usize,
        /// A value of it, where it is known.
        value: Option<f32>,
    },
    /// A watcher cancelled it.
    #[error("cancelled")]
    Cancelled,
}
