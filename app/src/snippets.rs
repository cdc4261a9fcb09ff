//! A few lines of Python and R that read an experiment's exports.

/// The exports that the snippets read: name of the file, and where it is, relative to the server's root.
pub fn files(experiment: i64) -> [(String, String); 3] {
    let root = format!("/api/v1/experiments/{experiment}");
    [
        (
            format!("experiment-{experiment}-runs.csv"),
            format!("{root}/export.csv?table=runs"),
        ),
        (
            format!("experiment-{experiment}-corruptions.csv"),
            format!("{root}/export.csv?table=corruptions"),
        ),
        (
            format!("experiment-{experiment}.json"),
            format!("{root}/export.json"),
        ),
    ]
}

/// Python with pandas.
pub fn python(experiment: i64) -> String {
    let [(runs, _), (corruptions, _), (everything, _)] = files(experiment);
    format!(
        r#"import json
import pandas as pd

runs = pd.read_csv("{runs}")                 # a row a run
corruptions = pd.read_csv("{corruptions}")   # a row a run, corruption and severity

# Seeds are replicates: first a mean a run, then mean, standard error and n over seeds.
by_run = corruptions.groupby(["alpha", "seed", "selectivity"], as_index=False)["accuracy"].mean()
print(by_run.groupby("alpha")["accuracy"].agg(["mean", "sem", "count"]))

with open("{everything}") as file:
    everything = json.load(file)             # configuration, runs, units, epochs, measurements
print(everything["experiment"]["spec"]["training"])
"#
    )
}

/// R, with jsonlite for the JSON.
pub fn r(experiment: i64) -> String {
    let [(runs, _), (corruptions, _), (everything, _)] = files(experiment);
    format!(
        r#"runs <- read.csv("{runs}")                 # a row a run
corruptions <- read.csv("{corruptions}")   # a row a run, corruption and severity

# Seeds are replicates: first a mean a run, then mean, standard error and n over seeds.
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
