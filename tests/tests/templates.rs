//! Chat templates of published models, rendered as Hugging Face renders them, and hostile templates.

use nanocamelid_engine::chat::{Message, Piece, Role};
use nanocamelid_engine::template::{Context, Date, Error, ErrorKind, Template, Text, Value};
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use serde_json::Value as Json;
use std::time::{Duration, Instant};

/// What the command makes of JSON.
#[path = "../../host/src/template_value.rs"]
mod template_value;

fn value(json: &Json) -> Value {
    template_value::value(json).unwrap_or_else(|problem| panic!("{problem}"))
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn context(messages: Value) -> Context<'static> {
    Context { messages, add_generation_prompt: true, date: Date::parse("2026-07-26").ok(), variables: &[] }
}

fn render(source: &str, messages: &[Message<'_>]) -> Result<Text, Error> {
    Template::compile(source, Some("<s>"), Some("</s>"))?.render(&context(Value::messages(messages)))
}

fn user(content: &str) -> [Message<'_>; 1] {
    [Message { role: Role::User, content }]
}

#[test]
fn goldens_are_equal() {
    let Some(folder) = nanocamelid_tests::shared_fixtures("templates") else { return };
    let rows: Vec<Json> = serde_json::from_slice(&std::fs::read(folder.join("goldens.json")).unwrap()).unwrap();
    for row in &rows {
        let text = |key: &str| row[key].as_str();
        let source = std::fs::read_to_string(folder.join(text("template").unwrap())).unwrap();
        let template = Template::compile(&source, text("bos_token"), text("eos_token")).unwrap();
        let mut context = context(value(&row["messages"]));
        context.add_generation_prompt = row["add_generation_prompt"].as_bool().unwrap();
        let rendered = template.render(&context);
        match (text("rendered"), text("error")) {
            (Some(expected), None) => assert_eq!(rendered.unwrap().as_str(), expected, "{row}"),
            (None, Some(message)) => {
                let error = rendered.unwrap_err();
                assert!(error.to_string().contains(message), "{error}: {row}");
            }
            _ => panic!("a row is rendered or refused: {row}"),
        }
    }
    assert!(rows.len() >= 56);
}

/// Tools, calls and results, reasoning, content in parts, variables: as transformers itself renders them.
#[test]
fn goldens_with_tools_are_equal() {
    let Some(folder) = nanocamelid_tests::shared_fixtures("templates") else { return };
    let goldens: Json = serde_json::from_slice(&std::fs::read(folder.join("goldens-tools.json")).unwrap()).unwrap();
    let rows = goldens["rows"].as_array().unwrap();
    let (mut n_rendered, mut n_refused) = (0, 0);
    for row in rows {
        let text = |key: &str| row[key].as_str();
        let of = |kind: &str, key: &str| text(key).map(|name| value(&goldens[kind][name]));
        let source = std::fs::read_to_string(folder.join(text("template").unwrap())).unwrap();
        let template = Template::compile(&source, text("bos_token"), text("eos_token")).unwrap();
        let given = row["variables"].as_object().unwrap();
        let mut variables: Vec<(&str, Value)> = given.iter().map(|(name, json)| (name.as_str(), value(json))).collect();
        variables.extend(of("tools", "tools").map(|tools| ("tools", tools)));
        let mut context = context(of("conversations", "messages").unwrap());
        context.add_generation_prompt = row["add_generation_prompt"].as_bool().unwrap();
        context.variables = &variables;
        let name = format!("{} {}", text("template").unwrap(), text("case").unwrap());
        match (text("rendered"), row["raised"].as_bool()) {
            (Some(expected), _) => {
                let rendered = template.render(&context).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(rendered.as_str(), expected, "{name}");
                n_rendered += 1;
            }
            (None, Some(true)) => {
                assert!(template.render(&context).is_err(), "{name}");
                n_refused += 1;
            }
            // Whether it renders is each engine's own; it must not panic.
            _ => drop(template.render(&context)),
        }
    }
    assert!(n_rendered >= 871 && n_refused >= 59, "{n_rendered} {n_refused}");
}

#[test]
fn messages_are_prepared_as_transformers_does() {
    let rendered = |source: &str, messages: Json, variables: &[(&str, Value)]| {
        let context = Context { variables, ..context(value(&messages)) };
        let text = Template::compile(source, None, None).unwrap().render(&context);
        text.map(|text| text.as_str().to_owned())
    };
    let call = serde_json::json!([{"role": "assistant", "content": null, "reasoning_content": "hm", "name": null}]);
    let keys = "{% for key in messages[0] %}{{ key }} {% endfor %}{{ messages[0].thinking }}";
    assert_eq!(rendered(keys, call, &[]).unwrap(), "role reasoning_content thinking hm");
    let both = serde_json::json!([{"role": "assistant", "reasoning_content": "a", "thinking": "b"}]);
    assert_eq!(rendered("{{ messages[0].thinking }}", both, &[]).unwrap(), "b");
    // What nobody gives is undefined; what somebody gives hides nothing that every template has.
    let none = || serde_json::json!([]);
    let defined = "{{ tools is defined }} {{ documents is defined }} {{ messages is string }}";
    assert_eq!(rendered(defined, none(), &[]).unwrap(), "False False False");
    let given = [("tools", Value::list(vec![]).unwrap()), ("messages", Value::literal("x"))];
    assert_eq!(rendered(defined, none(), &given).unwrap(), "True False False");
}

/// Python's operators, methods and formats, Jinja's filters, tests, scopes and white-space control, recorded from
/// Jinja 3.1.6 by `fixtures/templates/record.py`.
#[test]
fn language_equals_jinja() {
    let rows = std::fs::read_to_string(nanocamelid_tests::fixture("templates/jinja.jsonl")).unwrap();
    let mut n_rows = 0;
    for row in rows.lines() {
        let row: Json = serde_json::from_str(row).unwrap();
        let rendered = render(row["source"].as_str().unwrap(), &[]);
        match row["rendered"].as_str() {
            Some(expected) => {
                let text = rendered.unwrap_or_else(|error| panic!("{error}: {row}"));
                assert_eq!(text.as_str(), expected, "{row}");
                assert!(text.from_messages().is_empty(), "{row}");
            }
            None => assert!(rendered.is_err(), "{row}"),
        }
        n_rows += 1;
    }
    assert!(n_rows > 2400);
}

/// The parts of a rendered text that came from messages.
fn marked(source: &str, content: &str) -> String {
    let text = render(source, &user(content)).unwrap_or_else(|error| panic!("{error}: {source}"));
    let parts = text.pieces().map(|piece| match piece {
        Piece::Special(text) => text.to_owned(),
        Piece::Text(text) => format!("<{text}>"),
    });
    parts.collect()
}

#[test]
fn message_text_is_told_from_template_text() {
    for (expression, content, expected) in [
        ("m.content", "ab", "<ab>"),
        ("'x' + m.content + 'y'", "ab", "x<ab>y"),
        ("m.content ~ 1 ~ m.content", "ab", "<ab>1<ab>"),
        ("m.role ~ '\\n'", "", "user\n"),
        ("'<|' + m.role + '|>' + m.content", "ab", "<|user|><ab>"),
        ("m.content[1:]", "abc", "<bc>"),
        ("m.content[::-1]", "abc", "<cba>"),
        ("('x' + m.content)[-1]", "abc", "<c>"),
        ("('x' + m.content + 'y')[1:]", "abc", "<abc>y"),
        ("m.content|trim", "  abc ", "<abc>"),
        ("m.content.split('|')[-1].lstrip('\\n')", "a|\nb", "<b>"),
        ("('[' + m.content + ']').split('b')|join('-')", "abc", "[<a>-<c>]"),
        ("m.content.replace('b', '#')", "abc", "<a>#<c>"),
        ("'a-b'.replace('-', m.content)", "xy", "a<xy>b"),
        ("m.content|upper", "abß", "<ABSS>"),
        ("('x' ~ m.content)|title", "abc def", "X<abc Def>"),
        ("m.content|tojson", "a\"b", "\"<a\\\"b>\""),
        ("m|tojson", "a", "{\"role\": \"user\", \"content\": \"<a>\"}"),
        ("[m.content]", "a'b", "[\"<a'b>\"]"),
        ("'%s.' % m.content", "ab", "<ab>."),
        ("'{}.'.format(m.content)", "ab", "<ab>."),
        ("m.content * 2", "ab", "<abab>"),
        ("'a'.join([m.content, m.content])", "x", "<x>a<x>"),
        ("m.content|list|join", "abc", "<abc>"),
        ("m.content|indent(2)", "a\nb", "<a>\n  <b>"),
        ("m.content.center(6, '*')", "ab", "**<ab>**"),
        ("m.content|e", "<", "<&lt;>"),
        ("[m]|map(attribute='content')|join", "ab", "<ab>"),
        ("m.content|first", "ab", "<a>"),
        ("{m.content: 1}|tojson", "ab", "{\"<ab>\": 1}"),
        ("{'a': m.content}.items()|list", "b", "[('a', '<b>')]"),
        ("m.content.splitlines()|last", "a\nb", "<b>"),
        ("m.content.partition('b')[2]", "abc", "<c>"),
        ("m.content.removeprefix('a')", "abc", "<bc>"),
        ("m.content if m.content else 'x'", "", "x"),
        ("'ab'.center(6, m.content)", "*", "<**>ab<**>"),
        ("'ab'.ljust(4, m.content)", "*", "ab<**>"),
        ("m.content|center(4)", "ab", " <ab> "),
        ("m.content|truncate(5, end='..')", "abc def ghi jkl", "<abc>.."),
        ("('abc ' * 9)|truncate(5, end=m.content)", "!", "abc<!>"),
        ("strftime_now(m.content)", "%Y|", "<2026|>"),
        ("strftime_now('%Y')", "", "2026"),
        ("[1, 2]|tojson(separators=(m.content, ':'))", ",", "[1<,>2]"),
        ("{'a': 1}|tojson(separators=(',', m.content))", ":", "{\"a\"<:>1}"),
        ("[1]|tojson(indent=m.content)", " ", "[\n< >1\n]"),
        ("'%4s|%r' % (m.content, m.content)", "ab", "  <ab>|'<ab>'"),
        ("'%(x)s' % {'x': m.content}", "ab", "<ab>"),
        ("'{:*>4}'.format(m.content)", "ab", "**<ab>"),
        ("'{x[0].content!r}'.format(x=messages)", "ab", "'<ab>'"),
        ("m.content.format('a')", "{:*>3}|", "<**>a<|>"),
        ("m.content % 'a'", "%3s|", "<  >a<|>"),
        ("([m]|groupby('content'))[0].grouper", "ab", "<ab>"),
        ("[m.content]|slice(2, 'x')|list", "ab", "[['<ab>'], ['x']]"),
        ("dict(**{m.content: 1})|tojson", "ab", "{\"<ab>\": 1}"),
    ] {
        let source = format!("{{% set m = messages[0] %}}{{{{ {expression} }}}}");
        assert_eq!(marked(&source, content), expected, "{expression}");
    }
    let through_macro =
        "{% macro f(x) %}[{{ x }}{{ caller() }}]{% endmacro %}{% call f(messages[0].content) %}y{% endcall %}";
    assert_eq!(marked(through_macro, "ab"), "[<ab>y]");
    let through_kwargs = "{% macro f() %}{{ varargs[0] }}{{ kwargs }}{% endmacro %}{% set c = messages[0].content %}";
    assert_eq!(marked(&format!("{through_kwargs}{{{{ f(*[c], **{{c: c}}) }}}}"), "ab"), "<ab>{'<ab>': '<ab>'}");
    let through_loop = "{% for x in ['a', [messages[0].content]] recursive %}{{ loop(x) if x is not string else x }}\
                        {% endfor %}{% print messages[0].content %}";
    assert_eq!(marked(through_loop, "b"), "a<bb>");
    let through_block = "{% set ns = namespace() %}{% set ns.x %}a{{ messages[0].content }}{% endset %}";
    assert!(render(through_block, &user("b")).is_ok());
    assert_eq!(marked("{% set x | upper %}a{{ messages[0].content }}{% endset %}{{ x }}", "b"), "A<B>");
    assert_eq!(marked("{% filter trim %} a{{ messages[0].content }}{% endfilter %}", "b "), "a<b>");
}

#[test]
fn refusals_name_their_line_and_reason() {
    for (source, line, expected) in [
        ("a\n{{ raise_exception('No ' ~ messages|length) }}", 2, "the chat template refuses this conversation: No 1"),
        ("a\n\n{{ nothing.role }}", 3, "chat template, line 3: 'nothing' is undefined"),
        ("{{ messages[7].role }}", 1, "chat template, line 1: 'value' is undefined"),
        ("{{ messages[0].x.y }}", 1, "chat template, line 1: 'x' is undefined"),
        ("{% if true %}\n{{ 1 }}", 2, "chat template, line 2: a block is not closed"),
        ("\n{{ 'x'|shout }}", 2, "chat template, line 2: no filter named 'shout'"),
        ("{{ 1 is great }}", 1, "chat template, line 1: no test named 'great'"),
        ("{% include 'x' %}", 1, "chat template, line 1: unknown or misplaced tag 'include'"),
        ("\n\n{{ 'abc }}", 3, "chat template, line 3: a string is not closed"),
        ("{{ 1 + none }}", 1, "chat template, line 1: arithmetic: wrong type"),
    ] {
        let error = render(source, &user("x")).unwrap_err();
        assert_eq!((error.line, error.to_string().as_str()), (line, expected), "{source:?}");
    }
}

/// Runs a hostile template, which must end soon, in bounded memory, with the given kind of error.
fn attack(what: &str, source: &str, expected: impl Fn(&ErrorKind) -> bool) {
    let started = Instant::now();
    let (result, allocations) = measure(|| render(source, &user("Hi")));
    let kind = result.map(|text| text.len()).map_err(|error| error.kind);
    assert!(kind.as_ref().is_err_and(&expected), "{what}: {kind:?}");
    let bound = (64 << 20) + 4 * source.len() as i64;
    assert!(allocations.peak_bytes <= bound, "{what}: {} bytes", allocations.peak_bytes);
    // Generous: this runs unoptimized, emulated and beside other things.
    assert!(started.elapsed() < Duration::from_secs(60), "{what}: {:?}", started.elapsed());
}

#[test]
fn hostile_templates_are_stopped() {
    let memory = |kind: &ErrorKind| *kind == ErrorKind::Memory;
    let steps = |kind: &ErrorKind| *kind == ErrorKind::Steps;
    let nesting = |kind: &ErrorKind| *kind == ErrorKind::Nesting;
    let either = |kind: &ErrorKind| matches!(kind, ErrorKind::Memory | ErrorKind::Steps);

    attack("huge string", "{{ 'a' * 10**9 }}", memory);
    attack("overflowing string", "{{ 'aaaa' * 9223372036854775807 }}", memory);
    attack("huge list", "{{ [1] * 10**9 }}", memory);
    attack("huge message", "{{ messages[0].content * 10**9 }}", memory);
    attack("huge range", "{{ range(10**9)|list }}", |kind| *kind == ErrorKind::Range);
    attack("huge padding", "{{ 'a'.center(10**12) }}", memory);
    attack("huge zfill", "{{ '1'.zfill(10**12) }}", memory);
    attack("huge indent", "{{ 'a\nb'|indent(10**12) }}", memory);
    attack("huge JSON indent", "{{ [1]|tojson(indent=10**12) }}", memory);
    let format = |kind: &ErrorKind| matches!(kind, ErrorKind::Unsupported(_));
    attack("huge precision", "{{ '%.65536f' % 1.5 }}", format);
    attack("huge general precision", "{{ '%.65534g' % 0.0001 }}", format);
    attack("huge field", "{{ '{:.65536e}'.format(1.5) }}", format);
    attack("huge batch", "{{ [1]|batch(10**12, 0)|list }}", memory);
    attack(
        "doubled string",
        "{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
        memory,
    );
    attack(
        "doubled list",
        "{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
        memory,
    );
    attack("join", "{{ (['a' * 9999] * 9999)|join('b' * 9999) }}", memory);
    attack("replace", "{{ ('a' * 99999).replace('a', 'b' * 99999) }}", memory);
    attack("split", "{{ ('a,' * 9999999).split(',')|length }}", memory);
    attack("characters", "{{ ('a' * 9999999)|list|length }}", memory);
    attack("output", "{% for i in range(99999) %}{{ 'a' * 9999 }}{% endfor %}", memory);
    attack("output of data", &format!("{{% for i in range(99999) %}}{}{{% endfor %}}", "x".repeat(9999)), memory);
    attack("strftime", "{{ strftime_now('%c' * 9999999) }}", memory);
    attack("nested loops", "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", either);
    attack(
        "many comparisons",
        "{% set l = range(99999)|list %}{% for i in l %}{{ i in l and '' }}{% endfor %}",
        either,
    );
    attack("many sorts", "{% for i in range(99999) %}{% set x = range(9999)|sort %}{% endfor %}", either);
    attack("unique", "{{ range(99999)|unique|list|length }}", steps);
    attack(
        "string search",
        "{% set s = 'a' * 999999 %}{% for i in range(99999) %}{% set x = 'b' in s %}{% endfor %}",
        steps,
    );
    attack("recursion", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", nesting);
    attack(
        "mutual recursion",
        "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
        nesting,
    );
    attack(
        "branching recursion",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) ~ f(n - 1) }}{% endif %}{% endmacro %}{{ f(22) }}",
        either,
    );
    attack(
        "macros by the million",
        "{% for i in range(99999) %}{% macro f() %}{% endmacro %}{% endfor %}{{ [1] * 9**9 }}",
        memory,
    );
    attack(
        "nested lists",
        "{% set n = namespace(x=[]) %}{% for i in range(999) %}{% set n.x = [n.x] %}{% endfor %}",
        nesting,
    );
    let shared = "{% set n = namespace(x=[1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}";
    attack("shared lists printed", &format!("{shared}{{{{ n.x }}}}"), either);
    attack("shared lists compared", &format!("{shared}{{{{ n.x == [n.x[0], n.x[1]] }}}}"), |kind| {
        matches!(kind, ErrorKind::Memory | ErrorKind::Steps)
    });
    attack("shared lists as JSON", &format!("{shared}{{{{ n.x|tojson }}}}"), either);
    attack("cycle", "{% set n = namespace() %}{% set n.n = n %}", |kind| matches!(kind, ErrorKind::Unsupported(_)));
    attack(
        "many variables",
        "{% for i in range(99999) %}{% for j in range(99) %}{% set ns = namespace(a=1) %}{% endfor %}{% endfor %}",
        either,
    );

    for (what, open, close) in [
        ("brackets", "(", ")"),
        ("lists", "[", "]"),
        ("signs", "- ", ""),
        ("nots", "not ", ""),
        ("else", "1 if 0 else ", ""),
    ] {
        let source = format!("{{{{ {}1{} }}}}", open.repeat(20_000), close.repeat(20_000));
        attack(what, &source, nesting);
    }
    attack("if in a row", &format!("{{{{ 1{} }}}}", " if 1".repeat(20_000)), nesting);
    attack("subscripts", &format!("{{{{ {}1{} }}}}", "x[".repeat(20_000), "]".repeat(20_000)), nesting);
    attack("blocks", &"{% if 1 %}".repeat(20_000), nesting);
    attack("too large", &"a".repeat(300_000), |kind| matches!(kind, ErrorKind::SourceTooLarge(_)));
    attack("raw tags", &"{%raw".repeat(40_000), |kind| {
        matches!(kind, ErrorKind::Tag(_) | ErrorKind::Expected(_) | ErrorKind::Unclosed(_))
    });
    attack("raw ends", &format!("{{%raw%}}{}", "{%endraw".repeat(30_000)), |kind| {
        matches!(kind, ErrorKind::Unclosed(_))
    });
    attack("comments", &"{#".repeat(100_000), |kind| matches!(kind, ErrorKind::Unclosed(_)));
    attack("long name", &format!("{{{{ {} }}}}", "n".repeat(9999)), |kind| *kind == ErrorKind::NameTooLong);
}

