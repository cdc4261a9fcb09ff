//! What bounds a perturbation of an image.

use crate::named::named;

named! {
    /// What bounds a perturbation.
    pub enum Norm {
        /// The largest change of any value.
        Linf = "linf" => "L∞",
        /// The root of the summed squares of all changes.
        L2 = "l2" => "L2",
    }
}

impl Norm {
    /// A radius of it as people write it: L-infinity in 255ths, `8/255`.
    pub fn radius(self, epsilon: f64) -> String {
        match self {
            Norm::Linf => format!("{}/255", trimmed(epsilon * 255.0)),
            Norm::L2 => trimmed(epsilon),
        }
    }
}

/// Six digits after the point at most, without noughts at the end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
