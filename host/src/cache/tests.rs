use super::reader::{FileOf, Next, Reader};
use super::*;
use crate::resolve::Resolved;
use nanocamelid_engine::session::{PAGE, Part};
use nanocamelid_engine::{Model, SessionOptions, SessionPlan, SingleThread};
use nanocamelid_kernels::{Kernels, KvType};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A folder of one test, removed at its end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nanocamelid-cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn settings(&self, n_bytes: u64) -> CacheSettings {
        CacheSettings { folder: self.0.join("cache"), n_bytes }
    }

    /// Every file of the cache.
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.0.join("cache")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn n_bytes(&self) -> u64 {
        self.files().iter().map(|path| path.metadata().unwrap().len()).sum()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A model of the repository's fixtures.
fn arch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/archs").join(format!("{name}.gguf"))
}

const N_CTX: usize = 5 * PAGE;

/// Runs `body` with the cache of a model file and an empty session.
fn with<T>(
    path: &Path,
    kv_type: KvType,
    settings: &CacheSettings,
    body: impl FnOnce(&mut DiskCache, &mut OwnedSession<'_>) -> T,
) -> T {
    let options =
        SessionOptions { n_ctx: N_CTX, n_batch: 160, n_snapshots: 4, n_slots: 2, kv_type, ..Default::default() };
    with_options(path, options, settings, body)
}

/// As [`with`], with a session of these options.
fn with_options<T>(
    path: &Path,
    options: SessionOptions,
    settings: &CacheSettings,
    body: impl FnOnce(&mut DiskCache, &mut OwnedSession<'_>) -> T,
) -> T {
    let file = ModelFile::open(Resolved::file(path, "a test")).unwrap();
    let gguf = file.parse().unwrap();
    let model = Model::new(&gguf).unwrap();
    let kernels = Kernels::select(crate::machine::features::detect());
    let mut session = OwnedSession::new(SessionPlan::new(&model, kernels, options).unwrap(), None).unwrap();
    let mut cache = DiskCache::open(settings, &file, &gguf).unwrap();
    body(&mut cache, &mut session)
}

fn text(seed: u32, n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| (i.wrapping_mul(7 + seed) ^ (i >> 3)) % 50 + 3).collect()
}

/// Computes a text behind what is there, saves its pages, and returns how much was there, and the last logits.
fn compute(cache: &mut DiskCache, session: &mut OwnedSession<'_>, text: &[u32]) -> (usize, Vec<u32>) {
    let restored = cache.restore(session, 0, text);
    let mut done = restored;
    while done < text.len() {
        let n = session.batch_of(0, text.len() - done);
        session.prefill(&SingleThread, &text[done..done + n]).unwrap();
        done += n;
        cache.save(session, 0, Patience::Unlimited);
    }
    (restored, session.logits().iter().map(|x| x.to_bits()).collect())
}

/// As [`compute`], by a new process.
fn restart(path: &Path, kv_type: KvType, dir: &Dir, text: &[u32]) -> (usize, Vec<u32>) {
    with(path, kv_type, &dir.settings(DEFAULT_BYTES), |cache, session| compute(cache, session, text))
}

#[test]
fn a_restart_continues_with_the_same_bits() {
    for name in ["llama", "falcon-h1", "gemma3", "qwen35", "lfm2", "gpt-oss"] {
        let (dir, path, text) = (Dir::new(name), arch(name), text(1, 4 * PAGE + 50));
        let first = restart(&path, KvType::F16, &dir, &text);
        assert_eq!(first.0, 0);
        let again = restart(&path, KvType::F16, &dir, &text);
        assert_eq!(again, (4 * PAGE, first.1), "{name}");
        // A text that goes on differently.
        let mut other = text[..2 * PAGE + 40].to_vec();
        other.extend(self::text(2, 30));
        let (restored, logits) = restart(&path, KvType::F16, &dir, &other);
        assert!((PAGE..=2 * PAGE).contains(&restored), "{name}: {restored}");
        let fresh = restart(&path, KvType::F16, &Dir::new("fresh"), &other);
        assert_eq!((0, logits), fresh, "{name}");
    }
}

#[test]
fn what_does_not_belong_is_not_used() {
    let (dir, path, text) = (Dir::new("foreign"), arch("llama"), text(1, 3 * PAGE + 1));
    let expected = restart(&path, KvType::F16, &dir, &text).1;
    // The file with one weight changed, in place and name of the first.
    let mut bytes = fs::read(&path).unwrap();
    let middle = {
        let gguf = Gguf::parse(&bytes).unwrap();
        let tensor = gguf.tensor("blk.0.attn_k.weight").unwrap();
        tensor.offset as usize + (tensor.data().len() - 64) / 2
    };
    let changed = dir.0.join("llama.gguf");
    let write = |bytes: &[u8], time: SystemTime| {
        fs::write(&changed, bytes).unwrap();
        fs::File::options().write(true).open(&changed).unwrap().set_modified(time).unwrap();
    };
    let time = path.metadata().unwrap().modified().unwrap();
    bytes[middle] ^= 1;
    write(&bytes, time);
    assert_eq!(restart(&changed, KvType::F16, &dir, &text).0, 0, "another file");
    assert_eq!(restart(&path, KvType::F32, &dir, &text).0, 0, "another type");
    // The same file elsewhere is the same model, if its time of change is the same.
    bytes[middle] ^= 1;
    write(&bytes, time);
    assert_eq!(restart(&changed, KvType::F16, &dir, &text), (3 * PAGE, expected));
    // A weight that no sample has: only the time tells.
    bytes[middle - 1000] ^= 1;
    write(&bytes, time);
    assert_eq!(restart(&changed, KvType::F16, &dir, &text).0, 3 * PAGE);
    write(&bytes, time + Duration::from_millis(1));
    assert_eq!(restart(&changed, KvType::F16, &dir, &text).0, 0, "a file that was changed");
}

#[test]
fn damage_is_found_and_mended() {
    for (name, text) in [("llama", text(1, 3 * PAGE + 20)), ("falcon-h1", text(1, 2 * PAGE + 20))] {
        let (dir, path) = (Dir::new("damage"), arch(name));
        let (_, expected) = restart(&path, KvType::F16, &dir, &text);
        let whole = restart(&path, KvType::F16, &dir, &text).0;
        assert_eq!(whole, text.len() / PAGE * PAGE);
        let files = dir.files();
        assert!(files.len() >= 3);
        let mut n_mended = 0;
        for (i, file) in files.iter().enumerate() {
            let bytes = fs::read(file).unwrap();
            let other = fs::read(&files[(i + 1) % files.len()]).unwrap();
            let flipped = |at: usize| {
                let mut bytes = bytes.clone();
                bytes[at] ^= 0x10;
                bytes
            };
            let n = bytes.len();
            let mut damaged = vec![
                Vec::new(),
                bytes[..n / 2].to_vec(),
                bytes[..n - 1].to_vec(),
                [&bytes[..], &[0]].concat(),
                other,
                vec![0; n],
            ];
            // Magic, byte order, versions, kind, positions, sizes, type, model, parent, tokens, content, checksum.
            damaged.extend([0, 16, 20, 24, 28, 32, 36, 44, 52, 84, 116, n / 2, n - 9, n - 1].map(flipped));
            for (case, damaged) in damaged.into_iter().rev().enumerate() {
                fs::write(file, damaged).unwrap();
                let (restored, logits) = restart(&path, KvType::F16, &dir, &text);
                assert!(logits == expected, "{name}, {case}");
                if restored < whole {
                    // The page was computed and written anew.
                    assert!(fs::read(file).unwrap() == bytes, "{name}, {case}");
                    n_mended += 1;
                } else {
                    // States in front of those that serve are not read.
                    assert!(file.extension().unwrap() == "state", "{name}, {case}");
                    fs::write(file, &bytes).unwrap();
                }
            }
            assert_eq!(restart(&path, KvType::F16, &dir, &text).0, whole, "{name}");
        }
        assert!(n_mended >= 40, "{name}: {n_mended}");
    }
}

#[test]
#[cfg(unix)]
fn other_files_are_left_alone_and_abandoned_ones_removed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (dir, path, text) = (Dir::new("others"), arch("llama"), text(1, 3 * PAGE + 1));
    let expected = restart(&path, KvType::F16, &dir, &text);
    let folder = dir.0.join("cache");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files = dir.files();
    assert_eq!(files.len(), 3);
    assert!(files.iter().all(|file| mode(file) == 0o600));
    let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    let page = name(&files[0]);
    let strangers = ["notes.txt", "0.kv", ".kv", "X.partial", &page.to_uppercase(), &format!("{page}.bak")];
    for stranger in strangers {
        fs::write(folder.join(stranger), "a year's work").unwrap();
    }
    let partial = |n: u32| folder.join(format!("{page}.{n}-0.partial"));
    fs::write(partial(1), "abandoned").unwrap();
    fs::write(partial(2), "being written").unwrap();
    let writer = fs::File::open(partial(2)).unwrap();
    writer.lock().unwrap();
    // A page's name for a folder, a link to nowhere and a pipe.
    fs::remove_file(&files[0]).unwrap();
    fs::create_dir(&files[0]).unwrap();
    fs::remove_file(&files[1]).unwrap();
    symlink("/nonexistent", &files[1]).unwrap();
    fs::remove_file(&files[2]).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&files[2]).status().unwrap().success());
    let (restored, logits) = restart(&path, KvType::F16, &dir, &text);
    assert!(restored < PAGE && logits == expected.1);
    assert!(strangers.iter().all(|stranger| folder.join(stranger).exists()));
    assert!(!partial(1).exists() && partial(2).exists() && files[0].is_dir());
}

