//! The description of a model: sizes, cost, format. Most are sums over its blocks.

use super::Model;
use crate::blocks::{Fact, Sizes, Weights};
use crate::compute::Arena;
use alloc::vec::Vec;
use nanocamelid_kernels::{KvType, Matrix, WeightType};

impl<'a> Model<'a> {
    /// Bytes of weights that decoding one token reads: of experts those that serve the token, of the embedding one row.
    pub fn bytes_per_token(&self) -> u64 {
        let bytes = |m: Matrix<'_>| m.bytes().len() as u64;
        let embedding_row = self.embedding.map_or(0, |embedding| embedding.tokens.row_bytes() as u64);
        let head = self.head.map_or(0, |head| bytes(head.output.weight));
        self.sum(|w| bytes(w.matrix) * w.n_used as u64) + head + embedding_row
    }

    /// Bytes of tables of which a token looks up a row or part of a row; most of these bytes are never read. The
    /// embedding is such a table unless the head also multiplies with it.
    pub fn looked_up_bytes(&self) -> u64 {
        let head = self.head.map(|head| head.output.weight.bytes().as_ptr());
        let embedding = self.embedding.map(|embedding| embedding.tokens.bytes());
        let apart = embedding.filter(|embedding| head != Some(embedding.as_ptr()));
        let mut bytes = apart.map_or(0, |embedding| embedding.len() as u64);
        self.blocks.iter().for_each(|block| {
            block.op.weights(&mut |w| bytes += if w.n_used == 0 { w.matrix.bytes().len() as u64 } else { 0 });
        });
        bytes
    }

    /// Multiply-adds of the layers' matrices for one token of a prompt, except the last token: up to the last block
    /// that keeps state of the token. In an encoder all tokens count up to the last layer.
    pub fn layer_macs(&self) -> u64 {
        let mut macs = 0;
        let mut count = |w: Weights<'_>| macs += (w.matrix.n_rows() * w.matrix.n_cols() * w.n_used) as u64;
        let last = self.blocks.iter().rposition(|block| block.op.remembers() && !self.config.is_encoder());
        let (before, last) = self.blocks.split_at(last.unwrap_or(self.blocks.len()));
        before.iter().for_each(|block| block.op.weights(&mut count));
        last.iter().take(1).for_each(|block| block.op.weights_to_take_in(&mut count));
        macs
    }

    /// Bytes of KV cache that one more position costs, in layers without a window.
    pub fn kv_bytes_per_token(&self, kv_type: KvType) -> usize {
        self.blocks.iter().map(|block| block.op.bytes_per_position(kv_type).unwrap_or(0)).sum()
    }

    /// Bytes of state whose size does not depend on the context: matrices of recurrences and taps of convolutions.
    pub fn state_bytes(&self) -> usize {
        let (mut arena, none) = (
            Arena::measure(),
            Sizes { n_ctx: 0, n_batch: 1, kv_type: KvType::F32, n_pages: [0; 2], n_slots: 1, n_states: 1 },
        );
        for block in &self.blocks {
            block.start(&mut arena, &none);
        }
        arena.used()
    }

    /// The weights that every token reads completely, head included; `None` if some serve only the tokens routed to
    /// them.
    pub fn weights_of_every_token(&self) -> Option<Vec<&'a [u8]>> {
        let (mut all, mut some_are_routed) = (Vec::new(), false);
        self.each(&mut |w| {
            some_are_routed |= w.n_used < w.n;
            all.push(w.matrix.bytes());
        });
        all.extend(self.head.map(|head| head.output.weight.bytes()));
        (!some_are_routed).then_some(all)
    }

    /// The weight format with the most bytes in the layers, which users call the file's quantization.
    pub fn quantization(&self) -> Option<WeightType> {
        let mut bytes = [0u64; WeightType::COUNT];
        self.each(&mut |w| bytes[w.matrix.weight_type() as usize] += (w.matrix.bytes().len() * w.n) as u64);
        let most = *bytes.iter().max()?;
        WeightType::ALL.into_iter().find(|&t| bytes[t as usize] == most && most > 0)
    }

    /// Sizes and counts that the blocks report, each name once.
    pub fn facts(&self) -> Vec<(&'static str, usize)> {
        let mut facts: Vec<(&'static str, usize)> = Vec::new();
        for block in &self.blocks {
            block.op.facts(&mut |fact| {
                let (Fact::Number(name, _) | Fact::Count(name)) = fact;
                let known = facts.iter_mut().find(|(known, _)| *known == name);
                match (known, fact) {
                    (None, Fact::Number(_, n)) => facts.push((name, n)),
                    (None, Fact::Count(_)) => facts.push((name, 1)),
                    (Some((_, count)), Fact::Count(_)) => *count += 1,
                    (Some(_), Fact::Number(..)) => {}
                }
            });
        }
        facts
    }

    /// Passes all matrices that tokens are multiplied by to `each`.
    fn each(&self, each: &mut dyn FnMut(Weights<'a>)) {
        let mut multiplied = |w: Weights<'a>| {
            if w.n_used > 0 {
                each(w);
            }
        };
        self.blocks.iter().for_each(|block| block.op.weights(&mut multiplied));
    }

    fn sum(&self, of: impl Fn(Weights<'a>) -> u64) -> u64 {
        let mut sum = 0;
        self.each(&mut |w| sum += of(w));
        sum
    }
}
