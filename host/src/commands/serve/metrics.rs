//! What the server counts, for `/metrics`.

use super::scheduler::Counts;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the histogram's buckets, in seconds.
const BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Counters and gauges. Every number is read and written on its own.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    requests: AtomicU64,
    refused: AtomicU64,
    cancelled: AtomicU64,
    prompt_tokens: AtomicU64,
    cached_tokens: AtomicU64,
    generated_tokens: AtomicU64,
    drafted_tokens: AtomicU64,
    accepted_tokens: AtomicU64,
    prompt_micros: AtomicU64,
    answer_micros: AtomicU64,
    running: AtomicU64,
    waiting: AtomicU64,
    embedding: AtomicU64,
    first_token: [AtomicU64; BUCKETS.len() + 1],
    first_token_micros: AtomicU64,
}

/// What only the server knows when it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) n_slots: usize,
    /// Bytes that sessions take when they are full.
    pub(super) cache_bytes: usize,
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Metrics {
    /// A request came.
    pub(super) fn requested(&self) {
        add(&self.requests, 1);
    }

    /// A request was refused.
    pub(super) fn refused(&self) {
        add(&self.refused, 1);
    }

    /// An answer was cut off because its client went away.
    pub(super) fn cancelled(&self) {
        add(&self.cancelled, 1);
    }

    /// A prompt got a slot.
    pub(super) fn prompt(&self, n_tokens: usize, n_cached: usize) {
        add(&self.prompt_tokens, n_tokens as u64);
        add(&self.cached_tokens, n_cached as u64);
    }

    /// A draft was verified.
    pub(super) fn drafted(&self, n_drafted: usize, n_accepted: usize) {
        add(&self.drafted_tokens, n_drafted as u64);
        add(&self.accepted_tokens, n_accepted as u64);
    }

    /// Busy slots, requests that wait for one, and requests for embeddings.
    pub(super) fn slots(&self, n_running: usize, n_waiting: usize, n_embedding: usize) {
        self.running.store(n_running as u64, Ordering::Relaxed);
        self.waiting.store(n_waiting as u64, Ordering::Relaxed);
        self.embedding.store(n_embedding as u64, Ordering::Relaxed);
    }

    /// An answer ended.
    pub(super) fn answered(&self, counts: &Counts) {
        add(&self.generated_tokens, counts.n_generated as u64);
        add(&self.prompt_micros, micros(counts.prompt_time));
        add(&self.answer_micros, micros(counts.answer_time));
        self.first_token(counts.first_token);
    }

    /// The time from a request to its first token.
    fn first_token(&self, time: Duration) {
        let at = BUCKETS.iter().position(|&bound| time.as_secs_f64() <= bound).unwrap_or(BUCKETS.len());
        add(&self.first_token[at], 1);
        add(&self.first_token_micros, micros(time));
    }

    /// The text of Prometheus' exposition format.
    pub(super) fn text(&self, sizes: Sizes) -> String {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let seconds = |counter: &AtomicU64| read(counter) as f64 / 1e6;
        let mut out = String::new();
        let mut row = |name: &str, kind: &str, help: &str, value: f64| {
            let _ = write!(out, "# HELP nanocamelid_{name} {help}\n# TYPE nanocamelid_{name} {kind}\n");
            let _ = writeln!(out, "nanocamelid_{name} {value}");
        };
        row("requests_total", "counter", "Requests for an answer or an embedding.", read(&self.requests) as f64);
        row("requests_refused_total", "counter", "Requests that were refused.", read(&self.refused) as f64);
        row("requests_cancelled_total", "counter", "Answers whose client went away.", read(&self.cancelled) as f64);
        row("prompt_tokens_total", "counter", "Tokens of prompts.", read(&self.prompt_tokens) as f64);
        row("cached_tokens_total", "counter", "Tokens of prompts known already.", read(&self.cached_tokens) as f64);
        row("generated_tokens_total", "counter", "Tokens of answers.", read(&self.generated_tokens) as f64);
        row("drafted_tokens_total", "counter", "Tokens of drafts.", read(&self.drafted_tokens) as f64);
        row("accepted_tokens_total", "counter", "Those that were right.", read(&self.accepted_tokens) as f64);
        row("prompt_seconds_total", "counter", "Time from slot to first token.", seconds(&self.prompt_micros));
        row("answer_seconds_total", "counter", "Time from first token to last.", seconds(&self.answer_micros));
        let speed = read(&self.generated_tokens) as f64 / seconds(&self.answer_micros);
        let speed = if speed.is_finite() { speed } else { 0.0 };
        row("tokens_per_second", "gauge", "Tokens of one answer per second, on average.", speed);
        row("slots", "gauge", "Conversations that run at once.", sizes.n_slots as f64);
        row("slots_busy", "gauge", "Slots in use.", read(&self.running) as f64);
        row("queue", "gauge", "Requests without a slot.", read(&self.waiting) as f64);
        row("queue_embeddings", "gauge", "Requests for embeddings.", read(&self.embedding) as f64);
        row("cache_bytes", "gauge", "Bytes of a full KV cache with all buffers.", sizes.cache_bytes as f64);
        let name = "nanocamelid_time_to_first_token_seconds";
        let _ = write!(out, "# HELP {name} From request to first token.\n# TYPE {name} histogram\n");
        let mut n = 0;
        for (bound, counter) in BUCKETS.iter().map(f64::to_string).chain(["+Inf".into()]).zip(&self.first_token) {
            n += read(counter);
            let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {n}");
        }
        let _ = write!(out, "{name}_sum {}\n{name}_count {n}\n", seconds(&self.first_token_micros));
        out
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        for ms in [10, 60, 700, 90_000] {
            metrics.first_token(Duration::from_millis(ms));
        }
        let text = metrics.text(Sizes { n_slots: 4, cache_bytes: 9 });
        for line in ["le=\"0.05\"} 1", "le=\"0.1\"} 2", "le=\"1\"} 3", "le=\"60\"} 3", "le=\"+Inf\"} 4", "_count 4"] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(text.contains("nanocamelid_slots 4\n"));
    }
}
