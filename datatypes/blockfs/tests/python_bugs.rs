//! What goes wrong with BlockFS of Python, and doesn't here.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use blockfs::{
    BlockFs, BlockFsSpec, BlockState, BlockWriter, Relocation, WriterPool, compact, rebase, relocate,
};
use chunks::DType;
use common::{at, blocks, create, one_block, place, read, silent, spec, voxels};
use engine_api::ErrorKind;

#[test]
fn rewriting_a_block_forty_times_overflows_nothing() {
    let (_folder, path) = place();
    let volume = create(&path, &one_block());
    let writer = BlockWriter::open(&path).unwrap();
    for seed in 0..1000 {
        writer.write_block(&at(0, 0, 0), &voxels(&volume, &at(0, 0, 0), seed)).unwrap();
    }
    writer.close().unwrap();
    assert_eq!(read(&volume, &at(0, 0, 0)), voxels(&volume, &at(0, 0, 0), 999));
}

#[test]
fn rewriting_with_python_s_widths_is_refused_in_time_and_compacting_makes_room() {
    let (_folder, path) = place();
    let volume = create(&path, &one_block().compat(true));
    let info = volume.info().unwrap();
    assert_eq!((info.offset_bits, info.size_bits), (12, 11));
    let block = at(0, 0, 0);
    let writer = BlockWriter::open(&path).unwrap();
    let mut last = None;
    let error = (0..40)
        .find_map(|seed| {
            let error = writer.write_block(&block, &voxels(&volume, &block, seed)).err();
            last = if error.is_none() { Some(seed) } else { last };
            error
        })
        .expect("twelve bits don't hold forty blocks");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("compact"), "{error}");
    writer.close().unwrap();
    let expected = voxels(&volume, &block, last.unwrap());
    assert_eq!(read(&volume, &block), expected);

    let compacted = compact(&path, &mut silent).unwrap();
    assert!(compacted.after * 3 < compacted.before, "{compacted:?}");
    assert_eq!(read(&volume, &block), expected);
    let writer = BlockWriter::open(&path).unwrap();
    writer.write_block(&block, &voxels(&volume, &block, 77)).unwrap();
    writer.close().unwrap();
    assert_eq!(read(&volume, &block), voxels(&volume, &block, 77));
}

