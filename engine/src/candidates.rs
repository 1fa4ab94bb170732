//! The tokens that can still be chosen, sorted only as far as needed.

use alloc::vec::Vec;
use core::cmp::Ordering;
use nanocamelid_kernels::reference::math::exp;

/// A token and its logit (a number, never NaN).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) token: u32,
    pub(crate) logit: f32,
}

impl Candidate {
    /// Larger logits first, equal logits by token id: a total order, so every selection is determined.
    fn rank(&self, other: &Self) -> Ordering {
        other.logit.total_cmp(&self.logit).then(self.token.cmp(&other.token))
    }
}

/// Candidates, of which the first `n_sorted` are the most likely ones, in order.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    items: Vec<Candidate>,
    n_sorted: usize,
}

impl Candidates {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { items: Vec::with_capacity(capacity), n_sorted: 0 }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [Candidate] {
        &mut self.items
    }

    /// Takes every logit that is a number. `-0` becomes `0`, so that the two rank as equals.
    pub(crate) fn fill(&mut self, logits: &[f32]) {
        self.items.clear();
        self.n_sorted = 0;
        self.items.extend(numbers(logits));
    }

    /// Takes the `k` largest logits in one pass. A heap holds the best so far, and nearly every logit needs one
    /// comparison, with the weakest of them.
    pub(crate) fn fill_top_k(&mut self, logits: &[f32], k: usize) {
        self.items.clear();
        for candidate in numbers(logits) {
            if self.items.len() < k {
                self.items.push(candidate);
                if self.items.len() == k {
                    for root in (0..k / 2).rev() {
                        sift_down(&mut self.items, root);
                    }
                }
            } else if candidate.logit > self.items[0].logit {
                // An equal logit ranks behind those in the heap, because its token id is larger.
                self.items[0] = candidate;
                sift_down(&mut self.items, 0);
            }
        }
        self.items.sort_unstable_by(Candidate::rank);
        self.n_sorted = self.items.len();
    }

    /// The largest logit; `None` without candidates.
    pub(crate) fn max_logit(&self) -> Option<f32> {
        if self.n_sorted > 0 {
            return Some(self.items[0].logit);
        }
        self.items.iter().map(|c| c.logit).reduce(|a, b| if b > a { b } else { a })
    }

    /// Keeps the fewest most likely candidates whose probabilities reach `p`, at least one.
    pub(crate) fn keep_top_p(&mut self, p: f32, max: f32) {
        /// Number of candidates sorted first; if their mass is not enough, four times as many are sorted.
        const FIRST_PART: usize = 256;
        let total: f64 = self.items.iter().map(|c| f64::from(exp(c.logit - max))).sum();
        let wanted = f64::from(p) * total;
        let mut mass = 0.0;
        let mut seen = 0;
        while seen < self.items.len() {
            if seen == self.n_sorted {
                self.sort_part((seen * 3).max(FIRST_PART));
            }
            mass += f64::from(exp(self.items[seen].logit - max));
            seen += 1;
            if mass >= wanted {
                break;
            }
        }
        self.items.truncate(seen);
        self.n_sorted = self.n_sorted.min(seen);
    }

    /// Sorts the next `n` candidates of the ranking, behind those already sorted.
    fn sort_part(&mut self, n: usize) {
        let rest = &mut self.items[self.n_sorted..];
        let n = n.min(rest.len());
        if n < rest.len() {
            rest.select_nth_unstable_by(n, Candidate::rank);
        }
        rest[..n].sort_unstable_by(Candidate::rank);
        self.n_sorted += n;
    }

    /// Keeps candidates at least `min_p` times as likely as the most likely one.
    pub(crate) fn keep_min_p(&mut self, min_p: f32, max: f32) {
        let keeps = |c: &Candidate| exp(c.logit - max) >= min_p;
        if self.n_sorted == self.items.len() {
            let n = self.items.partition_point(keeps);
            self.items.truncate(n);
        } else {
            self.items.retain(keeps);
            self.n_sorted = 0;
        }
        self.n_sorted = self.n_sorted.min(self.items.len());
    }
}

fn numbers(logits: &[f32]) -> impl Iterator<Item = Candidate> {
    (0u32..)
        .zip(logits)
        .filter(|(_, logit)| !logit.is_nan())
        .map(|(token, &logit)| Candidate { token, logit: logit + 0.0 })
}

/// Restores the heap whose root is the candidate that ranks last.
fn sift_down(heap: &mut [Candidate], mut root: usize) {
    loop {
        let mut weakest = root;
        for child in [2 * root + 1, 2 * root + 2] {
            if child < heap.len() && heap[child].rank(&heap[weakest]) == Ordering::Greater {
                weakest = child;
            }
        }
        if weakest == root {
            return;
        }
        heap.swap(root, weakest);
        root = weakest;
    }
}
