//! Models in several files: the same model, or a typed error that says which file is wrong and how.

use nanocamelid_engine::gguf::{Error, ErrorKind, Gguf};
use nanocamelid_engine::{Model, Tokenizer};
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use nanocamelid_tests::gguf_copy::copy;
use nanocamelid_tests::gguf_invariants;
use nanocamelid_tests::gguf_sample::sample;
use nanocamelid_tests::gguf_split::{bytes, split, u16};
use nanocamelid_tests::gguf_writer::{GgufWriter, Value};
use nanocamelid_tests::tiny_model::tiny_model;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Parses under the memory bound. An accepted model must be consistent, and an error must point into a file.
fn parse<'a>(files: &'a [Vec<u8>]) -> Result<Gguf<'a>, Error> {
    let parts: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let (result, allocations) = measure(|| Gguf::parse_parts(&parts));
    let n_bytes: usize = files.iter().map(Vec::len).sum();
    assert!(allocations.peak_bytes <= 8 * n_bytes as i64 + 1024, "{} for {n_bytes}", allocations.peak_bytes);
    match &result {
        Ok(gguf) => gguf_invariants::check(gguf, &parts),
        Err(error) => {
            assert!(error.offset <= files[usize::from(error.part)].len() as u64, "{error:?}");
            let place = if error.part > 0 { format!(" of part {}", error.part + 1) } else { String::new() };
            assert!(error.to_string().ends_with(&format!("at byte {}{place}", error.offset)), "{error}");
        }
    }
    result
}

fn refusal(files: &[Vec<u8>]) -> (u16, ErrorKind) {
    let error = parse(files).expect_err("a defect that was put there on purpose is found");
    (error.part, error.kind)
}

/// The sample in three parts, one tensor each, after a change.
fn three(change: impl Fn(&mut Vec<GgufWriter>)) -> Vec<Vec<u8>> {
    let mut files = split(&sample(), 3);
    change(&mut files);
    bytes(&files)
}

#[test]
fn parts_are_the_whole() {
    let whole = tiny_model("qwen3").finish().bytes;
    let whole = Gguf::parse(&whole).unwrap();
    for n in [2, 3, 7, 40] {
        let files = bytes(&split(&tiny_model("qwen3"), n));
        let gguf = parse(&files).unwrap();
        assert_eq!(gguf.n_parts(), usize::from(n));
        for info in whole.tensors() {
            let found = gguf.tensor(info.name).unwrap();
            assert_eq!((found.dims, found.ggml_type, found.data()), (info.dims, info.ggml_type, info.data()));
        }
        assert_eq!(gguf.tensors().len(), whole.tensors().len());
        let (model, expected) = (Model::new(&gguf).unwrap(), Model::new(&whole).unwrap());
        assert_eq!(model.bytes_per_token(), expected.bytes_per_token());
        Tokenizer::new(&gguf).unwrap();
    }
}

#[test]
fn what_programs_that_split_leave_out_or_repeat() {
    // Metadata without tensors in the first part, the architecture in every part, no total.
    let model = tiny_model("llama");
    let mut files = split(&model, 3);
    let (first, second) = files.split_at_mut(1);
    second[0].tensors.splice(0..0, std::mem::take(&mut first[0].tensors));
    files.iter_mut().for_each(|file| file.set("general.architecture", Value::string("llama")));
    Model::new(&parse(&bytes(&files)).unwrap()).unwrap();
    files.iter_mut().for_each(|file| file.remove("split.tensors.count"));
    Model::new(&parse(&bytes(&files)).unwrap()).unwrap();
    // Merging leaves a count of 0; one part is a whole model.
    for count in [0, 1] {
        let mut whole = model.clone();
        whole.set("split.no", u16(0));
        whole.set("split.count", u16(count));
        whole.set("split.tensors.count", Value::i32(7));
        Model::new(&parse(&[whole.finish().bytes]).unwrap()).unwrap();
    }
    // Each file has its own alignment.
    let mut aligned = GgufWriter { alignment: 128, ..sample() };
    aligned.set("general.alignment", Value::u32(128));
    let files = bytes(&split(&aligned, 3));
    assert_eq!(parse(&files).unwrap().tensor("cube").unwrap().data(), [2; 24]);
}

#[test]
fn parts_missing_repeated_or_out_of_place_are_named() {
    let files = bytes(&split(&sample(), 3));
    let pick = |order: &[usize]| refusal(&order.iter().map(|&i| files[i].clone()).collect::<Vec<_>>());
    assert_eq!(pick(&[0]), (0, ErrorKind::PartCount { given: 1, expected: 3 }));
    assert_eq!(pick(&[0, 1]), (0, ErrorKind::PartCount { given: 2, expected: 3 }));
    assert_eq!(pick(&[0, 1, 2, 2]), (0, ErrorKind::PartCount { given: 4, expected: 3 }));
    assert_eq!(pick(&[1]), (0, ErrorKind::PartNumber { found: 1, expected: 0 }));
    assert_eq!(pick(&[2, 1, 0]), (0, ErrorKind::PartNumber { found: 2, expected: 0 }));
    assert_eq!(pick(&[0, 2, 1]), (1, ErrorKind::PartNumber { found: 2, expected: 1 }));
    assert_eq!(pick(&[0, 1, 1]), (2, ErrorKind::PartNumber { found: 1, expected: 2 }));
    assert!(parse(&[files[0].clone(), files[1].clone(), files[1].clone()]).unwrap_err().to_string().contains("again"));
    let whole = sample().finish().bytes;
    assert_eq!(refusal(&[whole.clone(), whole]), (0, ErrorKind::PartCount { given: 2, expected: 1 }));
    assert_eq!(Gguf::parse_parts(&[]).unwrap_err().kind, ErrorKind::Truncated);
}

