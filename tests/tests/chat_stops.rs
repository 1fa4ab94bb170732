//! Stop strings that spell control tokens, which show no text.

use nanocamelid_engine::Tokenizer;
use nanocamelid_engine::chat::StopMatcher;
use nanocamelid_engine::tokenizer::StreamDecoder;
use nanocamelid_tests::vocabularies::{CONTROL, USER_DEFINED, bpe, encode, with};

const TOKENS: [(&str, i32); 4] =
    [("<|im_start|>", CONTROL), ("<|im_end|>", CONTROL), ("<|x|>", CONTROL), ("<tag>", USER_DEFINED)];

/// The text that an answer shows, and whether a stop string ended the answer. Control tokens in it are parsed.
fn answer(tokenizer: &Tokenizer<'_>, stops: &[&str], text: &str) -> (String, bool) {
    let mut matcher = StopMatcher::new(stops.iter().copied()).unwrap().with_control_tokens(tokenizer);
    let mut decoder = StreamDecoder::continuing(false);
    let mut out = String::new();
    let mut stopped = false;
    for id in encode(tokenizer, text, true) {
        matcher.push(decoder.push(tokenizer, id), &mut out);
        stopped = matcher.push_token(id, &mut out);
        if stopped {
            break;
        }
    }
    matcher.push(decoder.finish(), &mut out);
    matcher.finish(&mut out);
    (out, stopped)
}

#[test]
fn a_stop_string_that_spells_a_control_token_stops_at_it() {
    with(&bpe("llama-bpe", &[], &TOKENS), |tokenizer| {
        for (stops, text, shown, stopped) in [
            (&["<|im_start|>"][..], "ab<|im_start|>cd", "ab", true),
            (&["<|x|>"], "ab<|im_start|>cd", "abcd", false),
            (&["<|im_start|>"], "<|im_start|>cd", "", true),
            (&["no", "<|im_start|>"], "é<|im_start|>no", "é", true),
            // With text around it, which is then held back.
            (&["<|im_start|>user"], "ab<|im_start|>user", "ab", true),
            (&["<|im_start|>user"], "ab<|im_start|>us", "abus", false),
            (&["<|im_start|>user"], "abuser", "abuser", false),
            (&["\n<|im_start|>"], "a\nb\n<|im_start|>c", "a\nb", true),
            (&["\n<|im_start|>"], "a<|im_start|>\nc", "a\nc", false),
            (&["<|x|><|im_start|>"], "a<|x|>b<|x|><|im_start|>c", "ab", true),
            // A token that shows its text is text.
            (&["<tag>"], "ab<tag>cd", "ab", true),
            // Part of a control token's name is none, and other control tokens do not come between.
            (&["im_start"], "ab<|im_start|>cd", "abcd", false),
            (&["bc"], "ab<|x|>cd", "a", true),
            (&["bc", "<|im_start|>"], "ab<|x|>cd", "a", true),
        ] {
            assert_eq!(answer(tokenizer, stops, text), (shown.to_owned(), stopped), "{stops:?} {text:?}");
        }
    });
}

/// A stop string that the answer spells in characters ends the answer as well.
#[test]
fn the_same_text_in_characters_stops_too() {
    with(&bpe("llama-bpe", &[], &TOKENS), |tokenizer| {
        let mut matcher = StopMatcher::new(["<|im_start|>"]).unwrap().with_control_tokens(tokenizer);
        let mut out = String::new();
        assert!(!matcher.push("ab<|im_", &mut out));
        assert!(matcher.push("start|>cd", &mut out));
        assert_eq!(out, "ab");
        matcher.reset();
        out.clear();
        assert!(!matcher.push("cd", &mut out));
        assert!(matcher.push_token(256, &mut out));
        assert_eq!(out, "cd");
    });
}
