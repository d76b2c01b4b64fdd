//! A cache that its reader may not write, in a folder that nobody may write, by the command.
#![cfg(all(unix, feature = "cli", feature = "cache", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use common::{Run, succeed, testdata};
use tempfile::tempdir;

/// Who owns nothing. Permissions don't hold for root, who runs the command as this user.
const NOBODY: u32 = 65_534;

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Runs the command as somebody who may write in `own` alone.
fn run(own: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(own.join("kvdag"));
    command.current_dir(own).args(arguments).env_remove("RUST_BACKTRACE");
    if fs::metadata(own.join("kvdag")).unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    let run = Run::new(&command.output().expect("the command starts"));
    assert!(run.code != 70 && !run.err.contains("panicked at"), "{arguments:?}: {}", run.err);
    run
}

#[test]
fn a_cache_that_may_not_be_written_is_read_and_one_that_may_not_be_made_is_done_without() {
    let (shared, own) = (tempdir().unwrap(), tempdir().unwrap());
    let (shared, own) = (shared.path().canonicalize().unwrap(), own.path().canonicalize().unwrap());
    fs::copy(env!("CARGO_BIN_EXE_kvdag"), own.join("kvdag")).unwrap();
    permit(&own, 0o755);
    let image = ["--name", "n", "--chunk", "16,16,16"];
    succeed(&own, &[&["volume", "import", "n.redb", &testdata("nuclei.tif")][..], &image].concat());
    succeed(&own, &["commit", "n.redb", "-m", "as imported"]);
    let place = |name: &str| shared.join(name).display().to_string();
    let (cache, none) = (place("n.cache"), place("none.cache"));
    let chunks = succeed(&own, &["cache", "warm", &cache, "n.redb", "--format", "json"]).json();
    succeed(&own, &["volume", "export", "n.redb", "n", "n.raw"]);
    let voxels = fs::read(own.join("n.raw")).unwrap();
    let expected = fs::read(shared.join("n.cache")).unwrap();
    permit(&shared.join("n.cache"), 0o444);
    permit(&shared, 0o555);
    if fs::metadata(&own).unwrap().uid() == 0 {
        for path in [&own, &own.join("n.redb")] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    let export = ["volume", "export", "n.redb", "n", "out.raw", "--format", "json", "--cache"];
    let told = run(&own, &[&export[..], &[&cache]].concat());
    assert_eq!(told.code, 0, "{}", told.err);
    let used = &told.json()["cache"];
    assert!(fs::read(own.join("out.raw")).unwrap() == voxels);
    assert_eq!((&used["written"], &used["misses"]), (&false.into(), &0.into()));
    assert_eq!(used["hits"], chunks["chunks"]);
    assert!(used["notes"][0].as_str().unwrap().contains("can't be written here and now"), "{used}");
    for (command, entries) in [("info", "entries"), ("stats", "entries"), ("verify", "sound")] {
        let told = run(&own, &["cache", command, &cache, "--format", "json"]);
        assert_eq!((told.code, &told.json()[entries]), (0, &chunks["chunks"]), "{}", told.err);
    }

    let told = run(&own, &[&export[..], &[&none]].concat());
    assert_eq!(told.code, 0, "{}", told.err);
    let used = &told.json()["cache"];
    assert!(used["notes"][0].as_str().unwrap().contains("no cache can be made here"), "{used}");
    for (arguments, name) in [
        (["cache", "clear", &cache].as_slice(), "n.cache"),
        (&["cache", "warm", &cache, "n.redb"], "n.cache"),
        (&["cache", "warm", &none, "n.redb"], "none.cache"),
        (&["cache", "create", &none], "none.cache"),
    ] {
        let refused = run(&own, arguments);
        assert_eq!(refused.code, 4, "{arguments:?}: {}", refused.err);
        assert!(refused.err.contains(name), "{arguments:?}: {}", refused.err);
    }
    assert!(fs::read(shared.join("n.cache")).unwrap() == expected && !Path::new(&none).exists());
    permit(&shared, 0o755);
}
