//! What the ranks say to each other before anything runs. Ranks with another model, program or settings are refused by
//! name; kernel tables may differ, because the bits do not.

use super::message::{Malformed, Reader, Writer};
use super::warm::touch;
use crate::fitting::Room;
use crate::machine::{bandwidth, cpu, memory};
use crate::model_digest::{Digest, headers, in_hexadecimal};
use crate::model_file::ModelFile;
use crate::output::mib;
use crate::settings::Settings;
use hmac_sha256::Hash;
use nanocamelid_engine::{Gguf, Model};
use std::fmt;
use std::ops::Range;

/// Bytes of each tensor that the digest covers, from the middle: a model that was trained further shares the header.
const SAMPLE_BYTES: usize = 4096;
/// Bytes of the largest norms and biases.
const SMALL_BYTES: usize = 64 << 10;

/// A rank that has opened its file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hello {
    pub(super) host: String,
    pub(super) version: String,
    /// Of headers, lengths and samples of the model.
    pub(super) digest: Digest,
    pub(super) n_bytes: u64,
    /// As the rank's own command line and environment have them.
    pub(super) asked: Asked,
    pub(super) kernel: String,
    pub(super) n_threads: u64,
    /// CPUs that the rank may use, and those of its machine.
    pub(super) n_cpus: [u64; 2],
    /// Free memory, in bytes.
    pub(super) available: Option<u64>,
    /// Bytes per second that the rank reads from memory, if that was asked.
    pub(super) speed: Option<u64>,
}

/// The settings that all ranks must have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) n_ctx: Option<u64>,
    pub(super) kv_type: String,
    pub(super) split: String,
    /// Empty: by measurement.
    pub(super) shares: Vec<u32>,
}

/// A rank that holds its share of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) layers: Range<u64>,
    /// Its part of the residual stream, which all matrices are split like.
    pub(super) rows: Range<u64>,
    /// Its part of the vocabulary.
    pub(super) vocab: Range<u64>,
    /// KV heads in the first of its layers with attention; 0 where there is none.
    pub(super) n_kv_heads: u64,
    /// Bytes of its weights, experts included.
    pub(super) n_bytes: u64,
}

/// What a rank answers: a value, or why there is none.
pub(super) type Answer<T> = Result<T, String>;

impl Hello {
    /// What this rank says of its file.
    pub(super) fn new(
        file: &ModelFile,
        gguf: &Gguf<'_>,
        settings: &Settings,
        (host, measures): (String, bool),
    ) -> Self {
        let available = memory::memory().available;
        let n_threads = settings.workers.options.n_decode;
        let cpu = cpu::cpu();
        Self {
            host,
            version: env!("CARGO_PKG_VERSION").into(),
            digest: digest(file, gguf),
            n_bytes: file.n_bytes(),
            asked: Asked::new(settings),
            kernel: settings.kernels.name().into(),
            n_threads: n_threads as u64,
            n_cpus: [cpu.mask.len() as u64, cpu.logical as u64],
            available,
            speed: measures.then(|| (bandwidth::read_bandwidth(n_threads, available) * 1e9) as u64),
        }
    }

