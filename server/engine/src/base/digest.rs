//! SHA-256, which identifies a file wherever it is.

use sha2::Digest;

/// SHA-256 of `bytes` in hexadecimal digits, as [`protocol::Origin`] has it.
pub fn sha256(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
