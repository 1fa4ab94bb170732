use super::*;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

fn pool(n: usize) -> Pool {
    Pool::new(&PoolOptions { n_decode: n, n_prefill: n, place: Placement::Anywhere }).unwrap()
}

/// Draws `n` items in the way the engine's jobs do; the sum tells that each was drawn once.
fn drain(pool: &Pool, phase: Phase, n: u64) -> u64 {
    let next = AtomicU64::new(0);
    let sum = AtomicU64::new(0);
    pool.run(phase, &|| {
        loop {
            let item = next.fetch_add(1, Ordering::Relaxed);
            if item >= n {
                return;
            }
            sum.fetch_add(item, Ordering::Relaxed);
        }
    });
    sum.into_inner()
}

#[test]
fn all_work_is_done_once_whatever_the_number_of_workers() {
    for n_workers in 1..=9 {
        let pool = pool(n_workers);
        for n in [0, 1, 2, 100, 5000] {
            assert_eq!(drain(&pool, Phase::Decode, n), n * n.saturating_sub(1) / 2, "{n_workers} workers, {n} items");
        }
    }
}

#[test]
fn phases_have_their_own_counts() {
    let pool = Pool::new(&PoolOptions { n_decode: 2, n_prefill: 4, place: Placement::Anywhere }).unwrap();
    assert_eq!((pool.n_workers(Phase::Decode), pool.n_workers(Phase::Prefill)), (2, 4));
    for (phase, most) in [(Phase::Decode, 2), (Phase::Prefill, 4)] {
        let calls = AtomicUsize::new(0);
        pool.run(phase, &|| {
            calls.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(20));
        });
        let calls = calls.into_inner();
        assert!((1..=most).contains(&calls), "{phase:?}: {calls} calls");
        assert!(calls > 1, "{phase:?}: nobody helped for 20 ms");
    }
}

#[test]
fn results_written_by_workers_are_seen_after_the_run() {
    let pool = pool(4);
    let mut out = vec![0u32; 1000];
    for round in 1..200 {
        let bands = nanocamelid_kernels::Queue::new(out.chunks_mut(16));
        pool.run(Phase::Decode, &|| {
            while let Some(band) = bands.next() {
                band.iter_mut().for_each(|v| *v += 1);
            }
        });
        assert!(out.iter().all(|&v| v == round));
    }
}

#[test]
fn sleeping_workers_wake_for_the_next_job() {
    let pool = pool(3);
    for _ in 0..5 {
        let ids = Mutex::new(std::collections::HashSet::new());
        pool.run(Phase::Decode, &|| {
            ids.lock().unwrap().insert(std::thread::current().id());
            std::thread::sleep(Duration::from_millis(20));
        });
        assert!(ids.into_inner().unwrap().len() > 1, "nobody woke up within 20 ms");
        std::thread::sleep(YIELD + SPIN + Duration::from_millis(5));
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
    let pool = pool(3);
    for victim in 0..3 {
        let seen = AtomicUsize::new(0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.run(Phase::Decode, &|| {
                if seen.fetch_add(1, Ordering::Relaxed) == victim {
                    panic!("job {victim}");
                }
                std::thread::sleep(Duration::from_millis(5));
            });
        }));
        // Fewer than three workers may have come; then the worker that was to panic is not among them.
        if seen.into_inner() > victim {
            assert_eq!(caught.unwrap_err().downcast_ref::<String>(), Some(&format!("job {victim}")));
        }
        assert_eq!(drain(&pool, Phase::Decode, 1000), 499_500);
    }
}

#[test]
fn a_job_that_comes_back_runs_alone() {
    thread_local!(static POOL: Pool = pool(3));
    POOL.with(|outer| {
        let inner_runs = AtomicUsize::new(0);
        let home = std::thread::current().id();
        outer.run(Phase::Decode, &|| {
            if std::thread::current().id() == home {
                POOL.with(|pool| pool.run(Phase::Decode, &|| _ = inner_runs.fetch_add(1, Ordering::Relaxed)));
            }
        });
        assert_eq!(inner_runs.into_inner(), 1);
    });
}

#[test]
fn short_jobs_under_oversubscription() {
    let pool = pool(8);
    let started = Instant::now();
    for round in 0..3000 {
        assert_eq!(drain(&pool, Phase::Prefill, round % 40), (round % 40) * (round % 40).saturating_sub(1) / 2);
    }
    assert!(started.elapsed() < Duration::from_secs(60), "took {:?}", started.elapsed());
}

#[test]
#[cfg(target_os = "linux")]
fn workers_run_where_they_were_put() {
    let allowed = || {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        crate::machine::cpu_list::parse(list.unwrap()).unwrap()
    };
    let all = allowed();
    let masks = |place: &Placement| {
        let masks = Mutex::new(std::collections::BTreeSet::new());
        // On a thread of its own, because the caller of a pool is its first worker and is pinned too.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let pool = Pool::new(&PoolOptions { n_decode: 2, n_prefill: 2, place: place.clone() }).unwrap();
                let ids = Mutex::new(std::collections::BTreeSet::new());
                while ids.lock().unwrap().len() < 2 {
                    pool.run(Phase::Decode, &|| {
                        ids.lock().unwrap().insert(format!("{:?}", std::thread::current().id()));
                        masks.lock().unwrap().insert(allowed());
                        std::thread::sleep(Duration::from_millis(2));
                    });
                }
            });
        });
        masks.into_inner().unwrap().into_iter().collect::<Vec<_>>()
    };
    let (first, last) = (all[0], all[all.len() - 1]);
    let anywhere = masks(&Placement::Anywhere);
    assert_eq!(anywhere, std::slice::from_ref(&all));
    assert_eq!(masks(&Placement::Each(vec![last])), [[last]]);
    let mut each = vec![vec![first], vec![last]];
    each.dedup();
    assert_eq!(masks(&Placement::Each(vec![first, last])), each);
    if let [.., before, _] = all[..] {
        assert_eq!(masks(&Placement::Among(vec![before, last])), [[before, last]]);
    }
    // Two workers would stand in each other's way on one CPU.
    assert_eq!(masks(&Placement::Among(vec![last])), anywhere);
}

/// A worker's own record in /proc, found from inside a job.
#[cfg(target_os = "linux")]
fn schedstat_of_workers(pool: &Pool) -> Vec<std::path::PathBuf> {
    let paths = Mutex::new(Vec::new());
    let home = std::thread::current().id();
    while paths.lock().unwrap().is_empty() {
        pool.run(Phase::Decode, &|| {
            if std::thread::current().id() != home {
                let task = std::fs::read_link("/proc/thread-self").unwrap();
                paths.lock().unwrap().push(std::path::Path::new("/proc").join(task).join("schedstat"));
            }
            std::thread::sleep(Duration::from_millis(5));
        });
    }
    paths.into_inner().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn idle_workers_use_no_cpu() {
    let pool = pool(2);
    for path in schedstat_of_workers(&pool) {
        let Ok(_) = std::fs::read_to_string(&path) else { return eprintln!("skipped: no {}", path.display()) };
        let cpu_ns =
            || -> u64 { std::fs::read_to_string(&path).unwrap().split_whitespace().next().unwrap().parse().unwrap() };
        std::thread::sleep(Duration::from_millis(50));
        let before = cpu_ns();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(cpu_ns(), before, "a worker ran while there was nothing to do");
    }
}
