//! Copies from every engine to every other: the same to the byte, also when they were cut short, and refused
//! where they can't be.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::{ENGINES, HEAD, capabilities, disk_engines, fail, head, run, succeed, testdata};
use kvdag::chunks::{ChunkStore, read_region};
use kvdag::version::{Copied, Versioned, compare_stores, copy_store};
use kvdag::volume::Volume;
use kvdag::{
    Bytes, Error, ErrorKind, KeyRange, Result, Scan, Step, Store, StoreExt, Value, ViewExt, visitor,
};
use tempfile::tempdir;

const VERSIONS: [&str; 3] = ["main", "blanked", "marked"];
/// z, y, x.
const SHAPE: [usize; 3] = [189, 233, 197];
const VOXELS: usize = SHAPE[0] * SHAPE[1] * SHAPE[2];
/// Where two of the versions differ from the image: z, y, x, and the voxels there.
const BOXES: [([[usize; 2]; 3], u8); 2] =
    [([[70, 120], [90, 150], [105, 155]], 0), ([[10, 60], [20, 40], [0, 197]], 200)];

/// The path of a store in a folder, and its URL from there.
fn url(engine: &str, name: &str) -> String {
    format!("{engine}:{name}.{engine}")
}

/// Makes a store of three versions of the head MRI, with keys too. Chunks as they are make it larger, and a
/// copy of it longer.
fn make(at: &Path, store: &str, codec: &str) {
    let region = |(sides, _): ([[usize; 2]; 3], u8)| sides.map(|[from, to]| format!("{from}:{to}")).join(",");
    let image = testdata(HEAD);
    succeed(at, &["init", store]);
    succeed(at, &["import", store, &image, "--name", "head", "--codec", codec]);
    succeed(at, &["put", store, "colour", "red"]);
    succeed(at, &["commit", store, "-m", "as imported"]);
    succeed(at, &["branch", store, "blanked"]);
    succeed(at, &["fill", store, "head", "--region", &region(BOXES[0]), "--at", "blanked"]);
    succeed(at, &["delete", store, "colour", "--at", "blanked"]);
    succeed(at, &["commit", store, "blanked"]);
    succeed(at, &["branch", store, "marked", "--from", "main"]);
    succeed(at, &["fill", store, "head", "--region", &region(BOXES[1]), "--value", "200", "--at", "marked"]);
    succeed(at, &["put", store, "note", "a box marked", "--at", "marked"]);
    succeed(at, &["commit", store, "marked"]);
}

/// The voxels that the versions must have, from the image's own bytes.
fn expected() -> [Vec<u8>; 3] {
    let image = head().split_off(352);
    assert_eq!(image.len(), VOXELS);
    let [blanked, marked] = BOXES.map(|([z, y, x], voxel)| {
        let mut voxels = image.clone();
        for row in (z[0]..z[1]).flat_map(|z| (y[0]..y[1]).map(move |y| (z * SHAPE[1] + y) * SHAPE[2])) {
            voxels[row + x[0]..row + x[1]].fill(voxel);
        }
        voxels
    });
    [image, blanked, marked]
}

/// Every entry of a store, by one plain scan.
fn entries(store: &dyn Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut entries = Vec::new();
    let mut take = visitor(|key: &[u8], value: Value<'_>| {
        entries.push((key.to_vec(), value.bytes()?.to_vec()));
        Ok(Step::Next)
    });
    store.view().unwrap().scan(Scan::all(), &mut take).unwrap();
    entries
}

fn assert_same(copy: &dyn Store, original: &[(Vec<u8>, Vec<u8>)], what: &str) {
    let copied = entries(copy);
    assert_eq!(copied.len(), original.len(), "{what}");
    for (copied, original) in copied.iter().zip(original) {
        assert!(
            copied == original,
            "{what}: {} isn't {}",
            copied.0.escape_ascii(),
            original.0.escape_ascii()
        );
    }
}

fn open(at: &Path, url: &str) -> Box<dyn Store> {
    let (scheme, name) = url.split_once(':').unwrap();
    let url = format!("{scheme}:{}?mode=existing", at.join(name).display());
    kvdag::open(&url).unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "it is one of the watches, which may fail")]
fn go_on(_: &Copied) -> Result<()> {
    Ok(())
}

/// Compares what the command exports.
fn assert_exports(at: &Path, store: &str, expected: &[Vec<u8>; 3], what: &str) {
    let file = format!("{what}.raw");
    for (version, voxels) in VERSIONS.iter().zip(expected) {
        succeed(at, &["export", store, "head", &file, "--at", version]);
        assert!(fs::read(at.join(&file)).unwrap() == *voxels, "{what}, {version}");
        fs::remove_file(at.join(&file)).unwrap();
    }
    assert_eq!(succeed(at, &["scan", store, "--at", "blanked"]).out, "", "{what}");
    assert_eq!(succeed(at, &["scan", store, "--at", "marked"]).out, "colour\tred\nnote\ta box marked\n");
}