#[test]
fn the_folder_stays_within_its_size() {
    let (dir, path) = (Dir::new("size"), arch("llama"));
    let one_page = {
        restart(&path, KvType::F16, &dir, &text(0, PAGE + 1));
        dir.n_bytes()
    };
    let settings = CacheSettings { n_bytes: 10 * one_page, ..dir.settings(0) };
    let used_often = text(100, 3 * PAGE + 1);
    for seed in 1..12 {
        with(&path, KvType::F16, &settings, |cache, session| {
            compute(cache, session, &text(seed, 2 * PAGE + 1));
            let (restored, _) = compute(cache, session, &used_often);
            assert!(restored == 3 * PAGE || seed == 1, "what is used stays: {restored}");
        });
        assert!(dir.n_bytes() <= settings.n_bytes, "{} of {}", dir.n_bytes(), settings.n_bytes);
    }
    assert!(dir.n_bytes() > 5 * one_page);
    // A long text that is used again and again loses its end, not its beginning.
    let small = CacheSettings { n_bytes: 3 * one_page, ..settings };
    let long = text(7, 4 * PAGE + 1);
    for _ in 0..3 {
        let (restored, _) = with(&path, KvType::F16, &small, |cache, session| compute(cache, session, &long));
        assert!(dir.n_bytes() <= small.n_bytes && restored < 4 * PAGE);
    }
    with(&path, KvType::F16, &CacheSettings { n_bytes: one_page / 2, ..small }, |cache, session| {
        compute(cache, session, &text(200, PAGE + 1));
        assert!(cache.writer.take_failure().unwrap().contains("--cache-size allows"));
        assert!(cache.writer.take_failure().is_none());
    });
}

