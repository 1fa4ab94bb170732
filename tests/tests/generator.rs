//! `Generator` without a model: the test makes logits that leave no choice, and checks the text and the end.

use nanocamelid_engine::chat::StopMatcher;
use nanocamelid_engine::tokenizer::TokenKind;
use nanocamelid_engine::{Finish, Generator, Gguf, SampleError, Sampler, SamplerParams, Step, Tokenizer};
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use nanocamelid_tests::rust_source::workspace_root;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Runs `test` with the demonstration model's tokenizer.
fn with_tokenizer(test: impl FnOnce(&Tokenizer<'_>)) {
    let bytes = std::fs::read(workspace_root().join("host/demo/nanocamelid-demo.gguf")).unwrap();
    test(&Tokenizer::new(&Gguf::parse(&bytes).unwrap()).unwrap());
}

fn generator<'t>(tokenizer: &'t Tokenizer<'t>, stops: &[&str], limit: usize) -> Generator<'t> {
    let sampler = Sampler::new(SamplerParams::GREEDY, tokenizer.n_vocab()).unwrap();
    let stop = StopMatcher::new(stops.iter().copied()).unwrap().with_control_tokens(tokenizer);
    Generator::new(tokenizer, sampler, stop, limit)
}

/// Logits that only `token` can be sampled from.
fn only(tokenizer: &Tokenizer<'_>, token: u32) -> Vec<f32> {
    (0..tokenizer.n_vocab() as u32).map(|id| if id == token { 1.0 } else { 0.0 }).collect()
}

fn ids(tokenizer: &Tokenizer<'_>, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode(text, false, &mut ids);
    ids
}

/// Offers `tokens` and then the end of generation. Returns the tokens to compute, the text after every step, the end.
fn run(tokenizer: &Tokenizer<'_>, mut generator: Generator<'_>, tokens: &[u32]) -> (Vec<u32>, Vec<String>, Finish) {
    let end = (0..tokenizer.n_vocab() as u32).find(|&id| tokenizer.is_end_of_generation(id)).unwrap();
    let (mut computed, mut texts, mut text) = (Vec::new(), Vec::new(), String::new());
    loop {
        let token = tokens.get(computed.len()).copied().unwrap_or(end);
        let step = generator.next(&only(tokenizer, token), &mut text).unwrap();
        texts.push(text.clone());
        match step {
            Step::Token(id) => computed.push(id),
            Step::End(finish) => {
                assert_eq!(generator.finish(), Some(finish));
                assert_eq!(generator.next(&only(tokenizer, token), &mut text), Ok(Step::End(finish)), "it stays ended");
                assert_eq!(Some(&text), texts.last(), "nothing is said twice");
                return (computed, texts, finish);
            }
        }
    }
}

#[test]
fn the_model_ends_an_answer() {
    with_tokenizer(|tokenizer| {
        let tokens = ids(tokenizer, "Camels drink water.");
        let (computed, texts, finish) = run(tokenizer, generator(tokenizer, &[], 100), &tokens);
        assert_eq!((computed, finish), (tokens, Finish::Stop));
        assert_eq!(texts.last().unwrap(), "Camels drink water.");
    });
}

#[test]
fn the_last_token_of_a_limit_is_computed() {
    with_tokenizer(|tokenizer| {
        let tokens = ids(tokenizer, "Camels drink water.");
        let (computed, texts, finish) = run(tokenizer, generator(tokenizer, &[], 2), &tokens);
        assert_eq!((computed.as_slice(), finish), (&tokens[..2], Finish::Length));
        assert!("Camels drink water.".starts_with(texts.last().unwrap()));
        let (computed, texts, finish) = run(tokenizer, generator(tokenizer, &[], 0), &tokens);
        assert_eq!((computed, texts, finish), (vec![], vec![String::new()], Finish::Length));
    });
}

#[test]
fn stop_strings_end_across_tokens_and_never_show() {
    with_tokenizer(|tokenizer| {
        let text = "Camels drink water.";
        let tokens = ids(tokenizer, text);
        // Every stop string that begins and ends anywhere: text is shown up to it, tokens are computed up to its end.
        for start in 1..text.len() - 3 {
            let stop = &text[start..start + 3];
            let first = text.find(stop).unwrap();
            let (computed, texts, finish) = run(tokenizer, generator(tokenizer, &[stop], 100), &tokens);
            assert_eq!((texts.last().unwrap().as_str(), finish), (&text[..first], Finish::StopString), "{stop:?}");
            assert!(computed.len() <= tokens.len(), "{stop:?}");
            assert!(texts.iter().all(|shown| text[..first].starts_with(shown.as_str())), "{stop:?}");
        }
        // A stop string whose end never comes is text.
        let (_, texts, finish) = run(tokenizer, generator(tokenizer, &["water.\n"], 100), &tokens);
        assert_eq!((texts.last().unwrap().as_str(), finish), (text, Finish::Stop));
    });
}

#[test]
fn characters_are_shown_whole() {
    with_tokenizer(|tokenizer| {
        let text = "☃é𝄞";
        let tokens = ids(tokenizer, text);
        assert!(tokens.len() > text.chars().count(), "no character is split in this vocabulary");
        let (_, texts, _) = run(tokenizer, generator(tokenizer, &[], 100), &tokens);
        assert!(texts.iter().all(|shown| text.starts_with(shown.as_str())), "{texts:?}");
        assert_eq!(texts.last().unwrap(), text);
        // Cut within a character, what came of it is U+FFFD.
        let (_, texts, finish) = run(tokenizer, generator(tokenizer, &[], 1), &tokens);
        assert_eq!((texts.last().unwrap().as_str(), finish), ("\u{FFFD}", Finish::Length));
    });
}

#[test]
fn a_caller_may_end_an_answer() {
    with_tokenizer(|tokenizer| {
        let tokens = ids(tokenizer, "Camels drink");
        let mut generator = generator(tokenizer, &["drinks"], 100);
        let mut text = String::new();
        for &token in &tokens {
            assert_eq!(generator.next(&only(tokenizer, token), &mut text), Ok(Step::Token(token)));
        }
        assert_eq!(text, "Camels ", "what may begin a stop string is held back");
        assert_eq!(generator.end(Finish::Interrupted, &mut text), Step::End(Finish::Interrupted));
        assert_eq!((text.as_str(), generator.finish()), ("Camels drink", Some(Finish::Interrupted)));
    });
}

#[test]
fn logits_that_are_no_numbers_change_nothing() {
    with_tokenizer(|tokenizer| {
        let token = ids(tokenizer, "Camels")[0];
        let mut generator = generator(tokenizer, &[], 1);
        let mut text = String::new();
        let broken = vec![f32::NAN; tokenizer.n_vocab()];
        assert_eq!(generator.next(&broken, &mut text), Err(SampleError::NoNumber));
        assert_eq!((text.as_str(), generator.finish()), ("", None));
        assert_eq!(generator.next(&only(tokenizer, token), &mut text), Ok(Step::Token(token)));
    });
}

#[test]
fn an_answer_says_how_it_was_chosen_and_ended() {
    with_tokenizer(|tokenizer| {
        let tokens = ids(tokenizer, "Camels drink water.");
        let mut generator = generator(tokenizer, &["no", "water"], 100).with_log_probs(2);
        assert_eq!((generator.log_probs(), generator.stop_string()), (None, None));
        let mut text = String::new();
        for &token in &tokens {
            if generator.finish().is_none() {
                generator.next(&only(tokenizer, token), &mut text).unwrap();
                let log_probs = generator.log_probs().unwrap();
                assert_eq!((log_probs.chosen.token, log_probs.top.len()), (token, 2));
                assert_eq!(log_probs.top[0], log_probs.chosen);
            }
        }
        assert_eq!((generator.finish(), generator.stop_string()), (Some(Finish::StopString), Some(1)));
    });
}

#[test]
fn control_tokens_show_on_request() {
    with_tokenizer(|tokenizer| {
        let is_control = |&id: &u32| tokenizer.kind(id) == TokenKind::Control && !tokenizer.is_end_of_generation(id);
        let control = (0..tokenizer.n_vocab() as u32).find(is_control).unwrap();
        let piece = std::str::from_utf8(tokenizer.piece(control)).unwrap();
        let tokens = [ids(tokenizer, "Camels"), vec![control], ids(tokenizer, " drink")].concat();
        let (_, texts, _) = run(tokenizer, generator(tokenizer, &[], 100), &tokens);
        assert_eq!(texts.last().unwrap(), "Camels drink");
        let (_, texts, finish) = run(tokenizer, generator(tokenizer, &[], 100).with_control_tokens(), &tokens);
        assert_eq!((texts.last().unwrap(), finish), (&format!("Camels{piece} drink"), Finish::Stop));
        let (_, texts, finish) = run(tokenizer, generator(tokenizer, &[piece], 100).with_control_tokens(), &tokens);
        assert_eq!((texts.last().unwrap().as_str(), finish), ("Camels", Finish::StopString));
    });
}

#[test]
fn an_answer_without_stop_strings_allocates_nothing() {
    with_tokenizer(|tokenizer| {
        let logits: Vec<Vec<f32>> = (0..tokenizer.n_vocab() as u32).map(|token| only(tokenizer, token)).collect();
        let mut generator = generator(tokenizer, &[], usize::MAX);
        let mut text = String::with_capacity(generator.text_bytes());
        let (n_tokens, allocations) = measure(|| {
            let mut n_tokens = 0;
            for logits in logits.iter().filter(|logits| {
                let token = logits.iter().position(|&logit| logit == 1.0).unwrap();
                !tokenizer.is_end_of_generation(token as u32)
            }) {
                text.clear();
                assert!(matches!(generator.next(logits, &mut text), Ok(Step::Token(_))));
                n_tokens += 1;
            }
            text.clear();
            generator.end(Finish::Interrupted, &mut text);
            n_tokens
        });
        assert!(n_tokens > 256, "the vocabulary has {n_tokens} tokens that go on");
        assert_eq!(allocations.calls, 0, "{allocations:?}");
    });
}
