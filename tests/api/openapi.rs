//! The OpenAPI document: that it is the committed one, and that nothing is left undescribed.
//!
//! What linters find is left to them (`tests/openapi/check.sh`); here stands what needs no other program than ours.

use std::collections::BTreeSet;

use serde_json::Value;

/// Changes that say all they have to say by their address.
const BODILESS: [&str; 2] =
    ["POST /v1/deadlines/{id}/resumption", "POST /v1/cases/{id}/evidence/{evidence}/stripped"];

/// The document that is served.
fn document() -> Value {
    serde_json::to_value(temwen::http::openapi()).unwrap()
}

/// One operation: its name for messages, its address, its method, and what is said of it.
struct Operation {
    name: String,
    path: String,
    method: String,
    it: Value,
}

impl Operation {
    fn parameters(&self, place: &str) -> Vec<&Value> {
        let all = self.it["parameters"].as_array().into_iter().flatten();
        all.filter(|parameter| parameter["in"] == place).collect()
    }

    fn takes(&self, place: &str, name: &str) -> bool {
        self.parameters(place).iter().any(|parameter| parameter["name"] == name)
    }

    fn answers(&self) -> Vec<(&str, &Value)> {
        let all = self.it["responses"].as_object().into_iter().flatten();
        all.map(|(status, answer)| (status.as_str(), answer)).collect()
    }
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, it) in item.as_object().unwrap() {
            if ["get", "put", "post", "patch", "delete", "head", "options", "trace"]
                .contains(&method.as_str())
            {
                let name = format!("{} {path}", method.to_uppercase());
                found.push(Operation { name, path: path.clone(), method: method.clone(), it: it.clone() });
            }
        }
    }
    assert!(found.len() > 20, "only {} operations: are the routes still collected?", found.len());
    found
}

/// Says every fault at once: whoever adds ten operations mends them in one go.
fn no_faults(faults: &[String]) {
    assert!(faults.is_empty(), "openapi.yaml:\n  {}", faults.join("\n  "));
}

/// Text with something in it.
fn said(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// The schema that a reference stands for, or the schema itself.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(&Value::Null),
        None => schema,
    }
}

#[test]
fn the_committed_document_is_the_one_we_serve() {
    let ours = temwen::http::openapi().to_yaml().unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write("openapi.yaml", &ours).unwrap();
    }
    let committed = std::fs::read_to_string("openapi.yaml").unwrap_or_default();
    assert!(
        ours == committed,
        "openapi.yaml is out of date; run `UPDATE=1 cargo test openapi`, or `just openapi`"
    );
}

#[test]
fn every_operation_says_what_it_is() {
    let document = document();
    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone().to_string()).collect();
    let mut faults = Vec::new();
    let mut ids = BTreeSet::new();
    for Operation { name, it, .. } in operations(&document) {
        let mut fault = |what: &str| faults.push(format!("{name} {what}"));
        match it["operationId"].as_str() {
            Some(id) if !id.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
                fault("has an id with other than a-z and _");
            }
            Some(id) if !ids.insert(id.to_owned()) => fault("has the id of another operation"),
            Some(_) => {}
            None => fault("has no id"),
        }
        match it["summary"].as_str() {
            Some(summary) if summary.trim().is_empty() => fault("has an empty summary"),
            Some(summary) if summary.contains('\n') || summary.chars().count() > 120 => {
                fault("has a summary longer than a line");
            }
            Some(_) => {}
            None => fault("has no summary: the first line of the handler's comment"),
        }
        if !said(&it["description"]) {
            fault("has no description: the paragraphs below the first line of the handler's comment");
        }
        match it["tags"].as_array().map(Vec::as_slice) {
            Some([tag]) if tags.contains(&tag.to_string()) => {}
            Some([_]) => fault("has a tag that nobody describes"),
            _ => fault("must have one tag"),
        }
        if !it["security"].is_array() {
            fault("does not say who may call it: security((\"token\" = [])) or, for everybody, security(())");
        }
        if it["deprecated"] == true && !it["description"].as_str().unwrap_or_default().contains("instead") {
            fault("is deprecated and does not say what to use instead");
        }
    }
    no_faults(&faults);
}

