//! Bad input to every engine that keeps files: what each makes of others' files, damage, folders that admit
//! no writes, second openers, a full disk, and sizes over its limits.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use common::{capabilities, disk_engines, fail, run, succeed};
use kvdag::keyvalue::KeyValue;
use kvdag::{Bytes, ErrorKind, Processes, StoreExt};
use tempfile::{TempDir, tempdir};

/// A folder with a store in it that holds a key, and how a command names the store.
fn with_store(engine: &str) -> (TempDir, String) {
    let folder = tempdir().unwrap();
    let store = format!("{engine}:s");
    succeed(folder.path(), &["init", &store]);
    succeed(folder.path(), &["put", &store, "k", "v"]);
    (folder, store)
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Puts files back as they were, and removes what has come to them.
fn restore(folder: &Path, sound: &BTreeMap<PathBuf, Vec<u8>>) {
    for path in files(folder).keys().filter(|path| !sound.contains_key(*path)) {
        fs::remove_file(path).unwrap();
    }
    for (path, bytes) in sound {
        fs::write(path, bytes).unwrap();
    }
}

/// Runs a test for each engine, beside each other.
fn each_engine(test: impl Fn(&'static str) + Sync) {
    thread::scope(|scope| {
        for engine in disk_engines() {
            scope.spawn(|| test(engine));
        }
    });
}

#[test]
fn a_store_of_another_engine_is_refused_and_kept() {
    each_engine(|theirs| {
        let (folder, _) = with_store(theirs);
        let before = files(folder.path());
        for ours in disk_engines().filter(|ours| *ours != theirs) {
            let store = format!("{ours}:s");
            for arguments in [&["info", &store][..], &["check", &store], &["put", &store, "k", "w"]] {
                fail(folder.path(), arguments, 5, "");
                assert!(files(folder.path()) == before, "{ours} has changed a store of {theirs}");
            }
            fail(folder.path(), &["init", &store], 4, "");
        }
        assert!(files(folder.path()) == before, "{theirs}");
    });
}

/// A store with a volume that has no voxel of 0, which is what a chunk that isn't there reads as.
fn with_volume(engine: &str) -> (TempDir, String, Vec<u8>) {
    let (folder, store) = with_store(engine);
    let voxels: Vec<u8> =
        (0..120_000_u32).map(|at| u8::try_from(at.wrapping_mul(at) % 255).unwrap() + 1).collect();
    fs::write(folder.path().join("v.raw"), &voxels).unwrap();
    let import = ["import", &store, "v.raw", "--shape", "12,100,100", "--dtype", "u8", "--chunk", "6,50,50"];
    succeed(folder.path(), &[&import[..], &["--name", "v", "--codec", "none"]].concat());
    fs::remove_file(folder.path().join("v.raw")).unwrap();
    (folder, store, voxels)
}

/// Looks at a damaged store in every way. An error must be typed, as `run` demands, a refusal leaves the
/// files as they are, and an answer is right, or the check finds what is wrong.
fn look_at(at: &Path, engine: &str, store: &str, voxels: &[u8], what: &str) -> bool {
    let before = files(at);
    let kept = |arguments: &[&str]| {
        let after = files(at);
        // LMDB's lock file tells who has the store open, and sled mends its log as it opens a store.
        let store = before.iter().filter(|(path, _)| engine != "sled" && !path.ends_with("s-lock"));
        for (path, bytes) in store {
            assert!(
                after.get(path) == Some(bytes),
                "{what}: refused, but {arguments:?} has changed the store"
            );
        }
    };
    let scan = run(at, &["scan", store]);
    assert!([0, 5].contains(&scan.code), "{what}: {}", scan.err);
    if scan.code != 0 {
        kept(&["scan"]);
    }
    let out = tempdir().unwrap();
    let file = out.path().join("o.raw").display().to_string();
    let export = run(at, &["export", store, "v", &file]);
    let mut absent = false;
    if export.code == 0 {
        let read = fs::read(&file).unwrap();
        assert!(
            read.iter().zip(voxels).all(|(read, voxel)| read == voxel || *read == 0),
            "{what}: a chunk with other voxels passed its checksum"
        );
        absent = read != voxels;
    } else {
        // A volume whose record or branch can't be found isn't there.
        assert!([3, 5].contains(&export.code), "{what}: {}", export.err);
        kept(&["export"]);
    }
    let check = run(at, &["check", store]);
    assert!([0, 5].contains(&check.code), "{what}: {}", check.err);
    assert!(!absent || check.code == 5, "{what}: chunks are gone, and the check doesn't find it");
    check.code == 5
}

#[test]
fn damaged_stores_are_refused_or_read_rightly() {
    each_engine(|engine| {
        let (folder, store, voxels) = with_volume(engine);
        let at = folder.path();
        let sound = files(at);
        assert!(!look_at(at, engine, &store, &voxels, "nothing"), "{engine}: a sound store");
        let (mut found, mut trials) = (0, 0);
        let mut trial = |path: &Path, bytes: &[u8], what: &str| {
            restore(at, &sound);
            fs::write(path, bytes).unwrap();
            let name = path.strip_prefix(at).unwrap().display();
            found += usize::from(look_at(at, engine, &store, &voxels, &format!("{engine}, {name}, {what}")));
            trials += 1;
        };
        // LMDB makes a lock file anew, whatever was in it, unless it is another program's.
        for (path, whole) in
            sound.iter().filter(|(path, bytes)| !path.ends_with("s-lock") && !bytes.is_empty())
        {
            for length in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
                if length < whole.len() {
                    trial(path, &whole[..length], &format!("cut to {length} bytes"));
                }
            }
            // An odd step comes to every place of a page in turn.
            let flips = if whole.len() > 100_000 { 24 } else { 6 };
            let heads = (0..whole.len().min(100)).step_by(15);
            let all = (0..whole.len()).step_by((whole.len() / flips) | 1);
            for (turn, offset) in heads.chain(all).enumerate() {
                let mut bytes = whole.clone();
                bytes[offset] ^= 1 << (turn % 8);
                trial(path, &bytes, &format!("byte {offset} flipped"));
            }
        }
        assert!(found > trials / 10, "{engine}: the check has found {found} of {trials}");
    });
}

#[test]
fn a_second_opener_is_locked_out_or_shares_the_store() {
    for engine in disk_engines() {
        let (folder, store) = with_store(engine);
        let at = folder.path();
        let url = format!("{engine}:{}", at.join("s").display());
        let first = kvdag::open_versioned(&url).unwrap();
        let version = first.find("main").unwrap().id;
        let keys = KeyValue::open(&first, "default").unwrap();
        keys.at(version).put(b"first", "1").unwrap();
        let second = kvdag::open_versioned(&url);
        if capabilities(engine).processes == Processes::One {
            assert_eq!(second.unwrap_err().kind(), ErrorKind::Locked, "{engine}");
            for arguments in [&["get", &store, "k"][..], &["put", &store, "k", "w"], &["check", &store]] {
                fail(at, arguments, 6, "");
            }
        } else {
            let second = second.unwrap();
            KeyValue::open(&second, "default").unwrap().at(version).put(b"second", "2").unwrap();
            assert_eq!(succeed(at, &["get", &store, "second"]).out, "2", "{engine}");
            succeed(at, &["put", &store, "third", "3"]);
            assert_eq!(keys.at(version).get(b"third").unwrap().as_deref(), Some(b"3".as_slice()), "{engine}");
        }
        keys.at(version).put(b"last", "4").unwrap();
        drop(first);
        let all = succeed(at, &["scan", &store, "--keys"]).out;
        let shared = ["first\nk\nlast\nsecond\nthird\n", "first\nk\nlast\n"];
        assert!(
            all == shared[usize::from(capabilities(engine).processes == Processes::One)],
            "{engine}: {all}"
        );
        succeed(at, &["check", &store]);
    }
}

#[test]
fn sizes_at_the_limit_are_stored_and_those_over_it_refused() {
    /// What a test may allocate.
    const LARGEST: usize = 64 << 20;
    for engine in disk_engines() {
        let folder = tempdir().unwrap();
        let store = kvdag::open(&format!("{engine}:{}", folder.path().join("s").display())).unwrap();
        let limits = store.capabilities().limits;
        let (key, value) = (limits.key_bytes.unwrap(), limits.value_bytes.unwrap());
        let refused = |error: kvdag::Error, limit: usize| {
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{engine}: {error}");
            assert!(
                error.fields().any(|(name, text)| name == "limit" && text == limit.to_string()),
                "{error}"
            );
        };
        store.put(vec![7; key], "at the limit").unwrap();
        assert_eq!(store.get(vec![7; key]).unwrap().as_deref(), Some(b"at the limit".as_slice()), "{engine}");
        refused(store.put(vec![7; key + 1], "over it").unwrap_err(), key);
        if value <= LARGEST {
            let most = Bytes::from(vec![7; value]);
            store.put("large", most.clone()).unwrap();
            assert!(store.get("large").unwrap().unwrap() == most, "{engine}");
            refused(store.put("larger", vec![7; value + 1]).unwrap_err(), value);
            assert_eq!(store.get("larger").unwrap(), None, "{engine}");
        }
    }
}

#[cfg(unix)]
#[test]
fn what_admits_no_writes_is_read_or_refused_and_kept() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Output};
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let folder = tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // The superuser writes everywhere, and another user may not reach this build's own folder.
    let id = Command::new("id").arg("-u").output().unwrap();
    let superuser = id.stdout.starts_with(b"0\n");
    let program = folder.path().join("kvdag");
    if fs::hard_link(env!("CARGO_BIN_EXE_kvdag"), &program).is_err() {
        fs::copy(env!("CARGO_BIN_EXE_kvdag"), &program).unwrap();
    }
    let as_user = |at: &Path, arguments: &[&str]| -> std::io::Result<Output> {
        let mut command = if superuser { Command::new("setpriv") } else { Command::new(&program) };
        if superuser {
            command.args(nobody).arg(&program);
        }
        command.args(arguments).current_dir(at).output()
    };
    match as_user(folder.path(), &["engines"]) {
        Ok(output) if output.status.success() => {}
        refused => return println!("not run: the command can't be run as another user: {refused:?}"),
    }
    for engine in disk_engines() {
        let at = folder.path().join(engine);
        fs::create_dir(&at).unwrap();
        let (store, new) = (format!("{engine}:s"), format!("{engine}:new"));
        succeed(&at, &["init", &store]);
        succeed(&at, &["put", &store, "k", "v"]);
        let modes = |folder: u32, file: u32| {
            for path in files(&at).keys() {
                fs::set_permissions(path, fs::Permissions::from_mode(file)).unwrap();
                for above in path.ancestors().skip(1).take_while(|above| above.starts_with(&at)) {
                    fs::set_permissions(above, fs::Permissions::from_mode(folder)).unwrap();
                }
            }
        };
        // A folder that admits no files, and then one that does, with files in it that admit no writes.
        for (folder, file) in [(0o555, 0o444), (0o777, 0o444)] {
            modes(folder, file);
            let before = files(&at);
            let what = format!("{engine}, {folder:o} {file:o}");
            let ended = |arguments: &[&str]| {
                let output = as_user(&at, arguments).unwrap();
                let err = String::from_utf8_lossy(&output.stderr).into_owned();
                let code = output.status.code().unwrap_or_else(|| panic!("{what}: {arguments:?} was killed"));
                assert!(code != 70 && !err.contains("panicked"), "{what}: {arguments:?}: {err}");
                (code, String::from_utf8_lossy(&output.stdout).into_owned(), err)
            };
            if folder == 0o555 {
                assert_eq!(ended(&["init", &new]).0, 4, "{what}");
            }
            let (code, out, err) = ended(&["get", &store, "k"]);
            assert!((code == 0 && out == "v") || (code == 4 && err.starts_with("error: ")), "{what}: {err}");
            for refused in [&["put", &store, "k", "w"][..], &["delete", &store, "k"], &["check", &store]] {
                let (code, _, err) = ended(refused);
                assert_eq!(code, 4, "{what}: {refused:?}: {err}");
            }
            let after = files(&at);
            assert!(
                before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)),
                "{what}: it was changed"
            );
        }
        modes(0o755, 0o644);
        assert_eq!(succeed(&at, &["get", &store, "k"]).out, "v");
        succeed(&at, &["check", &store]);
    }
}

