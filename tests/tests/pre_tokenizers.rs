//! Compares every pre-tokenizer with llama.cpp, through a vocabulary that shows where words end.
//!
//! The vocabulary merges every pair of 64 common bytes, in random order, so that a wrong cut changes the tokens around
//! it. The recorded values are digests of llama.cpp's ids for [`texts`] under each name. To record them again, run
//! `PRE_TOKENIZER_CORPUS=FOLDER cargo test -p nanocamelid-tests --test pre_tokenizers write_corpus` with an absolute
//! path, and give llama.cpp the vocabularies and the texts (each after its length as a little-endian u32) in FOLDER.

use nanocamelid_engine::gguf::Gguf;
use nanocamelid_engine::tokenizer::{StreamDecoder, Tokenizer};
use nanocamelid_tests::fnv1a;
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::random::Random;

/// Names of `tokenizer.ggml.pre`, and the FNV-1a digest of the ids: per text, joined by commas and ended by a newline.
#[rustfmt::skip]
const RECORDED: &[(&str, u64)] = &[
    ("a.x-4.0", 0x8766_b197_0a50_fc9b),
    ("afmoe", 0x99bb_e818_26a4_1590),
    ("bailingmoe", 0x19bf_d379_2c6b_6a31),
    ("bailingmoe2", 0x19bf_d379_2c6b_6a31),
    ("bloom", 0x0ed9_349c_b574_2654),
    ("chameleon", 0x809c_28d0_c245_c682),
    ("chatglm-bpe", 0xb16b_63c2_f0de_db93),
    ("codeshell", 0xaddb_8db0_6154_78ea),
    ("cohere2moe", 0x0a8b_ea5b_d9ce_b43c),
    ("command-r", 0xaddb_8db0_6154_78ea),
    ("dbrx", 0xb16b_63c2_f0de_db93),
    ("deepseek-coder", 0xbaab_7d50_60b6_4824),
    ("deepseek-llm", 0x897e_191a_48b8_e7db),
    ("deepseek-r1-qwen", 0x19bf_d379_2c6b_6a31),
    ("deepseek-v3", 0x6985_bc9a_796b_1c11),
    ("default", 0x13b5_6635_c93e_e21d),
    ("exaone", 0xaddb_8db0_6154_78ea),
    ("exaone-moe", 0x547a_f5e4_eaa4_c374),
    ("exaone4", 0x8766_b197_0a50_fc9b),
    ("f2llmv2", 0x19bf_d379_2c6b_6a31),
    ("falcon", 0x1497_0c23_c514_9748),
    ("falcon-h1", 0xa5f1_cadc_b953_2a87),
    ("falcon3", 0xa5f1_cadc_b953_2a87),
    ("gigachat", 0x8766_b197_0a50_fc9b),
    ("glm4", 0xa5f1_cadc_b953_2a87),
    ("glm5", 0xa5f1_cadc_b953_2a87),
    ("gpt-2", 0x8766_b197_0a50_fc9b),
    ("gpt-4o", 0x06d3_cbb8_3f1e_e8f5),
    ("gpt3-finnish", 0x0ed9_349c_b574_2654),
    ("granite-docling", 0x8766_b197_0a50_fc9b),
    ("granite-embed-multi-97m", 0xc8a5_5f69_3b14_836d),
    ("grok-2", 0x19bf_d379_2c6b_6a31),
    ("hunyuan", 0x19bf_d379_2c6b_6a31),
    ("hunyuan-dense", 0x6985_bc9a_796b_1c11),
    ("hy_v4", 0x6985_bc9a_796b_1c11),
    ("jais", 0x8766_b197_0a50_fc9b),
    ("jais-2", 0xdced_a216_c49f_3958),
    ("jina-de", 0x8766_b197_0a50_fc9b),
    ("jina-es", 0x8766_b197_0a50_fc9b),
    ("jina-v1-en", 0x8766_b197_0a50_fc9b),
    ("jina-v2-code", 0x8766_b197_0a50_fc9b),
    ("jina-v2-de", 0x8766_b197_0a50_fc9b),
    ("jina-v2-es", 0x8766_b197_0a50_fc9b),
    ("jina-v5-nano", 0xa5f1_cadc_b953_2a87),
    ("joyai-llm", 0x6985_bc9a_796b_1c11),
    ("kanana2", 0x06d3_cbb8_3f1e_e8f5),
    ("kimi-k2", 0x5d11_2cdf_ac08_3776),
    ("kormo", 0x19bf_d379_2c6b_6a31),
    ("laguna", 0x2096_dacd_4bea_9359),
    ("lfm2", 0xa5f1_cadc_b953_2a87),
    ("llada-moe", 0x19bf_d379_2c6b_6a31),
    ("llama-bpe", 0xa5f1_cadc_b953_2a87),
    ("llama-v3", 0xa5f1_cadc_b953_2a87),
    ("llama3", 0xa5f1_cadc_b953_2a87),
    ("llama4", 0x06d3_cbb8_3f1e_e8f5),
    ("megrez", 0x19bf_d379_2c6b_6a31),
    ("mellum", 0x8766_b197_0a50_fc9b),
    ("mellum2", 0xaddb_8db0_6154_78ea),
    ("midm-2.0", 0xa5f1_cadc_b953_2a87),
    ("minerva-7b", 0xaddb_8db0_6154_78ea),
    ("minicpm5", 0xf893_b52d_35d3_980f),
    ("minimax-m2", 0x06d3_cbb8_3f1e_e8f5),
    ("modern-bert", 0x8766_b197_0a50_fc9b),
    ("mpt", 0x8766_b197_0a50_fc9b),
    ("olmo", 0x8766_b197_0a50_fc9b),
    ("phi-2", 0x8766_b197_0a50_fc9b),
    ("pixtral", 0xa5f1_cadc_b953_2a87),
    ("poro-chat", 0x0ed9_349c_b574_2654),
    ("qwen2", 0x19bf_d379_2c6b_6a31),
    ("qwen35", 0x2b07_548e_3098_0b82),
    ("refact", 0xaddb_8db0_6154_78ea),
    ("roberta-bpe", 0x8766_b197_0a50_fc9b),
    ("seed-coder", 0x836b_11d5_23a3_2542),
    ("smaug-bpe", 0xb16b_63c2_f0de_db93),
    ("smollm", 0xaddb_8db0_6154_78ea),
    ("solar-open", 0x19bf_d379_2c6b_6a31),
    ("spark2_5", 0x063f_1791_664e_ab31),
    ("stablelm2", 0x19bf_d379_2c6b_6a31),
    ("starcoder", 0xaddb_8db0_6154_78ea),
    ("superbpe", 0xa9d5_dd51_fea5_e4aa),
    ("talkie", 0x06d3_cbb8_3f1e_e8f5),
    ("tekken", 0xe119_119c_26fe_bd89),
    ("tiny_aya", 0x0a8b_ea5b_d9ce_b43c),
    ("trillion", 0x8766_b197_0a50_fc9b),
    ("ufakzeka", 0x18f3_535f_e01e_46dc),
    ("viking", 0x01c6_3bf7_f3f1_0fe0),
    ("youtu", 0xef57_5b43_e746_5e0e),
];