#[test]
fn every_kind_of_caller_is_described() {
    let document = document();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    for Operation { name, it, .. } in operations(&document) {
        for way in it["security"].as_array().into_iter().flatten() {
            for scheme in way.as_object().unwrap().keys() {
                used.insert(scheme.clone());
                if !schemes.contains_key(scheme) {
                    faults.push(format!("{name} asks for {scheme}, which is not described"));
                }
            }
        }
    }
    for (name, scheme) in schemes {
        if !used.contains(name) {
            faults.push(format!("nobody asks for {name}"));
        }
        if !said(&scheme["description"]) {
            faults.push(format!("{name} does not say where such a token comes from"));
        }
    }
    no_faults(&faults);
}

#[test]
fn every_answer_is_described() {
    let document = document();
    let mut faults = Vec::new();
    for operation in operations(&document) {
        let mut fault = |what: String| faults.push(format!("{} {what}", operation.name));
        let answers = operation.answers();
        if !answers.iter().any(|(status, _)| status.starts_with('2')) {
            fault("never goes well".to_owned());
        }
        for class in ["4XX", "5XX"] {
            let problem =
                &operation.it["responses"][class]["content"]["application/problem+json"]["schema"]["$ref"];
            if problem != "#/components/schemas/Problem" {
                fault(format!("does not describe {class} as a problem: add `Refusal` to its responses"));
            }
        }
        for (status, answer) in answers {
            if !said(&answer["description"]) {
                fault(format!("{status} has no description"));
            }
            let bare = ["204", "304"].contains(&status) || (operation.method == "head" && status == "200");
            let content = answer["content"].as_object().into_iter().flatten();
            let kinds: Vec<_> = content.collect();
            if kinds.is_empty() != bare {
                fault(format!("{status} must {} a body", if bare { "not have" } else { "have" }));
            }
            for (kind, body) in kinds {
                if kind.ends_with("json") && resolve(&document, &body["schema"]).is_null() {
                    fault(format!("{status} has {kind} of no known shape"));
                }
            }
            for (header, about) in answer["headers"].as_object().into_iter().flatten() {
                if !said(&about["description"]) {
                    fault(format!("{status} has {header} without a description"));
                }
            }
        }
    }
    no_faults(&faults);
}

#[test]
fn every_parameter_is_described() {
    let document = document();
    let mut faults = Vec::new();
    for operation in operations(&document) {
        let mut fault = |what: String| faults.push(format!("{} {what}", operation.name));
        let named = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_address: BTreeSet<&str> = named.collect();
        let declared: BTreeSet<&str> =
            operation.parameters("path").iter().filter_map(|parameter| parameter["name"].as_str()).collect();
        if in_address != declared {
            fault(format!("has {in_address:?} in its address but describes {declared:?}"));
        }
        for parameter in operation.it["parameters"].as_array().into_iter().flatten() {
            let name = &parameter["name"];
            if !said(&parameter["description"]) {
                fault(format!("{name} has no description"));
            }
            if resolve(&document, &parameter["schema"]).is_null() {
                fault(format!("{name} has no known shape"));
            }
            if parameter["in"] == "path" && parameter["required"] != true {
                fault(format!("{name} is part of the address, so it is required"));
            }
        }
    }
    no_faults(&faults);
}

