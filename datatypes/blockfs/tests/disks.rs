//! Disks that fail, are full, or lose their power: what was committed is there, and errors have kinds.
//!
//! Where FUSE can't be had each test says so and ends.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::path::Path;

use blockfs::blosc::{Compression, Compressor};
use blockfs::{BlockFs, BlockFsSpec, BlockState, BlockWriter, compact};
use chunks::DType;
use common::{blocks, read, silent, voxels};
use engine_api::{ErrorKind, Result};
use power_loss::{Disk, Faults, Image};
use tempfile::TempDir;

const NAME: &str = "vol.blockfs";

fn mount(image: &Image, seed: u64) -> Option<(TempDir, Disk)> {
    let folder = tempfile::tempdir().unwrap();
    match Disk::mount(folder.path(), image, seed) {
        Ok(disk) => Some((folder, disk)),
        Err(error) => {
            eprintln!("no disk can be mounted here: {error}");
            None
        }
    }
}

fn spec() -> BlockFsSpec {
    BlockFsSpec::new([16, 16, 24], [8, 8, 8], DType::U16)
        .files(2)
        .compression(Compression::new(Compressor::Lz4, 1).unwrap())
}

/// The blocks that have a first value; the others have none.
const FIRST: usize = 6;

/// A volume whose first blocks were committed.
fn prepare(folder: &Path) -> BlockFs {
    let path = folder.join(NAME);
    let volume = BlockFs::create(&path, &spec()).unwrap();
    let writer = BlockWriter::open(&path).unwrap();
    for block in &blocks(&volume)[..FIRST] {
        writer.write_block(block, &voxels(&volume, block, 1)).unwrap();
    }
    writer.close().unwrap();
    volume
}

/// How far writing a second value of every block has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Nothing,
    /// The first half was committed.
    Half,
    All,
    Compacted,
}

/// Writes a second value of every block, in two halves, and compacts.
fn change(folder: &Path, reached: &mut Reached) -> Result<()> {
    let path = folder.join(NAME);
    let writer = BlockWriter::open(&path)?;
    let volume = BlockFs::open(&path)?;
    let all = blocks(&volume);
    for (half, reached_then) in
        [(&all[..all.len() / 2], Reached::Half), (&all[all.len() / 2..], Reached::All)]
    {
        for block in half {
            writer.write_block(block, &voxels(&volume, block, 2))?;
        }
        writer.flush()?;
        *reached = reached_then;
    }
    drop(writer);
    compact(&path, &mut silent)?;
    *reached = Reached::Compacted;
    Ok(())
}

/// That each block has a value that it may have.
fn check(folder: &Path, reached: Reached, what: &str) {
    let volume = BlockFs::open(folder.join(NAME)).unwrap();
    let all = blocks(&volume);
    for (at, block) in all.iter().enumerate() {
        let committed = if at < all.len() / 2 { reached >= Reached::Half } else { reached >= Reached::All };
        let state = volume.block_state(block).unwrap();
        match state {
            BlockState::Committed => {
                let found = read(&volume, block);
                let first = !committed && at < FIRST && found == voxels(&volume, block, 1);
                assert!(
                    first || found == voxels(&volume, block, 2),
                    "{what}, {reached:?}: {block} has a wrong value"
                );
            }
            BlockState::Lost | BlockState::Missing | BlockState::Pending => {
                assert!(!committed && at >= FIRST, "{what}, {reached:?}: {block} is {state:?}");
            }
            // The power went after the entry was written, and before the record was.
            BlockState::Unchecked => {
                assert!(read(&volume, block) == voxels(&volume, block, 2), "{what}: {block}");
            }
        }
    }
    // And whatever happened, it can be written.
    let writer = BlockWriter::open(folder.join(NAME)).unwrap();
    for block in &all {
        writer.write_block(block, &voxels(&volume, block, 3)).unwrap();
    }
    writer.close().unwrap();
    compact(folder.join(NAME), &mut silent).unwrap();
    assert!(all.iter().all(|block| read(&volume, block) == voxels(&volume, block, 3)), "{what}");
}

#[test]
fn power_that_goes_at_any_moment_takes_nothing_that_was_committed() {
    let mut seen = Vec::new();
    for seed in 0..2 {
        for cut in 1.. {
            let Some((folder, disk)) = mount(&Image::new(), seed * 1000 + cut) else { return };
            drop(prepare(folder.path()));
            disk.set_faults(Faults::NONE.cut_at(cut));
            let mut reached = Reached::Nothing;
            let changed = change(folder.path(), &mut reached);
            let was_cut = disk.is_cut();
            assert!(was_cut || changed.is_ok(), "{changed:?}");
            let after = tempfile::tempdir().unwrap();
            disk.into_image().write(after.path()).unwrap();
            check(after.path(), reached, &format!("seed {seed}, cut at {cut}"));
            seen.push(reached);
            if !was_cut {
                break;
            }
        }
    }
    for reached in [Reached::Nothing, Reached::Half, Reached::All, Reached::Compacted] {
        assert!(seen.contains(&reached), "the power never went at {reached:?}");
    }
}

