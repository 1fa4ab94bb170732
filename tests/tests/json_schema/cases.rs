//! Schemas with instances.

/// A schema, valid instances, others.
pub(crate) type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

pub(crate) const CASES: &[Case] = &[
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
