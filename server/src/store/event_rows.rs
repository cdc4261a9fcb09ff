//! Events as rows: an event's payload is stored once, with the event or in the table it is read from.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::StoreError;

/// Where the store has an event's payload.
pub(super) enum Payload {
    /// With the event: the whole of it as JSON.
    Text(String),
    /// Among the run's measurements, of this item.
    Measurement(i64),
    /// It is the run's result.
    Result,
}

/// An event as it is inserted.
pub(super) struct NewEvent<'a> {
    /// Its number; the next one if `None`.
    pub(super) sequence: Option<i64>,
    pub(super) run_id: i64,
    pub(super) experiment_id: i64,
    pub(super) at: i64,
    pub(super) kind: &'a str,
    pub(super) payload: Payload,
}

/// Inserts events; gives the number of the last.
pub(super) async fn insert_events(
    connection: &mut SqliteConnection,
    events: &[NewEvent<'_>],
) -> Result<i64, StoreError> {
    let mut last = 0;
    // SQLite takes 32,766 values a statement.
    for some in events.chunks(1000) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO events (sequence, run_id, experiment_id, at, kind, payload, item_id) ",
        );
        query.push_values(some, |mut row, event| {
            let (text, item) = match &event.payload {
                Payload::Text(text) => (Some(text.as_str()), None),
                Payload::Measurement(item) => (None, Some(*item)),
                Payload::Result => (None, None),
            };
            row.push_bind(event.sequence)
                .push_bind(event.run_id)
                .push_bind(event.experiment_id)
                .push_bind(event.at)
                .push_bind(event.kind)
                .push_bind(text)
                .push_bind(item);
        });
        last = query
            .build()
            .execute(&mut *connection)
            .await?
            .last_insert_rowid();
    }
    Ok(last)
}
