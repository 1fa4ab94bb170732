//! Models that several ranks share: by rows or by layers, evenly or not, they have the bits of one machine.

use nanocamelid_engine::refusal::Reason;
use nanocamelid_engine::session::Part;
use nanocamelid_engine::{
    Gguf, Model, Peers, Sampler, SamplerParams, Session, SessionError, SessionOptions, SessionPlan, Share, SingleThread,
};
use nanocamelid_kernels::KvType;
use nanocamelid_tests::random::Random;
use nanocamelid_tests::ranks::{Rank, on_ranks};
use nanocamelid_tests::tables::best;
use nanocamelid_tests::tiny_model::{KINDS, Sizes, tiny_model_of};
use nanocamelid_tests::{Fixture, bits, fixture, fixtures};

/// How ranks share a model.
#[derive(Clone, Copy, Debug)]
enum Way {
    Rows,
    Layers,
}

impl Way {
    fn share(self, rank: usize, shares: &[u32]) -> Share<'_> {
        match self {
            Self::Rows => Share::Rows { rank, shares },
            Self::Layers => Share::Layers { rank, shares },
        }
    }
}

const SHARES: [&[u32]; 4] = [&[1, 1], &[3, 2, 3], &[1, 1, 1, 1], &[1, 5]];

/// A model and a text.
struct Subject {
    name: String,
    gguf: Vec<u8>,
    text: Vec<u32>,
}

impl From<Fixture> for Subject {
    fn from(Fixture { name, gguf, ids, .. }: Fixture) -> Self {
        Self { name, gguf, text: ids.into_iter().cycle().take(40).collect() }
    }
}

/// All architectures, in f32.
fn architectures() -> Vec<Subject> {
    with_logits(fixtures("archs").into_iter().map(Subject::from))
}

/// All architectures in formats that read quantized inputs, with fewer heads than ranks.
fn quantized() -> Vec<Subject> {
    with_logits(KINDS.iter().map(|kind| {
        let gguf = tiny_model_of(kind, &Sizes { n_ff: 192, ..Sizes::default() }).finish().bytes;
        let n_vocab = Model::new(&Gguf::parse(&gguf).unwrap()).unwrap().config.n_vocab;
        let mut random = Random(5);
        Subject { name: format!("tiny {kind}"), gguf, text: (0..40).map(|_| random.below(n_vocab) as u32).collect() }
    }))
}

fn with_logits(subjects: impl Iterator<Item = Subject>) -> Vec<Subject> {
    let is_decoder = |gguf: &[u8]| !Model::new(&Gguf::parse(gguf).unwrap()).unwrap().config.is_encoder();
    subjects.filter(|subject| is_decoder(&subject.gguf)).collect()
}

fn options(n_batch: usize) -> SessionOptions {
    SessionOptions { n_ctx: 64, n_batch, n_outputs: 3, ..Default::default() }
}

