//! Answers on several ranks are those of one, and only the logits travel that somebody needs.

use super::super::served;
use super::*;
use crate::cluster::{self, Division};
use crate::draft::{Draft, MAX_DRAFT};
use crate::resolve::{Place, Resolved};
use crate::settings::Settings;
use nanocamelid_engine::chat::StopMatcher;
use nanocamelid_engine::{Generator, Sampler, SamplerParams, SessionOptions, SessionPlan};
use tokio::sync::mpsc::unbounded_channel;

/// What is answered to one question for each of the samplers, all at once, and the bytes that ranks then receive.
fn answers(settings: &Settings, params: &[SamplerParams]) -> (Vec<String>, u64) {
    let resolved = Resolved { place: Place::Demo, source: "test", profile: None };
    let (_, parsed) = served::open(resolved, settings).unwrap();
    let has_checkpoints = settings.draft != Draft::Off;
    let options = SessionOptions {
        n_ctx: 128,
        n_batch: 64,
        n_slots: 4,
        n_outputs: 1 + MAX_DRAFT,
        has_checkpoints,
        ..SessionOptions::default()
    };
    let plan = SessionPlan::new(&parsed.model, settings.kernels, options).unwrap();
    let session = OwnedSession::new(plan, settings.leader).unwrap();
    let pool = settings.start_workers().unwrap();
    let drafter = Drafter::new(settings, &parsed.tokenizer, None, &pool).unwrap();
    let (jobs, inbox) = channel(Arc::default(), session.n_slots(), params.len());
    let mut receivers = Vec::new();
    for (i, params) in params.iter().enumerate() {
        let tokens: Vec<u32> = (20..40 + 3 * i as u32).collect();
        let sampler = Sampler::new(*params, parsed.model.config.n_vocab).unwrap();
        let mut generator = Generator::new(&parsed.tokenizer, sampler, StopMatcher::new([]).unwrap(), 16);
        generator.accept_prompt(&tokens);
        let (events, receiver) = unbounded_channel();
        let (origin, prompt_probs, received) = (None, None, Instant::now());
        let place = jobs.place();
        assert!(place.is_some());
        let question = Question { tokens, generator, origin, prompt_probs, events, received, place };
        jobs.submit(Job::Answer(Box::new(question)));
        receivers.push(receiver);
    }
    drop(jobs);
    let before = settings.leader.map_or(0, |leader| leader.link().traffic().n_bytes);
    Scheduler::new(Engine { session, pool: &pool, embedder: None, drafter, cache: None }, inbox).run().unwrap();
    let n_bytes = settings.leader.map_or(0, |leader| leader.link().traffic().n_bytes) - before;
    let said = receivers.into_iter().map(|mut receiver| {
        let mut said = String::new();
        while let Ok(event) = receiver.try_recv() {
            match event {
                Event::Token { text, .. } | Event::End { text, .. } => said += &text,
                Event::Start { .. } | Event::Prompt { .. } => {}
                Event::Failed(why) => panic!("{why}"),
            }
        }
        said
    });
    (said.collect(), n_bytes)
}

#[test]
fn answers_on_ranks_are_those_of_one_machine() {
    let greedy = SamplerParams::GREEDY;
    let sampled = SamplerParams { temperature: 1.2, seed: 5, ..greedy };
    let all = [
        greedy,
        SamplerParams { top_k: 6, top_p: 0.9, ..sampled },
        SamplerParams { min_p: 0.02, ..sampled },
        SamplerParams { top_k: 3, ..sampled },
        SamplerParams { top_k: 9, repeat_penalty: 1.2, repeat_last_n: 8, ..sampled },
    ];
    for draft in [Draft::Off, Draft::LookUp] {
        for split in [cluster::Split::Rows, cluster::Split::Layers] {
            let division = Division { split, shares: vec![2, 1, 1] };
            let settings = Settings { checked_division: Some(division), draft: draft.clone(), ..Settings::for_tests() };
            let shared = |params: &[SamplerParams]| {
                cluster::within_process(&settings, 3, |settings| Ok(answers(settings, params))).unwrap()
            };
            for params in [&all[..], &all[..1], &all[1..2], &all[4..]] {
                let (expected, _) = answers(&settings, params);
                assert!(expected.iter().all(|said| !said.is_empty()));
                assert_eq!(shared(params).0, expected, "{split:?} {draft:?} {params:?}");
            }
            // An answer whose sampler looks at few logits spares the network the others.
            let [few, every] = [&all[1..2], &all[4..]].map(|params| shared(params).1);
            assert!(few < every, "{split:?} {draft:?}: {few} bytes, and {every} with all logits");
        }
    }
}
