//! Malformed files: each gives a typed error or a consistent parse, in memory bounded by the file's length.

use nanocamelid_engine::gguf::{Error, ErrorKind, Gguf};
use nanocamelid_tests::counting_allocator::{CountingAllocator, measure};
use nanocamelid_tests::gguf_invariants;
use nanocamelid_tests::gguf_sample::sample;
use nanocamelid_tests::gguf_writer::{FigureKind, GgufWriter, Tensor, Value, Written, value_type};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Values at which the computation of some size overflows.
const EDGES: [u64; 22] = [
    0,
    1,
    2,
    3,
    4,
    5,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    (1 << 31) - 1,
    1 << 31,
    (1 << 31) + 1,
    (1 << 32) - 1,
    1 << 32,
    (1 << 32) + 1,
    (1 << 63) - 32,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX - 31,
    u64::MAX - 1,
    u64::MAX,
];

/// Parses under the memory bound; an accepted file must be consistent.
fn parse(bytes: &[u8]) -> Result<(), Error> {
    let (result, allocations) = measure(|| Gguf::parse(bytes).map(|gguf| gguf_invariants::check(&gguf, &[bytes])));
    let bound = 8 * bytes.len() as i64 + 1024;
    assert!(
        allocations.peak_bytes <= bound,
        "{} bytes allocated for a file of {}: {result:?}",
        allocations.peak_bytes,
        bytes.len()
    );
    if let Err(error) = result {
        assert!(error.offset <= bytes.len() as u64, "{error:?} points into the file");
        assert!(error.to_string().contains(&format!("at byte {}", error.offset)));
    }
    result
}

fn kind(bytes: &[u8]) -> ErrorKind {
    parse(bytes).expect_err("a defect that was put there on purpose is found").kind
}

#[test]
fn the_sample_itself_is_fine() {
    let written = sample().finish();
    parse(&written.bytes).unwrap();
    let gguf = Gguf::parse(&written.bytes).unwrap();
    assert_eq!(gguf.metadata().len(), 16);
    assert_eq!(gguf.tensors().len(), 3);
    assert_eq!(gguf.value("a.i64").and_then(|v| v.as_i64()), Some(-1));
    assert_eq!(gguf.tensor("cube").unwrap().data(), [2; 24]);
}

#[test]
fn every_truncation_is_refused() {
    let Written { bytes, header_bytes, .. } = sample().finish();
    for len in 0..bytes.len() {
        let expected: &[ErrorKind] =
            if len < header_bytes { &[ErrorKind::Truncated] } else { &[ErrorKind::TensorOutOfFile] };
        let found = kind(&bytes[..len]);
        // A cut inside a counted run shows in its count already.
        assert!(expected.contains(&found) || matches!(found, ErrorKind::CountTooLarge(_)), "cut at {len}: {found:?}");
    }
}

#[test]
fn every_byte_of_the_header_may_be_anything() {
    let Written { mut bytes, header_bytes, .. } = sample().finish();
    for at in 0..header_bytes {
        let original = bytes[at];
        for bit in 0..8 {
            bytes[at] = original ^ (1 << bit);
            let _ = parse(&bytes);
        }
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            bytes[at] = value;
            let _ = parse(&bytes);
        }
        bytes[at] = original;
    }
    parse(&bytes).unwrap();
}

#[test]
fn every_figure_may_be_at_every_edge() {
    let Written { mut bytes, figures, .. } = sample().finish();
    for figure in figures {
        let original = figure.read(&bytes);
        for edge in EDGES.into_iter().chain([original + 1, original.wrapping_sub(1), usize::MAX as u64]) {
            figure.patch(&mut bytes, edge);
            let patched = figure.read(&bytes);
            let result = parse(&bytes);
            let lies_too_big = patched > u64::from(u16::MAX);
            // An empty tensor may have any other extents; these tensors have none of zero.
            if lies_too_big && figure.kind != FigureKind::Version {
                assert!(result.is_err(), "{figure:?} = {patched} is more than the file holds");
            }
        }
        figure.patch(&mut bytes, original);
    }
    parse(&bytes).unwrap();
}

