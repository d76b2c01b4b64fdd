//! Volumes beside Python with numcodecs, which is what BlockFS of Python compresses with.
//!
//! It needs Python with the packages of `tests/numcodecs/requirements.txt`, named by `BLOCKFS_PYTHON` unless it is
//! `python3`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use blockfs::blosc::{Compression, Compressor};
use blockfs::{BlockFs, BlockFsSpec, BlockState, BlockWriter};
use chunks::{DType, copy_region};
use common::{at, blocks};

const DTYPES: [DType; 5] = [DType::U8, DType::U16, DType::U32, DType::U64, DType::F32];

/// With blocks in several parts of a frame, and edges that are odd along each axis.
const EXTENT: [u64; 3] = [70, 77, 71];
const BLOCK: [u64; 3] = [64, 32, 40];

/// Noise in the low bits of what grows slowly, and a block of zeros.
fn voxels(dtype: DType, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let count = EXTENT.iter().product::<u64>();
    let mut data = Vec::new();
    for at in 0..count {
        let value = if at % 71 < 3 { 0 } else { at / 1000 * 16 + u64::from(random.u8(..16)) };
        match dtype {
            DType::F32 => {
                data.extend_from_slice(&f32::from(u16::try_from(value % 60_000).unwrap()).to_le_bytes());
            }
            _ => data.extend_from_slice(&value.to_le_bytes()[..dtype.size()]),
        }
    }
    data
}

#[test]
#[ignore = "needs Python with numcodecs"]
fn numcodecs_reads_what_is_written_and_what_it_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut volumes = Vec::new();
    for (number, &compressor) in Compressor::ALL.iter().enumerate() {
        for dtype in DTYPES {
            for (level, compat) in [(1, true), (5, false)] {
                let name = format!("{compressor}-{dtype}-{level}");
                let spec = BlockFsSpec::new(EXTENT, BLOCK, dtype)
                    .files(3)
                    .compression(Compression::new(compressor, level).unwrap())
                    .metadata(r#"{"größe": [1, NaN], "by": "us"}"#)
                    .unwrap()
                    .compat(compat);
                let path = folder.path().join(format!("{name}.blockfs"));
                let volume = BlockFs::create(&path, &spec).unwrap();
                let mut data = voxels(dtype, number as u64);
                let missing = at(1, 0, 1);
                let writer = BlockWriter::open(&path).unwrap();
                let bounds = volume.grid().bounds();
                for block in blocks(&volume) {
                    let region = volume.block_region(&block).unwrap();
                    let mut part = vec![0; volume.block_bytes(&block).unwrap()];
                    if block == missing {
                        copy_region(&part, &region, &mut data, &bounds, &region, dtype.size()).unwrap();
                    } else {
                        copy_region(&data, &bounds, &mut part, &region, &region, dtype.size()).unwrap();
                        writer.write_block(&block, &part).unwrap();
                    }
                }
                writer.close().unwrap();
                fs::write(folder.path().join(format!("{name}.raw")), &data).unwrap();
                volumes.push((name, missing, data));
            }
        }
    }
    // Block (1, 0, 1) is number 1 + 2 * 3 of two blocks along x and three along y.
    let list: Vec<String> =
        volumes.iter().map(|(name, ..)| format!(r#"{{"name": "{name}", "missing": 7}}"#)).collect();
    fs::write(folder.path().join("expected.json"), format!("[{}]", list.join(", "))).unwrap();

    let python = env::var_os("BLOCKFS_PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numcodecs/peer.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(text(&output.stdout).trim(), format!("{} blocks are the same", volumes.len() * 11));

    for (name, missing, data) in &volumes {
        let volume = BlockFs::open(folder.path().join(format!("{name}.python.blockfs"))).unwrap();
        let mut found = vec![0; data.len()];
        volume.read_region(&volume.grid().bounds(), &mut found).unwrap();
        assert!(found == *data, "{name}: voxels differ");
        assert_eq!(volume.block_state(missing).unwrap(), BlockState::Missing);
        let metadata = volume.info().unwrap().metadata;
        assert_eq!(metadata, [("größe".into(), "[1, NaN]".into()), ("by".into(), "\"us\"".to_owned())]);
    }
}
