//! The history of the terminal chat: incremental search, and the history file.
#![cfg(all(target_os = "linux", feature = "demo"))]

mod support;

use std::os::unix::fs::MetadataExt;
use support::TempDir;
use support::terminal::Terminal;

#[test]
fn searching_backwards_and_forwards() {
    let mut terminal = Terminal::start(&["tui"], &[]);
    terminal.wait_for("> ", 1);
    terminal.press("/temp 0.125\r/temp 0.25\r/system 日本語 and\x1b\rmore\r/temp 0.5\r");
    terminal.wait_for("temperature 0.5", 1);
    // Enter takes what is shown; again goes further back, a longer query too.
    terminal.press("\x12temp\x12\r");
    terminal.wait_for("temperature 0.25\r\n", 2);
    terminal.press("\x12.1");
    terminal.wait_for("(search)`.1': /temp 0.125", 1);
    terminal.press("\r");
    terminal.wait_for("temperature 0.125\r\n", 2);
    // Too far back, and forward again.
    terminal.press("\x12/temp 0.\x12\x12\x12\x12\x12\x12");
    terminal.wait_for("(failed search)`/temp 0.': /temp 0.125", 1);
    terminal.press("\x13");
    terminal.wait_for("(forward search)`/temp 0.': /temp 0.25", 1);
    terminal.press("\r");
    terminal.wait_for("temperature 0.25\r\n", 3);
    // Escape alone and Ctrl-G give the line back as it was; Ctrl-C throws it away.
    terminal.press("/te\x12system\x07mp 2\r");
    terminal.wait_for("temperature 2\r\n", 1);
    terminal.press("/te\x12system");
    terminal.wait_for("(search)`system': /system 日本語 and\r\nmore", 1);
    let n_drawn = terminal.shown().matches("> /te").count();
    terminal.press("\x1b");
    terminal.wait_for("> /te", n_drawn + 1);
    terminal.press("mp 3\r");
    terminal.wait_for("temperature 3\r\n", 1);
    terminal.press("/te\x12system\x03");
    terminal.wait_for("Ctrl-D or /exit leaves", 1);
    // Narrow, with a query of wide characters over two lines; Backspace, then arrows edit what was found.
    terminal.resize(12);
    terminal.press("\x12本語 andx\x7f\x1b[F!\r/system\r");
    terminal.wait_for("日本語 and!\r\nmore\r\n", 1);
    terminal.resize(80);
    // Ctrl-D takes the found line and deletes, and does not leave.
    terminal.press("\x12/temp 3\x04\x04\x04\x04\x04\x04temp 4");
    terminal.press("\x01\x0b/temp 5\r");
    terminal.wait_for("temperature 5\r\n", 1);
    terminal.press("\x04");
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn a_file_keeps_the_history_if_one_is_named() {
    let dir = TempDir::new("tui-history");
    let path = dir.path("history");
    let variables = [("NANOCAMELID_HISTORY", path.as_str())];
    let mut first = Terminal::start(&["tui"], &variables);
    first.wait_for("> ", 1);
    let mut second = Terminal::start(&["tui"], &variables);
    second.wait_for("> ", 1);
    first.press("/temp 0.125\r/system \x1b[200~Be brief.\nIn verse.\x1b[201~\r");
    first.wait_for("the next answer follows it", 1);
    second.press("/temp 0.25\r");
    second.wait_for("temperature 0.25", 1);
    // An entry is written when it is entered: neither chat has ended.
    let kept = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = kept.lines().skip(1).collect();
    assert_eq!(lines, ["/temp 0.125", "/system Be brief.\\nIn verse.", "/temp 0.25"]);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let mut third = Terminal::start(&["tui"], &variables);
    third.wait_for("> ", 1);
    third.press("\x1b[A\x1b[A\r/system\r");
    third.wait_for("\r\nBe brief.\r\nIn verse.\r\n", 1);
    third.press("\x120.125\r");
    third.wait_for("temperature 0.125\r\n", 1);
    for terminal in [&mut first, &mut second, &mut third] {
        terminal.press("\x04");
        assert!(terminal.status().success());
    }
}

#[test]
fn a_file_that_is_no_history_is_a_note() {
    let dir = TempDir::new("tui-foreign");
    let notes = dir.file("notes", b"notes of a year\n");
    let broken = dir.file("broken", b"# history of nanocamelid's terminal chat, 1\n/temp 0.5\n\xff\n");
    for (path, words, shown) in [
        (&notes, "is another program's file", "unknown"),
        (&broken, "1 lines of the history are broken", "temperature 0.5"),
    ] {
        let mut terminal = Terminal::start(&["tui"], &[("NANOCAMELID_HISTORY", path)]);
        terminal.wait_for(words, 1);
        terminal.wait_for("> ", 1);
        terminal.press("\x1b[A\r/nothing\r");
        terminal.wait_for(shown, 1);
        terminal.press("\x04");
        assert!(terminal.status().success());
    }
    assert_eq!(std::fs::read(&notes).unwrap(), b"notes of a year\n");
    // There is no file unless the user names one.
    let mut terminal = Terminal::start(&["tui"], &[("HOME", dir.0.to_str().unwrap())]);
    terminal.wait_for("> ", 1);
    terminal.press("/temp 0.5\r\x04");
    assert!(terminal.status().success());
    assert_eq!(std::fs::read_dir(&dir.0).unwrap().count(), 2);
}
