//! `chat`: one turn through the model's chat template.

use super::turn::{self, Plan};
use crate::cli::{Invocation, table};
use crate::error::Error;
use crate::prompt;
use crate::sampling::Sampling;
use nanocamelid_engine::chat::{Message, Role};

/// Runs the command, or the terminal chat if there is no prompt and somebody at the terminal.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    if prompt::is_interactive(invocation) && !invocation.has(&table::DRY_RUN) {
        return super::tui::run(invocation);
    }
    let system = invocation.text(&table::SYSTEM);
    turn::run(
        invocation,
        &Plan {
            tokens: &|parsed, file, prompt| {
                let system = system.map(|content| Message { role: Role::System, content });
                let user = Message { role: Role::User, content: prompt };
                let messages: Vec<Message<'_>> = system.into_iter().chain([user]).collect();
                parsed.chat_tokens(file, &messages)
            },
            params: &|sampling: &Sampling, is_demo| sampling.chat(is_demo),
            is_chat: true,
            // Until the model ends its answer or the context is full.
            limit: usize::MAX,
        },
    )
}
