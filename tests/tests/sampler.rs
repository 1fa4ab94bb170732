//! Compares the sampler with a plain one that sorts everything, and checks the rules for every sampler.

use nanocamelid_engine::sampler::{LogProbs, ParamError, Rng, SampleError, Sampler, SamplerParams};
use nanocamelid_kernels::reference::math::exp;
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use nanocamelid_tests::fnv1a;
use nanocamelid_tests::random::Random;
use std::collections::BTreeSet;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The same chain, one obvious step after the other.
fn plain(params: &SamplerParams, recent: &[u32], logits: &[f32], rng: &mut Rng) -> Option<u32> {
    let n_vocab = logits.len();
    let mut logits = logits.to_vec();
    let window = &recent[recent.len().saturating_sub(params.repeat_last_n)..];
    for token in window.iter().collect::<BTreeSet<_>>() {
        let count = window.iter().filter(|other| *other == token).count();
        let logit = &mut logits[*token as usize];
        *logit = if *logit <= 0.0 { *logit * params.repeat_penalty } else { *logit / params.repeat_penalty };
        *logit -= count as f32 * params.frequency_penalty + params.presence_penalty;
    }
    let mut left: Vec<(u32, f32)> = (0..).zip(logits).filter(|(_, logit)| !logit.is_nan()).collect();
    let max = left.iter().map(|(_, logit)| *logit).reduce(f32::max)?;
    if params.temperature == 0.0 || max.is_infinite() {
        return left.iter().find(|(_, logit)| *logit == max).map(|(token, _)| *token);
    }
    let ranked = |left: &mut Vec<(u32, f32)>| {
        left.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap().then(a.0.cmp(&b.0)));
    };
    if params.top_k > 0 && params.top_k < n_vocab {
        ranked(&mut left);
        left.truncate(params.top_k);
    }
    let probability = |logit: f32| f64::from(exp(logit - max));
    if params.top_p < 1.0 {
        let total: f64 = left.iter().map(|(_, logit)| probability(*logit)).sum();
        ranked(&mut left);
        let mut mass = 0.0;
        let kept = left.iter().take_while(|(_, logit)| {
            let wanted = mass < f64::from(params.top_p) * total;
            mass += probability(*logit);
            wanted
        });
        let kept = kept.count().max(1);
        left.truncate(kept);
    }
    left.retain(|(_, logit)| exp(logit - max) >= params.min_p);
    let weights: Vec<f64> = left.iter().map(|(_, logit)| f64::from(exp((logit - max) / params.temperature))).collect();
    let mut point = rng.uniform() * weights.iter().sum::<f64>();
    let mut chosen = None;
    for ((token, _), weight) in left.iter().zip(weights).filter(|(_, weight)| *weight > 0.0) {
        chosen = Some(*token);
        if point < weight {
            break;
        }
        point -= weight;
    }
    chosen
}

fn random_params(random: &mut Random, n_vocab: usize) -> SamplerParams {
    let mut sometimes = |neutral: f32, value: f32| if random.below(2) == 0 { neutral } else { value };
    let (top_p, min_p) = (sometimes(1.0, 0.6), sometimes(0.0, 0.1));
    let (temperature, repeat_penalty) = (sometimes(0.7, 1.8), sometimes(1.0, 1.3));
    let (frequency_penalty, presence_penalty) = (sometimes(0.0, 0.4), sometimes(0.0, -0.7));
    SamplerParams {
        temperature: if random.below(10) == 0 { 0.0 } else { temperature },
        top_k: [0, 1, 2, 7, n_vocab / 2, n_vocab, n_vocab + 3, usize::MAX][random.below(8)],
        top_p: if random.below(20) == 0 { 0.0 } else { top_p },
        min_p: if random.below(20) == 0 { 1.0 } else { min_p },
        repeat_penalty,
        frequency_penalty,
        presence_penalty,
        repeat_last_n: random.below(9),
        seed: random.bits(),
    }
}

#[test]
fn equals_the_plain_sampler() {
    let mut random = Random(11);
    let mut n_chosen = 0;
    for round in 0..1500 {
        let n_vocab = [1, 2, 3, 10, 100, 700, 2000][random.below(7)];
        let params = random_params(&mut random, n_vocab);
        let mut sampler = Sampler::new(params, n_vocab).unwrap();
        let mut rng = Rng::new(params.seed);
        let mut recent = Vec::new();
        for _ in 0..6 {
            let scale = [0.5, 6.0, 60.0][random.below(3)];
            let mut logits = random.values(n_vocab, scale);
            for logit in &mut logits {
                *logit = match random.below(40) {
                    0..6 => logit.round(),
                    6 if round % 3 == 0 => f32::NAN,
                    7 => f32::NEG_INFINITY,
                    8 => -0.0,
                    9 if round % 50 == 0 => f32::INFINITY,
                    10 if round % 50 == 1 => f32::MAX,
                    11 if round % 50 == 2 => f32::MIN,
                    _ => *logit,
                };
            }
            let expected = plain(&params, &recent, &logits, &mut rng);
            let token = sampler.sample(&logits);
            assert_eq!(token.ok(), expected, "round {round} {params:?}");
            if let Ok(token) = token {
                sampler.accept(token);
                recent.push(token);
                n_chosen += 1;
            }
        }
    }
    assert!(n_chosen > 7_500);
}

