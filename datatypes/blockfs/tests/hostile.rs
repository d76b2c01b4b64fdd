//! Files that are damaged, or made to do harm: errors, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use blockfs::{BlockFs, BlockWriter, compact, rebase};
use common::{at, blocks, create, one_block, place, silent, spec, voxels};
use engine_api::ErrorKind;
use proptest::prelude::*;

const KEYS: &[(&str, &str)] = &[
    ("XBlockSize", "8"),
    ("YBlockSize", "8"),
    ("ZBlockSize", "8"),
    ("DType", "\"uint16\""),
    ("NOffsetBits", "16"),
    ("NSizeBits", "11"),
    ("XExtent", "37"),
    ("YExtent", "26"),
    ("ZExtent", "19"),
    ("BlockFilenames", "[\"vol.blockfs.0\"]"),
    ("XStride", "1"),
    ("YStride", "5"),
    ("ZStride", "20"),
    ("Compression", "\"zstd\""),
    ("CompressionLvl", "5"),
    ("Version", "\"1.0.0\""),
];

/// A directory file with one value put in place of another; an empty one leaves the key out.
fn directory(key: &str, value: &str) -> Vec<u8> {
    let fields: Vec<String> = KEYS
        .iter()
        .map(|(name, sound)| (name, if *name == key { value } else { sound }))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("\"{name}\": {value}"))
        .collect();
    let text = format!("{{{}}}", fields.join(", "));
    let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    [b"BlockFS\0".as_slice(), &number(text.len()), &number(16 + text.len()), text.as_bytes()].concat()
}

/// Opens what is at the path in every way, and reads all that can be read in a moment.
fn try_all(path: &Path) -> engine_api::Result<()> {
    let volume = BlockFs::open(path)?;
    drop(volume.info());
    let some: Vec<_> = volume.grid().chunks_in(&volume.grid().bounds()).unwrap().take(70).collect();
    for block in &some {
        let bytes = volume.block_bytes(block)?;
        if bytes <= 1 << 20 {
            drop(volume.read_block(block, &mut vec![0; bytes]));
        }
        drop(volume.block_state(block));
    }
    if volume.grid().chunk_count() < 100 {
        drop(volume.verify(&mut silent));
    }
    Ok(())
}

#[test]
fn heads_that_can_not_be_right_are_refused() {
    let (_folder, path) = place();
    fs::write(&path, directory("", "")).unwrap();
    try_all(&path).unwrap();
    let wrong = [
        ("XBlockSize", "0"),
        ("XBlockSize", "-8"),
        ("XBlockSize", "1e300"),
        ("ZBlockSize", "18446744073709551615"),
        ("YBlockSize", "4294967296"),
        ("XExtent", "0"),
        ("XExtent", "9223372036854775807"),
        ("ZExtent", "\"19\""),
        ("DType", "\"object\""),
        ("DType", "7"),
        ("NOffsetBits", "0"),
        ("NOffsetBits", "64"),
        ("NOffsetBits", "4294967296"),
        ("NSizeBits", "-1"),
        ("NSizeBits", "65"),
        ("BlockFilenames", "[]"),
        ("BlockFilenames", "[\"\"]"),
        ("BlockFilenames", "[1]"),
        ("BlockFilenames", "\"vol\""),
        ("ZStride", "18446744073709551615"),
        ("YStride", "9223372036854775807"),
        ("CompressionLvl", "256"),
        ("Compression", "[]"),
    ];
    for (key, value) in wrong {
        fs::write(&path, directory(key, value)).unwrap();
        let kind = BlockFs::open(&path).unwrap_err().kind();
        assert!(
            matches!(
                kind,
                ErrorKind::Corrupt
                    | ErrorKind::InvalidArgument
                    | ErrorKind::TooLarge
                    | ErrorKind::Unsupported
            ),
            "{key} = {value}: {kind}"
        );
    }
    for (key, _) in KEYS.iter().filter(|(key, _)| *key != "Version") {
        fs::write(&path, directory(key, "")).unwrap();
        assert_eq!(BlockFs::open(&path).unwrap_err().kind(), ErrorKind::Corrupt, "without {key}");
    }
}

#[test]
fn what_is_no_directory_file_is_told() {
    let (_folder, path) = place();
    assert_eq!(BlockFs::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
    for bytes in [b"".as_slice(), b"BlockFS", b"BlockFS\x01aaaaaaaa", b"\x89PNG\r\n\x1a\n0000000000000000"] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(BlockFs::open(&path).unwrap_err().kind(), ErrorKind::Incompatible, "{bytes:?}");
    }
    let sound = directory("", "");
    for length in 8..sound.len() {
        fs::write(&path, &sound[..length]).unwrap();
        assert_eq!(BlockFs::open(&path).unwrap_err().kind(), ErrorKind::Corrupt, "{length} bytes");
    }
}

