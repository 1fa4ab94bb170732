//! Answers of chat and generate: a JSON object for each piece, and one with the numbers at the end.

use super::super::dialect::Dialect;
use super::super::openai::log_probs;
use super::super::refusal::Refusal;
use super::super::reply::{Call, Ending, Piece, Reason, TokenProbs, Whole};
use super::error;
use super::time::{nanoseconds, now};
use serde_json::{Map, Value as Json, json};
use std::time::Duration;

/// What an answer is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Generate,
}

/// The answer of a request.
pub(super) struct Answer {
    /// The model's name as the client wrote it.
    model: String,
    kind: Kind,
    /// The call that is being read. Calls leave in one piece in this API.
    call: Call,
    n_calls: usize,
    /// Tokens whose text has not come yet, where probabilities are wanted.
    tokens: Vec<TokenProbs>,
}

impl Answer {
    /// An answer of the model that the client calls so.
    pub(super) fn new(model: &str, kind: Kind) -> Self {
        Self { model: model.into(), kind, call: Call::default(), n_calls: 0, tokens: Vec::new() }
    }

    /// The answer to a request without a prompt: the model is in memory.
    pub(super) fn loaded(&self) -> Json {
        let mut object = self.object(&Whole::default(), Vec::new());
        object["done"] = json!(true);
        object["done_reason"] = json!("load");
        object
    }

    /// An object with a part of an answer, or all of it.
    fn object(&self, part: &Whole, calls: Vec<Json>) -> Json {
        let thinking = Some(&part.reasoning).filter(|text| !text.is_empty());
        let mut object = json!({"model": self.model, "created_at": now()});
        match self.kind {
            Kind::Chat => {
                let mut message = Map::new();
                message.insert("role".into(), json!("assistant"));
                message.insert("content".into(), json!(part.text));
                message.extend(thinking.map(|text| ("thinking".into(), json!(text))));
                if !calls.is_empty() {
                    message.insert("tool_calls".into(), Json::Array(calls));
                }
                object["message"] = Json::Object(message);
            }
            Kind::Generate => {
                object["response"] = json!(part.text);
                if let Some(text) = thinking {
                    object["thinking"] = json!(text);
                }
            }
        }
        if !part.tokens.is_empty() {
            object["logprobs"] = part.tokens.iter().map(log_probs::entry).collect();
        }
        object["done"] = json!(false);
        object
    }

    /// Appends a line with a part of an answer, and with the tokens that it is made of.
    fn line(&mut self, part: Whole, calls: Vec<Json>, out: &mut String) {
        let part = Whole { tokens: std::mem::take(&mut self.tokens), ..part };
        line(&self.object(&part, calls), out);
    }
}

fn line(object: &Json, out: &mut String) {
    *out += &object.to_string();
    *out += "\n";
}

/// A call whose arguments are complete.
fn call(index: usize, call: &Call) -> Option<Json> {
    let arguments = call.object()?;
    Some(json!({"id": call.id, "function": {"index": index, "name": call.name, "arguments": arguments}}))
}

/// Makes an object the last one.
fn finish(object: &mut Json, ending: &Ending) {
    let counts = &ending.counts;
    let waited = counts.first_token.saturating_sub(counts.prompt_time);
    object["done"] = json!(true);
    object["done_reason"] = json!(if ending.reason == Reason::Length { "length" } else { "stop" });
    object["total_duration"] = json!(nanoseconds(counts.first_token + counts.answer_time));
    // The model is loaded already; what a request waits for is its turn.
    object["load_duration"] = json!(nanoseconds(waited));
    object["prompt_eval_count"] = json!(counts.n_prompt);
    object["prompt_eval_duration"] = json!(nanoseconds(counts.prompt_time));
    object["eval_count"] = json!(counts.n_generated);
    // Clients divide by this.
    object["eval_duration"] = json!(nanoseconds(counts.answer_time.max(Duration::from_nanos(1))));
}

impl Dialect for Answer {
    fn stream_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn begin(&mut self, _: usize, _: usize, _: &mut String) {}

