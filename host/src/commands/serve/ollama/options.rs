//! The options of a request: settings of the sampler and of Ollama's runner.

use super::super::ask::{Ask, Sampling, stops};
use super::super::fields::Fields;
use super::super::refusal::Refusal;

/// Options that this server knows only in one way, with the value that leaves things as they are.
const NEUTRAL: [(&str, f32); 3] = [("typical_p", 1.0), ("tfs_z", 1.0), ("mirostat", 0.0)];

/// Reads `options`. Those about Ollama's way of running a model (`num_thread`, `num_batch`, `num_gpu`, `use_mmap` and
/// the like) are none of a client's business here and are not looked at. `num_ctx` asks for room that the server either
/// has or not: a prompt that does not fit is refused as such.
///
/// # Errors
/// 400 for a value out of range.
pub(super) fn read(fields: &Fields<'_>, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(options) = fields.object("options")? else { return Ok(()) };
    ask.sampling = Sampling::read(&options)?;
    ask.stops = stops(&options, "stop")?;
    // -1 is no limit, and -2 the rest of the context.
    let limit = options.whole("num_predict", -2, i64::MAX)?;
    ask.max_tokens = limit.map(|n| usize::try_from(n).ok().filter(|&n| n > 0).unwrap_or(usize::MAX));
    options.count("num_ctx", 1, usize::MAX)?;
    for (name, neutral) in NEUTRAL {
        if options.number(name, 0.0, 100.0)?.is_some_and(|value| value != neutral) {
            return Err(options.refuse(name, format_args!("not supported by this server; {neutral} is off")));
        }
    }
    if options.flag("penalize_newline")? == Some(false) {
        return Err(options.refuse("penalize_newline", "must be true"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn asked(options: Json) -> Result<Ask, String> {
        let json = json!({"options": options});
        let mut ask = Ask::default();
        read(&Fields::of_request(&json).unwrap(), &mut ask).map(|()| ask).map_err(|refusal| refusal.message)
    }

    #[test]
    fn options_become_settings() {
        let ask = asked(json!({
            "num_predict": 7, "num_ctx": 2048, "temperature": 0.5, "top_k": 20, "top_p": 0.9, "min_p": 0.1, "seed": 3,
            "stop": ["a", "b"], "repeat_penalty": 1.25, "repeat_last_n": 32, "presence_penalty": 0.5,
            "frequency_penalty": 0.25, "num_thread": 2, "num_batch": 64, "num_gpu": 1, "use_mmap": true, "mirostat": 0,
            "typical_p": 1.0, "penalize_newline": true,
        }));
        let ask = ask.unwrap();
        let sampling = &ask.sampling;
        assert_eq!((ask.max_tokens, ask.stops), (Some(7), vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!((sampling.temperature, sampling.top_p, sampling.min_p), (Some(0.5), Some(0.9), Some(0.1)));
        assert_eq!((sampling.top_k, sampling.seed, sampling.repeat_last_n), (Some(20), Some(3), Some(32)));
        assert_eq!((sampling.repeat_penalty, sampling.presence_penalty), (Some(1.25), Some(0.5)));
        assert_eq!(sampling.frequency_penalty, Some(0.25));
    }

    #[test]
    fn negative_numbers_mean_no_limit() {
        for n in [-2, -1, 0] {
            assert_eq!(asked(json!({"num_predict": n})).unwrap().max_tokens, Some(usize::MAX));
        }
        let ask = asked(json!({"repeat_last_n": -1, "seed": -1, "top_k": -1})).unwrap();
        assert_eq!((ask.sampling.repeat_last_n, ask.sampling.seed), (Some(usize::MAX), None));
        assert_eq!((ask.sampling.top_k, ask.max_tokens), (Some(0), None));
    }

    #[test]
    fn wrong_options_are_refused_by_name() {
        for (name, value, problem) in [
            ("num_predict", json!(-3), "must be a whole number of at least -2"),
            ("num_predict", json!("7"), "must be a whole number of at least -2"),
            ("num_ctx", json!(0), "must be a whole number of at least 1"),
            ("temperature", json!(-1), "must be a number from 0 to 100"),
            ("top_p", json!(2), "must be a number from 0 to 1"),
            ("stop", json!([1]), "must be a string or a list of strings"),
            ("repeat_last_n", json!(-2), "must be a whole number from -1 to 1048576"),
            ("mirostat", json!(2), "not supported by this server; 0 is off"),
            ("typical_p", json!(0.5), "not supported by this server; 1 is off"),
            ("penalize_newline", json!(false), "must be true"),
        ] {
            assert_eq!(asked(json!({name: value})).unwrap_err(), format!("options.{name}: {problem}"));
        }
    }
}