#[test]
fn custom_widths_and_strides_survive_copies_and_moves() {
    for compat in [true, false] {
        let (folder, path) = place();
        let spec = spec().entry_bits(37, 21).strides([1, 3, 12]).compat(compat);
        let volume = create(&path, &spec);
        let writer = BlockWriter::open(&path).unwrap();
        for block in blocks(&volume) {
            writer.write_block(&block, &voxels(&volume, &block, 5)).unwrap();
        }
        writer.close().unwrap();
        let mut path = path;
        for (number, how) in [Relocation::Copy, Relocation::Move, Relocation::Move].into_iter().enumerate() {
            let to = folder.path().join(number.to_string());
            let moved = relocate(&path, &to, how, &mut silent).unwrap();
            assert_eq!(path.exists(), how == Relocation::Copy);
            path = moved;
            let volume = BlockFs::open(&path).unwrap();
            let info = volume.info().unwrap();
            assert_eq!((info.offset_bits, info.size_bits, info.strides), (37, 21, [1, 3, 12]));
            assert!(info.files.iter().all(|file| file.starts_with(&to)), "{:?}", info.files);
            for block in blocks(&volume) {
                assert_eq!(read(&volume, &block), voxels(&volume, &block, 5));
                let state = if compat { BlockState::Unchecked } else { BlockState::Committed };
                assert_eq!(volume.block_state(&block).unwrap(), state);
            }
        }
        let left: Vec<_> = fs::read_dir(folder.path().join("1")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_longer_head_loses_no_entry_when_a_volume_is_rebased() {
    let (folder, path) = place();
    // Names without a folder are short, and get long.
    let spec = BlockFsSpec::new([32, 32, 32], [8, 8, 8], DType::U16).file_names(["a", "b"]).compat(true);
    let volume = create(&path, &spec);
    let writer = BlockWriter::open(&path).unwrap();
    for block in blocks(&volume) {
        writer.write_block(&block, &voxels(&volume, &block, 5)).unwrap();
    }
    writer.close().unwrap();
    let before = fs::read(&path).unwrap().len();
    rebase(&path).unwrap();
    assert!(fs::read(&path).unwrap().len() > before);
    let info = volume.info().unwrap();
    assert_eq!(info.files, [folder.path().join("a"), folder.path().join("b")]);
    assert_eq!(blocks(&volume).len(), 64);
    for block in blocks(&volume) {
        assert_eq!(read(&volume, &block), voxels(&volume, &block, 5), "{block}");
    }
}

#[test]
fn relative_names_are_found_from_any_folder() {
    let (folder, path) = place();
    let volume = create(&path, &spec().file_names(["vol.blockfs.0", "./vol.blockfs.1"]));
    let writer = BlockWriter::open(&path).unwrap();
    writer.write_block(&at(0, 0, 1), &voxels(&volume, &at(0, 0, 1), 1)).unwrap();
    writer.close().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for file in fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()) {
        if file.is_file() {
            fs::rename(&file, elsewhere.join(file.file_name().unwrap())).unwrap();
        }
    }
    let volume = BlockFs::open(elsewhere.join("vol.blockfs")).unwrap();
    assert_eq!(read(&volume, &at(0, 0, 1)), voxels(&volume, &at(0, 0, 1), 1));
    assert!(volume.info().unwrap().files.iter().all(|file| file.starts_with(&elsewhere)));
}

#[test]
fn no_block_begins_between_blocks_or_out_of_bounds() {
    let (_folder, path) = place();
    let volume = create(&path, &spec());
    assert_eq!(volume.block_at([8, 16, 32]).unwrap(), at(1, 2, 4));
    for voxel in [[8, 16, 33], [1, 0, 0], [24, 0, 0], [0, 0, 40], [0, -8, 0], [i64::MIN, 0, 0]] {
        let error = volume.block_at(voxel).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::TooLarge),
            "{voxel:?}: {error}"
        );
    }
    let writer = BlockWriter::open(&path).unwrap();
    let mut out = vec![0; 1024];
    for block in [at(3, 0, 0), at(0, 0, 5), at(-1, 0, 0), at(i32::MAX, i32::MIN, 0)] {
        assert_eq!(volume.read_block(&block, &mut out).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(writer.write_block(&block, &out).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    // A block of another shape isn't cast or cut to fit.
    assert_eq!(volume.read_block(&at(2, 3, 4), &mut out).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(writer.write_block(&at(2, 3, 4), &out).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_flipped_bit_anywhere_in_a_block_is_told() {
    let (_folder, path) = place();
    let volume = create(&path, &one_block());
    let block = at(0, 0, 0);
    let writer = BlockWriter::open(&path).unwrap();
    writer.write_block(&block, &voxels(&volume, &block, 3)).unwrap();
    writer.close().unwrap();
    let file = volume.info().unwrap().files[0].clone();
    let sound = fs::read(&file).unwrap();
    let mut out = vec![0; 1024];
    for bit in (0..sound.len() * 8).step_by(5) {
        let mut damaged = sound.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, damaged).unwrap();
        let error = volume.read_block(&block, &mut out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "bit {bit}: {error}");
    }
    let verified = volume.verify(&mut silent).unwrap();
    assert_eq!((verified.counts.damaged, verified.damage[0].block), (1, block));
    fs::write(&file, sound).unwrap();
    assert_eq!(volume.verify(&mut silent).unwrap().counts.damaged, 0);
}

#[test]
fn a_block_that_was_begun_and_not_committed_is_told_from_one_that_was_never_written() {
    let (_folder, path) = place();
    let volume = create(&path, &spec());
    let writer = BlockWriter::open(&path).unwrap();
    writer.write_block(&at(0, 0, 0), &voxels(&volume, &at(0, 0, 0), 1)).unwrap();
    writer.flush().unwrap();
    writer.write_block(&at(0, 0, 1), &voxels(&volume, &at(0, 0, 1), 1)).unwrap();
    writer.write_block(&at(0, 0, 0), &voxels(&volume, &at(0, 0, 0), 2)).unwrap();
    assert_eq!(volume.block_state(&at(0, 0, 1)).unwrap(), BlockState::Pending);
    assert_eq!(read(&volume, &at(0, 0, 1)), vec![0; 1024]);
    assert!(volume.has_writers().unwrap());
    // What SIGKILL does: nothing is flushed, and the lock is gone.
    let left = copy_of(&path);
    drop(writer);
    let lost = BlockFs::open(&left).unwrap();
    assert_eq!(lost.block_state(&at(0, 0, 0)).unwrap(), BlockState::Committed);
    assert_eq!(read(&lost, &at(0, 0, 0)), voxels(&volume, &at(0, 0, 0), 1));
    assert_eq!(lost.block_state(&at(0, 0, 1)).unwrap(), BlockState::Lost);
    assert_eq!(lost.read_block(&at(0, 0, 1), &mut [0; 1024]).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(lost.block_state(&at(0, 0, 2)).unwrap(), BlockState::Missing);
    let counts = lost.counts(&mut silent).unwrap();
    assert_eq!((counts.committed, counts.lost, counts.interrupted, counts.missing), (1, 1, 1, 58));
    assert_eq!(lost.verify(&mut silent).unwrap().counts, counts);
    // It stays lost through a compaction, until somebody writes it or says that it is to be missing.
    compact(&left, &mut silent).unwrap();
    assert_eq!(lost.block_state(&at(0, 0, 1)).unwrap(), BlockState::Lost);
    let writer = BlockWriter::open(&left).unwrap();
    writer.delete_block(&at(0, 0, 1)).unwrap();
    writer.close().unwrap();
    assert_eq!(lost.block_state(&at(0, 0, 1)).unwrap(), BlockState::Missing);
}

/// The volume as its files are now, in another folder.
fn copy_of(path: &std::path::Path) -> std::path::PathBuf {
    let from = path.parent().unwrap();
    let to = from.join("copy");
    fs::create_dir(&to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|file| file.unwrap().path()) {
        if file.is_file() {
            fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    let left = to.join("vol.blockfs");
    // Its head names the block files of the other folder.
    rebase(&left).unwrap();
    left
}

#[test]
fn a_reader_that_was_opened_before_a_write_sees_it() {
    for compat in [true, false] {
        let (_folder, path) = place();
        let before = create(&path, &spec().compat(compat));
        let block = at(2, 3, 4);
        assert_eq!(before.block_state(&block).unwrap(), BlockState::Missing);
        let expected = voxels(&before, &block, 9);
        assert_eq!(read(&before, &block), vec![0; expected.len()]);
        let writer = BlockWriter::open(&path).unwrap();
        writer.write_block(&block, &expected).unwrap();
        writer.flush().unwrap();
        assert_eq!(read(&before, &block), expected);
    }
}

#[test]
fn closing_never_waits_for_a_thread_that_has_failed() {
    let (_folder, path) = place();
    let volume = create(&path, &spec());
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let pool = WriterPool::start(BlockWriter::open(&path).unwrap(), 2, 1).unwrap();
        for _ in 0..20 {
            // A failure is told by a later call, and the threads go on.
            drop(pool.write_block(at(0, 0, 0), vec![0; 3]));
        }
        let sound = pool.write_block(at(0, 0, 1), vec![0; 1024]);
        done.send((sound.is_ok(), pool.close().map_err(|error| error.kind()))).unwrap();
    });
    let (_, closed) = finished.recv_timeout(Duration::from_mins(1)).expect("close waits for ever");
    assert!(closed.is_ok() || closed == Err(ErrorKind::InvalidArgument));
    assert!(!volume.has_writers().unwrap());
}