    fn piece(&mut self, piece: &Piece, out: &mut String) {
        match piece {
            Piece::Token(token) => self.tokens.push(token.clone()),
            Piece::Text(text) => self.line(Whole { text: text.clone(), ..Whole::default() }, Vec::new(), out),
            Piece::Reasoning(text) => {
                self.line(Whole { reasoning: text.clone(), ..Whole::default() }, Vec::new(), out);
            }
            Piece::CallBegin { id, name, .. } => {
                self.call = Call { id: id.clone(), name: name.clone(), arguments: String::new() };
            }
            Piece::CallArguments { json, .. } => self.call.arguments += json,
            Piece::CallEnd { .. } => {
                let whole = call(self.n_calls, &self.call);
                self.n_calls += usize::from(whole.is_some());
                if let Some(whole) = whole {
                    self.line(Whole::default(), vec![whole], out);
                }
            }
        }
    }

    fn end(&mut self, ending: &Ending, out: &mut String) {
        let rest = Whole { tokens: std::mem::take(&mut self.tokens), ..Whole::default() };
        let mut last = self.object(&rest, Vec::new());
        finish(&mut last, ending);
        line(&last, out);
    }

    fn fail(&mut self, refusal: &Refusal, out: &mut String) {
        line(&error(refusal), out);
    }

    /// The API has no word for this; a piece without text says the same.
    fn keep_alive(&self, out: &mut String) {
        line(&self.object(&Whole::default(), Vec::new()), out);
    }

    fn whole(&mut self, whole: &Whole, ending: &Ending) -> Json {
        let calls = whole.calls.iter().filter_map(|one| call(0, one)).enumerate().map(|(i, mut call)| {
            call["function"]["index"] = json!(i);
            call
        });
        let mut object = self.object(whole, calls.collect());
        finish(&mut object, ending);
        object
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::reply::TokenProb;
    use super::super::super::scheduler::Counts;
    use super::*;

    fn ending(reason: Reason) -> Ending {
        let ms = Duration::from_millis;
        let times = (ms(30), ms(20), ms(50));
        let (first_token, prompt_time, answer_time) = times;
        let counts = Counts { n_prompt: 9, n_cached: 4, n_generated: 5, first_token, prompt_time, answer_time };
        Ending { reason, stop: None, counts, n_reasoning: 2 }
    }

    /// The lines of a stream, without their time.
    fn lines(text: &str) -> Vec<Json> {
        let parsed = text.lines().map(|line| {
            let mut line: Json = serde_json::from_str(line).unwrap();
            if let Some(time) = line.as_object_mut().unwrap().shift_remove("created_at") {
                assert_eq!(time.as_str().unwrap().len(), "2026-07-26T23:59:59.999999Z".len());
            }
            line
        });
        parsed.collect()
    }

    fn call_pieces(arguments: &[&str]) -> Vec<Piece> {
        let begin = Piece::CallBegin { index: 0, id: "c".into(), name: "f".into() };
        let arguments = arguments.iter().map(|json| Piece::CallArguments { index: 0, json: (*json).into() });
        [begin].into_iter().chain(arguments).chain([Piece::CallEnd { index: 0 }]).collect()
    }

    fn streamed(kind: Kind, pieces: &[Piece], reason: Reason) -> Vec<Json> {
        let (mut answer, mut out) = (Answer::new("m:latest", kind), String::new());
        answer.begin(9, 4, &mut out);
        pieces.iter().for_each(|piece| answer.piece(piece, &mut out));
        answer.end(&ending(reason), &mut out);
        lines(&out)
    }

    fn message(message: Json) -> Json {
        json!({"model": "m:latest", "message": message, "done": false})
    }

    fn last(mut object: Json, reason: &str) -> Json {
        object["done"] = json!(true);
        object["done_reason"] = json!(reason);
        let numbers = json!({
            "total_duration": 80_000_000, "load_duration": 10_000_000, "prompt_eval_count": 9,
            "prompt_eval_duration": 20_000_000, "eval_count": 5, "eval_duration": 50_000_000,
        });
        object.as_object_mut().unwrap().extend(numbers.as_object().unwrap().clone());
        object
    }

    #[test]
    fn a_stream_of_reasoning_text_and_a_call() {
        let mut pieces = vec![Piece::Reasoning("r".into()), Piece::Text("t".into())];
        pieces.extend(call_pieces(&["{\"a\"", ":1}"]));
        let call = json!({"id": "c", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}});
        let expected = vec![
            message(json!({"role": "assistant", "content": "", "thinking": "r"})),
            message(json!({"role": "assistant", "content": "t"})),
            message(json!({"role": "assistant", "content": "", "tool_calls": [call]})),
            last(message(json!({"role": "assistant", "content": ""})), "stop"),
        ];
        assert_eq!(streamed(Kind::Chat, &pieces, Reason::Calls), expected);
    }

