//! A validator of its own, and documents that it judges: those of models held to the schemas of the cases.

use crate::cases::CASES;
use nanocamelid_engine::chat::StopMatcher;
use nanocamelid_engine::{
    Constraint, Finish, Generator, Gguf, Grammar, Sampler, SamplerParams, Step, TokenTrie, Tokenizer,
};
use nanocamelid_tests::random::Random;
use nanocamelid_tests::rust_source::workspace_root;
use serde_json::Value;
use std::sync::Arc;

/// Whether a value is valid for a schema, patterns and formats apart: written from the specification, and with nothing
/// in common with the compiler.
fn is_valid(schema: &Value, value: &Value, root: &Value) -> bool {
    let Value::Object(keywords) = schema else { return *schema == Value::Bool(true) };
    let number = |value: &Value| value.as_f64().unwrap();
    let len = |limit: &Value| limit.as_u64().unwrap() as usize;
    let has_type = |name: &Value| match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("{other}"),
    };
    let valid_all = |schemas: &Value| schemas.as_array().unwrap().iter().all(|schema| is_valid(schema, value, root));
    let valid_any = |schemas: &Value| schemas.as_array().unwrap().iter().any(|schema| is_valid(schema, value, root));
    let known = |name: &str| schema["properties"].get(name).is_some();
    let n_first = schema["prefixItems"].as_array().map_or(0, Vec::len);
    if keywords.get("nullable") == Some(&Value::Bool(true)) && value.is_null() {
        return true;
    }
    keywords.iter().all(|(keyword, of)| match (keyword.as_str(), value) {
        ("type", _) => of.as_array().map_or_else(|| has_type(of), |names| names.iter().any(has_type)),
        ("enum", _) => of.as_array().unwrap().contains(value),
        ("const", _) => of == value,
        ("allOf", _) => valid_all(of),
        ("anyOf" | "oneOf", _) => valid_any(of),
        ("$ref", _) => is_valid(root.pointer(of.as_str().unwrap().strip_prefix('#').unwrap()).unwrap(), value, root),
        ("minLength", Value::String(text)) => text.chars().count() >= len(of),
        ("maxLength", Value::String(text)) => text.chars().count() <= len(of),
        ("minimum", Value::Number(_)) => number(value) >= number(of),
        ("maximum", Value::Number(_)) => number(value) <= number(of),
        ("exclusiveMinimum", Value::Number(_)) => number(value) > number(of),
        ("exclusiveMaximum", Value::Number(_)) => number(value) < number(of),
        ("minItems", Value::Array(items)) => items.len() >= len(of),
        ("maxItems", Value::Array(items)) => items.len() <= len(of),
        ("items", Value::Array(items)) => items.iter().skip(n_first).all(|item| is_valid(of, item, root)),
        ("prefixItems", Value::Array(items)) => {
            items.iter().zip(of.as_array().unwrap()).all(|(item, of)| is_valid(of, item, root))
        }
        ("properties", Value::Object(members)) => {
            members.iter().all(|(name, value)| of.get(name).is_none_or(|of| is_valid(of, value, root)))
        }
        ("required", Value::Object(members)) => {
            of.as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap()))
        }
        ("additionalProperties", Value::Object(members)) => {
            let is_other = |name: &str| !known(name) && schema.get("patternProperties").is_none();
            members.iter().all(|(name, value)| !is_other(name) || is_valid(of, value, root))
        }
        ("propertyNames", Value::Object(members)) => {
            members.keys().all(|name| is_valid(of, &Value::String(name.clone()), root))
        }
        ("minProperties", Value::Object(members)) => members.len() >= len(of),
        ("maxProperties", Value::Object(members)) => members.len() <= len(of),
        _ => true,
    })
}

#[test]
fn the_validator_agrees_with_the_cases() {
    let (mut n_refused, mut n_invalid) = (0, 0);
    for (schema, valid, invalid) in
        CASES.iter().filter(|(schema, ..)| !schema.contains("attern") && !schema.contains("format"))
    {
        let schema: Value = serde_json::from_str(schema).unwrap();
        for text in *valid {
            assert!(is_valid(&schema, &serde_json::from_str(text).unwrap(), &schema), "{schema}: {text}");
        }
        // Answers may lack what a schema allows, so an instance that is none of theirs may be valid.
        n_refused += invalid
            .iter()
            .filter(|text| match serde_json::from_str(text) {
                Ok(value) => !is_valid(&schema, &value, &schema),
                Err(_) => true,
            })
            .count();
        n_invalid += invalid.len();
    }
    assert!(4 * n_refused > 3 * n_invalid && n_invalid > 100, "{n_refused} of {n_invalid}");
}

#[test]
fn documents_of_random_models_are_valid() {
    let bytes = std::fs::read(workspace_root().join("host/demo/nanocamelid-demo.gguf")).unwrap();
    let tokenizer = Tokenizer::new(&Gguf::parse(&bytes).unwrap()).unwrap();
    let trie = Arc::new(TokenTrie::new(&tokenizer));
    let (mut n_ended, mut n_cut) = (0, 0);
    for (source, ..) in CASES {
        let schema: Value = serde_json::from_str(source).unwrap();
        let grammar = Arc::new(Grammar::from_json_schema(source).unwrap());
        let start = Constraint::new(grammar, Arc::clone(&trie));
        for seed in 0..12 {
            let params = SamplerParams { seed, temperature: 1.5, ..SamplerParams::default() };
            let sampler = Sampler::new(params, tokenizer.n_vocab()).unwrap();
            let mut generator =
                Generator::new(&tokenizer, sampler, StopMatcher::new([]).unwrap(), 1500).with_constraint(start.clone());
            let mut random = Random(seed + 77);
            let mut text = String::new();
            let finish = loop {
                let logits = random.values(tokenizer.n_vocab(), 5.0);
                if let Step::End(finish) = generator.next(&logits, &mut text).unwrap() {
                    break finish;
                }
            };
            match finish {
                Finish::Stop => n_ended += 1,
                Finish::Length => {
                    n_cut += 1;
                    continue;
                }
                other => panic!("{source}: {other:?} behind {text}"),
            }
            let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{source}: {text}: {e}"));
            assert!(is_valid(&schema, &value, &schema), "{source}: {text}");
        }
    }
    assert!(n_ended > 10 * n_cut, "{n_ended} documents are whole, {n_cut} are not");
}