#[test]
fn slots_and_processes_share_a_folder() {
    let (dir, path) = (Dir::new("shared"), arch("gemma3"));
    let (a, b) = (text(1, 3 * PAGE + 9), text(2, 3 * PAGE + 9));
    let expected = [&a, &b].map(|text| restart(&path, KvType::F16, &Dir::new("alone"), text).1);
    std::thread::scope(|scope| {
        let (dir, path, expected, texts) = (&dir, &path, &expected, [&a, &b]);
        for order in [[0, 1], [1, 0], [0, 1]] {
            scope.spawn(move || {
                for i in order {
                    assert!(restart(path, KvType::F16, dir, texts[i]).1 == expected[i]);
                }
            });
        }
    });
    with(&path, KvType::F16, &dir.settings(DEFAULT_BYTES), |cache, session| {
        for (slot, text) in [(1, &b), (0, &a)] {
            assert_eq!(cache.restore(session, slot, text), 3 * PAGE);
            assert_eq!(session.tokens_of(slot), &text[..3 * PAGE]);
        }
        // What the session holds is not read again, and less than a page is nothing.
        fs::remove_dir_all(dir.0.join("cache")).unwrap();
        assert_eq!(cache.restore(session, 1, &b), 3 * PAGE);
        assert!(cache.restore(session, 1, &b[..PAGE]) < PAGE);
        // The folder has gone: a failure to be told, and nothing more.
        compute(cache, session, &self::text(3, 2 * PAGE));
        cache.writer.finish();
        assert!(cache.writer.take_failure().is_some());
    });
}