    fn write(&self, to: &mut Writer) {
        let Self { host, version, digest, n_bytes, asked, kernel, n_threads, n_cpus, available, speed } = self;
        to.bytes(host.as_bytes()).bytes(version.as_bytes()).bytes(digest).number(*n_bytes);
        let Asked { n_ctx, kv_type, split, shares } = asked;
        to.option(*n_ctx).bytes(kv_type.as_bytes()).bytes(split.as_bytes()).words(shares);
        to.bytes(kernel.as_bytes()).number(*n_threads).number(n_cpus[0]).number(n_cpus[1]);
        to.option(*available).option(*speed);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            host: from.text()?,
            version: from.text()?,
            digest: from.bytes()?.try_into().map_err(|_| Malformed)?,
            n_bytes: from.number()?,
            asked: Asked { n_ctx: from.option()?, kv_type: from.text()?, split: from.text()?, shares: from.words()? },
            kernel: from.text()?,
            n_threads: from.number()?,
            n_cpus: [from.number()?, from.number()?],
            available: from.option()?,
            speed: from.option()?,
        })
    }

    /// Everything in which another rank differs from this one so that they cannot compute together.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let mut all = Vec::new();
        let mut compare = |what: &str, mine: &dyn fmt::Display, theirs: &dyn fmt::Display| {
            let (mine, theirs) = (mine.to_string(), theirs.to_string());
            if mine != theirs {
                all.push(format!("{what} {theirs}, and {mine} on rank 0"));
            }
        };
        compare("version", &self.version, &other.version);
        compare("a model of", &mib(self.n_bytes), &mib(other.n_bytes));
        compare("a model with digest", &short(&self.digest), &short(&other.digest));
        compare("--ctx", &or_auto(self.asked.n_ctx), &or_auto(other.asked.n_ctx));
        compare("--kv", &self.asked.kv_type, &other.asked.kv_type);
        compare("--split", &self.asked.split, &other.asked.split);
        compare("--shares", &listed(&self.asked.shares), &listed(&other.asked.shares));
        all
    }
}

impl Asked {
    fn new(settings: &Settings) -> Self {
        let division = settings.division.clone();
        Self {
            n_ctx: settings.n_ctx.map(|n| n as u64),
            kv_type: settings.kv_type.name().into(),
            split: division.split.name().into(),
            shares: division.shares,
        }
    }
}

impl Ready {
    pub(super) fn new(model: &Model<'_>) -> Self {
        let numbers = |range: &Range<usize>| range.start as u64..range.end as u64;
        let [rows, vocab] = &model.rows();
        let n_kv_heads = model.n_kv_heads().unwrap_or(0) as u64;
        let n_bytes = model.weight_bytes();
        Self { layers: numbers(&model.range), rows: numbers(rows), vocab: numbers(vocab), n_kv_heads, n_bytes }
    }

    fn write(&self, to: &mut Writer) {
        let Self { layers, rows, vocab, n_kv_heads, n_bytes } = self;
        for range in [layers, rows, vocab] {
            to.number(range.start).number(range.end);
        }
        to.number(*n_kv_heads).number(*n_bytes);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut range = || Ok(from.number()?..from.number()?);
        let (layers, rows, vocab) = (range()?, range()?, range()?);
        Ok(Self { layers, rows, vocab, n_kv_heads: from.number()?, n_bytes: from.number()? })
    }
}

/// A value or its absence, as a message.
pub(super) fn encode<T>(answer: &Answer<T>, write: impl FnOnce(&T, &mut Writer)) -> Vec<u8> {
    let mut to = Writer::default();
    match answer {
        Ok(value) => write(value, to.byte(1)),
        Err(why) => drop(to.byte(0).bytes(why.as_bytes())),
    }
    to.finish()
}

