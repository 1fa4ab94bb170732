//! Numbers between bounds, digit by digit.
//!
//! A bounded number has no exponent. Its digits behind the point are at most [`MIN_FRACTION`], or as many as the
//! bounds have. All values are integers in units of the last of these digits, which is exact.

use super::super::builder::{GrammarBuilder, Part};
use super::super::error::GrammarError;
use super::super::json::Json;
use super::super::json_parts::MAX_DIGITS;
use super::place::Place;
use super::{Compiler, Type};
use alloc::vec::Vec;

/// Digits behind the point that a bounded number may have, if its bounds have no more.
const MIN_FRACTION: u32 = 6;
/// Digits in front of the point and behind it that a bound may have. Together they are exact in 128 bits.
const MAX_WHOLE: usize = 18;
const MAX_FRACTION: usize = 15;

pub(super) const KEYWORDS: [&str; 4] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

impl Compiler<'_, '_> {
    /// Numbers, or integers, that are valid for a schema.
    pub(super) fn number(&mut self, schema: &Json, of: Type, place: &Place<'_>) -> Result<Part, GrammarError> {
        let mut bounds = Bounds::default();
        for (keyword, is_excluded) in
            [("minimum", false), ("exclusiveMinimum", true), ("maximum", false), ("exclusiveMaximum", true)]
        {
            let number = match schema.get(keyword) {
                None => continue,
                Some(Json::Number(number)) => number,
                Some(_) => return Err(place.error(keyword, "expected a number")),
            };
            let bound = Decimal::new(number).ok_or_else(|| place.error(keyword, "the number has too many digits"))?;
            let side = if keyword.ends_with("inimum") { &mut bounds.low } else { &mut bounds.high };
            if side.replace((bound, is_excluded)).is_some() {
                return Err(place.error(keyword, "a bound is given twice"));
            }
        }
        let is_integer = of == Type::Integer;
        if bounds.low.is_none() && bounds.high.is_none() {
            let rule = if is_integer { self.json.integer } else { self.json.number };
            return Ok(self.builder.reference(rule));
        }
        match bounds.part(self.builder, is_integer) {
            Some(part) => Ok(part),
            None => Err(place.error("", "no number lies between the bounds")),
        }
    }
}

/// A bound as it is written: `digits * 10^-scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    /// A JSON number, exactly; `None` if it has too many digits.
    pub(super) fn new(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().ok()?;
        let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let mut scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
        while scale > 0 && digits.last() == Some(&b'0') {
            digits.pop();
            scale -= 1;
        }
        let first = digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len());
        digits.drain(..first);
        if digits.is_empty() {
            return Some(Self { digits: 0, scale: 0 });
        }
        while scale < 0 && digits.len() <= MAX_WHOLE {
            digits.push(b'0');
            scale += 1;
        }
        let scale = u32::try_from(scale).ok().filter(|&scale| scale as usize <= MAX_FRACTION)?;
        if digits.len() > MAX_WHOLE + scale as usize {
            return None;
        }
        let value = digits.iter().fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
        Some(Self { digits: if is_negative { -value } else { value }, scale })
    }

    /// Whether this is an integer.
    pub(super) fn is_whole(self) -> bool {
        self.scale == 0
    }

    /// This number, if it is an integer and not negative.
    pub(super) fn whole(self) -> Option<u64> {
        u64::try_from(self.digits).ok().filter(|_| self.is_whole())
    }

    /// In units of `10^-scale`, of which this number has a whole number if `scale` is large enough; rounded down.
    fn floor_in(self, scale: u32) -> i128 {
        match scale.checked_sub(self.scale) {
            Some(more) => self.digits * power(more),
            None => self.digits.div_euclid(power(self.scale - scale)),
        }
    }

    fn ceil_in(self, scale: u32) -> i128 {
        -Self { digits: -self.digits, ..self }.floor_in(scale)
    }
}

fn power(exponent: u32) -> i128 {
    10_i128.pow(exponent)
}

/// Lower and upper bounds, and whether each is itself left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    pub(super) low: Option<(Decimal, bool)>,
    pub(super) high: Option<(Decimal, bool)>,
}

impl Bounds {
    /// The numbers between the bounds, of which there is one at least; `None` if there is none.
    pub(super) fn part(&self, builder: &mut GrammarBuilder, is_integer: bool) -> Option<Part> {
        let scales = [self.low, self.high].into_iter().flatten().map(|(bound, _)| bound.scale);
        let n_fraction = if is_integer { 0 } else { scales.max().unwrap_or(0).max(MIN_FRACTION) };
        let low = self.low.map(|(low, is_excluded)| match is_excluded {
            true => low.floor_in(n_fraction) + 1,
            false => low.ceil_in(n_fraction),
        });
        let high = self.high.map(|(high, is_excluded)| match is_excluded {
            true => high.ceil_in(n_fraction) - 1,
            false => high.floor_in(n_fraction),
        });
        // Where there is no bound, numbers have as many digits as any, or one more than the other bound has.
        let most = |other: Option<i128>| {
            let n_digits = other.map_or(0, |other| decimal_digits(other.unsigned_abs() / power(n_fraction) as u128));
            power(n_fraction + (n_digits + 1).max(MAX_DIGITS)) - 1
        };
        let (low, high) = (low.unwrap_or_else(|| -most(high)), high.unwrap_or_else(|| most(low)));
        if low > high {
            return None;
        }
        let mut digits = Digits { builder, n_fraction };
        let mut alternatives = Vec::new();
        if low < 0 {
            let minus = digits.builder.literal("-");
            let number = digits.between((-high).max(1), -low);
            alternatives.push(digits.builder.sequence([minus, number]));
        }
        if high >= 0 {
            alternatives.push(digits.between(low.max(0), high));
        }
        Some(builder.alternatives(alternatives))
    }
}

