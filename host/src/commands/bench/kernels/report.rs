//! What is printed of the products.

use super::team::From;
use super::{Asked, Bounds, TILE_TOKENS};
use crate::commands::logits::Digest;
use crate::error::Error;
use crate::output::{self, rounded};
use nanocamelid_kernels::{ActivationType, Kernels, WeightType};
use serde_json::{Value, json};

/// A product that was measured.
#[derive(Clone)]
pub(super) struct Measured {
    pub(super) kernels: &'static Kernels,
    pub(super) weight_type: WeightType,
    pub(super) n_threads: usize,
    pub(super) from: From,
    pub(super) n_tokens: usize,
    /// Multiply-adds and bytes of weights of each worker.
    pub(super) n_macs: usize,
    pub(super) n_bytes: usize,
    pub(super) seconds: f64,
    pub(super) bounds: Bounds,
    pub(super) checksum: u64,
    pub(super) equal: bool,
}

impl Measured {
    /// Time per 32 weights and token of one worker.
    fn ns_per_block(&self) -> f64 {
        self.seconds * 1e9 / (self.n_macs as f64 / 32.0)
    }

    /// Of all workers.
    fn gb_per_sec(&self) -> f64 {
        (self.n_bytes * self.n_threads) as f64 / self.seconds / 1e9
    }

    /// Of all workers.
    fn gmac_per_sec(&self) -> f64 {
        (self.n_macs * self.n_threads) as f64 / self.seconds / 1e9
    }

    fn of_read(&self) -> f64 {
        let [cache, memory] = self.bounds.read;
        self.gb_per_sec() / if self.from == From::Memory { memory } else { cache }
    }

    fn of_multiply(&self) -> Option<f64> {
        let [integers, floats] = self.bounds.multiply?;
        let is_float = self.weight_type.activation() == ActivationType::F32;
        Some(self.gmac_per_sec() / if is_float { floats } else { integers })
    }

    /// The product in a report.
    pub(super) fn json(&self, bench: &str) -> Value {
        json!({
            "bench": bench,
            "kernel": self.kernels.name(),
            "format": self.weight_type.name(),
            "threads": self.n_threads,
            "from": if self.from == From::Memory { "memory" } else { "cache" },
            "n_tokens": self.n_tokens,
            "ns_per_block": rounded(self.ns_per_block()),
            "gb_per_sec": rounded(self.gb_per_sec()),
            "of_read": rounded(self.of_read()),
            "gmac_per_sec": rounded(self.gmac_per_sec()),
            "of_multiply": self.of_multiply().map(rounded),
            "checksum": format!("{:016x}", self.checksum),
            "equal": self.equal,
        })
    }
}

/// Whether results have the bits of as many of the reference's, and the hash FNV-1a (64 bits) of their bytes.
pub(super) fn compare(results: Option<&[f32]>, expected: &[f32]) -> (bool, u64) {
    let Some(results) = results else { return (false, 0) };
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    (expected.get(..results.len()).is_some_and(|expected| bits(expected) == bits(results)), checksum(results))
}

fn checksum(results: &[f32]) -> u64 {
    let mut digest = Digest::new();
    results.iter().for_each(|value| digest.update(&value.to_le_bytes()));
    digest.value()
}

/// `84 %`.
fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// The lines on stdout.
pub(super) struct Lines<'l> {
    pub(super) asked: &'l Asked,
    /// Whether there are none.
    pub(super) silent: bool,
}

impl Lines<'_> {
    fn print(&self, text: &str) -> Result<(), Error> {
        if self.silent { Ok(()) } else { output::answer(text) }
    }

    /// What stands above the products.
    pub(super) fn begin(
        &self,
        n_threads: usize,
        tables: &[&'static Kernels],
        peaks: &[Option<[f64; 2]>],
    ) -> Result<(), Error> {
        if self.asked.counted.is_some() {
            // Ends the instructions of everything before the first product.
            return self.print("kernel format tokens checksum\n");
        }
        let mut text = format!("{}, threads: {n_threads}\n", self.asked.name);
        for (kernels, rates) in tables.iter().zip(peaks) {
            let (Some([integers, floats]), Some(peaks)) = (rates, super::Peak::of(kernels)) else { continue };
            text += &format!(
                "{} multiplies at most {integers:.0} GMAC/s ({}), floats {floats:.0} ({})\n",
                kernels.name(),
                peaks[0].instruction,
                peaks[1].instruction
            );
        }
        text += "\n";
        text += &match self.asked.cells.len() {
            1 => "| kernel | ns/block | GB/s | of reading | GMAC/s | of multiplying | checksum |\n\
                  | --- | ---: | ---: | ---: | ---: | ---: | --- |\n"
                .to_owned(),
            _ => format!(
                "| format | kernel | memory GB/s | of reading | cache GB/s | of reading | GMAC/s: 1 token | 2 | 3 | 4 \
                 | 5 | 6 | 7 | 8 | {TILE_TOKENS} | of multiplying | checksum |\n\
                 | --- | --- |{} --- |\n",
                " ---: |".repeat(14)
            ),
        };
        self.print(&text)
    }

    /// A line for the products of a table in one format.
    pub(super) fn table(&self, products: &[Measured]) -> Result<(), Error> {
        let (Some(first), Some(last)) = (products.first(), products.last()) else { return Ok(()) };
        let of_multiply = last.of_multiply().map_or("-".into(), percent);
        let verdict = if products.iter().all(|product| product.equal) { "equal" } else { "DIFFERS" };
        let end = format!("{of_multiply} | {:016x} {verdict} |\n", last.checksum);
        if products.len() == 1 {
            return self.print(&format!(
                "| {} | {:.3} | {:.2} | {} | {:.1} | {end}",
                last.kernels.name(),
                last.ns_per_block(),
                last.gb_per_sec(),
                percent(last.of_read()),
                last.gmac_per_sec()
            ));
        }
        let mut line = format!("| {} | {} ", first.weight_type.name(), first.kernels.name());
        for product in products.iter().filter(|product| product.n_tokens == 1) {
            line += &format!("| {:.2} | {} ", product.gb_per_sec(), percent(product.of_read()));
        }
        for product in products.iter().filter(|product| product.from == From::Cache) {
            line += &format!("| {:.1} ", product.gmac_per_sec());
        }
        self.print(&format!("{line}| {end}"))
    }

    /// A line for a product whose time was not taken: each ends the instructions that are counted for it.
    pub(super) fn counted(
        &self,
        kernels: &Kernels,
        weight_type: WeightType,
        n_tokens: usize,
        results: &[f32],
    ) -> Result<(), Error> {
        self.print(&format!("{} {} {n_tokens} {:016x}\n", kernels.name(), weight_type.name(), checksum(results)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bits_are_seen() {
        let expected = [1.0, -0.0, f32::MIN_POSITIVE, 4.0];
        let is_equal = |results: Option<&[f32]>| compare(results, &expected).0;
        assert!(is_equal(Some(&expected)) && is_equal(Some(&expected[..2])));
        let flipped = f32::from_bits(1.0f32.to_bits() + 1);
        for wrong in [&[1.0, 0.0][..], &[flipped], &[f32::NAN], &[1.0, -0.0, f32::MIN_POSITIVE, 4.0, 5.0]] {
            assert!(!is_equal(Some(wrong)), "{wrong:?}");
        }
        assert!(!is_equal(None));
        assert_ne!(compare(Some(&[0.0]), &expected).1, compare(Some(&[-0.0]), &expected).1);
    }
}
