//! What the command line says of an answer, as fields of a request. What nobody asks for is left to the server.

use crate::cli::{Invocation, UsageError, table};
use crate::constraint::GrammarFile;
use crate::error::Error;
use crate::output::shortest;
use crate::sampling::Sampling;
use serde_json::{Map, Value as Json, json};

/// The fields that are the same for every answer.
#[derive(Clone, Debug)]
pub(super) struct Fields(Map<String, Json>);

impl Fields {
    /// Reads the flags.
    ///
    /// # Errors
    /// A file of a schema that cannot be read; a seed that the API has no number for.
    pub(super) fn new(invocation: &Invocation) -> Result<Self, Error> {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Option<Json>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        // No limit is 0 there.
        let top_k = invocation.get(&table::TOP_K).map(|k| if k == usize::MAX { 0 } else { k });
        set("top_k", top_k.map(Json::from));
        set("top_p", invocation.get(&table::TOP_P).map(shortest));
        set("min_p", invocation.get(&table::MIN_P).map(shortest));
        set("repeat_penalty", invocation.get(&table::REPEAT_PENALTY).map(shortest));
        set("frequency_penalty", invocation.get(&table::FREQUENCY_PENALTY).map(shortest));
        set("presence_penalty", invocation.get(&table::PRESENCE_PENALTY).map(shortest));
        set("repeat_last_n", invocation.get(&table::REPEAT_LAST_N).map(Json::from));
        let seed = invocation.get(&table::SEED);
        if let Some(seed) = seed.filter(|&seed| i64::try_from(seed).is_err()) {
            let (flag, given) = (table::SEED.row.key, seed.to_string());
            let problem = format!("is more than a server takes, which is {}", i64::MAX);
            return Err(UsageError::Unusable { flag, given, problem }.into());
        }
        set("seed", seed.map(Json::from));
        let schema = GrammarFile::read(invocation)?.map(|file| file.schema()).transpose()?;
        let format = |schema| json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}});
        set("response_format", schema.map(format));
        Ok(Self(fields))
    }

    /// All fields of the next answer.
    pub(super) fn of_turn(&self, sampling: &Sampling) -> Map<String, Json> {
        let mut fields = self.0.clone();
        if let Some(temperature) = sampling.asked_temperature() {
            fields.insert("temperature".into(), shortest(temperature));
        }
        if let Some(n) = sampling.n_predict.filter(|&n| n < usize::MAX) {
            fields.insert("max_tokens".into(), n.into());
        }
        if !sampling.stops().is_empty() {
            fields.insert("stop".into(), sampling.stops().into());
        }
        fields
    }
}
