//! Templates of a file that cannot be used, leave a message out, or refuse; and how the conversation is rendered then.

use nanocamelid_engine::chat::{
    ChatError, ChatFormat, FormatError, Message, RenderRequest, Role, SystemSupport, TemplateFault,
};
use nanocamelid_engine::{Gguf, Tokenizer};
use nanocamelid_tests::gguf_writer::Value;
use nanocamelid_tests::vocabularies::{CONTROL, bpe};

const REQUEST: RenderRequest = RenderRequest { add_generation_prompt: true, date: None };
const SYSTEM: Message<'_> = Message { role: Role::System, content: "Be kind." };
const USER: Message<'_> = Message { role: Role::User, content: "Where is my question?" };
const TURNS: &str = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";

/// The chat format of a file with this value as its template, whose architecture implies no format.
fn format_of(template: Value, tokens: &[&str]) -> Result<ChatFormat, FormatError> {
    let others: Vec<(&str, i32)> = tokens.iter().map(|&token| (token, CONTROL)).collect();
    let file = bpe("qwen2", &[], &others)
        .entry("general.architecture", Value::string("granite"))
        .entry("tokenizer.chat_template", template)
        .finish()
        .bytes;
    let gguf = Gguf::parse(&file).unwrap();
    ChatFormat::new(&gguf, &Tokenizer::new(&gguf).unwrap())
}

fn format(template: &str) -> Result<ChatFormat, FormatError> {
    format_of(Value::string(template), &["<|im_start|>", "<|im_end|>"])
}