pub(super) fn decode<T>(
    message: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Result<Answer<T>, Malformed> {
    let mut from = Reader::new(message);
    let answer = if from.flag()? { Ok(read(&mut from)?) } else { Err(from.text()?) };
    from.finish()?;
    Ok(answer)
}

/// The kinds of answers.
pub(super) trait Answers: Sized {
    fn encode(answer: &Answer<Self>) -> Vec<u8>;
    fn decode(message: &[u8]) -> Result<Answer<Self>, Malformed>;
}

macro_rules! answers {
    ($($kind:ty: $write:expr, $read:expr;)*) => {
        $(impl Answers for $kind {
            fn encode(answer: &Answer<Self>) -> Vec<u8> {
                encode(answer, $write)
            }

            fn decode(message: &[u8]) -> Result<Answer<Self>, Malformed> {
                decode(message, $read)
            }
        })*
    };
}

answers! {
    Hello: Self::write, Self::read;
    Ready: Self::write, Self::read;
    Room: |room, to| { to.number(room.required).number(room.available); }, |from| {
        Ok(Self { required: from.number()?, available: from.number()? })
    };
    (): |_, _| {}, |_| Ok(());
}

/// The digest of a model's headers and of a sample of every tensor. Nothing else is read of large tensors, which are
/// other ranks' too; small ones are read whole, because every rank has them.
fn digest(file: &ModelFile, gguf: &Gguf<'_>) -> Digest {
    let mut hash = Hash::new();
    headers(file, gguf).for_each(|(n_bytes, header)| {
        hash.update((n_bytes as u64).to_le_bytes());
        hash.update(header);
    });
    file.scatter(true);
    for tensor in gguf.tensors() {
        let bytes = tensor.data();
        if bytes.len() <= SMALL_BYTES {
            touch(bytes);
        }
        let start = bytes.len().saturating_sub(SAMPLE_BYTES) / 2;
        hash.update(&bytes[start..bytes.len().min(start + SAMPLE_BYTES)]);
    }
    file.scatter(false);
    hash.finalize()
}

/// Enough of a digest to compare by eye.
pub(super) fn short(digest: &Digest) -> String {
    in_hexadecimal(digest)[..16].to_owned()
}

fn or_auto(n: Option<u64>) -> String {
    n.map_or("auto".into(), |n| n.to_string())
}

/// Shares as the flag has them.
pub(crate) fn listed(shares: &[u32]) -> String {
    match shares {
        [] => "auto".into(),
        _ => shares.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            host: "board1".into(),
            version: "0.1.0".into(),
            digest: [7; 32],
            n_bytes: 3 << 20,
            asked: Asked { n_ctx: None, kv_type: "f16".into(), split: "rows".into(), shares: vec![3, 1] },
            kernel: "dotprod".into(),
            n_threads: 4,
            n_cpus: [4, 4],
            available: Some(1 << 30),
            speed: None,
        }
    }

    #[test]
    fn answers_are_read_as_they_were_written() {
        let ready = Ready { layers: 0..16, rows: 64..128, vocab: 7..9, n_kv_heads: 2, n_bytes: 5 };
        for answer in [Ok(hello()), Err("no such file".to_owned())] {
            let bytes = Hello::encode(&answer);
            assert_eq!(Hello::decode(&bytes), Ok(answer));
            assert!((0..bytes.len()).all(|n| Hello::decode(&bytes[..n]).is_err()));
        }
        assert_eq!(Ready::decode(&Ready::encode(&Ok(ready.clone()))), Ok(Ok(ready)));
        let room = Room { required: 1, available: 2 };
        assert_eq!(Room::decode(&Room::encode(&Ok(room))), Ok(Ok(room)));
        assert_eq!(<()>::decode(&<()>::encode(&Ok(()))), Ok(Ok(())));
        assert_eq!(<()>::decode(&[2]), Err(Malformed));
    }

    #[test]
    fn every_difference_is_named() {
        let other = Hello {
            host: "board2".into(),
            version: "0.0.9".into(),
            digest: [8; 32],
            asked: Asked { n_ctx: Some(512), kv_type: "f32".into(), split: "layers".into(), shares: Vec::new() },
            kernel: "neon".into(),
            n_threads: 2,
            ..hello()
        };
        let all = hello().differences(&other).join("; ");
        for words in [
            "version 0.0.9, and 0.1.0 on rank 0",
            "a model with digest 0808080808080808, and 0707070707070707",
            "--ctx 512, and auto",
            "--kv f32, and f16",
            "--split layers, and rows",
            "--shares auto, and 3,1",
        ] {
            assert!(all.contains(words), "{words}: {all}");
        }
        let allowed = Hello { kernel: "neon".into(), n_threads: 1, host: "x".into(), ..hello() };
        assert_eq!(hello().differences(&allowed), [""; 0]);
    }
}
