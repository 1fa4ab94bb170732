//! The settings of a session from flags and environment, checked before a model is opened.

use crate::cache::CacheSettings;
use crate::cli::{Invocation, table};
use crate::cluster::{self, Leader};
use crate::draft::{Draft, MAX_DRAFT};
use crate::error::Error;
use crate::machine::{cpu, cpu_list, features, workers};
use crate::output;
use crate::pool::{Pool, may_use};
use crate::profile::{PROFILES, Profile};
use nanocamelid_engine::SessionOptions;
use nanocamelid_kernels::{Features, Kernels, KvType};

/// Default number of prompt tokens computed at once.
pub(crate) const DEFAULT_BATCH: usize = 512;

/// The settings of a run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The requested context length.
    pub(crate) n_ctx: Option<usize>,
    pub(crate) n_batch: usize,
    /// Number of tokens whose logits are computed together.
    pub(crate) n_outputs: usize,
    pub(crate) kv_type: KvType,
    pub(crate) kernels: &'static Kernels,
    pub(crate) features: Features,
    pub(crate) workers: workers::Workers,
    /// Whether the model is audited before use.
    pub(crate) expect: Option<&'static Profile>,
    pub(crate) draft: Draft,
    /// Where pages of conversations are kept.
    pub(crate) cache: Option<CacheSettings>,
    /// How several boards are to share the model; no shares: by measurement.
    #[cfg(feature = "cluster")]
    pub(crate) division: cluster::Division,
    /// What a check puts in place of that. Ranks compare only what their command lines say.
    #[cfg(feature = "cluster")]
    pub(crate) checked_division: Option<cluster::Division>,
    /// Leads the other boards, if there are any.
    pub(crate) leader: Option<&'static Leader>,
    pub(crate) trace: bool,
    pub(crate) verbose: bool,
}

impl Settings {
    /// Reads the flags that the command has.
    ///
    /// # Errors
    /// [`Error::Kernel`] for a kernel table that this CPU cannot run, [`Error::Cores`] for CPUs that cannot be used,
    /// [`Error::Cluster`] for what several boards cannot do.
    pub(crate) fn new(invocation: &Invocation) -> Result<Self, Error> {
        let settings = Self { leader: cluster::leader(invocation), ..Self::of_rank(invocation)? };
        if settings.cache.is_some() {
            cluster::refuse("--cache")?;
        }
        Ok(settings)
    }

    /// The settings of a rank that leads no others.
    ///
    /// # Errors
    /// As [`Settings::new`].
    pub(crate) fn of_rank(invocation: &Invocation) -> Result<Self, Error> {
        let features = features::detect();
        let kernels = match invocation.get(&table::KERNEL) {
            None => Kernels::select(features),
            Some(name) => Kernels::by_name(features, name).ok_or_else(|| Error::Kernel {
                name: name.to_owned(),
                here: Kernels::all(features).map(Kernels::name).collect(),
            })?,
        };
        let asked = workers::WorkersAsked {
            decode: invocation.get(&table::THREADS),
            prefill: invocation.get(&table::THREADS_BATCH),
            cpus: invocation.get(&table::CORES).map(<[usize]>::to_vec),
        };
        let mut cpu = cpu::cpu();
        if let Some(cpus) = &asked.cpus {
            let outside = workers::check_cores(&cpu, cpus).map_err(Error::Cores)?;
            if !outside.is_empty() {
                output::note(format_args!(
                    "note: --cores {}: this process was started on CPU {}",
                    cpu_list::format(&outside),
                    cpu_list::format(&cpu.mask)
                ));
            }
        } else if !cpu.isolated.is_empty() {
            // A container may have none of these CPUs.
            cpu.isolated = may_use(&cpu.isolated);
        }
        let kv_type = invocation.get(&table::KV).and_then(|name| KvType::ALL.into_iter().find(|t| t.name() == name));
        let expect = invocation.get(&table::EXPECT).and_then(|name| PROFILES.iter().find(|p| p.name == name));
        Ok(Self {
            n_ctx: invocation.get(&table::CTX),
            n_batch: invocation.get(&table::BATCH).unwrap_or(DEFAULT_BATCH),
            n_outputs: 1,
            kv_type: kv_type.unwrap_or_default(),
            kernels,
            features,
            workers: workers::choose(&cpu, &asked),
            expect,
            draft: Draft::new(invocation.get(&table::DRAFT)),
            cache: CacheSettings::read(invocation),
            #[cfg(feature = "cluster")]
            division: cluster::Division::read(invocation)?,
            #[cfg(feature = "cluster")]
            checked_division: None,
            leader: None,
            trace: invocation.has(&table::TRACE),
            verbose: invocation.has(&table::VERBOSE),
        })
    }

    /// Those of a test: one worker.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let features = features::detect();
        let one_core = cpu::Cpu { physical: 1, ..Default::default() };
        Self {
            n_ctx: None,
            n_batch: DEFAULT_BATCH,
            n_outputs: 1,
            kv_type: KvType::F16,
            kernels: Kernels::select(features),
            features,
            workers: workers::choose(&one_core, &Default::default()),
            expect: None,
            draft: Draft::Off,
            cache: None,
            #[cfg(feature = "cluster")]
            division: Default::default(),
            #[cfg(feature = "cluster")]
            checked_division: None,
            leader: None,
            trace: false,
            verbose: false,
        }
    }

    /// The workers; the process starts them once.
    ///
    /// # Errors
    /// [`Error::Io`] if the system refuses a thread.
    pub(crate) fn start_workers(&self) -> Result<Pool, Error> {
        Pool::new(&self.workers.options).map_err(Error::io("worker threads"))
    }

    /// The most workers that run at once.
    pub(crate) fn n_workers(&self) -> usize {
        self.workers.options.n_decode.max(self.workers.options.n_prefill)
    }

    /// A session of that length.
    pub(crate) fn session_options(&self, n_ctx: usize) -> SessionOptions {
        let Self { n_batch, kv_type, .. } = *self;
        let has_checkpoints = self.draft != Draft::Off;
        // The rows of a draft go through the head in one pass.
        let n_outputs = if has_checkpoints { self.n_outputs.max(1 + MAX_DRAFT) } else { self.n_outputs };
        SessionOptions {
            n_ctx,
            n_batch,
            n_outputs,
            kv_type,
            n_workers: self.n_workers(),
            has_checkpoints,
            ..Default::default()
        }
    }
}
