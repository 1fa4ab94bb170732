//! JSON of a server's, whose tree is bounded: an empty object takes seven bytes of text, and many more of memory.

use serde_json::Value as Json;

/// Most values of a text. A list of a thousand models has fewer.
const MAX_VALUES: usize = 1 << 16;

/// Reads a text; `None` for what is no JSON, and for JSON of more than [`MAX_VALUES`] values.
pub(super) fn parse(text: &[u8]) -> Option<Json> {
    (most_values(text) <= MAX_VALUES).then(|| serde_json::from_slice(text).ok()).flatten()
}

/// No fewer than the values of the tree, keys included, because each but one stands behind one of these signs.
fn most_values(text: &[u8]) -> usize {
    let (mut n, mut is_string, mut is_escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_string,
            b'"' => is_string = !is_string,
            b'[' | b'{' | b',' | b':' if !is_string => n += 1,
            _ => {}
        }
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (text, n) in [("7", 1), (r#"{"a":[1,2]}"#, 5), (r#"["[,:{\",\\"]"#, 2), ("[[],{}]", 5), ("", 1)] {
            assert_eq!(most_values(text.as_bytes()), n, "{text}");
        }
    }

    #[test]
    fn a_text_may_be_long_and_a_tree_may_not() {
        let list = |item: &str, n: usize| format!("[{}0]", item.repeat(n));
        assert_eq!(parse(list("1,", MAX_VALUES - 3).as_bytes()).unwrap()[1], 1);
        assert_eq!(parse(list("{\"\":0},", MAX_VALUES / 3).as_bytes()), None);
        assert!(parse(format!("\"{}\"", "[,".repeat(MAX_VALUES)).as_bytes()).is_some());
        assert!(parse(b"{\"a").is_none() && parse(b"").is_none());
    }
}
