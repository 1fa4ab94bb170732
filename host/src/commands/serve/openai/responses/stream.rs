//! Responses, whole and in events.

use super::super::super::dialect::{COMMENT, Dialect, EVENT_STREAM, event, id};
use super::super::super::refusal::Refusal;
use super::super::super::reply::{Call, Ending, Piece, Reason, Whole};
use super::item::{Item, Kind};
use crate::loading::unix_seconds;
use serde_json::{Map, Value as Json, json};

/// The response to a request.
pub(super) struct Response {
    id: String,
    model: String,
    created: u64,
    /// What it repeats of the request.
    settings: Map<String, Json>,
    has_begun: bool,
    /// The item that is being written.
    open: Option<Item>,
    /// The items that are complete.
    output: Vec<Json>,
    /// Number of the next event.
    n_events: u64,
}

impl Response {
    /// A response of this model.
    pub(super) fn new(model: &str, settings: Map<String, Json>) -> Self {
        Self {
            id: id("resp_"),
            model: model.into(),
            created: unix_seconds(),
            settings,
            has_begun: false,
            open: None,
            output: Vec::new(),
            n_events: 0,
        }
    }

    fn object(&self, status: &str) -> Json {
        let mut object = json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "model": self.model,
            "output": self.output,
            "usage": null,
        });
        if let Some(object) = object.as_object_mut() {
            object.extend(self.settings.clone());
        }
        object
    }

    /// The response at its end.
    fn ended(&self, ending: &Ending) -> Json {
        let mut object = self.object(status(ending));
        if ending.reason == Reason::Length {
            object["incomplete_details"] = json!({"reason": "max_output_tokens"});
        }
        let counts = &ending.counts;
        // What was not known is kept from now on.
        let n_kept = counts.n_prompt - counts.n_cached;
        object["usage"] = json!({
            "input_tokens": counts.n_prompt,
            "input_tokens_details": {"cached_tokens": counts.n_cached, "cache_write_tokens": n_kept},
            "output_tokens": counts.n_generated,
            "output_tokens_details": {"reasoning_tokens": ending.n_reasoning},
            "total_tokens": counts.n_prompt + counts.n_generated,
        });
        object
    }

    /// Appends an event with its number.
    fn send(&mut self, kind: &str, fields: Json, out: &mut String) {
        let mut data = json!({"type": kind, "sequence_number": self.n_events});
        if let (Some(data), Json::Object(fields)) = (data.as_object_mut(), fields) {
            data.extend(fields);
        }
        self.n_events += 1;
        event(Some(kind), &data, out);
    }

    /// Appends an event of an item. Content has one part.
    fn send_of(&mut self, item: &Item, kind: &str, (name, value): (&str, Json), out: &mut String) {
        let mut fields = json!({"item_id": item.id, "output_index": self.output.len()});
        if !matches!(item.kind, Kind::Call(_)) {
            fields["content_index"] = json!(0);
        }
        fields[name] = value;
        if kind.starts_with("response.output_text") {
            fields["logprobs"] = json!([]);
        }
        self.send(kind, fields, out);
    }

    /// Begins an item behind the one that is open.
    fn begin_item(&mut self, item: Item, out: &mut String) {
        self.end_item("completed", out);
        let index = self.output.len();
        self.send("response.output_item.added", json!({"output_index": index, "item": item.begun()}), out);
        if let Some(part) = item.begun_part() {
            self.send_of(&item, "response.content_part.added", ("part", part), out);
        }
        self.open = Some(item);
    }

    /// More of the item that is open.
    fn delta(&mut self, text: &str, out: &mut String) {
        let Some(mut item) = self.open.take() else { return };
        item.text += text;
        let kind = format!("response.{}.delta", name(&item.kind));
        self.send_of(&item, &kind, ("delta", json!(text)), out);
        self.open = Some(item);
    }

    fn end_item(&mut self, status: &str, out: &mut String) {
        let Some(item) = self.open.take() else { return };
        let field = if matches!(item.kind, Kind::Call(_)) { "arguments" } else { "text" };
        let kind = format!("response.{}.done", name(&item.kind));
        self.send_of(&item, &kind, (field, json!(item.text)), out);
        if let Some(part) = item.part() {
            self.send_of(&item, "response.content_part.done", ("part", part), out);
        }
        let done = item.json(status);
        self.send("response.output_item.done", json!({"output_index": self.output.len(), "item": done}), out);
        self.output.push(done);
    }
}

