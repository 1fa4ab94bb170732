//! Constraints over the demonstration model's vocabulary: grammars from their notation, masks against a test of every
//! token, and generators that are held to a grammar.

use nanocamelid_engine::chat::StopMatcher;
use nanocamelid_engine::{
    Constraint, Finish, Generator, Gguf, Grammar, GrammarBuilder, GrammarError, Sampler, SamplerParams, Step,
    TokenTrie, Tokenizer,
};
use nanocamelid_tests::random::Random;
use nanocamelid_tests::rust_source::workspace_root;
use std::sync::Arc;

/// Runs `test` with the demonstration model's tokenizer and its tokens as a tree.
fn with_vocabulary(test: impl FnOnce(&Tokenizer<'_>, &Arc<TokenTrie>)) {
    let bytes = std::fs::read(workspace_root().join("host/demo/nanocamelid-demo.gguf")).unwrap();
    let tokenizer = Tokenizer::new(&Gguf::parse(&bytes).unwrap()).unwrap();
    let trie = Arc::new(TokenTrie::new(&tokenizer));
    test(&tokenizer, &trie);
}

fn gbnf(tokenizer: &Tokenizer<'_>, text: &str) -> Grammar {
    Grammar::from_gbnf(text, tokenizer).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Grammars, texts of them, and texts that are none.
const GRAMMARS: &[(&str, &[&str], &[&str])] = &[
    (r#"root ::= "yes" | "no" ", because""#, &["yes", "no, because"], &["", "no", "yesno", "yes, because"]),
    (r#"root ::= [a-c]+ [^a-c\n]*"#, &["a", "abc", "cé😀 \\"], &["", "d", "ca b", "c\n"]),
    (r#"root ::= "x"{2,4} "y"?"#, &["xx", "xxxx", "xxxxy"], &["x", "xxxxx", "xxyy"]),
    (r#"root ::= "x"{3}  # a comment"#, &["xxx"], &["xx", "xxxx"]),
    (r#"root ::= ("ab" | "c"){2,} "."  "#, &["abc.", "cccccc.", "abab."], &["ab.", "a.", "abcb."]),
    ("root ::= (\n \"a\" |\n \"b\"\n)\n# end\n", &["a", "b"], &["ab", ""]),
    (r#"root ::= ("a"? "b"?){2,3}"#, &["", "a", "ab", "abab", "bab", "ababab"], &["bbbb", "aaaa"]),
    (r#"root ::= ("a"*)* "b""#, &["b", "aaab"], &["", "ba"]),
    (r#"root ::= ("a"{2,3}){2} "!""#, &["aaaa!", "aaaaa!", "aaaaaa!"], &["aaa!", "aaaaaaa!"]),
    (r#"root ::= "\x41\u00e9\U0001F600\t\"\\\[\]""#, &["Aé😀\t\"\\[]"], &["A"]),
    ("root ::= [\\x00-\\u00ff]", &["\0", "é", "ÿ"], &["Ā", "\u{ff}\u{ff}"]),
    ("root ::= [^x]", &["é", "😀", "\n"], &["x", ""]),
    ("root ::= . .", &["é\n", "xx", "\u{10ffff}\u{e000}"], &["x", "xxx"]),
    ("root ::= [a-]+ [\\]]?", &["a-a", "-", "-]"], &["b", "]"]),
    ("root ::= item (\",\" item)* |\n \"\"\nitem ::= [0-9]{1,2}\n", &["", "1", "1,23,4"], &["1,", "123", ",1"]),
    // Nested, as no regular language is.
    (
        "root ::= list\nlist ::= \"(\" list_of \")\"\nlist_of ::= (list | \"x\")*\n",
        &["()", "((x)x())", "(((((((())))))))"],
        &["(", "())", "x", "(()"],
    ),
    // Recursion on the right; and a rule that needs itself without end, beside one that does not.
    ("root ::= \"a\" root | end\nend ::= \"b\" | \"c\" bad\nbad ::= \"d\" bad", &["b", "aaab"], &["c", "acd", "a"]),
    // One text in several ways.
    ("root ::= (\"a\" | \"aa\" | [a-b]{1,3})* \"c\"", &["c", "aaaabbc", "bbbbbbbc"], &["abcb", "aaaa"]),
];

#[test]
fn grammars_match_their_texts_only() {
    with_vocabulary(|tokenizer, _| {
        for (source, texts, others) in GRAMMARS {
            let grammar = gbnf(tokenizer, source);
            for text in *texts {
                assert!(grammar.matches(text.as_bytes()), "{source}: {text:?}");
            }
            for text in *others {
                assert!(!grammar.matches(text.as_bytes()), "{source}: {text:?}");
            }
        }
    });
}

#[test]
fn faults_of_a_grammar_are_named() {
    with_vocabulary(|tokenizer, _| {
        for (source, message) in [
            ("", "the rule \"root\" is not defined"),
            ("root := \"a\"", "line 1, column 6: expected ::="),
            ("root ::= \"a\"\nb ::= \"c", "line 2, column 9: expected \" at the end of a text"),
            ("root ::= [a", "line 1, column 12: expected ] at the end of a class of characters"),
            ("root ::= [b-a]", "line 1, column 14: a range of characters ends before it begins"),
            ("root ::= \"é\\q\"", "line 1, column 13: unknown escape"),
            ("root ::= \"\\ud800\"", "line 1, column 17: no character has this code point"),
            ("root ::= \"a\"{3,2}", "line 1, column 17: a repetition has a larger minimum than maximum"),
            ("root ::= \"a\"{,2}", "line 1, column 14: expected a number"),
            ("root ::= \"a\"{9999999999}", "line 1, column 14: the number is too large"),
            ("root ::= \"a\"{2", "line 1, column 15: expected }"),
            ("root ::= (\"a\"", "line 1, column 14: expected )"),
            ("root ::= \"a\" )", "line 1, column 14: expected the end of the rule"),
            ("root ::= *", "line 1, column 10: expected the end of the rule"),
            ("root ::= other", "the rule \"other\" is not defined"),
            ("root ::= \"a\"\nroot ::= \"b\"", "the rule \"root\" is defined twice"),
            ("root ::= \"a\"? root \"b\" | \"c\"", "the rule \"root\" begins with itself (left recursion)"),
            ("root ::= a\na ::= \"\" b \"x\"\nb ::= a | \"y\"", "the rule \"a\" begins with itself (left recursion)"),
            ("root ::= \"a\" root", "no text of the grammar ever ends"),
            ("root ::= []", "no text of the grammar ever ends"),
            ("root ::= <no such token>", "the vocabulary has no token \"<no such token>\""),
            ("root ::= <[99999999]>", "line 1, column 22: the vocabulary has no token of this id"),
            ("root ::= <x", "line 1, column 10: expected > of a token"),
            (
                "root ::= \"\"{70000} (\"\"{70000}){70000} (\"a\"?){300000}",
                "the grammar is too large or nested too deeply",
            ),
        ] {
            let error = Grammar::from_gbnf(source, tokenizer).map(|_| ()).expect_err(source);
            assert_eq!(error.to_string(), message, "{source}");
        }
        let nested = format!("root ::= {}\"a\"{}", "(".repeat(5000), ")".repeat(5000));
        assert!(matches!(Grammar::from_gbnf(&nested, tokenizer), Err(GrammarError::Syntax { column: 110, .. })));
        let repeated = format!("root ::= \"a\"{}", "{2}".repeat(5000));
        assert_eq!(Grammar::from_gbnf(&repeated, tokenizer).unwrap_err(), GrammarError::TooLarge);
    });
}

/// What [`Constraint::mask`] must be, by a try of every token.
fn tried(constraint: &Constraint, tokenizer: &Tokenizer<'_>) -> Vec<u32> {
    (0..tokenizer.n_vocab() as u32).filter(|&token| constraint.clone().accept(token)).collect()
}

/// Walks through answers of a grammar at random and compares the mask of every state on the way.
fn compare_masks(source: &str, grammar: &Arc<Grammar>, tokenizer: &Tokenizer<'_>, trie: &Arc<TokenTrie>) -> usize {
    let mut random = Random(source.len() as u64);
    let mut n_complete = 0;
    let mut constraint = Constraint::new(Arc::clone(grammar), Arc::clone(trie));
    for _ in 0..6 {
        constraint.reset();
        let mut text = Vec::new();
        for _ in 0..12 {
            let tried = tried(&constraint, tokenizer);
            let mask = constraint.mask();
            let masked: Vec<u32> = (0..tokenizer.n_vocab() as u32).filter(|&token| mask.contains(token)).collect();
            assert!(masked == tried, "{source} behind {:?}", String::from_utf8_lossy(&text));
            assert_eq!((mask.len(), mask.is_empty()), (tried.len(), tried.is_empty()));
            let is_end = |token: &u32| tokenizer.is_end_of_generation(*token);
            assert_eq!(constraint.can_end(), tried.iter().any(is_end), "{source}");
            assert_eq!(constraint.is_complete(), tried.iter().all(is_end) && !tried.is_empty(), "{source}");
            let others: Vec<u32> = tried.into_iter().filter(|token| !is_end(token)).collect();
            if others.is_empty() {
                n_complete += 1;
                break;
            }
            let token = others[random.below(others.len())];
            assert!(constraint.accept(token));
            tokenizer.decode_into(token, false, &mut text);
        }
        // A grammar with single tokens has more than texts.
        let is_text = !source.contains('<') && constraint.can_end();
        assert!(!is_text || grammar.matches(&text), "{source}: {:?}", String::from_utf8_lossy(&text));
    }
    n_complete
}

#[test]
fn masks_are_what_a_try_of_every_token_gives() {
    with_vocabulary(|tokenizer, trie| {
        let mut n_complete = 0;
        for (source, ..) in GRAMMARS {
            n_complete += compare_masks(source, &Arc::new(gbnf(tokenizer, source)), tokenizer, trie);
        }
        for source in [
            // As JSON strings are: nearly every token keeps the state, and counts run out.
            r#"root ::= "\"" ([^"\\\x00-\x1f] | "\\" ["\\nrt])* "\"""#,
            r#"root ::= "\"" ([^"\\\x00-\x1f] | "\\" ["\\nrt]){0,9} "\"""#,
            r#"root ::= [a-z ]{4,1000} "." [é-ÿ]{3} .{2,5}"#,
            r#"root ::= .{100,}"#,
            r#"root ::= ([a-z]{1,5} " "){1,6} "!""#,
        ] {
            n_complete += compare_masks(source, &Arc::new(gbnf(tokenizer, source)), tokenizer, trie);
        }
        assert!(n_complete > 20, "{n_complete}");
    });
}

#[test]
fn single_tokens_are_not_their_text() {
    with_vocabulary(|tokenizer, trie| {
        let end = tokenizer.end_of_generation()[0];
        let piece = std::str::from_utf8(tokenizer.piece(end)).unwrap();
        let control = (0..tokenizer.n_vocab() as u32)
            .find(|&id| tokenizer.kind(id) == nanocamelid_engine::tokenizer::TokenKind::Control && id != end)
            .expect("the vocabulary has another control token");
        let name = std::str::from_utf8(tokenizer.piece(control)).unwrap();
        for (source, n_first) in [
            (format!("root ::= {name} \"a\""), 1),
            (format!("root ::= <[{control}]> \"a\""), 1),
            (format!("root ::= {piece}"), 1),
            (format!("root ::= !{name} \"a\""), tokenizer.n_vocab() - 1 - tokenizer.end_of_generation().len()),
            (format!("root ::= {name} | \"a\""), 1 + tried(&one_letter(tokenizer, trie), tokenizer).len()),
        ] {
            let grammar = Arc::new(gbnf(tokenizer, &source));
            let mut constraint = Constraint::new(Arc::clone(&grammar), Arc::clone(trie));
            assert_eq!(constraint.mask().len(), n_first, "{source}");
            // A token of the grammar that also ends generation is neither the one nor the other to the comparison.
            if !source.contains(piece) {
                compare_masks(&source, &grammar, tokenizer, trie);
            }
        }
        // Text up to a marker: as a control token, and spelled.
        let mut builder = GrammarBuilder::new();
        let (text, last) = (builder.text_until(tokenizer, name), builder.literal("!"));
        let root = builder.sequence([text, last]);
        let grammar = Arc::new(builder.build(root).unwrap());
        assert!(grammar.matches(format!("some text <<{name}!").as_bytes()));
        assert!(!grammar.matches(format!("some {name} text{name}!").as_bytes()));
        let mut constraint = Constraint::new(Arc::clone(&grammar), Arc::clone(trie));
        let mut ids = Vec::new();
        tokenizer.encode("some text", false, &mut ids);
        assert!(ids.iter().chain([&control]).all(|&id| constraint.accept(id)));
        assert!(!constraint.accept(control), "the marker has come");
        compare_masks("text up to <marker>", &grammar, tokenizer, trie);
    });
}

fn one_letter(tokenizer: &Tokenizer<'_>, trie: &Arc<TokenTrie>) -> Constraint {
    Constraint::new(Arc::new(gbnf(tokenizer, "root ::= \"a\"")), Arc::clone(trie))
}

#[test]
fn markers_are_found_wherever_they_begin() {
    for marker in ["a", "ab", "aab", "abab", "abcabd", "aaaa", "é<é"] {
        let mut builder = GrammarBuilder::new();
        // No vocabulary of a tiny model has these as special tokens, so a tokenizer plays no part.
        let mut grammar = None;
        with_vocabulary(|tokenizer, _| {
            let root = builder.text_until(tokenizer, marker);
            grammar = Some(builder.build(root).unwrap());
        });
        let grammar = grammar.unwrap();
        let mut random = Random(marker.len() as u64);
        let alphabet: Vec<char> = marker.chars().chain(['x']).collect();
        for _ in 0..2000 {
            let n = random.below(14);
            let text: String = (0..n).map(|_| alphabet[random.below(alphabet.len())]).collect();
            let expected = text.find(marker).is_some_and(|at| at + marker.len() == text.len());
            assert_eq!(grammar.matches(text.as_bytes()), expected, "{marker:?} in {text:?}");
        }
    }
}

/// An answer of random logits: a weak model at a high temperature.
fn answer(tokenizer: &Tokenizer<'_>, constraint: Constraint, seed: u64, limit: usize) -> (String, Finish) {
    let params = SamplerParams { seed, temperature: 1.5, ..SamplerParams::default() };
    let sampler = Sampler::new(params, tokenizer.n_vocab()).unwrap();
    let stop = StopMatcher::new([]).unwrap();
    let mut generator = Generator::new(tokenizer, sampler, stop, limit).with_constraint(constraint);
    let mut random = Random(seed + 1);
    let mut text = String::new();
    loop {
        let logits = random.values(tokenizer.n_vocab(), 4.0);
        if let Step::End(finish) = generator.next(&logits, &mut text).unwrap() {
            return (text, finish);
        }
    }
}

#[test]
fn answers_of_random_models_are_texts_of_the_grammar() {
    with_vocabulary(|tokenizer, trie| {
        for (source, ..) in GRAMMARS {
            let grammar = Arc::new(gbnf(tokenizer, source));
            let mut constraint = Constraint::new(Arc::clone(&grammar), Arc::clone(trie));
            let mut n_ended = 0;
            for seed in 0..20 {
                constraint.reset();
                let (text, finish) = answer(tokenizer, constraint.clone(), seed, 200);
                n_ended += usize::from(finish == Finish::Stop);
                assert!(finish != Finish::Stop || grammar.matches(text.as_bytes()), "{source}: {text:?}");
                assert!(matches!(finish, Finish::Stop | Finish::Length), "{source}: {text:?} {finish:?}");
            }
            assert!(n_ended > 0, "{source}");
        }
    });
}

#[test]
fn an_answer_ends_where_nothing_can_follow() {
    with_vocabulary(|tokenizer, trie| {
        let grammar = Arc::new(gbnf(tokenizer, "root ::= \"Camels drink.\""));
        let (text, finish) = answer(tokenizer, Constraint::new(grammar, Arc::clone(trie)), 1, 100);
        assert_eq!((text.as_str(), finish), ("Camels drink.", Finish::Stop));
        let grammar = Arc::new(gbnf(tokenizer, "root ::= \"\""));
        let (text, finish) = answer(tokenizer, Constraint::new(grammar, Arc::clone(trie)), 1, 100);
        assert_eq!((text.as_str(), finish), ("", Finish::Stop));
    });
}

#[test]
fn grammars_that_are_too_ambiguous_are_given_up() {
    with_vocabulary(|tokenizer, trie| {
        // Each letter doubles the ways in which the text can be read.
        let source = "root ::= (a | b)\na ::= \"x\" (a | b)? \"y\"\nb ::= \"x\" (a | b)? \"y\" \"y\"?";
        let mut constraint = Constraint::new(Arc::new(gbnf(tokenizer, source)), Arc::clone(trie));
        let mut ids = Vec::new();
        tokenizer.encode("x", false, &mut ids);
        let x = ids[0];
        let n_accepted = (0..10_000).take_while(|_| constraint.accept(x)).count();
        assert!((8..9_999).contains(&n_accepted) && constraint.has_given_up(), "{n_accepted}");
    });
}

#[test]
fn samplers_choose_among_the_allowed() {
    with_vocabulary(|tokenizer, trie| {
        let mut constraint = Constraint::new(Arc::new(gbnf(tokenizer, "root ::= [0-9]+ \"x\"")), Arc::clone(trie));
        let allowed = tried(&constraint, tokenizer);
        let mut random = Random(3);
        for seed in 0..50 {
            let logits = random.values(tokenizer.n_vocab(), 4.0);
            let best = *allowed.iter().max_by(|a, b| logits[**a as usize].total_cmp(&logits[**b as usize])).unwrap();
            let mut greedy = Sampler::new(SamplerParams::GREEDY, tokenizer.n_vocab()).unwrap();
            assert_eq!(greedy.sample_among(&logits, Some(constraint.mask())), Ok(best));
            // The same as without the others in the vocabulary.
            let params = SamplerParams { seed, top_k: 5, ..SamplerParams::default() };
            let others = (0..).zip(&logits);
            let others: Vec<f32> =
                others.map(|(id, &logit)| if allowed.contains(&id) { logit } else { f32::NEG_INFINITY }).collect();
            let plain = Sampler::new(params, tokenizer.n_vocab()).unwrap().sample(&others);
            let mut sampler = Sampler::new(params, tokenizer.n_vocab()).unwrap();
            assert_eq!(sampler.sample_among(&logits, Some(constraint.mask())), plain);
        }
    });
}