/// Runs `body` with a session of the whole model.
fn alone<T>(gguf: &[u8], options: SessionOptions, body: impl FnOnce(&mut Session<'_>) -> T) -> T {
    let gguf = Gguf::parse(gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let plan = SessionPlan::new(&model, best(), options).unwrap();
    let mut arena = vec![0xFFu8; plan.required_bytes()];
    body(&mut plan.start(&mut arena).unwrap())
}

/// Runs `body` with every rank's session, and returns what rank 0 does; `None` if the model cannot be shared so.
fn shared<T: Send>(
    gguf: &[u8],
    (way, shares): (Way, &[u32]),
    options: SessionOptions,
    body: impl Fn(&mut Session<'_>, &Rank) -> T + Sync,
) -> Option<T> {
    on_ranks(shares.len(), |peers| {
        let gguf = Gguf::parse(gguf).unwrap();
        let model = match Model::of_share(&gguf, way.share(peers.rank(), shares)) {
            Ok(model) => model,
            Err(error) => {
                // A model of few layers, or whose layers depend on one another.
                assert!(matches!(way, Way::Layers), "{error}");
                return None;
            }
        };
        let plan = SessionPlan::new(&model, best(), options).unwrap();
        let mut arena = vec![0xFFu8; plan.required_bytes()];
        Some(body(&mut plan.start_among(peers, &mut arena).unwrap(), peers))
    })
}

/// The bits of the logits behind each token.
fn each_row(session: &mut Session<'_>, text: &[u32]) -> Vec<Vec<u32>> {
    let mut rows = Vec::new();
    session.prefill_each(&SingleThread, text, &mut |_, logits| rows.push(bits(logits))).unwrap();
    rows
}

#[test]
fn ranks_have_the_bits_of_one_machine() {
    let mut n_by_layers = 0;
    for Subject { name, gguf, text } in architectures().into_iter().chain(quantized()) {
        let expected = alone(&gguf, options(512), |session| each_row(session, &text));
        for shares in SHARES {
            for n_batch in [1, 7, 512] {
                for way in [Way::Rows, Way::Layers] {
                    let rows = shared(&gguf, (way, shares), options(n_batch), |session, _| each_row(session, &text));
                    let Some(rows) = rows else { continue };
                    n_by_layers += usize::from(matches!(way, Way::Layers));
                    assert!(rows == expected, "{name} {way:?} {shares:?} in batches of {n_batch}");
                }
            }
        }
    }
    assert!(n_by_layers > 0, "no model was shared by layers");
}

#[test]
fn every_weight_format_has_the_bits_of_one_machine() {
    for subject in fixtures("quants").into_iter().map(Subject::from) {
        let Subject { name, gguf, text } = subject;
        for kv_type in KvType::ALL {
            let options = SessionOptions { kv_type, ..options(512) };
            let expected = alone(&gguf, options, |session| each_row(session, &text));
            for shares in [&[1, 1][..], &[3, 2, 3]] {
                let rows = shared(&gguf, (Way::Rows, shares), options, |session, _| each_row(session, &text));
                assert!(rows.as_ref() == Some(&expected), "{name} {shares:?} {}", kv_type.name());
            }
        }
    }
}

#[test]
fn weights_that_follow_are_read_during_exchanges() {
    for Subject { name, gguf, text } in architectures() {
        for shares in [&[1, 1][..], &[1, 5]] {
            let found = shared(&gguf, (Way::Rows, shares), options(40), |session, rank| {
                [0..24, 24..32, 32..33].map(|tokens| {
                    // All logits, so that all tokens go through all blocks.
                    session.prefill_each(&SingleThread, &text[tokens], &mut |_, _| {}).unwrap();
                    rank.take_n_pieces()
                })
            });
            // Products with many tokens compute for longer than their weights take to come.
            assert!(
                found.is_some_and(|[many, few, one]| many == 0 && few > 0 && one > 0),
                "{name} {shares:?}: {found:?}"
            );
        }
    }
}

/// Tokens that a sampler chooses behind a text. Rank 0 tells the others.
fn answer(session: &mut Session<'_>, peers: Option<&Rank>, params: &SamplerParams, text: &[u32]) -> Vec<u32> {
    let mut sampler = Sampler::new(*params, session.model().config.n_vocab).unwrap();
    session.set_candidates(sampler.candidates());
    let mut tokens = Vec::new();
    session.prefill(&SingleThread, text).unwrap();
    for _ in 0..12 {
        let mut token = [0; 4];
        match peers {
            Some(peers) if peers.rank() > 0 => peers.receive(0, &mut token),
            _ => {
                token = sampler.sample(session.logits()).unwrap().to_le_bytes();
                let others = peers.map_or(1, Peers::n_ranks);
                (1..others).for_each(|rank| peers.into_iter().for_each(|peers| peers.send(rank, &token)));
            }
        }
        tokens.push(u32::from_le_bytes(token));
        session.decode(&SingleThread, u32::from_le_bytes(token)).unwrap();
    }
    tokens
}

#[test]
fn samplers_choose_the_tokens_of_one_machine() {
    let greedy = SamplerParams::GREEDY;
    let sampled = SamplerParams { temperature: 1.5, seed: 9, ..greedy };
    let kinds = [
        (greedy, Some(1)),
        (SamplerParams { top_k: 5, top_p: 0.9, ..sampled }, Some(5)),
        (SamplerParams { min_p: 0.01, ..sampled }, None),
        (SamplerParams { top_k: 5, repeat_penalty: 1.3, repeat_last_n: 16, ..sampled }, None),
    ];
    for Subject { name, gguf, text } in architectures().into_iter().take(6) {
        for (params, candidates) in &kinds {
            assert_eq!(Sampler::new(*params, 99).unwrap().candidates(), *candidates);
            let expected = alone(&gguf, options(16), |session| answer(session, None, params, &text));
            for way in [Way::Rows, Way::Layers] {
                for shares in SHARES {
                    let found = shared(&gguf, (way, shares), options(16), |session, peers| {
                        answer(session, Some(peers), params, &text)
                    });
                    assert!(found.is_none_or(|found| found == expected), "{name} {way:?} {shares:?}");
                }
            }
        }
    }
}

#[test]
fn logits_that_are_not_asked_for_are_no_numbers() {
    let Subject { gguf, text, .. } = architectures().swap_remove(0);
    let whole = alone(&gguf, options(16), |session| session.prefill(&SingleThread, &text).unwrap().to_vec());
    let found = shared(&gguf, (Way::Rows, &[1, 1]), options(16), |session, _| {
        session.set_candidates(Some(2));
        session.prefill(&SingleThread, &text).unwrap().to_vec()
    });
    let found = found.unwrap();
    // Rank 0 has all of its own.
    let own = found.iter().position(|logit| logit.is_nan()).unwrap();
    assert!(own > 0 && found[..own] == whole[..own]);
    let mut likeliest: Vec<usize> = (own..whole.len()).collect();
    likeliest.sort_by(|&a, &b| whole[b].total_cmp(&whole[a]));
    let mut received: Vec<usize> = (own..whole.len()).filter(|&i| found[i] == whole[i]).collect();
    received.sort_by(|&a, &b| whole[b].total_cmp(&whole[a]));
    assert_eq!(received, likeliest[..2]);
}

#[test]
fn slots_and_drafts_have_the_bits_of_one_machine() {
    /// What becomes of random parts of three slots, and of drafts behind them.
    fn run(session: &mut Session<'_>, text: &[u32]) -> Vec<Vec<u32>> {
        let (mut rows, mut random) = (Vec::new(), Random(11));
        let push = |rows: &mut Vec<Vec<u32>>, logits: &[f32]| rows.push(bits(logits));
        for _ in 0..12 {
            let mut parts = Vec::new();
            for slot in 0..3 {
                let (at, n) = (session.position_of(slot), random.below(4));
                let tokens = &text[at.min(text.len())..(at + n).min(text.len())];
                parts.push(Part { slot, tokens, n_logits: random.below(tokens.len() + 1) });
            }
            if parts.iter().any(|part| !part.tokens.is_empty()) {
                session.step(&SingleThread, &parts, &mut |_, _, logits| push(&mut rows, logits)).unwrap();
            }
            let slot = random.below(3);
            let n = session.position_of(slot);
            let drafted = &text[n + 1..(n + 1 + random.below(4)).min(text.len())];
            let mut n_right = random.below(4);
            let mut at = n;
            session
                .verify(&SingleThread, slot, (&text[..n + 1], drafted), &mut |logits| {
                    push(&mut rows, logits);
                    at += 1;
                    n_right = n_right.checked_sub(1)?;
                    text.get(at).copied()
                })
                .unwrap();
            let slot = random.below(3);
            session.truncate_slot(slot, session.position_of(slot).saturating_sub(random.below(3)));
        }
        rows
    }
    for Subject { name, gguf, text } in architectures() {
        let options = SessionOptions { n_slots: 3, n_snapshots: 2, has_checkpoints: true, ..options(16) };
        let expected = alone(&gguf, options, |session| run(session, &text));
        for (way, shares) in [(Way::Rows, &[3, 2, 3][..]), (Way::Layers, &[1, 1])] {
            let found = shared(&gguf, (way, shares), options, |session, _| run(session, &text));
            assert!(found.is_none_or(|found| found == expected), "{name} {way:?}");
        }
    }
}

#[test]
fn a_rank_keeps_its_share_of_the_cache() {
    let Fixture { gguf, .. } = Fixture::read(&fixture("archs"), "llama");
    let gguf = Gguf::parse(&gguf).unwrap();
    // What another 1024 positions cost: keys and values, and a few numbers of each page.
    let cache = |share: Share<'_>| {
        let model = Model::of_share(&gguf, share).unwrap();
        let [short, long] = [1024, 2048].map(|n_ctx| {
            let options = SessionOptions { n_ctx, kv_type: KvType::F32, ..options(1) };
            SessionPlan::new(&model, best(), options).unwrap().required_bytes()
        });
        (long - short, model.kv_bytes_per_token(KvType::F32) * 1024)
    };
    let (whole, values) = cache(Share::Whole);
    assert!(values > whole / 2 && values <= whole, "{values} of {whole}");
    let besides = whole - values;
    for way in [Way::Rows, Way::Layers] {
        let of_ranks: Vec<_> = (0..2).map(|rank| cache(way.share(rank, &[1, 1]))).collect();
        assert_eq!(of_ranks.iter().map(|(_, values)| values).sum::<usize>(), values, "{way:?}");
        for (all, own) in of_ranks {
            assert!(own > 0 && own < values && all - own <= besides, "{way:?}: {own} of {all}");
        }
    }
}

#[test]
fn shares_that_are_none_are_refused() {
    let Subject { gguf, .. } = architectures().swap_remove(0);
    let gguf = Gguf::parse(&gguf).unwrap();
    let many = [1; 65];
    for (rank, shares) in [(0, &[][..]), (2, &[1, 1]), (0, &[1, 0]), (0, &many)] {
        for way in [Way::Rows, Way::Layers] {
            let error = Model::of_share(&gguf, way.share(rank, shares)).unwrap_err();
            assert_eq!(error.reasons, [Reason::Share]);
        }
    }
    // A session has the peers of its model's share.
    let model = Model::of_share(&gguf, Share::Rows { rank: 1, shares: &[1, 1] }).unwrap();
    let plan = SessionPlan::new(&model, best(), options(16)).unwrap();
    let mut arena = vec![0; plan.required_bytes()];
    let error = plan.start(&mut arena).unwrap_err();
    assert_eq!(error, SessionError::Peers { place: (0, 1), share: (1, 2) });
}
