//! What is in the tensors.

use bytemuck::Pod;
use nanocamelid_kernels::WeightType;
use nanocamelid_kernels::formats::float::Bf16;
use nanocamelid_tests::quantize::Quantize;
use nanocamelid_tests::random::Random;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Weights of a tile, about. Its blocks are no multiple of a row's, so that no two rows of a matrix begin alike.
const TILE: usize = 1 << 17;

/// One tile of each type that was asked for, by the type's number.
#[derive(Default)]
pub(crate) struct Weights {
    tiles: BTreeMap<u32, Vec<u8>>,
}

impl Weights {
    /// Writes the bytes of a tensor.
    pub(crate) fn write(&mut self, out: &mut impl Write, name: &str, of: WeightType, n_bytes: usize) -> io::Result<()> {
        if of == WeightType::F32 {
            return out.write_all(&floats(name, n_bytes / 4));
        }
        let tile = self.tiles.entry(of.ggml_type()).or_insert_with(|| tile_of(of));
        let mut left = n_bytes;
        while left > 0 {
            let part = left.min(tile.len());
            out.write_all(&tile[..part])?;
            left -= part;
        }
        Ok(())
    }
}

fn tile_of(weight_type: WeightType) -> Vec<u8> {
    use nanocamelid_kernels::formats::{q4_0, q4_k, q5_k, q6_k, q8_0};
    match weight_type {
        WeightType::Q4_0 => tile::<q4_0::BlockQ4_0, 32>(),
        WeightType::Q8_0 => tile::<q8_0::BlockQ8_0, 32>(),
        WeightType::Q4_K => tile::<q4_k::BlockQ4K, 256>(),
        WeightType::Q5_K => tile::<q5_k::BlockQ5K, 256>(),
        WeightType::Q6_K => tile::<q6_k::BlockQ6K, 256>(),
        WeightType::BF16 => tile::<Bf16, 1>(),
        other => random_tile(other),
    }
}

/// Formats that nothing here quantizes to: any bytes are weights, once the scale is an ordinary number.
fn random_tile(weight_type: WeightType) -> Vec<u8> {
    let mut random = Random(u64::from(weight_type.ggml_type()));
    let n_blocks = TILE / weight_type.block_len() + 3;
    let mut bytes = random.bytes(n_blocks * weight_type.block_bytes());
    const SCALE: [u8; 2] = 0x1400u16.to_le_bytes();
    for block in bytes.chunks_exact_mut(weight_type.block_bytes()) {
        match weight_type {
            WeightType::TQ1_0 => block[52..54].copy_from_slice(&SCALE),
            WeightType::TQ2_0 => block[64..66].copy_from_slice(&SCALE),
            WeightType::NVFP4 => block[..4].iter_mut().for_each(|scale| *scale = *scale % 32 + 1),
            WeightType::MXFP4 => block[0] = 118,
            // The top nibbles of the last four 16-bit numbers.
            WeightType::IQ1_M => {
                block[48..].chunks_exact_mut(2).zip([0, 0, 4, 1]).for_each(|(s, top)| s[1] = s[1] % 16 + (top << 4));
            }
            _ => block[..2].copy_from_slice(&SCALE),
        }
    }
    bytes
}

fn tile<B: Quantize<N> + Pod, const N: usize>() -> Vec<u8> {
    let mut random = Random(N as u64);
    let blocks = 0..TILE / N + 3;
    blocks
        .flat_map(|_| {
            let values: [f32; N] = std::array::from_fn(|_| 0.05 * random.unit());
            bytemuck::bytes_of(&B::quantize(&values)).to_vec()
        })
        .collect()
}

/// Norms are near 1, rates of decay below 0, and all else around 0; the slow half of Gemma's rotations stands still.
fn floats(name: &str, n: usize) -> Vec<u8> {
    let mut random = Random(name.bytes().fold(n as u64, |seed, byte| seed * 31 % 0xffff_fffb + u64::from(byte)));
    let value = |i: usize| match name {
        "rope_freqs.weight" if i >= n / 4 => 1e30,
        "rope_freqs.weight" => 1.0,
        name if name.contains("norm") => 1.0 + 0.1 * random.unit(),
        name if name.ends_with("ssm_a") => -0.5 + 0.4 * random.unit(),
        name if name.contains("scale") => 0.5,
        _ => 0.2 * random.unit(),
    };
    (0..n).map(value).flat_map(f32::to_le_bytes).collect()
}
