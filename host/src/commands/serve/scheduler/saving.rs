//! When pages of the slots' contexts go to the cache on disk: behind each piece of a prompt, at the end of an answer,
//! when a client leaves, and while nothing is computed.

use super::{Engine, Job, Scheduler};
use crate::cache::{DiskCache, Patience};
use std::sync::mpsc::RecvTimeoutError;

impl Engine<'_> {
    /// Offers a slot's pages to the cache, if there is one. Nobody waits for the disk: false if some pages are to be
    /// offered again.
    pub(super) fn save(&mut self, slot: usize) -> bool {
        let Some(cache) = &mut self.cache else { return true };
        let is_done = cache.save(&mut self.session, slot, Patience::None);
        cache.say_failure();
        is_done
    }

    /// Writes what is not on disk yet, and waits until that is done.
    pub(super) fn finish_cache(&mut self) {
        if let Some(mut cache) = self.cache.take() {
            for slot in 0..self.session.n_slots() {
                cache.save(&mut self.session, slot, Patience::Unlimited);
            }
            cache.finish();
        }
    }
}

impl Scheduler<'_> {
    /// The next job, for which this waits. Meanwhile, pages that found no room before, or were dropped because the disk
    /// was full, are offered again. `None` when no more jobs will come.
    pub(super) fn next_job(&mut self) -> Option<Job> {
        loop {
            let n_left = (0..self.engine.session.n_slots()).filter(|&slot| !self.engine.save(slot)).count();
            let time = match self.engine.cache.as_ref().and_then(DiskCache::busy) {
                Some(time) => time,
                None if n_left > 0 => continue,
                None => return self.inbox.jobs.recv().ok(),
            };
            match self.inbox.jobs.recv_timeout(time) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests;
