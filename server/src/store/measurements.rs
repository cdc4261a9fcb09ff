//! The measurements of evaluations: writing them, reading them back, and asking for more.
//!
//! A measurement is a row of `measurements` with its few numbers, of an item (see [`items`](super::items)), and where it
//! has long parts a row of `arrays`. [`write`] writes them, [`Row::read`] reads one; nothing else knows the columns.

use std::collections::HashMap;

use futures::TryStreamExt;
use protocol::attack::{AttackMeasurement, MaskingCheck, MaskingReport, Method};
use protocol::corruption_evaluation::CorruptionMeasurement;
use protocol::dimensionality::DimensionalityMeasurement;
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::{EvaluationSpec, Measurement, MeasurementKey};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::arrays::{Arrays, pack, unpack};
use super::deletions::RUN_IS_KEPT;
use super::items::{Item, item_id, items};
use super::{Store, StoreError};
use crate::clock::now;

/// Whose measurements are read.
#[derive(Debug, Clone, Copy)]
pub enum MeasurementsOf<'a> {
    /// One run's.
    Run(i64),
    /// Those of every run of an experiment.
    Experiment(i64),
    /// Those of these runs.
    Runs(&'a [i64]),
}

impl Store {
    /// What was measured on a run, in order of key.
    ///
    /// # Errors
    /// When there is no such run, or a measurement cannot be read.
    pub async fn measurements(&self, run_id: i64) -> Result<Vec<Measurement>, StoreError> {
        self.experiment_of(run_id).await?;
        let mut measurements = Vec::new();
        self.each_measurement(MeasurementsOf::Run(run_id), |_, measurement| {
            measurements.push(measurement)
        })
        .await?;
        Ok(measurements)
    }

    /// What was measured on every run of an experiment, with the run's number, in order of run and key.
    ///
    /// # Errors
    /// When the store fails, or a measurement cannot be read.
    pub async fn experiment_measurements(
        &self,
        experiment_id: i64,
    ) -> Result<Vec<(i64, Measurement)>, StoreError> {
        let mut measurements = Vec::new();
        let take = |run, measurement| measurements.push((run, measurement));
        self.each_measurement(MeasurementsOf::Experiment(experiment_id), take)
            .await?;
        Ok(measurements)
    }

    /// Hands every measurement and its run's number to `take`, in order of run and key, without holding all of them.
    ///
    /// # Errors
    /// When the store fails, or a measurement cannot be read.
    pub async fn each_measurement(
        &self,
        selection: MeasurementsOf<'_>,
        mut take: impl FnMut(i64, Measurement),
    ) -> Result<(), StoreError> {
        // One transaction: every item of a measurement that is read is known.
        let mut transaction = self.pool.begin().await?;
        let items = items(&mut transaction).await?;
        let query = match selection {
            MeasurementsOf::Run(run) => sqlx::query(OF_RUN).bind(run),
            MeasurementsOf::Experiment(experiment) => sqlx::query(OF_EXPERIMENT).bind(experiment),
            MeasurementsOf::Runs(runs) => sqlx::query(OF_RUNS).bind(serde_json::to_string(runs)?),
        };
        let mut rows = query.fetch(&mut *transaction);
        let mut of_run: Vec<(usize, Measurement)> = Vec::new();
        let mut run = 0;
        let mut hand_over = |run: i64, measurements: &mut Vec<(usize, Measurement)>| {
            measurements.sort_by_key(|(place, _)| *place);
            for (_, measurement) in measurements.drain(..) {
                take(run, measurement);
            }
        };
        while let Some(row) = rows.try_next().await? {
            let row = Row::new(&row)?;
            if row.run_id != run {
                hand_over(run, &mut of_run);
                run = row.run_id;
            }
            of_run.push(row.read(&items)?);
        }
        hand_over(run, &mut of_run);
        Ok(())
    }

    /// Asks for an evaluation of a trained run that is not at work, and queues it.
    ///
    /// # Errors
    /// When there is no such run, or it is queued, running, or not trained; nothing has changed then.
    pub async fn evaluate_again(
        &self,
        run_id: i64,
        spec: &EvaluationSpec,
    ) -> Result<(), StoreError> {
        self.experiment_of(run_id).await?;
        let changed = sqlx::query(sqlx::AssertSqlSafe(format!(
            "UPDATE runs SET state = 'queued', queued_at = ?, ended_at = NULL, reason = NULL,
                 later_evaluations = json_insert(later_evaluations, '$[#]', json(?))
             WHERE id = ? AND result IS NOT NULL AND state NOT IN ('queued', 'running', 'diverged') AND {RUN_IS_KEPT}"
        )))
        .bind(now())
        .bind(serde_json::to_string(spec)?)
        .bind(run_id)
        .execute(&self.pool)
        .await?;
        match changed.rows_affected() {
            0 => Err(StoreError::NotEvaluable(run_id)),
            _ => Ok(()),
        }
    }
}

