//! Typed fields of a request's JSON object. A wrong type or a value out of range is refused with the field's name; null
//! counts as absent, as in the APIs.

use super::refusal::Refusal;
use serde_json::{Map, Value as Json};

/// Most values in one request: a list of numbers takes fifty times its text in memory.
const MAX_VALUES: usize = 250_000;

/// A JSON object and its place in the request.
#[derive(Clone, Debug)]
pub(super) struct Fields<'j> {
    object: &'j Map<String, Json>,
    /// Empty for the request itself, else the path with a dot behind.
    place: String,
}

/// Parses a request's body.
///
/// # Errors
/// 400 for a body that is no JSON, or holds more values than a request needs.
pub(super) fn parse(body: &[u8]) -> Result<Json, Refusal> {
    if n_values(body) > MAX_VALUES {
        return Err(Refusal::bad(format_args!("the body has more than {MAX_VALUES} values")));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format_args!("the body is not valid JSON: {error}")))
}

/// Number of values in a JSON text, or a few more: what begins one, outside strings.
fn n_values(json: &[u8]) -> usize {
    let (mut n, mut is_text, mut is_escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b'[' | b'{' if !is_text => n += 1,
            _ => {}
        }
    }
    n
}

/// Token ids; `None` if one of the values is none.
pub(super) fn ids(list: &[Json]) -> Option<Vec<u32>> {
    list.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
}

impl<'j> Fields<'j> {
    /// The fields of a whole request.
    ///
    /// # Errors
    /// 400 for another kind of value.
    pub(super) fn of_request(json: &'j Json) -> Result<Self, Refusal> {
        let object = json.as_object().ok_or_else(|| Refusal::bad("the body must be a JSON object"))?;
        Ok(Self { object, place: String::new() })
    }

    /// The fields of a value inside a request.
    ///
    /// # Errors
    /// 400 for another kind of value.
    pub(super) fn of(json: &'j Json, place: &str) -> Result<Self, Refusal> {
        let object = json.as_object().ok_or_else(|| Refusal::field(place, "must be an object"))?;
        Ok(Self { object, place: format!("{place}.") })
    }

    /// The full name of a field.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }

    /// A refusal of a field.
    pub(super) fn refuse(&self, name: &str, problem: impl std::fmt::Display) -> Refusal {
        Refusal::field(self.path(name), problem)
    }

    /// The value of a field, unless it is absent or null.
    pub(super) fn get(&self, name: &str) -> Option<&'j Json> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// The object itself.
    pub(super) fn to_json(&self) -> Json {
        Json::Object(self.object.clone())
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &'j str> + use<'j> {
        self.object.keys().map(String::as_str)
    }

    /// Refuses fields that this server cannot honour, where they ask for something.
    ///
    /// # Errors
    /// 400 with the name of the first such field.
    pub(super) fn refuse_all(&self, names: &[&str]) -> Result<(), Refusal> {
        let asks = |value: &Json| match value {
            Json::Bool(asks) => *asks,
            Json::Array(items) => !items.is_empty(),
            Json::Object(entries) => !entries.is_empty(),
            _ => true,
        };
        match names.iter().find(|name| self.get(name).is_some_and(asks)) {
            Some(name) => Err(self.refuse(name, "not supported by this server")),
            None => Ok(()),
        }
    }

    fn typed<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'j Json) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.refuse(name, format_args!("must be {expected}")))
    }

