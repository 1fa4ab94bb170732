//! CPU lists as Linux writes them: `1-3,5`.

use std::fmt;

/// The highest CPU number that a list may name.
const MAX_CPU: usize = 4095;

/// What is wrong with a CPU list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CpuListError {
    /// Not `N` or `N-M`.
    Syntax,
    /// `M` below `N`.
    Backwards,
    /// A number above [`MAX_CPU`].
    TooLarge,
}

impl fmt::Display for CpuListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => write!(f, "expected CPU numbers like 1-3 or 0,2"),
            Self::Backwards => write!(f, "a range must not run backwards"),
            Self::TooLarge => write!(f, "CPU numbers go up to {MAX_CPU}"),
        }
    }
}

/// The CPUs of a list such as `1-3,5`, ascending and without repetition.
///
/// # Errors
/// [`CpuListError`] for the first part that is no number or range.
pub(crate) fn parse(text: &str) -> Result<Vec<usize>, CpuListError> {
    let number = |s: &str| match s.trim().parse::<usize>() {
        Ok(n) if n <= MAX_CPU => Ok(n),
        Ok(_) => Err(CpuListError::TooLarge),
        Err(_) => Err(CpuListError::Syntax),
    };
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if last < first {
            return Err(CpuListError::Backwards);
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Ok(cpus)
}

/// Ascending CPUs as a list: `1-3,5`.
pub(crate) fn format(cpus: &[usize]) -> String {
    let mut text = String::new();
    let mut rest = cpus;
    while let Some(&first) = rest.first() {
        let run = rest.iter().zip(first..).take_while(|(cpu, expected)| **cpu == *expected).count();
        if !text.is_empty() {
            text.push(',');
        }
        text += &match run {
            1 => format!("{first}"),
            _ => format!("{first}-{}", first + run - 1),
        };
        rest = &rest[run..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(parse("1-3"), Ok(vec![1, 2, 3]));
        assert_eq!(parse(" 5,0,2-3,3\n"), Ok(vec![0, 2, 3, 5]));
        assert_eq!(parse("3-1"), Err(CpuListError::Backwards));
        assert_eq!(parse("0-99999"), Err(CpuListError::TooLarge));
        for bad in ["", "a", "1-", "-1", "1,,2", "1-2-3"] {
            assert_eq!(parse(bad), Err(CpuListError::Syntax), "{bad}");
        }
        assert_eq!(format(&[0, 2, 3, 5]), "0,2-3,5");
        assert_eq!(format(&[]), "");
    }
}
