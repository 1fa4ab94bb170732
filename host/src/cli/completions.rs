//! Shell completions, from the table.

use super::table::{Command, Commands, FlagRow, Takes};
use super::value::Kind;

/// Words a flag's value can be; `None` where there is no list.
fn choices(flag: &FlagRow) -> Option<&'static [&'static str]> {
    match flag.kind {
        Kind::Choice(choices) => Some(choices),
        _ => None,
    }
}

fn words(command: &Command) -> Vec<&'static str> {
    let arguments = command.arguments.iter().filter_map(|argument| match argument.takes {
        Takes::Word(words) | Takes::Value(Kind::Choice(words)) => Some(words),
        _ => None,
    });
    arguments.flatten().copied().collect()
}

fn flags(command: &Command) -> Vec<String> {
    let long = command.all_flags().map(|flag| format!("--{}", flag.long()));
    let short = command.all_flags().filter_map(|flag| Some(format!("-{}", flag.short?)));
    long.chain(short).collect()
}

/// Every command's name.
fn names(commands: Commands) -> String {
    commands.iter().map(|command| command.name).collect::<Vec<_>>().join(" ")
}

/// Shells that have a script.
pub(crate) const SHELLS: &[&str] = &["bash", "zsh", "fish"];

/// The script for one of [`SHELLS`].
pub(crate) fn script(commands: Commands, shell: &str) -> String {
    match shell {
        "bash" => bash(commands),
        "zsh" => zsh(commands),
        _ => fish(commands),
    }
}

fn bash(commands: Commands) -> String {
    let mut out = format!(
        "_nanocamelid() {{\n    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}\n    \
         if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W \"{} --help --version\" -- \"$cur\"))\n        return\n    fi\n    \
         case \"${{COMP_WORDS[1]}} $prev\" in\n",
        names(commands)
    );
    for command in commands {
        for flag in command.all_flags() {
            if let Some(choices) = choices(flag) {
                let (name, long, list) = (command.name, flag.long(), choices.join(" "));
                out += &format!(
                    "        '{name} --{long}') COMPREPLY=($(compgen -W \"{list}\" -- \"$cur\")); return ;;\n"
                );
            }
        }
    }
    out += "    esac\n    local flags= words=\n    case \"${COMP_WORDS[1]}\" in\n";
    for command in commands {
        let (flags, words) = (flags(command).join(" "), words(command).join(" "));
        out += &format!("        {}) flags=\"{flags}\" words=\"{words}\" ;;\n", command.name);
    }
    let help = format!("        help) words=\"{}\" ;;\n", names(commands));
    out += &format!("    esac\n    case \"${{COMP_WORDS[1]}}\" in\n{help}    esac\n");
    out += "    case \"$cur\" in\n        -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\")) ;;\n        \
            *) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); local IFS=$'\\n'; COMPREPLY+=($(compgen -f -- \"$cur\")) ;;\n    esac\n}\n";
    out + "complete -o filenames -F _nanocamelid nanocamelid\n"
}

/// Text inside single quotes of zsh and fish.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "'\\''")
}

/// Text inside the brackets of a zsh specification.
fn bracketed(text: &str) -> String {
    quoted(text).replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

fn zsh(commands: Commands) -> String {
    let mut out = String::from("#compdef nanocamelid\n_nanocamelid() {\n    local -a commands\n    commands=(\n");
    for command in commands {
        out += &format!("        '{}:{}'\n", command.name, bracketed(command.about));
    }
    out += "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n    local cmd=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $cmd in\n";
    for command in commands {
        out += &format!("        {})\n            _arguments -s", command.name);
        for flag in command.all_flags() {
            let help = bracketed(flag.help);
            let value = match (flag.kind, choices(flag)) {
                (Kind::Switch, _) => String::new(),
                (Kind::Path, _) => format!(":{}:_files", flag.value_name),
                (_, Some(choices)) => format!(":{}:({})", flag.value_name, choices.join(" ")),
                _ => format!(":{}:", bracketed(flag.value_name)),
            };
            let names = [flag.short.map(|short| format!("-{short}")), Some(format!("--{}", flag.long()))];
            for name in names.into_iter().flatten() {
                out += &format!(" \\\n                '{name}[{help}]{value}'");
            }
        }
        let words = if command.name == "help" { names(commands) } else { words(command).join(" ") };
        let arguments = if words.is_empty() {
            "_files".to_owned()
        } else {
            format!("_alternative \"words:word:({words})\" \"files:file:_files\"")
        };
        out += &format!(" \\\n                '*:argument:{{{arguments}}}'\n            ;;\n");
    }
    out + "    esac\n}\n_nanocamelid \"$@\"\n"
}

fn fish(commands: Commands) -> String {
    let mut out = String::from("complete -c nanocamelid -n __fish_use_subcommand -f\n");
    for command in commands {
        let (name, about) = (command.name, quoted(command.about));
        out += &format!("complete -c nanocamelid -n __fish_use_subcommand -f -a {name} -d '{about}'\n");
    }
    for command in commands {
        let when = format!("complete -c nanocamelid -n '__fish_seen_subcommand_from {}'", command.name);
        for flag in command.all_flags() {
            let short = flag.short.map_or(String::new(), |short| format!(" -s {short}"));
            let value = match (flag.kind, choices(flag)) {
                (Kind::Switch, _) => String::new(),
                (Kind::Path, _) => " -r -F".to_owned(),
                (_, Some(choices)) => format!(" -x -a '{}'", choices.join(" ")),
                _ => " -x".to_owned(),
            };
            out += &format!("{when}{short} -l {}{value} -d '{}'\n", flag.long(), quoted(flag.help));
        }
        let words = if command.name == "help" { names(commands) } else { words(command).join(" ") };
        if !words.is_empty() {
            out += &format!("{when} -a '{words}'\n");
        }
    }
    out
}
