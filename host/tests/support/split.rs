//! A model file in several files, as programs that split write it.

use super::TempDir;
use nanocamelid_engine::gguf::Gguf;

/// Bytes of a key's entry: name, number of its type, value.
pub fn entry(key: &str, value_type: u32, value: &[u8]) -> Vec<u8> {
    [&(key.len() as u64).to_le_bytes()[..], key.as_bytes(), &value_type.to_le_bytes(), value].concat()
}

/// A model (version 3, aligned to 32) with more metadata.
pub fn with_entries(model: &[u8], entries: &[Vec<u8>]) -> Vec<u8> {
    let gguf = Gguf::parse(model).expect("a model file");
    let n_entries = (gguf.metadata().len() + entries.len()) as u64;
    let data = gguf.data_offset() as usize;
    let header = &model[24..header_end(&gguf)];
    let mut bytes = [&model[..16], &n_entries.to_le_bytes(), &entries.concat(), header].concat();
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(&model[data..]);
    bytes
}

/// Where the last tensor's info ends.
fn header_end(gguf: &Gguf<'_>) -> usize {
    let last = gguf.tensors().last().expect("a tensor");
    last.info_offset as usize + 8 + last.name.len() + 4 + 8 * last.n_dims + 4 + 8
}

/// The files of a model (version 3, aligned to 32) in `n` parts: metadata in the first, tensors in equal runs.
pub fn split(model: &[u8], n: u16) -> Vec<Vec<u8>> {
    let gguf = Gguf::parse(model).expect("a model file");
    // Metadata begins after magic, version and counts and ends where the first tensor's info begins.
    let metadata = &model[24..gguf.tensors()[0].info_offset as usize];
    let run = gguf.tensors().len().div_ceil(n.into());
    let part = |no: u16| {
        let tensors: Vec<_> = gguf.tensors().iter().skip(usize::from(no) * run).take(run).collect();
        let n_entries = 3 + if no == 0 { gguf.metadata().len() as u64 } else { 0 };
        let mut bytes = [b"GGUF\x03\0\0\0".to_vec(), (tensors.len() as u64).to_le_bytes().to_vec()].concat();
        bytes.extend(n_entries.to_le_bytes());
        bytes.extend(if no == 0 { metadata } else { &[] });
        bytes.extend(entry("split.no", 2, &no.to_le_bytes()));
        bytes.extend(entry("split.count", 2, &n.to_le_bytes()));
        bytes.extend(entry("split.tensors.count", 5, &(gguf.tensors().len() as i32).to_le_bytes()));
        let mut data = Vec::new();
        for info in tensors {
            bytes.extend((info.name.len() as u64).to_le_bytes());
            bytes.extend(info.name.as_bytes());
            bytes.extend((info.n_dims as u32).to_le_bytes());
            info.dims[..info.n_dims].iter().for_each(|dim| bytes.extend(dim.to_le_bytes()));
            bytes.extend(info.ggml_type.to_le_bytes());
            data.resize(data.len().next_multiple_of(32), 0);
            bytes.extend((data.len() as u64).to_le_bytes());
            data.extend(info.data());
        }
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(data);
        bytes
    };
    (0..n).map(part).collect()
}

/// The name of a part, counted from 1.
pub fn name(no: usize, count: usize) -> String {
    format!("m-{no:05}-of-{count:05}.gguf")
}

/// Writes a model's parts into a directory and returns the paths.
pub fn write(dir: &TempDir, model: &[u8], n: u16) -> Vec<String> {
    let parts = split(model, n);
    parts.iter().enumerate().map(|(i, bytes)| dir.file(&name(i + 1, parts.len()), bytes)).collect()
}
