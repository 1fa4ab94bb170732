//! A `--stop` that spells a control token.

mod support;

use support::{TempDir, arch, run, run_with};

/// The fixture says `5xJ`; here `J` is a control token, which shows nothing.
fn model_with_control_token(dir: &TempDir) -> String {
    let mut file = std::fs::read(arch("qwen2")).unwrap();
    let key = b"tokenizer.ggml.token_type";
    let at = file.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    // Behind the key: the value's type, the elements' type, their number, then 32 bits for each token.
    let token = at + 4 + 4 + 8 + 4 * usize::from(b'J');
    assert_eq!(file[token..token + 4], 1i32.to_le_bytes());
    file[token..token + 4].copy_from_slice(&3i32.to_le_bytes());
    dir.file("control.gguf", &file)
}

#[test]
fn it_stops_at_the_token() {
    let dir = TempDir::new("stop-control");
    let model = model_with_control_token(&dir);
    let generate = |stops: &[&str]| {
        let words = ["generate", &model, "hello there", "-n", "5"];
        let stops = stops.iter().flat_map(|stop| ["--stop", stop]);
        let run = run(&words.into_iter().chain(stops).collect::<Vec<_>>());
        run.assert_ok("generate");
        let report = run.stderr_json();
        (report["text"].as_str().unwrap().to_owned(), report["finish_reason"].as_str().unwrap().to_owned())
    };
    let (all, finish) = generate(&[]);
    assert!(all.starts_with("5x") && !all.contains('J') && all.len() > 2, "{all:?}");
    assert_eq!(finish, "length");
    for stops in [&["J"][..], &["no", "J"]] {
        assert_eq!(generate(stops), ("5x".to_owned(), "stop_string".to_owned()), "{stops:?}");
    }
    assert_eq!(generate(&["xJ"]), ("5".to_owned(), "stop_string".to_owned()));
    assert_eq!(generate(&["J5"]).1, "length");

    // The terminal chat takes the same flag.
    let talk = run_with(&["tui", &model, "-n", "5", "--temp", "0", "--stop", "J"], &[], b"hello\n");
    talk.assert_ok("tui");
}
