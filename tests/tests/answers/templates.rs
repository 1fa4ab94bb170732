//! Calls through the templates of published models and back: what a template shows of an earlier answer is how its
//! models write the next one.

use crate::answer::capabilities::Arguments;
use crate::answer::{Capabilities, Family, Reader, Tool, history};
use crate::message::Message;
use nanocamelid_engine::chat::SystemSupport;
use nanocamelid_engine::template::{Context, Date, Template, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;

fn value(json: &Json) -> Value {
    crate::template_value::value(json).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Texts that end a turn. A generator does not pass them on.
const ENDS: [&str; 9] = [
    "<|im_end|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "</s>",
    "<｜end▁of▁sentence｜>",
    "<turn|>",
    "<|tool_response>",
    "<|user|>",
    "<|assistant_end|>",
];

struct Published {
    name: String,
    source: String,
    template: Template,
}

impl Published {
    fn all(folder: &Path) -> Vec<Self> {
        let mut all: Vec<Self> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "jinja"))
            .map(|path| {
                let source = std::fs::read_to_string(&path).unwrap();
                let template = Template::compile(&source, Some("<s>"), Some("</s>")).unwrap();
                Self { name: path.file_stem().unwrap().to_string_lossy().into_owned(), source, template }
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// What becomes of a system message, as a chat's format asks its template.
    fn system_support(&self) -> SystemSupport {
        let conversation =
            [json!({"role": "system", "content": "Be brief."}), json!({"role": "user", "content": "Hi"})];
        match self.render(&conversation, &Json::Null, true) {
            Some(text) if text.contains("Be brief.") => SystemSupport::Shown,
            Some(_) => SystemSupport::LeftOut,
            None => SystemSupport::Refused,
        }
    }

    fn render(&self, messages: &[Json], tools: &Json, add_generation_prompt: bool) -> Option<String> {
        self.rendered(messages, tools, add_generation_prompt).ok()
    }

    fn rendered(&self, messages: &[Json], tools: &Json, add_generation_prompt: bool) -> Result<String, String> {
        let messages = value(&json!(messages));
        let variables = [("tools", value(tools)), ("enable_thinking", Value::Bool(true))];
        let date = Date::parse("2026-07-26").ok();
        let context = Context { messages, add_generation_prompt, date, variables: &variables };
        self.template.render(&context).map(|text| text.as_str().to_owned()).map_err(|e| e.to_string())
    }

    /// The text of the last message's answer, and whether the prompt opens the reasoning.
    fn answer(&self, messages: &[Json], tools: &Json) -> Option<(String, bool)> {
        let before = &messages[..messages.len() - 1];
        let base = self.render(before, tools, false)?;
        let prompt = self.render(before, tools, true)?;
        let all = self.render(messages, tools, false)?;
        let (opening, answer) = (prompt.strip_prefix(&base)?, all.strip_prefix(&base)?);
        // Of the prompt's last words those that the answer has, too; a marker is not divided.
        let n_common = opening.bytes().zip(answer.bytes()).take_while(|(a, b)| a == b).count();
        let common = answer.get(..n_common).unwrap_or_default();
        let common = match common == opening {
            true => common,
            false => &common[..common.rfind(['>', ']', '\n']).map_or(0, |at| at + 1)],
        };
        let opened = Family::of(&self.source).opens_reasoning(common);
        let answer = &answer[common.len()..];
        let end = ENDS.iter().filter_map(|end| answer.find(end)).min().unwrap_or(answer.len());
        Some((answer[..end].to_owned(), opened))
    }
}

fn read(family: Family, tools: &[Tool], opened: bool, text: &str) -> Message {
    let mut message = Message::default();
    let mut reader = Reader::new(family, tools, opened);
    reader.push(text, &mut |event| message.take(event));
    reader.finish(&mut |event| message.take(event));
    message
}

#[test]
fn calls_come_back_from_published_templates() {
    let Some(folder) = nanocamelid_tests::shared_fixtures("templates") else { return };
    let goldens: Json = serde_json::from_slice(&std::fs::read(folder.join("goldens-tools.json")).unwrap()).unwrap();
    let tools = &goldens["tools"]["two"];
    let parsed: Vec<Tool> = tools.as_array().unwrap().iter().map(|tool| Tool::parse(tool).unwrap()).collect();
    let weather = json!({"city": "São Paulo", "unit": "celsius"});
    let notes = json!({"query": "a \"b\" <c> & d\n\\e {[", "limit": 3, "tags": ["x", "ü"],
        "range": {"from": 0.5, "to": null}, "exact": true});
    let call = |id: &str, name: &str, arguments: &Json| {
        let function = json!({"name": name, "arguments": arguments});
        json!({"id": id, "type": "function", "function": function})
    };
    let (one, two) = (call("aBc123xYz", "get_weather", &weather), call("q0W1e2R3t", "find_notes", &notes));
    let none = call("q0W1e2R3t", "get_weather", &json!({}));
    let answers = [
        ("one", "", "", vec![one.clone()]),
        ("other", "", "", vec![two.clone()]),
        ("none", "", "", vec![none]),
        ("text", "", "Let me look.", vec![two.clone()]),
        ("parallel", "", "", vec![one.clone(), two.clone()]),
        ("reasoning", "I should\n\ncall.", "", vec![one]),
    ];
    let mut read_back: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for published in Published::all(&folder) {
        let family = Family::of(&published.source);
        for (kind, reasoning, content, calls) in &answers {
            let mut answer = Map::from_iter([
                ("role".to_owned(), json!("assistant")),
                ("content".to_owned(), json!(content)),
                ("tool_calls".to_owned(), json!(calls)),
            ]);
            if !reasoning.is_empty() {
                for key in ["reasoning_content", "reasoning"] {
                    answer.insert(key.to_owned(), json!(reasoning));
                }
            }
            let messages = [json!({"role": "user", "content": "Hi"}), Json::Object(answer)];
            let Some((text, opened)) = published.answer(&messages, tools) else { continue };
            // Some templates show no calls, or the first one only.
            if !calls.iter().all(|call| text.contains(call["function"]["name"].as_str().unwrap())) {
                continue;
            }
            let message = read(family, &parsed, opened, &text);
            let called: Vec<Json> = message
                .calls
                .iter()
                .map(|call| {
                    assert!(call.is_whole, "{text}");
                    json!({"name": call.name, "arguments": serde_json::from_str::<Json>(&call.arguments).unwrap()})
                })
                .collect();
            let expected: Vec<Json> = calls.iter().map(|call| call["function"].clone()).collect();
            assert_eq!(called, expected, "{} {kind}: {text}", published.name);
            // Not every template shows the text and the reasoning of an answer with calls.
            let shown = |part: &str| if text.contains(part) { part.to_owned() } else { String::new() };
            let mut shown = (shown(reasoning), shown(content));
            if family.name() == "gpt-oss" {
                // Its template takes the text of an answer with calls for reasoning.
                shown = (shown.0 + &shown.1, String::new());
            }
            assert_eq!((message.reasoning, message.content), shown, "{} {kind}: {text}", published.name);
            read_back.entry(published.name.clone()).or_default().push(kind);
        }
    }
    for (name, kinds) in &read_back {
        println!("{name}: {}", kinds.join(", "));
    }
    assert!(read_back.len() >= 18, "{read_back:?}");
}

/// The family of each template, what it can do, and what it cannot do where that is the exception.
const CAPABILITIES: [(&str, &str); 23] = [
    ("Apertus-8B-Instruct", "apertus objects reasons switch"),
    ("GLM-4.6", "glm objects reasons switch"),
    ("HuggingFaceTB-SmolLM3-3B", "plain reasons switch"),
    ("Kimi-K2-Thinking", "kimi reasons"),
    ("LFM2.5-8B-A1B", "lfm2 objects reasons"),
    ("NVIDIA-Nemotron-3-Nano", "qwen-xml objects reasons switch"),
    ("NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "hermes objects"),
    ("Qwen-Qwen2.5-7B-Instruct", "hermes objects"),
    ("Qwen-Qwen3-0.6B", "hermes objects needs-content reasons switch"),
    ("Qwen3.8", "qwen-xml objects reasons switch effort"),
    ("baidu-ERNIE-4.5-0.3B", "plain"),
    ("deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "deepseek-r1 reasons switch"),
    ("deepseek-ai-DeepSeek-V3.1", "deepseek reasons switch"),
    ("google-gemma-2-2b-it", "plain"),
    ("google-gemma-4-E2B-it", "gemma-4 objects reasons switch"),
    ("ibm-granite-granite-4.0", "hermes objects"),
    ("meta-llama-Llama-3.2-3B-Instruct", "llama-3 objects one-call"),
    ("microsoft-Phi-4-mini-instruct", "granite"),
    ("mistralai-Ministral-3-14B-Reasoning-2512", "mistral objects reasons"),
    ("mistralai-Mistral-Nemo-Instruct-2407", "mistral-list objects short-ids"),
    ("openai-gpt-oss-120b", "gpt-oss objects one-call text-or-reasoning reasons effort"),
    ("openbmb-MiniCPM5-1B", "minicpm objects reasons switch"),
    ("upstage-Solar-Open-100B", "solar objects reasons effort"),
];

fn words(capabilities: Capabilities) -> String {
    let words = [
        (capabilities.calls == Some(Arguments::Object), "objects"),
        (capabilities.calls == Some(Arguments::Text), "texts"),
        (!capabilities.has_parallel_calls, "one-call"),
        (capabilities.has_short_ids, "short-ids"),
        (capabilities.calls.is_some() && capabilities.needs_content, "needs-content"),
        (!capabilities.has_text_and_reasoning, "text-or-reasoning"),
        (capabilities.reasons, "reasons"),
        (capabilities.can_switch_reasoning, "switch"),
        (capabilities.has_effort, "effort"),
    ];
    words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

#[test]
fn capabilities_are_found_by_rendering() {
    let Some(folder) = nanocamelid_tests::shared_fixtures("templates") else { return };
    let abilities = |published: &Published| {
        let words = words(Capabilities::of(&published.source, &published.template));
        format!("{} {words}", Family::of(&published.source).name()).trim_end().to_owned()
    };
    let found: Vec<(String, String)> = Published::all(&folder).iter().map(|p| (p.name.clone(), abilities(p))).collect();
    let found: Vec<(&str, &str)> = found.iter().map(|(name, words)| (name.as_str(), words.as_str())).collect();
    assert_eq!(found, CAPABILITIES);
}

/// A conversation with calls, as the server reads it.
#[test]
fn every_template_shows_calls_and_results() {
    let Some(folder) = nanocamelid_tests::shared_fixtures("templates") else { return };
    let parsed = ["first", "second"].map(|name| {
        let function = json!({"name": name, "parameters": {"type": "object", "properties": {}}});
        Tool::parse(&json!({"type": "function", "function": function})).unwrap()
    });
    let tools = Json::Array(parsed.iter().map(Tool::json).collect());
    let call = |id: &str, name: &str, value: &str| {
        let function = json!({"name": name, "arguments": {"key": value}});
        json!({"id": id, "type": "function", "function": function})
    };
    let messages = [
        json!({"role": "user", "content": "question"}),
        json!({"role": "assistant", "content": null, "tool_calls": [
            call("call_1", "first", "value-one"),
            call("call_2", "second", "value-two"),
        ]}),
        json!({"role": "tool", "tool_call_id": "call_2", "content": "result-two"}),
        json!({"role": "tool", "tool_call_id": "call_1", "content": "result-one"}),
        json!({"role": "assistant", "content": "answer"}),
        json!({"role": "user", "content": "thanks"}),
    ];
    for published in Published::all(&folder) {
        let capabilities = Capabilities::of(&published.source, &published.template);
        let prepared = history::messages(&messages, &parsed, &capabilities, published.system_support());
        let tools = if capabilities.calls.is_some() { &tools } else { &Json::Null };
        let text = published.rendered(&prepared, tools, true).unwrap_or_else(|e| panic!("{}: {e}", published.name));
        for word in
            ["question", "first", "second", "value-one", "value-two", "result-one", "result-two", "answer", "thanks"]
        {
            assert!(text.contains(word), "{}: no {word}: {text}", published.name);
        }
    }
}
