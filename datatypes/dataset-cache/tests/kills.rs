//! Processes that write a cache and are killed, and processes that read one at once.
//!
//! They are this very program, started again with a variable that says what to do; they say by lines how far they are.
//! `DATASET_CACHE_KILLS=200` kills so often.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(clippy::cast_possible_truncation, reason = "seeds are small")]

mod common;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use common::{data, found, key, place};
use dataset_cache::{CacheOptions, DatasetCache, Value};
use engine_api::ErrorKind;

const ROLE: &str = "DATASET_CACHE_TEST_ROLE";
const CACHE: &str = "DATASET_CACHE_TEST_FILE";
const READERS: usize = 8;
const KEYS: i32 = 400;

/// What fits, and what makes entries go all the time.
const MAXIMA: [u64; 2] = [64 << 20, 3 << 20];

fn kills() -> u64 {
    env::var("DATASET_CACHE_KILLS").map_or(12, |kills| kills.parse().unwrap())
}

fn bytes(number: i32, seed: u64) -> Vec<u8> {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend(data(number, seed, 1 + (number.unsigned_abs() as usize * 7919 + seed as usize) % 30_000));
    bytes
}

/// The seed of what was found, which must be what was put in with it.
fn seed(number: i32, found: &[u8]) -> u64 {
    let seed = u64::from_le_bytes(*found.first_chunk().expect("it begins with its seed"));
    assert!(found == bytes(number, seed), "{number} has wrong bytes");
    seed
}

fn start(role: &str, path: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_process_that_is_started_by_the_others", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(CACHE, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n:{line}").and_then(|()| out.flush()).unwrap();
}

/// The lines that a process says.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let output = BufReader::new(child.stdout.take().unwrap());
    output.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix(':').map(str::to_owned))
}

#[test]
fn a_process_that_is_started_by_the_others() {
    let Ok(role) = env::var(ROLE) else { return };
    let path = env::var(CACHE).unwrap();
    match role.split_once(' ') {
        Some(("write", seed)) => write(Path::new(&path), seed.parse().unwrap()),
        _ => read(Path::new(&path)),
    }
}

/// Puts entries in for ever, and flushes now and then.
fn write(path: &Path, first: u64) {
    let cache = CacheOptions::new().commit_bytes(2 << 20).open(path, false).unwrap();
    let mut random = fastrand::Rng::with_seed(first);
    for seed in first.. {
        let number = random.i32(0..KEYS);
        match random.u8(..20) {
            0 => {
                cache.flush().unwrap();
                say("flushed");
            }
            1 => {
                say(&format!("removing {number}"));
                cache.remove(&key(number)).unwrap();
            }
            2 => drop(cache.get(&key(number)).unwrap()),
            _ => {
                say(&format!("{number} {seed}"));
                assert!(cache.insert(&key(number), &bytes(number, seed)).unwrap());
            }
        }
    }
}

#[test]
fn a_kill_at_any_moment_leaves_what_was_flushed_and_nothing_wrong() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for maximum in MAXIMA {
        let (_folder, path) = place();
        drop(DatasetCache::create(&path, maximum).unwrap());
        // What each key may have: what the last flush had, and what was put in or removed since.
        let mut may: BTreeMap<i32, Vec<Option<u64>>> = BTreeMap::new();
        for round in 0..kills() / 2 {
            let mut child = start(&format!("write {}", 1 + round * 1_000_000), &path);
            let mut left = random.usize(1..600);
            let wait = std::time::Duration::from_micros(random.u64(..3000));
            for line in lines(&mut child) {
                if line == "flushed" {
                    may.retain(|_, values| {
                        values.drain(..values.len() - 1);
                        values != &[None]
                    });
                } else {
                    let (number, value) = line.split_once(' ').unwrap();
                    let (number, value) = match number {
                        "removing" => (value.parse().unwrap(), None),
                        _ => (number.parse().unwrap(), Some(value.parse().unwrap())),
                    };
                    may.entry(number).or_insert_with(|| vec![None]).push(value);
                }
                left = left.saturating_sub(1);
                if left == 0 {
                    // Anywhere between two lines.
                    std::thread::sleep(wait);
                    child.kill().unwrap();
                    left = usize::MAX;
                }
            }
            assert!(!child.wait().unwrap().success());
            let mut count = |what| *seen.entry(what).or_insert(0) += 1;
            count("killed");
            assert!(fs::metadata(&path).unwrap().len() <= maximum);
            let cache = DatasetCache::open(&path, false).unwrap();
            assert_eq!(cache.statistics().unwrap().clears, 0, "a kill is no damage");
            assert_eq!(cache.verify().unwrap().damaged, 0);
            let mut now = BTreeMap::new();
            for number in 0..KEYS {
                let values = may.remove(&number).unwrap_or_else(|| vec![None]);
                let found = found(&cache, number).map(|found| seed(number, &found));
                // Where there is room nothing is evicted.
                if maximum == MAXIMA[0] || found.is_some() {
                    assert!(values.contains(&found), "{number} is {found:?}, not {values:?}");
                }
                count(match found {
                    Some(_) if values.last() == Some(&found) => "there",
                    Some(_) => "older",
                    None if values.iter().any(Option::is_some) => "gone",
                    None => "never there",
                });
                if found.is_some() {
                    now.insert(number, vec![found]);
                }
            }
            may = now;
        }
    }
    println!("{seen:?}");
    // A test whose kills hit nothing proves nothing.
    for what in ["killed", "there", "older", "gone"] {
        assert!(seen.get(what).is_some_and(|count| *count > 0), "nothing was {what}: {seen:?}");
    }
}

