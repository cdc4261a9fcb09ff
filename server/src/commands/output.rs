//! Lines on standard output. Whoever reads it may close it early (`| head`): that ends the reading, not the work.

use std::fmt::Arguments;
use std::io::{ErrorKind, Result, Write};

/// Prints a line like `println!`, but does not panic when the reader is gone. If the line cannot be written for
/// another reason, such as a full disk, the process ends with that error.
macro_rules! say {
    ($($line:tt)*) => {
        $crate::commands::output::print(format_args!($($line)*))
    };
}
pub(crate) use say;

/// What [`say!`] does.
pub(crate) fn print(line: Arguments) {
    if let Err(error) = write_line(&mut std::io::stdout().lock(), line) {
        // Standard error may be on the same disk; the exit status says it anyway.
        let _ = writeln!(
            std::io::stderr(),
            "selectivity-lab: cannot write to standard output: {error}"
        );
        std::process::exit(1);
    }
}

fn write_line(output: &mut impl Write, line: Arguments) -> Result<()> {
    let written = writeln!(output, "{line}").and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    /// Breaks when a closed output ends a command, or a full disk is ignored.
    #[test]
    fn only_a_reader_that_is_gone_is_no_error() {
        let write = |kind| write_line(&mut Broken(kind), format_args!("x"));
        assert!(write(ErrorKind::BrokenPipe).is_ok());
        assert!(write(ErrorKind::StorageFull).is_err());
    }
}
