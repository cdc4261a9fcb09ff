//! Small parts that pages share.

pub mod alpha_chip;
pub mod annotations;
pub mod attack_fields;
pub mod chooser;
pub mod command;
pub mod confirm;
pub mod corruption_fields;
pub mod evaluate_again;
pub mod exports;
pub mod field;
pub mod geometry_fields;
pub mod import_archive;
pub mod lacking_room;
pub mod load;
pub mod progress_bar;
pub mod state_badge;
pub mod training_facts;
pub mod verdict_badge;

pub use alpha_chip::{AlphaChip, AlphaChips};
pub use annotations::{Annotated, Annotations, Tags};
pub use attack_fields::AttackFields;
pub use chooser::Chooser;
pub use command::{Command, CommandError, use_command};
pub use confirm::{Ask, Confirm};
pub use corruption_fields::CorruptionFields;
pub use evaluate_again::{EvaluateAgain, Target};
pub use exports::Exports;
pub use field::{Choice, Field, Input, Inputs};
pub use geometry_fields::GeometryFields;
pub use import_archive::ImportArchive;
pub use lacking_room::LackingRoom;
pub use load::{ErrorBox, Load};
pub use progress_bar::ProgressBar;
pub use state_badge::StateBadge;
pub use training_facts::{evaluation_facts, evaluation_words, training_facts, training_words};
pub use verdict_badge::VerdictBadge;