/// What an item's events are called.
fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Reasoning => "reasoning_text",
        Kind::Message => "output_text",
        Kind::Call(_) => "function_call_arguments",
    }
}

/// The state of a response that has ended, and of its last item.
fn status(ending: &Ending) -> &'static str {
    if ending.reason == Reason::Length { "incomplete" } else { "completed" }
}

impl Dialect for Response {
    fn stream_type(&self) -> &'static str {
        EVENT_STREAM
    }

    fn begin(&mut self, _: usize, _: usize, out: &mut String) {
        self.has_begun = true;
        for kind in ["response.created", "response.in_progress"] {
            let response = self.object("in_progress");
            self.send(kind, json!({"response": response}), out);
        }
    }

    fn piece(&mut self, piece: &Piece, out: &mut String) {
        let open = self.open.as_ref().map(|item| &item.kind);
        match piece {
            Piece::Reasoning(text) => {
                if !matches!(open, Some(Kind::Reasoning)) {
                    self.begin_item(Item::reasoning(""), out);
                }
                self.delta(text, out);
            }
            Piece::Text(text) => {
                if !matches!(open, Some(Kind::Message)) {
                    self.begin_item(Item::message(""), out);
                }
                self.delta(text, out);
            }
            Piece::CallBegin { id, name, .. } => {
                let call = Call { id: id.clone(), name: name.clone(), arguments: String::new() };
                self.begin_item(Item::call(call), out);
            }
            Piece::CallArguments { json, .. } => self.delta(json, out),
            // How a call ends, the next piece or the answer's end says.
            Piece::CallEnd { .. } => {}
            Piece::Token(_) => {}
        }
    }

    fn end(&mut self, ending: &Ending, out: &mut String) {
        self.end_item(status(ending), out);
        let kind = if ending.reason == Reason::Length { "response.incomplete" } else { "response.completed" };
        let response = self.ended(ending);
        self.send(kind, json!({"response": response}), out);
    }

    fn fail(&mut self, refusal: &Refusal, out: &mut String) {
        let code = refusal.code.unwrap_or("server_error");
        if !self.has_begun {
            let error = json!({"code": code, "message": refusal.message, "param": refusal.field});
            return self.send("error", error, out);
        }
        self.end_item("incomplete", out);
        let mut response = self.object("failed");
        response["error"] = json!({"code": code, "message": refusal.message});
        self.send("response.failed", json!({"response": response}), out);
    }

    fn keep_alive(&self, out: &mut String) {
        *out += COMMENT;
    }

    fn whole(&mut self, whole: &Whole, ending: &Ending) -> Json {
        let mut items = Vec::new();
        items.extend(Some(&whole.reasoning).filter(|text| !text.is_empty()).map(|text| Item::reasoning(text)));
        items.extend(Some(&whole.text).filter(|text| !text.is_empty()).map(|text| Item::message(text)));
        items.extend(whole.calls.iter().cloned().map(Item::call));
        let last = items.len().saturating_sub(1);
        let state = |i: usize| if i == last { status(ending) } else { "completed" };
        self.output = items.iter().enumerate().map(|(i, item)| item.json(state(i))).collect();
        self.ended(ending)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::scheduler::Counts;
    use super::*;

    fn ending(reason: Reason) -> Ending {
        let counts = Counts { n_prompt: 9, n_cached: 4, n_generated: 5, ..Counts::default() };
        Ending { reason, stop: None, counts, n_reasoning: 2 }
    }

    fn response() -> Response {
        Response::new("m", Map::from_iter([("temperature".to_owned(), json!(0.5))]))
    }

    /// Replaces random names and times, and takes the numbers of events out, which are checked.
    fn plain(json: &mut Json) {
        match json {
            Json::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    match name.as_str() {
                        "id" | "item_id" => {
                            let prefix = value.as_str().unwrap().split_once('_').map(|(prefix, _)| prefix.to_owned());
                            *value = json!(prefix);
                        }
                        "created_at" => *value = json!(0),
                        _ => plain(value),
                    }
                }
            }
            Json::Array(items) => items.iter_mut().for_each(plain),
            _ => {}
        }
    }

    fn events(text: &str) -> Vec<Json> {
        let event = |(i, event): (usize, &str)| {
            let (name, data) = event.split_once("\ndata: ").unwrap();
            let mut data: Json = serde_json::from_str(data).unwrap();
            assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
            assert_eq!(data.as_object_mut().unwrap().shift_remove("sequence_number"), Some(json!(i)));
            plain(&mut data);
            data
        };
        text.split_terminator("\n\n").enumerate().map(event).collect()
    }

    fn object(status: &str, output: &[Json]) -> Json {
        json!({
            "id": "resp", "object": "response", "created_at": 0, "status": status, "error": null,
            "incomplete_details": null, "model": "m", "output": output, "usage": null, "temperature": 0.5,
        })
    }

    fn ended(status: &str, output: &[Json]) -> Json {
        let mut object = object(status, output);
        object["usage"] = json!({
            "input_tokens": 9, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 5},
            "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 14,
        });
        if status == "incomplete" {
            object["incomplete_details"] = json!({"reason": "max_output_tokens"});
        }
        object
    }

    fn begun() -> Vec<Json> {
        let event = |kind: &str| json!({"type": kind, "response": object("in_progress", &[])});
        vec![event("response.created"), event("response.in_progress")]
    }

    fn message(status: &str, text: &str) -> Json {
        let part = json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
        json!({"id": "msg", "type": "message", "status": status, "role": "assistant", "content": [part]})
    }

    fn reasoning(text: &str) -> Json {
        let part = json!({"type": "reasoning_text", "text": text});
        json!({"id": "rs", "type": "reasoning", "summary": [], "content": [part], "status": "completed"})
    }

    fn call(status: &str, arguments: &str) -> Json {
        json!({
            "id": "fc", "type": "function_call", "status": status, "call_id": "i", "name": "f", "arguments": arguments,
        })
    }

    /// The events of an item whose text comes in pieces. `word` is what its events are called.
    fn item_events(index: usize, done: &Json, word: &str, pieces: &[&str]) -> Vec<Json> {
        let (mut begun, part) = (done.clone(), done.get("content").map(|content| content[0].clone()));
        begun["status"] = json!("in_progress");
        match part {
            Some(_) => begun["content"] = json!([]),
            None => begun["arguments"] = json!(""),
        }
        let of = |kind: &str, name: &str, value: Json| {
            let mut event = json!({"type": kind, "item_id": done["id"], "output_index": index});
            if part.is_some() {
                event["content_index"] = json!(0);
            }
            event[name] = value;
            if word == "output_text" && !kind.contains("part") {
                event["logprobs"] = json!([]);
            }
            event
        };
        let mut events = vec![json!({"type": "response.output_item.added", "output_index": index, "item": begun})];
        let mut begun_part = part.clone();
        begun_part.iter_mut().for_each(|part| part["text"] = json!(""));
        events.extend(begun_part.map(|part| of("response.content_part.added", "part", part)));
        events.extend(pieces.iter().map(|piece| of(&format!("response.{word}.delta"), "delta", json!(piece))));
        let field = if part.is_some() { "text" } else { "arguments" };
        events.push(of(&format!("response.{word}.done"), field, json!(pieces.concat())));
        events.extend(part.clone().map(|part| of("response.content_part.done", "part", part)));
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": done}));
        events
    }

    fn streamed(pieces: &[Piece], reason: Reason) -> Vec<Json> {
        let (mut response, mut out) = (response(), String::new());
        response.begin(9, 4, &mut out);
        pieces.iter().for_each(|piece| response.piece(piece, &mut out));
        response.end(&ending(reason), &mut out);
        events(&out)
    }

    #[test]
    fn a_stream_of_text() {
        let mut expected = begun();
        let message = message("completed", "ab");
        expected.extend(item_events(0, &message, "output_text", &["a", "b"]));
        expected.push(json!({"type": "response.completed", "response": ended("completed", &[message])}));
        assert_eq!(streamed(&[Piece::Text("a".into()), Piece::Text("b".into())], Reason::Stop), expected);
    }

    #[test]
    fn a_stream_of_reasoning_text_and_a_call_that_is_cut_off() {
        let pieces = [
            Piece::Reasoning("r".into()),
            Piece::Text("t".into()),
            Piece::CallBegin { index: 0, id: "i".into(), name: "f".into() },
            Piece::CallArguments { index: 0, json: "{\"a\"".into() },
            Piece::CallArguments { index: 0, json: ":".into() },
            Piece::CallEnd { index: 0 },
        ];
        let output = [reasoning("r"), message("completed", "t"), call("incomplete", "{\"a\":")];
        let mut expected = begun();
        expected.extend(item_events(0, &output[0], "reasoning_text", &["r"]));
        expected.extend(item_events(1, &output[1], "output_text", &["t"]));
        expected.extend(item_events(2, &output[2], "function_call_arguments", &["{\"a\"", ":"]));
        expected.push(json!({"type": "response.incomplete", "response": ended("incomplete", &output)}));
        assert_eq!(streamed(&pieces, Reason::Length), expected);
    }

    #[test]
    fn failures_before_and_behind_the_beginning() {
        let (mut early, mut out) = (response(), String::new());
        early.keep_alive(&mut out);
        assert_eq!(std::mem::take(&mut out), COMMENT);
        early.fail(&Refusal::field("f", "no"), &mut out);
        assert_eq!(events(&out), [json!({"type": "error", "code": "server_error", "message": "f: no", "param": "f"})]);

        let (mut late, mut out) = (response(), String::new());
        late.begin(9, 4, &mut out);
        late.piece(&Piece::Text("a".into()), &mut out);
        late.fail(&Refusal::failed("no more"), &mut out);
        let message = message("incomplete", "a");
        let mut expected = begun();
        expected.extend(item_events(0, &message, "output_text", &["a"]));
        let mut failed = object("failed", &[message]);
        failed["error"] = json!({"code": "server_error", "message": "no more"});
        expected.push(json!({"type": "response.failed", "response": failed}));
        assert_eq!(events(&out), expected);
    }

    #[test]
    fn whole_responses() {
        let call_of = |arguments: &str| Call { id: "i".into(), name: "f".into(), arguments: arguments.into() };
        let calls = vec![call_of("{}"), call_of("{\"a\":1}")];
        let whole = Whole { reasoning: "r".into(), text: "t".into(), calls, ..Whole::default() };
        let mut json = response().whole(&whole, &ending(Reason::Calls));
        plain(&mut json);
        let output =
            [reasoning("r"), message("completed", "t"), call("completed", "{}"), call("completed", "{\"a\":1}")];
        assert_eq!(json, ended("completed", &output));
        let mut cut = response().whole(&Whole { text: "t".into(), ..Whole::default() }, &ending(Reason::Length));
        plain(&mut cut);
        assert_eq!(cut, ended("incomplete", &[message("incomplete", "t")]));
    }
}
