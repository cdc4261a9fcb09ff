//! The store: experiments, runs, and everything that was measured, in one SQLite file.
//!
//! What a function here wrote is on disk when it returns (`synchronous = FULL`): an event that was
//! acknowledged survives a kill or a power cut. Every change of a run's state happens in
//! [`Store::record`] or beside it in `runs.rs`, in one transaction with the event that caused it.

mod annotations;
mod archive;
mod arrays;
mod attempts;
mod calibrations;
mod comparison;
mod conversion;
mod deletions;
mod event_rows;
mod events;
mod experiments;
mod findings;
mod imports;
mod integrity;
mod items;
mod measurements;
mod runs;
mod saved_views;
mod scope;
mod submissions;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

pub use archive::Restored;
pub use attempts::Attempt;
pub use deletions::Doomed;
pub use events::EVERY_EPOCH;
pub use experiments::ExperimentQuery;
pub use findings::FindingsVersion;
pub use imports::ImportTarget;
pub use integrity::{backup, check_large};
pub use measurements::MeasurementsOf;
pub use runs::{RunQuery, end_of};
pub use scope::Scope;
pub use submissions::Submission;

/// The migrations, in order; a new one is one line. There is no fifth.
const MIGRATIONS: [(i64, &str, &str); 9] = [
    (1, "store", include_str!("../../migrations/0001_store.sql")),
    (
        2,
        "evaluations",
        include_str!("../../migrations/0002_evaluations.sql"),
    ),
    (
        3,
        "tags and notes",
        include_str!("../../migrations/0003_tags_and_notes.sql"),
    ),
    (
        4,
        "short measurements",
        include_str!("../../migrations/0004_short_measurements.sql"),
    ),
    (
        6,
        "run keys",
        include_str!("../../migrations/0006_run_keys.sql"),
    ),
    (
        7,
        "measurement columns",
        include_str!("../../migrations/0007_measurement_columns.sql"),
    ),
    (
        8,
        "attempts",
        include_str!("../../migrations/0008_attempts.sql"),
    ),
    (
        9,
        "submissions",
        include_str!("../../migrations/0009_submissions.sql"),
    ),
    (
        10,
        "deletions and saved views",
        include_str!("../../migrations/0010_deletions_and_views.sql"),
    ),
];

/// The store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite failed.
    #[error("the store failed: {0}; is the disk full, or the file damaged?")]
    Database(#[from] sqlx::Error),
    /// The file is of another version.
    #[error("the store cannot be brought up to date: {0}; was it written by a newer version?")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A stored value cannot be read back.
    #[error("the store holds a value that cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The file is damaged.
    #[error(
        "the store {path} is damaged ({what}), and was left as it is. Stop what uses it, delete {path}-wal and {path}-shm, and put a backup in its place (`selectivity-lab store backup` makes one); without a backup, `sqlite3 {path} .recover | sqlite3 recovered.sqlite` saves what can be read"
    )]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What SQLite found.
        what: String,
    },
    /// The file is empty or missing, but runs have been there.
    #[error(
        "the store {path} is empty or missing, but {folder} holds the files of {runs} runs. Put a backup of the store in its place; or, to begin anew, move {folder} away or name another directory with --data"
    )]
    Emptied {
        /// The store.
        path: PathBuf,
        /// Where runs keep their files.
        folder: PathBuf,
        /// Runs that have files there.
        runs: usize,
    },
    /// The copy cannot be written.
    #[error("cannot write the copy {path}: {source}")]
    Copy {
        /// The copy.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The long parts of a measurement cannot be packed.
    #[error("a measurement cannot be packed: {0}")]
    Packing(#[from] postcard::Error),
    /// A measurement cannot be read back.
    #[error(
        "measurement {measurement} of run {run} is damaged: {reason}. Nothing was changed: restore the store from a copy, or delete this measurement and test the run again"
    )]
    DamagedMeasurement {
        /// The run.
        run: i64,
        /// The measurement, by its key.
        measurement: String,
        /// What is wrong.
        reason: String,
    },
    /// Rows refer to runs that do not exist.
    #[error(
        "the store cannot be brought up to date: {rows} {table} are of no run. Nothing was changed: restore the store from a copy"
    )]
    Orphans {
        /// What they are.
        table: &'static str,
        /// How many.
        rows: i64,
    },
    /// There is no such experiment.
    #[error("there is no experiment {0}")]
    NoExperiment(i64),
    /// There is no such run.
    #[error("there is no run {0}")]
    NoRun(i64),
    /// Nothing is there to bring back.
    #[error("no deleted experiment {0} can be brought back: it was not deleted, or too long ago")]
    NotDeleted(i64),
    /// There is no such saved view.
    #[error("there is no saved view {0}")]
    NoView(i64),
    /// Another saved view has this name.
    #[error("there is already a view called “{0}”: give this one another name, or delete that one")]
    ViewExists(String),
    /// The run is queued or running, or has no result yet.
    #[error(
        "run {0} cannot be evaluated again now: only a trained run that is not queued or running can"
    )]
    NotEvaluable(i64),
    /// The experiment has a network of this alpha and seed.
    #[error(
        "run {run} of experiment {experiment} has alpha {alpha} and seed {seed} already: give the weights another seed"
    )]
    Taken {
        /// The experiment.
        experiment: i64,
        /// The run that it has.
        run: i64,
        /// Its alpha.
        alpha: f64,
        /// Its seed.
        seed: u64,
    },
    /// An imported file cannot be put into its run's folder.
    #[error("cannot put the file into the run's folder: {0}")]
    Place(std::io::Error),
    /// An archived event cannot be replayed.
    #[error("event {line} of run {run} of the archive does not fit: {reason}")]
    Replay {
        /// The run, from 1.
        run: usize,
        /// The event, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// The key was given with another launch.
    #[error("experiment {0} was launched with this Idempotency-Key, and another spec")]
    KeyTaken(i64),
    /// The run does not wait to be handed over.
    #[error("run {0} does not wait any more")]
    NotWaiting(i64),
    /// The run is still at work.
    #[error("run {0} is queued or running; cancel it first")]
    RunActive(i64),
    /// The experiment is still at work.
    #[error("{active} runs of experiment {experiment} are queued or running; cancel it first")]
    Active {
        /// The experiment.
        experiment: i64,
        /// Its queued and running runs.
        active: i64,
    },
}

