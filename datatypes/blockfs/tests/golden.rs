//! A volume that BlockFS of Python has written: read to the voxel, and written again to the byte.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use blockfs::{BlockFs, BlockFsSpec, BlockState, BlockWriter};
use chunks::{Coords, DType, Region};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn spec() -> BlockFsSpec {
    BlockFsSpec::new([19, 26, 37], [8, 8, 8], DType::U16)
        .compression("zstd:5".parse().unwrap())
        .file_names(["vol.blockfs.0", "vol.blockfs.1"])
        .metadata(r#"{"voxel_size": [1, 2, 3]}"#)
        .unwrap()
}

/// What the volume was made of, with zeros in the block that wasn't written.
fn expected() -> Vec<u8> {
    let mut voxels = fs::read(golden("expected_c_order_zyx_u16.raw")).unwrap();
    for (at, voxel) in voxels.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        assert_eq!(usize::from(u16::from_le_bytes(*voxel)), at % 65521);
        let [z, y, x] = [at / (37 * 26), at / 37 % 26, at % 37];
        if z / 8 == 1 && y / 8 == 1 && x / 8 == 1 {
            *voxel = [0; 2];
        }
    }
    voxels
}

/// Every block in the order of the table, but the one that wasn't written.
fn written(volume: &BlockFs) -> Vec<Coords> {
    let missing = Coords::new(&[1, 1, 1]).unwrap();
    let grid = volume.grid();
    grid.chunks_in(&grid.bounds()).unwrap().filter(|block| *block != missing).collect()
}

#[test]
fn python_s_volume_is_read_to_the_voxel() {
    let volume = BlockFs::open(golden("vol.blockfs")).unwrap();
    let expected = expected();
    let mut found = vec![0; expected.len()];
    volume.read_region(&volume.grid().bounds(), &mut found).unwrap();
    assert!(found == expected);
    let mut part = [0; 2 * 3 * 4 * 5];
    volume.read_region(&Region::new(&[7, 15, 31], &[3, 4, 5]).unwrap(), &mut part).unwrap();
    let at = |z: usize, y: usize, x: usize| &expected[2 * ((z * 26 + y) * 37 + x)..][..10];
    let rows: Vec<&[u8]> = (7..10).flat_map(|z| (15..19).map(move |y| at(z, y, 31))).collect();
    assert_eq!(part.as_slice(), rows.concat());
    let info = volume.info().unwrap();
    assert_eq!((info.extent, info.block, info.strides), ([19, 26, 37], [8, 8, 8], [20, 5, 1]));
    assert_eq!((info.offset_bits, info.size_bits, info.blocks, info.recorded), (16, 11, 60, false));
    assert_eq!((info.compressor.as_str(), info.level), ("zstd", 5));
    assert_eq!(info.metadata, [("voxel_size".to_owned(), "[1, 2, 3]".to_owned())]);
    assert_eq!(info.files, [golden("vol.blockfs.0"), golden("vol.blockfs.1")]);
    let missing = Coords::new(&[1, 1, 1]).unwrap();
    assert_eq!(volume.block_state(&missing).unwrap(), BlockState::Missing);
    for block in written(&volume) {
        assert_eq!(volume.block_state(&block).unwrap(), BlockState::Unchecked, "{block}");
    }
}

#[test]
fn the_same_frames_give_the_same_directory_file_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vol.blockfs");
    let source = BlockFs::open(golden("vol.blockfs")).unwrap();
    BlockFs::create(&path, &spec().compat(true)).unwrap();
    let head = fs::read(&path).unwrap();
    let expected = fs::read(golden("vol.blockfs")).unwrap();
    assert_eq!(head, expected[..353], "the head alone");
    let writer = BlockWriter::open(&path).unwrap();
    let files = [0, 1].map(|file| fs::read(golden(&format!("vol.blockfs.{file}"))).unwrap());
    // Where Python has put the blocks, as its table says.
    let mut frames = Vec::new();
    for (index, block) in source.grid().chunks_in(&source.grid().bounds()).unwrap().enumerate() {
        let entry = &expected[353 + 4 * index..][..4];
        let entry = u32::from_le_bytes(entry.try_into().unwrap());
        let (offset, size) = ((entry & 0xffff) as usize, (entry >> 16) as usize);
        if size > 0 {
            frames.push((offset, block, &files[index % 2][offset..offset + size]));
        }
    }
    frames.sort_by_key(|(offset, ..)| *offset);
    for (_, block, frame) in frames {
        writer.write_frame(&block, frame).unwrap();
    }
    writer.close().unwrap();
    assert!(fs::read(&path).unwrap() == expected);
    for (file, expected) in files.iter().enumerate() {
        assert!(fs::read(folder.path().join(format!("vol.blockfs.{file}"))).unwrap() == *expected);
    }
}

#[test]
fn what_is_written_anew_is_read_to_the_voxel() {
    let source = BlockFs::open(golden("vol.blockfs")).unwrap();
    let expected = expected();
    for compat in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vol.blockfs");
        let volume = BlockFs::create(&path, &spec().compat(compat)).unwrap();
        let writer = BlockWriter::open(&path).unwrap();
        for block in written(&source) {
            let mut voxels = vec![0; source.block_bytes(&block).unwrap()];
            source.read_block(&block, &mut voxels).unwrap();
            writer.write_block(&block, &voxels).unwrap();
        }
        writer.close().unwrap();
        let mut found = vec![0; expected.len()];
        volume.read_region(&volume.grid().bounds(), &mut found).unwrap();
        assert!(found == expected, "compat: {compat}");
        let state = if compat { BlockState::Unchecked } else { BlockState::Committed };
        for block in written(&source) {
            assert_eq!(volume.block_state(&block).unwrap(), state, "{block}");
        }
    }
}