#[test]
fn every_pair_of_figures_may_be_at_the_edges() {
    let Written { mut bytes, figures, .. } = sample().finish();
    let extremes = [0, 1, 1 << 31, 1 << 32, 1 << 63, u64::MAX];
    for (i, first) in figures.iter().enumerate() {
        let first_original = first.read(&bytes);
        for second in figures.iter().skip(i + 1).step_by(3) {
            let second_original = second.read(&bytes);
            for a in extremes {
                for b in extremes {
                    first.patch(&mut bytes, a);
                    second.patch(&mut bytes, b);
                    let _ = parse(&bytes);
                }
            }
            second.patch(&mut bytes, second_original);
        }
        first.patch(&mut bytes, first_original);
    }
    parse(&bytes).unwrap();
}

#[test]
fn wrong_starts_are_named() {
    let with = |magic: [u8; 4], version: u32| GgufWriter { magic, version, ..sample() }.finish().bytes;
    assert_eq!(kind(&with(*b"GGML", 3)), ErrorKind::Magic);
    assert_eq!(kind(&with(*b"FUGG", 3)), ErrorKind::Magic);
    assert_eq!(kind(&with(*b"GGUF", 0)), ErrorKind::Version(0));
    assert_eq!(kind(&with(*b"GGUF", 1)), ErrorKind::Version(1));
    assert_eq!(kind(&with(*b"GGUF", 4)), ErrorKind::Version(4));
    assert_eq!(kind(&with(*b"GGUF", u32::MAX)), ErrorKind::Version(u32::MAX));
    assert_eq!(kind(&with(*b"GGUF", 3u32.swap_bytes())), ErrorKind::BigEndian);
    parse(&with(*b"GGUF", 2)).unwrap();
    assert_eq!(kind(b""), ErrorKind::Truncated);
}

#[test]
fn names_occur_once() {
    let again = sample().entry("a.bool", Value::bool(false)).finish();
    assert_eq!(kind(&again.bytes), ErrorKind::DuplicateKey);
    let again = sample().tensor("cube", &[1], 0, vec![0; 4]).finish();
    assert_eq!(kind(&again.bytes), ErrorKind::DuplicateTensor);
    let two_nameless = sample().tensor("", &[1], 0, vec![0; 4]).tensor("", &[1], 0, vec![0; 4]).finish();
    assert_eq!(kind(&two_nameless.bytes), ErrorKind::DuplicateTensor);
}

#[test]
fn names_are_text() {
    assert_eq!(kind(&sample().entry([b'k', 0xff], Value::u32(1)).finish().bytes), ErrorKind::Utf8);
    assert_eq!(kind(&sample().tensor([0xc0, 0x80], &[1], 0, vec![0; 4]).finish().bytes), ErrorKind::Utf8);
}

#[test]
fn values_have_known_types() {
    for value_type in [13, 14, 255, 1 << 31, u32::MAX] {
        assert_eq!(
            kind(&sample().entry("x", Value::raw(value_type, [0; 16])).finish().bytes),
            ErrorKind::ValueType(value_type)
        );
        let array = Value::array(value_type, 1, &[0; 16]);
        assert_eq!(kind(&sample().entry("x", array).finish().bytes), ErrorKind::ValueType(value_type));
    }
    assert_eq!(kind(&sample().entry("x", Value::raw(value_type::BOOL, [2])).finish().bytes), ErrorKind::Bool(2));
    let bools = Value::array(value_type::BOOL, 2, &[1, 77]);
    assert_eq!(kind(&sample().entry("x", bools).finish().bytes), ErrorKind::Bool(77));
}

#[test]
fn deep_nesting_ends() {
    // Each level is an array of one array: 12 bytes of input per level, as deep as a file likes to go.
    for depth in [5usize, 100, 10_000] {
        let level = Value::array(value_type::ARRAY, 1, &[]).payload;
        let value = Value::raw(value_type::ARRAY, level.repeat(depth));
        assert_eq!(kind(&sample().entry("deep", value).finish().bytes), ErrorKind::Nesting, "depth {depth}");
    }
}

#[test]
fn alignment_is_a_power_of_two() {
    for value in [Value::u32(0), Value::u32(3), Value::u32(33), Value::i32(-32), Value::f32(32.0), Value::string("32")]
    {
        let mut file = sample();
        file.set("general.alignment", value.clone());
        assert_eq!(kind(&file.finish().bytes), ErrorKind::Alignment, "{value:?}");
    }
    for value in [1 << 32, 1 << 40, 1 << 63, u64::MAX] {
        let mut file = sample();
        file.set("general.alignment", Value::u64(value));
        assert_eq!(kind(&file.finish().bytes), ErrorKind::Alignment, "{value}");
    }
    let mut file = sample();
    file.set("general.alignment", Value::u32(1 << 31));
    assert!(parse(&file.finish().bytes).is_err(), "2^31 puts the data far past the end");
}