    #[test]
    fn a_call_that_was_cut_off_is_left_out() {
        let pieces = call_pieces(&["{\"a\""]);
        let expected = vec![last(message(json!({"role": "assistant", "content": ""})), "length")];
        assert_eq!(streamed(Kind::Chat, &pieces, Reason::Length), expected);
    }

    #[test]
    fn a_stream_of_generate() {
        let pieces = [Piece::Reasoning("r".into()), Piece::Text("t".into())];
        let part = |response: &str| json!({"model": "m:latest", "response": response, "done": false});
        let thinking = json!({"model": "m:latest", "response": "", "thinking": "r", "done": false});
        let expected = vec![thinking, part("t"), last(part(""), "stop")];
        assert_eq!(streamed(Kind::Generate, &pieces, Reason::StopString), expected);
    }

    #[test]
    fn probabilities_come_with_the_text_of_their_tokens() {
        let token = |text: &str| {
            let chosen = TokenProb { bytes: text.into(), log_prob: Some(-0.5) };
            Piece::Token(TokenProbs { top: vec![chosen.clone()], chosen })
        };
        let pieces = [token("a"), token("b"), Piece::Text("ab".into()), token("c")];
        let one = |text: &str| json!({"token": text, "logprob": -0.5, "bytes": text.as_bytes()});
        let entry = |text: &str| {
            let mut entry = one(text);
            entry["top_logprobs"] = json!([one(text)]);
            entry
        };
        let lines = streamed(Kind::Chat, &pieces, Reason::Stop);
        let found: Vec<_> = lines.iter().map(|line| line["logprobs"].clone()).collect();
        assert_eq!(found, [json!([entry("a"), entry("b")]), json!([entry("c")])]);
    }

    #[test]
    fn whole_answers() {
        let whole = Whole {
            reasoning: "r".into(),
            text: "t".into(),
            calls: ["{", "", "[]", "{}", "{\"a\":1}"]
                .map(|arguments| Call { id: "c".into(), name: "f".into(), arguments: arguments.into() })
                .into(),
            ..Whole::default()
        };
        let chat = Answer::new("m:latest", Kind::Chat).whole(&whole, &ending(Reason::Calls));
        let call = |index: usize, arguments: Json| json!({"id": "c", "function": {"index": index, "name": "f", "arguments": arguments}});
        let calls = [call(0, json!({})), call(1, json!({"a": 1}))];
        let said = json!({"role": "assistant", "content": "t", "thinking": "r", "tool_calls": calls});
        assert_eq!(lines(&chat.to_string()), [last(message(said), "stop")]);
        let whole = Whole { calls: Vec::new(), ..whole };
        let text = Answer::new("m:latest", Kind::Generate).whole(&whole, &ending(Reason::Length));
        let expected = json!({"model": "m:latest", "response": "t", "thinking": "r", "done": false});
        assert_eq!(lines(&text.to_string()), [last(expected, "length")]);
    }

    #[test]
    fn failures_signs_of_life_and_a_loaded_model() {
        let (mut answer, mut out) = (Answer::new("m", Kind::Generate), String::new());
        answer.keep_alive(&mut out);
        answer.fail(&Refusal::failed("no more"), &mut out);
        assert_eq!(lines(&out), [json!({"model": "m", "response": "", "done": false}), json!({"error": "no more"})]);
        let loaded = json!({"model": "m", "response": "", "done": true, "done_reason": "load"});
        assert_eq!(lines(&answer.loaded().to_string()), [loaded]);
    }
}
