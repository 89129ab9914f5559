//! Whether a document has the shape of what was read from it. Serde takes arrays for structs, field by field, and
//! objects for the words of an enumeration; the format does not.

use serde_json::Value;

/// The first place where an array, object, text, number or null stands for another of these, in words; `None` if there
/// is none.
pub(super) fn difference(document: &Value, expected: &Value) -> Option<String> {
    match (document, expected) {
        (Value::Object(found), Value::Object(fields)) => {
            if let Some(key) = found.keys().find(|key| !fields.contains_key(*key)) {
                return Some(format!("unknown key {:.40?}", key.as_str()));
            }
            fields.iter().find_map(|(key, expected)| {
                let Some(found) = found.get(key) else {
                    return Some(format!("no `{key}`"));
                };
                difference(found, expected)
            })
        }
        (Value::Array(found), Value::Array(list)) if found.len() == list.len() => {
            (found.iter().zip(list)).find_map(|(found, expected)| difference(found, expected))
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, Value::Null) => None,
        _ => Some(format!(
            "{} where {} belongs",
            kind(document),
            kind(expected)
        )),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::Null => "null",
    }
}
