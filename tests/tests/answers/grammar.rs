//! Grammars of calls and documents: they take what a family's models write, refuse what breaks a tool's schema, and a
//! reader finds the same call in every answer that they let through.

use crate::answer::grammar::{self, Calls, Problem, Thinking};
use crate::answer::{Event, Family, Reader, Tool};
use crate::reading::*;
use nanocamelid_engine::Gguf;
use nanocamelid_engine::constraint::{Constraint, Grammar, TokenTrie};
use nanocamelid_engine::tokenizer::Tokenizer;
use nanocamelid_tests::random::Random;
use nanocamelid_tests::vocabularies;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// The demonstration model. Its vocabulary has none of the families' marks, so grammars spell them.
static DEMO: &[u8] = include_bytes!("../../../host/demo/nanocamelid-demo.gguf");

fn with_tokenizer<R>(run: impl FnOnce(&Tokenizer<'_>) -> R) -> R {
    let gguf = Gguf::parse(DEMO).unwrap();
    run(&Tokenizer::new(&gguf).unwrap())
}

fn tool(name: &str, parameters: Json) -> Tool {
    Tool::parse(&json!({"type": "function", "function": {"name": name, "parameters": parameters}})).unwrap()
}

/// A tool with arguments of all kinds; `unit` and `limit` are required.
fn weather() -> Tool {
    let properties = json!({
        "city": {"type": "string"},
        "unit": {"type": "string", "enum": ["celsius", "kelvin"]},
        "limit": {"type": "integer", "minimum": 1, "maximum": 9},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 2},
    });
    let parameters = json!({"type": "object", "properties": properties, "required": ["unit", "limit"],
        "additionalProperties": false, "$defs": {"tag": {"type": "string"}}});
    tool("get_weather", parameters)
}

fn grammar(template: &str, tools: &[Tool], may_be_many: bool, thinking: Thinking) -> Grammar {
    let tools: Vec<&Tool> = tools.iter().collect();
    let calls = Calls { tools: &tools, may_be_many };
    with_tokenizer(|t| grammar::answer(&Family::of(template), t, thinking, None, &calls)).ok().expect("a grammar")
}

#[test]
fn families_write_calls_in_their_form() {
    let now = tool("now", json!({"type": "object", "properties": {}}));
    let tools = [weather(), now];
    let object = r#"{"city": "Paris", "unit": "kelvin", "limit": 3, "tags": ["a", "b"]}"#;
    let tagged =
        |object: &str| format!("<tool_call>\n{{\"name\": \"get_weather\", \"arguments\": {object}}}\n</tool_call>");
    let cases: [(&str, String); 12] = [
        (HERMES, tagged(object)),
        (LLAMA, format!("{{\"name\": \"get_weather\", \"parameters\": {object}}}")),
        ("[TOOL_CALLS] [ARGS]", format!("[TOOL_CALLS]get_weather[ARGS]{object}")),
        ("[TOOL_CALLS]", format!("[TOOL_CALLS][{{\"name\": \"get_weather\", \"arguments\": {object}}}]")),
        (GRANITE, format!("<|tool_call|>[{{\"name\": \"get_weather\", \"arguments\": {object}}}]")),
        (
            LFM2,
            "<|tool_call_start|>[get_weather(city=\"Paris\", unit=\"kelvin\", limit=3, tags=[\"a\", \"b\"])]<|tool_call_end|>"
                .into(),
        ),
        (
            DEEPSEEK,
            format!("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{object}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"),
        ),
        (
            GEMMA,
            "<|tool_call>call:get_weather{city:<|\"|>Paris<|\"|>,unit:<|\"|>kelvin<|\"|>,limit:3,tags:[\"a\", \"b\"]}<tool_call|>"
                .into(),
        ),
        (GPT_OSS, format!("<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{object}")),
        (
            QWEN,
            "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=unit>\nkelvin\n\
                </parameter>\n<parameter=limit>\n3\n</parameter>\n<parameter=tags>\n[\"a\", \"b\"]\n</parameter>\n\
                </function>\n</tool_call>"
                .into(),
        ),
        (
            "<function name=",
            "<function name=\"get_weather\"><param name=\"city\">Paris</param><param name=\"unit\">kelvin</param>\
                <param name=\"limit\">3</param><param name=\"tags\">[\"a\", \"b\"]</param></function>"
                .into(),
        ),
        (
            "<arg_key>",
            "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n<arg_key>unit</arg_key>\n\
                <arg_value>kelvin</arg_value>\n<arg_key>limit</arg_key>\n<arg_value>3</arg_value>\n<arg_key>tags</arg_key>\n\
                <arg_value>[\"a\", \"b\"]</arg_value>\n</tool_call>"
                .into(),
        ),
    ];
    for (template, text) in &cases {
        let family = Family::of(template);
        let grammar = grammar(template, &tools, false, Thinking::Never);
        assert!(grammar.matches(text.as_bytes()), "{}: {text}", family.name());
        for broken in [
            text.replace("kelvin", "meters"),
            text.replace('3', "10"),
            text.replace("get_weather", "get_whether"),
            text[..text.len() - 1].to_owned(),
            format!("Sure! {text}"),
            format!("{text}{text}"),
        ] {
            assert!(!grammar.matches(broken.as_bytes()), "{}: {broken}", family.name());
        }
        let parts = parts(family, &tools, false, &[text]);
        let [call] = parts.as_slice() else { panic!("{parts:?}") };
        let arguments: Json = serde_json::from_str(call.strip_prefix("call get_weather ").unwrap()).unwrap();
        assert_eq!(arguments, serde_json::from_str::<Json>(object).unwrap(), "{}", family.name());
    }
}

