//! A streamed answer as the body of a response.

use super::super::dialect::Dialect;
use super::super::refusal::Refusal;
use super::super::reply::{Reply, Update};
use hyper::body::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// The longest silence on a stream; clients give up after a minute.
const SILENCE: Duration = Duration::from_secs(10);

/// An answer that is written while it is computed. When the client goes away, this is dropped and the computation ends.
pub(in super::super) struct Streamed {
    reply: Reply,
    dialect: Box<dyn Dialect>,
    n_prompt: usize,
    silence: Pin<Box<Sleep>>,
    is_over: bool,
}

impl Streamed {
    /// A stream of a reply to a prompt of `n_prompt` tokens.
    pub(in super::super) fn new(reply: Reply, dialect: Box<dyn Dialect>, n_prompt: usize) -> Self {
        Self { reply, dialect, n_prompt, silence: Box::pin(sleep(SILENCE)), is_over: false }
    }

    /// Polls for the next bytes, as many as there are; none behind the end.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut out = String::new();
        while !self.is_over {
            match self.reply.poll_next(context) {
                Poll::Ready(update) => self.write(update, &mut out),
                Poll::Pending if !out.is_empty() => break,
                Poll::Pending => {
                    if self.silence.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    self.dialect.keep_alive(&mut out);
                    self.silence.as_mut().reset(Instant::now() + SILENCE);
                }
            }
        }
        if out.is_empty() {
            return Poll::Ready(None);
        }
        self.silence.as_mut().reset(Instant::now() + SILENCE);
        Poll::Ready(Some(out.into()))
    }

    fn write(&mut self, update: Option<Update>, out: &mut String) {
        match update {
            Some(Update::Start { n_cached }) => self.dialect.begin(self.n_prompt, n_cached, out),
            Some(Update::Pieces(pieces)) => pieces.iter().for_each(|piece| self.dialect.piece(piece, out)),
            Some(Update::End(pieces, ending)) => {
                pieces.iter().for_each(|piece| self.dialect.piece(piece, out));
                self.dialect.end(&ending, out);
                self.is_over = true;
            }
            Some(Update::Failed(refusal)) => {
                self.dialect.fail(&refusal, out);
                self.is_over = true;
            }
            None => {
                self.dialect.fail(&Refusal::failed("the answer was cut off"), out);
                self.is_over = true;
            }
        }
    }
}
