//! The seeds in `fuzz/seeds`, made by the generators of the test suite, so that a run starts from inputs that pass
//! every check.
//!
//! `cargo run --manifest-path fuzz/Cargo.toml --no-default-features --example write_seeds` writes them.

use crate::requests;
use nanocamelid_kernels::WeightType;
use nanocamelid_tests::gguf_sample::sample;
use nanocamelid_tests::gguf_split;
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::tiny_model::{KINDS, tiny_model};
use std::path::{Path, PathBuf};

/// A first input of a target.
#[derive(Debug)]
pub struct Seed {
    /// The target it is for.
    pub target: &'static str,
    /// Its file name.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

impl Seed {
    /// The path of the seed's file.
    pub fn path(&self) -> PathBuf {
        folder().join(self.target).join(&self.name)
    }
}

/// `fuzz/seeds`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

/// Templates that use every kind of statement, and most filters, tests and methods between them.
const TEMPLATES: [(&str, &str); 7] = [
    (
        "roles",
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[{{ m['content'] | trim }}]\
         {% elif m.role in ('system', 'assistant') %}{{ m.content ~ '\\n' }}{% else %}\
         {{ raise_exception('role ' + m.role) }}{% endif %}{% endfor %}\
         {% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
    ),
    (
        "namespace",
        "{%- set ns = namespace(n=0, last='') -%}{%- for m in messages[1:] if m.content -%}{%- set ns.n = ns.n + 1 -%}\
         {%- set ns.last = m.role | upper -%}{{ loop.index0 }}{{ ',' if not loop.last }}{%- else -%}none{%- endfor -%}\
         {{ ns.n }}{{ ns.last[::-1] }}",
    ),
    (
        "macro",
        "{% macro tag(name, body='') %}<{{ name }}>{{ body | replace('<', '&lt;') }}</{{ name }}>{% endmacro %}\
         {{ tag('a', messages | map(attribute='role') | join('-')) }}{% set x %}{{ tag('b') }}{% endset %}{{ x | length }}",
    ),
    (
        "values",
        "{{ {'a': [1, 2.5, none], 'b': {'c': true}} | tojson(indent=2) }}{% for k, v in {'x': 1}.items() %}{{ k }}={{ v }}\
         {% endfor %}{{ range(3, 0, -1) | list }}{{ 'a,b'.split(',') | last }}{{ '%s-%d' | format('x', 7) }}{{ 7 // 2 ** 2 % 3 }}",
    ),
    (
        "formats",
        "{{ '%-5s|%05.1f|%#x|%(a)s' % ('x', 2.5, 255) if 0 else '%+d%%' % 7 }}{{ '{:>8,}{x[0].role!r:*^12}{:.3e}'\
         .format(1234567, 0.5, x=messages) }}{{ 99999999999999999999 * 3 // -7 }}{{ '0x1f' | int(base=16) }}\
         {{ 2.675 | round(2) }}{{ 0b11 + 0o7 + 0xf }}{{ strftime_now('%G-%V %U') }}",
    ),
    (
        "loops",
        "{% for x in [1, [2, [3]]] recursive %}{{ loop(x) if x is sequence else x }}{{ loop.depth }}{% endfor %}\
         {% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(*[1, 2], **{'k': 3}) }}{% print 1, 2 %}\
         {% for g in messages | groupby('role') %}{{ g.grouper }}{{ g.list | length }}{% endfor %}\
         {{ range(5) | slice(2, 0) | map('sum') | list }}{{ 'a b c d' | truncate(4, leeway=0) | center(9) }}",
    ),
    (
        "tests",
        "{# a comment #}{% if messages is iterable and date_string is not defined %}{{ strftime_now('%d %b %Y') }}{% endif %}\
         {% filter upper %}{{ messages | selectattr('role', 'equalto', 'user') | first }}{% endfilter %}\
         {% raw %}{{ x }}{% endraw %}{{ 'é中'.startswith('é') }}{{ messages[-1].content | default('empty', true) }}",
    ),
];

/// Schemas and grammars with every keyword and sign between them; the first byte of a seed says which.
const GRAMMARS: [(&str, u8, &str); 8] = [
    (
        "object",
        0,
        r#"{"type":"object","properties":{"a":{"type":"integer","minimum":-3,"maximum":120},"ab":{"enum":["x",1,null,[2]]}},
        "required":["ab"],"additionalProperties":{"type":"boolean"}}"#,
    ),
    (
        "recursive",
        0,
        r##"{"$defs":{"n":{"properties":{"v":{"type":["string","null"],"maxLength":5},"n":{"anyOf":[{"$ref":"#/$defs/n"},
        {"const":0}]}},"required":["v","n"]}},"$ref":"#/$defs/n"}"##,
    ),
    (
        "merged",
        0,
        r##"{"allOf":[{"$ref":"#/$defs/a"},{"properties":{"c":{"nullable":true,"type":"number","exclusiveMinimum":0.25}}}],
        "$defs":{"a":{"properties":{"b":{"prefixItems":[true,{"type":"null"}],"items":{"format":"date"},"minItems":1}}}}}"##,
    ),
    (
        "strings",
        0,
        r#"{"items":{"oneOf":[{"pattern":"^[\\w.-]{1,4}(?:a|b\\.|[^\\d])+$"},{"format":"uuid"},{"minLength":2}]},"maxItems":3}"#,
    ),
    (
        "map",
        0,
        r#"{"anyOf":[{"propertyNames":{"pattern":"^x"},"minProperties":1},{"patternProperties":{"a":{}},"additionalProperties":false}]}"#,
    ),
    (
        "list",
        1,
        "root ::= \"(\" item (\",\" \" \"? item)* \")\" # comment\nitem ::= [a-z]{1,3} | [^\\x00-\\x7f]+ | root\n",
    ),
    (
        "counts",
        1,
        "root ::= (\"a\"? \"b\"){2,300} (\"c\"?){0,5} .{3} end\nend ::= \"\\u00e9\\U0001F600\\\"\" |\n \"]\"",
    ),
    ("tokens", 1, "root ::= <[5]> !<s>{2} <s>? \"x\"+"),
];

