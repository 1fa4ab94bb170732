//! JSON as a template's values.

use nanocamelid_engine::template::Value;
use serde_json::Value as Json;

/// JSON as a template's value. Every text and every key counts as the text of a message, so no control token comes of
/// them; rendering then makes the roles text of the template.
///
/// # Errors
/// A value that is nested too deeply for a template, or a number that fits no integer and no float of a template.
pub(crate) fn value(json: &Json) -> Result<Value, String> {
    // A container can only be nested too deeply.
    let too_deep = |_| "nested too deeply for a template".to_owned();
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(number) => {
            // The number keeps every digit that the file has.
            let text = number.to_string();
            Value::number(&text).ok_or_else(|| format!("the number {} is too large", shortened(&text)))?
        }
        Json::String(text) => Value::message_text(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(value).collect::<Result<_, _>>()?).map_err(too_deep)?,
        Json::Object(entries) => {
            let entries = entries.iter().map(|(key, json)| Ok((key.clone(), value(json)?)));
            Value::map(entries.collect::<Result<_, String>>()?).map_err(too_deep)?
        }
    })
}

/// The text of a number, cut to the length that an error message has room for.
fn shortened(number: &str) -> String {
    const MAX_SHOWN: usize = 40;
    if number.len() <= MAX_SHOWN { number.to_owned() } else { format!("{}...", &number[..MAX_SHOWN]) }
}
