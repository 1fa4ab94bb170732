//! JSON schemas as grammars, in the shape of the public JSON-Schema-Test-Suite: schemas, instances that are valid, and
//! instances that are not. Each instance is tried as compact text and indented.

mod cases;
mod validator;

use cases::CASES;
use nanocamelid_engine::{Grammar, GrammarError};
use nanocamelid_tests::random::Random;
use serde_json::Value;

#[test]
fn valid_instances_match_and_others_do_not() {
    for (schema, valid, invalid) in CASES {
        let grammar = Grammar::from_json_schema(schema).unwrap_or_else(|e| panic!("{schema}: {e}"));
        let matches = |text: &str| grammar.matches(text.as_bytes());
        for text in *valid {
            assert!(matches(text), "{schema}: {text}");
            let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            if text.contains("\\u") {
                continue;
            }
            assert!(matches(&value.to_string()), "{schema}: {value}");
            assert!(matches(&serde_json::to_string_pretty(&value).unwrap()), "{schema}: {value:#}");
        }
        for text in *invalid {
            assert!(!matches(text), "{schema}: {text}");
        }
        assert!(!matches(""), "{schema}");
    }
}

#[test]
fn what_is_not_supported_is_named() {
    for (schema, message) in [
        ("", "line 1, column 1: expected a JSON value"),
        ("{\n \"type\": }", "line 2, column 10: expected a JSON value"),
        (r#"{"a":1,"a":2}"#, "line 1, column 8: the key occurs twice"),
        (r#"{"a":"\ud800"}"#, "line 1, column 9: half of a surrogate pair"),
        ("[1", "line 1, column 3: expected , or a closing bracket"),
        ("01", "line 1, column 1: expected a number"),
        ("{} x", "line 1, column 4: expected the end of the JSON text"),
        ("3", "#: a schema is an object, true or false"),
        (r#"{"multipleOf":2}"#, "#: \"multipleOf\": this keyword is not supported"),
        (r#"{"not":{}}"#, "#: \"not\": this keyword is not supported"),
        (r#"{"if":{},"then":{}}"#, "#: \"if\": this keyword is not supported"),
        (
            r#"{"properties":{"a/b":{"items":{"contains":{}}}}}"#,
            "#/properties/a~1b/items: \"contains\": this keyword is not supported",
        ),
        (r#"{"type":"array","uniqueItems":true}"#, "#: \"uniqueItems\": this keyword is not supported"),
        (r#"{"anyOf":[{},{"type":"text"}]}"#, "#/anyOf/1: \"type\": unknown type"),
        (r#"{"anyOf":[]}"#, "#: \"anyOf\": expected a list that is not empty"),
        (r#"{"enum":[]}"#, "#: \"enum\": expected a list that is not empty"),
        (r#"{"properties":[]}"#, "#: \"properties\": expected an object"),
        (r#"{"required":"a"}"#, "#: \"required\": expected a list"),
        (r#"{"properties":{"a":1}}"#, "#/properties/a: a schema is an object, true or false"),
        (r#"{"items":[{}]}"#, "#: \"items\": expected a schema; prefixItems has a list"),
        (r#"{"minLength":-1}"#, "#: \"minLength\": expected a whole number that is not negative"),
        (r#"{"minItems":1.5}"#, "#: \"minItems\": expected a whole number that is not negative"),
        (r#"{"minItems":99999999999}"#, "#: \"minItems\": the number is too large"),
        (r#"{"format":"regex"}"#, "#: \"format\": this format is not supported"),
        (r#"{"pattern":"(?=a)"}"#, "#: \"pattern\": this kind of group is not supported"),
        (r#"{"pattern":"(?<!a)"}"#, "#: \"pattern\": this kind of group is not supported"),
        (r#"{"pattern":"\\bx"}"#, "#: \"pattern\": this escape is not supported"),
        (r#"{"pattern":"(a)\\1"}"#, "#: \"pattern\": this escape is not supported"),
        (r#"{"pattern":"\\p{L}"}"#, "#: \"pattern\": this escape is not supported"),
        (r#"{"pattern":"(^a)"}"#, "#: \"pattern\": an anchor is supported only at the ends of the pattern"),
        (r#"{"pattern":"a^b"}"#, "#: \"pattern\": an anchor is supported only at the ends of the pattern"),
        (r#"{"pattern":"(a"}"#, "#: \"pattern\": expected )"),
        (r#"{"pattern":"a)"}"#, "#: \"pattern\": a ) without a ("),
        (r#"{"pattern":"+"}"#, "#: \"pattern\": nothing to repeat"),
        (r#"{"pattern":"[b-a]"}"#, "#: \"pattern\": a range ends before it begins"),
        (r#"{"pattern":"a","maxLength":3}"#, "#: \"pattern\": cannot be combined with minLength or maxLength"),
        (r#"{"minimum":"1"}"#, "#: \"minimum\": expected a number"),
        (r#"{"minimum":1e40}"#, "#: \"minimum\": the number has too many digits"),
        (r#"{"minimum":3,"maximum":2}"#, "#: no number lies between the bounds"),
        (r#"{"minimum":3,"exclusiveMinimum":2}"#, "#: \"exclusiveMinimum\": a bound is given twice"),
        (r#"{"nullable":1}"#, "#: \"nullable\": expected true or false"),
        (
            r#"{"$ref":"other.json#/a"}"#,
            "#: \"$ref\": only references into the schema itself are supported, such as #/$defs/name",
        ),
        (r##"{"$ref":"#/$defs/a"}"##, "#: \"$ref\": the schema has nothing at this place"),
        (r##"{"$ref":"#"}"##, "the rule \"#\" begins with itself (left recursion)"),
        (r##"{"$ref":"#","type":"null"}"##, "#: the schema is nested too deeply"),
        (r##"{"allOf":[{"$ref":"#"}]}"##, "#: the schema is nested too deeply"),
        (
            r#"{"allOf":[{"minimum":1},{"minimum":2}]}"#,
            "#/allOf/1: \"minimum\": two schemas with this keyword cannot be merged",
        ),
        (
            r#"{"allOf":[{"properties":{"a":{}},"additionalProperties":false},{"properties":{"b":{}}}]}"#,
            "#/allOf/1: \"additionalProperties\": schemas with properties of their own cannot be merged",
        ),
        (r#"{"enum":[1],"minimum":0}"#, "#: \"minimum\": this keyword cannot be combined with enum or const"),
        (r#"{"required":["a"],"additionalProperties":false}"#, "#: \"required\": a name that no property may have"),
        (
            r#"{"properties":{"a":{}},"minProperties":1}"#,
            "#: \"minProperties\": supported only in objects without properties and required",
        ),
        (r#"{"type":"string","enum":[1]}"#, "no text of the grammar ever ends"),
        (r#"{"properties":{"a":false},"required":["a"]}"#, "no text of the grammar ever ends"),
        (r##"{"properties":{"a":{"$ref":"#"}},"required":["a"]}"##, "no text of the grammar ever ends"),
    ] {
        let error = Grammar::from_json_schema(schema).map(|_| ()).expect_err(schema);
        assert_eq!(error.to_string(), message, "{schema}");
    }
}

/// Integers and decimals near random bounds, against the arithmetic of this machine.
#[test]
fn bounds_of_numbers_are_exact() {
    let mut random = Random(5);
    for round in 0..300 {
        let digits = 1 + random.below(6) as u32;
        let mut number = |span: i64| random.below(2 * span as usize + 1) as i64 - span;
        let span = 10_i64.pow(digits);
        let (a, b) = (number(span), number(span));
        let (low, high) = (a.min(b), a.max(b));
        let is_integer = round % 2 == 0;
        let text = |value: i64| match is_integer {
            true => value.to_string(),
            // Two digits behind the point.
            false => format!("{}{}.{:02}", if value < 0 { "-" } else { "" }, value.abs() / 100, value.abs() % 100),
        };
        let of = if is_integer { "integer" } else { "number" };
        let schema = format!(r#"{{"type":"{of}","minimum":{},"exclusiveMaximum":{}}}"#, text(low), text(high + 1));
        let grammar = Grammar::from_json_schema(&schema).unwrap_or_else(|e| panic!("{schema}: {e}"));
        let near = [low, high, 0, 9, 10, 99, 100, 999, 1000].into_iter().flat_map(|value| value - 3..=value + 3);
        for value in near.chain((0..60).map(|_| number(span + 9))) {
            // The digits of zero have no sign.
            let text = text(value);
            let is_inside = (low..=high).contains(&value);
            assert_eq!(grammar.matches(text.as_bytes()), is_inside, "{schema}: {text}");
            if !is_integer {
                let just_below_the_next = format!("{text}9999");
                // Away from zero, so that of negative numbers the one before is a part.
                let is_inside = match value {
                    0.. => (low..=high).contains(&value),
                    _ => (low + 1..=high + 1).contains(&value),
                };
                assert_eq!(grammar.matches(just_below_the_next.as_bytes()), is_inside, "{schema}: {text}9999");
            }
        }
    }
}

#[test]
fn large_and_hostile_schemas_are_bounded() {
    let started = std::time::Instant::now();
    // Twenty fields of all kinds.
    let field = r#"{"type":["string","null"],"maxLength":1000},"b":{"type":"integer","minimum":0,"maximum":100000},"c":{"type":"array","items":{"type":"object","properties":{"d":{"format":"date-time"},"e":{"enum":["x","y","z"]}},"required":["d","e"]}}"#;
    let fields: Vec<String> = (0..7)
        .map(|i| {
            format!(r#""f{i}":{}"#, field.replace("\"b\"", &format!("\"b{i}\"")).replace("\"c\"", &format!("\"c{i}\"")))
        })
        .collect();
    let schema = format!(r#"{{"type":"object","properties":{{{}}},"additionalProperties":false}}"#, fields.join(","));
    Grammar::from_json_schema(&schema).unwrap();

    let nested = |n: usize| format!("{}true{}", "{\"items\":".repeat(n), "}".repeat(n));
    assert!(Grammar::from_json_schema(&nested(120)).is_ok());
    assert!(matches!(Grammar::from_json_schema(&nested(100_000)), Err(GrammarError::Syntax { .. })));
    // Each level doubles.
    let mut doubling = String::from(r#"{"$defs":{"d0":{"properties":{"x":{"type":"null"}}}"#);
    for i in 1..60 {
        let below = i - 1;
        doubling += &format!(
            r##","d{i}":{{"allOf":[{{"$ref":"#/$defs/d{below}"}},{{"allOf":[{{"$ref":"#/$defs/d{below}"}}]}}]}}"##
        );
    }
    doubling += r##"},"$ref":"#/$defs/d59"}"##;
    assert!(matches!(Grammar::from_json_schema(&doubling), Err(GrammarError::Schema { .. })));
    let any = format!("{}true{}", "{\"anyOf\":[{\"minimum\":1},".repeat(60), "]}".repeat(60));
    assert!(Grammar::from_json_schema(&any).is_ok());
    // A thousand values, optional properties, and references in a chain.
    let values: Vec<String> = (0..1000).map(|i| format!("\"value {}\"", i * i)).collect();
    let grammar = Grammar::from_json_schema(&format!(r#"{{"enum":[{}]}}"#, values.join(","))).unwrap();
    assert!(grammar.matches(b"\"value 998001\"") && !grammar.matches(b"\"value 99800\""));
    let properties: Vec<String> = (0..1000).map(|i| format!(r#""p{i}":{{"type":"null"}}"#)).collect();
    let grammar = Grammar::from_json_schema(&format!(r#"{{"properties":{{{}}}}}"#, properties.join(","))).unwrap();
    assert!(grammar.matches(br#"{"p3":null,"p997":null}"#) && !grammar.matches(br#"{"p997":null,"p3":null}"#));
    let chain: Vec<String> = (0..5000).map(|i| format!(r##""d{i}":{{"$ref":"#/$defs/d{}"}}"##, i + 1)).collect();
    let chain = format!(r##"{{"$defs":{{{},"d5000":{{"type":"null"}}}},"$ref":"#/$defs/d0"}}"##, chain.join(","));
    assert!(matches!(Grammar::from_json_schema(&chain), Ok(_) | Err(GrammarError::Schema { .. })));
    // Generous: the whole test takes a fraction of a second on an idle machine.
    assert!(started.elapsed().as_secs() < 30);
}

/// Schemas of a few megabytes whose parts are looked at again and again: each is compiled or refused soon.
#[test]
fn schemas_are_not_gone_through_once_for_each_part() {
    let numbered = |n: usize, item: &dyn Fn(usize) -> String| (0..n).map(item).collect::<Vec<_>>().join(",");
    let names = |prefix: char, n| numbered(n, &|i| format!(r#""{prefix}{i:06}""#));
    let members = |prefix: char, n, value: &str| numbered(n, &|i| format!(r#""{prefix}{i:06}":{value}"#));
    let class: String = ('\u{4e00}'..'\u{2ffff}').step_by(2).collect();
    let long = "x".repeat(1_000_000);
    for (what, schema) in [
        ("repetitions", format!(r#"{{"pattern":"{}"}}"#, "a{1}".repeat(1_000_000))),
        ("a class of many ranges", format!(r#"{{"pattern":"[{class}]"}}"#)),
        ("escapes", format!(r#"{{"title":"{}"}}"#, "\\u4e00".repeat(700_000))),
        ("types", format!(r#"{{"type":[{}],"pattern":"{long}"}}"#, vec![r#""string""#; 500_000].join(","))),
        ("branches", format!(r#"{{"pattern":"{long}","anyOf":[{}]}}"#, vec!["{}"; 60_000].join(","))),
        ("required properties", {
            format!(r#"{{"properties":{{{}}},"required":[{}]}}"#, members('p', 90_000, "{}"), names('p', 90_000))
        }),
        ("required names", format!(r#"{{"required":[{}]}}"#, names('p', 200_000))),
        ("merged properties", {
            let branch = |prefix| format!(r#"{{"properties":{{{}}}}}"#, members(prefix, 60_000, "true"));
            format!(r#"{{"allOf":[{},{}]}}"#, branch('p'), branch('q'))
        }),
        ("merged values", {
            format!(r#"{{"allOf":[{{"enum":[{}]}},{{"enum":[{}]}}]}}"#, names('p', 60_000), names('q', 60_000))
        }),
        ("references", {
            let references = numbered(90_000, &|i| format!(r##"{{"$ref":"#/$defs/d{i:06}"}}"##));
            format!(r#"{{"$defs":{{{}}},"anyOf":[{references}]}}"#, members('d', 90_000, "true"))
        }),
        ("a long name", format!(r#"{{"properties":{{"{}":{{}}}},"additionalProperties":true}}"#, &long[..20_000])),
    ] {
        let started = std::time::Instant::now();
        let refused = match Grammar::from_json_schema(&schema) {
            Ok(_) => false,
            Err(GrammarError::Schema { problem, .. }) => problem == "the schema is too large",
            Err(error) => error == GrammarError::TooLarge,
        };
        // The escapes are those of an annotation, which says nothing.
        assert_eq!(refused, what != "escapes", "{what}");
        // Generous: each takes a fraction of a second on an idle machine, and took minutes.
        assert!(started.elapsed().as_secs() < 20, "{what}: {:?}", started.elapsed());
    }
}