#[test]
fn several_calls_and_reasoning_where_they_may_be() {
    let tools = [tool("now", json!({"type": "object", "properties": {}}))];
    let call = "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>";
    let one = grammar(HERMES, &tools, false, Thinking::Never);
    let many = grammar(HERMES, &tools, true, Thinking::Never);
    let two = format!("{call}\n{call}");
    assert!(one.matches(call.as_bytes()) && !one.matches(two.as_bytes()));
    assert!(many.matches(call.as_bytes()) && many.matches(two.as_bytes()) && !many.matches(b""));
    let thought = format!("<think>\nHm <tool_call>.\n</think>\n\n{call}");
    let matches = |thinking, text: &str| grammar(HERMES, &tools, false, thinking).matches(text.as_bytes());
    assert!(matches(Thinking::Allowed, &thought) && matches(Thinking::Allowed, call));
    assert!(!matches(Thinking::Never, &thought));
    let opened = thought.strip_prefix("<think>").unwrap();
    assert!(matches(Thinking::Opened, opened) && !matches(Thinking::Opened, call));
    // gpt-oss says its role again behind its reasoning, and makes one call in an answer.
    let call = "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}";
    let thought = format!("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant{call}");
    let grammar = grammar(GPT_OSS, &tools, true, Thinking::Allowed);
    assert!(grammar.matches(thought.as_bytes()) && grammar.matches(call.as_bytes()));
    assert!(!grammar.matches(format!("{call}{call}").as_bytes()));
}

#[test]
fn documents_stand_behind_reasoning() {
    let schema = r#"{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}"#;
    let answer = |template: &str, thinking, tools: &[&Tool]| {
        let document = |builder: &mut nanocamelid_engine::constraint::GrammarBuilder| builder.json_schema(schema);
        let calls = Calls { tools, may_be_many: false };
        with_tokenizer(|t| grammar::answer(&Family::of(template), t, thinking, Some(&document), &calls))
            .ok()
            .expect("a grammar")
    };
    let grammar = |template: &str, thinking| answer(template, thinking, &[]);
    assert!(grammar(HERMES, Thinking::Allowed).matches(b"<think>Hm</think>\n\n{\"a\": true}"));
    assert!(grammar(HERMES, Thinking::Opened).matches(b"Hm</think>{\"a\": true}"));
    assert!(grammar(HERMES, Thinking::Never).matches(b"{\"a\": true}"));
    assert!(!grammar(HERMES, Thinking::Allowed).matches(b"{\"a\": 1}"));
    let text = b"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{\"a\": true}";
    assert!(grammar(GPT_OSS, Thinking::Allowed).matches(text));
    // Or calls, where there are tools.
    let call = b"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant\
        <|channel|>commentary to=functions.now <|constrain|>json<|message|>{}";
    let now = tool("now", json!({"type": "object", "properties": {}}));
    let either = answer(GPT_OSS, Thinking::Allowed, &[&now]);
    assert!(either.matches(text) && either.matches(call) && !grammar(GPT_OSS, Thinking::Allowed).matches(call));
}

#[test]
fn schemas_without_a_place_in_elements_are_told_as_json() {
    let alternatives = json!({"anyOf": [
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]},
    ]});
    let tools = [tool("f", alternatives)];
    for template in [QWEN, LFM2, GEMMA, "<arg_key>", "<function name="] {
        let text = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"b\": 1}}\n</tool_call>";
        assert!(grammar(template, &tools, false, Thinking::Never).matches(text.as_bytes()), "{template}");
        assert_eq!(parts(Family::of(template), &tools, false, &[text]), ["call f {\"b\": 1}"], "{template}");
    }
}

