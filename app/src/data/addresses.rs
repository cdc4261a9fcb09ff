//! Addresses of pages that other pages link to.

use protocol::finding::{Claim, DEFAULT_WINDOW};

use crate::data::api::segment;

/// A query with its `?`: the parameters that have a value, percent-encoded; empty without one.
pub fn query<'a>(parameters: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let given: Vec<String> = parameters
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", segment(&value?))))
        .collect();
    match given.is_empty() {
        true => String::new(),
        false => format!("?{}", given.join("&")),
    }
}

/// The address that compares `runs`, or all of `experiments` if no run is given.
pub fn comparison(experiments: &[i64], runs: &[i64]) -> String {
    let (key, ids) = match runs {
        [] => ("experiments", experiments),
        runs => ("runs", runs),
    };
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    let ids = (!ids.is_empty()).then(|| ids.join(","));
    format!("/compare{}", query([(key, ids)]))
}

/// The address of an experiment's `page` (`findings` or `present`), with the window on clean accuracy in points and the open
/// claim.
pub fn findings(experiment: i64, page: &str, window: f64, claim: Option<Claim>) -> String {
    let claim = claim.map(|claim| claim.id().to_owned());
    let window = (window != DEFAULT_WINDOW).then(|| window.to_string());
    let query = query([("claim", claim), ("window", window)]);
    format!("/experiments/{experiment}/{page}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when a link forgets the window or the claim, or writes a window that is the default.
    #[test]
    fn findings_keep_the_window() {
        assert_eq!(
            findings(3, "findings", 10.0, None),
            "/experiments/3/findings"
        );
        assert_eq!(
            findings(3, "findings", 2.5, Some(Claim::C3)),
            "/experiments/3/findings?claim=C3&window=2.5"
        );
        assert_eq!(
            findings(3, "present", 100.0, None),
            "/experiments/3/present?window=100"
        );
    }

    /// Breaks when experiments are added to the chosen runs, or an empty list is written.
    #[test]
    fn runs_are_compared_before_experiments() {
        assert_eq!(comparison(&[1, 2], &[]), "/compare?experiments=1%2C2");
        assert_eq!(comparison(&[1], &[7]), "/compare?runs=7");
        assert_eq!(comparison(&[], &[]), "/compare");
    }
}
