//! Finds the model of a command: from its argument, the environment, the workspace, or the binary.

use crate::cli::UsageError;
use crate::cli::environment::{self, MODEL_GGUF, SMOKE_GGUF, WORKSPACE};
use crate::error::Error;
use crate::model_word;
use crate::profile::{self, Profile};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file.
    File(PathBuf),
    /// The demonstration model in the binary.
    Demo,
}

/// A model and how it was found.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) place: Place,
    /// As reported under `selected_source`.
    pub(crate) source: &'static str,
    /// The profile that the alias names.
    pub(crate) profile: Option<&'static Profile>,
}

impl Resolved {
    /// A file that was named.
    pub(crate) fn file(path: impl Into<PathBuf>, source: &'static str) -> Self {
        Self { place: Place::File(path.into()), source, profile: None }
    }

    /// The name by which the user knows the model.
    pub(crate) fn name(&self) -> String {
        match &self.place {
            Place::File(path) => path.display().to_string(),
            Place::Demo => "built-in demo".into(),
        }
    }
}

/// The profile behind an alias.
pub(crate) fn alias(word: &str) -> Option<&'static Profile> {
    profile::PROFILES.iter().find(|profile| profile.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(word)))
}

/// Resolves MODEL: argument, environment, workspace, built-in demo.
///
/// # Errors
/// [`Error::NoModel`]; [`UsageError::NotAModel`] for an argument that is something else.
pub(crate) fn resolve(model: Option<&OsStr>) -> Result<Resolved, Error> {
    // An alias wins over a file of that name; the content of a file is checked when it is opened.
    let may_be_other = |word: &&OsStr| word.to_str().and_then(alias).is_none() && !Path::new(word).is_file();
    if let Some(found) = model.filter(may_be_other).and_then(model_word::not_a_model) {
        return Err(UsageError::NotAModel(found).into());
    }
    resolve_with(model, environment::read, Path::exists)
}

fn resolve_with(
    model: Option<&OsStr>,
    variable: impl Fn(&str) -> Option<OsString>,
    exists: impl Fn(&Path) -> bool,
) -> Result<Resolved, Error> {
    let profile = model.and_then(OsStr::to_str).and_then(alias);
    let from = |name: &'static str| variable(name).map(|path| Resolved { profile, ..Resolved::file(path, name) });
    match (model, profile) {
        (Some(path), None) => Ok(Resolved::file(path, "argument")),
        (_, Some(profile)) => Ok(from(SMOKE_GGUF).or_else(|| from(MODEL_GGUF)).unwrap_or_else(|| {
            let models = environment::workspace(variable(WORKSPACE)).join("models");
            let files = profile.files.map(|name| models.join(name));
            let first_there = files.iter().find(|path| exists(path)).unwrap_or(&files[0]).clone();
            Resolved { profile: Some(profile), ..Resolved::file(first_there, "workspace") }
        })),
        (None, None) => match from(MODEL_GGUF) {
            Some(resolved) => Ok(resolved),
            None if crate::demo::is_built_in() => {
                Ok(Resolved { place: Place::Demo, source: "built-in demo", profile: None })
            }
            None => Err(Error::NoModel),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(model: Option<&str>, variables: &[(&str, &str)], files: &[&str]) -> (String, &'static str) {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        let exists = |path: &Path| files.iter().any(|file| path == Path::new(file));
        let resolved = resolve_with(model.map(OsStr::new), variable, exists).unwrap();
        (resolved.name(), resolved.source)
    }

    #[test]
    fn first_hit_wins() {
        let all = [(SMOKE_GGUF, "s.gguf"), (MODEL_GGUF, "m.gguf"), (WORKSPACE, "/w")];
        assert_eq!(resolved(Some("a.gguf"), &all, &[]), ("a.gguf".into(), "argument"));
        assert_eq!(resolved(Some("1b"), &all, &[]), ("s.gguf".into(), SMOKE_GGUF));
        assert_eq!(resolved(Some("1b"), &all[1..], &[]), ("m.gguf".into(), MODEL_GGUF));
        let q4 = "/w/models/Llama-3.2-1B-Instruct-Q4_0.gguf";
        let q8 = "/w/models/Llama-3.2-1B-Instruct-Q8_0.gguf";
        assert_eq!(resolved(Some("llama32-1b"), &all[2..], &[q4, q8]), (q4.into(), "workspace"));
        assert_eq!(resolved(Some("llama-3.2-1b"), &all[2..], &[q8]), (q8.into(), "workspace"));
        assert_eq!(resolved(Some("1b"), &all[2..], &[]), (q4.into(), "workspace"));
        assert_eq!(
            resolved(Some("3b"), &[], &[]),
            ("/mnt/nanocamelid/models/Llama-3.2-3B-Instruct-Q4_0.gguf".into(), "workspace")
        );
        assert_eq!(resolved(None, &all, &[]), ("m.gguf".into(), MODEL_GGUF));
        if crate::demo::is_built_in() {
            assert_eq!(resolved(None, &all[2..], &[]), ("built-in demo".into(), "built-in demo"));
        }
    }
}