#[test]
fn schemas_that_are_not_supported_are_named() {
    let properties = json!({"a": {"type": "integer", "multipleOf": 3}});
    let tools = [tool("f", json!({"type": "object", "properties": properties}))];
    for template in [HERMES, QWEN, LFM2] {
        let tools: Vec<&Tool> = tools.iter().collect();
        let family = Family::of(template);
        let calls = Calls { tools: &tools, may_be_many: false };
        let answer = with_tokenizer(|t| grammar::answer(&family, t, Thinking::Never, None, &calls));
        let Err(Problem::Tools(error)) = answer else { panic!("a grammar, or another problem") };
        assert!(error.starts_with("tool \"f\": parameters: ") && error.contains("multipleOf"), "{error}");
        assert!(error.contains("/properties/a"), "{error}");
    }
}

/// Without a model: tokens are drawn from the mask alone until the answer may end.
#[test]
fn random_tokens_make_calls() {
    let mut random = Random(1);
    let properties = json!({"a": {"type": "string", "maxLength": 8}, "b": {"enum": [1, "x", null]}});
    let tools = [
        tool("first", json!({"type": "object", "properties": properties, "required": ["a", "b"]})),
        tool("second", json!({"type": "object", "properties": {"n": {"type": "number"}}, "required": []})),
    ];
    for template in [HERMES, LLAMA, "[TOOL_CALLS]", GRANITE, LFM2, DEEPSEEK, GPT_OSS] {
        let grammar = Arc::new(grammar(template, &tools, false, Thinking::Never));
        with_tokenizer(|tokenizer| {
            let constraint = Constraint::new(grammar, Arc::new(TokenTrie::new(tokenizer)));
            for _ in 0..20 {
                let mut constraint = constraint.clone();
                let mut bytes = Vec::new();
                while !constraint.can_end() {
                    let mask = constraint.mask();
                    let allowed: Vec<u32> = (0..tokenizer.n_vocab() as u32).filter(|&id| mask.contains(id)).collect();
                    let token = allowed[random.below(allowed.len())];
                    assert!(constraint.accept(token));
                    tokenizer.decode_into(token, false, &mut bytes);
                    assert!(bytes.len() < 10_000, "{:?}", String::from_utf8_lossy(&bytes));
                }
                let text = String::from_utf8(bytes).unwrap();
                let mut names = Vec::new();
                let mut reader = Reader::new(Family::of(template), &tools[..], false);
                let mut take = |event: Event<'_>| match event {
                    Event::CallBegin { name, .. } => names.push(name.to_owned()),
                    Event::CallEnd { is_whole, .. } => assert!(is_whole, "{text}"),
                    Event::CallArguments { .. } => {}
                    other => panic!("{other:?}: {text}"),
                };
                reader.push(&text, &mut take);
                reader.finish(&mut take);
                assert!(names == ["first"] || names == ["second"], "{text}");
            }
        });
    }
}

/// Where the vocabulary has a family's marks as tokens, an answer has these tokens, and no other token spells them.
#[test]
fn marks_are_tokens_where_the_vocabulary_has_them() {
    let marks = ["<tool_call>", "</tool_call>", "<think>", "</think>", "<|call|>", "<|message|>", "<|channel|>"];
    let marks = marks.map(|mark| (mark, 3));
    let vocabulary = vocabularies::bpe("qwen2", &[], &marks);
    let now = tool("now", json!({"type": "object", "properties": {}}));
    vocabularies::with(&vocabulary, |tokenizer| {
        let trie = Arc::new(TokenTrie::new(tokenizer));
        let accepts = |template: &str, text: &str, parse_special: bool| {
            let calls = Calls { tools: &[&now], may_be_many: false };
            let grammar = grammar::answer(&Family::of(template), tokenizer, Thinking::Allowed, None, &calls);
            let grammar = Arc::new(grammar.ok().expect("a grammar"));
            let mut constraint = Constraint::new(grammar, trie.clone());
            let tokens = vocabularies::encode(tokenizer, text, parse_special);
            tokens.iter().all(|&token| constraint.accept(token)) && constraint.can_end()
        };
        let call = "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>";
        let oss = "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}";
        for (template, text) in [(HERMES, call), (HERMES, &format!("<think>a</think>\n{call}")), (GPT_OSS, oss)] {
            assert!(accepts(template, text, true), "{text}");
            // gpt-oss's marks are tokens in every text.
            assert_eq!(accepts(template, text, false), template == GPT_OSS, "{text}");
        }
    });
}
