//! The mean of replicates as figures and tables show it: with n and interval.

use protocol::api::Mean;

use statistics::{average, mean_interval};

/// The mean of `values` (one a replicate), their number, and the 95 % interval of [`mean_interval`]; no interval for
/// fewer than 2 values. `None` without values.
pub fn mean(values: &[f64]) -> Option<Mean> {
    let n = u32::try_from(values.len()).ok().filter(|&n| n > 0)?;
    Some(Mean {
        mean: average(values),
        n,
        interval: mean_interval(values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: dividing by n - 1, inventing an interval for one replicate, or panicking on none.
    #[test]
    fn few_replicates_have_a_mean_but_no_interval() {
        assert_eq!(mean(&[]), None);
        let one = mean(&[0.25]).unwrap();
        assert_eq!((one.mean, one.n, one.interval), (0.25, 1, None));
        let two = mean(&[0.0, 1.0]).unwrap();
        assert_eq!((two.mean, two.n), (0.5, 2));
        assert!(two.interval.is_some());
    }
}