/// Comparisons that contradict each other put elements into some order or are refused, whatever the elements.
#[test]
fn contradictory_comparisons_are_sorted_or_refused() {
    let numbers = "{% set numbers = [3, 'nan'|float, 1, 'nan'|float, 2, 5, 'nan'|float] * 20 %}";
    for (source, expected) in [("{{ numbers|sort|length }}", "140"), ("{{ numbers|sort(reverse=true)|length }}", "140")]
    {
        let rendered = render(&format!("{numbers}{source}"), &[]).unwrap();
        assert_eq!(rendered.as_str(), expected, "{source}");
    }
    let mixed = |kind: &ErrorKind| matches!(kind, ErrorKind::Type(_));
    attack("mixed elements", "{{ ([3, 'b', 1, none, 'a', 2, [1]] * 20)|sort }}", mixed);
    let pairs = "(range(60)|batch(2)|list) + (range(60)|map('string')|batch(2)|list)";
    attack("mixed keys", &format!("{{{{ dict({pairs})|tojson(sort_keys=true) }}}}"), mixed);
}

/// Messages nested as deeply as allowed, for every recursive function: text or an error, never a stack overflow.
#[test]
fn deep_messages_are_walked_or_refused() {
    let nested = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    for (open, close) in [("[", "]"), ("{\"a\": ", "}"), ("[[1, 2], {\"a\": ", "}]")] {
        for n in [1, 10, 20, 45] {
            let Ok(json) = serde_json::from_str::<Json>(&nested(open, close, n)) else { continue };
            let Ok(content) = template_value::value(&json) else { continue };
            let variables = [("x", content)];
            for source in [
                "{{ x }}{{ x|tojson(indent=2) }}{{ x == x }}{{ [x, x]|map('string')|join }}",
                "{% macro f(v) %}{% if v is mapping %}{% for k in v %}{{ f(v[k]) }}{% endfor %}{% elif v is sequence %}\
                 {% for e in v %}{{ f(e) }}{% endfor %}{% else %}{{ v }}{% endif %}{% endmacro %}{{ f(x) }}",
                "{% for e in [x] recursive %}{% if e is mapping %}{{ loop(e.values()) }}{% elif e is sequence %}\
                 {{ loop(e) }}{% else %}{{ e }}{% endif %}{% endfor %}",
            ] {
                let context = Context { variables: &variables, ..context(Value::messages(&[])) };
                match Template::compile(source, None, None).unwrap().render(&context) {
                    Ok(text) => assert!(text.as_str().contains('1'), "{open} {n}: {source}"),
                    Err(error) => assert!(n > 10 && error.kind == ErrorKind::Nesting, "{open} {n}: {error}: {source}"),
                }
            }
        }
    }
}

