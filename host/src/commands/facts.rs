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
    let mut facts = Facts::default();
    facts.set("model", resolved.name());
    facts.set("selected_source", resolved.source);
    if let Some(profile) = expect.or(resolved.profile) {
        facts.set("shape", profile.name);
    }
    facts
}

/// The settings from flags and environment.
pub(crate) fn of_settings(settings: &Settings) -> Facts {
    let mut facts = Facts::default();
    facts.set("kernel", settings.kernels.name());
    facts.set("threads", settings.workers.options.n_decode);
    facts.set("threads_batch", settings.workers.options.n_prefill);
    facts.set("kv_type", settings.kv_type.name());
    facts.set("prefill_batch", settings.n_batch);
    facts.set("context_limit", settings.n_ctx);
    facts.set("cache", settings.cache.as_ref().map(|cache| cache.folder().display().to_string()));
    facts
}

/// The architecture and the quantization of a file.
pub(crate) fn of_model(gguf: &Gguf<'_>, model: &Model<'_>) -> Facts {
    let mut facts = Facts::default();
    facts.set("architecture", model_file::architecture(gguf));
    facts.set("quantization", model_file::quantization(gguf, model));
    facts
}

/// The chat format of a model.
pub(crate) fn of_format(format: &ChatFormat) -> Facts {
    let mut facts = Facts::default();
    facts.set("renderer", format.renderer());
    facts.set("template_format", format.template_format());
    facts.set("template_error", format.template_fault().map(|fault| fault.to_string()));
    facts
}

/// The result of an audit.
pub(crate) fn of_audit(audited: Option<&Audited>) -> Facts {
    let mut facts = Facts::default();
    if let Some(Audited { profile, mismatches }) = audited {
        facts.set("shape", profile.name);
        facts.set("shape_ready", mismatches.is_empty());
    }
    facts
}

/// All facts about a parsed file.
pub(crate) fn of_parsed(parsed: &Parsed<'_>) -> Facts {
    let mut facts = of_model(&parsed.gguf, &parsed.model);
    if let Ok(format) = &parsed.format {
        facts.add(of_format(format));
    }
    facts.add(of_audit(parsed.audited.as_ref()));
    facts
}

/// The time that loading took, and the length of the context.
pub(crate) fn of_loading(loaded: &Loaded<'_>) -> Facts {
    let mut facts = Facts::default();
    facts.set("context_limit", loaded.runtime.n_ctx());
    facts.set("load_sec", rounded(loaded.time.as_secs_f64()));
    facts
}
