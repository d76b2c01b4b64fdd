//! Zarr arrays that lie: their chunks, their shards and what says how they are read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::read_file;
use engine_api::{ErrorKind, Result};
use serde_json::{Value, json};
use tempfile::TempDir;
use volume::open_regions;

/// The elements of a chunk: 2 x 4 x 4 of 16 bits.
const CHUNK_BYTES: usize = 64;

fn bytes() -> Value {
    json!({ "name": "bytes", "configuration": { "endian": "little" } })
}

/// The metadata of an array of 4 x 4 x 4, in chunks of 2 x 4 x 4.
fn metadata(codecs: &Value) -> Value {
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": [4, 4, 4],
        "data_type": "uint16",
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": [2, 4, 4] } },
        "chunk_key_encoding": { "name": "default" },
        "fill_value": 7,
        "codecs": codecs,
    })
}

/// The same with both chunks in a shard.
fn sharded(codecs: &Value) -> Value {
    let index = json!([bytes(), { "name": "crc32c" }]);
    let sharding = json!({ "chunk_shape": [2, 4, 4], "codecs": codecs, "index_codecs": index });
    let mut array = metadata(&json!([{ "name": "sharding_indexed", "configuration": sharding }]));
    array["chunk_grid"]["configuration"]["chunk_shape"] = json!([4, 4, 4]);
    array
}

fn array(metadata: &Value, chunk: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("zarr.json"), metadata.to_string()).unwrap();
    fs::create_dir_all(dir.path().join("c/0/0")).unwrap();
    fs::write(dir.path().join("c/0/0/0"), chunk).unwrap();
    dir
}

/// A shard whose index says what it is given.
fn shard(content: &[u8], entries: [[u64; 2]; 2]) -> Vec<u8> {
    let index: Vec<u8> = entries.as_flattened().iter().flat_map(|number| number.to_le_bytes()).collect();
    let checksum = crc32c::crc32c(&index).to_le_bytes();
    [content, &index, &checksum].concat()
}

/// A shard of two chunks that lie one after the other.
fn shard_of(chunks: [&[u8]; 2]) -> Vec<u8> {
    let lengths = chunks.map(|chunk| u64::try_from(chunk.len()).unwrap());
    shard(&chunks.concat(), [[0, lengths[0]], [lengths[0], lengths[1]]])
}

fn failure(metadata: &Value, chunk: &[u8]) -> ErrorKind {
    read_file(array(metadata, chunk).path()).expect_err("the array is wrong").kind()
}

/// What a chunk fails with that is a file, and that is in a shard.
fn failures(codecs: &Value, chunk: &[u8]) -> [ErrorKind; 2] {
    let other = [1; CHUNK_BYTES];
    [failure(&metadata(codecs), chunk), failure(&sharded(codecs), &shard_of([chunk, &other]))]
}

fn read(dir: &Path, region: &str, bytes: usize) -> Result<Vec<u8>> {
    let mut out = vec![0; bytes];
    open_regions(dir, None)?.unwrap().read_region(&region.parse().unwrap(), &mut out)?;
    Ok(out)
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(data, 1).unwrap()
}

#[test]
fn a_frame_that_claims_more_memory_than_there_is_is_corrupt() {
    // A head of zstd that claims 2^50 bytes, and an empty block.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    frame.extend((1u64 << 50).to_le_bytes());
    frame.extend([1, 0, 0]);
    assert_eq!(frame.len(), 16);
    assert_eq!(failures(&json!([bytes(), "zstd"]), &frame), [ErrorKind::Corrupt; 2]);
    // A container of Blosc that claims 4 GiB, of one block and of many.
    for block in [u32::MAX, 1] {
        let lengths = [u32::MAX, block, 20].map(u32::to_le_bytes);
        let container = [&[2, 1, 0x20, 2], lengths.as_flattened(), &[0; 4]].concat();
        assert_eq!(failures(&json!([bytes(), "blosc"]), &container), [ErrorKind::Corrupt; 2]);
    }
}

