//! Writes `fuzz/seeds` anew.

use nanocamelid_fuzz::seeds::{folder, seeds};
use std::fs;

fn main() -> std::io::Result<()> {
    if folder().is_dir() {
        fs::remove_dir_all(folder())?;
    }
    for seed in seeds() {
        fs::create_dir_all(folder().join(seed.target))?;
        fs::write(seed.path(), seed.bytes)?;
    }
    Ok(())
}
