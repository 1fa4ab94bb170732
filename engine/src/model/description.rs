//! The description of a model: sizes, cost, format. Most are sums over its blocks.

use super::Model;
use crate::blocks::{Fact, Serves, Sizes, Weights};
use crate::compute::{Ahead, Arena};
use alloc::vec::Vec;
use nanocamelid_kernels::{KvType, Matrix, WeightType};

impl<'a> Model<'a> {
    /// Bytes of weights that decoding one token reads: of experts those that serve the token, of the embedding one row.
    pub fn bytes_per_token(&self) -> u64 {
        let bytes = |m: Matrix<'_>| m.bytes().len() as u64;
        let embedding_row = self.embedding.map_or(0, |embedding| embedding.tokens.row_bytes() as u64);
        let head = self.head.map_or(0, |head| bytes(head.output.weight));
        let mut sum = PerToken::default();
        self.each(&mut |w| sum.add(w, bytes(w.matrix)));
        sum.value() + head + embedding_row
    }

    /// Bytes of tables of which a token looks up a row or part of a row; most of these bytes are never read. The
    /// embedding is such a table unless the head also multiplies with it.
    pub fn looked_up_bytes(&self) -> u64 {
        let head = self.head.map(|head| head.output.weight.bytes().as_ptr());
        let embedding = self.embedding.map(|embedding| embedding.tokens.bytes());
        let apart = embedding.filter(|embedding| head != Some(embedding.as_ptr()));
        let mut bytes = apart.map_or(0, |embedding| embedding.len() as u64);
        self.blocks.iter().for_each(|block| {
            let looked_up = |w: Weights<'_>| w.serves == Serves::LookedUp;
            block.op.weights(&mut |w| bytes += if looked_up(w) { w.matrix.bytes().len() as u64 } else { 0 });
        });
        bytes
    }

    /// Multiply-adds of the layers' matrices for one token of a prompt, except the last token: up to the last block
    /// that keeps state of the token. In an encoder all tokens count up to the last layer.
    pub fn layer_macs(&self) -> u64 {
        let mut macs = PerToken::default();
        let mut count = |w: Weights<'_>| macs.add(w, (w.matrix.n_rows() * w.matrix.n_cols()) as u64);
        let last = self.blocks.iter().rposition(|block| block.op.remembers() && !self.config.is_encoder());
        let (before, last) = self.blocks.split_at(last.unwrap_or(self.blocks.len()));
        before.iter().for_each(|block| block.op.weights(&mut count));
        last.iter().take(1).for_each(|block| block.op.weights_to_take_in(&mut count));
        macs.value()
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
            block.start(&mut arena, &none, Ahead::default());
        }
        arena.used()
    }

    /// The weights that tokens are multiplied by, head included, of a share those of the share: first those that every
    /// token reads, then those of experts.
    pub fn weights(&self) -> [Vec<&'a [u8]>; 2] {
        let (mut every, mut routed) = (Vec::new(), Vec::new());
        self.each(&mut |w| match w.serves {
            Serves::Routed { .. } => routed.push(w.matrix.bytes()),
            Serves::Every | Serves::LookedUp => every.push(w.matrix.bytes()),
        });
        every.extend(self.head.map(|head| head.output.weight.bytes()));
        [every, routed]
    }

    /// Bytes of [`Model::weights`].
    pub fn weight_bytes(&self) -> u64 {
        let mut bytes = self.head.map_or(0, |head| head.output.weight.bytes().len() as u64);
        self.each(&mut |w| bytes += w.matrix.bytes().len() as u64);
        bytes
    }

    /// Whether some weights serve only the tokens that are routed to them.
    pub fn has_experts(&self) -> bool {
        let mut has_experts = false;
        self.each(&mut |w| has_experts |= matches!(w.serves, Serves::Routed { n, of } if n < of));
        has_experts
    }

    /// The weight format with the most bytes in the layers, which users call the file's quantization.
    pub fn quantization(&self) -> Option<WeightType> {
        let mut bytes = [0u64; WeightType::COUNT];
        self.each(&mut |w| bytes[w.matrix.weight_type() as usize] += w.matrix.bytes().len() as u64);
        let most = *bytes.iter().max()?;
        WeightType::ALL.into_iter().find(|&t| bytes[t as usize] == most && most > 0)
    }

    /// KV heads of the first layer with attention, of a share those that its rank has; `None` without attention.
    pub fn n_kv_heads(&self) -> Option<usize> {
        self.blocks.iter().find_map(|block| block.op.n_kv_heads())
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
            if w.serves != Serves::LookedUp {
                each(w);
            }
        };
        self.blocks.iter().for_each(|block| block.op.weights(&mut multiplied));
    }
}

/// What the weights of a model cost one token. All experts of a model are as many, and alike within a layer.
#[derive(Clone, Copy, Debug, Default)]
struct PerToken {
    every: u64,
    /// Times the number of experts that serve a token, and the number of experts.
    routed: u64,
    n_experts: usize,
}

impl PerToken {
    /// Adds what a product with all of the matrix costs.
    fn add(&mut self, weights: Weights<'_>, cost: u64) {
        match weights.serves {
            Serves::Every => self.every += cost,
            Serves::Routed { n, of } => (self.routed, self.n_experts) = (self.routed + cost * n as u64, of),
            Serves::LookedUp => {}
        }
    }

    fn value(&self) -> u64 {
        self.every + self.routed / self.n_experts.max(1) as u64
    }
}
