//! `--help`, from the table.

use super::environment::{self, Twin};
use super::table::{ArgumentRow, Command, Commands, FlagRow};
use std::fmt::Write as _;

/// `nanocamelid chat [MODEL] [PROMPT] [flags]`.
pub(crate) fn usage_line(command: &Command) -> String {
    let mut line = format!("nanocamelid {}", command.name);
    for ArgumentRow { name, required, repeats, .. } in command.arguments {
        let more = if *repeats { "..." } else { "" };
        line += &if *required { format!(" {name}{more}") } else { format!(" [{name}{more}]") };
    }
    line + " [FLAGS]"
}

/// `-t, --threads N`.
pub(crate) fn flag_line(flag: &FlagRow) -> String {
    let mut line = flag.short.map_or("    ".into(), |short| format!("-{short}, "));
    line += "--";
    line += flag.long();
    if !flag.value_name.is_empty() {
        line.push(' ');
        line += flag.value_name;
    }
    line
}

/// The flag's description, with its variable in brackets.
pub(crate) fn flag_help(flag: &FlagRow) -> String {
    match variable_of(flag) {
        Some(variable) => format!("{} [{variable}]", flag.help),
        None => flag.help.to_owned(),
    }
}

/// The variable that sets a flag.
fn variable_of(flag: &FlagRow) -> Option<&'static str> {
    environment::VARIABLES.iter().find_map(|variable| match variable.twin {
        Twin::Flag(twin) | Twin::Toggle(twin, ..) | Twin::Switch(twin) if twin.key == flag.key => Some(variable.name),
        _ => None,
    })
}

fn row(out: &mut String, left: &str, right: &str) {
    // Writing to a String cannot fail.
    let _ = if left.chars().count() <= 24 {
        writeln!(out, "  {left:<24}  {right}")
    } else {
        writeln!(out, "  {left}\n  {:24}  {right}", "")
    };
}

/// All commands and variables.
pub(crate) fn overview(commands: Commands) -> String {
    let mut out = String::from(
        "nanocamelid: chat with a local GGUF model\n\nUsage: nanocamelid COMMAND [ARGUMENTS] [FLAGS]\n\nCommands:\n",
    );
    for command in commands {
        row(&mut out, command.name, command.about);
    }
    out += "\nEnvironment:\n";
    for variable in environment::VARIABLES {
        row(&mut out, variable.name, variable.help);
        if let Some(alias) = variable.alias {
            row(&mut out, alias, "the same");
        }
    }
    out += "\nnanocamelid COMMAND --help says more. Exit codes: 0 success, 2 usage, input or audit, 1 failure while running.\n";
    out
}

/// One command.
pub(crate) fn of(command: &Command) -> String {
    let mut out = format!("nanocamelid {}: {}\n\nUsage: {}\n", command.name, command.about, usage_line(command));
    if !command.details.is_empty() {
        out += "\n";
        out += command.details;
        out += "\n";
    }
    if !command.arguments.is_empty() {
        out += "\nArguments:\n";
        for argument in command.arguments {
            row(&mut out, argument.name, argument.help);
        }
    }
    out += "\nFlags:\n";
    for flag in command.all_flags() {
        row(&mut out, &flag_line(flag), &flag_help(flag));
    }
    out
}
