//! What rank 0 announces to the other ranks, as bytes and back: the calls of the session API that every rank makes, and
//! what comes before and behind them.

use super::message::{Malformed, Reader, Words, Writer};
use nanocamelid_engine::SessionOptions;
use nanocamelid_engine::session::Part;
use nanocamelid_kernels::KvType;

/// One announcement.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Call {
    /// Open this file, `None` the built-in model, and say what it is ([`Hello`](super::handshake::Hello)); with
    /// `measures`, also how fast this board reads memory.
    Open {
        path: Option<Vec<u8>>,
        measures: bool,
    },
    /// All ranks have the same file: take this rank's share of it, and answer.
    Divide(Division),
    /// Say what this rank's part of a session with these options takes, and what is free for it
    /// ([`Room`](crate::fitting::Room)).
    Room {
        options: SessionOptions,
        is_scalar: bool,
    },
    /// Start a session of this number, and answer. A scalar one uses the reference's kernels.
    Start {
        session: u64,
        options: SessionOptions,
        is_scalar: bool,
    },
    /// Let a session take over what an older one holds.
    Adopt {
        session: u64,
        older: u64,
    },
    /// Forget a session.
    Close {
        session: u64,
    },
    Truncate {
        session: u64,
        slot: usize,
        n: usize,
    },
    Resume {
        session: u64,
        slot: usize,
        tokens: Words,
    },
    /// How many of a row's likeliest logits are needed from now on.
    Candidates {
        session: u64,
        n: Option<u64>,
    },
    Prefill {
        session: u64,
        tokens: Words,
    },
    PrefillEach {
        session: u64,
        tokens: Words,
    },
    Step {
        session: u64,
        parts: StepParts,
    },
    /// `context` lacks its first `known` tokens, which the slot holds.
    Verify {
        session: u64,
        slot: usize,
        known: usize,
        context: Words,
        drafted: Words,
    },
    /// The token that rank 0 chose behind a row that is verified, if it chose one.
    Chosen(Option<u32>),
    /// Say how long this rank has computed and waited, and start over.
    Report,
    /// Exchange so many bytes with all ranks so many times.
    Exchange {
        n_bytes: usize,
        n_times: usize,
    },
    /// The program ends, with this exit code.
    End(u8),
}

/// How a model is split among ranks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Division {
    pub(crate) split: Split,
    /// The relative size of each rank's share.
    pub(crate) shares: Vec<u32>,
}

/// What a rank holds of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Split {
    /// Some rows of every matrix.
    #[default]
    Rows,
    /// A range of layers.
    Layers,
}

impl Split {
    /// The names, as the flag has them.
    pub(crate) const NAMES: [&str; 2] = ["rows", "layers"];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Rows, Self::Layers].into_iter().find(|split| split.name() == name)
    }
}

/// The parts of a batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StepParts {
    /// Slot, number of tokens and number of logits of each part.
    parts: Words,
    /// The tokens of all parts.
    tokens: Words,
}

impl StepParts {
    /// Slots, tokens and logits are far fewer than 2^32.
    pub(super) fn new(parts: &[Part<'_>]) -> Self {
        let numbers = |part: &Part<'_>| [part.slot, part.tokens.len(), part.n_logits].map(|n| n as u32);
        Self {
            parts: parts.iter().flat_map(numbers).collect(),
            tokens: parts.iter().flat_map(|part| part.tokens).copied().collect(),
        }
    }

    pub(super) fn n_tokens(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Part<'_>> {
        let mut rest = &*self.tokens;
        self.parts.as_chunks().0.iter().map(move |&[slot, n_tokens, n_logits]| {
            let (tokens, later) = rest.split_at((n_tokens as usize).min(rest.len()));
            rest = later;
            Part { slot: slot as usize, tokens, n_logits: n_logits as usize }
        })
    }

    /// Reads parts that have all tokens, no more and no fewer.
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (parts, tokens): (Words, Words) = (from.words()?, from.words()?);
        let (each, rest) = parts.as_chunks();
        let n_tokens: u64 = each.iter().map(|&[_, n_tokens, _]| u64::from(n_tokens)).sum();
        if !rest.is_empty() || n_tokens != tokens.len() as u64 {
            return Err(Malformed);
        }
        Ok(Self { parts, tokens })
    }
}

impl Call {
    /// The session that makes the call, if one does.
    pub(super) fn session(&self) -> Option<u64> {
        match self {
            Self::Truncate { session, .. }
            | Self::Resume { session, .. }
            | Self::Candidates { session, .. }
            | Self::Prefill { session, .. }
            | Self::PrefillEach { session, .. }
            | Self::Step { session, .. }
            | Self::Verify { session, .. } => Some(*session),
            _ => None,
        }
    }

