//! Comparison with logits that another engine recorded.

use super::Bench;
use crate::error::Error;
use crate::prompt;
use crate::settings::Settings;
use std::path::{Path, PathBuf};

/// `PREFIX.ids`: token ids with commas; `PREFIX.logits.f32`: little-endian f32, `[n_tokens][n_vocab]`.
pub(super) struct Golden {
    pub(super) ids: Vec<u32>,
    logits: Vec<u8>,
    path: PathBuf,
}

/// The distance between two engines.
pub(super) struct Agreement {
    pub(super) max_abs: f64,
    /// Mean over positions of the Kullback-Leibler divergence of this engine's distribution from the recorded one.
    pub(super) mean_kl: f64,
    /// Share of positions at which both engines find the same token most likely.
    pub(super) top1: f64,
}

fn with_suffix(prefix: &Path, suffix: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Golden {
    /// Reads both files.
    ///
    /// # Errors
    /// A file is absent or unreadable, or holds no list of ids.
    pub(super) fn read(prefix: &Path) -> Result<Self, Error> {
        let ids_path = with_suffix(prefix, ".ids");
        let text = prompt::read_file(&ids_path)?;
        let ids: Result<Vec<u32>, _> = text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect();
        let ids = ids.map_err(|_| Error::Input { path: ids_path, problem: "not a list of token ids".into() })?;
        let path = with_suffix(prefix, ".logits.f32");
        let logits =
            std::fs::read(&path).map_err(|error| Error::Input { path: path.clone(), problem: error.to_string() })?;
        Ok(Self { ids, logits, path })
    }

    /// Runs the recorded ids with the selected kernels.
    ///
    /// # Errors
    /// If the recording does not fit the model.
    pub(super) fn compare(&self, bench: &Bench<'_>) -> Result<Agreement, Error> {
        let n_vocab = bench.parsed.model.config.n_vocab;
        let expected_bytes = self.ids.len() * n_vocab * 4;
        if self.logits.len() != expected_bytes {
            let problem =
                format!("{} bytes; {} tokens of this model have {expected_bytes}", self.logits.len(), self.ids.len());
            return Err(Error::Input { path: self.path.clone(), problem });
        }
        let settings = Settings { n_ctx: Some(self.ids.len()), ..bench.settings.clone() };
        let (mut max_abs, mut kl, mut same_top) = (0.0f64, 0.0, 0usize);
        Bench { settings: &settings, ..*bench }.session()?.forward_each(&self.ids, &mut |i, logits| {
            let recorded: Vec<f64> = self.logits[i * n_vocab * 4..(i + 1) * n_vocab * 4]
                .chunks_exact(4)
                .map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
                .collect();
            let ours: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
            max_abs = recorded.iter().zip(&ours).fold(max_abs, |max, (a, b)| max.max((a - b).abs()));
            kl += divergence(&recorded, &ours);
            same_top += usize::from(top(&recorded) == top(&ours));
        })?;
        let n = self.ids.len().max(1) as f64;
        Ok(Agreement { max_abs, mean_kl: kl / n, top1: same_top as f64 / n })
    }
}

fn top(logits: &[f64]) -> Option<usize> {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
}

/// Logarithms of the softmax. `libm` is in the binary already; the functions of the C library would come on top.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = logits.iter().map(|x| libm::exp(x - max)).sum::<f64>();
    let log_sum = libm::log(log_sum) + max;
    logits.iter().map(|x| x - log_sum).collect()
}

/// `sum p ln(p / q)`.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    log_softmax(p).iter().zip(log_softmax(q)).map(|(p, q)| libm::exp(*p) * (p - q)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_of_equal_distributions_is_zero() {
        assert!(divergence(&[1.0, 2.0, 3.0], &[11.0, 12.0, 13.0]).abs() < 1e-12);
        // p = (1/2, 1/2), q = (3/4, 1/4): ln(2/sqrt 3).
        let kl = divergence(&[0.0, 0.0], &[3f64.ln(), 0.0]);
        assert!((kl - (2.0 / 3f64.sqrt()).ln()).abs() < 1e-12);
        assert_eq!(top(&[1.0, 3.0, 2.0]), Some(1));
    }
}
