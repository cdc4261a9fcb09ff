//! Words that several figures share.

use crate::format;

/// `3 seeds`, or `1 to 3 seeds` where the numbers differ; 0 without numbers.
pub fn counted(numbers: impl Iterator<Item = u32>, singular: &str, plural: &str) -> String {
    let (least, most) = least_and_most(numbers);
    if least == most {
        format::plural(most.into(), singular, plural)
    } else {
        format!("{least} to {most} {plural}")
    }
}

/// The smallest and the largest of `numbers`; 0 where there are none.
pub fn least_and_most(numbers: impl Iterator<Item = u32>) -> (u32, u32) {
    let ends = numbers.fold(None, |ends, number| match ends {
        None => Some((number, number)),
        Some((least, most)) => Some((number.min(least), number.max(most))),
    });
    ends.unwrap_or_default()
}

/// An interval after `before`; nothing where there is none.
pub fn interval(before: &str, ends: Option<[f64; 2]>, write: impl Fn(f64) -> String) -> String {
    ends.map_or_else(String::new, |[low, high]| {
        format!("{before}95 %: {} to {}", write(low), write(high))
    })
}

/// A value as `write` writes it; a dash where there is none.
pub fn optional(value: Option<f64>, write: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), write)
}

/// The ends of an interval, to three digits; a dash where there is none.
pub fn ends(interval: Option<[f64; 2]>) -> String {
    interval.map_or_else(
        || "–".to_owned(),
        |ends| ends.map(format::significant).join(" to "),
    )
}

/// How an interval is made, without the details that are elsewhere on the page.
pub fn method(interval_method: &str) -> &str {
    interval_method.split(':').next().unwrap_or_default()
}

/// A sentence, to follow others, on trained runs that are left out because they lack `what`; empty where none is.
pub fn incomplete(runs: u32, what: &str) -> String {
    match runs {
        0 => String::new(),
        1 => format!(" 1 trained run lacks {what} and is not shown."),
        more => format!(
            " {} trained runs lack {what} and are not shown.",
            format::count(more.into())
        ),
    }
}

/// A perturbed accuracy with n and Wilson's interval, and its share of clean accuracy.
pub fn accuracy(label: &str, accuracy: f64, clean: f64, share: Option<f64>, images: u32) -> String {
    let wilson = format::wilson(accuracy, images.into());
    let share = share.map_or_else(String::new, |share| {
        format!(
            "<br>{} of clean ({})",
            format::percent(share),
            format::percent(clean)
        )
    });
    format!(
        "{label}<br>accuracy {}{}{share}<br>n = {}",
        format::percent(accuracy),
        interval("<br>", wilson, format::percent),
        format::plural(images.into(), "image", "images")
    )
}
