//! What was said before, found again: searching while it is typed, and the file that keeps it.
#![cfg(all(target_os = "linux", feature = "demo"))]

mod support;

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
    terminal.press("\x1b");
    std::thread::sleep(std::time::Duration::from_millis(200));
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
