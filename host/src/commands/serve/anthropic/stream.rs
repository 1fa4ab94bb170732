//! Answers: messages of blocks, whole and in events.

use super::super::dialect::{COMMENT, Dialect, EVENT_STREAM, event, id};
use super::super::refusal::Refusal;
use super::super::reply::{Call, Ending, Piece, Reason, Whole};
use super::error;
use serde_json::{Value as Json, json};

/// The kinds of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Thinking,
    Text,
    ToolUse,
}

/// The answer of a request.
pub(super) struct Message {
    id: String,
    model: String,
    has_begun: bool,
    /// The block that is being written.
    open: Option<Kind>,
    /// Blocks so far.
    n_blocks: usize,
}

impl Message {
    /// An answer of this model.
    pub(super) fn new(model: &str) -> Self {
        Self { id: id("msg_"), model: model.into(), has_begun: false, open: None, n_blocks: 0 }
    }

    fn object(&self, content: Vec<Json>, ending: Option<&Ending>, usage: &Json) -> Json {
        let (reason, sequence) = ending.map_or((None, None), |ending| {
            let (reason, sequence) = stop_reason(ending);
            (Some(reason), sequence)
        });
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": sequence,
            "usage": usage,
        })
    }

    /// The index of the block that is open.
    fn index(&self) -> usize {
        self.n_blocks.saturating_sub(1)
    }

    /// Begins a block behind the one that is open.
    fn begin_block(&mut self, kind: Kind, block: &Json, out: &mut String) {
        self.end_block(out);
        self.open = Some(kind);
        self.n_blocks += 1;
        send(&json!({"type": "content_block_start", "index": self.index(), "content_block": block}), out);
    }

    /// More of a block of text, which begins unless it is open.
    fn text(&mut self, kind: Kind, delta: &Json, out: &mut String) {
        if self.open != Some(kind) {
            let block = if kind == Kind::Thinking { thinking("") } else { text("") };
            self.begin_block(kind, &block, out);
        }
        self.delta(delta, out);
    }

    fn delta(&self, delta: &Json, out: &mut String) {
        send(&json!({"type": "content_block_delta", "index": self.index(), "delta": delta}), out);
    }

    fn end_block(&mut self, out: &mut String) {
        if self.open.take().is_some() {
            send(&json!({"type": "content_block_stop", "index": self.index()}), out);
        }
    }
}

/// Appends an event, which is named like its type.
fn send(data: &Json, out: &mut String) {
    event(data["type"].as_str(), data, out);
}

fn text(text: &str) -> Json {
    json!({"type": "text", "text": text})
}

/// Anthropic signs its models' reasoning; nobody here would check a signature.
fn thinking(text: &str) -> Json {
    json!({"type": "thinking", "thinking": text, "signature": ""})
}

/// A call whose input is complete.
fn tool_use(call: &Call) -> Option<Json> {
    let input = call.object()?;
    Some(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}))
}

/// Why an answer ended, with the stop sequence that did it.
fn stop_reason(ending: &Ending) -> (&'static str, Option<&str>) {
    match (ending.reason, &ending.stop) {
        (Reason::Length, _) => ("max_tokens", None),
        (Reason::Calls, _) => ("tool_use", None),
        (Reason::StopString, Some(stop)) => ("stop_sequence", Some(stop)),
        // The template's own stop string is the model's end.
        (Reason::StopString | Reason::Stop, _) => ("end_turn", None),
    }
}

