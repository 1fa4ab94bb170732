//! The tokens that begin a text, and those that end an answer.

use nanocamelid_engine::tokenizer::TokenKind;
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::vocabularies::{
    BYTE, CONTROL, NORMAL, SPM, UNKNOWN, USER_DEFINED, bpe, bytes_of, encode, pieces, spm, with,
};

#[test]
fn ends_of_generation_are_known_by_role_and_by_piece() {
    let ends = |writer: &GgufWriter| {
        with(writer, |tokenizer| {
            let pieces = tokenizer
                .end_of_generation()
                .iter()
                .map(|&id| String::from_utf8_lossy(tokenizer.piece(id)).into_owned());
            assert!(tokenizer.end_of_generation().iter().all(|&id| tokenizer.is_end_of_generation(id)));
            pieces.collect::<Vec<_>>()
        })
    };
    let others = [("<|im_end|>", NORMAL), ("<|x|>", CONTROL), ("<|fim_pad|>", CONTROL), ("<|file_sep|>", CONTROL)];
    let mut writer = bpe("qwen2", &[], &others);
    assert_eq!(ends(&writer), ["<|im_end|>", "<|fim_pad|>", "<|file_sep|>"]);
    with(&writer, |tokenizer| assert_eq!(tokenizer.kind(256), TokenKind::Control));
    writer.set("tokenizer.ggml.eos_token_id", Value::u32(257));
    writer.set("tokenizer.ggml.eot_token_id", Value::u32(0));
    assert_eq!(ends(&writer), ["Ā", "<|im_end|>", "<|x|>", "<|fim_pad|>", "<|file_sep|>"]);

    // In harmony only the message ends with <|end|>.
    let harmony = [("<|return|>", CONTROL), ("<|call|>", CONTROL), ("<|end|>", CONTROL), ("<|start|>", CONTROL)];
    let writer = bpe("gpt-4o", &[], &harmony);
    assert_eq!(ends(&writer), ["<|return|>", "<|call|>"]);
    with(&writer, |tokenizer| assert_eq!(tokenizer.kind(258), TokenKind::UserDefined));
    assert_eq!(ends(&bpe("gpt-4o", &[], &harmony[2..])), ["<|end|>"]);
}

#[test]
fn defaults_are_those_of_the_model() {
    with(&spm(true, SPM), |tokenizer| {
        assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
        assert!(tokenizer.add_bos() && !tokenizer.add_eos());
        assert!(tokenizer.is_end_of_generation(2));
    });
    with(&bpe("llama-bpe", &[], &[]), |tokenizer| {
        assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.add_bos()), (None, None, false));
    });
    let mut writer = bpe("llama-bpe", &[], &[("<s>", CONTROL)]);
    writer.set("tokenizer.ggml.bos_token_id", Value::u32(256));
    with(&writer, |tokenizer| assert!(tokenizer.add_bos()));
    writer.set("tokenizer.ggml.pre", Value::string("qwen2"));
    with(&writer, |tokenizer| assert!(!tokenizer.add_bos()));
    writer.set("tokenizer.ggml.add_bos_token", Value::bool(true));
    with(&writer, |tokenizer| assert!(tokenizer.add_bos()));
    writer.remove("tokenizer.ggml.pre");
    with(&writer, |tokenizer| assert_eq!(pieces(tokenizer, "<s>"), "<s>"));
}

/// Gemma 3 has HTML's `</s>`: beside an end that the file declares it is a word, unless it is a control token.
#[test]
fn pieces_that_are_words_end_nothing_beside_a_declared_end() {
    let words = ["</s>", "<eos>", "[EOS]", "[EOT]", "<PAD>", "[PAD]", "<REPO>", "<reponame>"];
    for kind in [NORMAL, USER_DEFINED] {
        for word in words {
            let mut writer = bpe("llama-bpe", &[], &[(word, kind), ("<stop>", CONTROL), ("<|im_end|>", kind)]);
            // Without a declared end it is the only one there can be.
            with(&writer, |tokenizer| assert!(tokenizer.is_end_of_generation(256), "{word}"));
            for key in ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
                writer.set(key, Value::u32(257));
                with(&writer, |tokenizer| {
                    // A marker that nobody writes in texts still ends, whatever its kind.
                    assert_eq!(tokenizer.end_of_generation(), [257, 258], "{word}");
                    assert_eq!(encode(tokenizer, &format!("a{word}b"), false), [97, 256, 98]);
                    let mut shown = Vec::new();
                    tokenizer.decode_into(256, false, &mut shown);
                    assert_eq!(shown, word.as_bytes());
                    // In a protected text, too: it is no marker.
                    let mut ids = Vec::new();
                    tokenizer.encode_protected(word, std::slice::from_ref(&(0..word.len())), &mut ids);
                    assert_eq!(ids, [256], "{word}");
                });
                writer.set(key, Value::u32(256));
                with(&writer, |tokenizer| assert!(tokenizer.is_end_of_generation(256), "{word}: declared"));
                writer.remove(key);
            }
        }
    }
    for word in words {
        let mut writer = bpe("llama-bpe", &[], &[(word, CONTROL), ("<stop>", CONTROL)]);
        writer.set("tokenizer.ggml.eos_token_id", Value::u32(257));
        with(&writer, |tokenizer| assert_eq!(tokenizer.end_of_generation(), [256, 257], "{word}"));
    }
    // The same in SentencePiece, whose own `</s>` is then a tag.
    let mut writer = spm(true, &[("<end>", CONTROL, 0.0), ("x", NORMAL, -1.0)]);
    let mut kinds = vec![UNKNOWN, USER_DEFINED, USER_DEFINED];
    kinds.resize(259, BYTE);
    kinds.extend([CONTROL, NORMAL]);
    writer.set("tokenizer.ggml.token_type", Value::i32s(kinds));
    writer.set("tokenizer.ggml.bos_token_id", Value::u32(259));
    writer.set("tokenizer.ggml.eos_token_id", Value::u32(259));
    with(&writer, |tokenizer| {
        assert_eq!(tokenizer.end_of_generation(), [259]);
        let ids = encode(tokenizer, "<s>x</s>", false);
        assert!(ids.starts_with(&[1]) && ids.ends_with(&[260, 2]), "{ids:?}");
    });
    // Where `<s>` begins the texts, `</s>` is no tag that a text has (Phi-3 in llama.cpp), but ends nothing either.
    let mut kinds = vec![UNKNOWN, CONTROL, USER_DEFINED];
    kinds.resize(259, BYTE);
    kinds.extend([CONTROL, NORMAL]);
    writer.set("tokenizer.ggml.token_type", Value::i32s(kinds));
    with(&writer, |tokenizer| {
        assert_eq!(tokenizer.end_of_generation(), [259]);
        assert!(encode(tokenizer, "x</s>", true).ends_with(&[2]));
        assert!(!encode(tokenizer, "x</s>", false).contains(&2));
        assert_eq!(bytes_of(tokenizer, &[2]), b"</s>");
    });
}