/// Rows that are read ahead: with fewer, two threads wait for each other at each of 400,000 rows.
const ROWS_AT_ONCE: usize = 1000;

/// Memory for a migration, in SQLite's units: 200 MB.
const MIGRATION_CACHE: &str = "-200000";

/// A handle to the store; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the store at `path`, making it or bringing it up to date where needed.
    ///
    /// # Errors
    /// When the file cannot be opened, or was written by a newer version.
    pub async fn open(path: &Path) -> Result<Store, StoreError> {
        Store::open_with(path, 8).await
    }

    async fn open_with(path: &Path, connections: u32) -> Result<Store, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .row_buffer_size(ROWS_AT_ONCE)
            .busy_timeout(Duration::from_secs(10));
        // A migration may replace a table; with foreign keys on, that would delete what refers to it.
        let migrating = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(
                options
                    .clone()
                    .foreign_keys(false)
                    .pragma("cache_size", MIGRATION_CACHE)
                    // Its statements are slow by nature, and their text is no news to anybody.
                    .disable_statement_logging(),
            )
            .await?;
        let migrated = migrate(&migrating, &MIGRATIONS).await;
        if migrated.is_ok()
            && let Err(error) = shrink(&migrating).await
        {
            tracing::warn!("the store keeps its size on disk: {error}");
        }
        migrating.close().await;
        migrated?;
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            // On a full disk SQLite itself ends the transaction. sqlx then fails to roll it back and goes on counting it as
            // open, so that every later `BEGIN` on that connection fails: such a connection is closed, not used again.
            .after_release(|connection, _| {
                Box::pin(async move {
                    // Waits for a rollback that is still under way.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_with(options)
            .await?;
        Ok(Store { pool })
    }

    /// Writes the log that SQLite keeps beside the store into it, so that a copy of the one file is whole, and closes it.
    pub async fn close(&self) {
        // Closing does it too, unless another process reads.
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
        if let Err(error) = checkpoint.execute(&self.pool).await {
            tracing::warn!(%error, "store.sqlite-wal stays: copy it with store.sqlite");
        }
        self.pool.close().await;
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }
}

/// Applies the migrations that the store lacks, all or none of them.
async fn migrate(
    pool: &SqlitePool,
    migrations: &[(i64, &'static str, &'static str)],
) -> Result<(), StoreError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    apply(&mut transaction, migrations).await?;
    transaction.commit().await?;
    Ok(())
}

/// The same within a transaction.
async fn apply(
    connection: &mut SqliteConnection,
    migrations: &[(i64, &'static str, &'static str)],
) -> Result<(), StoreError> {
    let migrations = migrations.iter().map(|&(version, description, sql)| {
        let (sql, simple) = (sqlx::SqlStr::from_static(sql), MigrationType::Simple);
        Migration::new(version, description.into(), simple, sql, false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    migrator.run(&mut *connection).await?;
    conversion::convert(connection).await
}

/// Frees the space that a migration left empty, if that is more than half of the file.
async fn shrink(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let pages = |what: &'static str| sqlx::query_scalar::<_, i64>(what).fetch_one(pool);
    if 2 * pages("PRAGMA freelist_count").await? > pages("PRAGMA page_count").await? {
        tracing::info!("giving the disk back what the old form of the store took");
        sqlx::query("VACUUM").execute(pool).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
