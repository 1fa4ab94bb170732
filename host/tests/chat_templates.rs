//! The messages about a file's own chat template that is empty or broken, or that refuses the conversation.

mod support;

use support::{Run, TempDir, run, with_template};

const TURNS: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                     {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Runs a command on the fixture with this template.
fn on(template: &str, command: &str, words: &[&str]) -> Run {
    let dir = TempDir::new(&format!("chat-template-{:?}", std::thread::current().id()));
    let model = dir.file("m.gguf", &with_template("qwen2", template.as_bytes()));
    let mut all = vec![command, model.as_str()];
    all.extend(words);
    run(&all)
}

fn chat(template: &str, words: &[&str]) -> Run {
    let mut all = vec!["hello", "-n", "1", "--temp", "0"];
    all.extend(words);
    on(template, "chat", &all)
}

fn prompt_tokens(run: &Run) -> u64 {
    run.assert_ok("chat");
    run.stderr_json()["prompt_tokens"].as_u64().unwrap()
}

fn notes(run: &Run) -> usize {
    run.stderr.lines().filter(|line| line.starts_with("note: ")).count()
}

#[test]
fn an_empty_template_counts_as_none() {
    let none = prompt_tokens(&run(&["chat", &support::arch("qwen2"), "hello", "-n", "1", "--temp", "0"]));
    for template in ["", " \n"] {
        let run = chat(template, &[]);
        assert_eq!((prompt_tokens(&run), notes(&run)), (none, 0), "{run:?}");
        assert_eq!(run.stderr_json()["template_format"], "named");
    }
}

#[test]
fn a_template_that_shows_no_message_is_noted_or_refused() {
    let noted = chat("<|im_start|>", &[]);
    assert!(prompt_tokens(&noted) > 5 && notes(&noted) == 1, "{noted:?}");
    assert!(noted.stderr.contains("leaves the user's message out; rendering as qwen_im instead"), "{noted:?}");
    chat("x", &[]).assert_fails(2, &["leaves the user's message out", "use generate"]);
}

#[test]
fn an_error_in_a_template_is_named_with_its_line() {
    let broken = "\n{% for m in messages %}{{ m.content }";
    let refused = chat(broken, &[]);
    refused.assert_fails(2, &["m.gguf: chat template, line 2: ", "no chat format is known", "use generate"]);
    assert!(!refused.stderr.contains("no chat template"), "{refused:?}");
    let noted = chat(&format!("<|im_start|>{broken}"), &[]);
    noted.assert_ok("chat");
    assert!(noted.stderr.contains("note: chat template, line 2: "), "{noted:?}");

    for (template, words) in [(broken.to_owned(), "chat is not possible"), (format!("<|im_start|>{broken}"), "qwen_im")]
    {
        let inspected = on(&template, "inspect", &[]);
        inspected.assert_ok("inspect");
        assert!(inspected.stdout.contains("template_error: chat template, line 2: "), "{inspected:?}");
        assert!(inspected.stderr.contains("note: chat template, line 2: "), "{inspected:?}");
        assert!(inspected.stderr.contains(words), "{inspected:?}");
    }
    let fine = on(TURNS, "inspect", &[]);
    assert!(!fine.stdout.contains("template_error") && notes(&fine) == 0, "{fine:?}");
}

#[test]
fn a_system_prompt_is_never_lost() {
    let system = ["-s", "Be very brief"];
    let refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}";
    let leaves_out = TURNS.replace("in messages", "in messages if m.role != 'system'");
    for (template, words) in
        [(format!("{refuses}{TURNS}"), "refuses system"), (leaves_out, "leaves system messages out")]
    {
        let (without, with) = (chat(&template, &[]), chat(&template, &system));
        assert_eq!((notes(&without), notes(&with)), (0, 1), "{with:?}");
        assert!(with.stderr.contains(words) && with.stderr.contains("in front of the first message"), "{with:?}");
        // The text and an empty line, nothing around it.
        let n_text = run(&["tokenize", &support::arch("qwen2"), "Be very brief\n\nhello"]).stderr_json();
        let n_hello = run(&["tokenize", &support::arch("qwen2"), "hello"]).stderr_json();
        let n_more = n_text["n_tokens"].as_u64().unwrap() - n_hello["n_tokens"].as_u64().unwrap();
        assert_eq!(prompt_tokens(&with), prompt_tokens(&without) + n_more, "{with:?}");
    }
    let taken = chat(TURNS, &system);
    assert!(prompt_tokens(&taken) > prompt_tokens(&chat(TURNS, &[])) && notes(&taken) == 0, "{taken:?}");
}

