use std::path::{Path, PathBuf};

use protocol::Event;
use protocol::annotation::Annotation;
use protocol::event::LogLevel;
use protocol::preset::presets;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Row, SqlitePool};

use super::{EVERY_EPOCH, MIGRATIONS, Store, StoreError};

/// An empty store at `path` as it was after these migrations.
pub(super) async fn old_store(
    path: &Path,
    migrations: &[(i64, &'static str, &'static str)],
) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options).await.unwrap();
    super::migrate(&pool, migrations).await.unwrap();
    pool
}

/// Breaks when a store of an earlier version loses what was measured, or gives a deleted run's number again.
#[tokio::test]
async fn a_store_of_the_first_version_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    let pool = old_store(&path, &MIGRATIONS[..1]).await;
    let spec = presets().remove(0).spec;
    let experiment = serde_json::to_string(&spec).unwrap();
    let run = serde_json::to_string(&spec.runs()[0]).unwrap();
    sqlx::query("INSERT INTO experiments (name, notes, spec, created_at) VALUES ('old', '', ?, 1)")
        .bind(experiment)
        .execute(&pool)
        .await
        .unwrap();
    for _ in 0..3 {
        sqlx::query(
            "INSERT INTO runs (experiment_id, alpha, seed, device, epochs, spec, state, queued_at)
             VALUES (1, 0, 0, 'cpu', 8, ?, 'cancelled', 1)",
        )
        .bind(&run)
        .execute(&pool)
        .await
        .unwrap();
    }
    for sql in [
        "INSERT INTO epochs (run_id, epoch, metrics) VALUES (1, 1, '{\"epoch\":1,\"learning_rate\":0.1,\"train_loss\":1.0,\"train_cross_entropy\":1.0,\"train_selectivity\":0.1,\"train_accuracy\":0.5,\"validation_cross_entropy\":1.0,\"validation_accuracy\":0.5,\"layer_selectivity\":[0.1],\"selectivity\":0.1,\"images_per_second\":9.0,\"seconds\":1.0}')",
        "INSERT INTO events (run_id, experiment_id, at, kind, payload) VALUES (1, 1, 1, 'cancelled', '{\"type\":\"cancelled\"}')",
        "DELETE FROM runs WHERE id = 3",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    pool.close().await;

    let store = Store::open(&path).await.unwrap();
    assert_eq!(store.runs(1).await.unwrap().len(), 2);
    assert_eq!(store.last_sequence().await.unwrap(), 1);
    let epochs = sqlx::query("SELECT count(*) AS count FROM epochs")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    assert_eq!(epochs.try_get::<i64, _>("count").unwrap(), 1);
    let broken = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&store.pool)
        .await
        .unwrap();
    assert!(broken.is_empty(), "rows point at nothing");
    let next = store.create_experiment(&spec).await.unwrap();
    assert_eq!(
        store.runs(next).await.unwrap()[0].id,
        4,
        "a deleted run's number was given again"
    );
    // Foreign keys are on again.
    store.requeue(&[]).await.unwrap();
    let orphan = sqlx::query("INSERT INTO epochs (run_id, epoch, metrics) VALUES (99, 1, '{}')");
    assert!(orphan.execute(&store.pool).await.is_err());
}

/// Breaks when a store from before tags and notes cannot be opened, loses its notes, or does not take new ones.
#[tokio::test]
async fn a_store_of_the_second_version_takes_tags_and_notes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    let pool = old_store(&path, &MIGRATIONS[..2]).await;
    let mut spec = presets().remove(0).spec;
    spec.notes = "why".into();
    sqlx::query(
        "INSERT INTO experiments (name, notes, spec, created_at) VALUES ('old', 'why', ?, 1)",
    )
    .bind(serde_json::to_string(&spec).unwrap())
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO runs (experiment_id, alpha, seed, device, epochs, spec, state, queued_at)
         VALUES (1, 0, 0, 'cpu', 8, ?, 'cancelled', 1)",
    )
    .bind(serde_json::to_string(&spec.runs()[0]).unwrap())
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;

    let store = Store::open(&path).await.unwrap();
    let experiment = store.experiment(1).await.unwrap();
    assert_eq!(
        (experiment.notes.as_str(), experiment.tags.len()),
        ("why", 0)
    );
    let run = store.run(1).await.unwrap();
    assert_eq!((run.notes.as_str(), run.tags.len()), ("", 0));
    let annotation = Annotation {
        tags: Some(vec!["b".into(), "a".into()]),
        notes: Some("because".into()),
    };
    store.annotate_experiment(1, &annotation).await.unwrap();
    store.annotate_run(1, &annotation).await.unwrap();
    let experiment = store.experiment(1).await.unwrap();
    assert_eq!(
        (experiment.notes.as_str(), experiment.spec.notes.as_str()),
        ("because", "why")
    );
    assert_eq!(experiment.tags, ["b", "a"], "in the order given");
    assert_eq!(store.runs(1).await.unwrap()[0].tags, ["b", "a"]);
    // They are deleted with what they are on.
    store.delete_experiment(1).await.unwrap();
    assert_eq!(store.doom(i64::MAX).await.unwrap().len(), 1);
    store.forget(1).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM tags")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