#[test]
fn parts_of_another_model_are_named() {
    assert_eq!(refusal(&three(|f| f[1].set("split.count", u16(4)))), (1, ErrorKind::OtherModel));
    assert_eq!(refusal(&three(|f| f[2].set("split.tensors.count", Value::i32(4)))), (2, ErrorKind::OtherModel));
    assert_eq!(refusal(&three(|f| f[2].remove("split.tensors.count"))), (2, ErrorKind::OtherModel));
    assert_eq!(
        refusal(&three(|f| f[1].set("general.architecture", Value::string("gemma3")))),
        (1, ErrorKind::OtherModel)
    );
    assert_eq!(refusal(&three(|f| f[1] = sample())), (1, ErrorKind::OtherModel));
    assert_eq!(
        refusal(&three(|f| f[2].tensors[0].name = b"token_embd.weight".to_vec())),
        (2, ErrorKind::DuplicateTensor)
    );
    let lost = three(|f| f[2].tensors.clear());
    assert_eq!(refusal(&lost), (0, ErrorKind::TensorTotal { found: 2, expected: 3 }));
}

#[test]
fn hostile_split_keys() {
    let refused = |change: &dyn Fn(&mut GgufWriter)| {
        let mut file = split(&sample(), 3).remove(0);
        change(&mut file);
        refusal(&[file.finish().bytes]).1
    };
    let count = |value: Value| refused(&|file| file.set("split.count", value.clone()));
    assert_eq!(count(u16(u16::MAX)), ErrorKind::PartCount { given: 1, expected: u16::MAX });
    for value in [Value::u32(1 << 16), Value::u64(u64::MAX), Value::i32(-1), Value::f32(3.0), Value::string("3")] {
        assert_eq!(count(value), ErrorKind::SplitKeys);
    }
    for value in [u16(3), u16(u16::MAX), Value::i32(-1), Value::u64(1 << 63), Value::bool(false)] {
        assert_eq!(refused(&|file| file.set("split.no", value.clone())), ErrorKind::SplitKeys);
    }
    for value in [Value::i32(-1), Value::string("3")] {
        assert_eq!(refused(&|file| file.set("split.tensors.count", value.clone())), ErrorKind::SplitKeys);
    }
    // A number without a count, or with one of none.
    for count in [None, Some(u16(0))] {
        let change = |file: &mut GgufWriter| {
            file.set("split.no", u16(1));
            match &count {
                Some(count) => file.set("split.count", count.clone()),
                None => file.remove("split.count"),
            }
        };
        assert_eq!(refused(&change), ErrorKind::SplitKeys);
    }
    // Nothing is allocated from a count: 65535 parts of which one is given, again and again.
    let first = split(&sample(), u16::MAX).remove(0).finish().bytes;
    assert_eq!(refusal(&vec![first; 300]).1, ErrorKind::PartCount { given: 300, expected: u16::MAX });
}

#[test]
fn every_truncation_of_every_part_is_refused() {
    let files = bytes(&split(&sample(), 3));
    for part in 0..3 {
        for len in 0..files[part].len() {
            let mut cut = files.clone();
            cut[part].truncate(len);
            assert_eq!(usize::from(refusal(&cut).0), part, "cut at {len}");
        }
    }
}

#[test]
fn files_glued_together_are_told_apart_from_files_with_padding() {
    let files = bytes(&split(&sample(), 3));
    assert_eq!(refusal(&[files.concat()]), (0, ErrorKind::Glued));
    let padded: Vec<u8> =
        files.iter().flat_map(|f| [f.clone(), vec![0; f.len().next_multiple_of(32) - f.len()]].concat()).collect();
    assert_eq!(refusal(&[padded]), (0, ErrorKind::Glued));
    assert_eq!(refusal(&[[sample().finish().bytes, sample().finish().bytes].concat()]), (0, ErrorKind::Glued));
    assert_eq!(
        refusal(&[files[0].clone(), [&files[1][..], &files[2]].concat()]),
        (0, ErrorKind::PartCount { given: 2, expected: 3 })
    );
    let two = bytes(&split(&sample(), 2));
    assert_eq!(refusal(&[two[0].clone(), [&two[1][..], &two[0]].concat()]), (1, ErrorKind::Glued));
    for tail in [vec![0; 5000], b"\0\0GGU".to_vec(), b"anything GGUF".to_vec()] {
        parse(&[[sample().finish().bytes, tail].concat()]).unwrap();
    }
}

#[test]
fn every_byte_of_every_header_may_be_anything() {
    let model = copy(&Gguf::parse(&sample().finish().bytes).unwrap());
    let files = split(&model, 3);
    let written: Vec<_> = files.iter().map(GgufWriter::finish).collect();
    let mut bytes = bytes(&files);
    for part in 0..3 {
        for at in 0..written[part].header_bytes {
            let original = bytes[part][at];
            for value in (0..8).map(|bit| original ^ (1 << bit)).chain([0, 1, 0x7f, 0x80, 0xff]) {
                bytes[part][at] = value;
                let _ = parse(&bytes);
            }
            bytes[part][at] = original;
        }
    }
    parse(&bytes).unwrap();
}
