//! Roles inside control tokens: `'<|' + message.role + '|>'` writes a control token, and no other part of a message
//! does.

use nanocamelid_engine::Tokenizer;
use nanocamelid_engine::chat::{Message, Role, encode_text};
use nanocamelid_engine::template::{Context, Date, Error, ErrorKind, RoleError, Template, Text, Value};
use nanocamelid_tests::vocabularies::{CONTROL, assert_messages_are_text, bpe, encode, with};
use std::collections::BTreeSet;

/// The shapes that published templates have.
const TEMPLATES: [&str; 4] = [
    // Phi-3.5 and Phi-4-mini: a token made of the role.
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}{{ '<|assistant|>' }}",
    // GLM: the same in output, with the content trimmed behind a line's end.
    "[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{{ m.content | trim }}{% endfor %}<|assistant|>\n",
    // The role in a variable, joined and formatted.
    "{% for m in messages %}{% set r = ['<|', m.role, '|>'] | join %}{{ '%s%s' % (r, m.content) }}<|end|>{% endfor %}",
    // A macro that is handed role and content.
    "{% macro turn(role, content) %}{{ '<|' ~ role ~ '|>' ~ content ~ '<|end|>' }}{% endmacro %}\
     {% for m in messages %}{{ turn(m.role, m.content) }}{% endfor %}{{ '<|assistant|>' }}",
];

const TOKENS: [&str; 7] = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "[gMASK]", "<sop>", "<|x|>"];

fn context(messages: Value) -> Context<'static> {
    Context { messages, add_generation_prompt: true, date: Date::parse("2026-07-26").ok(), variables: &[] }
}

fn render(source: &str, messages: &[Message<'_>]) -> Result<Text, Error> {
    Template::compile(source, None, None)?.render(&context(Value::messages(messages)))
}

fn ids(tokenizer: &Tokenizer<'_>, text: &Text) -> Vec<u32> {
    let mut ids = Vec::new();
    encode_text(tokenizer, text, &mut ids);
    ids
}

fn conversation(content: &str) -> [Message<'_>; 4] {
    [Role::System, Role::User, Role::Assistant, Role::User].map(|role| Message { role, content })
}

/// The control tokens of `ids`: bytes have the first 256 ids.
fn controls(ids: &[u32]) -> Vec<u32> {
    ids.iter().copied().filter(|&id| id >= 256).collect()
}

/// Renders with harmless and with harmful contents: the ids are those of the rendered text with control tokens parsed,
/// and messages that spell control tokens stay text. Returns how many control tokens the conversation has.
fn check(name: &str, source: &str, tokens: &[&str], messages: &[Message<'_>]) -> usize {
    let others: Vec<(&str, i32)> = tokens.iter().map(|&token| (token, CONTROL)).collect();
    with(&bpe("qwen2", &[], &others), |tokenizer| {
        let text = render(source, messages).unwrap_or_else(|error| panic!("{name}: {error}"));
        let harmless = ids(tokenizer, &text);
        assert_eq!(harmless, encode(tokenizer, text.as_str(), true), "{name}");
        for token in tokens {
            for attack in [format!("a{token}b"), format!("{token}{token}"), format!("{}|>", &token[..1])] {
                let attacked: Vec<Message<'_>> = messages
                    .iter()
                    .map(|message| match message.role {
                        Role::User => Message { content: &attack, ..*message },
                        _ => *message,
                    })
                    .collect();
                let text = render(source, &attacked).unwrap_or_else(|error| panic!("{name}: {error}"));
                let attacked = ids(tokenizer, &text);
                assert_messages_are_text(name, &text, &attacked, tokens);
                // Some templates look for their own tags in what is said and then write others.
                if TEMPLATES.contains(&source) {
                    assert_eq!(controls(&attacked), controls(&harmless), "{name}: {attack}");
                }
            }
        }
        controls(&harmless).len()
    })
}

#[test]
fn a_role_makes_a_control_token_and_contents_make_none() {
    for source in TEMPLATES {
        let n = check(source, source, &TOKENS, &conversation("Hi there"));
        assert!(n >= 4, "{source}: only {n} control tokens for four turns");
    }
}

/// Contents that end or begin with a part of a role's token, which only the template would join.
#[test]
fn contents_beside_a_role_stay_text() {
    with(&bpe("qwen2", &[], &TOKENS.map(|token| (token, CONTROL))), |tokenizer| {
        for (source, content) in [
            ("{{ '<|' + messages[0].content + '|>' }}", "user"),
            ("{{ '<|' + messages[0].role + messages[0].content }}", "|>"),
            ("{{ messages[0].content + messages[0].role + '|>' }}", "<|"),
            ("{{ '<|' ~ messages[0].content.replace('X', messages[0].role) ~ '|>' }}", "Xs"),
            ("{{ ('<|' ~ messages[0].content ~ '|>')[0:8] }}", "user"),
        ] {
            let text = render(source, &[Message { role: Role::User, content }]).unwrap();
            assert_eq!(controls(&ids(tokenizer, &text)), [], "{source}: {}", text.as_str());
        }
    });
}

/// Names, arguments and all other values of a message are not text of the template, not even a role inside of them.
#[test]
fn only_the_role_of_a_message_is_trusted() {
    let text = |string: &str| Value::message_text(string);
    let object = |entries: Vec<(&str, Value)>| {
        Value::map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()).unwrap()
    };
    let part = object(vec![("role", text("user"))]);
    let message = object(vec![("role", text("tool")), ("name", text("user")), ("content", part)]);
    let messages = Value::list(vec![message]).unwrap();
    with(&bpe("qwen2", &[], &[("<|tool|>", CONTROL), ("<|user|>", CONTROL)]), |tokenizer| {
        for (expression, n_expected) in [("m.role", 1), ("m.name", 0), ("m.content.role", 0), ("(m|list)[0]", 0)] {
            let source = format!("{{% for m in messages %}}{{{{ '<|' ~ {expression} ~ '|>' }}}}{{% endfor %}}");
            let template = Template::compile(&source, None, None).unwrap();
            let text = template.render(&context(messages.clone())).unwrap();
            assert_eq!(controls(&ids(tokenizer, &text)).len(), n_expected, "{expression}: {}", text.as_str());
        }
    });
}

#[test]
fn what_is_no_role_is_refused() {
    let template = Template::compile("{{ messages[1].content }}", None, None).unwrap();
    let render = |role: &str| {
        let message = |role: &str| {
            let role = ("role".to_owned(), Value::message_text(role));
            Value::map(vec![role, ("content".to_owned(), Value::message_text("x"))]).unwrap()
        };
        template.render(&context(Value::list(vec![message("user"), message(role)]).unwrap()))
    };
    for role in ["a", "tool", "tool_response", "my-role-2", &"r".repeat(32)] {
        assert_eq!(render(role).unwrap().as_str(), "x", "{role}");
    }
    for (role, error) in [
        ("", RoleError::Length(0)),
        (&*"r".repeat(33), RoleError::Length(33)),
        ("user|>", RoleError::Character('|')),
        ("User", RoleError::Character('U')),
        ("us er", RoleError::Character(' ')),
        ("user\n", RoleError::Character('\n')),
        ("usér", RoleError::Character('é')),
        ("<s>", RoleError::Character('<')),
    ] {
        let refused = render(role).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Role { index: 1, error }, "{role}");
        assert!(refused.to_string().starts_with("message 1: a role has "), "{refused}");
        assert!(!refused.to_string().contains('\n'), "{refused}");
    }
}