/// Breaks when a connection whose transaction SQLite has ended by itself, as on a full disk, is used again: every later
/// write on it then fails, with room or without.
#[tokio::test]
async fn writes_go_on_when_a_full_disk_has_room_again() {
    let folder = tempfile::tempdir().unwrap();
    // One connection: whoever writes next gets it.
    let store = Store::open_with(&folder.path().join("lab.sqlite"), 1)
        .await
        .unwrap();
    let experiment = store
        .create_experiment(&presets().remove(0).spec)
        .await
        .unwrap();
    let run = store.runs(experiment).await.unwrap()[0].id;
    let line = |length: usize| Event::Log {
        level: LogLevel::Info,
        message: "x".repeat(length),
    };
    // SQLite's own limit, of this connection, says what a full disk says.
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    let limit = async |pages: i64| {
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(sql).execute(&store.pool).await.unwrap();
    };
    limit(pages).await;
    let full = store.record(run, &line(100_000)).await.unwrap_err();
    assert!(full.to_string().contains("full"), "{full}");
    limit(1 << 30).await;
    for _ in 0..20 {
        let stored = store.record(run, &line(100_000)).await.unwrap();
        assert!(stored.is_some());
    }
    assert_eq!(store.log(run).await.unwrap().len(), 20);
}

/// A store of each earlier version (a dump of SQLite's), and what is read of it. Those of versions 1 to 4 are as the code of version 4
/// wrote them, that of 6 as that version's did; specs say `jpeg` and `retries` besides, which they lacked. It has an imported run, JPEG
/// files and photographs of frost. Those of versions 7 to 9 are that of 6 as this code brought it there, with what came in each.
const FIXTURES: [(usize, &str, &str); 8] = [
    (
        1,
        include_str!("../../tests/fixtures/store-1.sql"),
        include_str!("../../tests/fixtures/store-1.json"),
    ),
    (
        2,
        include_str!("../../tests/fixtures/store-2.sql"),
        include_str!("../../tests/fixtures/store-2.json"),
    ),
    (
        3,
        include_str!("../../tests/fixtures/store-3.sql"),
        include_str!("../../tests/fixtures/store-3.json"),
    ),
    (
        4,
        include_str!("../../tests/fixtures/store-4.sql"),
        include_str!("../../tests/fixtures/store-4.json"),
    ),
    (
        6,
        include_str!("../../tests/fixtures/store-6.sql"),
        include_str!("../../tests/fixtures/store-6.json"),
    ),
    (
        7,
        include_str!("../../tests/fixtures/store-7.sql"),
        include_str!("../../tests/fixtures/store-6.json"),
    ),
    (
        8,
        include_str!("../../tests/fixtures/store-8.sql"),
        include_str!("../../tests/fixtures/store-6.json"),
    ),
    (
        9,
        include_str!("../../tests/fixtures/store-9.sql"),
        include_str!("../../tests/fixtures/store-6.json"),
    ),
];

/// A store of [`FIXTURES`] in `folder`: its file, and a pool of one connection to it, whose foreign keys are off, as those of a
/// migration.
async fn fixture(folder: &tempfile::TempDir, sql: &str) -> (PathBuf, SqlitePool) {
    let path = folder.path().join("lab.sqlite");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .foreign_keys(false)
        .journal_mode(SqliteJournalMode::Wal)
        // A page or two: what is written goes to disk before it is committed.
        .pragma("cache_size", "1");
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options).await.unwrap();
    execute(&pool, sql).await;
    (path, pool)
}

