//! Models that several ranks share: by rows or by layers, evenly or not, they have the bits of one machine.

use nanocamelid_engine::{Gguf, Model, Session, SessionOptions, SessionPlan, Share, SingleThread};
use nanocamelid_kernels::Kernels;
use nanocamelid_tests::ranks::on_ranks;
use nanocamelid_tests::tables::best;
use nanocamelid_tests::{Fixture, bits, fixtures, is_emulated};

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

fn options(n_batch: usize) -> SessionOptions {
    SessionOptions { n_ctx: 96, n_batch, n_outputs: 3, ..Default::default() }
}

/// Runs `body` with a session of the whole model.
fn alone<T>(fixture: &Fixture, options: SessionOptions, body: impl FnOnce(&mut Session<'_>) -> T) -> T {
    let gguf = Gguf::parse(&fixture.gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let plan = SessionPlan::new(&model, best(), options).unwrap();
    let mut arena = vec![0xFFu8; plan.required_bytes()];
    body(&mut plan.start(&mut arena).unwrap())
}

/// Runs `body` with every rank's session, and returns what rank 0 does; `None` if the model cannot be shared so. All
/// that is not a rank's own is filled with NaN bytes.
fn shared<T: Send>(
    fixture: &Fixture,
    (way, shares): (Way, &[u32]),
    options: SessionOptions,
    body: impl Fn(&mut Session<'_>) -> T + Sync,
) -> Option<T> {
    let kernels: &'static Kernels = best();
    on_ranks(shares.len(), |peers| {
        let gguf = Gguf::parse(&fixture.gguf).unwrap();
        let (rank, _) = way.share(nanocamelid_engine::Peers::rank(peers), shares).place();
        let model = match Model::of_share(&gguf, way.share(rank, shares)) {
            Ok(model) => model,
            Err(error) => {
                // A model of few layers, or whose layers depend on one another.
                assert!(matches!(way, Way::Layers), "{}: {error}", fixture.name);
                return None;
            }
        };
        let plan = SessionPlan::new(&model, kernels, options).unwrap();
        let mut arena = vec![0xFFu8; plan.required_bytes()];
        Some(body(&mut plan.start_among(peers, &mut arena).unwrap()))
    })
}

/// All architectures that make logits; some under an emulator.
fn subjects() -> Vec<Fixture> {
    let some = ["gemma4", "lfm2moe", "falcon-h1", "qwen35moe", "gpt-oss"];
    let fixtures = fixtures("archs").into_iter().filter(|f| !is_emulated() || some.contains(&&*f.name));
    fixtures
        .filter(|fixture| {
            let gguf = Gguf::parse(&fixture.gguf).unwrap();
            !Model::new(&gguf).unwrap().config.is_encoder()
        })
        .collect()
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
    for fixture in subjects() {
        let text: Vec<u32> = fixture.ids.iter().copied().cycle().take(40).collect();
        let expected = alone(&fixture, options(512), |session| each_row(session, &text));
        for shares in SHARES {
            for n_batch in [1, 7, 512] {
                for way in [Way::Rows, Way::Layers] {
                    let rows = shared(&fixture, (way, shares), options(n_batch), |session| each_row(session, &text));
                    let Some(rows) = rows else { continue };
                    n_by_layers += usize::from(matches!(way, Way::Layers));
                    assert!(rows == expected, "{} {way:?} {shares:?} in batches of {n_batch}", fixture.name);
                }
            }
        }
    }
    assert!(n_by_layers > 0, "no model was shared by layers");
}
