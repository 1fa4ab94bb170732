//! Answers of random pieces of markers, calls and text: whatever a model writes, there is no panic, the pieces in which
//! the text comes make no difference, and no text is lost.

use crate::answer::Family;
use crate::reading::*;
use nanocamelid_tests::random::Random;

/// What the answers are made of, with `~` between the words.
const WORDS: &str = "<think>~</think>~[THINK]~[/THINK]~<|channel>thought~<channel|>~<|end|>~<|start|>assistant~\
    <|channel|>analysis<|message|>~<|channel|>final<|message|>~<|channel|>commentary to=functions.~<|call|>~\
    <tool_call>~</tool_call>~<function=~<parameter=~</parameter>~</function>~<function name=\"~\">~<param name=\"~\
    </param>~<![CDATA[~]]>~<arg_key>~</arg_key>~<arg_value>~</arg_value>~<|tool_call|>~<|tool_call_start|>~\
    <|tool_call_end|>~[TOOL_CALLS]~[ARGS]~[CALL_ID]~<｜tool▁calls▁begin｜>~<｜tool▁call▁begin｜>~<｜tool▁sep｜>~\
    <｜tool▁call▁end｜>~<|tool_call>call:~<tool_call|>~<|\"|>~<|python_tag|>~{~}~[~]~(~)~=~:~,~\"~'~\\~\\ud83d~ ~\n~;~\
    now~find_notes~query~{\"name\": \"now\", \"arguments\": {~\"a\": ~1.5~True~ü~\
    <tool_call>{\"name\": \"now\"}</tool_call>~<tool_call>[{\"arguments\": {}, \"name\": \"now\"}]~now[ARGS]{}";

/// Templates, and how calls begin there.
const STARTS: [(&str, &str); 11] = [
    (HERMES, "<tool_call>{\"name\": \"now\", \"arguments\": {"),
    (QWEN, "<tool_call>\n<function=find_notes>\n<parameter=query>\n"),
    (LLAMA, "{\"name\": \"now\", \"parameters\": {"),
    (MISTRAL, "[TOOL_CALLS]now[ARGS]{"),
    (GRANITE, "<|tool_call|>[{\"name\": \"now\", \"arguments\": "),
    (LFM2, "<|tool_call_start|>[now(a="),
    (DEEPSEEK, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{"),
    (GEMMA, "<|tool_call>call:now{a:"),
    (GPT_OSS, "<|channel|>commentary to=functions.now<|message|>{"),
    ("<function name=", "<function name=\"find_notes\"><param name=\"tags\">"),
    ("<arg_key>", "<tool_call>find_notes\n<arg_key>limit</arg_key>\n<arg_value>"),
];

#[test]
fn random_answers_are_read_alike_in_all_pieces() {
    let mut random = Random(1);
    let tools = tools();
    let all: Vec<&str> = WORDS.split('~').collect();
    let (mut n_calls, mut n_cut, mut n_kept) = (0, 0, 0);
    for round in 0..6000 {
        let (template, start) = STARTS[round % STARTS.len()];
        let family = Family::of(template);
        let mut words = vec![start; random.below(3)];
        words.extend((0..1 + random.below(24)).map(|_| all[random.below(all.len())]));
        let text = words.concat();
        let opened = random.below(4) == 0;
        let whole = parts(family, &tools, opened, &[&text]);
        assert_eq!(parts(family, &tools, opened, &words), whole, "{words:?}");
        let single: Vec<String> = text.chars().map(String::from).collect();
        let single: Vec<&str> = single.iter().map(String::as_str).collect();
        assert_eq!(parts(family, &tools, opened, &single), whole, "{words:?}");
        let count = |kind: &str| whole.iter().filter(|part| part.starts_with(kind)).count();
        n_calls += count("call");
        n_cut += count("cut");
        // Without calls nothing is missing but markers of reasoning, silent markers and white space.
        if count("call") + count("cut") == 0 && template != GPT_OSS {
            let of = |part: &String| part.split_once(": ").unwrap().1.to_owned();
            let kept = |text: &str| text.replace(char::is_whitespace, "");
            let without = |mut text: String| {
                for marker in ["<think>", "</think>", "[THINK]", "[/THINK]", "<|channel>thought", "<channel|>"] {
                    text = text.replace(marker, "");
                }
                text
            };
            let parts: String = whole.iter().map(of).collect();
            assert_eq!(without(kept(&parts)), without(kept(&text)), "{words:?}");
            n_kept += 1;
        }
    }
    assert!(n_calls > 300 && n_cut > 1000 && n_kept > 1000, "{n_calls} {n_cut} {n_kept}");
}