#[test]
fn power_that_goes_while_a_volume_is_created_leaves_none_or_an_empty_one() {
    for cut in 1.. {
        let Some((folder, disk)) = mount(&Image::new(), cut) else { return };
        disk.set_faults(Faults::NONE.cut_at(cut));
        let created = BlockFs::create(folder.path().join(NAME), &spec()).map(drop);
        let was_cut = disk.is_cut();
        let after = tempfile::tempdir().unwrap();
        disk.into_image().write(after.path()).unwrap();
        match BlockFs::open(after.path().join(NAME)) {
            Ok(volume) => {
                assert_eq!(volume.counts(&mut silent).unwrap().missing, 12);
                assert!(volume.info().unwrap().files.iter().all(|file| file.is_file()), "cut at {cut}");
            }
            Err(error) => {
                assert!(created.is_err(), "it was there for good");
                assert_eq!(error.kind(), ErrorKind::NotFound, "cut at {cut}: {error}");
                drop(prepare(after.path()));
            }
        }
        if !was_cut {
            created.unwrap();
            break;
        }
    }
}

#[test]
fn a_write_or_a_sync_that_fails_anywhere_is_told_and_loses_nothing() {
    for (what, faults) in [
        ("write", Faults::fail_write as fn(Faults, u64) -> Faults),
        ("sync", Faults::fail_sync as fn(Faults, u64) -> Faults),
    ] {
        let mut failed = 0;
        for number in 1.. {
            let Some((folder, disk)) = mount(&Image::new(), number) else { return };
            drop(prepare(folder.path()));
            disk.set_faults(faults(Faults::NONE, number));
            let mut reached = Reached::Nothing;
            let changed = change(folder.path(), &mut reached);
            let met = disk.faults_met();
            disk.set_faults(Faults::NONE);
            if let Err(error) = &changed {
                assert!(
                    matches!(error.kind(), ErrorKind::Io | ErrorKind::Poisoned),
                    "{what} {number}: {error}"
                );
                failed += 1;
            }
            check(folder.path(), reached, &format!("{what} {number}"));
            if met == 0 {
                changed.unwrap();
                break;
            }
        }
        assert!(failed > 5, "{failed} of the calls failed");
    }
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let mut full = 0;
    for more in (0..).step_by(2048) {
        let Some((folder, disk)) = mount(&Image::new(), more) else { return };
        drop(prepare(folder.path()));
        disk.set_faults(Faults::NONE.room(disk.taken() + more));
        let mut reached = Reached::Nothing;
        let changed = change(folder.path(), &mut reached);
        disk.set_faults(Faults::NONE);
        let done = changed.is_ok();
        if let Err(error) = changed {
            assert_eq!(error.kind(), ErrorKind::Full, "{error}");
            full += 1;
        }
        check(folder.path(), reached, &format!("{more} more bytes"));
        if done {
            break;
        }
    }
    assert!(full > 3, "the disk was full {full} times");
}

#[test]
fn a_disk_that_writes_in_pieces_changes_nothing() {
    let Some((folder, disk)) = mount(&Image::new(), 1) else { return };
    disk.set_faults(Faults::NONE.short_writes(2));
    drop(prepare(folder.path()));
    let mut reached = Reached::Nothing;
    change(folder.path(), &mut reached).unwrap();
    check(folder.path(), reached, "short writes");
}

#[test]
fn a_writer_that_doesn_t_know_what_is_on_the_disk_commits_nothing_more() {
    let Some((folder, disk)) = mount(&Image::new(), 1) else { return };
    let volume = prepare(folder.path());
    let block = &blocks(&volume)[0];
    let writer = BlockWriter::open(folder.path().join(NAME)).unwrap();
    disk.set_faults(Faults::NONE.fail_sync(1));
    writer.write_block(block, &voxels(&volume, block, 2)).unwrap();
    assert_eq!(writer.flush().unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(writer.flush().unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(
        writer.write_block(block, &voxels(&volume, block, 3)).unwrap_err().kind(),
        ErrorKind::Poisoned
    );
    assert_eq!(writer.close().unwrap_err().kind(), ErrorKind::Poisoned);
    assert!(read(&volume, block) == voxels(&volume, block, 1));
}

#[test]
fn a_block_that_was_deleted_is_written_again_though_its_file_got_shorter() {
    let folder = tempfile::tempdir().unwrap();
    let volume = prepare(folder.path());
    let path = folder.path().join(NAME);
    let all = blocks(&volume);
    let writer = BlockWriter::open(&path).unwrap();
    writer.write_block(&all[2], &voxels(&volume, &all[2], 2)).unwrap();
    let file = volume.info().unwrap().files[0].clone();
    let short = std::fs::metadata(&file).unwrap().len();
    // The file is longer by what is never committed, and the deletion notes its end.
    writer.write_block(&all[4], &voxels(&volume, &all[4], 2)).unwrap();
    writer.delete_block(&all[0]).unwrap();
    writer.close().unwrap();
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(short).unwrap();
    assert_eq!(volume.block_state(&all[0]).unwrap(), BlockState::Missing);
    let writer = BlockWriter::open(&path).unwrap();
    for block in [&all[0], &all[4]] {
        writer.write_block(block, &voxels(&volume, block, 3)).unwrap();
    }
    writer.close().unwrap();
    for (block, seed) in [(&all[0], 3), (&all[2], 2), (&all[4], 3)] {
        assert!(read(&volume, block) == voxels(&volume, block, seed), "{block}");
    }
}
