//! The demonstration model continues the documented prompts with the ids that an independent engine recorded.

use nanocamelid_engine::{Gguf, Model, SessionOptions, SessionPlan, SingleThread, Tokenizer};
use nanocamelid_tests::argmax;
use nanocamelid_tests::tables::best;
use std::path::Path;

/// The arrays of ids named `key`, one per prompt. The file has one prompt a line, so nothing more than this is needed.
fn ids(line: &str, key: &str) -> Vec<u32> {
    let start = line.find(&format!("\"{key}\": [")).unwrap_or_else(|| panic!("{key} in {line}"));
    let list = &line[start..];
    let list = &list[list.find('[').unwrap() + 1..list.find(']').unwrap()];
    list.split(',').map(|id| id.trim().parse().unwrap()).collect()
}

#[test]
fn documented_prompts_have_the_recorded_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/demo");
    let bytes = std::fs::read(folder.join("nanocamelid-demo.gguf")).unwrap();
    let prompts = std::fs::read_to_string(folder.join("prompts.json")).unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let (model, tokenizer) = (Model::new(&gguf).unwrap(), Tokenizer::new(&gguf).unwrap());
    let kernels = best();
    let plan = SessionPlan::new(&model, kernels, SessionOptions { n_ctx: 512, ..Default::default() }).unwrap();
    let mut arena = vec![0u8; plan.required_bytes()];
    let mut session = plan.start(&mut arena).unwrap();
    let lines: Vec<&str> = prompts.lines().filter(|line| line.contains("prompt_ids")).collect();
    assert!(lines.len() >= 8, "{} documented prompts", lines.len());
    for line in lines {
        let (prompt, answer) = (ids(line, "prompt_ids"), ids(line, "answer_ids"));
        session.reset();
        let mut found = vec![argmax(session.prefill(&SingleThread, &prompt).unwrap())];
        while found.len() < answer.len() {
            found.push(argmax(session.decode(&SingleThread, *found.last().unwrap()).unwrap()));
        }
        assert_eq!(found, answer, "{line}");
        let ended = answer.last().is_some_and(|&id| tokenizer.is_end_of_generation(id));
        assert!(ended || answer.len() >= 16, "an answer ends: {line}");
    }
}
