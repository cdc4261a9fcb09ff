//! What was measured as tables, written as CSV or Parquet.
//!
//! A table is a file here with a function that builds it from the store's data, and a line in [`Source`].

mod attacks;
mod corruptions;
mod csv;
mod dimensionality;
mod epochs;
mod input_unit_gradients;
mod parquet;
mod runs;
mod units;

use std::borrow::Cow;
use std::collections::HashMap;

use protocol::api::RunMetrics;
use protocol::corruption::PUBLISHED_JPEG_QUALITY;
use protocol::corruption_evaluation::CorruptionConditions;
use protocol::export::{ExportFormat, ExportTable};
use protocol::result::LayerShape;
use protocol::{Measurement, Run};

use crate::store::{EVERY_EPOCH, Store, StoreError};

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// The name of each column, and the kind of its values.
    columns: Vec<(&'static str, Kind)>,
    /// The rows, each with one value per column.
    rows: Vec<Vec<Cell>>,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    /// In double precision.
    Number,
    /// In single precision, as it was computed.
    Single,
}

/// A value, of its column's kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(Cow<'static, str>),
    /// A whole number.
    Integer(i64),
    /// In double precision.
    Number(f64),
    /// In single precision.
    Single(f32),
    /// Nothing.
    Missing,
}

impl From<&'static str> for Cell {
    fn from(text: &'static str) -> Cell {
        Cell::Text(text.into())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text.into())
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Cell {
        Cell::Integer(value)
    }
}

impl From<u32> for Cell {
    fn from(value: u32) -> Cell {
        Cell::Integer(value.into())
    }
}

/// Places in a list.
impl From<usize> for Cell {
    fn from(value: usize) -> Cell {
        Cell::Integer(value as i64)
    }
}

/// Seeds, which are at most 2^53 - 1.
impl From<u64> for Cell {
    fn from(value: u64) -> Cell {
        Cell::Integer(value as i64)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Cell {
        Cell::Number(value)
    }
}

impl From<f32> for Cell {
    fn from(value: f32) -> Cell {
        Cell::Single(value)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Missing, Into::into)
    }
}