const OF_RUN: &str = "SELECT run_id, item_id, accuracy, clean_accuracy, cross_entropy, packed
     FROM measurements LEFT JOIN arrays USING (run_id, item_id) WHERE run_id = ?";

// Read in the order of the primary key, without sorting.
const OF_EXPERIMENT: &str =
    "SELECT run_id, item_id, accuracy, clean_accuracy, cross_entropy, packed
     FROM measurements LEFT JOIN arrays USING (run_id, item_id)
     WHERE run_id IN (SELECT id FROM runs WHERE experiment_id = ?) ORDER BY run_id, item_id";

const OF_RUNS: &str = "SELECT run_id, item_id, accuracy, clean_accuracy, cross_entropy, packed
     FROM measurements LEFT JOIN arrays USING (run_id, item_id)
     WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY run_id, item_id";

/// Writes a measurement; gives its item, or `None` where the run has one of that item, which stays as first measured.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    run_id: i64,
    measured_at: i64,
    measurement: &Measurement,
) -> Result<Option<i64>, StoreError> {
    let item = item_id(connection, measurement.key()).await?;
    let there = "SELECT EXISTS (SELECT 1 FROM measurements WHERE run_id = ? AND item_id = ?)";
    let there: bool = sqlx::query_scalar(there)
        .bind(run_id)
        .bind(item)
        .fetch_one(&mut *connection)
        .await?;
    if there {
        return Ok(None);
    }
    let written = Written::new(item, measured_at, measurement)?;
    write(connection, run_id, &[written]).await?;
    Ok(Some(item))
}

/// A measurement as it is written.
pub(super) struct Written {
    item: i64,
    measured_at: i64,
    numbers: Numbers,
    packed: Option<Vec<u8>>,
}

impl Written {
    pub(super) fn new(
        item: i64,
        measured_at: i64,
        measurement: &Measurement,
    ) -> Result<Written, StoreError> {
        Ok(Written {
            item,
            measured_at,
            numbers: Numbers::of(measurement),
            packed: arrays(measurement).as_ref().map(pack).transpose()?,
        })
    }
}

