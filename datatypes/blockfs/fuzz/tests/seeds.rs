//! The seeds are files that are sound, and to make checksums right leaves them as they are.
//!
//! `BLOCKFS_UPDATE_SEEDS=1 cargo test` writes them anew.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::PathBuf;

use blockfs::blosc::{Compression, Compressor, FrameHeader, decode, encode};
use blockfs::{BlockFs, BlockFsSpec, BlockWriter, check_directory, check_records};
use blockfs_fuzz::{reseal_directory, reseal_records};
use chunks::DType;

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target)
}

fn update() {
    let put = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(folder(target)).unwrap();
        fs::write(folder(target).join(name), bytes).unwrap();
    };
    for compat in [true, false] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("vol.blockfs");
        let spec = BlockFsSpec::new([10, 9, 20], [8, 8, 8], DType::U16)
            .file_names(["a", "b"])
            .metadata(r#"{"voxel_size": [1, 2, NaN]}"#)
            .unwrap()
            .compat(compat);
        let volume = BlockFs::create(&path, &spec).unwrap();
        let writer = BlockWriter::open(&path).unwrap();
        for block in volume.grid().chunks_in(&volume.grid().bounds()).unwrap().skip(1) {
            writer.write_block(&block, &vec![7; volume.block_bytes(&block).unwrap()]).unwrap();
        }
        writer.close().unwrap();
        put("directory", if compat { "compat" } else { "sealed" }, &fs::read(&path).unwrap());
        for file in fs::read_dir(place.path()).unwrap().map(|file| file.unwrap().path()) {
            if file.to_str().unwrap().contains(".records-") {
                put("records", "records", &fs::read(file).unwrap()[64..]);
            }
        }
    }
    let data: Vec<u8> = (0..3000u32).flat_map(|at| [(at * 77 % 256) as u8, (at / 300) as u8]).collect();
    for &compressor in Compressor::ALL {
        for element_size in [1, 2, 8] {
            let frame = encode(Compression::new(compressor, 5).unwrap(), element_size, &data).unwrap();
            put("frame", &format!("{compressor}-{element_size}"), &frame);
        }
    }
    put("frame", "stored", &encode(Compression::new(Compressor::Lz4, 0).unwrap(), 2, &data[..100]).unwrap());
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    if std::env::var_os("BLOCKFS_UPDATE_SEEDS").is_some() {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(update);
    }
    fs::read_dir(folder(target)).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn directories_are_sound() {
    let seeds = seeds("directory");
    assert_eq!(seeds.len(), 2);
    for mut seed in seeds {
        let contents = check_directory(&seed).unwrap();
        assert_eq!((contents.entries, contents.written, contents.damaged), (12, 11, 0));
        assert!(seed.starts_with(&contents.head));
        let sound = seed.clone();
        reseal_directory(&mut seed);
        assert_eq!(seed, sound);
        // A change in the head is told where there is a seal, and reached where the seal is made right.
        let at = seed.windows(4).position(|bytes| bytes == b"NaN]").unwrap();
        seed[at - 3] = b'3';
        let sealed = sound.windows(4).any(|bytes| bytes == b"\x8BKBD");
        assert_eq!(check_directory(&seed).is_err(), sealed);
        reseal_directory(&mut seed);
        check_directory(&seed).unwrap();
    }
}

#[test]
fn frames_are_sound() {
    for seed in seeds("frame") {
        let header = FrameHeader::read(&seed).unwrap();
        decode(&seed, &mut vec![0; header.bytes()]).unwrap();
    }
}

#[test]
fn records_are_sound() {
    for mut seed in seeds("records") {
        assert_eq!(check_records(&seed).unwrap(), 11);
        let sound = seed.clone();
        reseal_records(&mut seed);
        assert_eq!(seed, sound);
        seed[64] ^= 1;
        check_records(&seed).unwrap_err();
        reseal_records(&mut seed);
        check_records(&seed).unwrap();
    }
}
