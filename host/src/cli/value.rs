//! The values that flags take, checked while they are read.

use crate::machine::cpu_list;
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

/// The kind of a flag's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// No value.
    Switch,
    /// A whole number.
    Count {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A whole number, or -1 for no limit.
    Limit {
        /// Smallest number.
        min: u64,
        /// Largest number.
        max: u64,
    },
    /// A number of bytes, which may end in K, M or G (powers of 1024).
    Bytes {
        /// Smallest.
        min: u64,
    },
    /// A finite number.
    Number {
        /// Smallest.
        min: f32,
        /// Largest.
        max: f32,
    },
    /// Any UTF-8 text.
    Text,
    /// A path.
    Path,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Whole numbers with commas between them.
    Counts {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// Token ids with commas between them.
    Ids,
    /// CPUs, like `1-3,5`.
    Cpus,
    /// `YYYY-MM-DD`.
    Date,
    /// The origin of web pages, or `*` for all.
    #[cfg(feature = "serve")]
    Origin,
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A value with the effect of leaving the flag out.
    Unset,
    Switch,
    Count(u64),
    Number(f32),
    Text(String),
    Path(PathBuf),
    Counts(Vec<usize>),
    Ids(Vec<u32>),
    Cpus(Vec<usize>),
    Date(Date),
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Problem {
    NotUtf8,
    NotACount {
        min: u64,
        max: u64,
    },
    NotALimit {
        min: u64,
        max: u64,
    },
    NotBytes {
        min: u64,
    },
    NotANumber {
        min: f32,
        max: f32,
    },
    NotAChoice {
        choices: &'static [&'static str],
        nearest: Option<&'static str>,
    },
    Cpus(cpu_list::CpuListError),
    NotADate,
    #[cfg(feature = "serve")]
    NotAnOrigin,
    Empty,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => write!(f, "is not UTF-8"),
            Self::NotACount { min, max: u64::MAX } => write!(f, "is not a whole number of at least {min}"),
            Self::NotACount { min, max } => write!(f, "is not a whole number from {min} to {max}"),
            Self::NotALimit { min, max } => write!(f, "is not a whole number from {min} to {max}, nor -1 for no limit"),
            Self::NotBytes { min } => write!(f, "is not a number of bytes like 500M or 4G, of at least {min}"),
            Self::NotANumber { min, max } => write!(f, "is not a number from {min} to {max}"),
            Self::NotAChoice { choices, nearest } => {
                write!(f, "is not one of {}", choices.join(", "))?;
                nearest.map_or(Ok(()), |name| write!(f, "; did you mean {name}?"))
            }
            Self::Cpus(error) => write!(f, "is no list of CPUs: {error}"),
            Self::NotADate => write!(f, "is not a date like 2026-07-26"),
            #[cfg(feature = "serve")]
            Self::NotAnOrigin => write!(f, "is not an origin like https://chat.example:8443, without a path, nor *"),
            Self::Empty => write!(f, "must not be empty"),
        }
    }
}

impl Kind {
    /// Reads a value of this kind.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(self, given: &OsStr) -> Result<Value, Problem> {
        if let Self::Path = self {
            return if given.is_empty() { Err(Problem::Empty) } else { Ok(Value::Path(PathBuf::from(given))) };
        }
        let text = given.to_str().ok_or(Problem::NotUtf8)?;
        let trimmed = text.trim();
        match self {
            Self::Switch => Ok(Value::Switch),
            Self::Path | Self::Text => Ok(Value::Text(text.to_owned())),
            Self::Count { min, max } => count(trimmed, min, max).map(Value::Count),
            Self::Limit { .. } if trimmed == "-1" => Ok(Value::Count(u64::MAX)),
            Self::Limit { min, max } => {
                count(trimmed, min, max).map(Value::Count).map_err(|_| Problem::NotALimit { min, max })
            }
            Self::Bytes { min } => {
                bytes(trimmed).filter(|&n| n >= min).map(Value::Count).ok_or(Problem::NotBytes { min })
            }
            Self::Number { min, max } => {
                let number = trimmed.parse::<f32>().ok().filter(|n| n.is_finite() && (min..=max).contains(n));
                number.map(Value::Number).ok_or(Problem::NotANumber { min, max })
            }
            Self::Choice(choices) => match choices.iter().find(|name| **name == text) {
                Some(name) => Ok(Value::Text((*name).to_owned())),
                None => Err(Problem::NotAChoice { choices, nearest: super::nearest(text, choices.iter().copied()) }),
            },
            Self::Counts { min, max } => trimmed
                .split(',')
                .map(|part| Ok(count(part.trim(), min, max)? as usize))
                .collect::<Result<_, _>>()
                .map(Value::Counts),
            Self::Ids => {
                let max = u64::from(u32::MAX);
                trimmed
                    .split(',')
                    .map(|part| Ok(count(part.trim(), 0, max)? as u32))
                    .collect::<Result<_, _>>()
                    .map(Value::Ids)
            }
            Self::Cpus => cpu_list::parse(trimmed).map(Value::Cpus).map_err(Problem::Cpus),
            Self::Date => date(trimmed).map(Value::Date).ok_or(Problem::NotADate),
            #[cfg(feature = "serve")]
            Self::Origin if is_origin(text) => Ok(Value::Text(text.to_ascii_lowercase())),
            #[cfg(feature = "serve")]
            Self::Origin => Err(Problem::NotAnOrigin),
        }
    }
}