fn decimal_digits(value: u128) -> u32 {
    value.checked_ilog10().unwrap_or(0) + 1
}

/// Makes the digits of a range behind the first one: that many, from a number to another.
type Rest<'r> = dyn FnMut(&mut Digits<'_>, (i128, i128), u32) -> Part + 'r;

/// Makes parts of numbers that are not negative.
struct Digits<'b> {
    builder: &'b mut GrammarBuilder,
    n_fraction: u32,
}

impl Digits<'_> {
    /// Numbers from `low` to `high`, in units of the last digit behind the point.
    fn between(&mut self, low: i128, high: i128) -> Part {
        let unit = power(self.n_fraction);
        let (whole_low, whole_high) = (low / unit, high / unit);
        let (fraction_low, fraction_high) = (low % unit, high % unit);
        if self.n_fraction == 0 {
            return self.whole(low, high);
        }
        let mut alternatives = Vec::new();
        let (first, last) = if whole_low == whole_high { (fraction_high, None) } else { (unit - 1, Some(0)) };
        alternatives.push(self.with_fraction((whole_low, whole_low), (fraction_low, first)));
        if let Some(start) = last {
            if whole_low + 1 < whole_high {
                alternatives.push(self.with_fraction((whole_low + 1, whole_high - 1), (0, unit - 1)));
            }
            alternatives.push(self.with_fraction((whole_high, whole_high), (start, fraction_high)));
        }
        self.builder.alternatives(alternatives)
    }

    /// A number in front of the point and one behind it. Without digits behind the point, these are 0.
    fn with_fraction(&mut self, whole: (i128, i128), (low, high): (i128, i128)) -> Part {
        let whole = self.whole(whole.0, whole.1);
        let digits = self.fraction(low, high, self.n_fraction);
        let point = self.builder.literal(".");
        let fraction = self.builder.sequence([point, digits]);
        let fraction = if low == 0 { self.builder.optional(fraction) } else { fraction };
        self.builder.sequence([whole, fraction])
    }

    /// One to `n` digits that are from `low` to `high` once zeros have filled them up to `n`.
    fn fraction(&mut self, low: i128, high: i128, n: u32) -> Part {
        self.by_first_digit((low, high), n, &mut |digits, (low, high), n| {
            if n == 0 {
                return digits.builder.empty();
            }
            let rest = digits.fraction(low, high, n);
            if low == 0 { digits.builder.optional(rest) } else { rest }
        })
    }

    /// Integers without zeros in front.
    fn whole(&mut self, low: i128, high: i128) -> Part {
        let mut alternatives = Vec::new();
        for n in decimal_digits(low.unsigned_abs())..=decimal_digits(high.unsigned_abs()) {
            let smallest = if n == 1 { 0 } else { power(n - 1) };
            alternatives.push(self.padded(low.max(smallest), high.min(power(n) - 1), n));
        }
        self.builder.alternatives(alternatives)
    }

    /// Exactly `n` digits from `low` to `high`.
    fn padded(&mut self, low: i128, high: i128, n: u32) -> Part {
        self.by_first_digit((low, high), n, &mut |digits, (low, high), n| match n {
            0 => digits.builder.empty(),
            n => digits.padded(low, high, n),
        })
    }

    /// `n` digits from `low` to `high`, by the first one: `rest` makes the other ones of a range. First digits behind
    /// which anything may come share a rest.
    fn by_first_digit(&mut self, (low, high): (i128, i128), n: u32, rest: &mut Rest<'_>) -> Part {
        let unit = power(n - 1);
        let range_of =
            |digit: i128| (low.max(digit * unit) - digit * unit, high.min((digit + 1) * unit - 1) - digit * unit);
        let mut alternatives = Vec::new();
        let mut digit = low / unit;
        while digit <= high / unit {
            let range = range_of(digit);
            let mut last = digit;
            while last < high / unit && range_of(last + 1) == range {
                last += 1;
            }
            let of = |digit: i128| char::from(b'0' + digit as u8);
            let (first, rest) = (self.builder.characters(&[(of(digit), of(last))]), rest(self, range, n - 1));
            alternatives.push(self.builder.sequence([first, rest]));
            digit = last + 1;
        }
        self.builder.alternatives(alternatives)
    }
}
