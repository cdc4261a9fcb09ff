//! Lists whose entries belong together.

/// The values of each key, keys in the order in which they first occur.
pub fn grouped<K: PartialEq, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Vec<(K, Vec<V>)> {
    let mut groups: Vec<(K, Vec<V>)> = Vec::new();
    for (key, value) in pairs {
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => groups.push((key, vec![value])),
        }
    }
    groups
}

/// Each of `all` once, with the number of times that it occurs, in the order in which they first occur.
pub fn counted<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<(T, usize)> {
    let groups = grouped(all.into_iter().map(|one| (one, ())));
    let counts = groups.into_iter();
    counts.map(|(one, times)| (one, times.len())).collect()
}
