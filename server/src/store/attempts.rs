//! Workers' logs: how far they have been read, and what was read.

use protocol::Event;
use protocol::api::LiveEvent;
use sqlx::Row;

use super::{Store, StoreError, events};

/// A run's last worker, and how far its logs have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Counts the run's workers, from 1.
    pub number: u32,
    /// Bytes of its events that are in the store.
    pub events_offset: u64,
    /// Bytes of what workers wrote to standard error that are in the store.
    pub errors_offset: u64,
}

impl Store {
    /// A run's last worker.
    ///
    /// # Errors
    /// When there is no such run.
    pub async fn attempt(&self, run_id: i64) -> Result<Attempt, StoreError> {
        let row =
            sqlx::query("SELECT attempt, events_offset, errors_offset FROM runs WHERE id = ?")
                .bind(run_id)
                .fetch_optional(&self.pool)
                .await?
                .ok_or(StoreError::NoRun(run_id))?;
        Ok(Attempt {
            number: row.try_get("attempt")?,
            events_offset: row.try_get("events_offset")?,
            errors_offset: row.try_get("errors_offset")?,
        })
    }

    /// Sets a run's last worker, for a run whose folder has had workers of another store.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set_attempt(&self, run_id: i64, attempt: Attempt) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE runs SET attempt = ?, events_offset = ?, errors_offset = ? WHERE id = ?",
        )
        .bind(attempt.number)
        .bind(i64::try_from(attempt.events_offset).unwrap_or(i64::MAX))
        .bind(i64::try_from(attempt.errors_offset).unwrap_or(i64::MAX))
        .bind(run_id)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Stores what was read of a worker's logs, with the times in milliseconds since 1970-01-01 UTC, and how far, all or
    /// nothing; gives what counted.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn record_read(
        &self,
        run_id: i64,
        read: &[(i64, Event)],
        attempt: Attempt,
    ) -> Result<Vec<LiveEvent>, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut counted = Vec::new();
        for (at, event) in read {
            counted.extend(events::record(&mut transaction, run_id, event, *at).await?);
        }
        sqlx::query(
            "UPDATE runs SET events_offset = ?, errors_offset = ? WHERE id = ? AND attempt = ?",
        )
        .bind(i64::try_from(attempt.events_offset).unwrap_or(i64::MAX))
        .bind(i64::try_from(attempt.errors_offset).unwrap_or(i64::MAX))
        .bind(run_id)
        .bind(attempt.number)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(counted)
    }
}
