//! Every chunk that the info file promises has the elements of the store, and no other has a URL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use chunks::{DType, MultiscaleStore, Region};
use common::{Fixture, Running, grid, noise, read, serve};
use serde_json::Value;

/// A list of the info file, x first, as one that is z first.
fn list(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().rev().map(|number| number.as_i64().unwrap()).collect()
}

/// Asks for every chunk as the format says that a reader does; hands over its region.
fn every_chunk(server: &Running, base: &str, mut each: impl FnMut(usize, &Region, Vec<u8>)) -> usize {
    let info = server.json(&format!("{base}/info"));
    let mut count = 0;
    for (scale, level) in info["scales"].as_array().unwrap().iter().enumerate() {
        let (size, first) = (list(&level["size"]), list(&level["voxel_offset"]));
        let chunk = list(&level["chunk_sizes"][0]);
        let key = level["key"].as_str().unwrap();
        let begins =
            |axis: usize| (0..size[axis]).step_by(usize::try_from(chunk[axis]).unwrap()).collect::<Vec<_>>();
        for z in begins(0) {
            for y in begins(1) {
                for x in begins(2) {
                    let begin = [z, y, x];
                    let end: [i64; 3] = std::array::from_fn(|axis| size[axis].min(begin[axis] + chunk[axis]));
                    let at =
                        |axis: usize| format!("{}-{}", first[axis] + begin[axis], first[axis] + end[axis]);
                    let data = server.bytes(&format!("{base}/{key}/{}_{}_{}", at(2), at(1), at(0)));
                    let offset: [i64; 3] = std::array::from_fn(|axis| first[axis] + begin[axis]);
                    let shape: [u64; 3] = std::array::from_fn(|axis| end[axis].abs_diff(begin[axis]));
                    each(scale, &Region::new(&offset, &shape).unwrap(), data);
                    count += 1;
                }
            }
        }
    }
    count
}

#[test]
fn of_every_type_with_odd_extents_below_zero_and_between_stored_chunks() {
    for &dtype in DType::ALL {
        let grid = grid(&[11, 9, 14], &[4, 8, 5], dtype, &[-6, 3, -20], "1");
        let store = noise(grid, &[vec![2, 2, 2], vec![1, 3, 2]], 7);
        let server = serve(vec![Fixture::new("a", false).version("v", &[], true, store)]);
        let shelf = server.shelf.0.read().unwrap();
        let store = &shelf[0].versions[0].1;
        let info = server.json("/a/v/info");
        assert_eq!(info["scales"][0]["size"], serde_json::json!([14, 9, 11]));
        assert_eq!(info["scales"][0]["voxel_offset"], serde_json::json!([-20, 3, -6]));
        let count = every_chunk(&server, "/a/v", |scale, region, data| {
            let stored = read(store, scale, region);
            let expected = match dtype {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_precision_loss,
                    reason = "as promised"
                )]
                DType::F64 => stored
                    .as_chunks::<8>()
                    .0
                    .iter()
                    .flat_map(|bytes| (f64::from_le_bytes(*bytes) as f32).to_le_bytes())
                    .collect(),
                #[allow(clippy::cast_precision_loss, reason = "as promised")]
                DType::I64 => stored
                    .as_chunks::<8>()
                    .0
                    .iter()
                    .flat_map(|bytes| (i64::from_le_bytes(*bytes) as f32).to_le_bytes())
                    .collect(),
                _ => stored,
            };
            assert_eq!(data, expected, "{dtype}, scale {scale}, {region}");
        });
        let expected: u64 = (0..3)
            .map(|scale| {
                let grid = store.scales().grid(scale).unwrap();
                grid.shape()
                    .iter()
                    .zip(grid.chunk_shape())
                    .map(|(size, chunk)| size.div_ceil(*chunk))
                    .product::<u64>()
            })
            .sum();
        assert_eq!(u64::try_from(count).unwrap(), expected);
    }
}

#[test]
fn of_labels_bit_by_bit_under_an_unsigned_type() {
    for (dtype, shown) in
        [(DType::U16, "uint16"), (DType::I32, "uint32"), (DType::U64, "uint64"), (DType::I64, "uint64")]
    {
        let store = noise(grid(&[5, 6, 7], &[4, 4, 4], dtype, &[0; 3], "0"), &[], 3);
        let server = serve(vec![Fixture::new("labels", true).version("v", &[], false, store)]);
        let info = server.json("/labels/v/info");
        assert_eq!((info["type"].as_str(), info["data_type"].as_str()), (Some("segmentation"), Some(shown)));
        let shelf = server.shelf.0.read().unwrap();
        let store = &shelf[0].versions[0].1;
        let size = dtype.size();
        let encoding = if size == 2 { "raw" } else { "compressed_segmentation" };
        assert_eq!(info["scales"][0]["encoding"], encoding);
        every_chunk(&server, "/labels/v", |scale, region, data| {
            let stored = read(store, scale, region);
            if size == 2 {
                assert_eq!(data, stored);
                return;
            }
            let unsigned = if size == 4 { DType::U32 } else { DType::U64 };
            let mut decoded = vec![0; stored.len()];
            let shape = std::array::from_fn(|axis| region.shape()[axis]);
            volume::decode_compressed_segmentation(unsigned, shape, [8; 3], &data, &mut decoded).unwrap();
            assert_eq!(decoded, stored, "{dtype}, scale {scale}, {region}");
        });
        // Whatever is offered, the elements themselves are there.
        let first = read(store, 0, &"0:4,0:4,0:4".parse().unwrap());
        assert_eq!(server.bytes("/labels/v/s0/0-4_0-4_0-4"), first);
        assert_eq!(server.get("/labels/v/r0/0-4_0-4_0-4").status() == 200, dtype == DType::I64);
    }
}

