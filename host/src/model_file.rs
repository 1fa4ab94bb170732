//! A model from its file to something that runs.

use crate::audit::audit;
use crate::error::Error;
use crate::machine::memory;
use crate::map::MappedFile;
use crate::output::{self, Report, mib};
use crate::profile::Profile;
use crate::resolve::{Place, Resolved};
use crate::settings::Settings;
use nanocamelid_engine::{Gguf, Model, SessionPlan};
use nanocamelid_kernels::KvType;

/// Context length when nobody asks for one and the model allows it.
pub(crate) const DEFAULT_CTX: usize = 4096;

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

/// Sizes a session: the context asked for, or as much of the default as memory allows.
///
/// # Errors
/// [`Error::Memory`] if what was asked for does not fit, with what would.
pub(crate) fn plan<'m>(file: &ModelFile, model: &'m Model<'m>, settings: &Settings) -> Result<SessionPlan<'m>, Error> {
    let memory = memory::memory();
    let weights = file.bytes().len() as u64;
    let budget = match memory.available {
        None => u64::MAX,
        Some(available) if available > weights => available - weights,
        Some(available) => {
            output::note(format_args!(
                "note: the weights are {} and {} of memory are free: they will be read from disk again and again",
                mib(weights),
                mib(available)
            ));
            available / 2
        }
    };
    fit(model, settings, budget)
}

fn fit<'m>(model: &'m Model<'m>, settings: &Settings, budget: u64) -> Result<SessionPlan<'m>, Error> {
    let sized = |n_ctx, kv_type| {
        let options = nanocamelid_engine::SessionOptions { kv_type, ..settings.session_options(n_ctx) };
        SessionPlan::new(model, settings.kernels, options)
    };
    let fits = |plan: &SessionPlan<'_>| plan.required_bytes() as u64 <= budget;
    let default = model.config.n_ctx_train.min(DEFAULT_CTX);
    let n_ctx = settings.n_ctx.unwrap_or(default);
    if n_ctx > model.config.n_ctx_train {
        let made_for = model.config.n_ctx_train;
        output::note(format_args!("note: a context of {n_ctx} tokens; this model was made for {made_for}"));
    }
    let plan = sized(n_ctx, settings.kv_type)?;
    if fits(&plan) {
        return Ok(plan);
    }
    // The largest context in steps of 128 that fits, by bisection.
    let largest = |kv_type| {
        let (mut low, mut high) = (0, n_ctx.div_ceil(128));
        while low < high {
            let middle = (low + high).div_ceil(2);
            match sized(middle * 128, kv_type) {
                Ok(plan) if fits(&plan) => low = middle,
                _ => high = middle - 1,
            }
        }
        low * 128
    };
    let smaller = largest(settings.kv_type);
    if settings.n_ctx.is_none() && smaller > 0 {
        output::note(format_args!("note: memory allows a context of {smaller} tokens, not {default}"));
        return Ok(sized(smaller, settings.kv_type)?);
    }
    let choices: Vec<String> = KvType::ALL
        .into_iter()
        .map(|kv_type| (kv_type, largest(kv_type)))
        .filter(|(_, n_ctx)| *n_ctx > 0)
        .map(|(kv_type, n_ctx)| format!("--ctx {n_ctx} --kv {}", kv_type.name()))
        .collect();
    Err(Error::Memory {
        required: plan.required_bytes() as u64,
        available: budget,
        fits: if choices.is_empty() {
            "no context fits".into()
        } else {
            format!("what fits: {}", choices.join(", or "))
        },
    })
}
