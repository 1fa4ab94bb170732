//! How many threads, and where.
//!
//! Decoding a token reads every weight once: it is bound by memory, and more readers than the memory can serve only
//! disturb each other. Prefill is bound by arithmetic and takes every core.
//!
//! On the BCM2712 of a Raspberry Pi 5, STREAM reads 9.26, 13.23 and 11.59 GB/s with 1, 2 and 4 threads
//! (ggml-org/llama.cpp#26484), and one Cortex-A76 consumes 4-bit blocks at more than 13 GB/s: two workers decode,
//! four prefill. Elsewhere both default to the physical cores, decoding to four at most.

use super::cpu::Cpu;
use crate::pool::PoolOptions;

const MAX_DECODE: usize = 4;

/// What was asked for; `None` is "choose".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkersAsked {
    /// `--threads`.
    pub(crate) decode: Option<usize>,
    /// `--threads-batch`.
    pub(crate) prefill: Option<usize>,
    /// `--cores`.
    pub(crate) cpus: Option<Vec<usize>>,
}

/// The choice and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workers {
    /// Counts and CPUs.
    pub(crate) options: PoolOptions,
    /// Why, in words.
    pub(crate) why: &'static str,
}

/// Chooses what was not asked for.
pub(crate) fn choose(cpu: &Cpu, asked: &WorkersAsked) -> Workers {
    let (cpus, mut why) = match &asked.cpus {
        Some(cpus) => (cpus.clone(), "the cores that were asked for"),
        None if !cpu.isolated.is_empty() => (cpu.isolated.clone(), "the isolated cores"),
        None => (Vec::new(), "the physical cores"),
    };
    let n_cores = if cpus.is_empty() { cpu.physical } else { cpus.len() };
    let mut n_decode = n_cores.min(MAX_DECODE);
    if cpu.is_bcm2712 && n_cores > 2 && asked.cpus.is_none() {
        n_decode = 2;
        why = if cpus.is_empty() {
            "the physical cores; two to decode, because two read this board's memory fastest"
        } else {
            "the isolated cores; two to decode, because two read this board's memory fastest"
        };
    }
    if asked.decode.is_some() {
        why = "the threads that were asked for";
    }
    // `-t` alone means every phase, as everywhere in the field.
    let n_prefill = asked.prefill.or(asked.decode).unwrap_or(n_cores);
    Workers { options: PoolOptions { n_decode: asked.decode.unwrap_or(n_decode), n_prefill, cpus }, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cpu: &Cpu, asked: &WorkersAsked) -> (usize, usize, Vec<usize>) {
        let options = choose(cpu, asked).options;
        (options.n_decode, options.n_prefill, options.cpus)
    }

    #[test]
    fn choices() {
        let nothing = WorkersAsked::default();
        let machine = |physical| Cpu { logical: physical, physical, ..Cpu::default() };
        assert_eq!(counts(&machine(1), &nothing), (1, 1, vec![]));
        assert_eq!(counts(&machine(2), &nothing), (2, 2, vec![]));
        assert_eq!(counts(&machine(16), &nothing), (4, 16, vec![]));
        let pi = Cpu { is_bcm2712: true, ..machine(4) };
        assert_eq!(counts(&pi, &nothing), (2, 4, vec![]));
        let isolated = Cpu { isolated: vec![1, 2, 3], ..pi.clone() };
        assert_eq!(counts(&isolated, &nothing), (2, 3, vec![1, 2, 3]));
        let three = WorkersAsked { decode: Some(3), ..nothing.clone() };
        assert_eq!(counts(&pi, &three), (3, 3, vec![]));
        let both = WorkersAsked { decode: Some(1), prefill: Some(4), cpus: Some(vec![0, 2]) };
        assert_eq!(counts(&isolated, &both), (1, 4, vec![0, 2]));
    }
}
