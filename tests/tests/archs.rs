//! Every architecture against logits recorded from an independent engine, and against itself: batch splits, threads
//! and kernel tables must not move a bit.

use nanocamelid_engine::{Gguf, Model, Session, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::{Kernels, KvType};
use nanocamelid_tests::features::detect;
use nanocamelid_tests::{Fixture, ScopedThreads, argmax, fixtures, is_emulated};

const BOUND: f32 = 2e-3;

fn options(n_batch: usize) -> SessionOptions {
    SessionOptions { n_ctx: 96, n_batch, kv_type: KvType::F32, n_workers: 4 }
}

/// Logits at every position, computed with this batch size.
fn logits(fixture: &Fixture, kernels: &'static Kernels, n_batch: usize, threads: usize) -> Vec<f32> {
    let gguf = Gguf::parse(&fixture.gguf).unwrap();
    let model = Model::new(&gguf).unwrap_or_else(|e| panic!("{}: {e}", fixture.name));
    let plan = SessionPlan::new(&model, kernels, options(n_batch)).unwrap();
    let mut arena = vec![0xA5u8; plan.required_bytes()];
    let mut session = Session::new(&model, kernels, plan, &mut arena).unwrap();
    let mut all = Vec::new();
    session.prefill_each(&ScopedThreads(threads), &fixture.ids, &mut |_, l| all.extend_from_slice(l)).unwrap();
    all
}

#[test]
fn logits_are_within_the_bound_of_an_independent_engine() {
    let scalar = Kernels::by_name(detect(), "scalar").unwrap();
    let mut failures = Vec::new();
    for fixture in fixtures("archs") {
        let ours = logits(&fixture, scalar, 512, 1);
        assert_eq!(ours.len(), fixture.logits.len(), "{}", fixture.name);
        let worst = ours.iter().zip(&fixture.logits).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{}: max abs difference {worst:.2e}", fixture.name);
        if worst > BOUND {
            failures.push(fixture.name);
        }
    }
    assert_eq!(failures, Vec::<String>::new(), "beyond {BOUND}");
}

#[test]
fn greedy_continuations_are_equal() {
    let kernels = Kernels::select(detect());
    for fixture in fixtures("archs") {
        let gguf = Gguf::parse(&fixture.gguf).unwrap();
        let model = Model::new(&gguf).unwrap();
        let plan = SessionPlan::new(&model, kernels, options(512)).unwrap();
        let mut arena = vec![0u8; plan.required_bytes()];
        let mut session = Session::new(&model, kernels, plan, &mut arena).unwrap();
        let mut next = argmax(session.prefill(&SingleThread, &fixture.ids).unwrap());
        let mut ids = Vec::new();
        for _ in 0..fixture.greedy.len() {
            ids.push(next);
            next = argmax(session.decode(&SingleThread, next).unwrap());
        }
        assert_eq!(ids, fixture.greedy, "{}", fixture.name);
    }
}

#[test]
fn batches_threads_and_tables_do_not_move_a_bit() {
    let scalar = Kernels::by_name(detect(), "scalar").unwrap();
    let splits = [(1, 2), (7, 3), (512, 4), (1, 1), (7, 1), (512, 1)];
    // An emulator takes minutes for what the scalar table has shown natively already.
    let emulated = is_emulated();
    let splits = if emulated { &splits[..3] } else { &splits[..] };
    for fixture in fixtures("archs") {
        let expected = logits(&fixture, scalar, 512, 1);
        for kernels in Kernels::all(detect()).filter(|kernels| !emulated || kernels.name() != "scalar") {
            for &(n_batch, threads) in splits {
                let ours = logits(&fixture, kernels, n_batch, threads);
                let same = ours.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{}: {} batch {n_batch} threads {threads}", fixture.name, kernels.name());
            }
        }
    }
}
