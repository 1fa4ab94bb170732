//! The key that a server wants and its clients send.

use crate::cli::{Invocation, table};
use crate::error::Error;
use crate::prompt;

/// The key, from a file or as it is given; the file counts where the environment has a key too.
///
/// # Errors
/// Those of reading the file, and a file without a key.
pub(crate) fn read(invocation: &Invocation) -> Result<Option<String>, Error> {
    Ok(match invocation.get(&table::API_KEY_FILE) {
        Some(path) => match prompt::read_file(path)?.trim() {
            "" => return Err(Error::Input { path: path.to_owned(), problem: "there is no key in it".into() }),
            key => Some(key.to_owned()),
        },
        None => invocation.get(&table::API_KEY).filter(|key| !key.is_empty()).map(str::to_owned),
    })
}
