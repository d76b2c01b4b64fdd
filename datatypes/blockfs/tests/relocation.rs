//! Volumes that go elsewhere, and what keeps them where they are.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use blockfs::{BlockFs, BlockWriter, Relocation, Stage, compact, rebase, relocate};
use common::{at, blocks, create, place, read, silent, spec, voxels};
use engine_api::{Error, ErrorKind};

fn fill(path: &Path) -> BlockFs {
    let volume = BlockFs::open(path).unwrap();
    let writer = BlockWriter::open(path).unwrap();
    for block in blocks(&volume) {
        writer.write_block(&block, &voxels(&volume, &block, 1)).unwrap();
    }
    writer.close().unwrap();
    volume
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn is_whole(volume: &BlockFs) -> bool {
    blocks(volume).iter().all(|block| read(volume, block) == voxels(volume, block, 1))
}

#[test]
fn a_volume_with_writers_stays_where_it_is() {
    let (folder, path) = place();
    create(&path, &spec());
    let volume = fill(&path);
    let writer = BlockWriter::open(&path).unwrap();
    let to = folder.path().join("to");
    for error in [
        relocate(&path, &to, Relocation::Copy, &mut silent).map(drop),
        relocate(&path, &to, Relocation::Move, &mut silent).map(drop),
        rebase(&path),
        compact(&path, &mut silent).map(drop),
    ] {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Locked);
    }
    assert!(!to.exists());
    drop(writer);
    assert!(is_whole(&volume));
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_behind() {
    let (folder, path) = place();
    create(&path, &spec());
    let volume = fill(&path);
    let to = folder.path().join("to");
    fs::create_dir(&to).unwrap();
    for taken in ["vol.blockfs", "vol.blockfs.1"] {
        fs::write(to.join(taken), "somebody else's").unwrap();
        for how in [Relocation::Copy, Relocation::Move] {
            let error = relocate(&path, &to, how, &mut silent).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            assert_eq!(names(&to), [taken]);
            assert_eq!(fs::read(to.join(taken)).unwrap(), b"somebody else's");
        }
        fs::remove_file(to.join(taken)).unwrap();
    }
    // A watcher that has seen enough ends it anywhere.
    for last in 0..3 {
        let mut calls = 0;
        let error = relocate(&path, &to, Relocation::Copy, &mut |progress| {
            assert_eq!(progress.stage, Stage::Bytes);
            calls += 1;
            if calls > last { Err(Error::new(ErrorKind::Busy, "enough")) } else { Ok(()) }
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Busy);
        assert!(names(&to).is_empty(), "{:?}", names(&to));
    }
    assert!(is_whole(&volume));
}

#[test]
fn block_files_of_one_name_in_two_folders_get_names_of_their_own() {
    let (folder, path) = place();
    for disk in ["a", "b"] {
        fs::create_dir(folder.path().join(disk)).unwrap();
    }
    create(&path, &spec().file_names(["a/blocks", "b/blocks"]));
    fill(&path);
    assert_eq!(rebase(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let to = folder.path().join("to");
    let moved = relocate(&path, &to, Relocation::Move, &mut silent).unwrap();
    assert!(is_whole(&BlockFs::open(&moved).unwrap()));
    assert!(names(&to).contains(&"vol.blockfs.0".to_owned()));
    assert_eq!(names(folder.path()), ["a", "b", "to"]);
    assert!(names(&folder.path().join("a")).is_empty());
    // It is a volume like any: written, compacted, and moved on.
    let volume = fill(&moved);
    compact(&moved, &mut silent).unwrap();
    assert!(is_whole(&volume));
    assert_eq!(volume.block_state(&at(0, 0, 0)).unwrap(), blockfs::BlockState::Committed);
}

#[test]
fn block_files_on_other_disks_stay_there_when_they_are_compacted() {
    let (folder, path) = place();
    for disk in ["a", "b"] {
        fs::create_dir(folder.path().join(disk)).unwrap();
    }
    create(&path, &spec().file_names(["a/blocks", "b/blocks"]));
    fill(&path);
    let volume = fill(&path);
    let compacted = compact(&path, &mut silent).unwrap();
    assert_eq!((compacted.after * 2, compacted.blocks), (compacted.before, 60));
    assert!(is_whole(&volume));
    for disk in ["a", "b"] {
        let names = names(&folder.path().join(disk));
        assert_eq!(names.len(), 1, "{names:?}");
        assert_ne!(names[0], "blocks");
    }
    assert_eq!(names(folder.path()).len(), 4);
}
