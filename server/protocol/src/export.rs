//! Tables that everything measured leaves in, and the formats that they leave as.

use std::fmt;
use std::str::FromStr;

use crate::named::named;

named! {
    /// A table of what was measured.
    pub enum ExportTable {
        /// One row a run; of experiments alone.
        Runs = "runs" => "runs",
        /// One row a run and epoch.
        Epochs = "epochs" => "epochs",
        /// One row a run, layer and unit.
        Units = "units" => "units",
        /// One row a run, corruption and severity.
        Corruptions = "corruptions" => "corruptions",
        /// One row a run and attack.
        Attacks = "attacks" => "attacks",
        /// One row a run, perturbation and layer.
        Dimensionality = "dimensionality" => "dimensionality",
        /// One row a run and layer.
        InputUnitGradients = "input_unit_gradients" => "input-unit gradients",
    }
}

impl ExportTable {
    /// The tables of a single run.
    pub fn of_runs() -> impl Iterator<Item = ExportTable> {
        let all = ExportTable::ALL.into_iter();
        all.filter(|table| *table != ExportTable::Runs)
    }
}

impl fmt::Display for ExportTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A text names no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no table is called `{0}`; choose one of {list}", list = ExportTable::ALL.map(ExportTable::id).join(", "))]
pub struct UnknownTable(pub String);

impl FromStr for ExportTable {
    type Err = UnknownTable;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ExportTable::from_id(text).ok_or_else(|| UnknownTable(text.to_owned()))
    }
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values with a heading; every digit, nothing where a value is missing.
    Csv,
    /// Apache Parquet: columns have types, and a missing value is null.
    Parquet,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [ExportFormat; 2] = [ExportFormat::Csv, ExportFormat::Parquet];

    /// The end of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            ExportFormat::Csv => "csv",
            ExportFormat::Parquet => "parquet",
        }
    }

    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            ExportFormat::Csv => "CSV",
            ExportFormat::Parquet => "Parquet",
        }
    }

    /// Where an experiment's table is, relative to the server's root.
    pub fn of_experiment(self, experiment: i64, table: ExportTable) -> String {
        let extension = self.extension();
        format!("/api/v1/experiments/{experiment}/export.{extension}?table={table}")
    }

    /// Where a run's table is, relative to the server's root.
    pub fn of_run(self, run: i64, table: ExportTable) -> String {
        let extension = self.extension();
        format!("/api/v1/runs/{run}/export.{extension}?table={table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a table is read under another name than it is written, or is in no list.
    #[test]
    fn tables_are_read_as_they_are_written() {
        for table in ExportTable::ALL {
            assert_eq!(table.to_string().parse(), Ok(table));
            assert_eq!(
                serde_json::to_value(table).unwrap(),
                serde_json::json!(table.id())
            );
        }
        let wrong = "layers".parse::<ExportTable>().unwrap_err().to_string();
        assert!(wrong.contains("`layers`") && wrong.contains("input_unit_gradients"));
        assert_eq!(ExportTable::of_runs().count(), 6);
    }
}
