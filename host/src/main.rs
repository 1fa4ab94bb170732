//! The program `nanocamelid`.

fn main() -> std::process::ExitCode {
    nanocamelid::run()
}