    /// Writes the announcement.
    pub(super) fn write(&self, to: &mut Writer) {
        match self {
            Self::Open { path, measures } => {
                to.byte(0).byte(u8::from(path.is_some())).bytes(path.as_deref().unwrap_or_default());
                to.byte(u8::from(*measures))
            }
            Self::Divide(Division { split, shares }) => to.byte(1).byte(*split as u8).words(shares),
            Self::Start { session, options, is_scalar } => {
                to.byte(2).number(*session).byte(u8::from(*is_scalar));
                write_options(to, options)
            }
            Self::Adopt { session, older } => to.byte(3).number(*session).number(*older),
            Self::Close { session } => to.byte(4).number(*session),
            Self::Truncate { session, slot, n } => to.byte(5).number(*session).size(*slot).size(*n),
            Self::Resume { session, slot, tokens } => to.byte(6).number(*session).size(*slot).words(tokens),
            Self::Candidates { session, n } => to.byte(7).number(*session).option(*n),
            Self::Prefill { session, tokens } => to.byte(8).number(*session).words(tokens),
            Self::PrefillEach { session, tokens } => to.byte(9).number(*session).words(tokens),
            Self::Step { session, parts } => to.byte(10).number(*session).words(&parts.parts).words(&parts.tokens),
            Self::Verify { session, slot, known, context, drafted } => {
                to.byte(11).number(*session).size(*slot).size(*known).words(context).words(drafted)
            }
            Self::Chosen(token) => to.byte(12).option(token.map(u64::from)),
            Self::Report => to.byte(13),
            Self::Exchange { n_bytes, n_times } => to.byte(14).size(*n_bytes).size(*n_times),
            Self::End(code) => to.byte(15).byte(*code),
            Self::Room { options, is_scalar } => write_options(to.byte(16).byte(u8::from(*is_scalar)), options),
        };
    }

    /// Reads an announcement.
    ///
    /// # Errors
    /// [`Malformed`] for bytes that [`Call::write`] does not make.
    pub(super) fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader::new(message);
        let kind = from.byte()?;
        let call = match kind {
            0 => {
                let (is_file, path) = (from.flag()?, from.bytes()?);
                if !is_file && !path.is_empty() {
                    return Err(Malformed);
                }
                Self::Open { path: is_file.then(|| path.to_vec()), measures: from.flag()? }
            }
            1 => {
                let split = [Split::Rows, Split::Layers].into_iter().nth(from.byte()?.into()).ok_or(Malformed)?;
                Self::Divide(Division { split, shares: from.words()? })
            }
            12 => Self::Chosen(from.option()?.map(u32::try_from).transpose().map_err(|_| Malformed)?),
            13 => Self::Report,
            14 => Self::Exchange { n_bytes: from.size()?, n_times: from.size()? },
            15 => Self::End(from.byte()?),
            16 => Self::Room { is_scalar: from.flag()?, options: read_options(&mut from)? },
            _ => Self::of_session(kind, from.number()?, &mut from)?,
        };
        from.finish()?;
        Ok(call)
    }

    /// The calls that name a session.
    fn of_session(kind: u8, session: u64, from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match kind {
            2 => Self::Start { session, is_scalar: from.flag()?, options: read_options(from)? },
            3 => Self::Adopt { session, older: from.number()? },
            4 => Self::Close { session },
            5 => Self::Truncate { session, slot: from.size()?, n: from.size()? },
            6 => Self::Resume { session, slot: from.size()?, tokens: from.words()? },
            7 => Self::Candidates { session, n: from.option()? },
            8 => Self::Prefill { session, tokens: from.words()? },
            9 => Self::PrefillEach { session, tokens: from.words()? },
            10 => Self::Step { session, parts: StepParts::read(from)? },
            11 => Self::Verify {
                session,
                slot: from.size()?,
                known: from.size()?,
                context: from.words()?,
                drafted: from.words()?,
            },
            _ => return Err(Malformed),
        })
    }
}

/// Everything but the number of workers, of which each rank has its own.
fn write_options<'w>(to: &'w mut Writer, options: &SessionOptions) -> &'w mut Writer {
    let SessionOptions {
        n_ctx,
        n_slots,
        n_spare_pages,
        n_snapshots,
        has_checkpoints,
        n_batch,
        n_outputs,
        kv_type,
        n_workers: _,
    } = *options;
    for n in [n_ctx, n_slots, n_spare_pages, n_snapshots, n_batch, n_outputs] {
        to.size(n);
    }
    let kv_type = KvType::ALL.iter().position(|t| *t == kv_type).unwrap_or_default();
    to.byte(u8::from(has_checkpoints)).size(kv_type)
}

