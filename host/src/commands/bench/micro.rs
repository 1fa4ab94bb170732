//! Benchmarks of the kernels: every table of this CPU multiplies the same numbers, and all must return the same bits.

use crate::cli::{Invocation, table};
use crate::error::Error;
use crate::machine::bandwidth::read_alone;
use crate::output::{self, Report, rounded};
use crate::settings::Settings;
use nanocamelid_kernels::{
    ActivationType, Activations, Kernels, Matrix, QuantizedRows, QuantizedRowsMut, TileMut, WeightType,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// One benchmark: a product of `n_rows` x `n_cols` weights with `n_tokens` tokens.
struct Shape {
    weight_type: WeightType,
    n_rows: usize,
    n_cols: usize,
    n_tokens: usize,
}

/// How long each table is measured.
const TIME: Duration = Duration::from_millis(300);

/// The benchmarks.
pub(super) const NAMES: &[&str] = &["q8-dot", "q4-layout", "q4-prefill"];

fn shape(name: &str) -> Shape {
    match name {
        // Rows that stay in the level-1 cache, so that the time is the dot product's.
        "q8-dot" => Shape { weight_type: WeightType::Q8_0, n_rows: 16, n_cols: 1024, n_tokens: 1 },
        // A matrix larger than any cache, in the file's layout, as decode reads it.
        "q4-layout" => Shape { weight_type: WeightType::Q4_0, n_rows: 32_768, n_cols: 4096, n_tokens: 1 },
        _ => Shape { weight_type: WeightType::Q4_0, n_rows: 1024, n_cols: 2048, n_tokens: 128 },
    }
}

/// Runs the benchmark with this name.
pub(crate) fn run(invocation: &Invocation, name: &str) -> Result<(), Error> {
    let settings = Settings::new(invocation)?;
    let mut report = Report::new(invocation.command);
    report.set("kernel", settings.kernels.name());
    if invocation.has(&table::DRY_RUN) {
        return report.finish_dry_run(invocation);
    }
    let shape = shape(name);
    let data = Data::new(&shape);
    let only = invocation.has(&table::KERNEL).then(|| settings.kernels.name());
    let json = invocation.has(&table::JSON);
    if !json {
        let Shape { weight_type, n_rows, n_cols, n_tokens } = &shape;
        output::answer(&format!(
            "{name}: {} {n_rows} x {n_cols}, {n_tokens} tokens, one thread\n",
            weight_type.name()
        ))?;
        output::answer("| kernel | ns/block | GB/s | GMAC/s | checksum |\n| --- | ---: | ---: | ---: | --- |\n")?;
    }
    let expected = data.checksum(&shape, Kernels::select(nanocamelid_kernels::Features::NONE));
    let mut results: Vec<Value> = Vec::new();
    let mut differs = Vec::new();
    for kernels in Kernels::all(settings.features).filter(|k| only.is_none_or(|name| name == k.name())) {
        let checksum = data.checksum(&shape, kernels);
        let seconds = data.time(&shape, kernels);
        let blocks = (shape.n_rows * shape.n_cols / 32 * shape.n_tokens) as f64;
        let (ns, gb, gmac) = (
            seconds * 1e9 / blocks,
            data.weights.len() as f64 / seconds / 1e9,
            (shape.n_rows * shape.n_cols * shape.n_tokens) as f64 / seconds / 1e9,
        );
        if !json {
            let verdict = if checksum == expected { "equal" } else { "DIFFERS" };
            output::answer(&format!(
                "| {} | {ns:.3} | {gb:.2} | {gmac:.1} | {checksum:016x} {verdict} |\n",
                kernels.name()
            ))?;
        }
        if checksum != expected {
            differs.push(kernels.name());
        }
        results.push(json!({
            "bench": name,
            "kernel": kernels.name(),
            "ns_per_block": rounded(ns),
            "gb_per_sec": rounded(gb),
            "gmac_per_sec": rounded(gmac),
            "checksum": format!("{checksum:016x}"),
            "equal": checksum == expected,
        }));
    }
    report.set("results", results);
    if let Some(read) = read_alone(&data.weights) {
        if !json {
            output::answer(&format!("| (reading the weights) | | {read:.2} | | |\n"))?;
        }
        report.set("read_gb_per_sec", rounded(read));
    }
    match differs.is_empty() {
        true => report.finish(invocation),
        false => Err(Error::Failed(format!("checksums differ from the scalar reference: {}", differs.join(", ")))),
    }
}

/// Weights and activations of a benchmark.
struct Data {
    weights: Vec<u8>,
    qs: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i16>,
}

impl Data {
    fn new(shape: &Shape) -> Self {
        let Shape { weight_type, n_rows, n_cols, n_tokens } = *shape;
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move || {
            // xorshift64 (Marsaglia 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let n_bytes = weight_type.row_bytes(n_cols).expect("whole blocks") * n_rows;
        let mut weights: Vec<u8> = (0..n_bytes).map(|_| random() as u8).collect();
        for block in weights.chunks_exact_mut(weight_type.block_bytes()) {
            // The scale of the block must be a number of ordinary size.
            block[..2].copy_from_slice(&0x2c00u16.to_le_bytes());
        }
        let n = n_tokens * n_cols;
        let mut data = Self { weights, qs: vec![0; n], scales: vec![0.0; n / 32], sums: vec![0; n / 32] };
        let x: Vec<f32> = (0..n).map(|_| random() as i32 as f32 / 2f32.powi(31)).collect();
        for token in 0..n_tokens {
            let (cols, blocks) = (token * n_cols..(token + 1) * n_cols, token * n_cols / 32..(token + 1) * n_cols / 32);
            let mut row = QuantizedRowsMut::new(
                ActivationType::Q8,
                &mut data.qs[cols.clone()],
                &mut data.scales[blocks.clone()],
                &mut data.sums[blocks],
                1,
                n_cols,
            );
            Kernels::select(nanocamelid_kernels::Features::NONE).quantize(&x[cols], &mut row);
        }
        data
    }

    fn product(&self, shape: &Shape, kernels: &Kernels, out: &mut [f32], scratch: &mut [u8]) {
        let Shape { weight_type, n_rows, n_cols, n_tokens } = *shape;
        let weights = Matrix::new(weight_type, &self.weights, n_rows, n_cols).expect("the length fits the shape");
        let x = QuantizedRows::new(ActivationType::Q8, &self.qs, &self.scales, &self.sums, n_tokens, n_cols);
        // The product is split into bands, as for the engine's workers.
        let band = if n_tokens == 1 { 8 * kernels.band_unit(1) } else { kernels.max_band_rows(n_tokens) };
        for (i, tile) in nanocamelid_kernels::TilesMut::new(out, n_tokens, n_rows, n_tokens, band).enumerate() {
            let mut tile: TileMut<'_> = tile;
            let n = tile.n_cols();
            kernels.matmul(&weights.rows(i * band, n), &Activations::Quantized(x), &mut tile, scratch);
        }
    }

    /// The hash FNV-1a (64 bits) of the bits of the whole product.
    fn checksum(&self, shape: &Shape, kernels: &Kernels) -> u64 {
        let mut out = vec![0.0; shape.n_tokens * shape.n_rows];
        let mut scratch = vec![0; kernels.scratch_bytes(shape.n_cols)];
        self.product(shape, kernels, &mut out, &mut scratch);
        let mut digest = super::super::logits::Digest::new();
        out.iter().for_each(|value| digest.update(&value.to_le_bytes()));
        digest.value()
    }

    /// The least seconds that one product took.
    fn time(&self, shape: &Shape, kernels: &Kernels) -> f64 {
        let mut out = vec![0.0; shape.n_tokens * shape.n_rows];
        let mut scratch = vec![0; kernels.scratch_bytes(shape.n_cols)];
        let mut best = f64::INFINITY;
        let until = Instant::now() + TIME;
        // Small products are timed several together, so that reading the clock takes no noticeable part.
        let per_look = (1 << 20) / (shape.n_rows * shape.n_cols * shape.n_tokens).max(1) + 1;
        while Instant::now() < until || best.is_infinite() {
            let started = Instant::now();
            for _ in 0..per_look {
                self.product(shape, kernels, &mut out, &mut scratch);
                std::hint::black_box(&out);
            }
            best = best.min(started.elapsed().as_secs_f64() / per_look as f64);
        }
        best
    }
}
