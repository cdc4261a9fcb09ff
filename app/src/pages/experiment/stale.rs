//! What of an experiment's page no longer holds after live events: only that is read again.

use protocol::Event;

use crate::data::live;

/// The parts of a page that are to be read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stale {
    /// The runs, and what is made of their results: a run began or ended, or events were missed.
    pub runs: bool,
    /// Curves over the epochs.
    pub epochs: bool,
    /// What is made of measurements.
    pub measurements: bool,
}

impl Stale {
    /// Everything.
    pub const ALL: Stale = Stale {
        runs: true,
        epochs: true,
        measurements: true,
    };

    /// What `event` changes besides the run that it is about, to which it is applied in place.
    pub fn after(event: &Event) -> Stale {
        match event {
            Event::Epoch(_) => Stale {
                epochs: true,
                ..Stale::default()
            },
            Event::Measured(_) => Stale {
                measurements: true,
                ..Stale::default()
            },
            event if live::changes_state(event) => Stale::ALL,
            _ => Stale::default(),
        }
    }

    /// Both together.
    pub fn and(self, other: Stale) -> Stale {
        Stale {
            runs: self.runs || other.runs,
            epochs: self.epochs || other.epochs,
            measurements: self.measurements || other.measurements,
        }
    }

    /// Whether anything is to be read again.
    pub fn any(self) -> bool {
        self != Stale::default()
    }
}

#[cfg(test)]
mod tests {
    use protocol::event::LogLevel;

    use super::*;

    /// Breaks when an epoch has all runs read again, the end of a run leaves old results on the page, or a line of a log has
    /// anything read.
    #[test]
    fn only_what_changed_is_read_again() {
        let epoch = Event::Epoch(crate::figures::training_curves::tests::epoch(1));
        let stale = Stale::after(&epoch);
        assert!(stale.epochs && !stale.runs && !stale.measurements);
        assert_eq!(Stale::after(&Event::Cancelled), Stale::ALL);
        let line = Event::Log {
            level: LogLevel::Info,
            message: String::new(),
        };
        assert!(!Stale::after(&line).any());
        assert_eq!(stale.and(Stale::ALL), Stale::ALL);
    }
}