#[test]
fn greedy_takes_the_first_of_equal_maxima() {
    let greedy = |logits: &[f32]| Sampler::new(SamplerParams::GREEDY, logits.len()).unwrap().sample(logits);
    assert_eq!(greedy(&[1.0, 3.0, 3.0, 2.0]), Ok(1));
    assert_eq!(greedy(&[f32::NAN, -5.0, f32::NAN]), Ok(1));
    assert_eq!(greedy(&[f32::NAN, f32::NEG_INFINITY]), Ok(1));
    assert_eq!(greedy(&[f32::NAN, f32::NAN]), Err(SampleError::NoNumber));
    assert_eq!(greedy(&[]), Err(SampleError::NoNumber));
    assert_eq!(greedy(&[0.0, f32::INFINITY, f32::INFINITY]), Ok(1));
}

#[test]
fn penalty_sees_the_last_tokens_only() {
    let params = SamplerParams { repeat_penalty: 2.0, repeat_last_n: 2, ..SamplerParams::GREEDY };
    let mut sampler = Sampler::new(params, 3).unwrap();
    let logits = [4.0, 3.0, -1.0];
    assert_eq!(sampler.sample(&logits), Ok(0));
    sampler.accept(0);
    assert_eq!(sampler.sample(&logits), Ok(1), "4 / 2 < 3");
    sampler.accept(1);
    assert_eq!(sampler.sample(&logits), Ok(0), "4 / 2 > 3 / 2");
    sampler.accept(1);
    assert_eq!(sampler.sample(&logits), Ok(0), "0 has left the window");
    sampler.accept(999);
    assert_eq!(sampler.sample(&logits), Ok(0), "a token outside the vocabulary is nobody's");
    sampler.reset();
    sampler.accept(2);
    assert_eq!(sampler.sample(&[-3.0, -4.0, -1.0]), Ok(2), "-1 * 2 > -3");
    assert_eq!(sampler.sample(&[-1.5, -4.0, -1.0]), Ok(0), "-1 * 2 < -1.5");
}

#[test]
fn draws_follow_the_probabilities() {
    let params = SamplerParams { temperature: 1.0, seed: 3, ..SamplerParams::GREEDY };
    let mut sampler = Sampler::new(params, 4).unwrap();
    // Probabilities 1/2, 1/4, 1/8, 1/8.
    let logits = [0.5_f32, 0.25, 0.125, 0.125].map(f32::ln);
    let mut counts = [0_u32; 4];
    for _ in 0..80_000 {
        counts[sampler.sample(&logits).unwrap() as usize] += 1;
    }
    for (count, expected) in counts.into_iter().zip([40_000_u32, 20_000, 10_000, 10_000]) {
        assert!(count.abs_diff(expected) < 600, "{counts:?}");
    }
}

/// The same tokens on every machine.
#[test]
fn tokens_of_a_seed_are_fixed() {
    let mut random = Random(1);
    let logits = random.values(5000, 8.0);
    for (params, expected) in [
        (SamplerParams { seed: 42, ..SamplerParams::default() }, 0x867a_b191_c10f_8ef1),
        (SamplerParams { seed: 42, temperature: 1.5, ..SamplerParams::GREEDY }, 0x390d_62a5_3f38_5ac2),
        (
            SamplerParams { seed: 7, top_p: 0.9, temperature: 1.1, repeat_penalty: 1.1, ..SamplerParams::GREEDY },
            0xc351_7b63_0e4e_0df6,
        ),
    ] {
        let mut sampler = Sampler::new(params, logits.len()).unwrap();
        let sampled = (0..500).flat_map(|_| {
            let token = sampler.sample(&logits).unwrap();
            sampler.accept(token);
            token.to_le_bytes()
        });
        let digest = fnv1a(sampled);
        assert_eq!(digest, expected, "{params:?} {digest:#x}");
    }
}

#[test]
fn sampling_allocates_nothing() {
    let mut random = Random(2);
    let logits = random.values(3000, 5.0);
    for round in 0..200 {
        let params = SamplerParams { repeat_last_n: 30, ..random_params(&mut random, logits.len()) };
        let mut sampler = Sampler::new(params, logits.len()).unwrap();
        let ((), allocations) = measure(|| {
            for _ in 0..40 {
                let token = sampler.sample(&logits).unwrap();
                sampler.accept(token);
            }
        });
        assert_eq!(allocations.calls, 0, "round {round} {params:?}");
    }
}

