//! Decoding: what each kind of token becomes, and characters that lie across tokens.

use nanocamelid_engine::tokenizer::{StreamDecoder, TokenKind};
use nanocamelid_tests::random::Random;
use nanocamelid_tests::vocabularies::{
    BYTE, CONTROL, SPM, UNKNOWN, UNUSED, USER_DEFINED, bpe, byte_chars, bytes_of, decode, encode, spm, with,
};

#[test]
fn the_space_before_a_text_is_taken_off_again() {
    with(&spm(true, SPM), |tokenizer| {
        let ids = encode(tokenizer, " a b", false);
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, false), &ids), " a b");
        assert_eq!(decode(tokenizer, StreamDecoder::continuing(false), &ids), "  a b");
        // Only off the very first token.
        let with_bos: Vec<u32> = [1].into_iter().chain(encode(tokenizer, "a", false)).collect();
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, false), &with_bos), " a");
        assert_eq!(decode(tokenizer, StreamDecoder::new(tokenizer, true), &with_bos), "<s> a");
    });
}

#[test]
fn kinds_decode_as_what_they_are() {
    let others = [("<c>", CONTROL), ("<u>", USER_DEFINED), ("<n>", UNUSED), ("<k>", UNKNOWN), ("<0x41>", BYTE)];
    with(&bpe("gpt-2", &[], &others), |tokenizer| {
        let id = |piece| tokenizer.token_id(piece).unwrap();
        let show = |piece, special| {
            let mut bytes = Vec::new();
            tokenizer.decode_into(id(piece), special, &mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            ["<c>", "<u>", "<n>", "<k>", "<0x41>", "Ġ"].map(|piece| show(piece, false)),
            ["", "<u>", "", "", "A", " "]
        );
        assert_eq!(
            ["<c>", "<u>", "<n>", "<k>", "<0x41>", "Ġ"].map(|piece| show(piece, true)),
            ["<c>", "<u>", "", "<k>", "A", " "]
        );
        assert_eq!(tokenizer.kind(id("<k>")), TokenKind::Unknown);
        let outside = tokenizer.n_vocab() as u32;
        assert_eq!((tokenizer.kind(outside), tokenizer.piece(outside)), (TokenKind::Undefined, &b""[..]));
        let mut bytes = Vec::new();
        tokenizer.decode_into(u32::MAX, true, &mut bytes);
        assert!(bytes.is_empty());
    });
}

#[test]
fn characters_across_tokens_come_whole() {
    with(&bpe("gpt-2", &[], &[]), |tokenizer| {
        let ids = encode(tokenizer, "é😀", false);
        let mut decoder = StreamDecoder::new(tokenizer, false);
        let came: Vec<String> = ids.iter().map(|&id| decoder.push(tokenizer, id).to_string()).collect();
        assert_eq!(came, ["", "é", "", "", "", "😀"]);
        assert_eq!(decoder.finish(), "");
        decoder.push(tokenizer, ids[2]);
        assert_eq!(decoder.push(tokenizer, ids[0]), "\u{fffd}");
        assert_eq!(decoder.finish(), "\u{fffd}");
    });
}

#[test]
fn streams_equal_lossy_decoding_of_the_whole() {
    with(&bpe("gpt-2", &["ð Ł", "Ġ â", "ĺ Ģ"], &[]), |tokenizer| {
        // Bytes that begin, continue and break characters, and what merges make of some.
        let bytes = [b'a', 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0xed, 0xa0, 0xff, 0xc0];
        let mut tokens = bytes.map(|byte| byte_chars()[usize::from(byte)].clone()).to_vec();
        tokens.extend(["ðŁ", "Ġâ", "ĺĢ"].map(str::to_string));
        let tokens: Vec<u32> = tokens.iter().map(|piece| tokenizer.token_id(piece).unwrap()).collect();
        let mut random = Random(3);
        for _ in 0..2000 {
            let ids: Vec<u32> = (0..random.below(12)).map(|_| tokens[random.below(tokens.len())]).collect();
            let streamed = decode(tokenizer, StreamDecoder::new(tokenizer, false), &ids);
            assert_eq!(streamed, String::from_utf8_lossy(&bytes_of(tokenizer, &ids)));
        }
    });
}
