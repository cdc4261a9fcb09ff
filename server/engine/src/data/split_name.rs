//! The names of the two splits that images come in.

use std::fmt;
use std::str::FromStr;

/// The two parts of a published data set. Validation images are held out of `train` by
/// [`split`](super::split()).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SplitName {
    /// Images to train and validate on.
    Train,
    /// Images that no choice may rest on.
    Test,
}

impl fmt::Display for SplitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SplitName::Train => "train",
            SplitName::Test => "test",
        })
    }
}

/// A name that no split has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no split; write train or test")]
pub struct UnknownSplit(pub String);

impl FromStr for SplitName {
    type Err = UnknownSplit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "train" => Ok(SplitName::Train),
            "test" => Ok(SplitName::Test),
            _ => Err(UnknownSplit(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails when an unknown split is taken for a known one.
    #[test]
    fn split_names_are_read() {
        for split in [SplitName::Train, SplitName::Test] {
            assert_eq!(split.to_string().parse::<SplitName>().unwrap(), split);
        }
        assert!("Train".parse::<SplitName>().is_err());
    }
}
