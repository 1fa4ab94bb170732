//! Text, reasoning and broken calls, which all families have in common.

use crate::answer::{Event, Family, Reader};
use crate::reading::*;

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
    let granite = "Here is my thought process:";
    check(granite, "Here is my thought process: a\nHere is my response:\nb", &["reasoning: a", "content: b"]);
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
fn what_is_held_back_is_bounded() {
    let family = Family::of(HERMES);
    let mut n_content = 0;
    let tools = tools();
    let mut reader = Reader::new(family, &tools[..], false);
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
