//! `cluster check` with ranks as threads: announcements, handshake and followers are those of ranks on boards.
#![cfg(feature = "cluster")]

mod support;

use support::{arch, run};

#[test]
fn a_shared_model_has_the_bits_of_the_whole() {
    for (split, shares) in [("rows", "1,1,1"), ("rows", "3,1,2"), ("layers", "1,1,1")] {
        let words = ["cluster", "check", &arch("llama32"), "12", "--ranks", "3", "--split", split, "--shares", shares];
        let checked = run(&words);
        checked.assert_ok("cluster");
        assert!(checked.stdout.ends_with("rows equal\nresult: PASS\n"), "{checked:?}");
    }
}

#[test]
fn what_cannot_be_shared_is_refused_by_name() {
    let llama = arch("llama32");
    for (words, message) in [
        (vec!["cluster", "check", &llama], "--ranks"),
        (vec!["cluster", "check", &llama, "--ranks", "2", "--shares", "1,2,3"], "--shares has 3 numbers"),
        (vec!["cluster", "check", &llama, "--ranks", "2", "--shares", "1,0"], "every board needs a share"),
        (vec!["cluster", "check", &llama, "--ranks", "50", "--split", "layers"], "are no range of a model"),
        (vec!["cluster", "bench"], "there is one rank"),
    ] {
        run(&words).assert_fails(2, &[message]);
    }
}
