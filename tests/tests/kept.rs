//! Pages and states that go from one session to another as bytes, as they do through files: what is computed behind
//! them has the same bits.

use nanocamelid_engine::session::{KEPT_VERSION, Kept, PAGE, Part};
use nanocamelid_engine::{Gguf, Model, Session, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::KvType;
use nanocamelid_tests::gguf_copy::copy;
use nanocamelid_tests::gguf_writer::Tensor;
use nanocamelid_tests::random::Random;
use nanocamelid_tests::tables::best;
use nanocamelid_tests::{Fixture, bits, fixture, fixtures, fnv1a};
use std::collections::HashMap;

/// What was read of a text's pages: the bytes behind each page, by kind.
type Stored = HashMap<(usize, Kept), Vec<u8>>;

const N_CTX: usize = 5 * PAGE + 20;

fn options() -> SessionOptions {
    SessionOptions { n_ctx: N_CTX, n_batch: 200, n_snapshots: 6, ..Default::default() }
}

/// Runs `body` with an empty session of the file.
fn with_session<T>(gguf: &[u8], options: SessionOptions, body: impl FnOnce(&mut Session<'_>) -> T) -> T {
    let gguf = Gguf::parse(gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let plan = SessionPlan::new(&model, best(), options).unwrap();
    let mut arena = vec![0xFFu8; plan.required_bytes()];
    body(&mut plan.start(&mut arena).unwrap())
}

fn digest(logits: &[f32]) -> u64 {
    fnv1a(logits.iter().flat_map(|value| value.to_bits().to_le_bytes()))
}

fn text(fixture: &Fixture, random: &mut Random, n: usize) -> Vec<u32> {
    (0..n).map(|_| fixture.ids[random.below(fixture.ids.len())]).collect()
}

/// Computes a text batch by batch and reads what is kept behind each batch.
fn store(session: &mut Session<'_>, text: &[u32]) -> Stored {
    let mut stored = Stored::new();
    let mut done = session.resume(0, text);
    while done < text.len() {
        let n = session.batch_of(0, text.len() - done);
        session.prefill(&SingleThread, &text[done..done + n]).unwrap();
        done += n;
        for page in 0..done / PAGE {
            for kept in Kept::ALL {
                let mut bytes = Vec::new();
                if session.read_kept(0, page, kept, &mut |piece| bytes.extend_from_slice(piece)) {
                    assert_eq!(bytes.len(), session.kept_bytes(kept));
                    let earlier = stored.entry((page, kept)).or_insert_with(|| bytes.clone());
                    assert_eq!(*earlier, bytes, "a full page never changes");
                }
            }
        }
    }
    stored
}

/// Keeps what a context needs to continue behind `n_pages` pages of a text.
fn restore(session: &mut Session<'_>, stored: &Stored, text: &[u32], n_pages: usize) {
    for kept in Kept::ALL {
        for page in session.needed(kept, n_pages) {
            let tokens = &text[..(page + 1) * PAGE];
            if let Some(bytes) = stored.get(&(page, kept)) {
                assert!(session.keep(tokens, kept, bytes) && session.is_kept(tokens, kept));
            }
        }
    }
}

#[test]
fn a_restored_prefix_has_the_bits_of_a_computed_one() {
    let mut random = Random(11);
    for fixture in fixtures("archs") {
        for kv_type in KvType::ALL {
            let options = SessionOptions { kv_type, ..options() };
            let text = text(&fixture, &mut random, N_CTX - 1);
            let Some((stored, logits)) = try_store(&fixture, options, &text) else { continue };
            with_session(&fixture.gguf, options, |session| {
                let n_pages = text.len() / PAGE;
                restore(session, &stored, &text, n_pages);
                assert_eq!(session.resume(0, &text), n_pages * PAGE, "{}: all of it serves", fixture.name);
                let found = session.prefill(&SingleThread, &text[n_pages * PAGE..]).unwrap();
                assert!(bits(found) == logits, "{}, {}", fixture.name, kv_type.name());
                // What was restored can be read and stored again.
                for ((page, kept), bytes) in &stored {
                    let mut again = Vec::new();
                    if session.read_kept(0, *page, *kept, &mut |piece| again.extend_from_slice(piece)) {
                        assert!(again == *bytes, "{}", fixture.name);
                    }
                }
            });
        }
    }
}

/// The kept bytes and the last logits of a text; `None` for a type of cache that the model's heads do not fit.
fn try_store(fixture: &Fixture, options: SessionOptions, text: &[u32]) -> Option<(Stored, Vec<u32>)> {
    let gguf = Gguf::parse(&fixture.gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let plan = SessionPlan::new(&model, best(), options).ok()?;
    let mut arena = vec![0xFFu8; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    let stored = store(&mut session, text);
    Some((stored, bits(session.logits())))
}

#[test]
fn a_shorter_prefix_serves_another_text() {
    let mut random = Random(12);
    for fixture in fixtures("archs") {
        let first = text(&fixture, &mut random, N_CTX - 1);
        let stored = with_session(&fixture.gguf, options(), |session| store(session, &first));
        // The second text leaves the first within its fourth page, at which the first had a state and a window.
        let mut second = first[..3 * PAGE + 50].to_vec();
        second.extend(text(&fixture, &mut random, PAGE));
        let expected =
            with_session(&fixture.gguf, options(), |session| bits(session.prefill(&SingleThread, &second).unwrap()));
        with_session(&fixture.gguf, options(), |session| {
            let has_state = !session.needed(Kept::States, 1).is_empty();
            // Batches of 200 end at pages 1, 2, 4 and 5 if states are kept.
            let n_pages = if has_state { 2 } else { 3 };
            restore(session, &stored, &second, n_pages);
            let n = session.resume(0, &second);
            assert_eq!(n, n_pages * PAGE, "{}", fixture.name);
            assert!(bits(session.prefill(&SingleThread, &second[n..]).unwrap()) == expected, "{}", fixture.name);
        });
    }
}

#[test]
fn what_is_missing_is_computed() {
    let mut random = Random(13);
    for fixture in fixtures("archs") {
        let text = text(&fixture, &mut random, N_CTX - 1);
        let options = SessionOptions { n_slots: 2, ..options() };
        let (mut stored, expected) = with_session(&fixture.gguf, options, |session| {
            let stored = store(session, &text);
            (stored, bits(session.logits()))
        });
        for _ in 0..6 {
            with_session(&fixture.gguf, options, |session| {
                restore(session, &stored, &text, text.len() / PAGE);
                let n = session.resume(0, &text);
                assert!(bits(session.prefill(&SingleThread, &text[n..]).unwrap()) == expected, "{}", fixture.name);
            });
            let nth = random.below(stored.len().max(1));
            let mut keys: Vec<(usize, Kept)> = stored.keys().copied().collect();
            keys.sort_by_key(|&(page, kept)| (page, kept as usize));
            keys.get(nth).map(|key| stored.remove(key));
        }
    }
}

#[test]
fn wrong_sizes_are_refused() {
    let fixture = Fixture::read(&fixture("archs"), "gemma3");
    let tokens = vec![fixture.ids[0]; N_CTX.next_multiple_of(PAGE)];
    with_session(&fixture.gguf, options(), |session| {
        for kept in Kept::ALL {
            let bytes = vec![0u8; session.kept_bytes(kept)];
            assert_eq!(bytes.is_empty(), kept == Kept::States);
            let longer = [&bytes[..], &[0]].concat();
            for (tokens, bytes) in [
                (&tokens[..PAGE], &longer[..]),
                (&tokens[..PAGE], &bytes[..bytes.len().saturating_sub(1)]),
                (&tokens[..PAGE], &[]),
                (&tokens[..PAGE + 1], &bytes),
                (&[], &bytes),
                // More pages than the context has.
                (&tokens, &bytes),
            ] {
                assert!(!session.keep(tokens, kept, bytes) && !session.is_kept(tokens, kept));
            }
            assert!(!session.read_kept(0, 0, kept, &mut |_| unreachable!()));
            assert!(session.keep(&tokens[..PAGE], kept, &bytes) != bytes.is_empty());
        }
    });
}

/// What slots hold never gives way, and kept pages beyond the session's memory only replace one another.
#[test]
fn pages_beyond_the_memory_replace_one_another() {
    let mut random = Random(14);
    for fixture in fixtures("archs").into_iter().filter(|f| ["llama", "gemma3", "falcon-h1"].contains(&&*f.name)) {
        let options = SessionOptions { n_slots: 2, n_snapshots: 2, ..options() };
        let held = text(&fixture, &mut random, N_CTX - 1);
        with_session(&fixture.gguf, options, |session| {
            session.prefill(&SingleThread, &held[..4 * PAGE + 9]).unwrap();
            let expected = bits(session.prefill(&SingleThread, &held[4 * PAGE + 9..N_CTX - 1]).unwrap());
            session.truncate(4 * PAGE + 9);
            for _ in 0..30 {
                let n_pages = 1 + random.below(5);
                let other = text(&fixture, &mut random, n_pages * PAGE);
                for kept in Kept::ALL {
                    let bytes = vec![0u8; session.kept_bytes(kept)];
                    session.keep(&other, kept, &bytes);
                }
            }
            let n = session.resume(0, &held);
            assert!(bits(session.prefill(&SingleThread, &held[n..]).unwrap()) == expected, "{}", fixture.name);
        });
    }
}

/// Slots go back and forth in texts that begin alike, and pages of these texts come in any order and number.
#[test]
fn pages_that_come_at_any_time_do_not_move_a_bit() {
    let mut random = Random(15);
    let some = ["llama", "gemma3", "gemma4", "lfm2moe", "falcon-h1", "qwen35moe"];
    for fixture in fixtures("archs").into_iter().filter(|f| some.contains(&&*f.name)) {
        let options = SessionOptions { n_slots: 3, n_snapshots: 2, n_spare_pages: 2, n_outputs: 3, ..options() };
        let common = text(&fixture, &mut random, 2 * PAGE + 30);
        let continued = |n| [&common[..], &text(&fixture, &mut random, n)].concat();
        let texts: Vec<Vec<u32>> = [N_CTX - 1 - common.len(); 3].map(continued).into();
        let known: Vec<(Stored, Vec<u64>)> = texts
            .iter()
            .map(|text| {
                let one = SessionOptions { n_slots: 1, ..options };
                let stored = with_session(&fixture.gguf, one, |session| store(session, text));
                let mut digests = Vec::new();
                with_session(&fixture.gguf, one, |session| {
                    let mut each = |_, logits: &[f32]| digests.push(digest(logits));
                    session.prefill_each(&SingleThread, text, &mut each).unwrap();
                });
                (stored, digests)
            })
            .collect();
        with_session(&fixture.gguf, options, |session| {
            let mut n_restored = 0;
            for _ in 0..16 {
                let (slot, i) = (random.below(3), random.below(texts.len()));
                let (text, (stored, digests)) = (&texts[i], &known[i]);
                let mut keys: Vec<&(usize, Kept)> = stored.keys().collect();
                keys.sort_by_key(|&&(page, kept)| (page, kept as usize));
                keys.retain(|_| random.below(8) > 0);
                for (page, kept) in keys {
                    session.keep(&text[..(page + 1) * PAGE], *kept, &stored[&(*page, *kept)]);
                }
                let n = 1 + random.below(text.len());
                let mut at = match random.below(4) {
                    0 => session.truncate_slot(slot, 0),
                    _ => session.resume(slot, &text[..n]),
                };
                n_restored += at;
                while at < n {
                    let tokens = &text[at..at + session.batch_of(slot, n - at)];
                    let part = Part { slot, tokens, n_logits: 1 + random.below(tokens.len().min(4)) };
                    let mut check = |_, i: usize, logits: &[f32]| {
                        assert!(digest(logits) == digests[at + i], "{}: token {}", fixture.name, at + i);
                    };
                    session.step(&SingleThread, &[part], &mut check).unwrap();
                    at += tokens.len();
                }
            }
            assert!(n_restored > PAGE, "{}: {n_restored}", fixture.name);
        });
    }
}

#[test]
fn the_description_tells_sessions_apart() {
    let describe = |gguf: &[u8], options| {
        with_session(gguf, options, |session| {
            let mut bytes = Vec::new();
            session.describe_kept(&mut |piece| bytes.extend_from_slice(piece));
            bytes
        })
    };
    let llama = Fixture::read(&fixture("archs"), "llama").gguf;
    let description = describe(&llama, options());
    let larger = SessionOptions { n_ctx: 2 * N_CTX, n_batch: 7, n_slots: 3, ..options() };
    assert_eq!(description, describe(&llama, larger));
    assert_ne!(description, describe(&llama, SessionOptions { kv_type: KvType::F32, ..options() }));
    // With long and short factors of RoPE, the length of the context counts.
    let phi3 = Fixture::read(&fixture("archs"), "phi3").gguf;
    let mut file = copy(&Gguf::parse(&phi3).unwrap());
    for (kind, factor) in [("short", 1.0_f32), ("long", 2.0)] {
        let data = [factor; 8].iter().flat_map(|f| f.to_le_bytes()).collect();
        let name = format!("rope_factors_{kind}.weight").into_bytes();
        file.tensors.push(Tensor { name, dims: vec![8], ggml_type: 0, data, ..Tensor::default() });
    }
    let file = file.finish().bytes;
    // The original context is 64.
    assert_ne!(describe(&file, options()), describe(&file, SessionOptions { n_ctx: 64, ..options() }));
}

/// The digest of everything that is kept of a text. Where it changes, stored pages no longer hold what this program
/// would compute: count [`KEPT_VERSION`] up, and record the digests anew.
#[test]
fn the_version_changes_with_the_bytes() {
    const RECORDED: (u32, [(&str, u64); 4]) = (
        2,
        [
            ("llama", 4853187215007640745),
            ("gemma4", 9472034556887109672),
            ("falcon-h1", 9392960181231198796),
            ("qwen35", 4901311914571354871),
        ],
    );
    let found = RECORDED.1.map(|(name, _)| {
        let fixture = Fixture::read(&fixture("archs"), name);
        let text: Vec<u32> = fixture.ids.iter().copied().cycle().take(2 * PAGE).collect();
        let stored = with_session(&fixture.gguf, options(), |session| store(session, &text));
        let mut keys: Vec<_> = stored.keys().collect();
        keys.sort_by_key(|&&(page, kept)| (page, kept as usize));
        (name, fnv1a(keys.into_iter().flat_map(|key| stored[key].iter().copied())))
    });
    assert_eq!((KEPT_VERSION, found), RECORDED);
}
