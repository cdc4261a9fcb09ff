//! A few lines of Python and R that read an experiment's exports, one in each format.

use protocol::export::{ExportFormat, ExportTable};

/// The exports that the snippets read: name of the file, and where it is, relative to the server's root.
pub fn files(experiment: i64) -> [(String, String); 3] {
    [
        (
            format!("experiment-{experiment}-runs.csv"),
            ExportFormat::Csv.of_experiment(experiment, ExportTable::Runs),
        ),
        (
            format!("experiment-{experiment}-corruptions.parquet"),
            ExportFormat::Parquet.of_experiment(experiment, ExportTable::Corruptions),
        ),
        (
            format!("experiment-{experiment}.json"),
            format!("/api/v1/experiments/{experiment}/export.json"),
        ),
    ]
}

/// Python with pandas, and pyarrow for the Parquet.
pub fn python(experiment: i64) -> String {
    let [(runs, _), (corruptions, _), (everything, _)] = files(experiment);
    format!(
        r#"# pip install pandas pyarrow
import json
import pandas as pd

runs = pd.read_csv("{runs}")   # one row per run
corruptions = pd.read_parquet("{corruptions}")   # one row per run, corruption and severity

# Seeds are replicates: first one mean per run, then mean, standard error and n over seeds.
by_run = corruptions.groupby(["alpha", "seed", "selectivity"], as_index=False)["accuracy"].mean()
print(by_run.groupby("alpha")["accuracy"].agg(["mean", "sem", "count"]))

with open("{everything}") as file:
    everything = json.load(file)             # configuration, runs, units, epochs, measurements
print(everything["experiment"]["spec"]["training"])
"#
    )
}

/// R, with arrow for the Parquet and jsonlite for the JSON.
pub fn r(experiment: i64) -> String {
    let [(runs, _), (corruptions, _), (everything, _)] = files(experiment);
    format!(
        r#"# install.packages(c("arrow", "jsonlite"))
runs <- read.csv("{runs}")   # one row per run
corruptions <- arrow::read_parquet("{corruptions}")   # one row per run, corruption and severity

# Seeds are replicates: first one mean per run, then mean, standard error and n over seeds.
by_run <- aggregate(accuracy ~ alpha + seed + selectivity, corruptions, mean)
print(aggregate(accuracy ~ alpha, by_run, function(x)
  c(mean = mean(x), sem = sd(x) / sqrt(length(x)), n = length(x))))

everything <- jsonlite::fromJSON("{everything}")  # configuration, runs, units, epochs, measurements
str(everything$experiment$spec$training)
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a snippet that reads a file which no link downloads, or of another experiment.
    #[test]
    fn the_snippets_read_what_the_links_download() {
        for (file, address) in files(7) {
            assert!(python(7).contains(&format!("\"{file}\"")), "{file}");
            assert!(r(7).contains(&format!("\"{file}\"")), "{file}");
            assert!(address.starts_with("/api/v1/experiments/7/export."));
        }
    }
}
