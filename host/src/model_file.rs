//! The file of a model, and the model over the bytes of the file.

use crate::audit::{Mismatch, audit};
use crate::cluster;
use crate::error::Error;
use crate::file_kind;
use crate::map::{self, MappedFile, is_same_file};
use crate::output;
use crate::parts::PartName;
use crate::profile::Profile;
use crate::resolve::{Place, Resolved};
use crate::settings::Settings;
#[cfg(feature = "cluster")]
use nanocamelid_engine::Share;
use nanocamelid_engine::gguf::{self, ErrorKind};
use nanocamelid_engine::{Gguf, Model};
use std::path::Path;
#[cfg(feature = "cluster")]
use std::sync::OnceLock;

/// The bytes of a model.
#[derive(Debug)]
pub(crate) struct ModelFile {
    pub(crate) resolved: Resolved,
    bytes: Bytes,
    /// How several boards share the model, once they do.
    #[cfg(feature = "cluster")]
    pub(crate) division: OnceLock<cluster::Division>,
}

#[derive(Debug)]
enum Bytes {
    /// One file or, for a model in several, all of them in order.
    Mapped(Vec<MappedFile>),
    BuiltIn(&'static [u8]),
}

impl ModelFile {
    /// Maps the file, and the other files of a model that has several.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub(crate) fn open(resolved: Resolved) -> Result<Self, Error> {
        let bytes = match &resolved.place {
            Place::File(path) => Bytes::Mapped(open_parts(path)?),
            Place::Demo => Bytes::BuiltIn(crate::demo::bytes().ok_or(Error::NoModel)?),
        };
        Ok(Self {
            resolved,
            bytes,
            #[cfg(feature = "cluster")]
            division: OnceLock::new(),
        })
    }

    /// Length of all files.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.parts().iter().map(|part| part.len() as u64).sum()
    }

    /// The whole of every file, in order.
    pub(crate) fn parts(&self) -> Vec<&[u8]> {
        match &self.bytes {
            Bytes::Mapped(files) => files.iter().map(MappedFile::bytes).collect(),
            Bytes::BuiltIn(bytes) => vec![bytes],
        }
    }

    /// When every file was last changed, in order, where the system says that; nothing for the model in the binary.
    #[cfg(feature = "disk-cache")]
    pub(crate) fn modified(&self) -> Vec<Option<std::time::SystemTime>> {
        self.mapped().iter().map(MappedFile::modified).collect()
    }

    #[cfg(feature = "disk-cache")]
    fn mapped(&self) -> &[MappedFile] {
        match &self.bytes {
            Bytes::Mapped(files) => files,
            Bytes::BuiltIn(_) => &[],
        }
    }

    /// As [`MappedFile::scatter`], for all files.
    #[cfg(feature = "cluster")]
    pub(crate) fn scatter(&self, is_scattered: bool) {
        self.mapped().iter().for_each(|file| file.scatter(is_scattered));
    }

    /// As [`MappedFile::will_need`], of the file that has these bytes.
    #[cfg(feature = "cluster")]
    pub(crate) fn will_need(&self, part: &[u8]) {
        self.mapped().iter().for_each(|file| file.will_need(part));
    }

    /// Fills the page tables for the weights that every token reads, while the caller does something else.
    pub(crate) fn map_ahead(&self, model: &Model<'_>) {
        if let Bytes::Mapped(files) = &self.bytes {
            let [weights, _] = model.weights();
            let stretches = weights.iter().flat_map(|bytes| files.iter().filter_map(|file| file.stretch(bytes)));
            map::map_ahead(stretches.collect());
        }
    }

    /// Refuses to overwrite a file of the model.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub(crate) fn spare(&self, path: &Path) -> Result<(), Error> {
        let is_ours = match &self.bytes {
            Bytes::Mapped(files) => files.iter().any(|file| is_same_file(file.path(), path)),
            Bytes::BuiltIn(_) => false,
        };
        match is_ours {
            true => Err(Error::Input {
                path: path.to_owned(),
                problem: "a file of the model itself; not overwritten".into(),
            }),
            false => Ok(()),
        }
    }

    /// Whether this is the demonstration model in the binary.
    pub(crate) fn is_demo(&self) -> bool {
        matches!(self.bytes, Bytes::BuiltIn(_))
    }

    /// Parses the headers.
    ///
    /// # Errors
    /// [`Error::Gguf`], which names the malformed file; [`Error::Input`] for a single file of a model in several.
    pub(crate) fn parse(&self) -> Result<Gguf<'_>, Error> {
        Gguf::parse_parts(&self.parts()).map_err(|source| self.refusal(source))
    }

    /// Advice for the user, where there is any.
    fn refusal(&self, source: gguf::Error) -> Error {
        let Bytes::Mapped(files) = &self.bytes else {
            return Error::Gguf { model: self.resolved.name(), source };
        };
        let file = &files[usize::from(source.part).min(files.len() - 1)];
        let path = file.path();
        let problem = match (source.kind, PartName::of(path)) {
            (ErrorKind::PartNumber { found, expected: 0 }, name) => {
                let first = name.map_or(String::new(), |name| format!(", {}", name.part(1).display()));
                format!("part {} of a model in several files; give the first{first}", u32::from(found) + 1)
            }
            (ErrorKind::PartCount { given: 1, expected }, _) => format!(
                "the first of a model's {expected} files; the others cannot be found by its name, which would end in \
                 -00001-of-{expected:05}.gguf"
            ),
            (ErrorKind::Magic, _) if let Some(what) = file_kind::of(file.bytes()) => {
                format!("not a GGUF file but {what}")
            }
            _ => return Error::Gguf { model: path.display().to_string(), source },
        };
        Error::Input { path: path.to_owned(), problem }
    }

    /// The model over the file's bytes, which makes logits; this board's share of it, where there are several.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with every reason; [`Error::OnlyEmbeds`]; [`Error::Cluster`].
    pub(crate) fn model<'a>(&'a self, gguf: &Gguf<'a>, settings: &Settings) -> Result<Model<'a>, Error> {
        let model = self.any_model(gguf, settings)?;
        self.check_writes_text(&model)?;
        Ok(model)
    }

    /// Refuses a model that makes embeddings only.
    ///
    /// # Errors
    /// [`Error::OnlyEmbeds`].
    pub(crate) fn check_writes_text(&self, model: &Model<'_>) -> Result<(), Error> {
        if model.config.is_encoder() { Err(Error::OnlyEmbeds { model: self.resolved.name() }) } else { Ok(()) }
    }

    /// The model over the file's bytes, which may make embeddings only; this board's share of it, where there are
    /// several.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with every reason; [`Error::Cluster`].
    pub(crate) fn any_model<'a>(&'a self, gguf: &Gguf<'a>, settings: &Settings) -> Result<Model<'a>, Error> {
        cluster::model(self, gguf, settings)
    }

    /// What one rank holds of the model.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with every reason.
    #[cfg(feature = "cluster")]
    pub(crate) fn share<'a>(&self, gguf: &Gguf<'a>, share: Share<'a>) -> Result<Model<'a>, Error> {
        Model::of_share(gguf, share).map_err(|error| self.unsupported(error.reasons))
    }

    /// The file's refusal with every reason.
    pub(crate) fn unsupported<R: ToString>(&self, reasons: impl IntoIterator<Item = R>) -> Error {
        let reasons = reasons.into_iter().map(|reason| reason.to_string()).collect();
        Error::Unsupported { model: self.resolved.name(), reasons }
    }

    /// Compares the file with the profile that its alias or `--expect` names, and prints the result on stderr. `None`
    /// where neither names a profile.
    pub(crate) fn audit(
        &self,
        gguf: &Gguf<'_>,
        renderer: Option<&str>,
        expect: Option<&'static Profile>,
    ) -> Option<Audited> {
        let profile = expect.or(self.resolved.profile)?;
        let mismatches = audit(gguf, renderer, profile);
        output::note(format_args!("{}_shape: {}", profile.name, if mismatches.is_empty() { "ok" } else { "mismatch" }));
        for mismatch in &mismatches {
            output::note(format_args!("{}_shape_mismatch: {mismatch}", profile.name));
        }
        Some(Audited { profile, mismatches })
    }

    /// Refuses a file that differs from its profile.
    ///
    /// # Errors
    /// [`Error::Audit`].
    pub(crate) fn accept(&self, audited: Option<Audited>) -> Result<Option<Audited>, Error> {
        match audited {
            Some(Audited { profile, mismatches }) if !mismatches.is_empty() => {
                Err(Error::Audit { model: self.resolved.name(), profile: profile.name, mismatches })
            }
            accepted => Ok(accepted),
        }
    }
}

