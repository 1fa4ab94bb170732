//! Writes a model of random weights in a published model's real shape, to measure speed with: what a product costs does
//! not depend on its values. `cargo run --release -p nanocamelid-tests --example real_shape -- OUT SHAPE TYPE`.
//!
//! The types of the matrices are those that `llama-quantize` chooses: embedding and head are Q6_K, `Q4_K_M` keeps more
//! bits of some matrices. The file is written piece by piece, one tile of weights of each type again and again.

mod shapes;
mod weights;

use nanocamelid_kernels::WeightType;
use nanocamelid_tests::gguf_writer::{GgufWriter, Tensor, Value};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use weights::Weights;

const USAGE: &str = "usage: real_shape OUT SHAPE TYPE [LAYERS]
SHAPE:  qwen3.5-0.8b, lfm2-8b-a1b, gemma-4-e2b, llama-3.2-1b, smollm-135m, tinyllama-1.1b or
        granite-3.1-1b-a400m
TYPE:   Q4_0, Q8_0, Q4_K, Q6_K, Q4_K_M, MXFP4, NVFP4, TQ1_0, TQ2_0, Q1_0, Q2_0 or one of IQ
LAYERS: only so many, of the last four shapes";

const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
                      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (out, shape, types, layers) = match &args[..] {
        [out, shape, types] => (out, shape, types, Some(None)),
        [out, shape, types, layers] => (out, shape, types, layers.parse().ok().filter(|&n| n > 0).map(Some)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let (Some(shape), Some(types), Some(layers)) = (shapes::find(shape, layers), Types::find(types), layers) else {
        eprintln!("no such shape or type, or not of so many layers: {shape} types\n{USAGE}");
        return ExitCode::from(2);
    };
    let mut model = Planned::new(types);
    shape(&mut model, layers);
    match model.write(out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{out}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The types of a file's matrices.
#[derive(Clone, Copy)]
struct Types {
    most: WeightType,
    /// Whether some matrices have more bits.
    mixed: bool,
}

impl Types {
    fn find(name: &str) -> Option<Self> {
        use WeightType as T;
        let quantized = [T::Q4_0, T::Q8_0, T::Q4_K, T::Q6_K];
        let random = [T::MXFP4, T::NVFP4, T::TQ1_0, T::TQ2_0, T::Q1_0, T::Q2_0];
        let of_iq = [T::IQ1_S, T::IQ1_M, T::IQ2_XXS, T::IQ2_XS, T::IQ2_S, T::IQ3_XXS, T::IQ3_S, T::IQ4_NL, T::IQ4_XS];
        let mut types = quantized.into_iter().chain(random).chain(of_iq);
        match name {
            "Q4_K_M" => Some(Self { most: T::Q4_K, mixed: true }),
            name => types.find(|most| most.name() == name).map(|most| Self { most, mixed: false }),
        }
    }

    /// That of a matrix of one of `n_layers` layers.
    fn of(self, name: &str, layer: usize, n_layers: usize) -> WeightType {
        let eighth = n_layers / 8;
        let more = layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
        match name {
            "attn_qkv.weight" if self.mixed => WeightType::Q5_K,
            "attn_v.weight" | "ffn_down.weight" | "ffn_down_exps.weight" if self.mixed && more => WeightType::Q6_K,
            _ => self.most,
        }
    }
}

/// A file whose header is known.
struct Planned {
    architecture: &'static str,
    types: Types,
    n_layers: usize,
    header: GgufWriter,
    /// Type and bytes of every tensor.
    tensors: Vec<(WeightType, usize)>,
    next_offset: u64,
}

impl Planned {
    fn new(types: Types) -> Self {
        let header = GgufWriter::new();
        Self { architecture: "", types, n_layers: 0, header, tensors: Vec::new(), next_offset: 0 }
    }

    /// What every architecture has.
    fn start(&mut self, architecture: &'static str, n_layers: usize, n_embd: usize) {
        (self.architecture, self.n_layers) = (architecture, n_layers);
        self.header.set("general.architecture", Value::string(architecture));
        self.numbers(&[("block_count", n_layers), ("embedding_length", n_embd), ("context_length", 32_768)]);
    }

    fn entry(&mut self, key: &str, value: Value) {
        self.header.set(&format!("{}.{key}", self.architecture), value);
    }

    fn numbers(&mut self, numbers: &[(&str, usize)]) {
        numbers.iter().for_each(|&(key, n)| self.entry(key, Value::u32(n as u32)));
    }

    fn floats(&mut self, floats: &[(&str, f32)]) {
        floats.iter().for_each(|&(key, x)| self.entry(key, Value::f32(x)));
    }

    /// A byte-level tokenizer, filled up to `n_vocab` pieces, and a chat template. A model of random weights draws any
    /// piece, so all of them but the control tokens are text that a client can see.
    fn tokenizer(&mut self, n_vocab: usize) {
        // Bytes that print stand for themselves, the others for the characters from U+0100 on (GPT-2's encoder).
        let prints = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
        let bytes = (0..256).filter(|&byte| prints(byte)).chain(256..);
        let mut pieces: Vec<String> = bytes.take(256).filter_map(char::from_u32).map(String::from).collect();
        pieces.extend(["th", "<|im_end|>", "<|im_start|>"].map(String::from));
        let types = (0..n_vocab).map(|id| if matches!(id, 257 | 258) { 3 } else { 1 });
        self.header.set("tokenizer.ggml.token_type", Value::i32s(types));
        pieces.extend((pieces.len()..n_vocab).map(|id| format!("\u{120}w{id}")));
        self.header.set("tokenizer.ggml.tokens", Value::strings(&pieces));
        self.header.set("tokenizer.ggml.model", Value::string("gpt2"));
        self.header.set("tokenizer.ggml.pre", Value::string("qwen2"));
        self.header.set("tokenizer.ggml.merges", Value::strings(["t h"]));
        self.header.set("tokenizer.ggml.eos_token_id", Value::u32(257));
        self.header.set("tokenizer.ggml.bos_token_id", Value::u32(257));
        self.header.set("tokenizer.ggml.add_bos_token", Value::bool(false));
        self.header.set("tokenizer.chat_template", Value::string(CHATML));
    }

    /// A tensor; extents are fastest-varying first.
    fn tensor(&mut self, name: impl Into<String>, weight_type: WeightType, dims: &[usize]) {
        let n_bytes = dims.iter().product::<usize>() / weight_type.block_len() * weight_type.block_bytes();
        let tensor = Tensor {
            name: name.into().into_bytes(),
            dims: dims.iter().map(|&n| n as u64).collect(),
            ggml_type: weight_type.ggml_type(),
            offset: Some(self.next_offset),
            ..Tensor::default()
        };
        self.header.tensors.push(tensor);
        self.tensors.push((weight_type, n_bytes));
        self.next_offset += n_bytes.next_multiple_of(self.header.alignment) as u64;
    }

    /// Matrices of a layer, `[rows][columns]` given as columns and rows, or of all its experts.
    fn matrices(&mut self, layer: usize, matrices: &[(&str, &[usize])]) {
        for &(name, dims) in matrices {
            self.tensor(format!("blk.{layer}.{name}"), self.types.of(name, layer, self.n_layers), dims);
        }
    }

    /// Numbers of a layer that stay floats.
    fn vectors(&mut self, layer: usize, vectors: &[(&str, &[usize])]) {
        vectors.iter().for_each(|&(name, dims)| self.tensor(format!("blk.{layer}.{name}"), WeightType::F32, dims));
    }

    /// Writes header and tensors.
    fn write(&self, path: &str) -> io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(&self.header.finish().bytes)?;
        let mut weights = Weights::default();
        for (tensor, &(weight_type, n_bytes)) in self.header.tensors.iter().zip(&self.tensors) {
            let name = String::from_utf8_lossy(&tensor.name);
            weights.write(&mut out, &name, weight_type, n_bytes)?;
            let padding = n_bytes.next_multiple_of(self.header.alignment) - n_bytes;
            out.write_all(&vec![0; padding])?;
        }
        out.flush()
    }
}
