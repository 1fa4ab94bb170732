//! Guesses of the tokens that come next, to be verified in one batch ([`Session::verify`](crate::Session::verify)).

/// Fewest tokens that must have occurred before.
const MIN_MATCH: usize = 2;
/// Longer matches count as this one: the latest of them is taken.
const MAX_MATCH: usize = 8;

/// At most `n` tokens that followed when the context's last tokens occurred before: behind the longest match, and of
/// equally long ones the latest. Empty if fewer than two of the last tokens occurred together before ("prompt lookup
/// decoding", Saxena 2023).
pub fn look_up(context: &[u32], n: usize) -> &[u32] {
    let (mut longest, mut found) = (MIN_MATCH - 1, context.len());
    for end in (MIN_MATCH..context.len()).rev() {
        let pairs = context[..end].iter().rev().zip(context.iter().rev());
        let len = pairs.take(MAX_MATCH).take_while(|(a, b)| a == b).count();
        if len > longest {
            (longest, found) = (len, end);
            if longest == MAX_MATCH {
                break;
            }
        }
    }
    &context[found..(found + n).min(context.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_and_then_the_latest_match_continues() {
        let context = [1, 2, 3, 4, 9, 2, 3, 5, 8, 2, 3, 6, 7, 2, 3];
        assert_eq!(look_up(&context, 3), [6, 7, 2]);
        let longer = [7, 1, 2, 3, 4, 9, 2, 3, 6, 1, 2, 3];
        assert_eq!(look_up(&longer, 2), [4, 9]);
        assert_eq!(look_up(&longer, 0), [0; 0]);
    }

    #[test]
    fn a_draft_may_repeat_its_own_beginning_but_not_go_past_the_context() {
        assert_eq!(look_up(&[5, 6, 5, 6], 8), [5, 6]);
        assert_eq!(look_up(&[5, 5, 5], 8), [5]);
    }

    #[test]
    fn nothing_follows_what_is_new() {
        for context in [&[][..], &[1], &[1, 1], &[1, 2], &[1, 2, 3, 1]] {
            assert_eq!(look_up(context, 4), [0; 0], "{context:?}");
        }
    }
}