/// The comparison of a file with a profile.
#[derive(Debug)]
pub(crate) struct Audited {
    pub(crate) profile: &'static Profile,
    /// Every field that differs.
    pub(crate) mismatches: Vec<Mismatch>,
}

/// Maps the file at `path` and, if it is the first of several and named as such, those that follow.
fn open_parts(path: &Path) -> Result<Vec<MappedFile>, Error> {
    let mut files = vec![MappedFile::open(path)?];
    let Some(name) = PartName::of(path).filter(|name| name.no == 1 && name.count > 1) else { return Ok(files) };
    // A name can be wrong; the metadata of the file decides.
    let count = match Gguf::parse(files[0].bytes()).map_err(|error| error.kind) {
        Err(ErrorKind::PartCount { expected, .. }) if name.count == u32::from(expected) => name.count,
        _ => 1,
    };
    for no in 2..=count {
        files.push(MappedFile::open(&name.part(no)).map_err(|error| error.of_part(no, count))?);
    }
    Ok(files)
}

/// The architecture that a file names, whatever that is.
pub(crate) fn architecture(gguf: &Gguf<'_>) -> String {
    let architecture = gguf.value("general.architecture").and_then(|v| v.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(architecture).into_owned()
}

/// The name of the file's quantization. The format of most layers counts if the file gives no name, or calls quantized
/// blocks floats, as files do whose converter knew no number for the format.
pub(crate) fn quantization(gguf: &Gguf<'_>, model: &Model<'_>) -> Option<&'static str> {
    let commonest = model.quantization();
    let is_possible =
        |name: &&str| !matches!(*name, "F32" | "F16" | "BF16") || commonest.is_none_or(|t| t.block_len() == 1);
    gguf.file_type().filter(is_possible).or(commonest.map(|format| format.name()))
}
