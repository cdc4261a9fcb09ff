//! `selectivity-lab perturb`: the perturbation bench's process. One question per line on standard input, one answer per
//! line on standard output, until the input ends.

use std::error::Error;
use std::io::BufRead as _;
use std::path::PathBuf;

use engine::perturbation_bench::{BenchQuestion, PerturbationBench};
use protocol::perturbation_bench::BenchAnswer;

use super::output::say;

/// Arguments of `perturb`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder with the data sets.
    #[arg(long)]
    datasets: PathBuf,
}

impl Arguments {
    /// Answers until there are no more questions.
    ///
    /// # Errors
    /// When standard input or output fails.
    pub fn run(self) -> Result<(), Box<dyn Error>> {
        let mut bench = PerturbationBench::new(self.datasets);
        for line in std::io::stdin().lock().lines() {
            let question: Result<BenchQuestion, _> = serde_json::from_str(&line?);
            let answer: Result<BenchAnswer, String> = match question {
                Ok(question) => bench.answer(&question).map_err(|error| error.to_string()),
                Err(error) => Err(format!("this is no question: {error}")),
            };
            say!("{}", serde_json::to_string(&answer)?);
        }
        Ok(())
    }
}
