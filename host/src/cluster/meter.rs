//! How long a rank computes and waits (`--trace`).

use super::link::{Link, Traffic};
use super::message::{Malformed, Reader, Writer};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The times of one rank, of batches and of single tokens.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Times>);

/// Prefill and decode.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Times {
    pub(super) prefill: Passes,
    pub(super) decode: Passes,
}

/// Forward passes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Passes {
    pub(super) n_tokens: u64,
    pub(super) time: Duration,
    /// The part of the time in which the rank exchanged with others.
    pub(super) waited: Duration,
    pub(super) n_exchanges: u64,
    pub(super) n_bytes: u64,
}

impl Meter {
    /// Measures a forward pass over so many tokens.
    pub(super) fn pass<R>(&self, link: &dyn Link, n_tokens: usize, run: impl FnOnce() -> R) -> R {
        let (before, started) = (link.traffic(), Instant::now());
        let result = run();
        let Traffic { time, n_exchanges, n_bytes } = link.traffic();
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passes = if n_tokens == 1 { &mut times.decode } else { &mut times.prefill };
        passes.n_tokens += n_tokens as u64;
        passes.time += started.elapsed();
        passes.waited += time - before.time;
        passes.n_exchanges += n_exchanges - before.n_exchanges;
        passes.n_bytes += n_bytes - before.n_bytes;
        result
    }

    /// The times so far; from now on they count anew.
    pub(super) fn take(&self) -> Times {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Times {
    pub(super) fn write(&self, to: &mut Writer) {
        for passes in [&self.prefill, &self.decode] {
            let Passes { n_tokens, time, waited, n_exchanges, n_bytes } = *passes;
            let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            to.number(n_tokens).number(nanos(time)).number(nanos(waited)).number(n_exchanges).number(n_bytes);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut passes = || {
            Ok(Passes {
                n_tokens: from.number()?,
                time: Duration::from_nanos(from.number()?),
                waited: Duration::from_nanos(from.number()?),
                n_exchanges: from.number()?,
                n_bytes: from.number()?,
            })
        };
        Ok(Self { prefill: passes()?, decode: passes()? })
    }

    /// One line for each phase that the rank has computed.
    pub(super) fn lines(&self, rank: &str) -> String {
        let line = |(phase, passes): (&str, &Passes)| {
            let n_tokens = passes.n_tokens.max(1);
            let per_token = |time: Duration| time.as_secs_f64() * 1e6 / n_tokens as f64;
            format!(
                "trace: {rank} {phase:<7} compute {:>10.1} us/token, wait {:>10.1} us/token, {:.1} exchanges and {} bytes \
                 received\n",
                per_token(passes.time.saturating_sub(passes.waited)),
                per_token(passes.waited),
                passes.n_exchanges as f64 / n_tokens as f64,
                passes.n_bytes / n_tokens,
            )
        };
        let phases = [("prefill", &self.prefill), ("decode", &self.decode)];
        phases.into_iter().filter(|(_, passes)| passes.n_tokens > 0).map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_were_written() {
        let passes = |n| Passes {
            n_tokens: n,
            time: Duration::from_micros(40 * n),
            waited: Duration::from_micros(10 * n),
            n_exchanges: 5 * n,
            n_bytes: 700 * n,
        };
        let times = Times { prefill: Passes::default(), decode: passes(3) };
        let mut to = Writer::default();
        times.write(&mut to);
        let mut from = Reader::new(to.message());
        assert_eq!((Times::read(&mut from), from.finish()), (Ok(times), Ok(())));
        assert_eq!(Times::read(&mut Reader::new(&to.message()[1..])), Err(Malformed));
        let lines = times.lines("rank 1 (b)");
        assert!(
            lines.starts_with("trace: rank 1 (b) decode  compute       30.0 us/token, wait       10.0 us/token"),
            "{lines}"
        );
        assert_eq!(lines.lines().count(), 1, "there was no prefill: {lines}");
    }
}
