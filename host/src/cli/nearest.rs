//! Finds the valid name that a mistyped name probably meant.

/// The candidate nearest to `given`, if it is near enough.
pub(crate) fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_of(given, &mut candidates.into_iter())
}

/// Compiled once for all kinds of candidates.
fn nearest_of<'a>(given: &str, candidates: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let limit = match given.chars().count() {
        0 | 1 => return None,
        length => (length / 2).clamp(1, 3),
    };
    candidates
        .map(|name| {
            let lower = name.to_lowercase();
            // A given beginning of a name ranks before a misspelling; a name with something appended ranks like a
            // beginning.
            let is_start = given.len() >= 3 && lower.starts_with(&given);
            let is_longer = lower.len() >= 3 && given.strip_prefix(&lower).is_some_and(|rest| rest.starts_with('-'));
            match (is_start, is_longer) {
                (true, _) => (0, name),
                (_, true) => (1, name),
                _ => (distance(&given, &lower), name),
            }
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, name)| name)
}

/// Number of edits (insert, delete, replace, swap neighbours) between two words: the restricted Damerau-Levenshtein
/// distance.
fn distance(a: &str, b: &str) -> usize {
    // A longer word is not a misspelling, and the table stays small.
    const MAX: usize = 64;
    let a: Vec<char> = a.chars().take(MAX).collect();
    let b: Vec<char> = b.chars().take(MAX).collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_name() {
        let names = ["threads", "threads-batch", "temp", "top-k", "kernel", "ctx"];
        for (given, meant) in [
            ("thread", "threads"),
            ("tmep", "temp"),
            ("kernal", "kernel"),
            ("topk", "top-k"),
            ("CTX", "ctx"),
            ("threads-b", "threads-batch"),
        ] {
            assert_eq!(nearest(given, names), Some(meant), "{given}");
        }
        assert_eq!(nearest("ctx-size", names), Some("ctx"));
        assert_eq!(nearest("temperature", names), None);
        for far in ["xylophone", "m", "ngl", "top"] {
            assert_eq!(nearest(far, names), (far == "top").then_some("top-k"), "{far}");
        }
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
