//! Facts that several commands report, always under the same keys.

use crate::loading::{Loaded, Parsed};
use crate::model_file::{self, Audited};
use crate::output::{Report, rounded};
use crate::profile::Profile;
use crate::resolve::Resolved;
use crate::settings::Settings;
use nanocamelid_engine::chat::ChatFormat;
use nanocamelid_engine::{Gguf, Model};

/// The name and the source of a model, and its shape as far as known before the file is opened.
pub(crate) fn of_source(report: &mut Report, resolved: &Resolved, expect: Option<&'static Profile>) {
    report.set("model", resolved.name());
    report.set("selected_source", resolved.source);
    if let Some(profile) = expect.or(resolved.profile) {
        report.set("shape", profile.name);
    }
}

/// The settings from flags and environment.
pub(crate) fn of_settings(report: &mut Report, settings: &Settings) {
    report.set("kernel", settings.kernels.name());
    report.set("threads", settings.workers.options.n_decode);
    report.set("threads_batch", settings.workers.options.n_prefill);
    report.set("kv_type", settings.kv_type.name());
    report.set("prefill_batch", settings.n_batch);
    report.set("context_limit", settings.n_ctx);
    report.set("cache", settings.cache.as_ref().map(|cache| cache.folder().display().to_string()));
}

/// The architecture and the quantization of a file.
pub(crate) fn of_model(report: &mut Report, gguf: &Gguf<'_>, model: &Model<'_>) {
    report.set("architecture", model_file::architecture(gguf));
    report.set("quantization", model_file::quantization(gguf, model));
}

/// The chat format of a model.
pub(crate) fn of_format(report: &mut Report, format: &ChatFormat) {
    report.set("renderer", format.renderer());
    report.set("template_format", format.template_format());
    report.set("template_error", format.template_fault().map(|fault| fault.to_string()));
}

/// The result of an audit.
pub(crate) fn of_audit(report: &mut Report, audited: Option<&Audited>) {
    if let Some(Audited { profile, mismatches }) = audited {
        report.set("shape", profile.name);
        report.set("shape_ready", mismatches.is_empty());
    }
}

/// All facts about a parsed file.
pub(crate) fn of_parsed(report: &mut Report, parsed: &Parsed<'_>) {
    of_model(report, &parsed.gguf, &parsed.model);
    if let Ok(format) = &parsed.format {
        of_format(report, format);
    }
    of_audit(report, parsed.audited.as_ref());
}

/// The time that loading took, and the length of the context.
pub(crate) fn of_loading(report: &mut Report, loaded: &Loaded<'_>) {
    report.set("context_limit", loaded.runtime.n_ctx());
    report.set("load_sec", rounded(loaded.time.as_secs_f64()));
}