/// The byte-level alphabet.
fn byte_chars() -> Vec<String> {
    let mut moved = (256..).map(|code_point| char::from_u32(code_point).unwrap());
    let visible = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    (0..=255).map(|byte| if visible(byte) { char::from(byte) } else { moved.next().unwrap() }.to_string()).collect()
}

/// A GGUF file with only the vocabulary.
fn vocabulary(pre: &str) -> Vec<u8> {
    let chars = byte_chars();
    let common =
        b" \t\n\r'.,!?/()0123456789abcdehilmorstuvwxyzABDEHLRSTVX_\xc3\xa9\xcc\x81\xe4\xb8\xad\xe3\x80\x82\xf0";
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for &left in common {
        for &right in common {
            pairs.push((&chars[usize::from(left)], &chars[usize::from(right)]));
        }
    }
    let mut random = Random(2026);
    for at in (1..pairs.len()).rev() {
        pairs.swap(at, random.below(at + 1));
    }
    let mut tokens = chars.clone();
    tokens.extend(pairs.iter().map(|(left, right)| format!("{left}{right}")));
    // Pieces that no merge makes, for names under which words that are pieces do not merge.
    let spelled = |text: &str| text.bytes().map(|byte| chars[usize::from(byte)].as_str()).collect::<String>();
    tokens.extend(["hello", " world", "123", "   ", "中文", "...", "'ll"].map(spelled));
    let n_normal = tokens.len();
    tokens.extend(["<|end|>", "<|x|>"].map(str::to_string));
    let types = (0..tokens.len()).map(|id| if id < n_normal { 1 } else { 3 });
    let keys = ["context_length", "embedding_length", "feed_forward_length", "block_count", "attention.head_count"];
    let writer = GgufWriter::new()
        .entry("general.architecture", Value::string("llama"))
        .entry("llama.attention.layer_norm_rms_epsilon", Value::f32(1e-5))
        .entry("llama.rope.dimension_count", Value::u32(32))
        .entry("llama.vocab_size", Value::u32(tokens.len() as u32))
        .entry("tokenizer.ggml.model", Value::string("gpt2"))
        .entry("tokenizer.ggml.pre", Value::string(pre))
        .entry("tokenizer.ggml.token_type", Value::i32s(types))
        .entry("tokenizer.ggml.merges", Value::strings(pairs.iter().map(|(left, right)| format!("{left} {right}"))))
        .entry("tokenizer.ggml.bos_token_id", Value::u32(n_normal as u32))
        .entry("tokenizer.ggml.eos_token_id", Value::u32(n_normal as u32))
        .entry("tokenizer.ggml.tokens", Value::strings(tokens));
    let writer = keys
        .iter()
        .zip([64, 32, 32, 1, 1])
        .fold(writer, |writer, (key, value)| writer.entry(format!("llama.{key}"), Value::u32(value)));
    writer.finish().bytes
}