async fn execute(pool: &SqlitePool, sql: &str) -> u64 {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql)
        .execute(pool)
        .await
        .unwrap()
        .rows_affected()
}

/// Everything of the fixtures' experiment that a store hands out.
async fn everything(store: &Store) -> serde_json::Value {
    let mut runs = Vec::new();
    for run in store.runs(1).await.unwrap() {
        runs.push(serde_json::json!({
            "run": store.run(run.id).await.unwrap(),
            "result": run.result,
            "measurements": store.measurements(run.id).await.unwrap(),
            "epochs": store.run_metrics(run.id, EVERY_EPOCH).await.unwrap(),
            "log": store.log(run.id).await.unwrap(),
        }));
    }
    let mut experiment = serde_json::to_value(store.experiment(1).await.unwrap()).unwrap();
    // Fields that are derived on reading, and were not when the fixtures were written.
    for derived in ["test_accuracy", "verdicts"] {
        experiment.as_object_mut().unwrap().remove(derived).unwrap();
    }
    serde_json::json!({
        "experiment": experiment,
        "runs": runs,
        "events": store.events_after(0, None, None, 10_000).await.unwrap(),
    })
}

/// Breaks when a store of an earlier version cannot be opened, loses or changes anything that it held, keeps what was set
/// aside, or gives the number of a deleted run or of an event again.
#[tokio::test]
async fn stores_of_every_earlier_version_keep_everything() {
    for (version, sql, read) in FIXTURES {
        let folder = tempfile::tempdir().unwrap();
        let (path, pool) = fixture(&folder, sql).await;
        pool.close().await;
        let read: serde_json::Value = serde_json::from_str(read).unwrap();
        // A second opening finds nothing to do.
        for _ in 0..2 {
            let store = Store::open(&path).await.unwrap();
            assert_eq!(everything(&store).await, read, "version {version}");
            store.pool.close().await;
        }
        let store = Store::open(&path).await.unwrap();
        let count = async |sql: &'static str| -> i64 {
            let counted = sqlx::query_scalar(sql).fetch_one(&store.pool).await;
            counted.unwrap()
        };
        assert_eq!(
            count("SELECT count(*) FROM pragma_foreign_key_check").await,
            0
        );
        let aside = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%\\_6' ESCAPE '\\'";
        assert_eq!(count(aside).await, 0);
        let of_version = match version {
            8 => {
                "SELECT count(*) FROM runs WHERE (id, attempt, events_offset, errors_offset, retried) = (2, 3, 1234, 56, 1)"
            }
            9 => {
                "SELECT count(*) FROM experiments JOIN submissions ON experiment_id = experiments.id WHERE (launch_key, key, job) = ('launched-once', 'a1b2c3', 77)"
            }
            _ => "SELECT 1",
        };
        assert_eq!(count(of_version).await, 1, "version {version}");
        let copies = "SELECT count(*) FROM events WHERE kind IN ('measured', 'trained') AND payload IS NOT NULL";
        assert_eq!(count(copies).await, 0, "what was measured is kept twice");
        let last = store.last_sequence().await.unwrap();
        let next = store
            .create_experiment(&presets().remove(0).spec)
            .await
            .unwrap();
        let run = store.runs(next).await.unwrap()[0].id;
        assert_eq!(run, 5, "a deleted run's number was given again");
        let event = store.record(run, &Event::Cancelled).await.unwrap();
        let sequence = event.unwrap().sequence.unwrap();
        assert!(sequence > last, "{sequence} after {last}");
    }
}

