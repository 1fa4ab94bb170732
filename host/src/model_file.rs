//! A model from its file to something that runs.

use crate::audit::audit;
use crate::error::Error;
use crate::map::MappedFile;
use crate::output::{self, Report};
use crate::profile::Profile;
use crate::resolve::{Place, Resolved};
use nanocamelid_engine::{Gguf, Model};

/// The bytes of a model.
#[derive(Debug)]
pub(crate) struct ModelFile {
    pub(crate) resolved: Resolved,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Mapped(MappedFile),
    BuiltIn(&'static [u8]),
}

impl ModelFile {
    /// Maps the file.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub(crate) fn open(resolved: Resolved) -> Result<Self, Error> {
        let bytes = match &resolved.place {
            Place::File(path) => Bytes::Mapped(MappedFile::open(path)?),
            Place::Demo => Bytes::BuiltIn(crate::demo::bytes().ok_or(Error::NoModel)?),
        };
        Ok(Self { resolved, bytes })
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map.bytes(),
            Bytes::BuiltIn(bytes) => bytes,
        }
    }

    /// Whether it is the model in the binary.
    pub(crate) fn is_demo(&self) -> bool {
        matches!(self.bytes, Bytes::BuiltIn(_))
    }

    /// Parses the header.
    ///
    /// # Errors
    /// [`Error::Gguf`].
    pub(crate) fn parse(&self) -> Result<Gguf<'_>, Error> {
        Gguf::parse(self.bytes()).map_err(|source| Error::Gguf { model: self.resolved.name(), source })
    }

    /// The model over the file's bytes.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with every reason.
    pub(crate) fn model<'a>(&'a self, gguf: &Gguf<'a>) -> Result<Model<'a>, Error> {
        Model::new(gguf).map_err(|error| Error::Unsupported {
            model: self.resolved.name(),
            reasons: error.reasons.iter().map(ToString::to_string).collect(),
        })
    }

    /// Holds the file against the profile that its alias or `--expect` names, and reports the result.
    ///
    /// # Errors
    /// [`Error::Audit`].
    pub(crate) fn audit(
        &self,
        gguf: &Gguf<'_>,
        renderer: Option<&str>,
        expect: Option<&'static Profile>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let Some(profile) = expect.or(self.resolved.profile) else { return Ok(()) };
        let mismatches = audit(gguf, renderer, profile);
        output::note(format_args!("{}_shape: {}", profile.name, if mismatches.is_empty() { "ok" } else { "mismatch" }));
        for mismatch in &mismatches {
            output::note(format_args!("{}_shape_mismatch: {mismatch}", profile.name));
        }
        report.set("shape", profile.name);
        report.set("shape_ready", mismatches.is_empty());
        match mismatches.is_empty() {
            true => Ok(()),
            false => Err(Error::Audit { model: self.resolved.name(), profile: profile.name, mismatches }),
        }
    }
}

/// Puts a model's name and source into a report, as far as they are known before it is opened.
pub(crate) fn describe_source(resolved: &Resolved, expect: Option<&'static Profile>, report: &mut Report) {
    report.set("model", resolved.name());
    report.set("selected_source", resolved.source);
    if let Some(profile) = expect.or(resolved.profile) {
        report.set("shape", profile.name);
    }
}

/// Puts what the file says about itself into a report.
pub(crate) fn describe_model(gguf: &Gguf<'_>, model: &Model<'_>, report: &mut Report) {
    let architecture = gguf.value("general.architecture").and_then(|v| v.as_bytes()).unwrap_or_default();
    report.set("architecture", String::from_utf8_lossy(architecture).into_owned());
    report.set("quantization", model.quantization().map(|format| format.name()));
}
