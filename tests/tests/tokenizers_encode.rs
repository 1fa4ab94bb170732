//! Encoding with small vocabularies against the rules: merges, special tokens, SentencePiece.

use nanocamelid_engine::tokenizer::{StreamDecoder, TokenKind};
use nanocamelid_tests::gguf_writer::Value;
use nanocamelid_tests::vocabularies::{CONTROL, NORMAL, SPM, USER_DEFINED, bpe, decode, encode, pieces, spm, with};

#[test]
fn merges_go_by_rank() {
    with(&bpe("gpt-2", &["b c", "a b", "c d", "a bc"], &[]), |tokenizer| {
        assert_eq!(pieces(tokenizer, "abcd"), "abc¦d");
        assert_eq!(pieces(tokenizer, "abd"), "ab¦d");
        assert_eq!(pieces(tokenizer, "acd bc"), "a¦cd¦Ġ¦bc");
    });
}

#[test]
fn words_that_are_pieces_do_not_merge_under_llama_bpe() {
    let others = [("hello", NORMAL)];
    with(&bpe("gpt-2", &["h e"], &others), |tokenizer| assert_eq!(pieces(tokenizer, "hello"), "he¦l¦l¦o"));
    with(&bpe("llama-bpe", &["h e"], &others), |tokenizer| assert_eq!(pieces(tokenizer, "hello"), "hello"));
}

#[test]
fn merges_may_go_by_way_of_texts_that_are_no_tokens() {
    let mut writer = bpe("gpt-2", &[], &[("abc", NORMAL)]);
    writer.set("tokenizer.ggml.merges", Value::strings(["a b", "ab c", "x y"]));
    with(&writer, |tokenizer| assert_eq!(pieces(tokenizer, "abc ab xy"), "abc¦Ġ¦a¦b¦Ġ¦x¦y"));
}

#[test]
fn longer_special_tokens_are_found_first() {
    let others = [("ab", USER_DEFINED), ("bcd", USER_DEFINED), ("<x>", CONTROL), ("<x><x>", CONTROL), ("de", CONTROL)];
    with(&bpe("gpt-2", &[], &others), |tokenizer| {
        // "ab" is further left, but shorter.
        assert_eq!(pieces(tokenizer, "abcd"), "a¦bcd");
        assert_eq!(pieces(tokenizer, "abab"), "ab¦ab");
        assert_eq!(pieces(tokenizer, "<x><x><x>"), "<x><x>¦<x>");
        assert_eq!(pieces(tokenizer, "abcde"), "a¦bcd¦e");
        assert_eq!(pieces(tokenizer, "de"), "de");
        // Without parsing there are only the user-defined ones.
        let ids = encode(tokenizer, "<x>ab", false);
        assert_eq!(ids, ["<", "x", ">", "ab"].map(|piece| tokenizer.token_id(piece).unwrap()));
    });
}

#[test]
fn equally_long_special_tokens_are_found_by_id() {
    let found = |others: &[(&str, i32)]| with(&bpe("gpt-2", &[], others), |tokenizer| pieces(tokenizer, "abc"));
    assert_eq!(found(&[("ab", USER_DEFINED), ("bc", USER_DEFINED)]), "ab¦c");
    assert_eq!(found(&[("bc", USER_DEFINED), ("ab", USER_DEFINED)]), "a¦bc");
}

#[test]
fn phi_3_special_tokens_take_the_white_space_after_them() {
    let mut writer = spm(true, &[("<|end|>", CONTROL, 0.0), ("▁", NORMAL, 0.0), ("x", NORMAL, 0.0)]);
    with(&writer, |tokenizer| assert_eq!(pieces(tokenizer, "<|end|> \n x"), "<|end|>¦▁¦▁¦<0x0A>¦▁¦x"));
    writer.set("general.name", Value::string("Phi-3-mini-4k-instruct"));
    with(&writer, |tokenizer| {
        assert_eq!(pieces(tokenizer, "<|end|> \n x"), "<|end|>¦▁¦x");
        assert_eq!(pieces(tokenizer, "<|end|> \n "), "<|end|>");
        assert_eq!(pieces(tokenizer, "<s> x"), "<s>¦▁¦▁¦x");
    });
}

#[test]
fn mask_tokens_take_the_white_space_before_them() {
    with(&bpe("jina-v2-es", &[], &[("<mask>", CONTROL)]), |tokenizer| {
        assert_eq!(pieces(tokenizer, "a \t<mask> b"), "a¦<mask>¦Ġ¦b");
        assert_eq!(pieces(tokenizer, " <mask>"), "<mask>");
    });
}

#[test]
fn best_score_merges_first() {
    with(&spm(true, SPM), |tokenizer| {
        // The merge of the space and a comes before the merge of a and b.
        assert_eq!(pieces(tokenizer, "ab"), "▁a¦b");
        // Equal scores: the leftmost.
        assert_eq!(pieces(tokenizer, "bab"), "▁¦ba¦b");
        assert_eq!(pieces(tokenizer, "b aba"), "▁¦b¦▁a¦ba");
        assert_eq!(pieces(tokenizer, "bb   b"), "▁¦b¦b¦▁▁¦▁¦b");
        assert_eq!(pieces(tokenizer, ""), "");
        assert_eq!(pieces(tokenizer, " "), "▁▁");
    });
}

