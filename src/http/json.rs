//! Reading JSON bodies. One of the wrong shape is refused with all its faults, and none of them repeats what was sent: it
//! may be somebody's name.

use std::collections::HashMap;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use serde_path_to_error::Segment;

use crate::error::{Error, Kind, Result};
use crate::values::Faults;

/// How many faults of shape are named at most.
const MOST_FAULTS: usize = 32;
/// How often a body is looked through for them: most are found at the first or second look, and each look costs as much
/// as reading it did.
const MOST_LOOKS: usize = 64;

/// A field whose `null` says something else than its absence: to be given as `#[serde(default, deserialize_with = "given")]`.
pub fn given<'de, T, D>(deserializer: D) -> std::result::Result<Option<T>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Reads JSON. What is not JSON at all is refused as unreadable; a value that is not of the wanted shape, with its faults.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Error::new(Kind::Malformed, "the body is not UTF-8"));
    }
    // Every request is an object; a list of the right length would pass for one.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        let json = serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| unreadable(bytes, &error));
        return json.and(Err(Error::fault("", "must be an object")));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let first = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(value) => match deserializer.end() {
            Ok(()) => return Ok(value),
            Err(_) => return Err(Error::new(Kind::Malformed, "something follows the JSON value")),
        },
        Err(error) => error,
    };
    // Where it is not JSON at all, the position says more than a pointer would.
    let value = serde_json::from_slice::<Value>(bytes).map_err(|error| unreadable(bytes, &error))?;
    Err(all_faults::<T>(value, first))
}

fn unreadable(bytes: &[u8], error: &serde_json::Error) -> Error {
    let what =
        if bytes.iter().all(u8::is_ascii_whitespace) { "the body is empty" } else { "the body is not JSON" };
    Error::new(Kind::Malformed, format!("{what} (line {}, column {})", error.line(), error.column()))
}

/// Finds one fault after another: each is mended by some value that the field does take, to see what lies behind it.
fn all_faults<T: DeserializeOwned>(
    mut value: Value,
    mut error: serde_path_to_error::Error<serde_json::Error>,
) -> Error {
    let mut faults = Faults::default();
    let mut named = 0;
    let mut tried: HashMap<String, usize> = HashMap::new();
    for _ in 0..MOST_LOOKS {
        let fault = ShapeFault::of(&error);
        let at = fault.pointer();
        // What stands beneath a stand-in of ours is no fault of theirs.
        let ours = |place: &String| at == *place || at.starts_with(&format!("{place}/"));
        if !tried.keys().any(ours) {
            faults.add(at.clone(), fault.detail());
            named += 1;
        }
        if named == MOST_FAULTS || !fault.mend(&mut value, tried.entry(at).or_default()) {
            break;
        }
        match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(_) => break,
            Err(next) => error = next,
        }
    }
    faults.check().err().unwrap_or_else(|| Error::new(Kind::Invalid, "the request has faults"))
}

enum Wrong {
    Missing,
    Duplicate,
    Unknown,
    Value,
}

/// One fault of shape: what serde says of it, taken apart.
struct ShapeFault {
    segments: Vec<String>,
    text: String,
    wrong: Wrong,
}