/// A table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// As CSV.
    #[error("the table could not be written as CSV: {0}")]
    Csv(#[from] ::csv::Error),
    /// As Parquet.
    #[error("the table could not be written as Parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// A value is of another kind than its column.
    #[error("the table could not be written: {0:?} is of another kind than its column")]
    Kind(Cell),
    /// Into memory.
    #[error("the table could not be written: {0}")]
    Memory(#[from] std::io::Error),
}

/// A table in the making: what each row is made of, and the columns so far.
struct Rows<R> {
    rows: Vec<(R, Vec<Cell>)>,
    columns: Vec<(&'static str, Kind)>,
}

impl<R> Rows<R> {
    /// A row for each of `rows`, without columns.
    fn new(rows: impl Iterator<Item = R>) -> Rows<R> {
        Rows {
            rows: rows.map(|row| (row, Vec::new())).collect(),
            columns: Vec::new(),
        }
    }

    /// Adds a column of words.
    fn text<V: Into<Cell>>(self, name: &'static str, value: impl Fn(&R) -> V) -> Rows<R> {
        self.column(name, Kind::Text, value)
    }

    /// Adds a column of whole numbers.
    fn integer<V: Into<Cell>>(self, name: &'static str, value: impl Fn(&R) -> V) -> Rows<R> {
        self.column(name, Kind::Integer, value)
    }

    /// Adds a column of numbers in double precision.
    fn number<V: Into<Cell>>(self, name: &'static str, value: impl Fn(&R) -> V) -> Rows<R> {
        self.column(name, Kind::Number, value)
    }

    /// Adds a column of numbers in single precision.
    fn single<V: Into<Cell>>(self, name: &'static str, value: impl Fn(&R) -> V) -> Rows<R> {
        self.column(name, Kind::Single, value)
    }

    fn column<V: Into<Cell>>(
        mut self,
        name: &'static str,
        kind: Kind,
        value: impl Fn(&R) -> V,
    ) -> Rows<R> {
        self.columns.push((name, kind));
        for (row, cells) in &mut self.rows {
            cells.push(value(row).into());
        }
        self
    }

    /// The table, with the columns in the order in which they were added.
    fn table(self) -> Table {
        Table {
            columns: self.columns,
            rows: self.rows.into_iter().map(|(_, cells)| cells).collect(),
        }
    }
}

impl<'a, T> Rows<(&'a Run, T)> {
    /// Rows of what runs have several of, with columns that say which run: number, alpha and seed.
    fn of_runs(rows: impl Iterator<Item = (&'a Run, T)>) -> Self {
        Rows::new(rows)
            .integer("run", |(run, _)| run.id)
            .number("alpha", |(run, _)| run.spec.alpha)
            .integer("seed", |(run, _)| run.spec.seed)
    }
}

impl Table {
    /// The table as a file.
    ///
    /// # Errors
    /// When the format's writer fails.
    pub fn write(&self, format: ExportFormat) -> Result<Vec<u8>, TableError> {
        match format {
            ExportFormat::Csv => csv::write(self),
            ExportFormat::Parquet => parquet::write(self),
        }
    }
}

/// The data that a table is made from.
#[derive(Debug, Default)]
pub struct Source {
    runs: Vec<Run>,
    metrics: Vec<RunMetrics>,
    /// In order of run and key.
    measurements: Vec<(i64, Measurement)>,
}

impl Source {
    /// Reads the data for a table of an experiment.
    ///
    /// # Errors
    /// When there is no such experiment, or the store fails.
    pub async fn of_experiment(
        store: &Store,
        id: i64,
        table: ExportTable,
    ) -> Result<Source, StoreError> {
        let mut source = Source::default();
        match table {
            ExportTable::Runs => source.runs = store.runs(id).await?,
            ExportTable::Epochs => {
                source.metrics = store.experiment_metrics(id, EVERY_EPOCH).await?
            }
            ExportTable::Units => source.runs = store.trained_runs_with_units(id).await?,
            ExportTable::Corruptions
            | ExportTable::Attacks
            | ExportTable::Dimensionality
            | ExportTable::InputUnitGradients => {
                source.runs = store.runs(id).await?;
                source.measurements = store.experiment_measurements(id).await?;
            }
        }
        Ok(source)
    }

    /// Reads the data for a table of a run.
    ///
    /// # Errors
    /// When there is no such run, or the store fails.
    pub async fn of_run(store: &Store, id: i64, table: ExportTable) -> Result<Source, StoreError> {
        let run = store.run(id).await?;
        let mut source = Source::default();
        match table {
            ExportTable::Epochs => source.metrics.push(RunMetrics {
                run_id: id,
                alpha: run.spec.alpha,
                seed: run.spec.seed,
                epochs: store.run_metrics(id, EVERY_EPOCH).await?,
            }),
            ExportTable::Runs | ExportTable::Units => {}
            ExportTable::Corruptions
            | ExportTable::Attacks
            | ExportTable::Dimensionality
            | ExportTable::InputUnitGradients => {
                let measured = store.measurements(id).await?.into_iter();
                source.measurements = measured.map(|one| (id, one)).collect();
            }
        }
        source.runs.push(run);
        Ok(source)
    }

    /// The table. A large one takes seconds: not for a thread that others wait for.
    pub fn table(&self, table: ExportTable) -> Table {
        match table {
            ExportTable::Runs => runs::table(&self.runs),
            ExportTable::Epochs => epochs::table(&self.metrics),
            ExportTable::Units => units::table(&self.runs),
            ExportTable::Corruptions => corruptions::table(self),
            ExportTable::Attacks => attacks::table(self),
            ExportTable::Dimensionality => dimensionality::table(self),
            ExportTable::InputUnitGradients => input_unit_gradients::table(self),
        }
    }

    /// The measurements that `pick` takes, with their runs. Measurements of a run that was queued between the two
    /// readings are left out.
    fn measured<'a, T>(
        &'a self,
        pick: impl Fn(&'a Measurement) -> Option<T> + 'a,
    ) -> impl Iterator<Item = (&'a Run, T)> {
        let runs: HashMap<i64, &Run> = self.runs.iter().map(|run| (run.id, run)).collect();
        let all = self.measurements.iter();
        all.filter_map(move |(id, one)| Some((*runs.get(id)?, pick(one)?)))
    }

    /// The same for each layer of the run's network.
    fn measured_by_layer<'a, T: Copy + 'a>(
        &'a self,
        pick: impl Fn(&'a Measurement) -> Option<T> + 'a,
    ) -> impl Iterator<Item = (&'a Run, OfLayer<T>)> {
        self.measured(pick).flat_map(|(run, measurement)| {
            let layers = run.spec.network.layers().into_iter().enumerate();
            layers.map(move |(index, LayerShape { name, .. })| {
                (
                    run,
                    OfLayer {
                        measurement,
                        index,
                        name,
                    },
                )
            })
        })
    }
}

/// A measurement, of one layer.
struct OfLayer<T> {
    measurement: T,
    /// The layer's place in forward order, from 0.
    index: usize,
    name: String,
}

impl<T> OfLayer<T> {
    /// The layer's value among those of all layers; missing where there are fewer.
    fn at_layer<V: Clone>(&self, values: &[V]) -> Option<V> {
        values.get(self.index).cloned()
    }
}

/// Quality of the JPEG files that corrupted images went through; `None` without JPEG.
fn jpeg_quality(conditions: CorruptionConditions) -> Option<u32> {
    conditions.jpeg.then_some(PUBLISHED_JPEG_QUALITY.into())
}

/// Fingerprint of the photographs of frost; `None` if the texture was drawn.
fn frost_photographs(conditions: CorruptionConditions) -> Option<String> {
    conditions.frost.map(|frost| frost.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row with every kind of value, one with none.
    pub(super) fn some() -> Table {
        Table {
            columns: vec![
                ("name", Kind::Text),
                ("count", Kind::Integer),
                ("number", Kind::Number),
                ("single", Kind::Single),
            ],
            rows: vec![
                vec![
                    "a, \"b\"".into(),
                    7_u32.into(),
                    (0.1 + 0.2).into(),
                    0.1_f32.into(),
                ],
                vec![
                    Cell::Missing,
                    None::<i64>.into(),
                    Cell::Missing,
                    Cell::Missing,
                ],
            ],
        }
    }
}