#[test]
fn what_inflates_to_more_than_a_chunk_is_corrupt() {
    let zeros = vec![0; 64 << 20];
    for (name, bomb) in [("zstd", zstd(&zeros)), ("gzip", gzip(&zeros))] {
        assert_eq!(failures(&json!([bytes(), name]), &bomb), [ErrorKind::Corrupt; 2], "{name}");
    }
    // One in another: what the outer one makes is too long for whatever the inner one would.
    let chain = json!([bytes(), "zstd", "gzip"]);
    assert_eq!(failures(&chain, &gzip(&zstd(&zeros))), [ErrorKind::Corrupt; 2]);
    assert_eq!(failures(&chain, &gzip(&zeros)), [ErrorKind::Corrupt; 2]);
    let fits = gzip(&zstd(&[1; CHUNK_BYTES]));
    let dir = array(&sharded(&chain), &shard_of([&fits, &fits]));
    assert_eq!(read_file(dir.path()).unwrap().1, [1; 2 * CHUNK_BYTES]);
}

#[test]
fn a_chunk_of_another_length_is_corrupt_also_where_what_is_read_is_there() {
    let codecs = [json!([bytes()]), json!([bytes(), "zstd"]), json!([bytes(), "crc32c"])];
    for (at, codecs) in codecs.into_iter().enumerate() {
        for length in [0, 2, CHUNK_BYTES - 2, CHUNK_BYTES - 1, CHUNK_BYTES + 1, CHUNK_BYTES + 2] {
            let data = vec![3; length];
            let chunk = match at {
                0 => data,
                1 => zstd(&data),
                _ => [&data[..], &crc32c::crc32c(&data).to_le_bytes()].concat(),
            };
            assert_eq!(failures(&codecs, &chunk), [ErrorKind::Corrupt; 2], "{codecs} {length}");
            for dir in [
                array(&metadata(&codecs), &chunk),
                array(&sharded(&codecs), &shard_of([&chunk, &[1; CHUNK_BYTES]])),
            ] {
                let error = read(dir.path(), "0:1,0:1,0:1", 2).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{codecs} {length}");
            }
        }
    }
}

