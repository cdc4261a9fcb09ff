//! The base of every layer: files with checksums, named arrays, random numbers, tensors on the host. Knows nothing of
//! images or networks.

pub mod arrays;
pub mod digest;
mod error;
pub mod files;
pub mod host;
pub mod random;

pub use error::FileError;