impl Dialect for Message {
    fn stream_type(&self) -> &'static str {
        EVENT_STREAM
    }

    fn begin(&mut self, n_prompt: usize, _: usize, out: &mut String) {
        self.has_begun = true;
        let usage = json!({"input_tokens": n_prompt, "output_tokens": 0});
        send(&json!({"type": "message_start", "message": self.object(Vec::new(), None, &usage)}), out);
    }

    fn piece(&mut self, piece: &Piece, out: &mut String) {
        match piece {
            Piece::Reasoning(text) => {
                self.text(Kind::Thinking, &json!({"type": "thinking_delta", "thinking": text}), out);
            }
            Piece::Text(text) => self.text(Kind::Text, &json!({"type": "text_delta", "text": text}), out),
            Piece::CallBegin { id, name, .. } => {
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.begin_block(Kind::ToolUse, &block, out);
            }
            Piece::CallArguments { json, .. } => {
                self.delta(&json!({"type": "input_json_delta", "partial_json": json}), out);
            }
            Piece::CallEnd { .. } => self.end_block(out),
            Piece::Token(_) => {}
        }
    }

    fn end(&mut self, ending: &Ending, out: &mut String) {
        if self.n_blocks == 0 {
            // Clients read the first block without a look.
            self.begin_block(Kind::Text, &text(""), out);
        }
        self.end_block(out);
        let (reason, sequence) = stop_reason(ending);
        let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
        let usage = json!({"input_tokens": ending.counts.n_prompt, "output_tokens": ending.counts.n_generated});
        send(&json!({"type": "message_delta", "delta": delta, "usage": usage}), out);
        send(&json!({"type": "message_stop"}), out);
    }

    fn fail(&mut self, refusal: &Refusal, out: &mut String) {
        send(&error(refusal), out);
    }

    fn keep_alive(&self, out: &mut String) {
        if self.has_begun {
            send(&json!({"type": "ping"}), out);
        } else {
            // Clients expect the message's start as the first event.
            *out += COMMENT;
        }
    }

    fn whole(&mut self, whole: &Whole, ending: &Ending) -> Json {
        let mut content = Vec::new();
        content.extend(Some(&whole.reasoning).filter(|text| !text.is_empty()).map(|text| thinking(text)));
        content.extend(Some(&whole.text).filter(|text| !text.is_empty()).map(|said| text(said)));
        content.extend(whole.calls.iter().filter_map(tool_use));
        if content.is_empty() {
            content.push(text(""));
        }
        let usage = json!({"input_tokens": ending.counts.n_prompt, "output_tokens": ending.counts.n_generated});
        self.object(content, Some(ending), &usage)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::scheduler::Counts;
    use super::*;

    fn ending(reason: Reason, stop: Option<&str>) -> Ending {
        let counts = Counts { n_prompt: 9, n_cached: 4, n_generated: 5, ..Counts::default() };
        Ending { reason, stop: stop.map(str::to_owned), counts, n_reasoning: 2 }
    }

    /// The events of a stream, which are named like their type.
    fn events(text: &str) -> Vec<Json> {
        let event = |event: &str| {
            let (name, data) = event.split_once("\ndata: ").unwrap();
            let data: Json = serde_json::from_str(data).unwrap();
            assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
            data
        };
        text.split_terminator("\n\n").map(event).collect()
    }

    fn start(index: usize, block: Json) -> Json {
        json!({"type": "content_block_start", "index": index, "content_block": block})
    }

    fn delta(index: usize, delta: Json) -> Json {
        json!({"type": "content_block_delta", "index": index, "delta": delta})
    }

    fn stop(index: usize) -> Json {
        json!({"type": "content_block_stop", "index": index})
    }

    fn end(reason: &str, sequence: Option<&str>) -> [Json; 2] {
        let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
        let usage = json!({"input_tokens": 9, "output_tokens": 5});
        [json!({"type": "message_delta", "delta": delta, "usage": usage}), json!({"type": "message_stop"})]
    }

    /// The events behind the first, which is checked.
    fn streamed(pieces: &[Piece], ending: &Ending) -> Vec<Json> {
        let (mut message, mut out) = (Message::new("m"), String::new());
        message.begin(9, 4, &mut out);
        pieces.iter().for_each(|piece| message.piece(piece, &mut out));
        message.end(ending, &mut out);
        let mut events = events(&out);
        let expected = json!({
            "id": message.id, "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 0},
        });
        assert_eq!(events.remove(0), json!({"type": "message_start", "message": expected}));
        events
    }

    #[test]
    fn a_stream_of_text() {
        let pieces = [Piece::Text("a".into()), Piece::Text("b".into())];
        let text = |text: &str| delta(0, json!({"type": "text_delta", "text": text}));
        let mut expected = vec![start(0, json!({"type": "text", "text": ""})), text("a"), text("b"), stop(0)];
        expected.extend(end("end_turn", None));
        assert_eq!(streamed(&pieces, &ending(Reason::Stop, None)), expected);
    }

    #[test]
    fn a_stream_of_reasoning_text_and_calls() {
        let begin = |index: usize, id: &str| Piece::CallBegin { index, id: id.into(), name: "f".into() };
        let pieces = [
            Piece::Reasoning("r".into()),
            Piece::Text("t".into()),
            begin(0, "i"),
            Piece::CallArguments { index: 0, json: "{\"a\"".into() },
            Piece::CallArguments { index: 0, json: ":1}".into() },
            Piece::CallEnd { index: 0 },
            begin(1, "j"),
            Piece::CallEnd { index: 1 },
        ];
        let tool = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
        let input = |json: &str| delta(2, json!({"type": "input_json_delta", "partial_json": json}));
        let mut expected = vec![
            start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "r"})),
            stop(0),
            start(1, json!({"type": "text", "text": ""})),
            delta(1, json!({"type": "text_delta", "text": "t"})),
            stop(1),
            start(2, tool("i")),
            input("{\"a\""),
            input(":1}"),
            stop(2),
            start(3, tool("j")),
            stop(3),
        ];
        expected.extend(end("tool_use", None));
        assert_eq!(streamed(&pieces, &ending(Reason::Calls, None)), expected);
    }

    #[test]
    fn an_empty_answer_has_an_empty_block() {
        let mut expected = vec![start(0, json!({"type": "text", "text": ""})), stop(0)];
        expected.extend(end("max_tokens", None));
        assert_eq!(streamed(&[], &ending(Reason::Length, None)), expected);
        let whole = Message::new("m").whole(&Whole::default(), &ending(Reason::Stop, None));
        assert_eq!(whole["content"], json!([{"type": "text", "text": ""}]));
    }

    #[test]
    fn the_stop_sequence_is_named() {
        let events = streamed(&[], &ending(Reason::StopString, Some("x")));
        assert_eq!(events[2..], end("stop_sequence", Some("x")));
        let of_template = streamed(&[], &ending(Reason::StopString, None));
        assert_eq!(of_template[2..], end("end_turn", None));
    }

    #[test]
    fn failures_and_signs_of_life() {
        let (mut message, mut out) = (Message::new("m"), String::new());
        message.keep_alive(&mut out);
        assert_eq!(std::mem::take(&mut out), COMMENT);
        message.begin(9, 4, &mut out);
        out.clear();
        message.keep_alive(&mut out);
        message.fail(&Refusal::failed("no more"), &mut out);
        let error = json!({"type": "error", "error": {"type": "api_error", "message": "no more"}});
        assert_eq!(events(&out), [json!({"type": "ping"}), error]);
    }

    #[test]
    fn whole_answers() {
        let call = |id: &str, arguments: &str| Call { id: id.into(), name: "f".into(), arguments: arguments.into() };
        let calls = vec![call("i", "{\"a\":1}"), call("j", "{\"a\""), call("k", "{}"), call("l", "")];
        let whole = Whole { reasoning: "r".into(), text: "t".into(), calls, ..Whole::default() };
        let mut message = Message::new("m");
        let tool = |id: &str, input: Json| json!({"type": "tool_use", "id": id, "name": "f", "input": input});
        let expected = json!({
            "id": message.id, "type": "message", "role": "assistant", "model": "m",
            "content": [
                {"type": "thinking", "thinking": "r", "signature": ""},
                {"type": "text", "text": "t"},
                tool("i", json!({"a": 1})),
                tool("k", json!({})),
            ],
            "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 5},
        });
        assert_eq!(message.whole(&whole, &ending(Reason::Calls, None)), expected);
    }
}
