//! The path of a batch through the blocks.
//!
//! Most tokens of a prompt only leave state for later tokens: keys, values, states. These tokens stop at the last block
//! that keeps state, and that block only updates its state for them. In an ordinary model this saves the last layer; in
//! a model whose last layers read the keys and values of earlier layers, it saves all of those layers.

use crate::blocks::Running;
use crate::compute::{Arena, Pass, RowsMut};
use crate::config::Config;
use core::ops::Range;

/// Runs a batch with residual stream `x` through the blocks. Only the tokens `through` go through all blocks.
pub(super) fn walk(
    blocks: &mut [Running<'_>],
    pass: &mut Pass<'_>,
    arena: &mut Arena<'_>,
    config: &Config,
    x: &mut RowsMut<'_>,
    through: Range<usize>,
) {
    let some_stop = through.len() < pass.n;
    let last = if some_stop { blocks.iter().rposition(Running::remembers) } else { None };
    run(blocks, 0..last.unwrap_or(blocks.len()), pass, arena, config, x);
    let Some(last) = last else { return };
    let is_taken_in = arena.within(|arena| blocks[last].take_in(pass, arena, config, x));
    if !is_taken_in {
        run(blocks, last..last + 1, pass, arena, config, x);
    }
    if through.is_empty() {
        return;
    }
    pass.narrow(through.start, through.len());
    let mut x = x.part(through.start, through.len());
    if is_taken_in {
        arena.within(|arena| blocks[last].look_back(pass, arena, config, &mut x));
    }
    run(blocks, last + 1..blocks.len(), pass, arena, config, &mut x);
}

/// Runs all tokens of the batch through some of the blocks.
fn run(
    blocks: &mut [Running<'_>],
    range: Range<usize>,
    pass: &mut Pass<'_>,
    arena: &mut Arena<'_>,
    config: &Config,
    x: &mut RowsMut<'_>,
) {
    for i in range {
        let (earlier, rest) = blocks.split_at_mut(i);
        arena.within(|arena| rest[0].run(pass, arena, config, x, earlier));
    }
}
