//! The promises of a session beyond right logits: continuing after truncation, models split between layers, windows
//! that wrap, exact arenas, and errors that change nothing.

use nanocamelid_engine::refusal::Reason;
use nanocamelid_engine::session::{Input, Probe, Stage};
use nanocamelid_engine::{Gguf, Model, Session, SessionError, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::KvType;
use nanocamelid_tests::gguf_copy::copy;
use nanocamelid_tests::tables::best;
use nanocamelid_tests::{Fixture, bits, fixture, fixtures};

fn options(n_ctx: usize, n_batch: usize) -> SessionOptions {
    SessionOptions { n_ctx, n_batch, ..Default::default() }
}

/// Runs `body` with an empty session of the file.
fn with_session<T>(gguf: &[u8], options: SessionOptions, body: impl FnOnce(&mut Session<'_>) -> T) -> T {
    let gguf = Gguf::parse(gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let plan = SessionPlan::new(&model, best(), options).unwrap();
    let mut arena = vec![0xFFu8; plan.required_bytes()];
    body(&mut plan.start(&mut arena).unwrap())
}

fn last_logits(fixture: &Fixture, n_batch: usize, ids: &[u32]) -> Vec<u32> {
    with_session(&fixture.gguf, options(512, n_batch), |s| bits(s.prefill(&SingleThread, ids).unwrap()))
}

/// A prompt longer than several cache chunks.
fn long_prompt(fixture: &Fixture) -> Vec<u32> {
    fixture.ids.iter().copied().cycle().take(420).collect()
}

#[test]
fn continuing_after_truncation_equals_a_fresh_session() {
    for fixture in fixtures("archs") {
        let ids = long_prompt(&fixture);
        let expected = last_logits(&fixture, 64, &ids);
        with_session(&fixture.gguf, options(512, 64), |session| {
            for n in [419, 400, 130, 128, 127, 1, 0] {
                session.reset();
                if n > 0 {
                    session.prefill(&SingleThread, &ids[..n]).unwrap();
                }
                // Another continuation, to be forgotten.
                session.prefill(&SingleThread, &ids[..20.min(512 - n)]).unwrap();
                let kept = session.truncate(n);
                assert!(kept == n || kept < n && kept.is_multiple_of(128), "{}: {kept} of {n}", fixture.name);
                let logits = bits(session.prefill(&SingleThread, &ids[kept..]).unwrap());
                assert!(logits == expected, "{}: truncated to {n}, kept {kept}", fixture.name);
            }
        });
    }
}

#[test]
fn models_without_windows_or_state_keep_what_truncation_asks() {
    let forgetful = [
        "gemma2",
        "gemma3",
        "gemma4",
        "gemma4moe",
        "lfm2",
        "lfm2moe",
        "gpt-oss",
        "olmo3",
        "exaone4swa",
        "granitehybrid",
        "falcon-h1",
        "nemotron_h",
        "qwen35",
        "qwen35-recurrent",
        "qwen35moe",
        "qwen3next",
        "qwen3next-mtp",
        "qwen3next-ssmin",
    ];
    for fixture in fixtures("archs").iter().filter(|f| !forgetful.contains(&&*f.name)) {
        with_session(&fixture.gguf, options(512, 64), |session| {
            session.prefill(&SingleThread, &long_prompt(fixture)).unwrap();
            assert_eq!(session.truncate(5), 5, "{}", fixture.name);
        });
    }
}

#[test]
fn tokens_that_stop_early_do_not_move_a_bit() {
    for fixture in fixtures("archs") {
        let ids = long_prompt(&fixture);
        let (mut each, mut after) = (Vec::new(), Vec::new());
        with_session(&fixture.gguf, options(512, 100), |session| {
            session.prefill_each(&SingleThread, &ids, &mut |_, logits| each = bits(logits)).unwrap();
            after = bits(session.decode(&SingleThread, 3).unwrap());
        });
        with_session(&fixture.gguf, options(512, 100), |session| {
            assert!(bits(session.prefill(&SingleThread, &ids).unwrap()) == each, "{}", fixture.name);
            assert!(bits(session.decode(&SingleThread, 3).unwrap()) == after, "{}: what was kept", fixture.name);
        });
    }
}

/// Tokens that went through the mixer and the network of every layer, when a prompt of 40 comes in batches of 16.
fn tokens_of_layers(name: &str) -> (Vec<usize>, Vec<usize>) {
    let fixture = Fixture::read(&fixture("archs"), name);
    let gguf = Gguf::parse(&fixture.gguf).unwrap();
    let config = Model::new(&gguf).unwrap().config;
    let (mut mixers, mut networks) = (vec![0; config.n_layers], vec![0; config.n_layers]);
    with_session(&fixture.gguf, options(64, 16), |session| {
        let mut observe = |probe: Probe<'_>| {
            let n_tokens = probe.values.len() / config.n_embd;
            match (probe.stage, probe.layer) {
                (Stage::MixerOut, Some(layer)) => mixers[layer] += n_tokens,
                (Stage::FfnOut, Some(layer)) => networks[layer] += n_tokens,
                _ => {}
            }
        };
        session.prefill_observed(&SingleThread, &fixture.ids, &mut observe).unwrap();
    });
    (mixers, networks)
}

#[test]
fn tokens_of_a_prompt_stop_where_nothing_is_kept_of_them() {
    // The last layer with keys and values is the last one.
    assert_eq!(tokens_of_layers("qwen3"), (vec![40, 40, 1], vec![40, 40, 1]));
    // It is layer 4 of 8; a layer's network and its per-layer input both end a stage.
    assert_eq!(tokens_of_layers("gemma4"), (vec![40, 40, 40, 40, 1, 1, 1, 1], vec![80, 80, 80, 80, 2, 2, 2, 2]));
    // A convolution is run whole: it cannot keep without computing.
    let (mixers, networks) = tokens_of_layers("lfm2moe");
    assert_eq!((mixers.last(), networks.last()), (Some(&40), Some(&1)));
}

#[test]
fn caches_that_wrap_do_not_move_a_bit() {
    // A windowed layer keeps as many chunks as its window and a batch can touch, so the batch decides when it wraps.
    for fixture in fixtures("archs") {
        let ids = long_prompt(&fixture);
        let expected = last_logits(&fixture, 512, &ids);
        for n_batch in [1, 9, 128, 200] {
            assert!(last_logits(&fixture, n_batch, &ids) == expected, "{} batch {n_batch}", fixture.name);
        }
    }
}

#[test]
fn windowed_layers_keep_only_their_window() {
    let bytes_of = |name: &str, n_ctx| {
        let fixture = Fixture::read(&fixture("archs"), name);
        let gguf = Gguf::parse(&fixture.gguf).unwrap();
        SessionPlan::new(&Model::new(&gguf).unwrap(), best(), options(n_ctx, 16)).unwrap().required_bytes()
    };
    // gemma3 has six windowed layers and one that is not; qwen3 has three that are not, of the same head sizes.
    let grown = |name| bytes_of(name, 1 << 16) - bytes_of(name, 1 << 15);
    assert!(grown("gemma3") < grown("qwen3"), "{} {}", grown("gemma3"), grown("qwen3"));
}

#[test]
fn layers_on_two_machines_give_the_same_logits() {
    for fixture in fixtures("archs") {
        let expected = last_logits(&fixture, 64, &fixture.ids);
        let gguf = Gguf::parse(&fixture.gguf).unwrap();
        let n_layers = Model::new(&gguf).unwrap().config.n_layers;
        for split in 1..n_layers {
            if fixture.name == "gemma4" {
                // Its layers are given tokens and read the caches of others.
                let error = Model::with_layers(&gguf, split..n_layers).unwrap_err();
                assert_eq!(error.reasons, [Reason::Inseparable { start: split }]);
                continue;
            }
            let front = Model::with_layers(&gguf, 0..split).unwrap();
            let back = Model::with_layers(&gguf, split..n_layers).unwrap();
            let plans = [&front, &back].map(|m| SessionPlan::new(m, best(), options(512, 64)).unwrap());
            let mut arenas = plans.clone().map(|plan| vec![0u8; plan.required_bytes()]);
            let [front_arena, back_arena] = &mut arenas;
            let [front_plan, back_plan] = plans;
            let mut front = front_plan.start(front_arena).unwrap();
            let mut back = back_plan.start(back_arena).unwrap();
            let (first, rest) = fixture.ids.split_at(17);
            let hidden = front.hidden(&SingleThread, Input::Tokens(first)).unwrap();
            back.hidden_to_logits(&SingleThread, hidden).unwrap();
            let hidden = front.hidden(&SingleThread, Input::Tokens(rest)).unwrap();
            let logits = bits(back.hidden_to_logits(&SingleThread, hidden).unwrap());
            assert!(logits == expected, "{} split at {split}", fixture.name);
            assert_eq!(front.prefill(&SingleThread, &[1]).unwrap_err(), SessionError::NoHead);
            assert_eq!(back.prefill(&SingleThread, &[1]).unwrap_err(), SessionError::WrongInput);
            assert_eq!(back.hidden(&SingleThread, Input::Hidden(&[0.0; 3])).unwrap_err(), SessionError::WrongInput);
        }
    }
}

#[test]
fn the_arena_may_start_anywhere_and_one_byte_less_is_refused() {
    let fixture = &fixtures("archs")[0];
    let expected = last_logits(fixture, 64, &fixture.ids);
    let gguf = Gguf::parse(&fixture.gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let plan = SessionPlan::new(&model, best(), options(512, 64)).unwrap();
    let required = plan.required_bytes();
    let mut memory = vec![0u8; required + 64];
    for offset in [0, 1, 3, 31, 63] {
        let arena = &mut memory[offset..][..required];
        let mut session = plan.clone().start(arena).unwrap();
        assert!(bits(session.prefill(&SingleThread, &fixture.ids).unwrap()) == expected, "offset {offset}");
    }
    let given = required - 1;
    let error = plan.start(&mut memory[..given]).unwrap_err();
    assert_eq!(error, SessionError::Arena { required, given });
}

/// Logits after every token, the head computing `n_outputs` of them together.
fn all_logits(gguf: &[u8], n_outputs: usize, ids: &[u32]) -> Vec<u32> {
    with_session(gguf, SessionOptions { n_outputs, ..options(64, 16) }, |session| {
        let mut all = Vec::new();
        let mut each = |i: usize, logits: &[f32]| {
            assert_eq!(i * logits.len(), all.len(), "the outputs come in order");
            all.extend(bits(logits));
        };
        session.prefill_each(&SingleThread, ids, &mut each).unwrap();
        let last = bits(session.logits());
        assert!(all.ends_with(&last), "the last output stays");
        all
    })
}

#[test]
fn outputs_computed_together_equal_those_computed_one_by_one() {
    // Heads of every form of activations: plain, blocks of 32, blocks of 256; with and without scales and caps.
    let subjects = fixtures("quants").into_iter().filter(|f| matches!(&*f.name, "F16" | "Q8_0" | "Q6_K"));
    for fixture in subjects.chain(subjects_with_scaled_logits()) {
        let expected = all_logits(&fixture.gguf, 1, &fixture.ids);
        for n_outputs in [2, 5, 16, 64] {
            assert!(all_logits(&fixture.gguf, n_outputs, &fixture.ids) == expected, "{} {n_outputs}", fixture.name);
        }
    }
}

fn subjects_with_scaled_logits() -> impl Iterator<Item = Fixture> {
    fixtures("archs").into_iter().filter(|f| matches!(&*f.name, "gemma2" | "granite"))
}

#[test]
fn a_model_in_unaligned_bytes_gives_the_same_logits() {
    for fixture in fixtures("quants") {
        let mut moved = fixture.gguf.clone();
        moved.insert(0, 0);
        let logits = |gguf: &[u8]| {
            with_session(gguf, options(64, 64), |s| bits(s.prefill(&SingleThread, &fixture.ids).unwrap()))
        };
        assert!(logits(&fixture.gguf) == logits(&moved[1..]), "{}", fixture.name);
    }
}

#[test]
fn errors_leave_the_session_as_it_was() {
    let fixture = &fixtures("archs")[0];
    with_session(&fixture.gguf, options(48, 8), |session| {
        let expected = bits(session.prefill(&SingleThread, &fixture.ids).unwrap());
        session.reset();
        session.prefill(&SingleThread, &fixture.ids[..30]).unwrap();
        let n_vocab = session.model().config.n_vocab;
        let mut bad = fixture.ids[..9].to_vec();
        bad.push(n_vocab as u32);
        let token = n_vocab as u32;
        assert_eq!(session.prefill(&SingleThread, &bad).unwrap_err(), SessionError::Token { token, n_vocab });
        assert_eq!(session.prefill(&SingleThread, &[]).unwrap_err(), SessionError::Empty);
        let full = SessionError::ContextFull { n_ctx: 48, wanted: 49 };
        assert_eq!(session.prefill(&SingleThread, &fixture.ids[..19]).unwrap_err(), full);
        assert_eq!(session.position(), 30);
        assert!(bits(session.prefill(&SingleThread, &fixture.ids[30..]).unwrap()) == expected);
    });
}

#[test]
fn sessions_of_no_size_are_refused() {
    let fixture = Fixture::read(&fixture("archs"), "gemma2");
    let gguf = Gguf::parse(&fixture.gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let good = options(16, 4);
    for bad in [
        SessionOptions { n_ctx: 0, ..good },
        SessionOptions { n_batch: 0, ..good },
        SessionOptions { n_outputs: 0, ..good },
        SessionOptions { n_workers: 0, ..good },
        SessionOptions { n_ctx: usize::MAX, ..good },
        SessionOptions { n_batch: usize::MAX, ..good },
        SessionOptions { n_outputs: usize::MAX, ..good },
    ] {
        assert_eq!(SessionPlan::new(&model, best(), bad).unwrap_err(), SessionError::Size, "{bad:?}");
    }
    // Heads of 24 are no whole number of q8_0 blocks.
    let error = SessionPlan::new(&model, best(), SessionOptions { kv_type: KvType::Q8_0, ..good }).unwrap_err();
    assert_eq!(error, SessionError::KvType { kv_type: KvType::Q8_0, dim: 24 });
}

#[test]
fn separate_expert_tensors_equal_the_merged_ones() {
    for name in ["mixtral", "qwen3moe"] {
        let fixture = Fixture::read(&fixture("archs"), name);
        let mut file = copy(&Gguf::parse(&fixture.gguf).unwrap());
        for layer in 0..3 {
            for part in ["gate", "up", "down"] {
                let merged = file.take_tensor(&format!("blk.{layer}.ffn_{part}_exps.weight"));
                let n_experts = merged.dims[2] as usize;
                for (e, data) in merged.data.chunks(merged.data.len() / n_experts).enumerate() {
                    let name = format!("blk.{layer}.ffn_{part}.{e}.weight");
                    file = file.tensor(name, &merged.dims[..2], merged.ggml_type, data.to_vec());
                }
            }
        }
        let separate = file.finish().bytes;
        let logits = |gguf: &[u8]| {
            with_session(gguf, options(64, 64), |s| bits(s.prefill(&SingleThread, &fixture.ids).unwrap()))
        };
        assert!(logits(&separate) == logits(&fixture.gguf), "{name}");
    }
}
