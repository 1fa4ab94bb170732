//! `logits`: the logits of given tokens, for comparing machines, kernels and engines.

use super::facts;
use super::opening::Opening;
use crate::cli::table::{self, Command};
use crate::cli::{Invocation, UsageError};
use crate::error::{ContextLimit, Error};
use crate::fitting;
use crate::machine::memory;
use crate::model_file::ModelFile;
use crate::output::{self, Facts, rounded};
use crate::owned_session::OwnedSession;
use crate::settings::Settings;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Instant;

/// The hash FNV-1a with 64 bits (Fowler, Noll, Vo).
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn value(&self) -> u64 {
        self.0
    }
}

/// Tokens whose logits are computed with one pass over the output matrix.
const OUTPUTS: usize = 8;

/// The row of the command table.
pub(crate) static COMMAND: Command = Command {
    name: "logits",
    about: "logits at every position of a sequence of token ids",
    details: "FILE gets n_tokens x n_vocab little-endian f32. The digest is FNV-1a 64 over the same bytes: equal on every\n\
              machine, for every kernel, thread count and batch.",
    arguments: &[&table::MODEL_FILE],
    flags: &[&[&table::IDS.row, &table::OUT.row, &table::DIGEST.row], table::SESSION, table::CLUSTER, table::WORKERS],
    keys: keys!(session, "n_tokens", "n_vocab", "out", "digest", "prefill_sec", "load_sec", "peak_rss_bytes"),
    run,
};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    let missing = |name| UsageError::MissingArgument { command: invocation.command, name };
    let ids = invocation.get(&table::IDS).ok_or_else(|| missing("--ids"))?;
    let out = invocation.get(&table::OUT);
    let wants_digest = invocation.has(&table::DIGEST);
    if out.is_none() && !wants_digest {
        return Err(missing("--out or --digest").into());
    }
    let mut plan = Facts::default();
    plan.set("n_tokens", ids.len());
    plan.set("out", out.map(|path| path.display().to_string()));
    let opening = Opening::planned(invocation, plan)?;
    let Some(Opening { settings, resolved, mut report }) = opening else { return Ok(()) };

    let started = Instant::now();
    let file = ModelFile::open(resolved)?;
    out.map_or(Ok(()), |path| file.spare(path))?;
    let gguf = file.parse()?;
    let model = file.model(&gguf, &settings)?;
    let audited = file.accept(file.audit(&gguf, None, settings.expect))?;
    report.add(facts::of_audit(audited.as_ref()));
    report.add(facts::of_model(&gguf, &model));
    let n_ctx = settings.n_ctx.unwrap_or(ids.len());
    if ids.len() > n_ctx {
        return Err(Error::PromptTooLong { n_tokens: ids.len(), n_ctx, limit: ContextLimit::Asked });
    }
    let settings = Settings { n_ctx: Some(n_ctx), n_outputs: OUTPUTS, ..settings };
    let plan = fitting::plan(&file, &model, &settings)?;
    let pool = settings.start_workers()?;
    let mut session = OwnedSession::new(plan, settings.leader)?;
    report.set("context_limit", n_ctx);
    report.set("load_sec", rounded(started.elapsed().as_secs_f64()));

    // In front of the file, which would be lost for nothing.
    session.check_tokens(ids)?;
    let writing = |path: &std::path::Path| format!("{}", path.display());
    let mut sink = match out {
        Some(path) => Some(BufWriter::new(File::create(path).map_err(Error::io(writing(path)))?)),
        None => None,
    };
    let mut digest = Digest::new();
    let mut written = Ok(());
    let started = Instant::now();
    session.prefill_each(&pool, ids, &mut |_, logits| {
        let mut bytes = Vec::with_capacity(logits.len() * 4);
        logits.iter().for_each(|logit| bytes.extend_from_slice(&logit.to_le_bytes()));
        digest.update(&bytes);
        if let (Some(sink), Ok(())) = (&mut sink, &written) {
            written = sink.write_all(&bytes);
        }
    })?;
    report.set("prefill_sec", rounded(started.elapsed().as_secs_f64()));
    if let (Some(mut sink), Some(path)) = (sink, out) {
        written.and_then(|()| sink.flush()).map_err(Error::io(writing(path)))?;
    }

    report.set("n_vocab", model.config.n_vocab);
    report.set("digest", format!("{:016x}", digest.value()));
    report.set("peak_rss_bytes", memory::peak_rss_bytes());
    if wants_digest && !invocation.has(&table::JSON) {
        output::answer(&format!("digest: {:016x}\n", digest.value()))?;
    }
    report.finish(invocation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_1a_test_vectors() {
        // Values from the reference code of the algorithm.
        for (text, expected) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            let mut digest = Digest::new();
            digest.update(text.as_bytes());
            assert_eq!(digest.value(), expected, "{text}");
        }
    }
}
