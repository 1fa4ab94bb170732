//! Vocabularies in which several tokens have the same piece: text becomes the first of them, and each prints the piece.

use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::vocabularies::{BYTE, CONTROL, NORMAL, USER_DEFINED, bpe, bytes_of, encode, spm, with};

fn spm_with(others: &[(&str, i32)]) -> GgufWriter {
    spm(true, &others.iter().map(|&(piece, kind)| (piece, kind, -1.0)).collect::<Vec<_>>())
}

#[test]
fn text_becomes_the_first_and_each_prints_its_piece() {
    let twice = [("a", NORMAL), ("b", NORMAL), ("ab", NORMAL), ("a", NORMAL), ("ab", NORMAL)];
    with(&spm_with(&twice), |tokenizer| {
        assert_eq!(tokenizer.n_vocab(), 264);
        for (text, expected) in [("a", 259), ("ab", 261)] {
            assert_eq!(tokenizer.token_id(text), Some(expected));
            assert!(encode(tokenizer, text, false).ends_with(&[expected]), "{text}");
        }
        assert_eq!(bytes_of(tokenizer, &[259, 262, 261, 263]), b"aaabab");
    });
    // Byte-level: a merge makes the first token of its piece, even where the vocabulary lists that token right behind
    // the last merge.
    let others = [("ab", NORMAL), ("abc", NORMAL), ("ab", NORMAL)];
    let mut writer = bpe("llama-bpe", &[], &others);
    for merges in [["a b", "ab c"], ["ab c", "a b"]] {
        writer.set("tokenizer.ggml.merges", Value::strings(merges));
        with(&writer, |tokenizer| {
            assert_eq!(encode(tokenizer, "ab", false), [256]);
            assert_eq!(encode(tokenizer, "abc", false), [257]);
            assert_eq!(bytes_of(tokenizer, &[256, 258]), b"abab");
        });
    }
}

#[test]
fn special_tokens_twice() {
    let others = [("<x>", CONTROL), ("<x>", CONTROL), ("<u>", USER_DEFINED), ("<u>", USER_DEFINED)];
    for writer in [bpe("llama-bpe", &[], &others), spm_with(&others)] {
        with(&writer, |tokenizer| {
            let first = tokenizer.n_vocab() as u32 - 4;
            assert!(encode(tokenizer, "<x><u>", true).ends_with(&[first, first + 2]));
            assert!(!encode(tokenizer, "<x>", false).iter().any(|&id| id >= first));
            for (id, piece) in [(first, "<x>"), (first + 1, "<x>"), (first + 2, "<u>"), (first + 3, "<u>")] {
                assert_eq!(bytes_of(tokenizer, &[id]), piece.as_bytes());
            }
        });
    }
    // A control token whose piece an ordinary one has, too, is what a template writes and no text becomes.
    let mixed = [("<x>", NORMAL), ("<x>", CONTROL), ("<u>", CONTROL), ("<u>", USER_DEFINED)];
    with(&bpe("llama-bpe", &[], &mixed), |tokenizer| {
        assert_eq!(encode(tokenizer, "<x><u>", true), [257, 258]);
        assert!(encode(tokenizer, "<x><u>", false).iter().all(|&id| id < 256));
        let mut ids = Vec::new();
        tokenizer.encode_protected("<x><u>", std::slice::from_ref(&(0..6)), &mut ids);
        assert!(ids.iter().all(|&id| id < 256), "{ids:?}");
    });
}

/// Byte tokens twice: the first stands for the byte.
#[test]
fn bytes_twice() {
    with(&spm_with(&[("<0x41>", BYTE)]), |tokenizer| {
        assert_eq!(*encode(tokenizer, "A", false).last().unwrap(), 3 + 0x41);
        assert_eq!(bytes_of(tokenizer, &[3 + 0x41, 259]), b"AA");
    });
}
