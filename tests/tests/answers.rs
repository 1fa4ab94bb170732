//! Answers as models write them, family by family, cut into pieces in every way.

use answer::{Event, Family, Reader, Tool};
use serde_json::{Value as Json, json};

/// What the server makes of a model's text.
#[allow(dead_code, unused_imports)]
#[path = "../../host/src/answer/mod.rs"]
mod answer;
/// What the command makes of JSON.
#[path = "../../host/src/template_value.rs"]
mod template_value;

/// The tools of all conversations here.
fn tools() -> Vec<Tool> {
    let tool = |name: &str, properties: Json| {
        let parameters = json!({"type": "object", "properties": properties});
        Tool::parse(&json!({"type": "function", "function": {"name": name, "parameters": parameters}})).unwrap()
    };
    let notes = json!({
        "query": {"type": "string"},
        "limit": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "range": {"type": "object"},
        "exact": {"type": "boolean"},
        "maybe": {"type": ["string", "null"]},
        "either": {"anyOf": [{"type": "number"}, {"$ref": "#/properties/query"}]},
        "unit": {"enum": ["a", "b"]},
    });
    vec![tool("get_weather", json!({"city": {"type": "string"}})), tool("find_notes", notes), tool("now", json!({}))]
}

/// The parts of an answer: `reasoning: ...`, `content: ...`, `call NAME ARGUMENTS`, or `cut NAME ARGUMENTS` for a call
/// whose arguments are not whole. Checks the order of the events as well.
fn parts(family: Family, tools: &[Tool], opened: bool, pieces: &[&str]) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut open = None;
    let mut n_calls = 0;
    let mut take = |event: Event<'_>| {
        let (kind, text) = match event {
            Event::Reasoning(text) => ("reasoning: ", text),
            Event::Content(text) => ("content: ", text),
            Event::CallBegin { index, name } => {
                assert_eq!((open, index), (None, n_calls));
                open = Some(index);
                n_calls += 1;
                return parts.push(format!("call {name} "));
            }
            Event::CallArguments { index, json } => {
                assert_eq!(open, Some(index));
                return parts.last_mut().unwrap().push_str(json);
            }
            Event::CallEnd { index, is_whole } => {
                assert_eq!(open.take(), Some(index));
                let call = parts.last_mut().unwrap();
                if is_whole {
                    let json = call.splitn(3, ' ').nth(2).unwrap();
                    assert!(serde_json::from_str::<Json>(json).unwrap().is_object(), "{call}");
                } else {
                    call.replace_range(..4, "cut");
                }
                return;
            }
        };
        assert!(open.is_none() && !text.is_empty());
        match parts.last_mut() {
            Some(last) if last.starts_with(kind) => last.push_str(text),
            _ => parts.push(format!("{kind}{text}")),
        }
    };
    let mut reader = Reader::new(family, tools, opened);
    pieces.iter().for_each(|piece| reader.push(piece, &mut take));
    reader.finish(&mut take);
    assert!(open.is_none());
    parts
}

/// The parts of an answer, the same for all pieces that the text can come in.
fn read_with(family: Family, tools: &[Tool], opened: bool, text: &str) -> Vec<String> {
    let whole = parts(family, tools, opened, &[text]);
    for (at, _) in text.char_indices() {
        let (a, b) = text.split_at(at);
        assert_eq!(parts(family, tools, opened, &[a, b]), whole, "cut at {at}: {a:?} {b:?}");
    }
    let single: Vec<&str> = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect();
    assert_eq!(parts(family, tools, opened, &single), whole, "in single characters");
    whole
}

/// The parts of an answer of the family that a template with these words shows.
#[track_caller]
fn check(template: &str, text: &str, expected: &[&str]) {
    let family = Family::of(template);
    assert_eq!(read_with(family, &tools(), false, text), expected, "{}", family.name());
}