/// Runs a hidden test of this binary within a file system of a few megabytes of its own, which is gone with
/// the test. Answers nothing where the system doesn't let it mount one.
#[cfg(target_os = "linux")]
fn on_a_small_disk(task: &str, engine: &str) -> Option<std::process::Output> {
    use std::process::Command;
    let mount = "mount -t tmpfs -o size=8m kvdag . && cd . ";
    let folder = tempdir().unwrap();
    let within = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command.arg(std::env::current_exe().unwrap()).arg(task).current_dir(folder.path());
        command.env("KVDAG_TEST_ENGINE", engine).output()
    };
    match within(mount) {
        Ok(output) if output.status.success() => {}
        refused => {
            println!("not run: no file system can be mounted in a namespace of one's own: {refused:?}");
            return None;
        }
    }
    let script = format!("{mount} && cd \"$PWD\" && exec \"$1\" --exact --ignored --nocapture \"$2\"");
    Some(within(&script).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_and_can_be_gone_on_with() {
    for engine in disk_engines() {
        let Some(output) = on_a_small_disk("fills_its_disk", engine) else { return };
        assert!(output.status.success(), "{engine}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{engine}: {output:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "what runs within the small file system of the test above"]
fn fills_its_disk() {
    let Ok(engine) = std::env::var("KVDAG_TEST_ENGINE") else { return };
    let (at, store) = (Path::new("."), format!("{engine}:s"));
    let kind = |err: &str| -> String {
        let error: serde_json::Value = serde_json::from_str(err).unwrap();
        error["error"]["kind"].as_str().unwrap().to_owned()
    };
    fs::write("ballast", vec![7; 2 << 20]).unwrap();
    // Incompressible, as an engine may compress.
    let mut seed = 1_u32;
    let value: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_le_bytes()[3]
    })
    .take(200_000)
    .collect();
    fs::write("value", &value).unwrap();
    succeed(at, &["init", &store]);
    let put = |key: &str| run(at, &["put", &store, key, "--file", "value", "--format", "json"]);
    let mut stored = 0;
    let failed = loop {
        let put = put(&format!("k{stored:03}"));
        if put.code != 0 {
            break put;
        }
        stored += 1;
        assert!(stored < 100, "the disk never is full");
    };
    assert!(stored > 5, "{stored}: {}", failed.err);
    // sled can't tell what of a batch has reached its log; the others have rolled it back.
    let expected = if engine == "sled" { "ambiguous" } else { "full" };
    assert_eq!((failed.code, kind(&failed.err).as_str()), (1, expected), "{}", failed.err);
    let complete = |out: &str| (0..stored).all(|key| out.lines().any(|line| line == format!("k{key:03}")));
    // On the full disk it is read, or says that it has no room to be opened.
    let scan = run(at, &["scan", &store, "--keys", "--format", "text"]);
    assert!(if scan.code == 0 { complete(&scan.out) } else { scan.err.contains("No space") }, "{}", scan.err);
    let again = put("again");
    assert!(again.code == 0 || ["full", "ambiguous"].contains(&kind(&again.err).as_str()), "{}", again.err);
    fs::remove_file("ballast").unwrap();
    assert!(complete(&succeed(at, &["scan", &store, "--keys"]).out), "{engine}: {stored} were stored");
    succeed(at, &["put", &store, "after", "--file", "value"]);
    for key in (0..stored).map(|key| format!("k{key:03}")).chain(["after".to_owned()]) {
        let file = fs::File::create("read").unwrap();
        let status = common::command(at, &["get", &store, &key]).stdout(file).status().unwrap();
        assert!(status.success() && fs::read("read").unwrap() == value, "{engine}: {key}");
    }
    succeed(at, &["check", &store]);
}