#[test]
fn a_checksum_is_looked_at_also_where_a_part_is_read() {
    let data = [5; CHUNK_BYTES];
    let good = [&data[..], &crc32c::crc32c(&data).to_le_bytes()].concat();
    let mut bad = good.clone();
    bad[CHUNK_BYTES - 1] ^= 1;
    let codecs = json!([bytes(), "crc32c"]);
    let dir = array(&sharded(&codecs), &shard_of([&good, &bad]));
    // Of a shard, only what is asked for is read.
    assert_eq!(read(dir.path(), "0:2,0:4,0:4", CHUNK_BYTES).unwrap(), data);
    assert_eq!(read(dir.path(), "2:3,0:1,0:1", 2).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(failures(&codecs, &bad), [ErrorKind::Corrupt; 2]);
    let mut file = shard_of([&good, &good]);
    let at = file.len() - 1;
    file[at] ^= 1;
    assert_eq!(failure(&sharded(&codecs), &file), ErrorKind::Corrupt);
}

#[test]
fn a_shard_cannot_say_that_its_chunks_are_elsewhere() {
    let content = [9; 2 * CHUNK_BYTES];
    let length = u64::try_from(CHUNK_BYTES).unwrap();
    let file = u64::try_from(shard(&content, [[0; 2]; 2]).len()).unwrap();
    let (most, wrong) = (u64::MAX, ErrorKind::Corrupt);
    for codecs in [json!([bytes()]), json!([bytes(), "zstd"])] {
        for entry in [
            [most, 0],
            [most, 1],
            [most, length],
            [0, most],
            [1, most],
            [most - 1, 2],
            [most - length, length],
            [most - length + 1, length],
            [1 << 63, 1 << 63],
            [file, length],
            [file - length + 1, length],
            [0, file],
            [0, 1 << 50],
        ] {
            let file = shard(&content, [entry, [length, length]]);
            assert_eq!(failure(&sharded(&codecs), &file), wrong, "{codecs} {entry:?}");
            let dir = array(&sharded(&codecs), &file);
            assert_eq!(read(dir.path(), "1:2,3:4,3:4", 2).unwrap_err().kind(), wrong, "{codecs} {entry:?}");
        }
    }
    // A chunk that isn't there, and a shard that is too short for its index.
    let dir = array(&sharded(&json!([bytes()])), &shard(&content, [[u64::MAX; 2], [length, length]]));
    let fill = [7, 0].repeat(CHUNK_BYTES / 2);
    assert_eq!(read_file(dir.path()).unwrap().1, [&fill[..], &content[CHUNK_BYTES..]].concat());
    for length in [0, 1, 35] {
        assert_eq!(failure(&sharded(&json!([bytes()])), &vec![0; length]), ErrorKind::Corrupt);
    }
}

#[test]
fn a_file_that_is_too_long_for_its_chunk_is_not_read() {
    for metadata in [metadata(&json!([bytes()])), metadata(&json!([bytes(), "zstd"]))] {
        let dir = array(&metadata, &[]);
        fs::File::options().write(true).open(dir.path().join("c/0/0/0")).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read_file(dir.path()).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn the_largest_shards_of_the_largest_chunks_are_no_overflow() {
    for codecs in [json!([bytes()]), json!([bytes(), "crc32c"]), json!([bytes(), "zstd"])] {
        let mut array_of = sharded(&codecs);
        // 2^22 chunks of 256 MiB.
        let (chunk, shard) = (json!([1 << 9, 1 << 9, 1 << 9]), json!([1 << 17, 1 << 16, 1 << 16]));
        array_of["codecs"][0]["configuration"]["chunk_shape"] = chunk;
        array_of["chunk_grid"]["configuration"]["chunk_shape"] = shard.clone();
        array_of["shape"] = shard;
        let dir = array(&array_of, &[0; 100]);
        let error = read(dir.path(), "0:1,0:1,0:2", 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{codecs}");
        fs::remove_file(dir.path().join("c/0/0/0")).unwrap();
        assert_eq!(read(dir.path(), "0:1,0:1,0:2", 4).unwrap(), [7, 0, 7, 0], "{codecs}");
    }
}

#[test]
fn fill_values_that_are_none_are_corrupt() {
    // The second text is cut within its letter by who takes two bytes at a time.
    let mut deep = json!(0);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    for dtype in ["float32", "float64", "uint16", "bool"] {
        for fill in
            [json!("0x"), json!("0x1\u{e9}1"), json!("\u{e9}"), json!("0xzz"), json!(null), deep.clone()]
        {
            let mut array = metadata(&json!([bytes()]));
            array["data_type"] = json!(dtype);
            array["fill_value"] = fill.clone();
            assert_eq!(failure(&array, &[]), ErrorKind::Corrupt, "{dtype} {fill}");
        }
    }
}

#[test]
fn codecs_that_nobody_bounds_are_unsupported() {
    let inner = sharded(&json!([bytes()]))["codecs"].clone();
    let unknown = json!({ "name": "bz2", "must_understand": false });
    for codecs in [
        inner,
        json!([bytes(), "stored"]),
        json!([bytes(), unknown]),
        json!(["packbits"]),
        json!(["vlen-utf8"]),
        json!([{ "name": "reshape", "configuration": { "shape": [-1] } }, bytes()]),
        json!([bytes(), { "name": "numcodecs.shuffle", "configuration": { "elementsize": 0 } }]),
    ] {
        let kinds = [failure(&metadata(&codecs), &[]), failure(&sharded(&codecs), &[])];
        // An array may have shards, but a shard may not.
        let alone =
            if codecs[0]["name"] == "sharding_indexed" { ErrorKind::Corrupt } else { ErrorKind::Unsupported };
        assert_eq!(kinds, [alone, ErrorKind::Unsupported], "{codecs}");
    }
    for (codecs, kind) in [
        (json!([]), ErrorKind::Corrupt),
        (json!(["zstd"]), ErrorKind::Corrupt),
        (json!([bytes(), bytes()]), ErrorKind::Unsupported),
        (json!([bytes(), "transpose"]), ErrorKind::Unsupported),
    ] {
        assert_eq!(
            [failure(&metadata(&codecs), &[]), failure(&sharded(&codecs), &[])],
            [kind; 2],
            "{codecs}"
        );
    }
}

#[test]
fn codecs_that_are_very_many_are_refused() {
    let transpose = json!({ "name": "transpose", "configuration": { "order": [2, 1, 0] } });
    let many = |codec: Value| vec![codec; 20_000];
    for codecs in [
        [vec![bytes()], many(json!("crc32c"))].concat(),
        [many(transpose), vec![bytes()]].concat(),
        many(json!("bytes")),
    ] {
        let codecs = json!(codecs);
        assert_eq!(failures(&codecs, &[0; CHUNK_BYTES]), [ErrorKind::TooLarge; 2]);
        let mut array = sharded(&json!([bytes()]));
        array["codecs"][0]["configuration"]["index_codecs"] = codecs;
        assert_eq!(failure(&array, &[0; CHUNK_BYTES]), ErrorKind::TooLarge);
    }
}
