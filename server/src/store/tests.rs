use protocol::Event;
use protocol::annotation::Annotation;
use protocol::event::LogLevel;
use protocol::preset::presets;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::{MIGRATIONS, Store};

/// Breaks when a store of an earlier version loses what was measured, or gives a deleted run's number again.
#[tokio::test]
async fn a_store_of_the_first_version_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .unwrap();
    super::migrate(&pool, &MIGRATIONS[..1]).await.unwrap();
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

/// Breaks when a store of before tags and notes cannot be opened, loses its notes, or does not take new ones.
#[tokio::test]
async fn a_store_of_the_second_version_takes_tags_and_notes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .unwrap();
    super::migrate(&pool, &MIGRATIONS[..2]).await.unwrap();
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
    // Deleted with what they are on.
    store.delete_experiment(1).await.unwrap();
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