/// Everything in a template that looks like a control token, with the role's place filled in.
fn markers(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (open, close) in [("<|", "|>"), ("<｜", "｜>"), ("<|", ">"), ("<", "|>"), ("<", ">"), ("[", "]")] {
        for (start, _) in source.match_indices(open) {
            let Some(end) = source[start + open.len()..].find(close) else { continue };
            let inner = &source[start + open.len()..][..end];
            let is_name = |c: char| c.is_alphanumeric() || "_-/▁".contains(c);
            if !inner.is_empty() && inner.chars().all(is_name) && !inner.chars().all(|c| c.is_ascii_digit()) {
                found.insert(format!("{open}{inner}{close}"));
            }
        }
    }
    for role in ["system", "user", "assistant"] {
        found.insert(format!("<|{role}|>"));
    }
    found
}

#[test]
fn published_templates() {
    let Some(folder) = nanocamelid_tests::shared_fixtures("templates") else { return };
    let (mut n_templates, mut n_with_roles) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "jinja") {
            continue;
        }
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let source = std::fs::read_to_string(&file).unwrap();
        let markers = markers(&source);
        let markers: Vec<&str> = markers.iter().map(String::as_str).collect();
        let all = conversation("Hi there");
        // What a template refuses by itself, or cannot do without tools, is no case here.
        let Some(messages) = [&all[..], &all[1..], &all[1..2]].into_iter().find(|m| render(&source, m).is_ok()) else {
            eprintln!("skipped: {name} renders none of the conversations");
            continue;
        };
        n_templates += 1;
        n_with_roles += usize::from(source.contains("<|' + m"));
        let n_controls = check(&name, &source, &markers, messages);
        assert!(n_controls >= 1, "{name}: no control token");
    }
    assert!(n_templates >= 20 && n_with_roles >= 1, "{n_templates} {n_with_roles}");
}
