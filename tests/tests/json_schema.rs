//! JSON schemas as grammars, in the shape of the public JSON-Schema-Test-Suite: schemas, instances that are valid, and
//! instances that are not. Each instance is tried as compact text and indented.

use nanocamelid_engine::chat::StopMatcher;
use nanocamelid_engine::{
    Constraint, Finish, Generator, Gguf, Grammar, GrammarError, Sampler, SamplerParams, Step, TokenTrie, Tokenizer,
};
use nanocamelid_tests::random::Random;
use nanocamelid_tests::rust_source::workspace_root;
use serde_json::Value;
use std::sync::Arc;

/// A schema, valid instances, others.
type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

const CASES: &[Case] = &[
    // Types.
    (r#"{"type":"null"}"#, &["null"], &["0", "\"\"", "false"]),
    (r#"{"type":"boolean"}"#, &["true", "false"], &["0", "null", "\"true\""]),
    (r#"{"type":"integer"}"#, &["0", "-1", "123456789012345"], &["1.5", "\"1\"", "01", "+1", "-"]),
    (r#"{"type":"number"}"#, &["0", "-1.25", "1e10", "2.5E-3", "123456789.123456789"], &["1.", ".5", "\"1\"", "1e"]),
    (
        r#"{"type":"string"}"#,
        &[r#""""#, r#""a\"\\\n\u00e9é😀""#, r#""\ud83d\ude00""#],
        &["1", r#""\ud83d""#, "\"\n\"", r#""\x""#],
    ),
    (r#"{"type":"array"}"#, &["[]", "[1,[2,{}],null]"], &["{}", "[1,]", "[,1]"]),
    (r#"{"type":"object"}"#, &["{}", r#"{"a":{"b":[1]}}"#], &["[]", r#"{"a"}"#, r#"{"a":1,}"#, "{1:2}"]),
    (r#"{"type":["integer","null"]}"#, &["1", "null"], &["1.5", "\"\"", "[]"]),
    (r#"{"type":["integer","number"]}"#, &["1", "1.5"], &["null"]),
    (r#"{"type":"string","nullable":true}"#, &["null", "\"a\""], &["1"]),
    ("true", &["1", "null", "[[]]", "{\"a\":\"b\"}"], &["", "x"]),
    ("{}", &["1", "{\"a\":{\"a\":{}}}"], &["a"]),
    (r#"{"title":"t","description":"d","default":3,"$schema":"s","x-order":1,"examples":[1]}"#, &["1"], &[]),
    // enum and const.
    (
        r#"{"enum":["a","ab","b\"",1,-2.50,null,true,[1,2],{"x":"y"}]}"#,
        &["\"a\"", "\"ab\"", r#""b\"""#, "1", "-2.50", "null", "true", "[1,2]", r#"{"x":"y"}"#],
        &["\"b\"", "\"abc\"", "2", "false", "[1]", "[2,1]", "{}"],
    ),
    (r#"{"const":{"a":[1,{}],"b":[]}}"#, &[r#"{"a":[1,{}],"b":[]}"#], &["{}", r#"{"a":[1],"b":[]}"#]),
    (r#"{"const":"\u0001\t"}"#, &[r#""\u0001\t""#], &["\"\""]),
    (r#"{"type":"string","enum":["a",1,null]}"#, &["\"a\""], &["1", "null"]),
    (r#"{"enum":["a","b"],"const":"b"}"#, &["\"b\""], &["\"a\""]),
    (r#"{"type":["string","null"],"enum":["a",null]}"#, &["\"a\"", "null"], &["\"b\""]),
    // Strings.
    (r#"{"minLength":2,"maxLength":3}"#, &["\"ab\"", "\"äöü\"", "\"😀😀\"", r#""\n\u00e9""#], &["\"a\"", "\"abcd\""]),
    (r#"{"type":"string","maxLength":0}"#, &["\"\""], &["\"a\""]),
    (r#"{"pattern":"^[a-z]+-\\d{2,3}$"}"#, &["\"ab-12\"", "\"a-123\""], &["\"ab-1\"", "\"xab-12x\"", "\"-12\""]),
    (r#"{"pattern":"b+"}"#, &["\"b\"", "\"abba\""], &["\"\"", "\"aca\""]),
    (r#"{"pattern":"^a|b$|c"}"#, &["\"ax\"", "\"xb\"", "\"xcx\""], &["\"xa\"", "\"bx\"", "\"\""]),
    (r#"{"pattern":"^(?:a|(?<n>b)){2}(c)?$"}"#, &["\"ab\"", "\"bbc\""], &["\"a\"", "\"abca\""]),
    (
        r#"{"pattern":"^[^a-c\\s]\\.\\W.$"}"#,
        &["\"d.-x\"", "\"é.é\\t\""],
        &["\"a.-x\"", "\"dx-x\"", "\"d.ax\"", "\"d.-\\n\""],
    ),
    (r#"{"pattern":"^\\\\\"\\/\\u00e9\\x41\\u{1F600}\\t$"}"#, &[r#""\\\"/éA😀\t""#], &["\"\\\\\""]),
    (r#"{"pattern":"^[\\w-]{1,3}?x*?$"}"#, &["\"a-_\"", "\"axxx\""], &["\"\"", "\"a-_z\""]),
    (r#"{"pattern":"^a{,2}{$"}"#, &["\"a{,2}{\""], &["\"aa\""]),
    // Formats.
    (
        r#"{"format":"date"}"#,
        &["\"2024-02-29\"", "\"2000-02-29\"", "\"1999-12-31\"", "\"2023-11-30\""],
        &[
            "\"2023-02-29\"",
            "\"1900-02-29\"",
            "\"2023-02-30\"",
            "\"2023-11-31\"",
            "\"2023-13-01\"",
            "\"2023-00-01\"",
            "\"20230101\"",
        ],
    ),
    (
        r#"{"format":"time"}"#,
        &["\"23:59:59Z\"", "\"00:00:00.123+01:30\""],
        &["\"24:00:00Z\"", "\"12:60:00Z\"", "\"12:00:00\"", "\"12:00Z\""],
    ),
    (
        r#"{"format":"date-time"}"#,
        &["\"2024-02-29T12:00:00Z\""],
        &["\"2024-02-29 12:00:00Z\"", "\"2024-02-30T12:00:00Z\""],
    ),
    (
        r#"{"format":"duration"}"#,
        &["\"P1Y2M3DT4H5M6S\"", "\"PT1M\"", "\"P2W\""],
        &["\"P\"", "\"PT\"", "\"1Y\"", "\"P1YT\""],
    ),
    (
        r#"{"format":"uuid"}"#,
        &["\"123e4567-e89b-12d3-a456-426614174000\""],
        &["\"123e4567e89b12d3a456426614174000\"", "\"123e4567-e89b-12d3-a456-42661417400g\""],
    ),
    (r#"{"format":"email"}"#, &["\"a.b+c@example.org\""], &["\"a\"", "\"a@\"", "\".a@b.cd\"", "\"a@b\""]),
    (r#"{"format":"hostname"}"#, &["\"a\"", "\"www.example-1.org\""], &["\"-a\"", "\"a-.b\"", "\"a..b\"", "\"\""]),
    (r#"{"format":"ipv4"}"#, &["\"0.0.0.0\"", "\"255.199.9.10\""], &["\"256.0.0.0\"", "\"1.2.3\"", "\"01.2.3.4\""]),
    (
        r#"{"format":"ipv6"}"#,
        &["\"::\"", "\"::1\"", "\"1::\"", "\"fe80::1:2\"", "\"1:2:3:4:5:6:7:8\"", "\"1:2:3:4:5:6:7::\""],
        &["\"1:2:3:4:5:6:7\"", "\"1::2::3\"", "\"12345::\"", "\"1:2:3:4:5:6:7:8:9\"", "\":1\""],
    ),
    (
        r#"{"format":"uri"}"#,
        &["\"https://example.org:80/a/b%20?c=d#e\"", "\"urn://x\""],
        &["\"example.org\"", "\"http:// x\"", "\"http://x/%zz\""],
    ),
    // Numbers.
    (r#"{"type":"integer","minimum":3,"maximum":12}"#, &["3", "9", "10", "12"], &["2", "13", "30", "-3", "0", "3.0"]),
    (
        r#"{"type":"integer","minimum":-12,"maximum":105}"#,
        &["-12", "-1", "0", "7", "99", "100", "105"],
        &["-13", "106", "-20", "110", "200"],
    ),
    (r#"{"type":"integer","exclusiveMinimum":0}"#, &["1", "999999999999999"], &["0", "-1"]),
    (r#"{"type":"integer","exclusiveMaximum":-5}"#, &["-6", "-1000"], &["-5", "0", "4"]),
    (r#"{"type":"integer","minimum":1.5,"exclusiveMaximum":4.0}"#, &["2", "3"], &["1", "4"]),
    (r#"{"type":"integer","minimum":1e3,"maximum":1.001E3}"#, &["1000", "1001"], &["999", "1002", "1"]),
    (
        r#"{"type":"integer","minimum":5000000000000000}"#,
        &["5000000000000000", "10000000000000000"],
        &["4999999999999999"],
    ),
    (
        r#"{"type":"number","minimum":0.5,"maximum":1.25}"#,
        &["0.5", "0.50", "0.75", "1", "1.0", "1.25", "1.249999", "0.500001"],
        &["0.4", "0", "1.26", "1.3", "2", "0.499999", "1.250001", "-0.5", "1e0"],
    ),
    (r#"{"minimum":0}"#, &["0", "0.1", "12345.5"], &["-0.1", "-1", "\"0\""]),
    (
        r#"{"exclusiveMinimum":0,"exclusiveMaximum":1}"#,
        &["0.5", "0.000001", "0.999999"],
        &["0", "1", "0.0", "1.0", "-0.5"],
    ),
    (r#"{"minimum":-1.5,"maximum":-1.25}"#, &["-1.5", "-1.25", "-1.3"], &["-1.6", "-1.2", "-1", "-2", "1.3"]),
    (r#"{"type":"number","maximum":99.95}"#, &["99.95", "99.9", "-1000.5", "0"], &["99.96", "100"]),
    // Arrays.
    (r#"{"items":{"type":"integer"}}"#, &["[]", "[1]", "[1,2,3]"], &["[\"a\"]", "[1,null]", "{}"]),
    (r#"{"items":{"type":"integer"},"minItems":2,"maxItems":3}"#, &["[1,2]", "[1,2,3]"], &["[]", "[1]", "[1,2,3,4]"]),
    (r#"{"type":"array","maxItems":0}"#, &["[]"], &["[1]"]),
    (r#"{"type":"array","items":false}"#, &["[]"], &["[1]"]),
    (
        r#"{"prefixItems":[{"type":"string"},{"type":"integer"}],"minItems":2}"#,
        &["[\"a\",1]"],
        &["[\"a\"]", "[1,\"a\"]", "[]", "[\"a\",1,2]"],
    ),
    (
        r#"{"prefixItems":[{"type":"string"},{"type":"integer"}],"items":{"type":"null"},"minItems":1,"maxItems":3}"#,
        &["[\"a\"]", "[\"a\",1]", "[\"a\",1,null]"],
        &["[]", "[\"a\",null]", "[\"a\",1,null,null]"],
    ),
    (r#"{"prefixItems":[{"type":"string"}],"maxItems":0}"#, &["[]"], &["[\"a\"]"]),
    (r#"{"prefixItems":[{"type":"string"}],"minItems":3}"#, &["[\"a\",1,{}]"], &["[\"a\"]", "[\"a\",1]"]),
    (
        r#"{"items":{"items":{"items":{"type":"null"}}},"uniqueItems":false}"#,
        &["[]", "[[],[[null]]]"],
        &["[null]", "[[null]]"],
    ),
    // Objects.
    (
        r#"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a","b"],"additionalProperties":false}"#,
        &[r#"{"a":1,"b":"x"}"#],
        &["{}", r#"{"a":1}"#, r#"{"b":"x","a":1}"#, r#"{"a":"x","b":"x"}"#, r#"{"a":1,"b":"x","c":1}"#],
    ),
    (
        r#"{"properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"type":"integer"}},"required":["b"]}"#,
        &[r#"{"b":1}"#, r#"{"a":1,"b":2}"#, r#"{"b":1,"c":2}"#, r#"{"a":1,"b":2,"c":3}"#],
        &["{}", r#"{"a":1}"#, r#"{"a":1,"c":2}"#, r#"{"b":1,"b":1}"#, r#"{,"b":1}"#],
    ),
    (
        r#"{"properties":{"a":{"type":"integer"},"b":{"type":"integer"}}}"#,
        &["{}", r#"{"a":1}"#, r#"{"b":1}"#, r#"{"a":1,"b":1}"#],
        &[r#"{"a":1,}"#, r#"{"x":1}"#],
    ),
    (
        r#"{"properties":{"a":{"type":"integer"},"ab":{"type":"integer"},"é":{}},"additionalProperties":{"type":"null"}}"#,
        &[
            "{}",
            r#"{"a":1,"x":null}"#,
            r#"{"x":null,"abc":null,"":null}"#,
            r#"{"ab":1,"b":null,"éa":null}"#,
            r#"{"é":[]}"#,
        ],
        &[r#"{"a":null}"#, r#"{"x":1}"#, r#"{"x":null,"a":1}"#, r#"{"x":null,"ab":null}"#],
    ),
    (
        r#"{"properties":{"a":{"type":"null"}},"required":["a","z"],"additionalProperties":true}"#,
        &[r#"{"a":null,"z":[1],"b":2}"#],
        &[r#"{"a":null}"#, r#"{"a":1,"z":1}"#],
    ),
    (r#"{"required":["q"]}"#, &[r#"{"q":1}"#], &["{}", r#"{"r":1}"#]),
    (r#"{"type":"object","additionalProperties":false}"#, &["{}"], &[r#"{"a":1}"#]),
    (r#"{"type":"object","properties":{}}"#, &["{}"], &[r#"{"a":1}"#]),
    (
        r#"{"additionalProperties":{"type":"integer"},"minProperties":1,"maxProperties":2}"#,
        &[r#"{"a":1}"#, r#"{"a":1,"b":2}"#],
        &["{}", r#"{"a":1,"b":2,"c":3}"#, r#"{"a":"1"}"#],
    ),
    (
        r#"{"patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":false}"#,
        &["{}", r#"{"x-a":1}"#],
        &[r#"{"y":1}"#, r#"{"x-a":"1"}"#],
    ),
    (
        r#"{"propertyNames":{"maxLength":2},"additionalProperties":{"type":"null"}}"#,
        &["{}", r#"{"ab":null}"#],
        &[r#"{"abc":null}"#],
    ),
    (r#"{"properties":{"a\"\n":{"type":"null"}},"required":["a\"\n"]}"#, &[r#"{"a\"\n":null}"#], &["{}"]),
    (r#"{"properties":{"a":false,"b":{"type":"null"}}}"#, &["{}", r#"{"b":null}"#], &[r#"{"a":1}"#]),
    // Combinations.
    (r#"{"anyOf":[{"type":"integer"},{"type":"string","maxLength":1}]}"#, &["1", "\"a\""], &["\"ab\"", "null"]),
    (r#"{"oneOf":[{"const":1},{"const":2}]}"#, &["1", "2"], &["3"]),
    (r#"{"type":"string","anyOf":[{"minLength":3},{"const":"a"}]}"#, &["\"abc\"", "\"a\""], &["\"ab\"", "1"]),
    (
        r#"{"anyOf":[{"type":"object","properties":{"t":{"const":"a"},"x":{"type":"integer"}},"required":["t","x"]},{"type":"object","properties":{"t":{"const":"b"}},"required":["t"]}]}"#,
        &[r#"{"t":"a","x":1}"#, r#"{"t":"b"}"#],
        &[r#"{"t":"a"}"#, r#"{"t":"b","x":1}"#],
    ),
    (
        r#"{"allOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"null"}},"required":["b"]}]}"#,
        &[r#"{"a":1,"b":null}"#],
        &[r#"{"a":1}"#, r#"{"b":null}"#],
    ),
    (r#"{"allOf":[{"type":["integer","string"]},{"type":["string","null"]},true]}"#, &["\"a\""], &["1", "null"]),
    (r#"{"allOf":[{"type":"number"},{"minimum":3},{"type":"integer"}]}"#, &["3"], &["2", "3.5"]),
    (
        r#"{"allOf":[{"properties":{"a":{"minimum":1}}},{"properties":{"a":{"type":"integer"}}}],"required":["a"]}"#,
        &[r#"{"a":1}"#],
        &[r#"{"a":0}"#, r#"{"a":1.5}"#, "{}"],
    ),
    (r#"{"allOf":[{"enum":[1,2,3]}],"enum":[2,3,4]}"#, &["2", "3"], &["1", "4"]),
    // References.
    (
        r##"{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"value":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["value","next"],"additionalProperties":false}}}"##,
        &[r#"{"value":1,"next":null}"#, r#"{"value":1,"next":{"value":2,"next":{"value":3,"next":null}}}"#],
        &["{}", r#"{"value":1}"#, r#"{"value":1,"next":{}}"#],
    ),
    (
        r##"{"properties":{"children":{"type":"array","items":{"$ref":"#"}}},"required":["children"]}"##,
        &[r#"{"children":[]}"#, r#"{"children":[{"children":[{"children":[]}]},{"children":[]}]}"#],
        &["{}", r#"{"children":[{}]}"#],
    ),
    (
        r##"{"properties":{"a":{"type":"integer"},"b":{"$ref":"#/properties/a"}}}"##,
        &[r#"{"a":1,"b":2}"#],
        &[r#"{"b":"x"}"#],
    ),
    (r##"{"definitions":{"x/y~z":{"type":"null"}},"$ref":"#/definitions/x~1y~0z"}"##, &["null"], &["1"]),
    (
        r##"{"$defs":{"s":{"type":"string"}},"$ref":"#/$defs/s","maxLength":1,"description":"d"}"##,
        &["\"a\""],
        &["\"ab\"", "1"],
    ),
    (r##"{"$defs":{"l":[{"type":"null"}]},"$ref":"#/$defs/l/0"}"##, &["null"], &["1"]),
];

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
