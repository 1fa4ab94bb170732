//! In place of `cache/` in a binary without the feature `disk-cache`: no flag names a folder, so the types have no
//! values, and the compiler leaves out what would use them.

use crate::cli::Invocation;
use crate::error::Error;
use crate::model_file::ModelFile;
use crate::owned_session::OwnedSession;
use nanocamelid_engine::Gguf;
use std::path::Path;

/// There are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CacheSettings {}

/// There is none.
pub(crate) enum DiskCache {}

/// Whether to wait while much is to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    None,
    Unlimited,
}

impl CacheSettings {
    /// No flag asks for a cache.
    pub(crate) fn read(_: &Invocation) -> Option<Self> {
        None
    }

    /// No flag asks for restarts to be measured.
    pub(crate) fn for_restarts(_: &Invocation) -> Option<Self> {
        None
    }

    /// Never called.
    pub(crate) fn folder(&self) -> &Path {
        match *self {}
    }
}

impl DiskCache {
    /// Never called.
    ///
    /// # Errors
    /// None.
    pub(crate) fn open(settings: &CacheSettings, _: &ModelFile, _: &Gguf<'_>) -> Result<Self, Error> {
        match *settings {}
    }

    /// Never called.
    pub(crate) fn restore(&self, _: &mut OwnedSession<'_>, _: usize, _: &[u32]) -> usize {
        match *self {}
    }

    /// Never called.
    pub(crate) fn save(&mut self, _: &mut OwnedSession<'_>, _: usize, _: Patience) -> bool {
        match *self {}
    }

    /// Never called.
    pub(crate) fn say_failure(&mut self) {
        match *self {}
    }

    /// Never called.
    pub(crate) fn finish(self) {
        match self {}
    }
}