const TEXTS: [(&str, &str); 3] = [
    ("words", "The quick brown fox, it's 12345 km away!\n\n  \tno"),
    ("scripts", "é e\u{301} 中文 हिन्दी עברית 😀👩\u{200d}👩\u{200d}👧 \u{feff}\u{0}"),
    ("control", "<s></s><|end|><0x0A><unk> the<s the"),
];

/// All seeds.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, bytes| seeds.push(Seed { target, name: name.to_owned(), bytes });

    add("gguf_parse", "sample.gguf", sample().finish().bytes);
    add("gguf_parse", "empty.gguf", GgufWriter::new().finish().bytes);
    let mut other = GgufWriter { version: 2, alignment: 64, ..sample() };
    other.set("general.alignment", Value::u32(64));
    add("gguf_parse", "version-2-alignment-64.gguf", other.finish().bytes);

    add("gguf_parse", "three-files.gguf", gguf_split::bytes(&gguf_split::split(&sample(), 3)).concat());

    for kind in ["llama", "gemma3"] {
        add("model_build", &format!("{kind}.gguf"), tiny_model(kind).finish().bytes);
    }
    for kind in ["qwen2", "lfm2", "gemma-embedding", "bert"] {
        add("forward_step", &format!("{kind}.gguf"), tiny_model(kind).finish().bytes);
    }

    // A kind of model, no changes to it, and a text.
    for (i, kind) in (0u8..).zip(KINDS) {
        let (name, text) = TEXTS[usize::from(i) % TEXTS.len()];
        add("tokenizer", &format!("{kind}-{name}"), [&[i, 0, 0, 0][..], text.as_bytes()].concat());
        add("chat_template", kind, vec![1, i, 0, 0, 0]);
    }
    for (name, source) in TEMPLATES {
        add("chat_template", name, [&[0], source.as_bytes()].concat());
    }

    for (name, notation, source) in GRAMMARS {
        add("constraint", name, [&[notation, 7], source.as_bytes()].concat());
    }

    for (name, bytes) in requests::seeds() {
        add("serve", name, bytes);
    }

    // A format, three blocks, twenty rows and nine tokens; no values of its own and one that is no number.
    for (i, weight_type) in (0u8..).zip(WeightType::ALL) {
        add("kernels_differential", weight_type.name(), vec![i, 0, 2, 0, 19, 0, 8, 0, i, 1, 0, 0, 0x7e, 0xff]);
    }
    seeds
}