/// Texts of every script and class, with frequent combinations that the expressions of pre-tokenizers distinguish.
fn texts() -> Vec<String> {
    let sets: Vec<Vec<char>> = [
        "abcdehilmorstuvwxyz",
        "ABDEHLRSTVX",
        "0123456789",
        "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
        " ",
        " \t\n\r\u{b}\u{c}",
        "\n\r/",
        "\u{a0}\u{2028}\u{3000}\u{2003}\u{85}\u{1680}\u{202f}",
        "\0\u{1}\u{1c}\u{7f}\u{200b}\u{feff}\u{180e}",
        "àéîõüßñÀÉÎÕÜÑ",
        "ǅᾈƻƛʔʕªº",
        "αβγΔΩЖжшЩ",
        "中文汉字一龥龦鿿㐀",
        "ひらカター・ｦﾟ",
        "가각힣ㄱㆎᄀㄅㄯ",
        "אבمرحبا،؟۔",
        "\u{300}\u{301}\u{327}\u{20dd}",
        "नमस्ते।ไทยเຊກខမ",
        "١٢٣४५²³½Ⅷ㊿",
        "😀👨\u{200d}👩🏽☃€£",
        "！…“”‘’—：；，、。〿︰﹏／～‟「",
        "\u{378}\u{cf3}\u{2ffc}\u{2ebf0}\u{e000}\u{a7cb}\u{1e030}",
        "\u{8c48}\u{f900}\u{fa11}\u{20000}\u{2f800}\u{2fa1f}",
    ]
    .iter()
    .map(|set| set.chars().collect())
    .collect();
    let snippets = [
        "'s",
        "'S",
        "'t",
        "'re",
        "'RE",
        "'Ve",
        "'ll",
        "'LL",
        "'m",
        "'d",
        "n't",
        "hello",
        " world",
        "123",
        "1234567",
        "   ",
        "    ",
        "\r\n",
        "\n\n",
        "...",
        "//\n",
        "IMGIMGABZ",
        "IMGIMGABCDEZ",
        "<sentinel:12>",
        "HTTPServer",
        "ÀB",
        "AÀ",
        "中文",
        "3.14",
        "<|x|>",
    ];
    let mut random = Random(7);
    let mut texts = Vec::new();
    for _ in 0..600 {
        let mut text = String::new();
        let n_sets = if random.below(2) == 0 { sets.len() } else { 1 + random.below(4) };
        let first = random.below(sets.len());
        for _ in 0..random.below(30) {
            let set = &sets[(first + random.below(n_sets)) % sets.len()];
            match random.below(10) {
                0 | 1 => text.push_str(snippets[random.below(snippets.len())]),
                2 => text.push(' '),
                3 => {
                    let c = set[random.below(set.len())];
                    text.extend(std::iter::repeat_n(c, 1 + random.below(20)));
                }
                _ => text.extend((0..1 + random.below(4)).map(|_| set[random.below(set.len())])),
            }
        }
        texts.push(text);
    }
    texts
}

fn digest(tokenizer: &Tokenizer<'_>) -> u64 {
    let line = |text: String| {
        let mut ids = Vec::new();
        tokenizer.encode(&text, false, &mut ids);
        ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",") + "\n"
    };
    fnv1a(texts().into_iter().flat_map(|text| line(text).into_bytes()))
}

#[test]
fn ids_equal_llama_cpp() {
    for &(name, recorded) in RECORDED {
        let bytes = vocabulary(name);
        let tokenizer = Tokenizer::new(&Gguf::parse(&bytes).unwrap()).unwrap();
        assert_eq!(digest(&tokenizer), recorded, "{name}");
    }
}

#[test]
fn text_survives() {
    let texts = texts();
    for &(name, _) in RECORDED {
        let bytes = vocabulary(name);
        let tokenizer = Tokenizer::new(&Gguf::parse(&bytes).unwrap()).unwrap();
        for text in &texts {
            let mut ids = Vec::new();
            tokenizer.encode(text, false, &mut ids);
            let mut decoder = StreamDecoder::new(&tokenizer, false);
            let mut decoded: String = ids.iter().map(|&id| decoder.push(&tokenizer, id).to_string()).collect();
            decoded += decoder.finish();
            assert_eq!(&decoded, text, "{name}");
        }
    }
}

/// Writes the corpus for llama.cpp, whose answers are the recorded digests.
#[test]
fn write_corpus() {
    let Some(folder) = std::env::var_os("PRE_TOKENIZER_CORPUS").map(std::path::PathBuf::from) else {
        eprintln!("skipped: PRE_TOKENIZER_CORPUS names no folder to write to");
        return;
    };
    for (name, _) in RECORDED {
        std::fs::write(folder.join(format!("{name}.gguf")), vocabulary(name)).unwrap();
    }
    let framed =
        texts().iter().flat_map(|text| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()).collect();
    std::fs::write::<_, Vec<u8>>(folder.join("texts"), framed).unwrap();
}
