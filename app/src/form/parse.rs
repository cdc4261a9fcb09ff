//! Lists of alphas and seeds as people write them.

use protocol::MAXIMUM_RUNS;

/// The numbers of a list such as `-1, 0 0.5`. Commas, semicolons and spaces separate; a true minus
/// sign (−) is as good as a hyphen. Where semicolons separate, a comma within a number is a decimal
/// comma: `0,5; 1` is 0.5 and 1. The error says which entry is wrong.
pub fn numbers(text: &str) -> Result<Vec<f64>, String> {
    let decimal_commas = text.contains(';');
    text.split(|c: char| c == ';' || c.is_whitespace() || c == ',' && !decimal_commas)
        .map(|entry| entry.trim_matches(','))
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let number = entry.replace('−', "-").replace(',', ".").parse::<f64>();
            // `inf` and `nan` parse, and are for validation to refuse; words are refused here.
            number.map_err(|_| format!("`{entry}` is not a number; write, for example, -1, 0, 0.5"))
        })
        .collect()
}

/// The seeds of a list such as `0..4, 7`: a range includes both its ends.
pub fn seeds(text: &str) -> Result<Vec<u64>, String> {
    let mut seeds = Vec::new();
    for entry in entries(text) {
        let whole = |part: &str| {
            part.parse::<u64>().map_err(|_| {
                format!("`{entry}` is not a seed or a range; write, for example, 0..4, 7")
            })
        };
        match entry.split_once("..") {
            None => seeds.push(whole(entry)?),
            Some((first, last)) => {
                let (first, last) = (whole(first)?, whole(last.trim_start_matches('='))?);
                if last < first {
                    return Err(format!("`{entry}` ends before it begins"));
                }
                if last - first >= MAXIMUM_RUNS as u64 {
                    return Err(format!(
                        "`{entry}` is too long; an experiment has at most {MAXIMUM_RUNS} runs"
                    ));
                }
                seeds.extend(first..=last);
            }
        }
    }
    Ok(seeds)
}

/// Seeds as [`seeds`] reads them, with three or more in a row as a range.
pub fn write_seeds(seeds: &[u64]) -> String {
    let mut parts = Vec::new();
    let mut rest = seeds;
    while let Some(&first) = rest.first() {
        let length = rest
            .iter()
            .zip(first..=u64::MAX)
            .take_while(|(seed, expected)| *seed == expected)
            .count();
        if length >= 3 {
            parts.push(format!("{first}..{}", rest[length - 1]));
            rest = &rest[length..];
        } else {
            parts.push(first.to_string());
            rest = &rest[1..];
        }
    }
    parts.join(", ")
}

/// The entries of a list. Commas, semicolons and spaces separate.
pub fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c == ';' || c.is_whitespace())
        .filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken by: a sign that is lost, an entry that is dropped instead of refused, or a decimal comma that splits
    /// a number in two.
    #[test]
    fn numbers_take_signs_and_refuse_words() {
        assert_eq!(numbers("-1, 0;+0.5 −2"), Ok(vec![-1.0, 0.0, 0.5, -2.0]));
        assert_eq!(numbers(" , "), Ok(vec![]));
        assert_eq!(numbers("0,5; 1; −0,25"), Ok(vec![0.5, 1.0, -0.25]));
        assert_eq!(numbers("0, 5"), Ok(vec![0.0, 5.0]));
        assert!(numbers("1,2,3; 4").is_err());
        assert!(numbers("1, two").unwrap_err().contains("`two`"));
    }

    /// Broken by: a range without its end, a backward range taken for empty, or a range that fills
    /// the memory.
    #[test]
    fn ranges_of_seeds_include_both_ends() {
        assert_eq!(seeds("0..3, 7"), Ok(vec![0, 1, 2, 3, 7]));
        assert_eq!(seeds("5..=5"), Ok(vec![5]));
        for wrong in ["3..1", "-1", "0..", "1.5", "0..18446744073709551615", "x"] {
            assert!(seeds(wrong).is_err(), "`{wrong}` was accepted");
        }
        assert_eq!(seeds("18446744073709551615"), Ok(vec![u64::MAX]));
    }

    /// Broken by: a way of writing that reads back differently.
    #[test]
    fn what_is_written_reads_back() {
        for list in [
            vec![],
            vec![0, 1],
            vec![0, 1, 2],
            vec![3, 4, 5, 9, 10, 2, 7],
            vec![u64::MAX - 1, u64::MAX],
        ] {
            assert_eq!(seeds(&write_seeds(&list)), Ok(list));
        }
        assert_eq!(write_seeds(&[0, 1, 2, 3, 7]), "0..3, 7");
    }
}
