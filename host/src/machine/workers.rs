//! How many workers decode and prefill, and on which CPUs.
//!
//! Decode reads every weight once for a token. Memory bounds its speed, and more readers than the memory can serve slow
//! each other down. Arithmetic bounds the speed of prefill, so prefill uses every core.
//!
//! On the BCM2712 of a Raspberry Pi 5, STREAM reads 9.26, 13.23 and 11.59 GB/s with 1, 2 and 4 threads
//! (ggml-org/llama.cpp#26484), and one Cortex-A76 multiplies 4-bit blocks at more than 13 GB/s. Two workers decode
//! there, and four prefill. On other machines the physical cores do both, at most four of them decode.
//!
//! Little cores (big.LITTLE) stay idle. Workers draw bands of rows, and a little core that drew the last band of a
//! matrix would keep the others waiting several times as long. The scheduler moves the workers among the big cores.

use super::cpu::Cpu;
use super::cpu_list;
use crate::pool::{Placement, PoolOptions, may_use};
use std::fmt;

const MAX_DECODE: usize = 4;

/// The user's wishes; `None` leaves the choice to [`choose`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkersAsked {
    /// `--threads`.
    pub(crate) decode: Option<usize>,
    /// `--threads-batch`.
    pub(crate) prefill: Option<usize>,
    /// `--cores`.
    pub(crate) cpus: Option<Vec<usize>>,
}

/// The workers that were chosen, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workers {
    /// The number of workers, and their CPUs.
    pub(crate) options: PoolOptions,
    /// The reason, in words.
    pub(crate) why: &'static str,
}

/// CPUs that workers cannot be pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CoresError {
    /// The machine has no CPUs with these numbers, or they are offline.
    NotThere { cpus: Vec<usize>, online: Vec<usize> },
    /// The system does not let this process use these CPUs.
    Refused(Vec<usize>),
}

impl fmt::Display for CoresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere { cpus, online } => {
                write!(f, "no such CPU: {} (online: {})", cpu_list::format(cpus), cpu_list::format(online))
            }
            Self::Refused(cpus) => {
                write!(f, "this process may not run on CPU {}", cpu_list::format(cpus))
            }
        }
    }
}

/// Checks that workers can be pinned to the CPUs `asked`. Returns the CPUs among them that are neither isolated nor in
/// the affinity mask of the process's start. Such CPUs are allowed, because a process may leave its mask.
///
/// # Errors
/// [`CoresError`], which names the CPUs that cannot be used.
pub(crate) fn check_cores(cpu: &Cpu, asked: &[usize]) -> Result<Vec<usize>, CoresError> {
    let outside = |list: &[usize]| -> Vec<usize> {
        asked.iter().filter(|&cpu| !list.is_empty() && !list.contains(cpu)).copied().collect()
    };
    let cpus = outside(&cpu.online);
    if !cpus.is_empty() {
        return Err(CoresError::NotThere { cpus, online: cpu.online.clone() });
    }
    let usable = may_use(asked);
    if usable.len() < asked.len() {
        return Err(CoresError::Refused(asked.iter().filter(|cpu| !usable.contains(cpu)).copied().collect()));
    }
    Ok(outside(&[&cpu.mask[..], &cpu.isolated].concat()))
}