#[test]
fn a_compressor_that_is_not_known_can_be_opened_and_not_written() {
    let (_folder, path) = place();
    fs::write(&path, directory("Compression", "\"snappy\"")).unwrap();
    try_all(&path).unwrap();
    assert_eq!(BlockWriter::open(&path).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn two_blocks_with_one_number_can_be_read_and_not_written() {
    let (_folder, path) = place();
    fs::write(&path, directory("ZStride", "1")).unwrap();
    try_all(&path).unwrap();
    assert_eq!(BlockWriter::open(&path).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_file_that_is_named_as_a_block_file_and_is_none_is_not_removed() {
    let (folder, path) = place();
    let precious = folder.path().join("precious");
    fs::write(&precious, "what somebody has written").unwrap();
    let name = format!("[{:?}]", precious.to_str().unwrap());
    fs::write(&path, directory("BlockFilenames", &name)).unwrap();
    assert_eq!(compact(&path, &mut silent).unwrap_err().kind(), ErrorKind::Corrupt);
    // Nor is one that only a forged list of a compaction names.
    let (folder, path) = place();
    create(&path, &spec());
    let precious = folder.path().join("precious");
    fs::write(&precious, "what somebody has written").unwrap();
    fs::write(folder.path().join("vol.blockfs.compacting"), format!("{}\0", precious.display())).unwrap();
    assert_eq!(compact(&path, &mut silent).unwrap().left, std::slice::from_ref(&precious));
    assert!(precious.exists());
}

#[test]
fn records_of_another_volume_are_refused() {
    let ((one, first), (two, second)) = (place(), place());
    create(&first, &spec());
    create(&second, &spec());
    let records = |folder: &Path| {
        let mut names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        names.find(|path| path.to_str().unwrap().contains(".records-")).unwrap()
    };
    fs::copy(records(two.path()), records(one.path())).unwrap();
    assert_eq!(BlockFs::open(&first).unwrap_err().kind(), ErrorKind::Corrupt);
    fs::remove_file(records(one.path())).unwrap();
    assert_eq!(BlockFs::open(&first).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_record_or_an_entry_with_a_flipped_bit_never_gives_other_voxels() {
    let (folder, path) = place();
    let volume = create(&path, &one_block());
    let block = at(0, 0, 0);
    let writer = BlockWriter::open(&path).unwrap();
    for seed in [1, 2] {
        writer.write_block(&block, &voxels(&volume, &block, seed)).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let expected = voxels(&volume, &block, 2);
    for file in fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()) {
        let sound = fs::read(&file).unwrap();
        if sound.len() > 4096 {
            continue;
        }
        for bit in (0..sound.len() * 8).step_by(3) {
            let mut damaged = sound.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, damaged).unwrap();
            let mut out = vec![0; expected.len()];
            let read = BlockFs::open(&path).and_then(|volume| volume.read_block(&block, &mut out));
            assert!(read.is_err() || out == expected, "{}, bit {bit}: {read:?}", file.display());
        }
        fs::write(&file, sound).unwrap();
    }
}

#[test]
fn an_entry_that_was_lost_is_found_in_the_records() {
    let (_folder, path) = place();
    let volume = create(&path, &spec());
    let writer = BlockWriter::open(&path).unwrap();
    for block in blocks(&volume) {
        writer.write_block(&block, &voxels(&volume, &block, 1)).unwrap();
    }
    writer.close().unwrap();
    let bytes = fs::read(&path).unwrap();
    let start = u32::from_le_bytes(bytes[12..16].try_into().unwrap());
    fs::write(&path, &bytes[..start as usize]).unwrap();
    for block in blocks(&volume) {
        assert!(common::read(&volume, &block) == voxels(&volume, &block, 1), "{block}");
    }
    rebase(&path).unwrap();
    compact(&path, &mut silent).unwrap();
    assert!(fs::metadata(&path).unwrap().len() >= bytes.len() as u64, "the table is whole again");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_to_any_file_makes_anything_panic(
        compat in any::<bool>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
    ) {
        let (folder, path) = place();
        let volume = create(&path, &spec().compat(compat));
        let writer = BlockWriter::open(&path).unwrap();
        for block in blocks(&volume).into_iter().step_by(3) {
            writer.write_block(&block, &voxels(&volume, &block, 1)).unwrap();
        }
        writer.close().unwrap();
        let mut files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        for (file, place, byte) in flips {
            let file = &files[file.index(files.len())];
            let mut bytes = fs::read(file).unwrap();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            fs::write(file, bytes).unwrap();
        }
        if let Some((file, length)) = cut {
            let file = &files[file.index(files.len())];
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..length.index(bytes.len())]).unwrap();
        }
        drop(try_all(&path));
        drop(compact(&path, &mut silent));
        drop(try_all(&path));
    }
}