fn count(text: &str, min: u64, max: u64) -> Result<u64, Problem> {
    // `parse` alone would take "+3".
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|n| digits && (min..=max).contains(n));
    number.ok_or(Problem::NotACount { min, max })
}

fn bytes(text: &str) -> Option<u64> {
    let shift = match text.bytes().last()? {
        b'K' | b'k' => 10,
        b'M' | b'm' => 20,
        b'G' | b'g' => 30,
        _ => 0,
    };
    let digits = if shift == 0 { text } else { &text[..text.len() - 1] };
    count(digits, 0, u64::MAX >> shift).ok().map(|n| n << shift)
}

fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let mut next = |digits: usize| {
        let part = parts.next()?;
        (part.len() == digits && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u16>().ok()).flatten()
    };
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u16::from(leap),
        _ => return None,
    };
    let valid = parts.next().is_none() && (1..=days).contains(&day);
    valid.then_some(Date { year, month: month as u8, day: day as u8 })
}

/// Whether a text is what a browser may send as the origin of a page. `null` is not: pages of any site can have it.
#[cfg(feature = "serve")]
fn is_origin(text: &str) -> bool {
    let is_of = |part: &str, others: &[u8]| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || others.contains(&b))
    };
    text == "*"
        || text.split_once("://").is_some_and(|(scheme, host)| is_of(scheme, b"+-.") && is_of(host, b"-._~%:[]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_checked() {
        let count = Kind::Count { min: 1, max: 64 };
        assert_eq!(count.read(OsStr::new("64")), Ok(Value::Count(64)));
        for bad in ["0", "65", "-1", "+3", "1.5", "", "four", "99999999999999999999999"] {
            assert!(count.read(OsStr::new(bad)).is_err(), "{bad}");
        }
        let number = Kind::Number { min: 0.0, max: 2.0 };
        assert_eq!(number.read(OsStr::new("0.7")), Ok(Value::Number(0.7)));
        for bad in ["-0.1", "2.1", "nan", "inf", "", "warm"] {
            assert!(number.read(OsStr::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_of_bytes() {
        let bytes = |text| Kind::Bytes { min: 1 << 20 }.read(OsStr::new(text));
        for (text, n) in [("2048k", 2 << 20), ("1M", 1 << 20), ("4G", 4 << 30), ("1048576", 1 << 20)] {
            assert_eq!(bytes(text), Ok(Value::Count(n)), "{text}");
        }
        for bad in ["1048575", "0", "", "M", "G4", "1.5G", "-1M", "4GB", "99999999999G", "\u{e9}"] {
            assert_eq!(bytes(bad), Err(Problem::NotBytes { min: 1 << 20 }), "{bad}");
        }
    }

    #[test]
    fn lists_and_dates() {
        let ids = |text| Kind::Ids.read(OsStr::new(text));
        assert_eq!(ids("1, 2,3"), Ok(Value::Ids(vec![1, 2, 3])));
        assert!(ids("1,,2").is_err() && ids("4294967296").is_err());
        let date = |text| Kind::Date.read(OsStr::new(text));
        assert_eq!(date("2024-02-29"), Ok(Value::Date(Date { year: 2024, month: 2, day: 29 })));
        for bad in ["2026-02-29", "2026-13-01", "2026-1-1", "2026-01-32", "2026-01-01-01", "today"] {
            assert!(date(bad).is_err(), "{bad}");
        }
    }

    #[cfg(feature = "serve")]
    #[test]
    fn origins() {
        let origin = |text| Kind::Origin.read(OsStr::new(text));
        for text in ["*", "http://localhost:3000", "https://[::1]:8443", "chrome-extension://abcdef"] {
            assert_eq!(origin(text), Ok(Value::Text(text.into())));
        }
        // Browsers send it in lower case.
        assert_eq!(origin("HTTPS://Chat.Example"), Ok(Value::Text("https://chat.example".into())));
        for bad in ["", "null", "chat.example", "https://", "https://a.b/", "https://a.b/c", "https://u@a.b", "* "] {
            assert_eq!(origin(bad), Err(Problem::NotAnOrigin), "{bad}");
        }
    }

    #[test]
    fn a_misspelled_choice_names_the_nearest() {
        let problem = Kind::Choice(&["scalar", "neon"]).read(OsStr::new("noen")).unwrap_err();
        assert_eq!(problem.to_string(), "is not one of scalar, neon; did you mean neon?");
    }
}
