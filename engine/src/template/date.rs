//! Calendar dates as templates print them.

use alloc::format;
use alloc::string::String;
use core::fmt;

/// What a template's clock says: a day and a time of day, in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
    seconds: u32,
}

/// A date that is no day of the calendar, or that is not written as `2026-07-26`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateError;

impl fmt::Display for DateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a date like 2026-07-26")
    }
}

impl core::error::Error for DateError {}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Date {
    /// Midnight of a day of the Gregorian calendar.
    ///
    /// # Errors
    /// No such day, or a year outside 1 to 9999.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, DateError> {
        let valid =
            (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        if valid { Ok(Self { year, month, day, seconds: 0 }) } else { Err(DateError) }
    }

    /// A day written as `2026-07-26`.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let bytes = text.as_bytes();
        let digits = |from: usize, to: usize| bytes[from..to].iter().all(u8::is_ascii_digit).then(|| &text[from..to]);
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return Err(DateError);
        }
        match (digits(0, 4), digits(5, 7), digits(8, 10)) {
            (Some(year), Some(month), Some(day)) => match (year.parse(), month.parse(), day.parse()) {
                (Ok(year), Ok(month), Ok(day)) => Self::new(year, month, day),
                _ => Err(DateError),
            },
            _ => Err(DateError),
        }
    }

    /// Seconds since 1970-01-01 on a local clock; outside the years 1 to 9999 the nearest date.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        // 0001-01-01 to 9999-12-31.
        let days = seconds.div_euclid(86_400).clamp(-719_162, 2_932_896);
        // Days since 0000-03-01, so that leap days end a year (Howard Hinnant, "chrono-Compatible Low-Level Date
        // Algorithms").
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year: year as u16, month: month as u8, day: day as u8, seconds: seconds.rem_euclid(86_400) as u32 }
    }

    /// From 0 for the first of January.
    fn day_of_year(&self) -> u32 {
        let before: u32 = (1..self.month).map(|month| u32::from(days_in_month(self.year, month))).sum();
        before + u32::from(self.day) - 1
    }

    /// From 0 for Sunday.
    fn weekday(&self) -> u32 {
        let years = u32::from(self.year) - 1;
        (1 + 365 * years + years / 4 - years / 100 + years / 400 + self.day_of_year()) % 7
    }

    /// Year and number of the week by ISO 8601: the first week is the one with the first Thursday.
    fn iso_week(&self) -> (u16, u32) {
        let days = |year: u16| 337 + i64::from(days_in_month(year, 2));
        let thursday = i64::from(self.day_of_year()) + 3 - i64::from((self.weekday() + 6) % 7);
        let (year, thursday) = match thursday {
            day if day < 0 => (self.year - 1, day + days(self.year - 1)),
            day if day >= days(self.year) => (self.year + 1, day - days(self.year)),
            day => (self.year, day),
        };
        (year, thursday as u32 / 7 + 1)
    }

    /// C's `strftime` in the C locale; an unknown directive stays as it is. `-` after the percent sign leaves out
    /// padding.
    pub fn format(&self, format: &str) -> String {
        let mut out = String::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            let directive = &rest[at + 1..];
            let (unpadded, letter) = match directive.strip_prefix('-') {
                Some(letter) => (true, letter),
                None => (false, directive),
            };
            let Some(letter) = letter.chars().next() else {
                rest = &rest[at..];
                break;
            };
            let used = 1 + usize::from(unpadded) + letter.len_utf8();
            match self.directive(letter, unpadded) {
                Some(text) => out.push_str(&text),
                None => out.push_str(&rest[at..at + used]),
            }
            rest = &rest[at + used..];
        }
        out.push_str(rest);
        out
    }

    fn directive(&self, letter: char, unpadded: bool) -> Option<String> {
        let number = |n: u32, width: usize| if unpadded { format!("{n}") } else { format!("{n:0width$}") };
        let (hour, minute, second) = (self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60);
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let month_name = MONTHS[usize::from(self.month) - 1];
        let weekday_name = WEEKDAYS[self.weekday() as usize];
        Some(match letter {
            'Y' => format!("{}", self.year),
            'y' => number(u32::from(self.year % 100), 2),
            'm' => number(self.month.into(), 2),
            'd' => number(self.day.into(), 2),
            'e' if unpadded => format!("{}", self.day),
            'e' => format!("{:2}", self.day),
            'B' => month_name.into(),
            'b' | 'h' => month_name[..3].into(),
            'A' => weekday_name.into(),
            'a' => weekday_name[..3].into(),
            'j' => number(self.day_of_year() + 1, 3),
            'u' => format!("{}", (self.weekday() + 6) % 7 + 1),
            'w' => format!("{}", self.weekday()),
            'U' => number((self.day_of_year() + 7 - self.weekday()) / 7, 2),
            'W' => number((self.day_of_year() + 7 - (self.weekday() + 6) % 7) / 7, 2),
            'V' => number(self.iso_week().1, 2),
            'G' => format!("{}", self.iso_week().0),
            'C' => number(u32::from(self.year / 100), 2),
            'H' => number(hour, 2),
            'k' => {
                if unpadded {
                    format!("{hour}")
                } else {
                    format!("{hour:2}")
                }
            }
            'l' => {
                if unpadded {
                    format!("{hour12}")
                } else {
                    format!("{hour12:2}")
                }
            }
            'I' => number(hour12, 2),
            'M' => number(minute, 2),
            'S' => number(second, 2),
            'f' => "000000".into(),
            'p' => if hour < 12 { "AM" } else { "PM" }.into(),
            'P' => if hour < 12 { "am" } else { "pm" }.into(),
            'r' => self.format("%I:%M:%S %p"),
            'F' => self.format("%Y-%m-%d"),
            'T' | 'X' => self.format("%H:%M:%S"),
            'R' => self.format("%H:%M"),
            'D' | 'x' => self.format("%m/%d/%y"),
            'c' => self.format("%a %b %e %H:%M:%S %Y"),
            'Z' | 'z' => String::new(),
            'n' => "\n".into(),
            't' => "\t".into(),
            '%' => "%".into(),
            _ => return None,
        })
    }
}