impl ShapeFault {
    fn of(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let mut segments: Vec<String> = error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                Segment::Seq { index } => Some(index.to_string()),
                Segment::Map { key } => Some(key.clone()),
                Segment::Enum { .. } | Segment::Unknown => None,
            })
            .collect();
        let text = error.inner().to_string();
        let ours = |prefix: &str| text.strip_prefix(prefix)?.split('`').next().map(str::to_owned);
        let wrong = if let Some(field) = ours("missing field `") {
            segments.push(field);
            Wrong::Missing
        } else if let Some(field) = ours("duplicate field `") {
            if segments.last() != Some(&field) {
                segments.push(field);
            }
            Wrong::Duplicate
        } else if text.starts_with("unknown field `") {
            // The path ends in it.
            Wrong::Unknown
        } else {
            Wrong::Value
        };
        Self { segments, text, wrong }
    }

    /// Where it is (RFC 6901).
    fn pointer(&self) -> String {
        let escaped = |each: &String| format!("/{}", each.replace('~', "~0").replace('/', "~1"));
        self.segments.iter().map(escaped).collect()
    }

    fn detail(&self) -> String {
        match self.wrong {
            Wrong::Missing => "must be given".to_owned(),
            Wrong::Duplicate => "stands more than once".to_owned(),
            Wrong::Unknown => "is not a field of this request".to_owned(),
            Wrong::Value => wording(&self.text),
        }
    }

    /// Makes this fault go, in one of several ways of which `tried` were; false if nothing helps.
    fn mend(&self, value: &mut Value, tried: &mut usize) -> bool {
        let Some((last, above)) = self.segments.split_last() else { return false };
        let parent = above.iter().try_fold(value, |value, step| match value {
            Value::Object(fields) => fields.get_mut(step),
            Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        });
        let Some(parent) = parent else { return false };
        match (&self.wrong, parent) {
            // Of two, the last was kept when the body was read as a tree.
            (Wrong::Duplicate, _) => true,
            (Wrong::Unknown, Value::Object(fields)) => fields.remove(last).is_some(),
            (_, parent) => {
                let Some(stand_in) = self.stand_in(*tried) else { return false };
                *tried += 1;
                match parent {
                    Value::Object(fields) => fields.insert(last.clone(), stand_in),
                    Value::Array(items) => last
                        .parse::<usize>()
                        .ok()
                        .and_then(|index| items.get_mut(index))
                        .map(|item| std::mem::replace(item, stand_in)),
                    _ => return false,
                };
                true
            }
        }
    }

    /// A value that the field may take.
    fn stand_in(&self, tried: usize) -> Option<Value> {
        if self.text.starts_with("unknown variant") {
            return expected(&self.text).and_then(|known| known.split('`').nth(1)).map(Value::from);
        }
        let ways = [
            Value::Null,
            json!(""),
            json!(0),
            json!(false),
            json!([]),
            json!({}),
            json!("00000000-0000-0000-0000-000000000000"),
            json!("2000-01-01"),
            json!("2000-01-01T00:00:00Z"),
        ];
        ways.into_iter().nth(tried)
    }
}

/// What serde expected. The last place where it says so: an earlier one may be part of what was sent.
fn expected(text: &str) -> Option<&str> {
    let (_, expected) = text.rsplit_once(", expected ")?;
    expected.split(" at line ").next()
}

/// serde's sentence, without the value that was sent.
fn wording(text: &str) -> String {
    match expected(text) {
        Some(known) if text.starts_with("unknown variant") => {
            format!("must be one of: {}", known.trim_start_matches("one of ").replace('`', ""))
        }
        Some(kind) if kind.starts_with("struct ") || kind == "a map" => "must be an object".to_owned(),
        Some("a sequence") => "must be a list".to_owned(),
        Some(kind) => format!("must be {kind}"),
        None if text.contains("out of range") => "is out of range".to_owned(),
        None => "is not a value that this field takes".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        Red,
        Blue,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        number: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Outer {
        name: String,
        day: chrono::NaiveDate,
        id: uuid::Uuid,
        colour: Colour,
        inner: Option<Inner>,
        all: Vec<Inner>,
        sure: bool,
    }

    fn faults(body: &str) -> Vec<(String, String)> {
        let error = read_json::<Outer>(body.as_bytes()).unwrap_err();
        error.faults().iter().map(|fault| (fault.pointer.clone(), fault.detail.clone())).collect()
    }

    fn pointers(body: &str) -> Vec<String> {
        faults(body).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn every_fault_is_named_once_and_what_is_missing_hides_none() {
        let body = r#"{"name": 1, "day": "soon", "id": "x", "colour": "green", "inner": {"number": 300, "more": 1},
            "all": [{}, {"number": 1}, 5], "extra": 1, "a`b, expected c": 2}"#;
        let mut found = pointers(body);
        found.sort();
        let wanted = [
            "/a`b, expected c",
            "/all/0/number",
            "/all/2",
            "/colour",
            "/day",
            "/extra",
            "/id",
            "/inner/more",
            "/inner/number",
            "/name",
            "/sure",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_body_without_anything_lacks_everything() {
        assert_eq!(pointers("{}"), ["/name", "/day", "/id", "/colour", "/all", "/sure"]);
    }

    #[test]
    fn no_fault_repeats_what_was_sent() {
        let body = r#"{"name": "n", "day": "SECRET, expected SECRET", "id": "SECRET`, expected `SECRET", "colour": "SECRET`, expected `SECRET",
            "inner": "SECRET, expected SECRET at line 1", "all": "SECRET", "sure": "SECRET, expected SECRET"}"#;
        for (pointer, detail) in faults(body) {
            assert!(!detail.contains("SECRET"), "{pointer} {detail}");
        }
    }

    #[test]
    fn a_list_is_no_object() {
        assert_eq!(faults("[1, 2]"), [(String::new(), "must be an object".to_owned())]);
        assert_eq!(read_json::<Outer>(b"[1,").unwrap_err().kind(), Kind::Malformed);
    }
}