    /// A string.
    ///
    /// # Errors
    /// 400 for another type, like every method here.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'j str>, Refusal> {
        self.typed(name, "a string", Json::as_str)
    }

    /// True or false.
    ///
    /// # Errors
    /// 400 for another type.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.typed(name, "true or false", Json::as_bool)
    }

    /// A number within bounds.
    ///
    /// # Errors
    /// 400 for another type, and for a number outside the bounds.
    pub(super) fn number(&self, name: &str, low: f64, high: f64) -> Result<Option<f32>, Refusal> {
        let expected = format!("a number from {low} to {high}");
        let number = self.typed(name, &expected, |json| json.as_f64().filter(|x| (low..=high).contains(x)))?;
        Ok(number.map(|x| x as f32))
    }

    /// A whole number within bounds. A float without a fraction is whole, as some clients write it.
    ///
    /// # Errors
    /// 400 for another type, and for a number outside the bounds.
    pub(super) fn whole(&self, name: &str, low: i64, high: i64) -> Result<Option<i64>, Refusal> {
        let expected = if high == i64::MAX {
            format!("a whole number of at least {low}")
        } else {
            format!("a whole number from {low} to {high}")
        };
        let whole = |json: &Json| {
            let float = || json.as_f64().filter(|x| x.fract() == 0.0 && x.abs() < 9e15).map(|x| x as i64);
            json.as_i64().or_else(float).filter(|n| (low..=high).contains(n))
        };
        self.typed(name, &expected, whole)
    }

    /// A count within bounds.
    ///
    /// # Errors
    /// 400 for another type, and for a number outside the bounds.
    pub(super) fn count(&self, name: &str, low: usize, high: usize) -> Result<Option<usize>, Refusal> {
        let bound = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        Ok(self.whole(name, bound(low), bound(high))?.and_then(|n| usize::try_from(n).ok()))
    }

    /// A list.
    ///
    /// # Errors
    /// 400 for another type.
    pub(super) fn list(&self, name: &str) -> Result<Option<&'j [Json]>, Refusal> {
        self.typed(name, "a list", |json| json.as_array().map(Vec::as_slice))
    }

    /// An object.
    ///
    /// # Errors
    /// 400 for another type.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, Refusal> {
        let object = self.typed(name, "an object", Json::as_object)?;
        Ok(object.map(|object| Self { object, place: format!("{}.", self.path(name)) }))
    }

    /// A string, or a list of strings.
    ///
    /// # Errors
    /// 400 for another type.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<&'j str>>, Refusal> {
        self.typed(name, "a string or a list of strings", |json| match json {
            Json::String(text) => Some(vec![text.as_str()]),
            Json::Array(items) => items.iter().map(Json::as_str).collect(),
            _ => None,
        })
    }

    /// A required field's value.
    ///
    /// # Errors
    /// 400 if it is absent.
    pub(super) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Refusal> {
        value.ok_or_else(|| self.refuse(name, "required"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wrong_fields_are_refused_by_name() {
        let json = json!({"a": {"n": 1.5, "t": 3, "big": 1e30, "null": null, "f": 2.0}, "l": [1]});
        let fields = Fields::of_request(&json).unwrap();
        let inner = fields.object("a").unwrap().unwrap();
        let message = |refusal: Result<(), Refusal>| refusal.unwrap_err().message;
        assert_eq!(message(inner.text("t").map(drop)), "a.t: must be a string");
        assert_eq!(message(inner.number("n", 0.0, 1.0).map(drop)), "a.n: must be a number from 0 to 1");
        assert_eq!(message(inner.whole("n", 0, 9).map(drop)), "a.n: must be a whole number from 0 to 9");
        assert_eq!(message(inner.count("big", 1, usize::MAX).map(drop)), "a.big: must be a whole number of at least 1");
        assert_eq!(message(fields.texts("l").map(drop)), "l: must be a string or a list of strings");
        assert_eq!(message(fields.refuse_all(&["x", "l"])), "l: not supported by this server");
        assert_eq!(inner.whole("f", 0, 9).unwrap(), Some(2));
        assert_eq!(inner.text("null").unwrap(), None);
        assert!(fields.refuse_all(&["x"]).is_ok());
    }

    #[test]
    fn a_body_of_too_many_values_is_refused_before_it_takes_memory() {
        let list = |n: usize| format!("[{}0]", "0,".repeat(n));
        assert!(parse(list(1000).as_bytes()).is_ok());
        assert!(parse(list(MAX_VALUES).as_bytes()).unwrap_err().message.contains("values"));
        let text = format!("\"{}\\\"{}\"", ",".repeat(MAX_VALUES), "[".repeat(MAX_VALUES));
        assert!(parse(text.as_bytes()).is_ok(), "a text's commas are no values");
        assert!(parse("[".repeat(10_000).as_bytes()).is_err());
        assert!(parse(br#""\ud800""#).is_err(), "a lone surrogate is no text");
    }
}