/// What the writer drops while the disk is full leaves no gap in front of what it writes later.
#[test]
fn what_could_not_be_written_is_offered_again() {
    let (dir, path, long) = (Dir::new("again"), arch("falcon-h1"), text(1, 3 * PAGE + 20));
    with(&path, KvType::F16, &dir.settings(DEFAULT_BYTES), |cache, session| {
        fs::remove_dir_all(dir.0.join("cache")).unwrap();
        session.prefill(&SingleThread, &long[..2 * PAGE]).unwrap();
        cache.save(session, 0, Patience::None);
        while cache.writer.take_failure().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Nothing is written for a while, and nothing is taken for written.
        assert!(!cache.save(session, 0, Patience::None));
        fs::create_dir(dir.0.join("cache")).unwrap();
        assert!(!cache.save(session, 0, Patience::None));
        assert!(dir.files().is_empty());
        cache.writer.try_again();
        session.prefill(&SingleThread, &long[2 * PAGE..]).unwrap();
        assert!(cache.save(session, 0, Patience::None));
    });
    assert_eq!(restart(&path, KvType::F16, &dir, &long).0, 3 * PAGE);
}

/// A slot's memory for a window is that of its context, until another context comes from the disk.
#[test]
fn a_window_comes_from_disk_into_a_slot_that_holds_another() {
    let (dir, models) = (Dir::new("window"), Dir::new("window-model"));
    fs::create_dir_all(&models.0).unwrap();
    let mut bytes = fs::read(arch("gemma3")).unwrap();
    let key = b"gemma3.attention.sliding_window";
    let at = bytes.windows(key.len()).position(|bytes| bytes == key).unwrap() + key.len() + 4;
    bytes[at..at + 4].copy_from_slice(&(4 * PAGE as u32).to_le_bytes());
    let path = models.0.join("gemma3.gguf");
    fs::write(&path, bytes).unwrap();
    let options = SessionOptions { n_ctx: 14 * PAGE, n_batch: PAGE, n_slots: 1, ..Default::default() };
    let a = text(1, 12 * PAGE + 9);
    let mut b = a[..5 * PAGE + 40].to_vec();
    b.extend(text(2, 3 * PAGE));
    let settings = dir.settings(DEFAULT_BYTES);
    let (_, expected) = with_options(&path, options, &settings, |cache, session| compute(cache, session, &a));
    with_options(&path, options, &settings, |cache, session| {
        compute(cache, session, &b);
        assert_eq!(compute(cache, session, &a), (12 * PAGE, expected));
    });
}