/// Long but harmless templates: flat chains of operators, filters and branches, and a long conversation.
#[test]
fn long_templates_and_conversations_render() {
    for source in [
        format!("{{{{ 1{} }}}}", " + 1".repeat(20_000)),
        format!("{{{{ 'a'{} }}}}", "|trim".repeat(20_000)),
        format!("{{{{ 'a'{} }}}}", " ~ 'b'".repeat(20_000)),
        format!("{{{{ true{} }}}}", " and true".repeat(20_000)),
        format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(15_000)),
        "{{ 1 }}".repeat(20_000),
        "{% set x = 1 %}".repeat(10_000),
    ] {
        render(&source, &[]).unwrap_or_else(|error| panic!("{error}: {}", &source[..30]));
    }
    let Some(folder) = nanocamelid_tests::shared_fixtures("templates") else { return };
    let content = "A sentence of no great length.\n".repeat(40);
    let roles = [Role::User, Role::Assistant].into_iter().cycle();
    let messages: Vec<Message<'_>> = roles.map(|role| Message { role, content: &content }).take(1001).collect();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "jinja") {
            let source = std::fs::read_to_string(&file).unwrap();
            if render(&source, &messages[..1]).is_err() {
                eprintln!("skipped: {} needs more than messages", file.display());
                continue;
            }
            let text = render(&source, &messages);
            assert!(text.unwrap_or_else(|error| panic!("{error}: {}", file.display())).len() > 1_200_000);
        }
    }
}

/// Every prefix and many one-byte changes of real templates: an answer or an error, never a panic.
#[test]
fn damaged_templates_do_not_panic() {
    let Some(folder) = nanocamelid_tests::shared_fixtures("templates") else { return };
    let mut random = nanocamelid_tests::random::Random(5);
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "jinja") {
            continue;
        }
        let source = std::fs::read_to_string(&file).unwrap();
        for end in (0..source.len()).filter(|&end| source.is_char_boundary(end)).step_by(7) {
            drop(render(&source[..end], &user("Hi")));
        }
        let alphabet: Vec<char> = "{}%#-+ '\"\\[]()|.,:=~x1\nü".chars().collect();
        for _ in 0..500 {
            let mut characters: Vec<char> = source.chars().collect();
            let at = random.below(characters.len());
            match random.below(3) {
                0 => drop(characters.remove(at)),
                1 => characters[at] = alphabet[random.below(alphabet.len())],
                _ => characters.insert(at, alphabet[random.below(alphabet.len())]),
            }
            drop(render(&characters.into_iter().collect::<String>(), &user("Hi")));
        }
    }
}
