//! `bench kernels`: the speed of every kernel table in every weight format, beside what the machine can do at most. All
//! tables multiply the same numbers, and all must return the same bits.

mod data;
mod peak;
mod report;
mod team;

use super::{FORMAT, MICRO};
use crate::cli::{Invocation, Origin, Problem, UsageError, nearest, table};
use crate::error::Error;
use crate::machine::{bandwidth, memory};
use crate::output::Report;
use crate::pool::{Pool, PoolOptions};
use crate::settings::Settings;
use data::{Inputs, Product, Size};
use nanocamelid_kernels::{Kernels, WeightType};
use peak::Peak;
use report::{Lines, Measured};
use serde_json::Value;
use std::collections::BTreeSet;
use team::{From, Share, Team};

/// A product that is measured: where the weights come from, and how many tokens there are.
type Cell = (From, usize);

/// Every product: decode, few tokens together, packed tiles.
const CELLS: [Cell; 10] = [
    (From::Memory, 1),
    (From::Cache, 1),
    (From::Cache, 2),
    (From::Cache, 3),
    (From::Cache, 4),
    (From::Cache, 5),
    (From::Cache, 6),
    (From::Cache, 7),
    (From::Cache, 8),
    (From::Cache, TILE_TOKENS),
];

/// Tokens of the product that stands for prefill.
const TILE_TOKENS: usize = 64;

/// The benchmarks: all products, or a name for one of them.
pub(super) const NAMES: &[&str] = &["kernels", "q8-dot", "q4-layout", "q4-prefill"];

/// What a command line asks for.
struct Asked {
    name: &'static str,
    cells: &'static [Cell],
    formats: Vec<WeightType>,
    threads: Vec<usize>,
    reps: usize,
    /// How often every product is made where no time is taken.
    counted: Option<usize>,
}

impl Asked {
    fn new(invocation: &Invocation) -> Result<Option<Self>, UsageError> {
        let named = invocation.every(&FORMAT);
        let Some(name) = invocation.argument(&MICRO).or((!named.is_empty()).then_some(NAMES[0])) else {
            return Ok(None);
        };
        let name = NAMES.iter().copied().find(|known| *known == name).unwrap_or(NAMES[0]);
        if let Some(word) = &invocation.model {
            let given = word.to_string_lossy().into_owned();
            let problem = Problem::NotAChoice { choices: &FORMATS, nearest: nearest(&given, FORMATS) };
            return Err(UsageError::BadValue { origin: Origin::Argument(FORMAT.row.name), given, problem });
        }
        let (cells, formats): (&'static [Cell], _) = match name {
            "q8-dot" => (&[(From::Cache, 1)], vec![WeightType::Q8_0]),
            "q4-layout" => (&[(From::Memory, 1)], vec![WeightType::Q4_0]),
            "q4-prefill" => (&[(From::Cache, TILE_TOKENS)], vec![WeightType::Q4_0]),
            _ => {
                let wanted = |format: &WeightType| named.is_empty() || named.contains(&format.name());
                (&CELLS, WeightType::ALL.into_iter().filter(wanted).collect())
            }
        };
        if name != NAMES[0] && !named.is_empty() {
            return Err(UsageError::Conflict { a: name, b: FORMAT.row.name });
        }
        Ok(Some(Self {
            name,
            cells,
            formats,
            threads: invocation.get(&table::BENCH_THREADS).unwrap_or(&[1]).to_vec(),
            reps: invocation.get(&table::BENCH_REPS).unwrap_or(5),
            counted: invocation.get(&table::BENCH_PRODUCTS),
        }))
    }
}

/// Names of all weight formats.
pub(super) const FORMATS: [&str; WeightType::COUNT] = {
    let mut names = [""; WeightType::COUNT];
    let mut i = 0;
    while i < names.len() {
        names[i] = WeightType::ALL[i].name();
        i += 1;
    }
    names
};

/// Runs the command, if kernels are asked for.
pub(super) fn run(invocation: &Invocation) -> Result<bool, Error> {
    let Some(asked) = Asked::new(invocation)? else { return Ok(false) };
    let settings = Settings::new(invocation)?;
    let mut report = Report::new(invocation.command);
    report.set("kernel", settings.kernels.name());
    if invocation.has(&table::DRY_RUN) {
        return report.finish_dry_run(invocation).map(|()| true);
    }
    let only = invocation.has(&table::KERNEL).then(|| settings.kernels.name());
    let tables: Vec<_> = Kernels::all(settings.features).filter(|k| only.is_none_or(|name| name == k.name())).collect();
    let lines = Lines { asked: &asked, silent: invocation.has(&table::JSON) };
    let (mut results, mut differs) = (Vec::new(), BTreeSet::new());
    for &n_threads in &asked.threads {
        let place = settings.workers.options.place.clone();
        let pool = Pool::new(&PoolOptions { n_decode: n_threads, n_prefill: n_threads, place });
        let bench = Bench {
            asked: &asked,
            lines: &lines,
            n_threads,
            tables: &tables,
            pool: &pool.map_err(Error::io("worker threads"))?,
        };
        for measured in bench.run()? {
            if !measured.equal {
                differs.insert(format!("{} {}", measured.kernels.name(), measured.weight_type.name()));
            }
            results.push(measured);
        }
    }
    // A thousand products are nothing to read in a terminal.
    if lines.silent || asked.cells.len() == 1 {
        report.set("results", results.iter().map(|measured| measured.json(asked.name)).collect::<Vec<Value>>());
    }
    report.finish(invocation)?;
    match differs.is_empty() {
        true => Ok(true),
        false => {
            let names = Vec::from_iter(differs).join(", ");
            Err(Error::Failed(format!("results differ from the scalar reference: {names}")))
        }
    }
}

