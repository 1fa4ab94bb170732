//! The output of the program: answers on stdout, notes and progress on stderr, reports as JSON.

use crate::cli::{Invocation, table};
use crate::commands::COMMANDS;
use crate::error::Error;
use crate::streams;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};

/// Writes a part of the answer to stdout, now.
///
/// # Errors
/// [`Error::OutputClosed`] if the reader has gone, [`Error::Io`] for example when a disk is full.
pub(crate) fn answer(text: &str) -> Result<(), Error> {
    let mut stdout = streams::stdout();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|source| match source.kind() {
        io::ErrorKind::BrokenPipe => Error::OutputClosed,
        _ => Error::Io { what: "standard output".into(), source },
    })
}

/// A model's text without control sequences, which the model may have made up and which must not reach a terminal.
pub(crate) fn without_controls(text: &str) -> Cow<'_, str> {
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    match text.contains(is_odd) {
        true => text.replace(is_odd, "\u{fffd}").into(),
        false => text.into(),
    }
}

/// Writes a part of a model's answer, to a terminal without control sequences, to a file unchanged.
///
/// # Errors
/// As [`answer`].
pub(crate) fn model_text(text: &str) -> Result<(), Error> {
    match io::stdout().is_terminal() {
        true => answer(&without_controls(text)),
        false => answer(text),
    }
}

/// Writes a line on stderr. An error is ignored, because nobody reads a closed stderr.
pub(crate) fn note(line: impl fmt::Display) {
    let _ = writeln!(streams::stderr(), "{line}");
}

/// Text on stderr without a line's end.
pub(crate) fn progress(text: impl fmt::Display) {
    let mut stderr = streams::stderr();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Whether stderr is a terminal; only there progress may overwrite itself.
pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// `12.3 MiB`.
pub(crate) fn mib(n_bytes: u64) -> String {
    format!("{:.1} MiB", n_bytes as f64 / (1 << 20) as f64)
}

/// A number of seconds or a rate, rounded to the digits that a measurement gives.
pub(crate) fn rounded(x: f64) -> Value {
    if x.is_finite() { json!((x * 1e4).round() / 1e4) } else { Value::Null }
}

/// An f32 with the shortest digits that name it, instead of the digits of the same f64.
pub(crate) fn shortest(x: f32) -> Value {
    json!(x.to_string().parse::<f64>().ok())
}

/// Keys of reports with their values, for the report of whichever command asks.
pub(crate) type Facts = Vec<(&'static str, Value)>;

/// The report of a command: the keys of its row of the table, in order, each null until it is set.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    values: Map<String, Value>,
}

impl Report {
    /// A report in which every key is null.
    pub(crate) fn new(command: &table::Command) -> Self {
        let mut values = Map::new();
        values.insert("command".into(), json!(command.name));
        values.insert("status".into(), json!("ok"));
        for key in command.keys {
            values.insert((*key).into(), Value::Null);
        }
        Self { values }
    }

    /// Sets a key of the command. A key that only other commands have is ignored.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.set_value(key, value.into());
    }

    /// Sets the keys of the command among these.
    pub(crate) fn add(&mut self, facts: Facts) {
        facts.into_iter().for_each(|(key, value)| self.set_value(key, value));
    }

    /// The report with these facts as well.
    #[must_use]
    pub(crate) fn with(mut self, facts: Facts) -> Self {
        self.add(facts);
        self
    }

    fn set_value(&mut self, key: &str, value: Value) {
        match self.values.get_mut(key) {
            Some(slot) => *slot = value,
            None => debug_assert!(is_declared(key), "no command reports {key}"),
        }
    }

    /// The value of a key.
    pub(crate) fn value(&self, key: &str) -> &Value {
        debug_assert!(is_declared(key), "no command reports {key}");
        self.values.get(key).unwrap_or(&Value::Null)
    }

    /// The report as one JSON object.
    pub(crate) fn to_json(&self) -> Value {
        Value::Object(self.values.clone())
    }

    /// A line `key: value` for every key that is set, without the first two.
    pub(crate) fn lines(&self) -> String {
        let known = self.values.iter().skip(2).filter(|(_, value)| !value.is_null());
        known.map(|(key, value)| format!("{key}: {}\n", plain(value))).collect()
    }

    /// Ends a command that succeeded: the object on stdout with `--json`, else status and object on stderr.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub(crate) fn finish(&self, invocation: &Invocation) -> Result<(), Error> {
        if invocation.has(&table::JSON) {
            return answer(&format!("{}\n", self.to_json()));
        }
        note(format_args!("{}_status: ok", invocation.command.name));
        note(format_args!("json: {}", self.to_json()));
        Ok(())
    }

    /// Ends a dry run: prints the plan and the marker of success. Keys that only a run can know are null.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub(crate) fn finish_dry_run(&self, invocation: &Invocation) -> Result<(), Error> {
        let name = invocation.command.name;
        if invocation.has(&table::JSON) {
            let object = json!({
                "command": name,
                "status": "dry-run",
                "status_on_success": format!("{name}_status: ok"),
                "json_on_success": self.to_json(),
            });
            return answer(&format!("{object}\n"));
        }
        answer(&format!(
            "command: {name}\n{}status_on_success: {name}_status: ok\njson_on_success: {}\n",
            self.lines(),
            self.to_json()
        ))
    }
}

/// Whether some command's row has the key.
fn is_declared(key: &str) -> bool {
    COMMANDS.iter().any(|command| command.keys.contains(&key))
}

/// A value as plain text: strings without quotes, lists with commas.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        // A text may come from a file, and must not send control sequences to the terminal.
        Value::String(text) if text.chars().any(char::is_control) => text.escape_debug().to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// Ends a command that failed: prints a line on stderr, and with `--json` one object on stdout. Without a known command
/// there is no marker.
pub(crate) fn fail(command: Option<&table::Command>, wants_json: bool, error: &Error) {
    let status = match error {
        Error::OutputClosed => return,
        Error::Reported { status, .. } => status,
        Error::Audit { .. } => "mismatch",
        Error::Unsupported { .. } => "unsupported",
        _ => "error",
    };
    let name = command.map(|command| command.name);
    let object = match error {
        Error::Reported { report, .. } => {
            let mut report = report.clone();
            report.values.insert("status".into(), json!(status));
            report.to_json()
        }
        _ => {
            note(format_args!("error: {error}"));
            json!({"command": name, "status": status, "error": error.to_string()})
        }
    };
    if let Some(name) = name {
        note(format_args!("{name}_status: {status}"));
    }
    match (wants_json, error) {
        (true, _) => drop(answer(&format!("{object}\n"))),
        (false, Error::Reported { .. }) => note(format_args!("json: {object}")),
        (false, _) => {}
    }
}