const HERMES: &str = "<think> <tool_call>";
const QWEN: &str = "<think> <tool_call> <function=";
const LLAMA: &str = "<|python_tag|>";
const MISTRAL: &str = "[THINK] [TOOL_CALLS]";
const GRANITE: &str = "<|tool_call|>";
const LFM2: &str = "<|tool_call_start|>";
const DEEPSEEK: &str = "<think> <｜tool▁call▁begin｜>";
const GEMMA: &str = "<|channel>thought <|tool_call>call:";
const GPT_OSS: &str = "<|channel|>analysis<|message|> <|channel|>commentary";
const PLAIN: &str = "";

const PARIS: &str = r#"call get_weather {"city": "Paris"}"#;

#[test]
fn text_is_content() {
    for text in ["", "Hi", " Hi \n", "a < b <tool", "<", "```\n{\"a\": 1}\n```", "ü </think> <|end", "{}[]<>"] {
        let expected: Vec<String> = Some(format!("content: {text}")).filter(|_| !text.is_empty()).into_iter().collect();
        for template in [HERMES, QWEN, LLAMA, MISTRAL, GRANITE, LFM2, DEEPSEEK, GEMMA, PLAIN] {
            assert_eq!(read_with(Family::of(template), &tools(), false, text), expected, "{template}");
        }
    }
}

#[test]
fn reasoning_is_apart() {
    let with_both = ["reasoning: I think.\n\nYes.", "content: Hi\n there "];
    check(HERMES, "<think>\nI think.\n\nYes.\n</think>\n\nHi\n there ", &with_both);
    check(HERMES, "\n <think>I think.\n\nYes.</think>Hi\n there ", &with_both);
    check(MISTRAL, "[THINK]I think.\n\nYes.[/THINK]Hi\n there ", &with_both);
    check(GEMMA, "<|channel>thought\nI think.\n\nYes.\n<channel|>Hi\n there ", &with_both);
    check(HERMES, "<think>\n\n</think>\n\nHi", &["content: Hi"]);
    check(GEMMA, "<|channel>thought\n<channel|>Hi", &["content: Hi"]);
    // Cut off inside.
    check(HERMES, "<think>\nI th\n", &["reasoning: I th"]);
    check(HERMES, "<think>\nI think. </thi", &["reasoning: I think. </thi"]);
    // Words that a person could write count at the beginning only; control tokens count anywhere.
    check(HERMES, "The tag <think> is one.", &["content: The tag <think> is one."]);
    check(MISTRAL, "Hm. [THINK]a[/THINK] b", &["content: Hm.", "reasoning: a", "content: \n\nb"]);
    // A template that shows no reasoning leaves it to its models.
    check(PLAIN, "<think>a</think>b", &["reasoning: a", "content: b"]);
}

#[test]
fn a_prompt_may_open_the_reasoning() {
    let family = Family::of(HERMES);
    assert!(family.opens_reasoning("<|im_start|>assistant\n<think>\n"));
    assert!(!family.opens_reasoning("<|im_start|>assistant\n<think>\n\n</think>\n\n"));
    assert!(!family.opens_reasoning("<|im_start|>assistant\n"));
    let read = |text| read_with(family, &tools(), true, text);
    assert_eq!(read("\nI think.\n</think>\n\nHi"), ["reasoning: I think.", "content: Hi"]);
    assert_eq!(read("I think"), ["reasoning: I think"]);
    assert_eq!(read("</think>Hi"), ["content: Hi"]);
    assert_eq!(read("\n"), [""; 0]);
    // Calls that a model only thinks of are none, unless a control token opens them.
    let text = "<tool_call>{\"name\": \"now\"}</tool_call>";
    assert_eq!(read(text), [format!("reasoning: {text}")]);
    let family = Family::of(DEEPSEEK);
    let text =
        "So\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
    assert_eq!(read_with(family, &tools(), true, text), ["reasoning: So", "call now {}"]);
}

