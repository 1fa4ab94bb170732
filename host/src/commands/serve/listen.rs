//! The socket that clients come in by: an address, a file, or one that systemd has opened.

use super::http::connection::Listener;
use super::options::Options;
use crate::cli::environment;
use crate::error::Error;
use std::net::ToSocketAddrs;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The first descriptor that systemd hands over.
const FIRST_HANDED_OVER: i32 = 3;

/// Opens the socket, and says how it is called.
///
/// # Errors
/// [`Error::Io`] with the address that cannot be used.
pub(super) fn listen(options: &Options) -> Result<(Listener, String), Error> {
    if environment::has_socket() {
        return handed_over(options);
    }
    match &options.unix {
        Some(path) => on_file(path).map(|listener| (listener, format!("unix:{}", path.display()))),
        None => on_address(&options.host, options.port),
    }
}

fn on_address(host: &str, port: u16) -> Result<(Listener, String), Error> {
    let name = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let failed = || Error::io(format!("address {name}"));
    let addresses: Vec<_> = (host, port).to_socket_addrs().map_err(failed())?.collect();
    let listener = std::net::TcpListener::bind(&addresses[..]).map_err(failed())?;
    let bound = listener.local_addr().map_err(failed())?;
    Ok((tcp(listener).map_err(failed())?, format!("http://{bound}")))
}

fn tcp(listener: std::net::TcpListener) -> std::io::Result<Listener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener).map(Listener::Tcp)
}

/// A socket file that only this user may use. A file that a dead server left behind is replaced; nothing else is.
fn on_file(path: &Path) -> Result<Listener, Error> {
    let failed = || Error::io(format!("socket {}", path.display()));
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err() {
        std::fs::remove_file(path).map_err(failed())?;
    }
    let listener = tokio::net::UnixListener::bind(path).map_err(failed())?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed())?;
    Ok(Listener::Unix(listener))
}

/// The first of the sockets that systemd has opened.
fn handed_over(options: &Options) -> Result<(Listener, String), Error> {
    let failed = || Error::io("the socket from systemd");
    // SAFETY: sd_listen_fds(3) defines that descriptor 3 is open and this process's own where its two variables say so,
    // which `listen` has checked; `listen` is called once, and nothing else in this program takes that descriptor.
    let socket = unsafe { OwnedFd::from_raw_fd(FIRST_HANDED_OVER) };
    let socket = std::net::TcpListener::from(socket);
    if let Ok(bound) = socket.local_addr() {
        if !bound.ip().is_loopback() && !options.may_be_reached {
            return Err(Options::unguarded("a socket beyond this machine"));
        }
        return Ok((tcp(socket).map_err(failed())?, format!("http://{bound}")));
    }
    let socket = std::os::unix::net::UnixListener::from(OwnedFd::from(socket));
    socket.set_nonblocking(true).map_err(failed())?;
    let listener = tokio::net::UnixListener::from_std(socket).map_err(failed())?;
    Ok((Listener::Unix(listener), "the socket from systemd".into()))
}
