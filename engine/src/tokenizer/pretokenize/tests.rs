use alloc::string::String;
use alloc::vec::Vec;

use super::PreTokenizer;

/// Checks splits. Each case is a text with `¦` at every cut.
fn assert_splits(name: &str, cases: &[&str]) {
    let pre_tokenizer = PreTokenizer::by_name(name).unwrap();
    for &expected in cases {
        let mut words = Vec::new();
        pre_tokenizer.split(&expected.replace('¦', ""), &mut |word| words.push(String::from(word)));
        assert_eq!(words.join("¦"), expected, "{name}");
    }
}

#[test]
fn unknown_names_are_unknown() {
    assert!(PreTokenizer::by_name("qwen2.5").is_none());
    assert!(PreTokenizer::by_name("").is_none());
}

#[test]
fn gpt2_family() {
    assert_splits("gpt-2", &["Hello¦ world¦  ¦ two¦\n\n", "it¦'s¦ I¦'¦LL", "a¦1¦b¦²³¦ ¦ …", "e¦\u{301}¦a", "\0¦ "]);
    assert_splits("starcoder", &["a¦1¦2", "a¦ ¦1", "it¦'s"]);
    assert_splits("falcon", &["a¦`¦b", "a¦ ¦123¦45"]);
    assert_splits("default", &["a¦`¦$", "a¦ ¦123¦4", "x¦+=¦y"]);
    assert_splits("chameleon", &["IMGIMGABZ¦IMGIMGZ", "x¦<¦sentinel¦:¦1¦>", "a¦    ¦ x", "a¦\t¦\n¦b"]);
}

#[test]
fn llama3_family() {
    assert_splits(
        "llama-bpe",
        &[
            "it¦'S¦ I¦'ll",
            "a¦123¦45¦.\n\n¦ b",
            "(hello¦)",
            "  \n \n¦  ¦ x",
            "e¦\u{301}a",
            " ¦１２３¦４",
            "x¦\u{a0}\u{2003}",
            "x¦\u{a0}¦\u{2003}y",
        ],
    );
    assert_splits("jais-2", &["a¦    ¦  ¦ x", "a¦    ¦  ¦ "]);
    assert_splits("minicpm5", &["a¦123¦4¦b"]);
}

#[test]
fn qwen_family() {
    assert_splits("qwen2", &["1¦2¦.\n¦x", "don¦'t¦e", "\t¦\tx", "\r\n¦ ¦ y", "e¦\u{301}a"]);
    assert_splits("qwen35", &["e\u{301}a", " \u{301}¦!"]);
    assert_splits("ufakzeka", &["don¦'te"]);
    assert_splits("seed-coder", &["!¦\n"]);
    assert_splits("laguna", &["a¦!¦\n\n¦ b"]);
    assert_splits("exaone-moe", &["the big cat sat¦.\n¦\n", "a¦ ¦ b c", "x y¦ ¦1"]);
}

#[test]
fn case_splits_words() {
    assert_splits("tekken", &["Hello¦World", "HTTPServer", "HTTP", "a¦B", "À¦B", "AÀ", " don¦'t", "1¦2", "!\n/"]);
    assert_splits("gpt-4o", &[" don't", "I'LL", "123¦4", "!\n/¦x", "À¦AB", "e¦\u{301}a"]);
    assert_splits("granite-embed-multi-97m", &["e\u{301}¦B", "\u{301}"]);
    assert_splits("tiny_aya", &["a¦1¦234¦567", "aB'S", "12"]);
    assert_splits("kimi-k2", &["中文¦ab's", " ¦中", "a¦中"]);
    assert_splits("youtu", &["가나¦a", "，。¦x"]);
}

#[test]
fn deepseek_family() {
    assert_splits("deepseek-v3", &["123¦45", "中文¦ab", "a¦_b", "x¦!!\n\n¦y", "\0¦\u{1}a", "x¦ (¦y"]);
    assert_splits("deepseek-coder", &["a¦ b¦1¦2¦\n¦\n¦c", "x¦+¦1", "中文¦a"]);
    assert_splits("deepseek-llm", &["hello¦  ", "a¦ ¦ b", "12¦ab", "中文¦。¦x"]);
    assert_splits("spark2_5", &["!¦\n¦\n", "1¦2"]);
    assert_splits("afmoe", &["a¦1¦234¦ b", "ไ¦ทยx"]);
}

#[test]
fn few_cuts() {
    assert_splits("bloom", &[" Hello¦,¦ world", "(¦a¦)", "a¦ ¦ b1"]);
    assert_splits("viking", &["a¦1¦2"]);
    assert_splits("superbpe", &["by the way ¦1¦234¦567¦!", "12", "²1¦234"]);
}
