//! JSON as a template's values.

use nanocamelid_engine::template::Value;
use serde_json::Value as Json;

/// JSON as a template's value: every text, and every key, is a message's. Rendering makes the roles the template's.
///
/// # Errors
/// What is nested too deeply for a template, and a number that no integer or float of a template is.
pub(crate) fn value(json: &Json) -> Result<Value, String> {
    // The one thing that can be wrong with a container.
    let too_deep = |_| "nested too deeply for a template".to_owned();
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(number) => {
            // With every digit that the file has.
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

/// A number's text, or as much of it as a message has room for.
fn shortened(number: &str) -> String {
    const MAX_SHOWN: usize = 40;
    if number.len() <= MAX_SHOWN { number.to_owned() } else { format!("{}...", &number[..MAX_SHOWN]) }
}
