//! Volumes for tests.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::path::{Path, PathBuf};

use blockfs::blosc::{Compression, Compressor};
use blockfs::{BlockFs, BlockFsSpec, Progress};
use chunks::{Coords, DType};
use tempfile::TempDir;

/// A folder and the path of a volume in it.
pub fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vol.blockfs");
    (folder, path)
}

/// Odd extents in small blocks, two files, LZ4.
pub fn spec() -> BlockFsSpec {
    BlockFsSpec::new([19, 26, 37], [8, 8, 8], DType::U16)
        .files(2)
        .compression(Compression::new(Compressor::Lz4, 5).unwrap())
}

/// One block of 8 x 8 x 8 in one file.
pub fn one_block() -> BlockFsSpec {
    BlockFsSpec::new([8, 8, 8], [8, 8, 8], DType::U16).files(1)
}

pub fn create(path: &Path, spec: &BlockFsSpec) -> BlockFs {
    BlockFs::create(path, spec).unwrap()
}

pub fn at(z: i32, y: i32, x: i32) -> Coords {
    Coords::new(&[z, y, x]).unwrap()
}

pub fn blocks(volume: &BlockFs) -> Vec<Coords> {
    volume.grid().chunks_in(&volume.grid().bounds()).unwrap().collect()
}

/// Voxels that no other seed and no other block has.
pub fn voxels(volume: &BlockFs, block: &Coords, seed: u64) -> Vec<u8> {
    let place = block.iter().fold(seed, |sum, axis| sum * 1000 + u64::from(axis.unsigned_abs()));
    let mut random = fastrand::Rng::with_seed(place);
    let mut voxels = vec![0; volume.block_bytes(block).unwrap()];
    // Half of it is noise, so that compression has something to do.
    for voxel in voxels.chunks_mut(2) {
        voxel[0] = random.u8(..);
    }
    voxels
}

pub fn read(volume: &BlockFs, block: &Coords) -> Vec<u8> {
    let mut out = vec![0xEE; volume.block_bytes(block).unwrap()];
    volume.read_block(block, &mut out).unwrap();
    out
}

#[expect(clippy::unnecessary_wraps, reason = "a watcher may fail")]
pub fn silent(_: Progress) -> engine_api::Result<()> {
    Ok(())
}