fn days_in_month(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_like_c() {
        let date = Date::parse("2026-07-26").unwrap();
        assert_eq!(
            date.format("%d %b %Y|%A %a|%B|%j|%-d.%-m.%y|%F|%e|100%%|%q|%"),
            "26 Jul 2026|Sunday Sun|July|207|26.7.26|2026-07-26|26|100%|%q|%"
        );
        assert_eq!(Date::new(2024, 2, 5).unwrap().format("%d %-d %e %a %H:%M:%S %I %p"), "05 5  5 Mon 00:00:00 12 AM");
    }

    /// What glibc prints.
    #[test]
    fn weeks_are_counted_like_c() {
        for (date, expected) in [
            ("2026-07-26", "30 29 2026-30"),
            ("2024-12-30", "52 53 2025-01"),
            ("2021-01-01", "00 00 2020-53"),
            ("2020-12-31", "52 52 2020-53"),
            ("2023-01-01", "01 00 2022-52"),
            ("2016-01-03", "01 00 2015-53"),
            ("2000-02-29", "09 09 2000-09"),
        ] {
            assert_eq!(Date::parse(date).unwrap().format("%U %W %G-%V"), expected, "{date}");
        }
        assert_eq!(Date::parse("0001-01-01").unwrap().format("%V"), "01");
        assert_eq!(Date::parse("2026-07-26").unwrap().format("%C|%r|%k|%-k|%l|%-l|%P"), "20|12:00:00 AM| 0|0|12|12|am");
    }

    #[test]
    fn unix_seconds() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 Thu"),
            (951_782_400, "2000-02-29 00:00:00 Tue"),
            (1_785_024_000 + 86_399, "2026-07-26 23:59:59 Sun"),
            (-1, "1969-12-31 23:59:59 Wed"),
            (i64::MAX, "9999-12-31 15:30:07 Fri"),
        ] {
            assert_eq!(Date::from_unix_seconds(seconds).format("%F %T %a"), text);
        }
        Date::from_unix_seconds(i64::MIN);
    }

    #[test]
    fn refuses_what_is_no_date() {
        for text in [
            "",
            "2026-7-26",
            "2026-02-29",
            "2026-13-01",
            "0000-01-01",
            "2026-07-26 ",
            "20260726",
            "+026-07-26",
            "２０２６-07",
        ] {
            assert_eq!(Date::parse(text), Err(DateError), "{text}");
        }
    }
}
