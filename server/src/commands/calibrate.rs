//! `selectivity-lab calibrate`: a few real steps, timed, in a process of their own.

use std::error::Error;

use engine::calibrate::{CalibrationSpec, measure};

use super::output::say;

/// Measures what the first line of standard input asks for, and prints it as JSON.
///
/// # Errors
/// When the line is no [`CalibrationSpec`], or the device is not there.
pub fn run() -> Result<(), Box<dyn Error>> {
    let spec: CalibrationSpec = super::worker::read_line()?;
    say!("{}", serde_json::to_string(&measure(&spec)?)?);
    Ok(())
}
