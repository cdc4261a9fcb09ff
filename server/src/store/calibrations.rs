//! Speed measurements, kept so that each is taken once.

use engine::calibrate::Calibration;

use super::{Store, StoreError};
use crate::clock::now;

impl Store {
    /// The measurement of `workload`, and when it was taken.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn calibration(
        &self,
        workload: &str,
    ) -> Result<Option<(i64, Calibration)>, StoreError> {
        let row: Option<(i64, String)> =
            sqlx::query_as("SELECT measured_at, measurement FROM calibrations WHERE workload = ?")
                .bind(workload)
                .fetch_optional(&self.pool)
                .await?;
        row.map(|(at, measurement)| Ok((at, serde_json::from_str(&measurement)?)))
            .transpose()
    }

    /// Keeps a measurement, in place of an older one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep_calibration(
        &self,
        workload: &str,
        measured: &Calibration,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO calibrations (workload, measured_at, measurement) VALUES (?, ?, ?)")
            .bind(workload)
            .bind(now())
            .bind(serde_json::to_string(measured)?)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