/// Opens a cache to be read, waits for a line, and reads all.
fn read(path: &Path) {
    let cache = DatasetCache::open(path, true).unwrap();
    say("open");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let mut out = vec![0; 40_000];
    for number in 0..KEYS {
        assert_eq!(seed(number, &found(&cache, number).unwrap()), 1);
        assert!(cache.read_into(&key(number), &mut out).unwrap() != dataset_cache::Found::Missing);
    }
    assert_eq!(cache.get(&key(KEYS)).unwrap(), Some(Value::Absent));
    assert_eq!(cache.get(&key(KEYS + 1)).unwrap(), None);
    assert_eq!(cache.verify().unwrap().sound, u64::from(KEYS.unsigned_abs()) + 1);
    #[cfg(target_os = "linux")]
    nothing_is_open_to_be_written(path);
    drop(cache);
    say("read");
}

/// That this process has the file open and mapped to be read, and in no other way.
#[cfg(target_os = "linux")]
fn nothing_is_open_to_be_written(path: &Path) {
    let mut open = 0;
    for file in fs::read_dir("/proc/self/fd").unwrap().map(Result::unwrap) {
        if fs::read_link(file.path()).is_ok_and(|target| target == path) {
            let info = fs::read_to_string(Path::new("/proc/self/fdinfo").join(file.file_name())).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
            assert_eq!(u32::from_str_radix(flags, 8).unwrap() & 3, 0, "it is open to be written");
            open += 1;
        }
    }
    assert!(open > 0);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mapped: Vec<&str> = maps.lines().filter(|line| line.ends_with(path.to_str().unwrap())).collect();
    assert!(!mapped.is_empty() && mapped.iter().all(|line| line.contains(" r--s ")), "{mapped:?}");
}

#[test]
fn eight_processes_read_one_cache_at_once_and_write_nothing() {
    let (folder, path) = place();
    let path = fs::canonicalize(path.parent().unwrap()).unwrap().join("test.cache");
    let cache = DatasetCache::create(&path, MAXIMA[0]).unwrap();
    for number in 0..KEYS {
        assert!(cache.insert(&key(number), &bytes(number, 1)).unwrap());
    }
    cache.insert_absent(&key(KEYS)).unwrap();
    drop(cache);
    let permit = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    permit(&path, 0o444);
    permit(folder.path(), 0o555);
    let (before, metadata) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap());
    let mut children: Vec<Child> = (0..READERS).map(|_| start("read", &path)).collect();
    let mut said: Vec<_> = children.iter_mut().map(lines).collect();
    for said in &mut said {
        assert_eq!(said.next().unwrap(), "open");
    }
    // All have it open now: nobody can write.
    let error = DatasetCache::open(&path, false).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Locked | ErrorKind::ReadOnly), "{error}");
    let inputs: Vec<ChildStdin> = children.iter_mut().map(|child| child.stdin.take().unwrap()).collect();
    for mut input in inputs {
        input.write_all(b"go\n").unwrap();
    }
    for (child, said) in children.iter_mut().zip(&mut said) {
        assert_eq!(said.next().unwrap(), "read");
        assert!(child.wait().unwrap().success());
    }
    permit(folder.path(), 0o755);
    let after = fs::metadata(&path).unwrap();
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(after.modified().unwrap(), metadata.modified().unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "there is a file beside it");
}