#[test]
fn hermes() {
    for template in [HERMES, PLAIN] {
        let call = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";
        check(template, call, &[PARIS]);
        check(template, &format!("Let me look.\n\n{call}"), &["content: Let me look.", PARIS]);
        check(
            template,
            &format!("<think>\nHm.\n</think>\n\nI look.\n{call}\n{call} Done."),
            &["reasoning: Hm.", "content: I look.", PARIS, PARIS, "content: \n\nDone."],
        );
    }
    let calls = |text: &str, expected: &[&str]| check(HERMES, &format!("<tool_call>{text}</tool_call>"), expected);
    // What the arguments may look like.
    calls(r#"{"name":"now","arguments":{}}"#, &["call now {}"]);
    calls(r#"{"name":"now"}"#, &["call now {}"]);
    calls(r#"{"name":"now","arguments":null}"#, &["call now {}"]);
    calls(r#"{"arguments": {"city": "Paris"}, "name": "get_weather"}"#, &[PARIS]);
    calls(r#"{"name": "get_weather", "arguments": "{\"city\": \"Paris\"}"}"#, &[PARIS]);
    calls(r#"{"id": [1, {"a": "}"}], "name": "get_weather", "parameters": {"city": "Paris"}, "x": 1.5}"#, &[PARIS]);
    let nested = [
        r#"{"range": {"from": [1, -2.5e3, {"a": {}}], "to": null}, "exact": true, "#,
        r#""query": "{\"}]</tool_call> \\ \n ü\u00fc"}"#,
    ]
    .concat();
    calls(&format!(r#"{{"name": "find_notes", "arguments": {nested}}}"#), &[&format!("call find_notes {nested}")]);
    calls(r#"{"name": "now", "arguments": {}}{"name": "now", "arguments": {}}"#, &["call now {}", "call now {}"]);
    calls(r#"[{"name": "now", "arguments": {}}, {"name": "now"}]"#, &["call now {}", "call now {}"]);
    // A tool that nobody offered is the client's to refuse.
    calls(r#"{"name": "paint", "arguments": {}}"#, &["call paint {}"]);
    // The end marker may be missing.
    check(HERMES, r#"<tool_call>{"name": "now", "arguments": {}}"#, &["call now {}"]);
}

#[test]
fn slips_in_json_are_mended() {
    let calls = |arguments: &str, expected: &str| {
        let text = format!(r#"<tool_call>{{"name": "now", "arguments": {arguments}}}</tool_call>"#);
        check(HERMES, &text, &[&format!("call now {expected}")]);
    };
    calls("{\"a\": \"x\ny\t\u{1}\"}", r#"{"a": "x\ny\t\u0001"}"#);
    calls(r#"{"a": "it\'s \d", "b": [1, 2, ], }"#, r#"{"a": "it's \\d", "b": [1, 2]}"#);
    calls(r#"{"a": True, "b": None}"#, r#"{"a": true, "b": null}"#);
    calls(r#"{"a": "\ud83d\ude00 \ud83d \ude00\ud83d\n"}"#, r#"{"a": "\ud83d\ude00 \ufffd \ufffd\ufffd\n"}"#);
}

#[test]
fn broken_calls_are_content() {
    let same = |template: &str, text: &str| check(template, text, &[&format!("content: {text}")]);
    for text in [
        "<tool_call>",
        "<tool_call>\n",
        "<tool_call>oops</tool_call>",
        "<tool_call>{\"name\": \"get_wea",
        "<tool_call>{\"name\": 1, \"arguments\": {}}</tool_call>",
        "<tool_call>{\"arguments\": {\"a\": 1}}</tool_call>",
        "<tool_call>{\"name\": \"now\", \"arguments\": [1]}</tool_call>",
        "<tool_call>{\"name\": \"now\", \"arguments\": \"[1]\"}</tool_call>",
        "<tool_call>{\"name\": \"no such\", \"arguments\": {}}</tool_call>",
        "<tool_call>{name: \"now\"}</tool_call>",
        "<tool_call>{\"arguments\": {\"a\": oops}, \"name\": \"now\"}</tool_call>",
    ] {
        same(HERMES, text);
        same(HERMES, &format!("Hi\n {text} \n"));
    }
    same(MISTRAL, "[TOOL_CALLS]now{}");
    same(MISTRAL, "[TOOL_CALLS][{\"name\": 1}]");
    same(LFM2, "<|tool_call_start|>[now]<|tool_call_end|>");
    same(LFM2, "<|tool_call_start|>oops");
    same(GEMMA, "<|tool_call>now{}<tool_call|>");
    same(QWEN, "<tool_call>\n<func");
    same(QWEN, "<function=a b>");
    same(LLAMA, "{\"name\": \"Alice\", \"parameters\": {}}");
    same(LLAMA, "{\"name\": \"now\"");
    same(LLAMA, "<|python_tag|>print(1)");
    // A good call behind a broken one counts.
    check(HERMES, "<tool_call>{<tool_call>{\"name\": \"now\"}</tool_call>", &["content: <tool_call>{", "call now {}"]);
    // What breaks behind the name cannot be taken back.
    check(
        HERMES,
        "<tool_call>{\"name\": \"now\", \"arguments\": {\"a\": 1 oops}}</tool_call>",
        &["cut now {\"a\": 1 ", "content: oops}}</tool_call>"],
    );
    check(HERMES, "<tool_call>{\"name\": \"now\", \"arguments\": {\"a\": \"x", &["cut now {\"a\": \"x"]);
    check(QWEN, "<function=now>\n<parameter=a>\nx\n</para", &["cut now {\"a\":"]);
    check(QWEN, "<function=now>\n<para!", &["cut now ", "content: <para!"]);
    check(LFM2, "<|tool_call_start|>[now(a=1 2)]", &["cut now {\"a\":1", "content: 2)]"]);
    let deep = format!("<tool_call>{{\"name\": \"now\", \"arguments\": {{\"a\": {}", "[".repeat(200));
    let parts = parts(Family::of(HERMES), &tools(), false, &[&deep]);
    assert!(parts[0].starts_with("cut now") && parts[1].starts_with("content: [["), "{parts:?}");
}

#[test]
fn without_tools_markers_are_text() {
    let text = "<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>";
    assert_eq!(read_with(Family::of(HERMES), &[], false, text), [format!("content: {text}")]);
    let text = "{\"name\": \"now\", \"parameters\": {}}";
    assert_eq!(read_with(Family::of(LLAMA), &[], false, text), [format!("content: {text}")]);
}

#[test]
fn qwen_xml() {
    let call = "<tool_call>\n<function=find_notes>\n<parameter=query>\na \"b\" <c> & d\n\\e\n</parameter>\n\
        <parameter=limit>\n3\n</parameter>\n<parameter=tags>\n[\"x\", \"ü\"]\n</parameter>\n<parameter=exact>\nTrue\n\
        </parameter>\n</function>\n</tool_call>";
    let expected = r#"call find_notes {"query":"a \"b\" <c> & d\n\\e","limit":3,"tags":["x", "ü"],"exact":true}"#;
    check(QWEN, call, &[expected]);
    check(QWEN, &format!("I look.\n\n{call}\n{call}"), &["content: I look.", expected, expected]);
    let one = |value: &str, key: &str, expected: &str| {
        let text =
            format!("<function=find_notes>\n<parameter={key}>\n{value}\n</parameter>\n</function>\n</tool_call>");
        check(QWEN, &text, &[&format!("call find_notes {{\"{key}\":{expected}}}")]);
    };
    one("", "query", r#""""#);
    one("\nx\n", "query", r#""\nx\n""#);
    one("3", "query", r#""3""#);
    one("null", "maybe", "null");
    one("3", "maybe", r#""3""#);
    one("3", "either", "3");
    one("three", "either", r#""three""#);
    one("3 or 4", "limit", r#""3 or 4""#);
    one("a", "unit", r#""a""#);
    one("{'a': [1, None], 'b': 'it''}", "range", r#"{"a": [1, null], "b": "it'"}"#);
    one("{\"a\": 1", "range", r#""{\"a\": 1""#);
    one("[1]", "unknown", "[1]");
    one("hello world", "unknown", r#""hello world""#);
    one("\"x\" and", "unknown", r#""\"x\" and""#);
    check(QWEN, "<tool_call>\n<function=now>\n</function>\n</tool_call>", &["call now {}"]);
    check(QWEN, "<tool_call><function=now></tool_call>", &["call now {}"]);
    check(QWEN, "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>", &["call now {}"]);
    check(QWEN, "<function=now><parameter=a>x</parameter></function>", &["call now {\"a\":\"x\"}"]);
}

#[test]
fn minicpm_and_glm() {
    let template = "<function name=";
    let call = "<function name=\"find_notes\"><param name=\"query\"><![CDATA[a <b>\n]]></param><param name=\"tags\">\
        ['x', 'ü']</param><param name=\"unit\">a</param></function>";
    let expected = r#"call find_notes {"query":"a <b>\n","tags":["x", "ü"],"unit":"a"}"#;
    check(template, &format!("Hi\n{call}\n{call}"), &["content: Hi", expected, expected]);
    check(template, "<function name=\"now\"></function>", &["call now {}"]);
    let template = "<arg_key>";
    let call = "<tool_call>find_notes\n<arg_key>query</arg_key>\n<arg_value>a <b>\n</arg_value>\n\
        <arg_key>limit</arg_key>\n<arg_value>3</arg_value>\n</tool_call>";
    let expected = r#"call find_notes {"query":"a <b>\n","limit":3}"#;
    check(template, &format!("Hi\n{call}\n{call}"), &["content: Hi", expected, expected]);
    check(template, "<tool_call>now\n</tool_call>", &["call now {}"]);
    check(template, "<tool_call>now</tool_call>", &["call now {}"]);
}

#[test]
fn llama() {
    let call = r#"{"name": "get_weather", "parameters": {"city": "Paris"}}"#;
    check(LLAMA, call, &[PARIS]);
    check(LLAMA, &format!("\n\n{call}"), &[PARIS]);
    check(LLAMA, &format!("<|python_tag|>{call}"), &[PARIS]);
    check(LLAMA, &format!("{call}; {call}"), &[PARIS, PARIS]);
    check(LLAMA, &format!("{call}\n{call}"), &[PARIS, PARIS]);
    check(LLAMA, r#"{"type": "function", "name": "now", "parameters": {}}"#, &["call now {}"]);
    check(LLAMA, &format!("Use {call}"), &[&format!("content: Use {call}")]);
    check(LLAMA, "{\"a\": 1}", &["content: {\"a\": 1}"]);
}

#[test]
fn mistral() {
    let city = r#"{"city": "Paris"}"#;
    check(MISTRAL, &format!("[TOOL_CALLS]get_weather[ARGS]{city}"), &[PARIS]);
    check(MISTRAL, &format!("[TOOL_CALLS]get_weather[CALL_ID]aBc123xYz[ARGS]{city}"), &[PARIS]);
    let two = format!("Hm.[TOOL_CALLS]get_weather[ARGS]{city}[TOOL_CALLS]now[ARGS]{{}}");
    check(MISTRAL, &two, &["content: Hm.", PARIS, "call now {}"]);
    let list = format!(
        "[TOOL_CALLS] [{{\"name\": \"get_weather\", \"arguments\": {city}, \"id\": \"a\"}}, {{\"name\": \"now\"}}]"
    );
    check(MISTRAL, &list, &[PARIS, "call now {}"]);
    check(MISTRAL, "[THINK]a[/THINK]b[TOOL_CALLS]now[ARGS]{}", &["reasoning: a", "content: b", "call now {}"]);
}

#[test]
fn granite() {
    let list = r#"[{"name": "get_weather", "arguments": {"city": "Paris"}}, {"name": "now", "arguments": {}}]"#;
    check(GRANITE, &format!("<|tool_call|>{list}"), &[PARIS, "call now {}"]);
    check(GRANITE, &format!("<|tool_call|>{list}<|/tool_call|>"), &[PARIS, "call now {}"]);
    check(GRANITE, &format!("<tool_call>{list}</tool_call>"), &[PARIS, "call now {}"]);
    check(GRANITE, &format!("<|tool_call|>{list}\nDone"), &[PARIS, "call now {}", "content: Done"]);
}

#[test]
fn lfm2() {
    let read = |text: &str, expected: &[&str]| {
        check(LFM2, &format!("<|tool_call_start|>{text}<|tool_call_end|>"), expected);
    };
    read("[get_weather(city='Paris')]", &[r#"call get_weather {"city":"Paris"}"#]);
    read("[get_weather(city=\"Paris\"), now()]", &[r#"call get_weather {"city":"Paris"}"#, "call now {}"]);
    read("get_weather( city = \"Paris\" )", &[r#"call get_weather {"city":"Paris"}"#]);
    read(
        "[find_notes(query='a \"b\" <c> & d\n\\e', limit=3, tags=['x', \"ü\"], range={\"from\": 0.5, 'to': None}, \
            exact=True, maybe=(1, 2))]",
        &[&[
            r#"call find_notes {"query":"a \"b\" <c> & d\n\\e","limit":3,"tags":["x", "ü"],"#,
            r#""range":{"from": 0.5, "to": null},"exact":true,"maybe":[1, 2]}"#,
        ]
        .concat()],
    );
    read("[f(a='it's, fine', b='don\\'t', c='x)]')]", &[r#"call f {"a":"it's, fine","b":"don't","c":"x)]"}"#]);
    read("[f(a=celsius)]", &[r#"call f {"a":"celsius"}"#]);
    check(
        LFM2,
        "Hi<|tool_call_start|>[now()]<|tool_call_end|>Bye",
        &["content: Hi", "call now {}", "content: \n\nBye"],
    );
}

#[test]
fn deepseek() {
    let section = |calls: &str| format!("<｜tool▁calls▁begin｜>{calls}<｜tool▁calls▁end｜>");
    let call = |header: &str, json: &str| format!("<｜tool▁call▁begin｜>{header}{json}<｜tool▁call▁end｜>");
    let city = r#"{"city": "Paris"}"#;
    let new = section(&(call("get_weather<｜tool▁sep｜>", city) + &call("now<｜tool▁sep｜>", "{}")));
    check(DEEPSEEK, &format!("<think>a</think>b\n{new}"), &["reasoning: a", "content: b", PARIS, "call now {}"]);
    let old =
        |name: &str, json: &str| call(&format!("function<｜tool▁sep｜>{name}\n```json\n"), &format!("{json}\n```"));
    check(DEEPSEEK, &section(&format!("{}\n{}", old("get_weather", city), old("now", "{}"))), &[PARIS, "call now {}"]);
    // Distilled models forget the section's marker.
    check(DEEPSEEK, &call("now<｜tool▁sep｜>", "{}"), &["call now {}"]);
}

#[test]
fn kimi_solar_and_apertus() {
    let template = "<think> <|tool_call_argument_begin|>";
    let text = "<think>a</think>b<|tool_calls_section_begin|><|tool_call_begin|>functions.now:0\
        <|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>";
    check(template, text, &["reasoning: a", "content: b", "call now {}"]);
    let template = "<|think|> <|tool_call:begin|>";
    let text = "<|think|>a<|end|><|begin|>assistant<|tool_calls|><|tool_call:begin|>x1<|tool_call:name|>now\
        <|tool_call:args|>{}<|tool_call:end|><|tool_call:begin|>x2<|tool_call:name|>now<|tool_call:args|>{}\
        <|tool_call:end|><|calls|>";
    check(template, text, &["reasoning: a", "call now {}", "call now {}"]);
    check(template, "<|think|>a<|end|><|begin|>assistant<|content|>b<|end|>", &["reasoning: a", "content: b"]);
    let template = "<|inner_prefix|> <|tools_prefix|>";
    let text = "<|inner_prefix|>a<|inner_suffix|>b<|tools_prefix|>[{\"now\": {}}, {\"get_weather\": {\"city\": \
        \"Paris\"}}]<|tools_suffix|>";
    check(template, text, &["reasoning: a", "content: b", "call now {}", PARIS]);
}

#[test]
fn gemma() {
    let text = "<|channel>thought\na\n<channel|>b<|tool_call>call:find_notes{exact:true,limit:3,query:<|\"|>a \"b\" \
        {<c>} & d\n\\e<|\"|>,range:{from:0.5,to:null},tags:[<|\"|>x<|\"|>,<|\"|>ü<|\"|>]}<tool_call|>\
        <|tool_call>call:now{}<tool_call|>";
    let call = [
        r#"call find_notes {"exact":true,"limit":3,"query":"a \"b\" {<c>} & d\n\\e","#,
        r#""range":{"from":0.5,"to":null},"tags":["x","ü"]}"#,
    ]
    .concat();
    check(GEMMA, text, &["reasoning: a", "content: b", &call, "call now {}"]);
    let bare = "<|tool_call>call:get_weather{city:New York}<tool_call|>";
    check(GEMMA, bare, &[r#"call get_weather {"city":"New York"}"#]);
    let function = "<start_function_call>call:get_weather{city:<escape>Paris<escape>}<end_function_call>";
    check("<start_function_call>", function, &[r#"call get_weather {"city":"Paris"}"#]);
}

#[test]
fn gpt_oss() {
    let thought = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant";
    let answer = "<|channel|>final<|message|>Hi\n there";
    check(GPT_OSS, &format!("{thought}{answer}"), &["reasoning: Hm.", "content: Hi\n there"]);
    let call = "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{\"city\": \"Paris\"}";
    check(GPT_OSS, &format!("{thought}{call}<|call|>"), &["reasoning: Hm.", PARIS]);
    check(GPT_OSS, &format!("{thought}{call}"), &["reasoning: Hm.", PARIS]);
    let call = " to=functions.get_weather<|channel|>commentary json<|message|>{\"city\": \"Paris\"}<|call|>";
    check(GPT_OSS, &format!("{call}<|start|>assistant{call}"), &[PARIS, PARIS]);
    let preamble = "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant";
    check(GPT_OSS, &format!("{thought}{preamble}{call}"), &["reasoning: Hm.", "content: I look.", PARIS]);
    check(
        GPT_OSS,
        &format!("{thought}{thought}{preamble}{answer}"),
        &["reasoning: Hm.\n\nHm.", "content: I look.\n\nHi\n there"],
    );
}

#[test]
fn what_is_held_back_is_bounded() {
    let family = Family::of(HERMES);
    let mut n_content = 0;
    let tools = tools();
    let mut reader = Reader::new(family, &tools, false);
    let mut count = |event: Event<'_>| match event {
        Event::Content(text) => n_content += text.len(),
        _ => panic!("{event:?}"),
    };
    // Arguments without an end in front of a name.
    reader.push("<tool_call>{\"arguments\": {\"a\": \"", &mut count);
    let piece = "x".repeat(1000);
    (0..1000).for_each(|_| reader.push(&piece, &mut count));
    reader.push(&" ".repeat(1_000_000), &mut count);
    assert!(n_content > 1_900_000, "{n_content}");
}