#[test]
fn of_arrays_with_fewer_and_more_than_three_axes() {
    let row = noise(grid(&[13], &[4], DType::U8, &[-1], "0"), &[vec![2]], 1);
    let plane = noise(grid(&[5, 6], &[4, 4], DType::U8, &[2, 0], "0"), &[], 2);
    let five = noise(grid(&[2, 3, 4, 5, 6], &[1, 2, 3, 4, 5], DType::U16, &[0, -1, 0, 0, 0], "9"), &[], 3);
    let server = serve(vec![
        Fixture::new("row", false).version("v", &[], true, row),
        Fixture::new("plane", false).version("v", &[], true, plane),
        Fixture::new("five", false).version("v", &[], true, five),
    ]);
    let shelf = server.shelf.0.read().unwrap();
    let part = |region: &Region, from: usize| {
        Region::new(&region.offset()[from..], &region.shape()[from..]).unwrap()
    };
    let row = &shelf[0].versions[0].1;
    assert_eq!(server.json("/row/v/info")["scales"][0]["size"], serde_json::json!([13, 1, 1]));
    every_chunk(&server, "/row/v", |scale, region, data| {
        assert_eq!(data, read(row, scale, &part(region, 2)));
    });
    let plane = &shelf[1].versions[0].1;
    every_chunk(&server, "/plane/v", |scale, region, data| {
        assert_eq!(data, read(plane, scale, &part(region, 1)));
    });
    let five = &shelf[2].versions[0].1;
    for place in [[0, -1], [1, 1]] {
        let base = format!("/five/v/at/{},{}", place[0], place[1]);
        let count = every_chunk(&server, &base, |scale, region, data| {
            let offset = [&place[..], region.offset()].concat();
            let shape = [&[1, 1], region.shape()].concat();
            assert_eq!(data, read(five, scale, &Region::new(&offset, &shape).unwrap()));
        });
        assert_eq!(count, 2 * 2 * 2);
    }
    let status = |path: &str| server.get(path).status().as_u16();
    assert_eq!(status("/five/v/info"), 400);
    assert_eq!(status("/five/v/at/0/info"), 400);
    assert_eq!(status("/five/v/at/0,x/info"), 400);
    assert_eq!(status("/five/v/at/0,2/info"), 404);
    assert_eq!(status("/plane/v/at/0/info"), 400);
    assert_eq!(server.json("/five/v")["shape"], serde_json::json!([2, 3, 4, 5, 6]));
}

#[test]
fn no_request_is_for_more_than_a_chunk() {
    let huge = grid(&[1 << 20, 1 << 20, 1 << 20], &[64, 64, 64], DType::U8, &[0; 3], "5");
    let server = serve(vec![Fixture::new("huge", false).version("v", &[], true, noise_free(huge))]);
    let status = |path: &str| server.get(&format!("/huge/v/{path}")).status().as_u16();
    // Nothing was written there, and a client gets the fill value rather than a 404, which would mean zero.
    assert_eq!(server.bytes("/huge/v/s0/64-128_0-64_1048512-1048576"), vec![5; 64 * 64 * 64]);
    assert_eq!(status("s0/0-1048576_0-1048576_0-1048576"), 404);
    assert_eq!(status("s0/0-128_0-64_0-64"), 404);
    assert_eq!(status("s0/0-64_0-64_1048576-1048640"), 404);
    assert_eq!(status("s1/0-64_0-64_0-64"), 404);
    assert_eq!(status("raw/0-64_0-64_0-64"), 404);
    assert_eq!(status("s0/0-64_0-64"), 400);
    assert_eq!(status("s0/%2e%2e"), 400);
    assert_eq!(status("s0/0-64_0-64_0-%ff"), 400);
    // A slice of it would be 2^40 pixels.
    assert_eq!(status("slice.png?axis=z&index=0"), 400);
}

fn noise_free(grid: chunks::Grid) -> chunks::MemoryScales {
    chunks::MemoryScales::new(chunks::Scales::single(grid), chunks::Codec::default())
}