fn read_options(from: &mut Reader<'_>) -> Result<SessionOptions, Malformed> {
    Ok(SessionOptions {
        n_ctx: from.size()?,
        n_slots: from.size()?,
        n_spare_pages: from.size()?,
        n_snapshots: from.size()?,
        n_batch: from.size()?,
        n_outputs: from.size()?,
        has_checkpoints: from.flag()?,
        kv_type: *KvType::ALL.get(from.size()?).ok_or(Malformed)?,
        n_workers: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<Call> {
        let options =
            SessionOptions { n_ctx: 77, kv_type: KvType::ALL[2], has_checkpoints: true, ..Default::default() };
        let part = |slot, tokens| Part { slot, tokens, n_logits: 1 };
        let parts = [part(0, &[5, u32::MAX][..]), part(2, &[]), part(1, &[7; 20])];
        let words = |words: &[u32]| Words::from(words);
        vec![
            Call::Open { path: Some(b"a/b.gguf".to_vec()), measures: true },
            Call::Open { path: None, measures: false },
            Call::Divide(Division { split: Split::Layers, shares: vec![3, 1] }),
            Call::Room { options, is_scalar: false },
            Call::Start { session: 9, options, is_scalar: true },
            Call::Adopt { session: 2, older: 1 },
            Call::Close { session: 1 },
            Call::Truncate { session: 1, slot: 3, n: 4 },
            Call::Resume { session: 1, slot: 0, tokens: words(&[1, 2, 3]) },
            Call::Candidates { session: 1, n: Some(40) },
            Call::Candidates { session: 1, n: None },
            Call::Prefill { session: 1, tokens: words(&[7]) },
            Call::PrefillEach { session: 1, tokens: words(&[8; 99]) },
            Call::Step { session: 1, parts: StepParts::new(&parts) },
            Call::Verify { session: 1, slot: 1, known: 8, context: words(&[1]), drafted: words(&[2, 3]) },
            Call::Chosen(Some(4)),
            Call::Chosen(None),
            Call::Report,
            Call::Exchange { n_bytes: 64, n_times: 3 },
            Call::End(2),
        ]
    }

    fn encoded(call: &Call) -> Vec<u8> {
        let mut to = Writer::default();
        call.write(&mut to);
        to.finish()
    }

    #[test]
    fn calls_are_read_as_they_were_written() {
        for call in one_of_each() {
            assert_eq!(Call::decode(&encoded(&call)).as_ref(), Ok(&call));
        }
    }

    #[test]
    fn parts_are_those_that_were_given() {
        let (tokens, few) = ([1, 2, 3, 4], Part { slot: 9, tokens: &[], n_logits: 0 });
        let parts =
            [Part { slot: 3, tokens: &tokens, n_logits: 2 }, few, Part { slot: 0, tokens: &tokens[1..], n_logits: 1 }];
        let step = StepParts::new(&parts);
        assert_eq!(step.n_tokens(), 7);
        let fields = |part: Part<'_>| (part.slot, part.tokens.to_vec(), part.n_logits);
        assert!(step.iter().map(fields).eq(parts.into_iter().map(fields)));
    }

    #[test]
    fn no_part_of_a_call_and_nothing_longer_is_one() {
        for call in one_of_each() {
            let mut bytes = encoded(&call);
            for n in 0..bytes.len() {
                assert_eq!(Call::decode(&bytes[..n]), Err(Malformed), "{n} bytes of {call:?}");
            }
            bytes.push(0);
            assert_eq!(Call::decode(&bytes), Err(Malformed), "a byte behind {call:?}");
        }
    }

    /// Changed bytes are either refused or another call; memory and time follow the message's length.
    #[test]
    fn random_bytes_are_read_or_refused() {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let calls = one_of_each();
        let mut n_read = 0;
        for i in 0..200_000 {
            let mut bytes = encoded(&calls[i % calls.len()]);
            for _ in 0..1 + next() % 3 {
                let at = next() % bytes.len();
                bytes[at] = next() as u8;
            }
            if let Ok(call) = Call::decode(&bytes) {
                n_read += 1;
                assert_eq!(encoded(&call), bytes, "one call has one form");
            }
            let noise: Vec<u8> = (0..next() % 64).map(|_| next() as u8).collect();
            let _ = Call::decode(&noise);
        }
        assert!(n_read > 1000, "{n_read} changed calls were calls");
    }
}
