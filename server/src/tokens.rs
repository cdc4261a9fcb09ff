//! Tokens, which requests from other machines need.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rand::RngCore;
use subtle::ConstantTimeEq;

/// Random bytes of a token; it is written as twice as many hexadecimal digits.
const BYTES: usize = 32;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// Reading.
    ReadOnly,
}

/// The tokens of a server, kept in its data directory for its scripts and its next start.
#[derive(Clone)]
pub struct Tokens {
    full: String,
    read_only: String,
}

// Not derived: a token has no place in a log.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tokens")
    }
}

impl Tokens {
    /// The tokens in `token` and `token-read-only` of `folder`, made where they are missing, readable by their owner alone.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn load_or_make(folder: &Path) -> std::io::Result<Tokens> {
        Ok(Tokens {
            full: load_or_make(&folder.join("token"))?,
            read_only: load_or_make(&folder.join("token-read-only"))?,
        })
    }

    /// The token that allows everything, and the one for reading.
    pub fn of(&self, access: Access) -> &str {
        match access {
            Access::Full => &self.full,
            Access::ReadOnly => &self.read_only,
        }
    }

    /// What `token` allows; `None` when it is no token of this server. Takes as long for a token that is nearly right.
    pub fn access(&self, token: &str) -> Option<Access> {
        [Access::Full, Access::ReadOnly]
            .into_iter()
            .find(|&access| bool::from(self.of(access).as_bytes().ct_eq(token.as_bytes())))
    }
}

fn load_or_make(path: &Path) -> std::io::Result<String> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    let mut token = String::new();
    file.read_to_string(&mut token)?;
    let token = token.trim();
    if token.len() >= BYTES {
        return Ok(token.to_owned());
    }
    if !token.is_empty() {
        let message = format!(
            "{} holds no token of {BYTES} characters or more; delete it to have one made",
            path.display()
        );
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            message,
        ));
    }
    let mut bytes = [0; BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Breaks when a link or a script of yesterday is refused today, when others on the machine can read a token, or when
    /// the token for reading is the other one.
    #[test]
    fn tokens_stay_and_are_their_owners() {
        let folder = tempfile::tempdir().unwrap();
        let first = Tokens::load_or_make(folder.path()).unwrap();
        let second = Tokens::load_or_make(folder.path()).unwrap();
        for access in [Access::Full, Access::ReadOnly] {
            assert_eq!(first.of(access), second.of(access));
            assert_eq!(first.of(access).len(), 2 * BYTES);
            assert_eq!(second.access(first.of(access)), Some(access));
        }
        assert_ne!(first.of(Access::Full), first.of(Access::ReadOnly));
        assert_eq!(first.access(""), None);
        assert_eq!(first.access(&first.of(Access::Full)[1..]), None);
        for name in ["token", "token-read-only"] {
            let mode = std::fs::metadata(folder.path().join(name))
                .unwrap()
                .permissions();
            assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
        }
        std::fs::write(folder.path().join("token"), "short").unwrap();
        assert!(Tokens::load_or_make(folder.path()).is_err());
    }
}
