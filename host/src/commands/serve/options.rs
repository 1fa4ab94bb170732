//! What the command line says of the server itself.

use super::http::guard::{ALL_ORIGINS, Guard};
use crate::api_key;
use crate::cli::{Invocation, UsageError, environment, table};
use crate::error::Error;
use std::net::IpAddr;
use std::path::PathBuf;

/// Default number of conversations at once.
const DEFAULT_SLOTS: usize = 4;
/// Default limit of a request's body.
const DEFAULT_MAX_BODY: usize = 16 << 20;

/// The server's settings.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) unix: Option<PathBuf>,
    /// The number of slots that the user asked for.
    pub(super) n_slots: Option<usize>,
    pub(super) alias: Option<String>,
    pub(super) max_body: usize,
    /// Requests that may wait for a slot.
    pub(super) max_queue: usize,
    pub(super) has_page: bool,
    pub(super) guard: Guard,
    /// Whether the server may listen where other machines reach it: with a key, or because the user says so.
    pub(super) may_be_reached: bool,
}

impl Options {
    /// Default number of slots.
    pub(super) const DEFAULT_SLOTS: usize = DEFAULT_SLOTS;

    /// Reads the flags.
    ///
    /// # Errors
    /// [`UsageError::Requires`] for a server that everybody could reach without a key; those of reading a key's file.
    pub(super) fn new(invocation: &Invocation) -> Result<Self, Error> {
        let host = invocation.get(&table::HOST).unwrap_or("127.0.0.1").to_owned();
        let unix = invocation.get(&table::UNIX).map(ToOwned::to_owned);
        let key = api_key::read(invocation)?;
        let is_local = unix.is_some();
        let is_loopback = host.parse::<IpAddr>().map_or(host == "localhost", |address| address.is_loopback());
        let may_be_reached = key.is_some() || invocation.has(&table::NO_KEY);
        if !is_loopback && !is_local && !environment::has_socket() && !may_be_reached {
            return Err(Self::unguarded("--host beyond this machine"));
        }
        let mut hosts: Vec<String> = invocation.all(&table::ALLOW_HOST).into_iter().map(str::to_owned).collect();
        hosts.push(host.clone());
        let origins: Vec<String> = invocation.all(&table::CORS).into_iter().map(str::to_owned).collect();
        // Any page that a browser shows could ask otherwise.
        if origins.iter().any(|origin| origin == ALL_ORIGINS) && !may_be_reached {
            return Err(Self::unguarded("--cors '*'"));
        }
        Ok(Self {
            host,
            port: invocation.get(&table::PORT).map_or(8080, |port| u16::try_from(port).unwrap_or(u16::MAX)),
            unix,
            n_slots: invocation.get(&table::SLOTS),
            alias: invocation.get(&table::ALIAS).map(str::to_owned),
            max_body: invocation.get(&table::MAX_BODY).unwrap_or(DEFAULT_MAX_BODY),
            max_queue: invocation.get(&table::MAX_QUEUE).unwrap_or(64),
            has_page: !invocation.has(&table::NO_WEB),
            guard: Guard { key, hosts, origins, is_local },
            may_be_reached,
        })
    }

    /// The error for a server that everybody could reach without a key.
    pub(super) fn unguarded(flag: &'static str) -> Error {
        UsageError::Requires { flag, needs: "--api-key, or --no-key" }.into()
    }
}