#[test]
fn every_body_has_an_example_and_refuses_unknown_fields() {
    let document = document();
    let mut faults = Vec::new();
    for Operation { name, method, it, .. } in operations(&document) {
        let mut fault = |what: &str| faults.push(format!("{name} {what}"));
        let Some(body) = it.get("requestBody") else {
            let announces = it["parameters"]
                .as_array()
                .is_some_and(|all| all.iter().any(|each| each["name"] == "Upload-Length"));
            if ["post", "put", "patch"].contains(&method.as_str())
                && !BODILESS.contains(&&*name)
                && !announces
            {
                fault(
                    "takes no body: if it does, say request_body = TheType, for ours is not found by itself",
                );
            }
            continue;
        };
        // Bytes of a file, by the tus protocol.
        if body["content"].get("application/offset+octet-stream").is_some() {
            continue;
        }
        let media = &body["content"]["application/json"];
        let schema = resolve(&document, &media["schema"]);
        if schema.is_null() {
            fault("takes a body of no known shape: say request_body = TheType");
            continue;
        }
        let example = [&media["example"], &media["examples"], &schema["example"], &schema["examples"]];
        if example.iter().all(|example| example.is_null()) {
            fault("takes a body without an example: #[schema(example = json!(…))]");
        }
        if schema["type"] == "object" && schema["additionalProperties"] != false {
            fault("takes a body with unknown fields: #[serde(deny_unknown_fields)]");
        }
    }
    no_faults(&faults);
}

#[test]
fn what_goes_with_every_change_and_every_list_is_declared() {
    let document = document();
    let mut faults = Vec::new();
    for operation in operations(&document) {
        let mut fault = |what: &str| faults.push(format!("{} {what}", operation.name));
        let tag = operation.it["tags"][0].as_str().unwrap_or_default();
        // Signing in makes a session each time: an answer with tokens is not kept to be given again.
        let signs_in = tag == "sessions" || operation.path.ends_with("/sessions");
        let creates = operation.method == "post" && operation.it["responses"].get("201").is_some();
        if creates && !signs_in && !operation.takes("header", "Idempotency-Key") {
            fault("creates something but does not declare Idempotency-Key");
        }
        let by_offset = operation.takes("header", "Upload-Offset");
        if operation.method == "patch" && !by_offset && !operation.takes("header", "If-Match") {
            fault("changes something but does not declare If-Match");
        }
        let media = &operation.it["responses"]["200"]["content"]["application/json"];
        let answer = resolve(&document, &media["schema"]);
        if answer["properties"].get("next").is_some_and(|_| answer["properties"].get("items").is_some()) {
            for parameter in ["limit", "after"] {
                if !operation.takes("query", parameter) {
                    fault(&format!("is a list but does not declare {parameter}"));
                }
            }
        }
    }
    no_faults(&faults);
}

/// Every value that stands under `key`, however deep.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == key {
                    found.push(value);
                }
                all(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        _ => {}
    }
}

#[test]
fn no_reference_leads_nowhere_and_no_schema_stands_unused() {
    let document = document();
    let mut references = Vec::new();
    all(&document, "$ref", &mut references);
    let used: BTreeSet<&str> = references.into_iter().filter_map(Value::as_str).collect();
    let mut faults = Vec::new();
    for reference in &used {
        let there = reference.strip_prefix('#').is_some_and(|pointer| document.pointer(pointer).is_some());
        if !there {
            faults.push(format!("{reference} does not exist: name its type in components(schemas(…))"));
        }
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        if !used.contains(format!("#/components/schemas/{name}").as_str()) {
            faults.push(format!("nobody uses the schema {name}"));
        }
    }
    no_faults(&faults);
}

#[test]
fn every_word_is_written_as_it_is_on_the_wire() {
    let document = document();
    let mut enums = Vec::new();
    all(&document["components"]["schemas"], "enum", &mut enums);
    assert!(enums.len() > 3, "only {} vocabularies were found", enums.len());
    let words = enums.into_iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let faults: Vec<String> = words
        .filter(|word| !word.chars().all(plain))
        .map(|word| format!("{word} is a name of ours"))
        .collect();
    no_faults(&faults);
}
