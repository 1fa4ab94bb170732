//! The man page, from the table.

use super::environment;
use super::help;
use super::table::Commands;

/// Escapes for roff: a backslash, and a dot or quote at the start of a line, have a meaning there; dashes stay dashes.
fn escape(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    escaped
        .lines()
        .map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() })
        .collect::<Vec<_>>()
        .join("\n")
}

fn item(page: &mut String, term: &str, text: &str) {
    *page += &format!(".TP\n.B {}\n{}\n", escape(term), escape(text));
}

/// The page in roff.
pub(crate) fn page(commands: Commands) -> String {
    let mut page = format!(".TH NANOCAMELID 1 \"\" \"nanocamelid {}\" \"User Commands\"\n", env!("CARGO_PKG_VERSION"));
    page += ".SH NAME\nnanocamelid \\- chat with a local GGUF model\n.SH SYNOPSIS\n.B nanocamelid\n.I COMMAND\n[ARGUMENTS] [FLAGS]\n";
    page += ".SH DESCRIPTION\nThe answer goes to standard output, everything else to standard error.\n.SH COMMANDS\n";
    for command in commands {
        page += &format!(".SS {}\n{}.\n", escape(&help::usage_line(command)), escape(command.about));
        if !command.details.is_empty() {
            page += &format!(".PP\n{}\n", escape(command.details));
        }
        for argument in command.arguments {
            item(&mut page, argument.name, argument.help);
        }
        for flag in command.all_flags() {
            item(&mut page, help::flag_line(flag).trim_start(), &help::flag_help(flag));
        }
    }
    page += ".SH ENVIRONMENT\n";
    for variable in environment::VARIABLES {
        item(&mut page, variable.name, variable.help);
        if let Some(alias) = variable.alias {
            item(&mut page, alias, "the same");
        }
    }
    page += ".SH EXIT STATUS\n";
    item(&mut page, "0", "success");
    item(&mut page, "1", "failure while running");
    item(&mut page, "2", "usage, missing or unusable model, audit mismatch");
    page
}
