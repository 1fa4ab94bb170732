//! How much of a prompt goes into one batch.

use std::time::Duration;

/// The longest time that a running answer waits for a piece of another's prompt.
const BESIDE_ANSWERS: Duration = Duration::from_millis(100);
/// The longest time until a new request, or a client that went away, is noticed while a prompt is read alone.
const ALONE: Duration = Duration::from_millis(500);
/// Tokens of a piece of unknown speed, and the fewest: with fewer, reading the weights again and again costs too much.
const FEWEST: usize = 32;

/// Learns the speed of prompts.
#[derive(Debug)]
pub(super) struct Pace {
    n_batch: usize,
    /// Prompt tokens per second.
    speed: Option<f64>,
}

impl Pace {
    /// For batches of at most `n_batch` tokens.
    pub(super) fn new(n_batch: usize) -> Self {
        Self { n_batch, speed: None }
    }

    /// Tokens of the next piece.
    pub(super) fn tokens(&self, is_beside_answers: bool) -> usize {
        let time = if is_beside_answers { BESIDE_ANSWERS } else { ALONE };
        let n = self.speed.map_or(FEWEST, |speed| (speed * time.as_secs_f64()) as usize);
        n.max(FEWEST).min(self.n_batch)
    }

    /// Learns from a batch with a piece of `n_read` tokens beside the tokens of `n_answers` answers.
    pub(super) fn learn(&mut self, n_read: usize, n_answers: usize, time: Duration) {
        // The end of a prompt may be too short to tell.
        if n_read >= FEWEST {
            self.speed = Some((n_read + n_answers) as f64 / time.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_the_measured_speed() {
        let mut pace = Pace::new(512);
        assert_eq!((pace.tokens(true), pace.tokens(false)), (FEWEST, FEWEST));
        pace.learn(100, 0, Duration::from_millis(100));
        assert_eq!((pace.tokens(true), pace.tokens(false)), (100, 500));
        pace.learn(4, 0, Duration::from_secs(9));
        assert_eq!(pace.tokens(true), 100, "a few tokens tell nothing");
        pace.learn(32, 0, Duration::from_secs(1));
        assert_eq!((pace.tokens(true), pace.tokens(false)), (FEWEST, FEWEST));
        pace.learn(512, 0, Duration::from_millis(1));
        assert_eq!(pace.tokens(true), 512);
    }
}
