//! One digest of logits for every model of the fixtures, recorded once: the same on x86-64, on AArch64, on any kernel
//! table. FNV-1a 64 over the little-endian f32 logits of all positions, as `nanocamelid logits --digest` prints it.

use nanocamelid_engine::{Gguf, Model, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::Kernels;
use nanocamelid_tests::features::is_trapped;
use nanocamelid_tests::tables::tables;
use nanocamelid_tests::{Fixture, fixtures, fnv1a};

const RECORDED: &[(&str, &str)] = &[
    ("archs/bitnet", "17d43c718bce35c2"),
    ("archs/bitnet-b158", "d28c44affc7bc259"),
    ("archs/ernie4_5", "6476df14bfb7a465"),
    ("archs/ernie4_5-moe", "5566a1332d4d806b"),
    ("archs/exaone4", "6eb9c2748e779375"),
    ("archs/exaone4swa", "0587e278bbdd22a2"),
    ("archs/falcon-h1", "7445502d598f7554"),
    ("archs/gemma2", "93d5df22e55072d5"),
    ("archs/gemma3", "4884fa419de3aa43"),
    ("archs/gemma4", "9f5937641b90a3fa"),
    ("archs/gemma4moe", "6ab5a01749b1a525"),
    ("archs/gpt-oss", "b216308cb85d5750"),
    ("archs/granite", "2f8a081c698842f8"),
    ("archs/granitehybrid", "01b356d5bccb796f"),
    ("archs/granitemoe", "662d3332ae478106"),
    ("archs/hunyuan-dense", "0456592fc2ccca2f"),
    ("archs/lfm2", "c28beac655f770f3"),
    ("archs/lfm2moe", "f73be94e179052a4"),
    ("archs/llama", "e2595e7216cada08"),
    ("archs/llama32", "c04b91ab86bda5c6"),
    ("archs/minicpm", "e5ea223dfb5ba0fa"),
    ("archs/mistral3", "f261bdc2faa46816"),
    ("archs/mistral3-scaled", "78b0ecc840c6cf5a"),
    ("archs/mixtral", "ebba2f070c954b25"),
    ("archs/nemotron_h", "c05ed35bdc9d9991"),
    ("archs/olmo2", "087586ddbb23b603"),
    ("archs/olmo3", "c0de982ea23ed810"),
    ("archs/phi3", "d5444c8bf934cb03"),
    ("archs/qwen2", "7d5dead0b5b8dce6"),
    ("archs/qwen3", "b01b58c9bc2c65e5"),
    ("archs/qwen35", "d62ca563aecc527b"),
    ("archs/qwen35-recurrent", "327753249c9863fc"),
    ("archs/qwen35moe", "741013836489b027"),
    ("archs/qwen3moe", "f89dd3dc17f115aa"),
    ("archs/qwen3next", "c7e32602e1490913"),
    ("archs/qwen3next-mtp", "1e8ba394cfe9fb21"),
    ("archs/qwen3next-ssmin", "9bbc84f5774472b3"),
    ("archs/smollm3", "d32a73882e6b423f"),
    ("quants/BF16", "46c79a32112607d9"),
    ("quants/F16", "01b54ddb1d7c5973"),
    ("quants/F32", "093cea8bf9c68120"),
    ("quants/IQ1_M", "e5a3520533f6675f"),
    ("quants/IQ1_S", "0ef3415bfbdb6ed8"),
    ("quants/IQ2_S", "0477e83c19a56b24"),
    ("quants/IQ2_XS", "f443de8dda63ac34"),
    ("quants/IQ2_XXS", "5c9508132ec52cf5"),
    ("quants/IQ3_S", "561afd7ad8be0c9d"),
    ("quants/IQ3_XXS", "efec2d707c2d9915"),
    ("quants/IQ4_NL", "1cbbf5d3e2d27cb5"),
    ("quants/IQ4_XS", "032c4b00655c6205"),
    ("quants/MXFP4", "9ddc8511b2625b70"),
    ("quants/NVFP4", "363466ac16c02079"),
    ("quants/NVFP4_scaled", "e53cf6f280800ae6"),
    ("quants/Q1_0", "a34fcde2789d3999"),
    ("quants/Q2_0", "c4181336fe9aa32c"),
    ("quants/Q2_K", "d5bec32157deb91f"),
    ("quants/Q2_K_mix", "8d57711e310540e9"),
    ("quants/Q3_K", "86f7a854ef2002c4"),
    ("quants/Q3_K_M", "f994b7585ae1553c"),
    ("quants/Q4_0", "7a821d844e99b952"),
    ("quants/Q4_1", "8859e5889c89ef0e"),
    ("quants/Q4_K", "69791e5bb5eab30b"),
    ("quants/Q4_K_M", "7ad7e81b850749ea"),
    ("quants/Q5_0", "18cf45d348943265"),
    ("quants/Q5_1", "46f9d5358f86bf9d"),
    ("quants/Q5_K", "7ed7553204f2b70e"),
    ("quants/Q5_K_M", "1bf650e3afbc9f5c"),
    ("quants/Q6_K", "3fd1f8b28988aee1"),
    ("quants/Q8_0", "5ec1e7a08334c62f"),
    ("quants/TQ1_0", "2dc3a2a735a3a722"),
    ("quants/TQ2_0", "6b6b4f568e9f1d91"),
    ("quants/UD_IQ1", "e4e4476cd19e9c3b"),
    ("quants/UD_IQ2", "b973c720029ace19"),
];

fn digest(fixture: &Fixture, kernels: &'static Kernels) -> String {
    let gguf = Gguf::parse(&fixture.gguf).unwrap();
    let model = Model::new(&gguf).unwrap();
    let options = SessionOptions { n_ctx: 64, n_batch: 64, ..Default::default() };
    let plan = SessionPlan::new(&model, kernels, options).unwrap();
    let mut arena = vec![0u8; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    let mut bytes = Vec::new();
    let mut add = |_: usize, logits: &[f32]| bytes.extend(logits.iter().flat_map(|l| l.to_le_bytes()));
    session.prefill_each(&SingleThread, &fixture.ids, &mut add).unwrap();
    format!("{:016x}", fnv1a(bytes))
}

#[test]
fn logits_have_the_recorded_digests_on_every_machine() {
    let mut wrong = Vec::new();
    for folder in ["archs", "quants"] {
        // Of a trapped table every fourth model: its kernels are compared one by one as well.
        for fixture in fixtures(folder).into_iter().step_by(if is_trapped() { 4 } else { 1 }) {
            let name = format!("{folder}/{}", fixture.name);
            let recorded = RECORDED.iter().find(|(n, _)| *n == name).map_or("nothing", |(_, digest)| digest);
            for kernels in tables() {
                let found = digest(&fixture, kernels);
                if found != recorded {
                    println!("    (\"{name}\", \"{found}\"), // {}: recorded {recorded}", kernels.name());
                    wrong.push(name.clone());
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