#[test]
fn files_come_in_order() {
    let (dir, path, text) = (Dir::new("order"), arch("llama"), text(1, 4 * PAGE + 1));
    restart(&path, KvType::F16, &dir, &text);
    with(&path, KvType::F16, &dir.settings(DEFAULT_BYTES), |cache, session| {
        let pages = Arc::new(Pages::new(cache.model, session, text.clone()));
        let wanted: Vec<FileOf> = (0..5).map(|page| (page % 4, Kept::Pages)).collect();
        // Whoever has enough leaves.
        for n_taken in 0..=wanted.len() {
            let reader = Reader::start(Arc::clone(&cache.folder), Arc::clone(&pages), wanted.clone());
            for &(page, kept) in &wanted[..n_taken] {
                let Next::File(bytes) = reader.next(true) else { panic!("{page}") };
                assert!(bytes.starts_with(&pages.header(page, kept)) && bytes.len() == pages.file_bytes(kept));
                reader.give_back(bytes);
            }
            assert!(n_taken < wanted.len() || reader.next(true) == Next::Wrong, "nothing comes behind the last");
        }
    });
}

/// Other slots compute between the parts, and a part never waits for the disk. A disk may be quick enough to need no
/// time between parts, but not again and again.
#[test]
fn a_context_comes_in_parts() {
    const ROUNDS: usize = 50;
    let (dir, path) = (Dir::new("parts"), arch("gemma3"));
    let (text, other) = (text(1, 4 * PAGE + 50), text(2, PAGE));
    let (_, expected) = restart(&path, KvType::F16, &dir, &text);
    let mut n_between = 0;
    for _ in 0..ROUNDS {
        with(&path, KvType::F16, &dir.settings(DEFAULT_BYTES), |cache, session| {
            let mut restoring = cache.begin(session, 0, &text);
            let mut others = other.iter();
            let n = loop {
                if let Some(n) = cache.advance(session, &mut restoring, false) {
                    break n;
                }
                let Some(&token) = others.next() else {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                };
                let part = Part { slot: 1, tokens: &[token], n_logits: 0 };
                session.step(&SingleThread, &[part], &mut |_, _, _| {}).unwrap();
            };
            assert_eq!((n, session.tokens_of(0)), (4 * PAGE, &text[..4 * PAGE]));
            n_between = other.len() - others.len();
            session.prefill(&SingleThread, &text[n..]).unwrap();
            assert_eq!(session.logits().iter().map(|x| x.to_bits()).collect::<Vec<_>>(), expected);
        });
        if n_between > 0 {
            break;
        }
    }
    assert!(n_between > 0, "in {ROUNDS} rounds, nothing was computed in between");
}

#[test]
fn a_folder_must_be_one() {
    let dir = Dir::new("no-folder");
    fs::create_dir_all(&dir.0).unwrap();
    fs::write(dir.0.join("cache"), "a file").unwrap();
    let error = Folder::open(&dir.settings(0).folder).unwrap_err();
    assert!(error.to_string().contains("is not a folder"), "{error}");
    assert_eq!(error.exit_code(), 2);
    let below = Folder::open(&dir.0.join("cache/below")).unwrap_err();
    assert!(below.to_string().contains("--cache"), "{below}");
}

/// A file that looks young and is as old as its last use.
#[test]
fn use_is_a_time() {
    let dir = Dir::new("touch");
    let folder = Folder::open(&dir.settings(0).folder).unwrap();
    let name = format!("{}.kv", "0123456789abcdef".repeat(4));
    folder.write(&name, b"page").unwrap();
    let old = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(folder.path().join(&name)).unwrap().set_modified(old).unwrap();
    assert_eq!(folder.files().unwrap()[0].used, old);
    folder.touch(&name);
    let found = folder.files().unwrap();
    assert_eq!((found.len(), found[0].n_bytes, &found[0].name), (1, 4, &name));
    assert!(found[0].used > old + Duration::from_secs(3000));
}