/// Words are remembered while a long text is read, more words than there is room for, and give the tokens that they
/// have alone.
#[test]
fn words_of_a_long_text_become_what_they_become_alone() {
    let words = (0..9000).map(|i| format!("{:b}", i * i % 5003).replace('0', "a").replace('1', "b"));
    let words: Vec<String> = words.collect();
    with(&spm(true, SPM), |tokenizer| {
        let alone: Vec<u32> = words.iter().flat_map(|word| encode(tokenizer, word, false)).collect();
        assert!(encode(tokenizer, &words.join(" "), false) == alone);
    });
    for pre in ["gpt-2", "llama-bpe"] {
        with(&bpe(pre, &["a b", "b b", "ab bb", "Ġ a"], &[("Ġabab", NORMAL)]), |tokenizer| {
            let spaced: Vec<String> = words.iter().map(|word| format!(" {word}")).collect();
            let alone: Vec<u32> = spaced.iter().flat_map(|word| encode(tokenizer, word, false)).collect();
            assert!(encode(tokenizer, &spaced.concat(), false) == alone, "{pre}");
        });
    }
}

/// What is remembered of a text is forgotten behind a special token: other words stand in the places then.
#[test]
fn words_are_forgotten_behind_a_special_token() {
    let text = |n: u32, start: u32| (start..start + n).map(|i| format!(" {:b}", i * i)).collect::<String>();
    let texts = [text(400, 1), text(300, 7).replace('1', "b"), text(3, 1), text(400, 5).replace('0', "ab")];
    for pre in ["gpt-2", "llama-bpe", "default", "chameleon"] {
        let merges = ["0 0", "1 0", "b 0", "a b", "Ġ 1"];
        with(&bpe(pre, &merges, &[("<mask>", CONTROL)]), |tokenizer| {
            let alone: Vec<_> = texts.iter().map(|text| encode(tokenizer, text, false)).collect();
            let mask = encode(tokenizer, "<mask>", true);
            assert_eq!(mask.len(), 1);
            assert!(encode(tokenizer, &texts.join("<mask>"), true) == alone.join(&mask[..]), "{pre}");
        });
    }
}

#[test]
fn characters_without_a_piece_become_bytes_or_unknown() {
    with(&spm(true, SPM), |tokenizer| {
        assert_eq!(pieces(tokenizer, "é中\n"), "▁¦é¦<0xE4>¦<0xB8>¦<0xAD>¦<0x0A>");
        let ids = encode(tokenizer, "é中\n", false);
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, false), &ids), "é中\n");
    });
    with(&spm(false, SPM), |tokenizer| assert_eq!(pieces(tokenizer, "é中中"), "▁¦é¦<unk>¦<unk>"));
}

#[test]
fn a_space_goes_before_text_that_starts_or_follows_a_special_token() {
    let mut writer = spm(true, SPM);
    with(&writer, |tokenizer| {
        assert_eq!(pieces(tokenizer, "a<tag>a<s>b"), "▁a¦<tag>¦▁a¦<s>¦▁¦b");
        let unparsed = encode(tokenizer, "a<s>b", false);
        assert!(!unparsed.contains(&1));
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, true), &unparsed), "a<s>b");
    });
    writer.set("tokenizer.ggml.add_space_prefix", Value::bool(false));
    with(&writer, |tokenizer| assert_eq!(pieces(tokenizer, "a<tag>a"), "a¦<tag>¦a"));
}

#[test]
fn user_defined_pieces_are_found_as_they_are_written() {
    with(&spm(true, SPM), |tokenizer| {
        // U+2581 in the text itself; spaces are turned into it only afterwards.
        assert_eq!(pieces(tokenizer, "▁▁▁▁"), "▁▁▁▁");
        let ids = encode(tokenizer, "<tag>", false);
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, false), &ids), "<tag>");
    });
}

#[test]
fn protected_text_never_becomes_a_control_token() {
    // In both vocabularies text could merge into one.
    let mut kinds = vec![NORMAL; 258];
    kinds[257] = CONTROL;
    let mut bpe = bpe("superbpe", &["< s", "<s >"], &[]);
    bpe.set("tokenizer.ggml.token_type", Value::i32s(kinds));
    let spm = spm(true, &["▁", "<", "s", ">", "<s"].map(|piece| (piece, NORMAL, -1.0)));
    for writer in [bpe, spm] {
        with(&writer, |tokenizer| {
            let control = tokenizer.token_id("<s>").unwrap();
            assert_eq!(tokenizer.kind(control), TokenKind::Control);
            let mut ids = Vec::new();
            let second = 3..6;
            tokenizer.encode_protected("<s><s>", std::slice::from_ref(&second), &mut ids);
            assert_eq!(ids.iter().filter(|&&id| id == control).count(), 1);
            assert_eq!(decode(tokenizer, StreamDecoder::continuing(true), &ids).replace(' ', ""), "<s><s>");
        });
    }
}