/// What is measured with so many workers.
struct Bench<'b> {
    asked: &'b Asked,
    lines: &'b Lines<'b>,
    n_threads: usize,
    tables: &'b [&'static Kernels],
    pool: &'b Pool,
}

/// What the machine can do at most.
#[derive(Clone, Copy)]
struct Bounds {
    /// GB/s of reading from a cache and from memory.
    read: [f64; 2],
    /// 1e9 multiply-adds per second of a table, in 8-bit integers and in f32.
    multiply: Option<[f64; 2]>,
}

impl Bench<'_> {
    fn run(&self) -> Result<Vec<Measured>, Error> {
        let n_bytes = bandwidth::buffer_bytes(memory::memory().available);
        let reads_memory = self.asked.counted.is_none() && self.asked.cells.iter().any(|cell| cell.0 == From::Memory);
        let mut memory = vec![1; if reads_memory { n_bytes } else { 0 }];
        let peaks = if self.asked.counted.is_some() { Vec::new() } else { self.peaks() };
        self.lines.begin(self.n_threads, self.tables, &peaks)?;
        let mut all = Vec::new();
        for &weight_type in &self.asked.formats {
            all.extend(self.format(weight_type, &peaks, &mut memory)?);
        }
        Ok(all)
    }

    /// The most multiply-adds of every table.
    fn peaks(&self) -> Vec<Option<[f64; 2]>> {
        let shares = (0..self.n_threads).map(|_| Share::new(&[], &[], 0, 0)).collect();
        let mut team = Team { pool: self.pool, reps: self.asked.reps, shares };
        let mut rate = |peak: Peak| team.rate(1000 * peak.macs_per_round, &|| peak.run(1000));
        self.tables.iter().map(|kernels| Peak::of(kernels).map(|peaks| peaks.map(&mut rate))).collect()
    }

    /// Every product of a format with every table.
    fn format(
        &self,
        weight_type: WeightType,
        peaks: &[Option<[f64; 2]>],
        memory: &mut [u8],
    ) -> Result<Vec<Measured>, Error> {
        let Asked { cells, reps, counted, .. } = *self.asked;
        let size = if counted.is_some() { Size::counted() } else { Size::timed(weight_type) };
        let inputs = Inputs::new(size);
        let weights = data::weights(weight_type, size);
        memory.chunks_exact_mut(weights.len()).for_each(|matrix| matrix.copy_from_slice(&weights));
        let cached = vec![weights; self.n_threads];
        let scratch = |kernels: &Kernels| kernels.scratch_bytes(size.n_cols);
        let n_scratch = self.tables.iter().copied().chain([data::scalar()]).map(scratch).max().unwrap_or(0);
        let matrices = memory.len() / cached[0].len() / self.n_threads * cached[0].len();
        if matrices == 0 && !memory.is_empty() {
            return Err(Error::Failed(format!("too little memory is free for {} threads", self.n_threads)));
        }
        let memory = &*memory;
        let shares = cached.iter().enumerate().map(|(i, cached)| {
            Share::new(&memory[i * matrices..][..matrices], cached, size.n_tokens * size.n_rows, n_scratch)
        });
        let mut team = Team { pool: self.pool, reps, shares: shares.collect() };
        let product =
            |kernels, n_tokens| Product { inputs: &inputs, kernels, weight_type, n_rows: size.n_rows, n_tokens };

        let mut all = Vec::new();
        if let Some(n) = counted {
            for &kernels in self.tables {
                for &(from, n_tokens) in cells.iter().filter(|cell| cell.0 == From::Cache) {
                    let results = team.results(product(kernels, n_tokens), from, n);
                    let results = results.ok_or_else(|| Error::Failed("workers differ in their results".into()))?;
                    self.lines.counted(kernels, weight_type, n_tokens, results)?;
                }
            }
            return Ok(all);
        }
        let most = cells.iter().map(|cell| cell.1).max().unwrap_or(1);
        let expected = team.results(product(data::scalar(), most), From::Cache, 1).unwrap_or_default().to_vec();
        let read_memory = if memory.is_empty() { f64::NAN } else { team.read(From::Memory) };
        let read = [team.read(From::Cache), read_memory];
        for (&kernels, &multiply) in self.tables.iter().zip(peaks) {
            let bounds = Bounds { read, multiply };
            let first = all.len();
            for &(from, n_tokens) in cells {
                let product = product(kernels, n_tokens);
                let results = team.results(product, from, 1);
                let (equal, checksum) = report::compare(results, &expected);
                let seconds = team.multiply(product, from);
                all.push(Measured {
                    kernels,
                    weight_type,
                    n_threads: self.n_threads,
                    from,
                    n_tokens,
                    n_macs: product.macs(),
                    n_bytes: cached[0].len(),
                    seconds,
                    bounds,
                    checksum,
                    equal,
                });
            }
            self.lines.table(&all[first..])?;
        }
        Ok(all)
    }
}