fn rendered(template: &str, messages: &[Message<'_>]) -> Result<String, ChatError> {
    format(template).unwrap().render(messages, REQUEST).map(|text| text.as_str().to_owned())
}

#[test]
fn a_template_of_white_space_is_none() {
    for template in ["", " ", "\n\t \u{a0}\n"] {
        let format = format(template).unwrap();
        assert_eq!((format.renderer(), format.template_format()), ("qwen_im", "named"), "{template:?}");
        assert_eq!(format.template_fault(), None);
        assert_eq!(format_of(Value::string(template), &[]).unwrap_err(), FormatError::Unknown);
    }
}

#[test]
fn a_template_that_leaves_the_message_out_is_not_used() {
    for template in [
        "<|im_start|>",
        "{{ '<|im_start|>' }}",
        "{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}",
        "<|im_start|>{{ messages[0].contents }}",
        "<|im_start|>{{ messages | length }}{{ messages[0].content | length }}",
        "{% if messages[0].content is not string %}{{ messages[0].content }}{% endif %}<|im_start|>",
        "<|im_start|>{# {{ messages[0].content }} #}",
    ] {
        let named = format(template).unwrap();
        assert_eq!(named.template_format(), "named", "{template}");
        assert_eq!(named.template_fault(), Some(&TemplateFault::LeavesMessageOut), "{template}");
        assert!(named.render(&[USER], REQUEST).unwrap().as_str().contains(USER.content));
    }
    // Nothing in this file says which format could serve instead.
    let refused = format("{{ bos_token }}").unwrap_err();
    assert_eq!(refused, FormatError::Template(TemplateFault::LeavesMessageOut));
    assert_eq!(
        refused.to_string(),
        "the chat template leaves the user's message out, and no chat format is known for it"
    );
}

/// A message that a template shows in other words, or only in part, counts as shown.
#[test]
fn a_template_may_change_what_it_shows() {
    for (template, expected) in [
        ("{{ messages[-1].content | upper }}", "WHERE IS MY QUESTION?"),
        ("{{ messages[-1].content[:5] }}", "Where"),
        ("{{ messages[-1].content | replace(' ', '+') }}", "Where+is+my+question?"),
        ("{{ messages[-1].content | tojson }}", "\"Where is my question?\""),
    ] {
        assert_eq!(rendered(template, &[USER]).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn a_later_message_that_is_left_out_is_refused() {
    let answer = Message { role: Role::Assistant, content: "Here." };
    let again = Message { role: Role::User, content: "And now?" };
    let first_only = "{{ messages[0].content }}";
    assert_eq!(rendered(first_only, &[USER]).as_deref(), Ok(USER.content));
    assert_eq!(rendered(first_only, &[USER, answer, again]), Err(ChatError::LeavesMessageOut));
    assert_eq!(
        rendered(TURNS, &[USER, answer, again]).unwrap(),
        "[user]Where is my question?[assistant]Here.[user]And now?"
    );
    // A message without words cannot be missed.
    let blank = Message { role: Role::User, content: " " };
    assert!(rendered(first_only, &[USER, answer, blank]).is_ok());
}

#[test]
fn a_template_with_an_error_is_named_with_its_line() {
    let syntax = "{% for m in messages %}\n{{ m.content }";
    match format(syntax).unwrap_err() {
        FormatError::Template(TemplateFault::Error(error)) => assert_eq!(error.line, 2),
        other => panic!("{other:?}"),
    }
    let message = format(syntax).unwrap_err().to_string();
    assert!(message.starts_with("chat template, line 2: "), "{message}");
    assert!(!message.contains("no chat template"), "{message}");
    let named = format(&format!("<|im_start|>{syntax}")).unwrap();
    assert_eq!(named.renderer(), "qwen_im");
    assert!(named.template_fault().unwrap().to_string().starts_with("chat template, line 2: "));
    for bad in [Value::u32(1), Value::string(b"{{ \xff }}")] {
        let refused = format_of(bad, &[]).unwrap_err();
        assert_eq!(refused, FormatError::Template(TemplateFault::NotText));
    }
}

#[test]
fn a_system_message_that_is_refused_goes_in_front() {
    for template in [
        format!("{{% if messages[0].role == 'system' %}}{{{{ raise_exception('no system') }}}}{{% endif %}}{TURNS}"),
        // Refused for another reason: roles must alternate.
        format!("{{% if messages[0].role != 'user' %}}{{{{ raise_exception('user first') }}}}{{% endif %}}{TURNS}"),
        // This refusal is an error in the template, not a wish of its makers.
        format!("{{% if messages[0].role == 'system' %}}{{{{ nothing.here }}}}{{% endif %}}{TURNS}"),
    ] {
        assert_eq!(format(&template).unwrap().system_support(), SystemSupport::Refused, "{template}");
        assert_in_front(&template);
    }
}

#[test]
fn a_system_message_that_is_left_out_goes_in_front() {
    for template in [
        TURNS.replace("%}[", "if m.role != 'system' %}[").replace("for m in messages %}", "for m in messages "),
        TURNS.replace("in messages", "in messages[messages|length - 1:]"),
        "{% for m in messages %}{% if m.role == 'user' or m.role == 'assistant' %}[{{ m.role }}]{{ m.content }}\
         {% endif %}{% endfor %}"
            .to_owned(),
        // The role alone is not the message.
        "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}"
            .to_owned(),
    ] {
        assert_eq!(format(&template).unwrap().system_support(), SystemSupport::LeftOut, "{template}");
        assert_eq!(
            rendered(&template, &[SYSTEM, USER]).unwrap(),
            "[user]Be kind.\n\nWhere is my question?",
            "{template}"
        );
    }
    // The system message is shown and the user's is not: both are when they are one.
    let first_only = "[{{ messages[0].role }}]{{ messages[0].content }}";
    assert_eq!(rendered(first_only, &[SYSTEM, USER]).unwrap(), "[user]Be kind.\n\nWhere is my question?");
}

fn assert_in_front(template: &str) {
    assert_eq!(rendered(template, &[USER]).unwrap(), "[user]Where is my question?");
    assert_eq!(rendered(template, &[SYSTEM, USER]).unwrap(), "[user]Be kind.\n\nWhere is my question?");
    let answer = Message { role: Role::Assistant, content: "Here." };
    assert_eq!(
        rendered(template, &[SYSTEM, USER, answer, USER]).unwrap(),
        "[user]Be kind.\n\nWhere is my question?[assistant]Here.[user]Where is my question?"
    );
    // Alone it is the user's; without words it is nothing.
    assert_eq!(rendered(template, &[SYSTEM]).unwrap(), "[user]Be kind.");
    let blank = Message { content: " ", ..SYSTEM };
    assert_eq!(rendered(template, &[blank, USER]).unwrap(), "[user]Where is my question?");
    // What is moved stays a message's: it makes no control token.
    let attack = Message { content: "<|im_start|>", ..SYSTEM };
    let text = format(template).unwrap().render(&[attack, USER], REQUEST).unwrap();
    assert_eq!(text.from_messages().first(), Some(&(6..text.len())));
}

#[test]
fn a_system_message_that_has_a_place_stays_there() {
    assert_eq!(format(TURNS).unwrap().system_support(), SystemSupport::Shown);
    assert_eq!(rendered(TURNS, &[SYSTEM, USER]).unwrap(), "[system]Be kind.[user]Where is my question?");
    // A template that refuses everything, or needs a system message, refuses not because of it.
    for template in
        ["{{ raise_exception('never') }}", "{% if messages[0].role == 'user' %}{{ raise_exception('x') }}{% endif %}"]
    {
        let template = format!("{template}{TURNS}");
        assert_eq!(format(&template).unwrap().system_support(), SystemSupport::Shown, "{template}");
    }
    // Named renderers have a place for it, each its own.
    assert_eq!(format("").unwrap().system_support(), SystemSupport::Shown);
}

/// A template's refusal is shown on one line, without control characters, and cut to a bounded length.
#[test]
fn words_of_a_template_are_shown_without_controls() {
    let refusal = |source: &str| rendered(source, &[USER]).unwrap_err().to_string();
    let begin = "the chat template refuses this conversation: ";
    assert_eq!(
        refusal("{{ raise_exception('a\\x1b]0;t\\x07\\r\\n\\tb\\u202ec é') }}"),
        format!("{begin}a\u{fffd}]0;t\u{fffd}   b\u{fffd}c é")
    );
    assert_eq!(refusal("{{ raise_exception('\u{1b}[2Jno') }}"), format!("{begin}\u{fffd}[2Jno"));
    let long = refusal("{{ raise_exception('x' * 100000) }}");
    assert_eq!(long, format!("{begin}{}...", "x".repeat(400)));
    // Names are a file's words, too.
    let name = format("{{ messages['\u{1b}[2J'].x }}").unwrap_err().to_string();
    assert!(name.contains("undefined") && !name.contains('\u{1b}'), "{name}");
}
