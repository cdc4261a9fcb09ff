//! Random numbers: every draw is a pure function of a seed, what it is for, and a counter, so that
//! a resumed run draws what the uninterrupted one would have drawn.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a generator is for. Streams of one seed are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Initial weights.
    Weights = 1,
    /// Order of the training images; the counter is the epoch.
    Order = 2,
    /// Augmentation; the counter is the epoch, and each image has its own word position.
    Augmentation = 3,
    /// Values on which a device is compared with the CPU.
    SelfCheck = 4,
}

/// The generator of `seed` for `stream` at `counter`.
pub fn generator(seed: u64, stream: Stream, counter: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(stream as u64).to_le_bytes());
    key[16..24].copy_from_slice(&counter.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}
