//! Calls as the models of each family write them.

use crate::answer::{Event, Family, Reader};
use crate::reading::*;

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
    // Text that is JSON goes out before it ends.
    let family = Family::of(LLAMA);
    let tools = tools();
    let mut n_bytes = 0;
    Reader::new(family, &tools[..], false).push("{\"a\": [1, ", &mut |event| match event {
        Event::Content(text) => n_bytes += text.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(n_bytes, "{\"a\": [1,".len());
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
fn nemotron_and_hunyuan() {
    let list = r#"[{"name": "get_weather", "arguments": {"city": "Paris"}}, {"name": "now", "arguments": {}}]"#;
    check("<TOOLCALL>", &format!("<TOOLCALL>{list}</TOOLCALL>"), &[PARIS, "call now {}"]);
    let text = format!("<think>\nHm.\n</think>\n<answer>\nI look.\n<tool_calls>{list}</tool_calls>\n</answer>");
    check("<think> <answer>", &text, &["reasoning: Hm.", "content: I look.", PARIS, "call now {}"]);
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
    let call = "<|channel|>analysis to=get_weather code<|message|>{\"city\": \"Paris\"}<|call|>";
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
