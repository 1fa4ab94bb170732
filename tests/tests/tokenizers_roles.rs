//! Which tokens begin a text and end an answer.

use nanocamelid_engine::tokenizer::TokenKind;
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::vocabularies::{CONTROL, NORMAL, SPM, bpe, pieces, spm, with};

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
