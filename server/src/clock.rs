//! The clock, as the store and the API write it.

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::mutex::lock;

/// Now, in milliseconds since 1970-01-01 UTC. Never earlier than what it said before in this process: a clock that is set
/// back, by hand or by a time service, would make what takes a minute end before it began. Differences between two answers
/// are then times that have passed. A clock that is ahead, after the machine slept or when it was set forward, is followed.
pub fn now() -> i64 {
    static TIMELINE: Mutex<Option<Timeline>> = Mutex::new(None);
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| milliseconds(since.as_millis()));
    let monotonic = Instant::now();
    lock(&TIMELINE)
        .get_or_insert(Timeline {
            at: wall,
            since: monotonic,
        })
        .advance(wall, monotonic)
}

fn milliseconds(count: u128) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The last answer, and when it was given.
struct Timeline {
    at: i64,
    since: Instant,
}

impl Timeline {
    fn advance(&mut self, wall: i64, monotonic: Instant) -> i64 {
        let passed = monotonic.saturating_duration_since(self.since);
        self.at = self
            .at
            .saturating_add(milliseconds(passed.as_millis()))
            .max(wall);
        self.since = monotonic;
        self.at
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Breaks when what happens after a clock was set back seems to have happened before, or the time it took is lost.
    #[test]
    fn a_clock_that_is_set_back_changes_no_duration() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let mut timeline = Timeline {
            at: 1_000_000,
            since: begin,
        };
        assert_eq!(timeline.advance(1_010_000, after(10)), 1_010_000);
        // An hour back; 20 s pass, then 30.
        assert_eq!(
            timeline.advance(1_030_000 - 3_600_000, after(30)),
            1_030_000
        );
        assert_eq!(
            timeline.advance(1_060_000 - 3_600_000, after(60)),
            1_060_000
        );
        // Asleep for a day: the wall clock knows.
        assert_eq!(
            timeline.advance(1_061_000 + 86_400_000, after(61)),
            87_461_000
        );
    }
}