#[test]
fn settings_outside_their_range_are_refused() {
    let default = SamplerParams::default();
    let refused = |params: SamplerParams| Sampler::new(params, 10).err();
    assert_eq!(refused(default), None);
    for temperature in [-0.1, f32::NAN, f32::INFINITY] {
        let error = refused(SamplerParams { temperature, ..default });
        assert!(matches!(error, Some(ParamError::Temperature(_))), "{temperature}");
    }
    for p in [-0.1, 1.1, f32::NAN] {
        assert!(matches!(refused(SamplerParams { top_p: p, ..default }), Some(ParamError::TopP(_))), "{p}");
        assert!(matches!(refused(SamplerParams { min_p: p, ..default }), Some(ParamError::MinP(_))), "{p}");
    }
    for repeat_penalty in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = refused(SamplerParams { repeat_penalty, ..default });
        assert!(matches!(error, Some(ParamError::RepeatPenalty(_))), "{repeat_penalty}");
    }
    let error = refused(SamplerParams { repeat_last_n: usize::MAX, ..default });
    assert_eq!(error, Some(ParamError::RepeatLastN(usize::MAX)));
    assert_eq!(error.unwrap().to_string(), format!("a repeat window of {} tokens is more than 1048576", usize::MAX));
}

#[test]
fn counts_and_presence_lower_logits() {
    let params = SamplerParams { frequency_penalty: 0.5, presence_penalty: 1.0, ..SamplerParams::GREEDY };
    let mut sampler = Sampler::new(params, 3).unwrap();
    for token in [0, 0, 1] {
        sampler.accept(token);
    }
    // 0 loses 2 * 0.5 + 1, 1 loses 0.5 + 1.
    assert_eq!(sampler.sample(&[3.0, 2.4, 0.99]), Ok(0));
    assert_eq!(sampler.sample(&[3.0, 2.6, 0.99]), Ok(1));
    assert_eq!(sampler.sample(&[3.0, 2.5, 1.01]), Ok(2));
}

#[test]
fn bias_moves_logits() {
    let sampler = |bias: &[(u32, f32)]| Sampler::new(SamplerParams::GREEDY, 3).unwrap().with_logit_bias(bias.to_vec());
    assert_eq!(sampler(&[(2, 1.5)]).unwrap().sample(&[1.0, 0.0, 0.0]), Ok(2));
    assert_eq!(sampler(&[(0, f32::NEG_INFINITY), (1, -0.5)]).unwrap().sample(&[1.0, 0.4, 0.0]), Ok(2));
    // Bias comes before the penalties.
    let params = SamplerParams { repeat_penalty: 4.0, ..SamplerParams::GREEDY };
    let mut both = Sampler::new(params, 2).unwrap().with_logit_bias(vec![(0, 3.0)]).unwrap();
    both.accept(0);
    assert_eq!(both.sample(&[1.0, 1.1]), Ok(1), "(1 + 3) / 4 < 1.1");
    for (token, bias) in [(3, 0.0), (0, f32::NAN), (0, f32::INFINITY)] {
        assert!(matches!(sampler(&[(token, bias)]).unwrap_err(), ParamError::LogitBias { .. }), "{token} {bias}");
    }
    for wrong in [f32::NAN, f32::INFINITY] {
        let params = SamplerParams { frequency_penalty: wrong, ..SamplerParams::GREEDY };
        assert!(matches!(Sampler::new(params, 3).unwrap_err(), ParamError::FrequencyPenalty(_)));
        let params = SamplerParams { presence_penalty: wrong, ..SamplerParams::GREEDY };
        assert!(matches!(Sampler::new(params, 3).unwrap_err(), ParamError::PresencePenalty(_)));
    }
}

#[test]
fn log_probabilities_are_the_log_softmax() {
    // Probabilities 1/2, 1/4, 1/8, 1/8, moved by a constant.
    let logits = [0.5_f32, 0.125, 0.25, 0.125].map(|p| p.ln() + 30.0);
    let found = LogProbs::new(&logits, 3, 3).unwrap();
    let close = |a: f32, b: f32| (a - b).abs() < 1e-5;
    assert!(found.chosen.token == 3 && close(found.chosen.log_prob, 0.125_f32.ln()), "{found:?}");
    assert_eq!(found.top.iter().map(|top| top.token).collect::<Vec<_>>(), [0, 2, 1]);
    assert!(close(found.top[0].log_prob, 0.5_f32.ln()) && close(found.top[2].log_prob, 0.125_f32.ln()), "{found:?}");
    let found = LogProbs::new(&[f32::NAN, 1.0, f32::NEG_INFINITY], 0, 9).unwrap();
    assert_eq!(found.chosen.log_prob, f32::NEG_INFINITY);
    assert_eq!(
        found.top.iter().map(|top| (top.token, top.log_prob)).collect::<Vec<_>>(),
        [(1, 0.0), (2, f32::NEG_INFINITY)]
    );
    assert!(LogProbs::new(&[0.0, 1.0], 7, 0).unwrap().top.is_empty());
    assert_eq!(LogProbs::new(&[f32::NAN], 0, 1), None);
    assert_eq!(LogProbs::new(&[f32::INFINITY, 0.0], 0, 1), None);
}