#[test]
fn every_engine_is_copied_to_every_other() {
    let Some(first) = disk_engines().next() else { return };
    let (folder, expected) = (tempdir().unwrap(), expected());
    let at = folder.path();
    make(at, &url(first, "made"), "zstd:3");
    assert_exports(at, &url(first, "made"), &expected, "the original");
    let original = entries(&*open(at, &url(first, "made")));
    // Each engine has a copy of its own, from which the others are made.
    for engine in disk_engines() {
        succeed(at, &["copy", "--from", &url(first, "made"), "--to", &url(engine, "source")]);
    }
    let mut pairs = 0;
    for (from, to) in ENGINES.iter().flat_map(|from| ENGINES.iter().map(move |to| (*from, *to))) {
        if from == to {
            continue;
        }
        pairs += 1;
        let what = format!("{from} to {to}");
        let target = url(to, from);
        // A store in memory is gone when a command ends.
        if from == "memory" || to == "memory" {
            let (memory, disk) = (kvdag::open("memory:").unwrap(), if to == "memory" { from } else { to });
            let source = open(at, &url(disk, "source"));
            copy_store(&*source, &*memory, &mut go_on).unwrap();
            if to == "memory" {
                compare_stores(&*source, &*memory, &mut go_on).unwrap();
                assert_same(&*memory, &original, &what);
                assert_voxels(memory, &expected, &what);
            } else {
                drop(source);
                let store =
                    kvdag::open(&format!("{to}:{}", at.join(format!("{from}.{to}")).display())).unwrap();
                copy_store(&*memory, &*store, &mut go_on).unwrap();
                compare_stores(&*memory, &*store, &mut go_on).unwrap();
                assert_same(&*store, &original, &what);
                drop(store);
                assert_exports(at, &target, &expected, &what);
            }
            continue;
        }
        let copy = ["copy", "--from", &url(from, "source"), "--to", &target, "--verify", "--format", "json"];
        let copied = succeed(at, &copy).json();
        assert_eq!(copied["verified"], true, "{what}");
        assert_eq!(copied["entries"], original.len(), "{what}");
        assert_same(&*open(at, &target), &original, &what);
        assert_exports(at, &target, &expected, &what);
    }
    assert_eq!(pairs, ENGINES.len() * (ENGINES.len() - 1));
}

fn assert_voxels(store: Box<dyn Store>, expected: &[Vec<u8>; 3], what: &str) {
    let store = Versioned::open(store).unwrap();
    for (version, voxels) in VERSIONS.iter().zip(expected) {
        let volume = Volume::open(&store, "head").unwrap().at(store.find(version).unwrap().id);
        let mut read = vec![0; VOXELS];
        read_region(&volume, &volume.grid().bounds(), &mut read).unwrap();
        assert!(read == *voxels, "{what}, {version}");
    }
}

