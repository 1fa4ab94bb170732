//! In place of `cluster/` in a binary without the feature `cluster`: this board is alone, so nobody leads and nobody
//! follows, and the compiler leaves out what would.

use crate::cli::Invocation;
use crate::cli::environment;
use crate::error::Error;
use crate::fitting::Room;
use crate::model_file::ModelFile;
use crate::settings::Settings;
use nanocamelid_engine::session::{Part, SessionError};
use nanocamelid_engine::{Gguf, Model, Peers, Session, SessionOptions, SessionPlan};
use std::ffi::OsString;

/// There is none.
#[derive(Debug)]
pub(crate) enum Leader {}

/// There is none.
#[derive(Debug)]
pub(crate) enum LedSession {}

/// This process's place: alone.
pub(crate) struct Membership;

impl Membership {
    /// Alone.
    ///
    /// # Errors
    /// [`Error::Cluster`] if a launcher has started several processes.
    pub(crate) fn join() -> Result<Self, Error> {
        match environment::launched().is_some_and(|launched| launched.has_several()) {
            true => Err(Error::without_mpi()),
            false => Ok(Self),
        }
    }

    /// Nobody to follow.
    pub(crate) fn follow(&self, _: &[OsString]) -> Option<u8> {
        None
    }

    /// Nobody to tell.
    pub(crate) fn end(&self, _: u8) {}
}

/// There is none.
pub(crate) fn leader(_: &Invocation) -> Option<&'static Leader> {
    None
}

/// It does not.
pub(crate) fn leads() -> bool {
    false
}

/// Nothing is refused.
///
/// # Errors
/// None.
pub(crate) fn refuse(_: &str) -> Result<(), Error> {
    Ok(())
}

/// The whole model.
///
/// # Errors
/// [`Error::Unsupported`].
pub(crate) fn model<'a>(file: &'a ModelFile, gguf: &Gguf<'a>, _: &Settings) -> Result<Model<'a>, Error> {
    Model::new(gguf).map_err(|error| file.unsupported(error.reasons))
}

/// Starts a session of a model that is not shared.
///
/// # Errors
/// Those of [`SessionPlan::start`].
pub(crate) fn start<'a>(
    plan: SessionPlan<'a>,
    _: Option<&'a dyn Peers>,
    arena: &'a mut [u8],
) -> Result<Session<'a>, SessionError> {
    plan.start(arena)
}

macro_rules! never {
    ($(fn $name:ident $(<$R:ident>)? ($($argument:ty),*) $(-> $result:ty)?;)*) => {
        $(
            /// Never called.
            pub(crate) fn $name $(<$R>)? (&self, $(_: $argument),*) $(-> $result)? {
                match *self {}
            }
        )*
    };
}

impl Leader {
    never! {
        fn peers() -> &dyn Peers;
        fn name(usize) -> String;
        fn shortage(SessionOptions, bool) -> Option<(String, Room)>;
        fn start(SessionOptions, bool) -> Result<LedSession, Error>;
        fn trace();
    }
}

impl LedSession {
    never! {
        fn adopt(&Self);
        fn truncate(usize, usize);
        fn resume(usize, &[u32]);
        fn candidates(Option<usize>);
        fn prefill<R>(&[u32], impl FnOnce() -> R) -> R;
        fn prefill_each<R>(&[u32], impl FnOnce() -> R) -> R;
        fn step<R>(&[Part<'_>], impl FnOnce() -> R) -> R;
        fn verify<R>((usize, usize), (&[u32], &[u32]), impl FnOnce() -> R) -> R;
        fn chosen(Option<u32>);
    }
}