/// Breaks when a measurement that cannot be read is passed over or not named, or a store is left half converted.
#[tokio::test]
async fn a_damaged_measurement_stops_the_conversion_and_is_named() {
    let (_, sql, read) = FIXTURES[3];
    let folder = tempfile::tempdir().unwrap();
    let (path, pool) = fixture(&folder, sql).await;
    let key = "corruption/generated.0.100/jpeg_compression/1";
    let damages = [
        ("measurement = substr(measurement, 1, 40)", "EOF"),
        ("measurement = replace(measurement, 'jpeg', 'gif')", "gif"),
        ("key = 'corruption/none'", "it is of"),
    ];
    for (damage, reason) in damages {
        execute(&pool, "CREATE TABLE before AS SELECT * FROM measurements").await;
        let damaged =
            format!("UPDATE measurements SET {damage} WHERE run_id = 2 AND key = '{key}'");
        assert_eq!(execute(&pool, &damaged).await, 1);
        let error = Store::open(&path).await.unwrap_err();
        let StoreError::DamagedMeasurement {
            run,
            measurement,
            reason: found,
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!(*run, 2, "{error}");
        assert!(measurement.contains("corruption/"), "{error}");
        assert!(found.contains(reason), "{error}");
        let version: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(version, 4, "half converted");
        execute(&pool, "DELETE FROM measurements").await;
        execute(&pool, "INSERT INTO measurements SELECT * FROM before").await;
        execute(&pool, "DROP TABLE before").await;
    }
    pool.close().await;
    let store = Store::open(&path).await.unwrap();
    let read: serde_json::Value = serde_json::from_str(read).unwrap();
    assert_eq!(everything(&store).await, read);
}

/// Breaks when a crash in the middle of bringing a store up to date loses something, or leaves a store that cannot be
/// opened: the files are copied as a power cut would leave them, with all but the last step written.
#[tokio::test]
async fn a_crash_in_the_middle_of_a_migration_loses_nothing() {
    for (version, sql, read) in FIXTURES {
        let folder = tempfile::tempdir().unwrap();
        let (path, pool) = fixture(&folder, sql).await;
        execute(&pool, "PRAGMA wal_checkpoint(TRUNCATE)").await;
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        super::apply(&mut transaction, &MIGRATIONS).await.unwrap();
        let crashed = folder.path().join("crashed.sqlite");
        std::fs::copy(&path, &crashed).unwrap();
        let log = std::fs::copy(
            folder.path().join("lab.sqlite-wal"),
            folder.path().join("crashed.sqlite-wal"),
        );
        assert!(log.unwrap() > 0, "nothing was written yet");
        let store = Store::open(&crashed).await.unwrap();
        let read: serde_json::Value = serde_json::from_str(read).unwrap();
        assert_eq!(everything(&store).await, read, "version {version}");
        transaction.rollback().await.unwrap();
    }
}

/// Breaks when a row that is damaged on disk is left out of what is read, or its run and measurement are not named.
#[tokio::test]
async fn damaged_rows_are_named() {
    let (_, sql, _) = FIXTURES[3];
    let folder = tempfile::tempdir().unwrap();
    let (path, pool) = fixture(&folder, sql).await;
    pool.close().await;
    let store = Store::open(&path).await.unwrap();
    let fog = "(SELECT id FROM items WHERE key = 'corruption/generated.0.100/fog/4')";
    let clean =
        "(SELECT id FROM items WHERE key = 'dimensionality/responses/generated.0.100/clean')";
    let damages = [
        format!("UPDATE measurements SET accuracy = NULL WHERE run_id = 1 AND item_id = {fog}"),
        format!(
            "UPDATE arrays SET packed = substr(packed, 1, 9) WHERE run_id = 1 AND item_id = {clean}"
        ),
        format!("DELETE FROM arrays WHERE run_id = 1 AND item_id = {clean}"),
        format!("UPDATE items SET corruption = 'rain' WHERE id = {fog}"),
        format!("UPDATE items SET images = 7 WHERE id = {fog}"),
    ];
    for damage in damages {
        let copy = folder.path().join("copy.sqlite");
        let into = format!("VACUUM INTO '{}'", copy.display());
        execute(&store.pool, &into).await;
        let damaged = Store::open(&copy).await.unwrap();
        assert_eq!(execute(&damaged.pool, &damage).await, 1, "{damage}");
        let key = if damage.contains("clean') ") || damage.ends_with("clean')") {
            "dimensionality/responses/generated.0.100/clean"
        } else {
            "corruption/generated.0.100/fog/4"
        };
        let errors = [
            damaged.measurements(1).await.unwrap_err(),
            damaged.numbers(1, None).await.unwrap_err(),
            damaged.events_after(0, None, None, 1000).await.unwrap_err(),
        ];
        for error in errors {
            let StoreError::DamagedMeasurement {
                run, measurement, ..
            } = &error
            else {
                panic!("{damage}: {error:?}")
            };
            assert_eq!((*run, measurement.as_str()), (1, &*format!("`{key}`")));
        }
        damaged.pool.close().await;
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", copy.display()));
        }
    }
}
