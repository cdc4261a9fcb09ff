//! Measured items in typed columns: one row for each kind, conditions and item, shared by all runs.

use std::collections::HashMap;

use protocol::MeasurementKey;
use protocol::attack::{Attack, AttackConditions, Method, Norm};
use protocol::corruption::FrostFingerprint;
use protocol::corruption_evaluation::{CorruptionConditions, CorruptionSource};
use protocol::dimensionality::{ActivationMatrix, Perturbation};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::StoreError;

/// An item of the store.
pub(super) struct Item {
    /// As [`MeasurementKey`] is written.
    pub(super) text: String,
    /// The same, or why its row cannot be read.
    pub(super) key: Result<MeasurementKey, String>,
    /// Its place among all items in order of text.
    pub(super) place: usize,
}

/// Every item of the store, by number.
pub(super) async fn items(
    connection: &mut SqliteConnection,
) -> Result<HashMap<i64, Item>, StoreError> {
    let rows = sqlx::query("SELECT * FROM items ORDER BY key")
        .fetch_all(connection)
        .await?;
    let items = rows.iter().enumerate().map(|(place, row)| {
        let text: String = row.try_get("key")?;
        let key = match read(row) {
            Ok(Some(key)) if key.to_string() == text => Ok(key),
            Ok(Some(other)) => Err(format!("its columns say `{other}`")),
            Ok(None) => Err("its columns name nothing that is measured".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        Ok((row.try_get("id")?, Item { text, key, place }))
    });
    items.collect()
}

/// The number of an item, which is inserted if it is missing.
pub(super) async fn item_id(
    connection: &mut SqliteConnection,
    key: MeasurementKey,
) -> Result<i64, StoreError> {
    let text = key.to_string();
    let known = sqlx::query_scalar("SELECT id FROM items WHERE key = ?")
        .bind(&text)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(id) = known {
        return Ok(id);
    }
    let columns = Columns::of(key);
    let attack = columns.attack;
    let inserted = sqlx::query(
        "INSERT INTO items (key, kind, images, seed, source, jpeg, frost, matrix, corruption, severity, method, norm,
             epsilon, step_size, steps, random_starts)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&text)
    .bind(columns.kind)
    .bind(columns.images)
    .bind(columns.seed as i64) // At most 2^53 - 1, checked with the spec.
    .bind(columns.source.map(CorruptionSource::id))
    .bind(columns.jpeg)
    .bind(columns.frost.map(|frost| frost.to_string()))
    .bind(columns.matrix.map(ActivationMatrix::id))
    .bind(columns.corruption.map(|(corruption, _)| corruption.id()))
    .bind(columns.corruption.map(|(_, severity)| severity))
    .bind(attack.map(|attack| attack.method.id()))
    .bind(attack.map(|attack| attack.norm.id()))
    .bind(attack.map(|attack| attack.epsilon))
    .bind(attack.and_then(|attack| attack.step_size))
    .bind(attack.and_then(|attack| attack.steps))
    .bind(attack.map(|attack| attack.random_starts))
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_rowid())
}

/// An item's columns.
#[derive(Default)]
struct Columns {
    kind: &'static str,
    images: u32,
    seed: u64,
    source: Option<CorruptionSource>,
    jpeg: bool,
    frost: Option<FrostFingerprint>,
    matrix: Option<ActivationMatrix>,
    corruption: Option<(protocol::Corruption, u8)>,
    attack: Option<Attack>,
}