/// Writes measurements that the run does not have yet.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    run_id: i64,
    written: &[Written],
) -> Result<(), StoreError> {
    // SQLite takes 32,766 values a statement.
    for some in written.chunks(1000) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO measurements (run_id, item_id, measured_at, accuracy, clean_accuracy, cross_entropy) ",
        );
        query.push_values(some, |mut row, one| {
            row.push_bind(run_id)
                .push_bind(one.item)
                .push_bind(one.measured_at)
                .push_bind(one.numbers.accuracy)
                .push_bind(one.numbers.clean_accuracy)
                .push_bind(one.numbers.cross_entropy);
        });
        query.build().execute(&mut *connection).await?;
        let packed: Vec<(i64, &[u8])> = some
            .iter()
            .filter_map(|one| Some((one.item, one.packed.as_deref()?)))
            .collect();
        if packed.is_empty() {
            continue;
        }
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO arrays (run_id, item_id, packed) ");
        query.push_values(packed, |mut row, (item, packed)| {
            row.push_bind(run_id).push_bind(item).push_bind(packed);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// A row of `measurements`, with its long parts. The columns are in this order.
pub(super) struct Row<'a> {
    pub(super) run_id: i64,
    item_id: i64,
    numbers: Numbers,
    packed: Option<&'a [u8]>,
}

impl<'a> Row<'a> {
    pub(super) fn new(row: &'a SqliteRow) -> Result<Row<'a>, sqlx::Error> {
        // By place: looking up columns by name takes as long as all else for 400,000 rows.
        Ok(Row {
            run_id: row.try_get(0)?,
            item_id: row.try_get(1)?,
            numbers: Numbers {
                accuracy: row.try_get(2)?,
                clean_accuracy: row.try_get(3)?,
                cross_entropy: row.try_get(4)?,
            },
            packed: row.try_get(5)?,
        })
    }

    /// The measurement, and the place of its item in order of key.
    pub(super) fn read(
        self,
        items: &HashMap<i64, Item>,
    ) -> Result<(usize, Measurement), StoreError> {
        let item = items.get(&self.item_id);
        let damaged = |reason: String| StoreError::DamagedMeasurement {
            run: self.run_id,
            measurement: item.map_or_else(
                || format!("of item {}", self.item_id),
                |item| format!("`{}`", item.text),
            ),
            reason,
        };
        let item = item.ok_or_else(|| damaged("there is no such item".into()))?;
        let key = item.key.clone().map_err(damaged)?;
        let arrays = self.packed.map(unpack).transpose();
        let arrays = arrays.map_err(|error| damaged(format!("its arrays: {error}")))?;
        let measurement = join(key, self.numbers, arrays);
        let measurement =
            measurement.ok_or_else(|| damaged("it lacks a number or its arrays".into()))?;
        Ok((item.place, measurement))
    }
}

/// The numbers of a measurement that have columns.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    accuracy: Option<f64>,
    clean_accuracy: Option<f64>,
    cross_entropy: Option<f64>,
}

impl Numbers {
    fn of(measurement: &Measurement) -> Numbers {
        match measurement {
            Measurement::Corruption(measured) => Numbers {
                accuracy: Some(measured.accuracy),
                clean_accuracy: Some(measured.clean_accuracy),
                cross_entropy: Some(measured.cross_entropy),
            },
            Measurement::Attack(measured) => Numbers {
                accuracy: Some(measured.accuracy),
                clean_accuracy: Some(measured.clean_accuracy),
                cross_entropy: None,
            },
            _ => Numbers::default(),
        }
    }
}

/// The long parts of a measurement, if it has any.
fn arrays(measurement: &Measurement) -> Option<Arrays> {
    match measurement {
        Measurement::Corruption(_) => None,
        Measurement::Attack(measured) => {
            let members = measured.members.iter();
            let members = members.map(|(method, accuracy)| (method.id().to_owned(), *accuracy));
            (!measured.members.is_empty()).then(|| Arrays::Members(members.collect()))
        }
        Measurement::Masking(report) => {
            let checks = report.checks.iter().cloned();
            let checks = checks.map(|check| (check.expectation, check.evidence, check.holds));
            Some(Arrays::Checks(checks.collect()))
        }
        Measurement::Dimensionality(measured) => Some(Arrays::Dimensionality {
            columns: measured.columns.clone(),
            components_90: measured.components_90.clone(),
            components_95: measured.components_95.clone(),
            components_99: measured.components_99.clone(),
            participation_ratio: measured.participation_ratio.clone(),
        }),
        Measurement::InputUnitGradients(measured) => Some(Arrays::InputUnitGradients {
            mean_norm: measured.mean_norm.clone(),
            cv_across_samples: measured.cv_across_samples.clone(),
            cv_across_units: measured.cv_across_units.clone(),
            units_without_gradient: measured.units_without_gradient.clone(),
        }),
    }
}

/// Accuracies after each member of an ensemble, empty for a single attack; `None` where the arrays are of another kind or name
/// an unknown method.
fn join_members(arrays: Option<Arrays>) -> Option<Vec<(Method, f64)>> {
    let members = match arrays {
        None => return Some(Vec::new()),
        Some(Arrays::Members(members)) => members,
        Some(_) => return None,
    };
    let member = |(name, accuracy): (String, f64)| {
        let method = Method::from_id(&name)?;
        Some((method, accuracy))
    };
    members.into_iter().map(member).collect()
}

/// The measurement that [`Numbers::of`] and [`arrays`] took apart; `None` where a part is missing or another's.
fn join(key: MeasurementKey, numbers: Numbers, arrays: Option<Arrays>) -> Option<Measurement> {
    Some(match (key, arrays) {
        (
            MeasurementKey::Corruption {
                conditions,
                corruption,
                severity,
            },
            None,
        ) => Measurement::Corruption(CorruptionMeasurement {
            conditions,
            corruption,
            severity,
            accuracy: numbers.accuracy?,
            cross_entropy: numbers.cross_entropy?,
            clean_accuracy: numbers.clean_accuracy?,
        }),
        (MeasurementKey::Attack { conditions, attack }, members) => {
            Measurement::Attack(AttackMeasurement {
                conditions,
                attack,
                accuracy: numbers.accuracy?,
                clean_accuracy: numbers.clean_accuracy?,
                members: join_members(members)?,
            })
        }
        (MeasurementKey::Masking { conditions }, Some(Arrays::Checks(checks))) => {
            let checks = checks.into_iter();
            let checks = checks.map(|(expectation, evidence, holds)| MaskingCheck {
                expectation,
                evidence,
                holds,
            });
            Measurement::Masking(MaskingReport {
                conditions,
                checks: checks.collect(),
            })
        }
        (
            MeasurementKey::Dimensionality {
                matrix,
                conditions,
                perturbation,
            },
            Some(Arrays::Dimensionality {
                columns,
                components_90,
                components_95,
                components_99,
                participation_ratio,
            }),
        ) => Measurement::Dimensionality(DimensionalityMeasurement {
            conditions,
            matrix,
            perturbation,
            columns,
            components_90,
            components_95,
            components_99,
            participation_ratio,
        }),
        (
            MeasurementKey::InputUnitGradients { images },
            Some(Arrays::InputUnitGradients {
                mean_norm,
                cv_across_samples,
                cv_across_units,
                units_without_gradient,
            }),
        ) => Measurement::InputUnitGradients(InputUnitGradientMeasurement {
            images,
            mean_norm,
            cv_across_samples,
            cv_across_units,
            units_without_gradient,
        }),
        _ => return None,
    })
}
