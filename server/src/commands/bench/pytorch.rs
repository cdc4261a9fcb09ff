//! PyTorch's side of `bench`: a Python process for each setting. It starts, compiles and warms up once for a network
//! and a batch size, and then measures a round whenever it is asked to.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use engine::calibrate::CalibrationSpec;
use serde::{Deserialize, Serialize};

use super::rows::{ALPHAS, Rates};
use super::setting::Setting;

const SCRIPT: &str = include_str!("../bench_pytorch.py");

/// The version that `python` has; absent where it has none.
pub fn version(python: &str) -> Option<String> {
    let output = Command::new(python)
        .args(["-c", "import torch; print(torch.__version__)"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| version.trim().to_owned())
}

/// What the script is to measure.
#[derive(Serialize)]
struct Work<'a> {
    #[serde(flatten)]
    spec: &'a CalibrationSpec,
    alphas: [f64; 2],
}

/// A line of the script.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// Everything is compiled and warm.
    Ready,
    /// Why nothing can be measured in this setting.
    LeftOut(String),
    /// A round.
    Measured(Rates),
}

/// A process that measures one setting. It ends when this is dropped.
pub struct PyTorch {
    /// The setting that it measures.
    pub setting: Setting,
    process: Child,
    output: BufReader<ChildStdout>,
}

impl PyTorch {
    /// Starts the process, and waits until it has compiled and warmed up.
    ///
    /// # Errors
    /// When it cannot be started, or says why the setting is to be left out.
    pub fn start(
        python: &str,
        setting: Setting,
        spec: &CalibrationSpec,
    ) -> Result<Self, Box<dyn Error>> {
        let work = Work {
            spec,
            alphas: ALPHAS,
        };
        let work = serde_json::to_string(&work)?;
        let mut process = Command::new(python)
            .args(["-c", SCRIPT, &work, setting.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("PyTorch has no output")?;
        let mut pytorch = PyTorch {
            setting,
            process,
            output: BufReader::new(output),
        };
        match pytorch.answer()? {
            Answer::Ready => Ok(pytorch),
            Answer::LeftOut(reason) => Err(reason.into()),
            Answer::Measured(_) => Err("PyTorch measured before it was asked to".into()),
        }
    }

    /// Measures a round.
    ///
    /// # Errors
    /// When the process has ended, or answers something else.
    pub fn measure(&mut self) -> Result<Rates, Box<dyn Error>> {
        let input = self.process.stdin.as_mut().ok_or("PyTorch has no input")?;
        input.write_all(b"measure\n")?;
        match self.answer()? {
            Answer::Measured(rates) => Ok(rates),
            other => Err(format!("PyTorch answered {other:?} instead of measuring").into()),
        }
    }

    /// The next line of the script.
    fn answer(&mut self) -> Result<Answer, Box<dyn Error>> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            let status = self.process.wait()?;
            let name = self.setting.name();
            return Err(format!("PyTorch's `{name}` side ended with {status}").into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for PyTorch {
    fn drop(&mut self) {
        // Waiting closes its input first, which ends the script after what it is at.
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    /// Breaks when a setting has another name on the command line than in the table and for the script.
    #[test]
    fn settings_are_chosen_under_the_names_that_the_script_knows() {
        for setting in Setting::value_variants() {
            let value = setting.to_possible_value().expect("none is hidden");
            assert_eq!(value.get_name(), setting.name());
            assert!(SCRIPT.contains(&format!("\"{}\"", setting.name())));
        }
    }

    /// Breaks when a line of the script is not understood.
    #[test]
    fn answers_of_the_script_are_read() {
        let read = |line| serde_json::from_str::<Answer>(line).expect("as the script writes it");
        assert_eq!(read("\"ready\"\n"), Answer::Ready);
        assert_eq!(
            read(r#"{"left_out": "no compiler"}"#),
            Answer::LeftOut("no compiler".into())
        );
        assert_eq!(
            read(r#"{"measured": {"training": [1.5, 2.5], "inference": 3.5, "attack": 4.5}}"#),
            Answer::Measured(Rates {
                training: [1.5, 2.5],
                inference: 3.5,
                attack: 4.5,
            })
        );
    }
}
