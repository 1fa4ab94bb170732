//! Several conversations in one session: the bits of a row never depend on the rows beside it, and prefixes that slots
//! share, snapshots and pages that are taken away never move a bit.

use nanocamelid_engine::session::Part;
use nanocamelid_engine::{Gguf, Model, Session, SessionError, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::Kernels;
use nanocamelid_tests::random::Random;
use nanocamelid_tests::tables::{best, optimized};
use nanocamelid_tests::{Fixture, ScopedThreads, bits, fixture, fixtures, fnv1a};

/// Positions of a page.
const PAGE: usize = 128;

/// One slot more than texts, so that a slot can be idle.
const N_SLOTS: usize = 4;

fn options(n_ctx: usize, n_batch: usize) -> SessionOptions {
    SessionOptions { n_ctx, n_batch, n_slots: N_SLOTS, n_outputs: 3, n_workers: 2, ..Default::default() }
}

/// Runs `body` with an empty session of the file.
fn with_session<T>(
    gguf: &[u8],
    kernels: &'static Kernels,
    options: SessionOptions,
    body: impl FnOnce(&mut Session<'_>) -> T,
) -> T {
    let gguf = Gguf::parse(gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let plan = SessionPlan::new(&model, kernels, options).unwrap();
    let mut arena = vec![0xFFu8; plan.required_bytes()];
    body(&mut plan.start(&mut arena).unwrap())
}

fn digest(logits: &[f32]) -> u64 {
    fnv1a(logits.iter().flat_map(|value| value.to_bits().to_le_bytes()))
}

/// The digests of the logits after each token of a text, computed alone.
fn alone(gguf: &[u8], kernels: &'static Kernels, options: SessionOptions, text: &[u32]) -> Vec<u64> {
    let options = SessionOptions { n_slots: 1, n_snapshots: 0, n_spare_pages: 0, ..options };
    with_session(gguf, kernels, options, |session| {
        let mut digests = Vec::new();
        session.prefill_each(&SingleThread, text, &mut |_, logits| digests.push(digest(logits))).unwrap();
        digests
    })
}

/// Whether an architecture is tried with a table: all are with this machine's best one; with the others, some that
/// have every kind of block.
fn is_subject(fixture: &Fixture, kernels: &Kernels) -> bool {
    let some = ["gemma4", "lfm2moe", "falcon-h1", "qwen35moe", "gpt-oss"];
    core::ptr::eq(kernels, best()) || some.contains(&&*fixture.name)
}

/// The architectures of a table.
fn subjects(kernels: &Kernels) -> Vec<Fixture> {
    fixtures("archs").into_iter().filter(|fixture| is_subject(fixture, kernels)).collect()
}

/// Texts that begin alike for a page and a half, and go on differently.
fn texts(fixture: &Fixture, random: &mut Random, n: usize, len: usize) -> Vec<Vec<u32>> {
    let common: Vec<u32> = fixture.ids.iter().copied().cycle().take((PAGE + PAGE / 2).min(len / 2)).collect();
    let continued = |mut text: Vec<u32>, random: &mut Random| {
        text.extend((text.len()..len).map(|_| fixture.ids[random.below(fixture.ids.len())]));
        text
    };
    (0..n).map(|_| continued(common.clone(), random)).collect()
}

#[test]
fn rows_of_several_slots_have_the_bits_of_rows_alone() {
    let mut random = Random(1);
    for fixture in subjects(best()) {
        let mut tables = optimized();
        tables.retain(|kernels| is_subject(&fixture, kernels));
        check_rows(&fixture, &tables, &mut random);
    }
}

/// The same in every weight format: a batch of few tokens multiplies with other kernels than one of many.
#[test]
fn rows_of_several_slots_have_the_bits_of_rows_alone_in_every_format() {
    let mut random = Random(3);
    fixtures("quants").iter().for_each(|fixture| check_rows(fixture, &optimized(), &mut random));
}

/// Random batches of several texts, row for row. What a text alone gives is computed with the best table for all.
fn check_rows(fixture: &Fixture, tables: &[&'static Kernels], random: &mut Random) {
    let (options, texts) = (options(96, 24), texts(fixture, random, N_SLOTS, 80));
    let expected: Vec<_> = texts.iter().map(|text| alone(&fixture.gguf, best(), options, text)).collect();
    for &kernels in tables {
        with_session(&fixture.gguf, kernels, options, |session| {
            let mut n_seen = 0;
            while (0..N_SLOTS).any(|slot| session.position_of(slot) < texts[slot].len()) {
                let mut left = options.n_batch;
                let mut parts = Vec::new();
                let first = random.below(N_SLOTS);
                for slot in (0..N_SLOTS).map(|i| (first + i) % N_SLOTS) {
                    let rest = &texts[slot][session.position_of(slot)..];
                    // Parts of prompts, single tokens, drafts to verify, and slots that wait.
                    let n = [0, 1, 1, 3, 9][random.below(5)].min(rest.len()).min(left);
                    if n > 0 {
                        let n_logits = [0, 1, n][random.below(3)];
                        parts.push(Part { slot, tokens: &rest[..n], n_logits });
                        left -= n;
                    }
                }
                let starts: Vec<_> = (0..N_SLOTS).map(|slot| session.position_of(slot)).collect();
                let wanted: usize = parts.iter().map(|part| part.n_logits).sum();
                let mut n_rows = 0;
                let result = session.step(&ScopedThreads(2), &parts, &mut |slot, i, logits| {
                    n_rows += 1;
                    let found = digest(logits) == expected[slot][starts[slot] + i];
                    assert!(found, "{}, {}: slot {slot}, token {}", fixture.name, kernels.name(), starts[slot] + i);
                });
                assert!(result.is_ok() != parts.is_empty());
                assert_eq!(n_rows, wanted, "{}", fixture.name);
                n_seen += n_rows;
            }
            assert!(n_seen > 20);
        });
    }
}

#[test]
fn shared_prefixes_and_snapshots_do_not_move_a_bit() {
    let mut random = Random(2);
    let kernels = best();
    for fixture in subjects(kernels) {
        // Little memory: pages and snapshots are taken from old texts again and again.
        for (n_spare_pages, n_snapshots, n_batch) in [(0, 0, 30), (3, 2, 200)] {
            let options = SessionOptions { n_spare_pages, n_snapshots, ..options(400, n_batch) };
            let texts = texts(&fixture, &mut random, 4, 395);
            let expected: Vec<_> = texts.iter().map(|text| alone(&fixture.gguf, kernels, options, text)).collect();
            with_session(&fixture.gguf, kernels, options, |session| {
                for _ in 0..14 {
                    let (slot, text) = (random.below(N_SLOTS), random.below(texts.len()));
                    let (n, text, expected) = (1 + random.below(395), &texts[text], &expected[text]);
                    let kept = match random.below(3) {
                        0 => session.resume(slot, &text[..n]),
                        1 => {
                            let n_own = session.tokens_of(slot).iter().zip(text).take_while(|(a, b)| a == b).count();
                            session.truncate_slot(slot, n_own.min(n - 1))
                        }
                        _ => {
                            session.reset_slot(slot);
                            0
                        }
                    };
                    assert!(kept < n && session.position_of(slot) == kept, "{}", fixture.name);
                    assert_eq!(session.tokens_of(slot), &text[..kept], "{}", fixture.name);
                    let mut rest = &text[kept..n];
                    while !rest.is_empty() {
                        let (tokens, later) = rest.split_at(session.batch_of(slot, rest.len()));
                        let at = n - rest.len();
                        let part = Part { slot, tokens, n_logits: 1 + random.below(tokens.len()) };
                        let mut check = |_, i: usize, logits: &[f32]| {
                            assert!(digest(logits) == expected[at + i], "{}: token {}", fixture.name, at + i);
                        };
                        session.step(&SingleThread, &[part], &mut check).unwrap();
                        rest = later;
                    }
                }
            });
        }
    }
}

#[test]
fn a_prefix_computed_in_one_slot_serves_every_slot() {
    for fixture in subjects(best()) {
        let text: Vec<u32> = fixture.ids.iter().copied().cycle().take(3 * PAGE + 7).collect();
        // A batch of one page: there is a snapshot at the end of each.
        let options = SessionOptions { n_snapshots: 4, ..options(512, PAGE) };
        with_session(&fixture.gguf, best(), options, |session| {
            let logits = bits(session.prefill(&SingleThread, &text).unwrap());
            for slot in 1..N_SLOTS {
                assert_eq!(session.resume(slot, &text), 3 * PAGE, "{}", fixture.name);
                let rest = Part { slot, tokens: &text[3 * PAGE..], n_logits: 1 };
                let mut found = Vec::new();
                session.step(&SingleThread, &[rest], &mut |_, _, logits| found = bits(logits)).unwrap();
                assert!(found == logits, "{}: slot {slot}", fixture.name);
            }
            // A text that ends with a page leaves its last token to be computed.
            session.reset();
            let kept = session.resume(0, &text[..3 * PAGE]);
            assert_eq!(kept, 2 * PAGE, "{}", fixture.name);
            // Another beginning has nothing in common.
            let other: Vec<u32> = text.iter().rev().copied().collect();
            if other[..PAGE] != text[..PAGE] {
                assert_eq!(session.resume(1, &other), 0, "{}", fixture.name);
            }
        });
    }
}

#[test]
fn a_context_goes_back_to_the_last_snapshot() {
    for name in ["lfm2", "qwen35", "falcon-h1", "nemotron_h", "granitehybrid"] {
        let fixture = Fixture::read(&fixture("archs"), name);
        let text: Vec<u32> = fixture.ids.iter().copied().cycle().take(3 * PAGE + 7).collect();
        let options = SessionOptions { n_slots: 1, n_snapshots: 3, ..options(512, 64) };
        with_session(&fixture.gguf, best(), options, |session| {
            let logits = bits(session.prefill(&SingleThread, &text).unwrap());
            for (n, kept) in [(3 * PAGE + 6, 3 * PAGE), (3 * PAGE, 3 * PAGE), (300, 2 * PAGE), (PAGE, PAGE), (9, 0)] {
                assert_eq!(session.truncate(n), kept, "{name}: {n}");
                assert!(bits(session.prefill(&SingleThread, &text[kept..]).unwrap()) == logits, "{name}: {n}");
            }
        });
    }
}

#[test]
fn what_was_drafted_never_changes_what_is_chosen() {
    let mut random = Random(3);
    for fixture in subjects(best()) {
        let options = SessionOptions { n_outputs: 8, has_checkpoints: true, ..options(160, 40) };
        let text: Vec<u32> = fixture.ids.iter().copied().cycle().take(140).collect();
        let expected = alone(&fixture.gguf, best(), options, &text);
        with_session(&fixture.gguf, best(), options, |session| {
            let (slot, mut len, mut n_accepted, mut n_computed) = (1, 30, 0, 0);
            while len < text.len() {
                // A draft that is right for a while; the text goes on as recorded whatever was drafted.
                let n = random.below(8).min(text.len() - len);
                let mut drafted = text[len..len + n].to_vec();
                if let Some(wrong) = drafted.get_mut(random.below(8)) {
                    *wrong = (*wrong + 1) % 8;
                }
                let known = session.position_of(slot);
                let n_right = match session.model().state_bytes() > 0 && known + 1 < len {
                    // The states went back before a rejected draft and come forward without one.
                    true => 0,
                    false => drafted.iter().zip(&text[len..]).take_while(|(a, b)| a == b).count(),
                };
                let mut at = len;
                let found = session.verify(&SingleThread, slot, (&text[..len], &drafted), &mut |logits| {
                    assert!(digest(logits) == expected[at - 1], "{}: behind token {at}", fixture.name);
                    at += 1;
                    n_computed += 1;
                    text.get(at - 1).copied()
                });
                assert_eq!(found, Ok(n_right), "{}", fixture.name);
                assert_eq!(at, len + n_right + 1, "{}: nothing is chosen behind a wrong guess", fixture.name);
                n_accepted += n_right;
                len += n_right + 1;
                let is_near = known == 0 || known + 10 >= len;
                assert!(session.position_of(slot) >= known && is_near, "{}: {known} of {len}", fixture.name);
                let context = session.tokens_of(slot);
                assert_eq!(context, &text[..context.len()], "{}", fixture.name);
            }
            assert!(n_accepted > 20 && n_computed > n_accepted);
        });
    }
}

#[test]
fn slots_cost_what_they_hold() {
    let fixture = Fixture::read(&fixture("archs"), "qwen3");
    let gguf = Gguf::parse(&fixture.gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let bytes = |options| SessionPlan::new(&model, best(), options).unwrap().required_bytes();
    let options = SessionOptions { n_ctx: 1024, n_batch: 8, ..Default::default() };
    let [one, two] = [1, 2].map(|n_slots| bytes(SessionOptions { n_slots, ..options }));
    let kv = model.kv_bytes_per_token(options.kv_type) * 1024;
    // Beside keys and values a slot has the ids of its tokens, twice: its own, and those of its full pages.
    assert_eq!(two - one, kv + 2 * 1024 * size_of::<u32>());
    let spare = bytes(SessionOptions { n_spare_pages: 3, ..options });
    let page = kv / 1024 * PAGE + PAGE * size_of::<u32>();
    assert_eq!(spare - one, 3 * page);
}

#[test]
fn parts_that_do_not_fit_are_refused_and_nothing_changes() {
    let fixture = Fixture::read(&fixture("archs"), "qwen3");
    with_session(&fixture.gguf, best(), options(32, 16), |session| {
        let ids = &fixture.ids;
        session.prefill(&SingleThread, &ids[..3]).unwrap();
        let part = |slot, tokens, n_logits| Part { slot, tokens, n_logits };
        let n_vocab = session.model().config.n_vocab;
        let wrong_slot = |slot| SessionError::Part { slot, n_slots: N_SLOTS };
        let long = [ids[0]; 33];
        let cases = [
            (vec![], SessionError::Empty),
            (vec![part(1, &[][..], 0)], SessionError::Empty),
            (vec![part(N_SLOTS, &ids[..1], 1)], wrong_slot(N_SLOTS)),
            (vec![part(1, &ids[..1], 1), part(1, &ids[..1], 1)], wrong_slot(1)),
            (vec![part(1, &ids[..1], 2)], wrong_slot(1)),
            (vec![part(1, &[9999][..], 1)], SessionError::Token { token: 9999, n_vocab }),
            (vec![part(1, &ids[..9], 1), part(2, &ids[..8], 1)], SessionError::Batch { n_tokens: 17, n_batch: 16 }),
            (vec![part(1, &long, 1)], SessionError::ContextFull { n_ctx: 32, wanted: 33 }),
        ];
        for (parts, expected) in cases {
            let error = session.step(&SingleThread, &parts, &mut |_, _, _| panic!("no logits")).unwrap_err();
            assert_eq!(error, expected);
            let positions: Vec<_> = (0..N_SLOTS).map(|slot| session.position_of(slot)).collect();
            assert_eq!(positions, [3, 0, 0, 0]);
        }
    });
}