#[test]
fn an_empty_system_prompt_is_none() {
    let refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}";
    for template in [TURNS.to_owned(), format!("{refuses}{TURNS}")] {
        let without = prompt_tokens(&chat(&template, &[]));
        for empty in ["", " \n"] {
            let run = chat(&template, &["-s", empty]);
            assert_eq!((prompt_tokens(&run), notes(&run)), (without, 0), "{run:?}");
        }
    }
}

/// The terminal chat prints the note at its start, and whenever the system prompt is set.
#[test]
fn the_terminal_chat_says_where_a_system_prompt_goes() {
    let leaves_out = TURNS.replace("in messages", "in messages if m.role != 'system'");
    let dir = TempDir::new("chat-template-tui");
    let talk = |template: &str, words: &[&str], lines: &str| {
        let model = dir.file("m.gguf", &with_template("qwen2", template.as_bytes()));
        let mut all = vec!["tui", model.as_str(), "-n", "1"];
        all.extend(words);
        let run = support::run_with(&all, &[], lines.as_bytes());
        run.assert_ok("tui");
        run.stderr.matches("leaves system messages out").count()
    };
    assert_eq!(talk(&leaves_out, &[], "hi\n"), 0);
    assert_eq!(talk(&leaves_out, &["-s", "Be brief."], "hi\nhi\n"), 1);
    assert_eq!(talk(&leaves_out, &["-s", ""], "hi\n"), 0);
    assert_eq!(talk(&leaves_out, &[], "/system Be brief.\nhi\n/system clear\nhi\n"), 1);
    assert_eq!(talk(TURNS, &["-s", "Be brief."], "/system Be kind.\nhi\n"), 0);
}

#[test]
fn what_a_template_says_is_no_control_sequence() {
    let run = chat("{{ raise_exception('\u{1b}]0;t\u{7}no') }}", &[]);
    run.assert_fails(2, &["refuses this conversation: \u{fffd}]0;t\u{fffd}no"]);
    let json = chat("{{ raise_exception('\u{1b}]0;t\u{7}no') }}", &["--json"]);
    assert!(!json.json()["error"].as_str().unwrap().contains('\u{1b}'), "{json:?}");
}

#[test]
fn templates_take_tools_and_variables() {
    let dir = TempDir::new("template-tools");
    let source = "{% for tool in tools %}{{ tool.name }} {% endfor %}{{ effort }} {{ messages[0].tool_calls[0].id }}";
    let template = dir.file("t.jinja", source.as_bytes());
    let call = br#"[{"role": "assistant", "content": null, "tool_calls": [{"id": "c1"}]}]"#;
    let messages = dir.file("m.json", call);
    let tools = dir.file("tools.json", br#"[{"name": "weather"}, {"name": "notes"}]"#);
    let render = |words: &[&str]| {
        run(&[&["template", &template, "--messages", &messages, "--no-generation-prompt"], words].concat())
    };
    assert_eq!(render(&["--tools", &tools, "--set", "effort=\"high\""]).stdout, "weather notes high c1");
    assert_eq!(render(&["--set", "effort=2", "--set", "tools=[]"]).stdout, "2 c1");

    let object = dir.file("object.json", b"{}");
    let broken = dir.file("broken.json", b"[\n1,");
    render(&["--tools", &object]).assert_fails(2, &["object.json: not a JSON list of tools"]);
    render(&["--tools", &broken]).assert_fails(2, &["broken.json: not JSON: ", "line 2"]);
    render(&["--tools", &tools, "--set", "tools=[]"]).assert_fails(2, &["--set: 'tools=[]': tools is given twice"]);
    for (set, problem) in [
        ("effort", "not NAME=JSON"),
        ("=1", "the name of a variable"),
        ("1a=1", "the name of a variable"),
        ("messages=[]", "every template has messages already"),
        ("effort=high", "not JSON: "),
    ] {
        render(&["--set", set]).assert_fails(2, &["--set: '", problem]);
    }
}
