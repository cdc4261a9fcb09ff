//! Which epochs of a run are asked for.

use std::ops::RangeInclusive;

use super::error::Refusal;
use crate::store::EVERY_EPOCH;

/// Which epochs are asked for; all of them when both are absent.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EpochsQuery {
    /// Only epochs after this one; of a long run, ask again after the last that came.
    #[serde(default)]
    #[param(value_type = i64, minimum = 0, maximum = 4294967295_u32)]
    after: u32,
    /// At most this many epochs, 1 or more.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 4294967295_u32)]
    limit: Option<u32>,
}

impl EpochsQuery {
    /// The epochs, which are counted from 1.
    pub(super) fn epochs(&self) -> Result<RangeInclusive<u32>, Refusal> {
        let first = self.after.saturating_add(1);
        match self.limit {
            None => Ok(first..=*EVERY_EPOCH.end()),
            Some(0) => Err(Refusal::parameter("limit must be 1 or more")),
            Some(limit) => Ok(first..=self.after.saturating_add(limit)),
        }
    }
}
