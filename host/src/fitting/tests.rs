use super::*;
use nanocamelid_engine::Gguf;

/// The demonstration model, made for `n_ctx` tokens.
fn file(n_ctx: u32) -> Vec<u8> {
    let mut bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/nanocamelid-demo.gguf")).unwrap();
    let key = b"llama.context_length";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    bytes[at..at + 4].copy_from_slice(&n_ctx.to_le_bytes());
    bytes
}

fn settings(n_ctx: Option<usize>) -> Settings {
    Settings { n_ctx, n_batch: 64, ..Settings::for_tests() }
}

fn with_fitting<T>(made_for: u32, asked: Option<usize>, body: impl FnOnce(&Fitting<'_>) -> T) -> T {
    let bytes = file(made_for);
    let gguf = Gguf::parse(&bytes).unwrap();
    let model = Model::new(&gguf).unwrap();
    body(&Fitting {
        model: &model,
        settings: settings(asked),
        weights: bytes.len() as u64,
        n_snapshots: 0,
        n_slots: 1,
        has_checkpoints: false,
    })
}

/// Bytes of a session of that length.
fn bytes_of(fitting: &Fitting<'_>, n_ctx: usize, kv_type: KvType) -> u64 {
    fitting.sized(n_ctx, kv_type).unwrap().required_bytes() as u64
}

const ROOM: u64 = u64::MAX;

#[test]
fn a_context_is_as_long_as_it_has_to_be() {
    let n_ctx = |made_for, asked, need| {
        with_fitting(made_for, asked, |fitting| fitting.plan_within(ROOM, need).unwrap().options().n_ctx)
    };
    assert_eq!(n_ctx(32768, None, Need::default()), 4096);
    assert_eq!(n_ctx(512, None, Need::default()), 512);
    assert_eq!(n_ctx(32768, None, Need::new(3900, 128)), 4096);
    assert_eq!(n_ctx(32768, None, Need::new(6000, 128)), 6144);
    assert_eq!(n_ctx(32768, None, Need::new(6000, 145)), 6272);
    // Without a limit the answer gets some room, and the rest as it comes.
    assert_eq!(n_ctx(32768, None, Need::new(6016, usize::MAX)), 6016 + 1024);
    // No further than the model goes, but as far as somebody asks.
    assert_eq!(n_ctx(6100, None, Need::new(6000, 4000)), 6100);
    assert_eq!(n_ctx(6100, Some(7000), Need::new(6500, 10)), 7000);
    assert_eq!(n_ctx(6100, Some(100), Need::new(6000, 10)), 100);
}

#[test]
fn a_prompt_that_no_context_holds_says_why() {
    let refused = |made_for, need, budget: fn(&Fitting<'_>) -> u64| {
        with_fitting(made_for, None, |f| f.plan_within(budget(f), need).unwrap_err().to_string())
    };
    let message = refused(512, Need::new(600, 10), |_| ROOM);
    assert!(message.contains("600 tokens and the model was made for 512"), "{message}");
    let message = refused(32768, Need::new(6000, 10), |f| bytes_of(f, 4096, KvType::F16));
    assert!(message.contains("6000 tokens and memory allows a context of 4096"), "{message}");
    assert!(message.contains("--kv q8_0") && !message.contains("--kv f16"), "{message}");
    let message = refused(32768, Need::new(6000, 10), |f| bytes_of(f, 1024, KvType::F16));
    assert!(message.contains("a context of 1024") && !message.contains("--kv"), "{message}");
    let message = refused(32768, Need::new(6000, 10), |_| 1000);
    assert!(message.contains("no context fits"), "{message}");
}

#[test]
fn little_memory_makes_a_context_shorter() {
    with_fitting(32768, None, |fitting| {
        let plan = |n_fits, need| {
            let plan = fitting.plan_within(bytes_of(fitting, n_fits, KvType::F16), need).unwrap();
            plan.options().n_ctx
        };
        assert_eq!(plan(1024, Need::default()), 1024);
        // The prompt fits; the answer may then be cut.
        assert_eq!(plan(7040, Need::new(7000, 500)), 7040);
    });
    with_fitting(32768, Some(8192), |fitting| {
        let message =
            fitting.plan_within(bytes_of(fitting, 1024, KvType::F16), Need::default()).unwrap_err().to_string();
        assert!(message.contains("what fits: ") && message.contains("--ctx 1024 --kv f16"), "{message}");
    });
}

#[test]
fn a_context_grows_as_far_as_model_and_memory_go() {
    with_fitting(10_000, None, |fitting| {
        let larger = |n_fits, n_ctx, n_tokens| {
            let budget = if n_fits == 0 { ROOM } else { bytes_of(fitting, n_fits, KvType::F16) };
            fitting.larger_within(budget, n_ctx, n_tokens).map(|plan| plan.options().n_ctx)
        };
        assert_eq!(larger(0, 4096, 4097), Some(8192));
        assert_eq!(larger(0, 4096, 9000), Some(9088));
        assert_eq!(larger(0, 8192, 8193), Some(10_000));
        assert_eq!(larger(0, 10_000, 10_001), None);
        assert_eq!(larger(0, 4096, 10_001), None);
        assert_eq!(larger(5120, 4096, 4097), Some(5120));
        assert_eq!(larger(5120, 4096, 5121), None);
        assert_eq!(larger(4096, 4096, 4097), None);
    });
    with_fitting(10_000, Some(4096), |fitting| assert!(fitting.larger_within(ROOM, 4096, 4097).is_none()));
}

#[test]
fn embeddings_that_are_looked_up_need_no_memory() {
    // The head of the first multiplies with its embedding, that of the second has a matrix of its own.
    for (name, table) in [("gemma4", "per_layer_token_embd.weight"), ("llama", "token_embd.weight")] {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/archs");
        let bytes = std::fs::read(format!("{folder}/{name}.gguf")).unwrap();
        let gguf = Gguf::parse(&bytes).unwrap();
        let model = Model::new(&gguf).unwrap();
        let looked_up = gguf.tensor(table).unwrap().data().len() as u64;
        assert_eq!(weights(bytes.len() as u64, &model), bytes.len() as u64 - looked_up, "{name}");
        assert!(model.bytes_per_token() < bytes.len() as u64 - looked_up, "{name}");
    }
}

#[cfg(feature = "cluster")]
#[test]
fn a_board_finds_room_for_its_share() {
    use crate::resolve::{Place, Resolved};
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/archs");
    for name in ["llama", "mixtral"] {
        let path = format!("{folder}/{name}.gguf").into();
        let file = ModelFile::open(Resolved { place: Place::File(path), source: "test", profile: None }).unwrap();
        let gguf = file.parse().unwrap();
        let weights = |share| {
            let model = file.share(&gguf, share).unwrap();
            Fitting::new(&file, &model, &settings(None)).weights
        };
        let whole = Model::new(&gguf).unwrap().weight_bytes();
        assert!(weights(Share::Whole) >= whole, "{name}");
        for shares in [&[1, 1][..], &[3, 1]] {
            let of_ranks = |share: fn(usize, &[u32]) -> Share<'_>| {
                let of_ranks: Vec<u64> = (0..shares.len()).map(|rank| weights(share(rank, shares))).collect();
                assert!(of_ranks.iter().all(|&weights| weights > whole / 8 && weights < whole * 7 / 8), "{of_ranks:?}");
                of_ranks.iter().sum::<u64>()
            };
            let by_rows = of_ranks(|rank, shares| Share::Rows { rank, shares });
            // Every rank has the router of experts, which is small.
            assert!(by_rows >= whole && by_rows < whole + whole / 16, "{name} {shares:?}: {by_rows} of {whole}");
            if shares == [1, 1] {
                assert_eq!(of_ranks(|rank, shares| Share::Layers { rank, shares }), whole, "{name}");
            }
        }
    }
}
