//! Facts that several commands report, always under the same keys.

use crate::loading::{Loaded, Parsed};
use crate::model_file::{self, Audited};
use crate::output::{Facts, rounded};
use crate::profile::Profile;
use crate::resolve::Resolved;
use crate::settings::Settings;
use nanocamelid_engine::chat::ChatFormat;
use nanocamelid_engine::{Gguf, Model};

/// The name and the source of a model, and its shape as far as known before the file is opened.
pub(crate) fn of_source(resolved: &Resolved, expect: Option<&'static Profile>) -> Facts {
    let mut facts = vec![("model", resolved.name().into()), ("selected_source", resolved.source.into())];
    facts.extend(expect.or(resolved.profile).map(|profile| ("shape", profile.name.into())));
    facts
}

/// The settings from flags and environment.
pub(crate) fn of_settings(settings: &Settings) -> Facts {
    vec![
        ("kernel", settings.kernels.name().into()),
        ("threads", settings.workers.options.n_decode.into()),
        ("threads_batch", settings.workers.options.n_prefill.into()),
        ("kv_type", settings.kv_type.name().into()),
        ("prefill_batch", settings.n_batch.into()),
        ("context_limit", settings.n_ctx.into()),
        ("cache", settings.cache.as_ref().map(|cache| cache.folder().display().to_string()).into()),
    ]
}

/// The architecture and the quantization of a file.
pub(crate) fn of_model(gguf: &Gguf<'_>, model: &Model<'_>) -> Facts {
    vec![
        ("architecture", model_file::architecture(gguf).into()),
        ("quantization", model_file::quantization(gguf, model).into()),
    ]
}

/// The chat format of a model.
pub(crate) fn of_format(format: &ChatFormat) -> Facts {
    vec![
        ("renderer", format.renderer().into()),
        ("template_format", format.template_format().into()),
        ("template_error", format.template_fault().map(|fault| fault.to_string()).into()),
    ]
}

/// The result of an audit.
pub(crate) fn of_audit(audited: Option<&Audited>) -> Facts {
    let Some(Audited { profile, mismatches }) = audited else { return Facts::new() };
    vec![("shape", profile.name.into()), ("shape_ready", mismatches.is_empty().into())]
}

/// All facts about a parsed file.
pub(crate) fn of_parsed(parsed: &Parsed<'_>) -> Facts {
    let mut facts = of_model(&parsed.gguf, &parsed.model);
    facts.extend(parsed.format.iter().flat_map(of_format));
    facts.extend(of_audit(parsed.audited.as_ref()));
    facts
}

/// The time that loading took, and the length of the context.
pub(crate) fn of_loading(loaded: &Loaded<'_>) -> Facts {
    vec![("context_limit", loaded.runtime.n_ctx().into()), ("load_sec", rounded(loaded.time.as_secs_f64()))]
}