impl Columns {
    fn of(key: MeasurementKey) -> Columns {
        let on_corruptions = |kind, conditions: CorruptionConditions| Columns {
            kind,
            images: conditions.images,
            seed: conditions.corruption_seed,
            source: Some(conditions.source),
            jpeg: conditions.jpeg,
            frost: conditions.frost,
            ..Columns::default()
        };
        let with_attacks = |kind, conditions: AttackConditions| Columns {
            kind,
            images: conditions.images,
            seed: conditions.attack_seed,
            ..Columns::default()
        };
        match key {
            MeasurementKey::Corruption {
                conditions,
                corruption,
                severity,
            } => Columns {
                corruption: Some((corruption, severity)),
                ..on_corruptions("corruption", conditions)
            },
            MeasurementKey::Attack { conditions, attack } => Columns {
                attack: Some(attack),
                ..with_attacks("attack", conditions)
            },
            MeasurementKey::Masking { conditions } => with_attacks("masking", conditions),
            MeasurementKey::Dimensionality {
                matrix,
                conditions,
                perturbation,
            } => Columns {
                matrix: Some(matrix),
                corruption: match perturbation {
                    Perturbation::Corruption {
                        corruption,
                        severity,
                    } => Some((corruption, severity)),
                    _ => None,
                },
                attack: match perturbation {
                    Perturbation::Attack(attack) => Some(attack),
                    _ => None,
                },
                ..on_corruptions("dimensionality", conditions)
            },
            MeasurementKey::InputUnitGradients { images } => Columns {
                kind: "input_unit_gradients",
                images,
                ..Columns::default()
            },
        }
    }
}

/// The key of a row; `None` if its values name no item.
fn read(row: &SqliteRow) -> Result<Option<MeasurementKey>, sqlx::Error> {
    let kind: &str = row.try_get("kind")?;
    let images: u32 = row.try_get("images")?;
    let seed = row.try_get::<i64, _>("seed")? as u64;
    let source: Option<&str> = row.try_get("source")?;
    let source = source.and_then(CorruptionSource::from_id);
    let jpeg: bool = row.try_get("jpeg")?;
    let frost: Option<&str> = row.try_get("frost")?;
    let frost = frost.map(str::parse).transpose();
    let frost = frost.map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let on_corruptions = source.map(|source| CorruptionConditions {
        source,
        corruption_seed: seed,
        images,
        jpeg,
        frost,
    });
    let matrix: Option<&str> = row.try_get("matrix")?;
    let matrix = matrix.and_then(ActivationMatrix::from_id);
    let with_attacks = AttackConditions {
        attack_seed: seed,
        images,
    };
    let corruption: Option<&str> = row.try_get("corruption")?;
    let corruption = corruption
        .and_then(|text| text.parse().ok())
        .zip(row.try_get::<Option<u8>, _>("severity")?);
    let attack = attack(row)?;
    let key = || {
        Some(match kind {
            "corruption" => MeasurementKey::Corruption {
                conditions: on_corruptions?,
                corruption: corruption?.0,
                severity: corruption?.1,
            },
            "attack" => MeasurementKey::Attack {
                conditions: with_attacks,
                attack: attack?,
            },
            "masking" => MeasurementKey::Masking {
                conditions: with_attacks,
            },
            "dimensionality" => MeasurementKey::Dimensionality {
                matrix: matrix?,
                conditions: on_corruptions?,
                perturbation: match (corruption, attack) {
                    (Some((corruption, severity)), _) => Perturbation::Corruption {
                        corruption,
                        severity,
                    },
                    (None, Some(attack)) => Perturbation::Attack(attack),
                    (None, None) => Perturbation::Clean,
                },
            },
            "input_unit_gradients" => MeasurementKey::InputUnitGradients { images },
            _ => return None,
        })
    };
    Ok(key())
}

fn attack(row: &SqliteRow) -> Result<Option<Attack>, sqlx::Error> {
    let method: Option<&str> = row.try_get("method")?;
    let norm: Option<&str> = row.try_get("norm")?;
    let method = method.and_then(Method::from_id);
    let (Some(method), Some(norm)) = (method, norm.and_then(Norm::from_id)) else {
        return Ok(None);
    };
    Ok(Some(Attack {
        method,
        norm,
        epsilon: row.try_get("epsilon")?,
        step_size: row.try_get("step_size")?,
        steps: row.try_get("steps")?,
        random_starts: row.try_get("random_starts")?,
    }))
}
