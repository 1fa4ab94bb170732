//! Ranks as threads, at work.

use super::*;
use crate::fitting::{Fitting, Need};
use crate::machine::memory::AVAILABLE;
use crate::owned_session::OwnedSession;
use crate::resolve::{Place, Resolved};
use counting_allocator::{CountingAllocator, measure};
use nanocamelid_engine::SessionOptions;
use nanocamelid_engine::session::Part;

#[path = "../../../tests/src/counting_allocator.rs"]
#[allow(unreachable_pub)]
mod counting_allocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// How often each rank asks for memory while `n` tokens are decoded behind a prompt, in each way that commands do it.
fn allocations(n: usize, split: Split) -> Vec<u64> {
    let n_ranks = 3;
    let division = Division { split, shares: vec![1; n_ranks] };
    let settings = Settings { checked_division: Some(division), ..Settings::for_tests() };
    let mut links = LocalLink::all(n_ranks).into_iter();
    let leader = Leader::new(Box::new(links.next().unwrap()), true);
    std::thread::scope(|scope| {
        let settings = &settings;
        let followers: Vec<_> = links
            .map(|link| scope.spawn(move || measure(|| follower::follow(&link, settings, &SingleThread)).1.calls))
            .collect();
        let settings = Settings { leader: Some(leader), ..settings.clone() };
        let file = ModelFile::open(Resolved { place: Place::Demo, source: "test", profile: None }).unwrap();
        let gguf = file.parse().unwrap();
        let model = file.model(&gguf, &settings).unwrap();
        let options = SessionOptions { n_ctx: 256, n_batch: 64, n_slots: 2, n_outputs: 3, ..SessionOptions::default() };
        let plan = SessionPlan::new(&model, settings.kernels, options).unwrap();
        let mut session = OwnedSession::new(plan, settings.leader).unwrap();
        session.set_candidates(Some(4));
        let text: Vec<u32> = (1..=64).collect();
        let ((), counted) = measure(|| {
            session.prefill(&SingleThread, &text).unwrap();
            for token in 1..=n as u32 {
                session.prefill(&SingleThread, &[token]).unwrap();
                let part = |slot| Part { slot, tokens: &[7], n_logits: 1 };
                session.step(&SingleThread, &[part(0), part(1)], &mut |_, _, _| {}).unwrap();
                session.truncate(0, 65);
                let mut context = [0; 66];
                context[..65].copy_from_slice(session.tokens_of(0));
                session.verify(&SingleThread, 0, (&context, &[1, 2]), &mut |_| None).unwrap();
                session.truncate(0, 64);
                session.truncate(1, 0);
            }
        });
        drop(session);
        leader.end(0);
        std::iter::once(counted.calls).chain(followers.into_iter().map(|thread| thread.join().unwrap())).collect()
    })
}

/// The context that rank 0 gives a session of the demonstration model, or the error, where the last of three ranks has
/// room for a context of 256 positions and no more.
fn context(asked: Option<usize>, split: Split) -> Result<usize, String> {
    let division = Division { split, shares: vec![1; 3] };
    let file = || ModelFile::open(Resolved { place: Place::Demo, source: "test", profile: None }).unwrap();
    let settings = Settings { n_ctx: asked, checked_division: Some(division.clone()), ..Settings::for_tests() };
    let available = {
        let file = file();
        let model = file.share(&file.parse().unwrap(), division.share(2)).unwrap();
        let options = SessionOptions { kv_type: settings.kv_type, ..settings.session_options(256) };
        let plan = SessionPlan::new(&model, settings.kernels, options).unwrap();
        model.weight_bytes() + plan.required_bytes() as u64
    };
    let mut links = LocalLink::all(3).into_iter();
    let leader = Leader::new(Box::new(links.next().unwrap()), true);
    std::thread::scope(|scope| {
        let settings = &settings;
        for link in links {
            scope.spawn(move || {
                AVAILABLE.set((link.rank() == 2).then_some(available));
                follower::follow(&link, settings, &SingleThread)
            });
        }
        let settings = Settings { leader: Some(leader), ..settings.clone() };
        let file = file();
        let gguf = file.parse().unwrap();
        let model = file.model(&gguf, &settings).unwrap();
        let plan = Fitting::new(&file, &model, &settings).plan(Need::default());
        let n_ctx = plan.map(|plan| {
            let session = OwnedSession::new(plan, settings.leader).unwrap();
            session.n_ctx()
        });
        leader.end(0);
        n_ctx.map_err(|error| error.to_string())
    })
}

#[test]
fn the_board_with_the_least_room_decides_about_the_context() {
    for split in [Split::Rows, Split::Layers] {
        assert_eq!(context(None, split), Ok(256), "{split:?}");
        assert_eq!(context(Some(200), split), Ok(200), "{split:?}");
        let error = context(Some(512), split).unwrap_err();
        assert!(error.starts_with("rank 2: the session needs") && error.contains("--ctx 256 --kv f16"), "{error}");
    }
}

#[test]
fn decoding_on_ranks_takes_no_memory() {
    for split in [Split::Rows, Split::Layers] {
        let (few, many) = (allocations(3, split), allocations(163, split));
        assert!(few[1..].iter().all(|&calls| calls > 100), "opening a model takes memory: {few:?}");
        // What takes memory for a token does so 160 times; how far buffers grow before depends on who comes first.
        let grows = |(few, many): (&u64, &u64)| few.abs_diff(*many) > 80;
        assert!(!few.iter().zip(&many).any(grows), "{split:?}: {few:?}, and {many:?} for 160 tokens more");
    }
}