/// Ends a copy after its first range, and answers the error's kind.
fn cut_short(source: &dyn Store, target: &dyn Store) {
    let mut watch = |done: &Copied| match done.ranges {
        0 => Ok(()),
        _ => Err(Error::new(ErrorKind::Unavailable, "cut short")),
    };
    assert_eq!(copy_store(source, target, &mut watch).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn a_damaged_copy_is_found() {
    let Some(first) = disk_engines().next() else { return };
    let folder = tempdir().unwrap();
    let at = folder.path();
    let made = url(first, "made");
    make(at, &made, "none");
    for engine in ENGINES {
        let source = open(at, &made);
        let path = at.join(format!("copy.{engine}"));
        let target = match *engine {
            "memory" => kvdag::open("memory:").unwrap(),
            _ => kvdag::open(&format!("{engine}:{}", path.display())).unwrap(),
        };
        cut_short(&*source, &*target);
        // The copy goes on by the record of a range, and doesn't look at the range again.
        let (key, sound) = damage(&*target, 20);
        if *engine == "memory" {
            copy_store(&*source, &*target, &mut go_on).unwrap();
            finds_all(&*source, &*target, &key, &sound, engine);
        } else {
            drop((source, target));
            let copy = ["copy", "--from", &made, "--to", &url(engine, "copy"), "--verify"];
            fail(at, &copy, 5, "the stores differ in a range");
            let (source, target) = (open(at, &made), open(at, &url(engine, "copy")));
            finds_all(&*source, &*target, &key, &sound, engine);
        }
    }
}

/// Changes one bit of the last byte of an entry's value; answers its key and the value that was there.
fn damage(store: &dyn Store, entry: usize) -> (Vec<u8>, Bytes) {
    let all = store.view().unwrap().collect(&KeyRange::ALL).unwrap();
    let (key, sound) = &all[entry];
    let mut bytes = sound.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    store.put(key.clone(), bytes).unwrap();
    (key.to_vec(), sound.clone())
}

fn finds_all(source: &dyn Store, target: &dyn Store, damaged: &[u8], sound: &Bytes, engine: &str) {
    let compared = || compare_stores(source, target, &mut go_on).map_err(|error| error.kind());
    assert_eq!(compared(), Err(ErrorKind::Corrupt), "{engine}: a byte");
    target.put(damaged, sound.clone()).unwrap();
    compared().unwrap();
    let (last, value) = target.view().unwrap().last(&KeyRange::ALL).unwrap().unwrap();
    for key in [damaged, &last] {
        let value = if key == damaged { sound } else { &value };
        target.delete(key).unwrap();
        assert_eq!(compared(), Err(ErrorKind::Corrupt), "{engine}: a key that is gone");
        target.put(key, value.clone()).unwrap();
        let more = [key, b"!"].concat();
        target.put(more.clone(), "").unwrap();
        assert_eq!(compared(), Err(ErrorKind::Corrupt), "{engine}: a key too many");
        target.delete(more).unwrap();
    }
    compared().unwrap();
}

#[test]
fn a_target_with_something_in_it_is_refused_and_kept() {
    let Some(first) = disk_engines().next() else { return };
    let folder = tempdir().unwrap();
    let at = folder.path();
    let source = url(first, "source");
    succeed(at, &["init", &source]);
    succeed(at, &["put", &source, "k", "v"]);
    for engine in disk_engines() {
        let store =
            kvdag::open(&format!("{engine}:{}", at.join(format!("other.{engine}")).display())).unwrap();
        store.put("not", "ours").unwrap();
        drop(store);
        let other = url(engine, "other");
        fail(at, &["copy", "--from", &source, "--to", &other], 5, "the target isn't empty");
        assert_eq!(entries(&*open(at, &other)), [(b"not".to_vec(), b"ours".to_vec())], "{engine}");

        let store = url(engine, "store");
        succeed(at, &["init", &store]);
        succeed(at, &["put", &store, "k", "another"]);
        let before = entries(&*open(at, &store));
        fail(at, &["copy", "--from", &source, "--to", &store], 4, "a store already");
        assert_ne!(run(at, &["copy", "--from", &store, "--to", &store]).code, 0, "{engine}: onto itself");
        assert_same(&*open(at, &store), &before, engine);
    }
}

#[test]
fn a_key_that_the_target_cannot_hold_is_named() {
    let limit = |engine: &str| capabilities(engine).limits.key_bytes.unwrap();
    let folder = tempdir().unwrap();
    let at = folder.path();
    for from in disk_engines() {
        let source = url(from, "source");
        succeed(at, &["init", &source]);
        // An entry's key is the user's and 17 bytes more.
        let key = "k".repeat(limit(from) - 17);
        succeed(at, &["put", &source, &key, "v"]);
        let longest = entries(&*open(at, &source)).iter().map(|(key, _)| key.len()).max().unwrap();
        assert_eq!(longest, limit(from));
        for to in disk_engines().filter(|to| *to != from) {
            let target = url(to, from);
            let copied =
                run(at, &["copy", "--from", &source, "--to", &target, "--verify", "--format", "json"]);
            if limit(to) >= longest {
                assert_eq!(copied.code, 0, "{from} to {to}: {}", copied.err);
                assert_eq!(succeed(at, &["get", &target, &key]).out, "v");
                continue;
            }
            assert_eq!(copied.code, 4, "{from} to {to}: {}", copied.err);
            let error: serde_json::Value = serde_json::from_str(&copied.err).unwrap();
            let error = &error["error"];
            assert_eq!(error["kind"], "too large");
            assert_eq!(error["fields"]["length"], longest.to_string());
            assert_eq!(error["fields"]["limit"], limit(to).to_string());
            // Nothing takes it for a store.
            for command in ["info", "log", "scan", "check"] {
                fail(at, &[command, &target], 5, "");
            }
        }
    }
}

/// A copy that a process makes, and what its target is when the process has ended in the middle.
#[cfg(unix)]
mod halfway {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, Output, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    /// Trials of one pair, each at another moment, before the test has failed.
    const TRIALS: u32 = 60;

    /// What is known of the target after a trial.
    #[derive(Debug, PartialEq)]
    enum State {
        /// It has no range yet.
        Before,
        Halfway,
        Complete,
    }

    fn bytes_in(folder: &Path) -> u64 {
        let Ok(entries) = fs::read_dir(folder) else { return 0 };
        let bytes = |entry: fs::DirEntry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            metadata => metadata.map_or(0, |metadata| metadata.len()),
        };
        entries.flatten().map(bytes).sum()
    }

    fn copy_folder(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy_folder(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }

    /// Looks at a copy of the target, so that what goes on with it finds it as the process left it.
    fn state(at: &Path, engine: &str) -> State {
        let looked_at = at.join("looked-at");
        if looked_at.exists() {
            fs::remove_dir_all(&looked_at).unwrap();
        }
        copy_folder(&at.join("to"), &looked_at);
        if !looked_at.join(format!("copy.{engine}")).exists() {
            return State::Before;
        }
        let view = open(&looked_at, &url(engine, "copy")).view().unwrap();
        // The format marker comes last, and each range has a record under 02 until then.
        match (view.exists(b"\x00\x01").unwrap(), view.prefix(b"\x02").unwrap().len()) {
            (true, records) => {
                assert_eq!(records, 0, "{engine}: a complete copy has no records of its making");
                State::Complete
            }
            (false, 0) => State::Before,
            (false, _) => State::Halfway,
        }
    }

    /// Waits until the target has so many bytes; answers whether it had them before the copy was over.
    fn wait_for(child: &mut Child, folder: &Path, bytes: u64) -> bool {
        let deadline = Instant::now() + Duration::from_mins(1);
        while bytes_in(folder) < bytes {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "the copy doesn't come to an end");
            thread::yield_now();
        }
        true
    }

    /// Copies until a signal lands in the middle; answers how the process ended.
    fn stop_halfway(at: &Path, copy: &[&str], engine: &str, signal: &str) -> Output {
        let target = at.join("to");
        let (mut least, mut most) = (1, 24 << 20);
        for trial in 0..TRIALS {
            if target.exists() {
                fs::remove_dir_all(&target).unwrap();
            }
            fs::create_dir(&target).unwrap();
            let mut child =
                common::command(at, copy).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            // Between what was too early and what was too late, and not twice at one place.
            let bytes = least + (most - least) / 2;
            let wait = wait_for(&mut child, &target, bytes);
            if wait {
                assert!(
                    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success()
                );
            }
            let output = child.wait_with_output().unwrap();
            match state(at, engine) {
                State::Halfway if !output.status.success() => return output,
                State::Complete | State::Halfway => most = bytes,
                State::Before => least = bytes,
            }
            // What the disk and the scheduler did to one trial needn't be so in the next.
            if most - least < 1 << 10 || trial % 12 == 11 {
                (least, most) = (1, (8 << 20) + (u64::from(trial) << 20));
            }
        }
        panic!("{copy:?}: {signal} never came halfway in {TRIALS} trials");
    }

    /// Stops copies from these engines to every other whose stores outlast a process, and goes on with them.
    fn stop_each(from: &[&str], signal: &str, ended: impl Fn(&Output)) {
        let Some(first) = disk_engines().next() else { return };
        let folder = tempdir().unwrap();
        let at = folder.path();
        let made = url(first, "made");
        make(at, &made, "none");
        // More ranges: a copy has more places in which it can be stopped.
        succeed(at, &["new", &made, "main"]);
        succeed(at, &["import", &made, &testdata(HEAD), "--name", "second", "--codec", "none"]);
        succeed(at, &["commit", &made, "main"]);
        let original = entries(&*open(at, &made));
        for from in from {
            let source = url(from, "source");
            succeed(at, &["copy", "--from", &made, "--to", &source]);
            for to in disk_engines().filter(|to| to != from) {
                let target = format!("{to}:to/copy.{to}");
                let copy = ["copy", "--from", &source, "--to", &target, "--format", "json"];
                ended(&stop_halfway(at, &copy, to, signal));
                for command in ["info", "scan"] {
                    fail(at, &[command, &target], 5, "isn't one of kvdag");
                }
                let copied = succeed(at, &[&copy[..], &["--verify"]].concat()).json();
                let what = format!("{from} to {to}, {signal}");
                assert!(copied["resumed"].as_u64().unwrap() > 0, "{what}: {copied}");
                assert_eq!(copied["entries"], original.len(), "{what}");
                assert_same(&*open(&at.join("to"), &url(to, "copy")), &original, &what);
            }
        }
    }

    #[test]
    fn a_copy_that_was_killed_goes_on_and_ends_the_same() {
        let every: Vec<_> = disk_engines().collect();
        stop_each(&every, "-KILL", |output| assert_eq!(output.status.signal(), Some(9), "{output:?}"));
    }

    #[test]
    fn an_interrupted_copy_can_be_gone_on_with() {
        let two: Vec<_> = disk_engines().take(2).collect();
        stop_each(&two, "-INT", |output| assert_eq!(output.status.code(), Some(130), "{output:?}"));
    }
}