/// Chooses the counts and the CPUs that the user left open.
pub(crate) fn choose(cpu: &Cpu, asked: &WorkersAsked) -> Workers {
    const TWO: &str = "the physical cores; two to decode, because two read this board's memory fastest";
    const TWO_ISOLATED: &str = "the isolated cores; two to decode, because two read this board's memory fastest";
    let (place, n_cores, mut why) = match &asked.cpus {
        Some(cpus) => (Placement::Each(cpus.clone()), cpus.len(), "the cores that were asked for"),
        None if !cpu.isolated.is_empty() => {
            (Placement::Each(cpu.isolated.clone()), cpu.isolated.len(), "the isolated cores")
        }
        None if !cpu.big.is_empty() => {
            let why = "the big cores; the others have less than three quarters of their capacity";
            (Placement::Among(cpu.big.clone()), cpu.n_big_cores, why)
        }
        None => (Placement::Anywhere, cpu.physical, "the physical cores"),
    };
    let mut n_cores = n_cores;
    if let Some(quota) = cpu.quota.filter(|&quota| quota < n_cores && asked.cpus.is_none()) {
        (n_cores, why) = (quota, "the whole CPUs of this control group's quota");
    }
    let mut n_decode = n_cores.min(MAX_DECODE);
    if cpu.is_bcm2712 && n_cores > 2 && asked.cpus.is_none() {
        n_decode = 2;
        why = if cpu.isolated.is_empty() { TWO } else { TWO_ISOLATED };
    }
    if asked.decode.is_some() {
        why = "the threads that were asked for";
    }
    // `-t` alone sets the threads of both phases, as in llama.cpp.
    let n_prefill = asked.prefill.or(asked.decode).unwrap_or(n_cores);
    let n_decode = asked.decode.unwrap_or(n_decode);
    let place = place.fitting(n_decode.max(n_prefill));
    Workers { options: PoolOptions { n_decode, n_prefill, place }, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cpu: &Cpu, asked: &WorkersAsked) -> (usize, usize, Placement) {
        let options = choose(cpu, asked).options;
        (options.n_decode, options.n_prefill, options.place)
    }

    fn machine(physical: usize) -> Cpu {
        Cpu { logical: physical, physical, ..Cpu::default() }
    }

    #[test]
    fn choices() {
        use Placement::{Anywhere, Each};
        let nothing = WorkersAsked::default();
        assert_eq!(counts(&machine(1), &nothing), (1, 1, Anywhere));
        assert_eq!(counts(&machine(2), &nothing), (2, 2, Anywhere));
        assert_eq!(counts(&machine(16), &nothing), (4, 16, Anywhere));
        let pi = Cpu { is_bcm2712: true, ..machine(4) };
        assert_eq!(counts(&pi, &nothing), (2, 4, Anywhere));
        let isolated = Cpu { isolated: vec![1, 2, 3], ..pi.clone() };
        assert_eq!(counts(&isolated, &nothing), (2, 3, Each(vec![1, 2, 3])));
        let three = WorkersAsked { decode: Some(3), ..nothing.clone() };
        assert_eq!(counts(&pi, &three), (3, 3, Anywhere));
        let both = WorkersAsked { decode: Some(1), prefill: Some(4), cpus: Some(vec![0, 2]) };
        assert_eq!(counts(&isolated, &both), (1, 4, Each(vec![0, 2])));
        let quota = Cpu { quota: Some(1), ..pi.clone() };
        assert_eq!(counts(&quota, &nothing), (1, 1, Anywhere));
        assert!(choose(&quota, &nothing).why.contains("quota"));
        assert_eq!(counts(&Cpu { quota: Some(64), ..machine(4) }, &nothing), (4, 4, Anywhere));
    }

    #[test]
    fn little_cores_are_left_alone() {
        use Placement::{Among, Anywhere, Each};
        let rk3588 = Cpu { big: vec![4, 5, 6, 7], n_big_cores: 4, ..machine(8) };
        let nothing = WorkersAsked::default();
        assert_eq!(counts(&rk3588, &nothing), (4, 4, Among(vec![4, 5, 6, 7])));
        assert!(choose(&rk3588, &nothing).why.contains("big cores"));
        let asked = |decode| WorkersAsked { decode: Some(decode), ..nothing.clone() };
        assert_eq!(counts(&rk3588, &asked(2)), (2, 2, Among(vec![4, 5, 6, 7])));
        // More threads than big cores run on the little cores too.
        assert_eq!(counts(&rk3588, &asked(8)), (8, 8, Anywhere));
        let on_little = WorkersAsked { cpus: Some(vec![0]), ..nothing.clone() };
        assert_eq!(counts(&rk3588, &on_little), (1, 1, Each(vec![0])));
        assert_eq!(counts(&Cpu { quota: Some(2), ..rk3588 }, &nothing), (2, 2, Among(vec![4, 5, 6, 7])));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn cores_that_are_not_there_are_named() {
        let cpu = Cpu { online: vec![0, 1, 2, 3], mask: vec![0], isolated: vec![1], ..Cpu::default() };
        let error = check_cores(&cpu, &[0, 5, 6, 9]).unwrap_err().to_string();
        assert!(error.contains("no such CPU: 5-6,9 (online: 0-3)"), "{error}");
        // Without a list of online CPUs, only trying tells which CPUs exist.
        let here = crate::machine::cpu::cpu();
        let Some(&first) = here.mask.first() else { return eprintln!("skipped: no affinity mask") };
        let silent = Cpu { mask: here.mask.clone(), ..Cpu::default() };
        assert_eq!(check_cores(&silent, &[first]), Ok(vec![]));
        assert_eq!(check_cores(&silent, &[first, 4095]), Err(CoresError::Refused(vec![4095])));
        let elsewhere = Cpu { mask: vec![first + 1], ..Cpu::default() };
        assert_eq!(check_cores(&elsewhere, &[first]), Ok(vec![first]));
        assert_eq!(check_cores(&Cpu { isolated: vec![first], ..elsewhere }, &[first]), Ok(vec![]));
    }
}