#[test]
fn tensors_lie_inside_the_file_and_apart() {
    let with = |change: &dyn Fn(&mut Tensor)| {
        let mut file = sample();
        change(file.tensor_mut("norm.weight").unwrap());
        kind(&file.finish().bytes)
    };
    assert_eq!(with(&|t| t.offset = Some(0)), ErrorKind::TensorsOverlap);
    assert_eq!(with(&|t| t.offset = Some(32)), ErrorKind::TensorsOverlap);
    assert_eq!(with(&|t| t.offset = Some(1)), ErrorKind::TensorAlignment);
    assert_eq!(with(&|t| t.offset = Some(u64::MAX)), ErrorKind::TensorAlignment);
    assert_eq!(with(&|t| t.offset = Some(u64::MAX - 31)), ErrorKind::Overflow);
    assert_eq!(with(&|t| t.offset = Some(1 << 63)), ErrorKind::TensorOutOfFile);
    assert_eq!(with(&|t| t.offset = Some(1 << 20)), ErrorKind::TensorOutOfFile);
    assert_eq!(with(&|t| t.dims = vec![6000]), ErrorKind::TensorOutOfFile);
    assert_eq!(with(&|t| t.dims = vec![1 << 62]), ErrorKind::Overflow);
    assert_eq!(with(&|t| t.dims = vec![1 << 32, 1 << 32]), ErrorKind::Overflow);
    assert_eq!(with(&|t| t.dims = vec![u64::MAX; 4]), ErrorKind::Overflow);
    assert_eq!(with(&|t| t.n_dims = Some(5)), ErrorKind::Dimensions(5));
    assert_eq!(with(&|t| t.n_dims = Some(u32::MAX)), ErrorKind::Dimensions(u32::MAX));
    assert_eq!(with(&|t| t.ggml_type = 2), ErrorKind::PartialBlock);
    for unknown in [4, 5, 31, 38, 43, 1000, u32::MAX] {
        assert_eq!(with(&|t| t.ggml_type = unknown), ErrorKind::TensorType(unknown));
    }
    for (number, name, successor) in [(4, "Q4_2", "Q4_0"), (33, "Q4_0_8_8", "Q4_0"), (36, "IQ4_NL_4_4", "IQ4_NL")] {
        let message = Error { kind: ErrorKind::TensorType(number), part: 0, offset: 0 }.to_string();
        assert!(message.contains(name) && message.contains(&format!("the model's {successor} file")), "{message}");
    }
}

#[test]
fn a_dimension_of_zero_is_an_empty_tensor() {
    let file = sample().tensor("empty", &[0, u64::MAX, 2], 0, vec![]).finish();
    assert_eq!(Gguf::parse(&file.bytes).unwrap().tensor("empty").unwrap().data(), []);
    parse(&sample().tensor("empty", &[0], 0, vec![]).finish().bytes).unwrap();
    let overflowing_first = sample().tensor("empty", &[u64::MAX, 2, 0], 0, vec![]).finish();
    assert_eq!(kind(&overflowing_first.bytes), ErrorKind::Overflow);
}

#[test]
fn counts_do_not_allocate() {
    // A header of 24 bytes that claims as much as it can.
    for n_tensors in EDGES {
        for n_entries in EDGES {
            let file = GgufWriter { n_tensors: Some(n_tensors), n_entries: Some(n_entries), ..GgufWriter::new() };
            let result = parse(&file.finish().bytes);
            assert_eq!(result.is_ok(), n_tensors == 0 && n_entries == 0);
        }
    }
}

#[test]
fn the_largest_believable_counts_stay_within_the_bound() {
    let body = vec![0; 1 << 20];
    for (n_tensors, n_entries) in [(0, body.len() / 13), (body.len() / 24, 0), (body.len() / 24, 1)] {
        let file =
            GgufWriter { n_tensors: Some(n_tensors as u64), n_entries: Some(n_entries as u64), ..GgufWriter::new() };
        let bytes = [file.finish().bytes, body.clone()].concat();
        assert!(parse(&bytes).is_err());
    }
}

#[test]
fn many_tiny_entries_stay_within_the_bound() {
    let mut file = GgufWriter::new();
    for i in 0..20_000u32 {
        file = file.entry(i.to_string(), Value::bool(true));
    }
    for i in 0..20_000u32 {
        file = file.tensor(i.to_string(), &[], 24, vec![1]);
    }
    parse(&file.finish().bytes).unwrap();
}
