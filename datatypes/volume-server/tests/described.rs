//! What the info file and the description say, and that slices and values are those of the volume.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use chunks::{DType, Region};
use common::{Fixture, grid, noise, read, serve};
use serde_json::json;

#[test]
fn the_info_file_is_in_nanometres_and_x_first() {
    let store = noise(
        grid(&[10, 20, 30], &[4, 5, 6], DType::F32, &[0, -4, 8], "0"),
        &[vec![1, 2, 2], vec![2, 2, 2]],
        1,
    );
    let axes = [("z", 40.0, "nm"), ("y", 0.5, "um"), ("x", 0.002, "mm")];
    let server = serve(vec![Fixture::new("em", false).axes(&axes).version("v", &[], true, store)]);
    let scale = |at: usize, resolution: [f64; 3], size: [u64; 3], offset: [i64; 3]| {
        json!({
            "key": format!("s{at}"), "resolution": resolution, "size": size, "voxel_offset": offset,
            "chunk_sizes": [[6, 5, 4]], "encoding": "raw",
        })
    };
    let expected = json!({
        "@type": "neuroglancer_multiscale_volume", "type": "image", "data_type": "float32", "num_channels": 1,
        "scales": [
            scale(0, [2000.0, 500.0, 40.0], [30, 20, 10], [8, -4, 0]),
            scale(1, [4000.0, 1000.0, 40.0], [15, 10, 10], [4, -2, 0]),
            scale(2, [8000.0, 2000.0, 80.0], [8, 5, 5], [2, -1, 0]),
        ],
    });
    assert_eq!(server.json("/em/v/info"), expected);
}

#[test]
fn a_spacing_that_is_no_length_is_one() {
    let store = noise(grid(&[2, 4, 4, 4], &[1, 4, 4, 4], DType::U8, &[0; 4], "0"), &[vec![1, 2, 2, 2]], 1);
    let axes = [("t", 1.5, "s"), ("z", 3.0, "mm"), ("y", 7.0, "s"), ("x", 0.0, "mm")];
    let server = serve(vec![Fixture::new("film", false).axes(&axes).version("v", &[], true, store)]);
    let info = server.json("/film/v/at/1/info");
    assert_eq!(info["scales"][0]["resolution"], json!([1.0, 1.0, 3_000_000.0]));
    assert_eq!(info["scales"][1]["resolution"], json!([2.0, 2.0, 6_000_000.0]));
}

#[test]
fn the_description_has_what_a_viewer_needs() {
    let store = noise(grid(&[6, 7], &[4, 4], DType::U8, &[-1, 0], "0"), &[vec![2, 1]], 1);
    let server = serve(vec![Fixture::new("plane", false).version("v", &[], false, store)]);
    let expected = json!({
        "version": "v", "committed": false, "labels": false, "dtype": "u8", "axes": [],
        "origin": [-1, 0], "shape": [6, 7], "window": [0.0, 255.0],
        "scales": [
            { "key": "s0", "origin": [0, -1, 0], "shape": [1, 6, 7], "chunk_shape": [1, 4, 4], "factors": [1, 1, 1] },
            { "key": "s1", "origin": [0, -1, 0], "shape": [1, 4, 7], "chunk_shape": [1, 4, 4], "factors": [1, 2, 1] },
        ],
    });
    assert_eq!(server.json("/plane/v"), expected);
}

fn pixels(picture: &[u8]) -> (u32, u32, png::ColorType, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    (frame.width, frame.height, frame.color_type, pixels)
}

#[test]
fn slices_are_the_elements_of_the_volume_in_the_window_that_is_asked_for() {
    let store = noise(grid(&[5, 6, 7], &[2, 4, 4], DType::U8, &[0, 0, -3], "0"), &[vec![1, 2, 2]], 4);
    let server = serve(vec![Fixture::new("a", false).version("v", &[], true, store)]);
    let shelf = server.shelf.0.read().unwrap();
    let store = &shelf[0].versions[0].1;
    for (query, scale, region, size) in [
        ("axis=z&index=4", 0, "4:5,0:6,-3:4", (7, 6)),
        ("axis=y&index=2&scale=0", 0, "0:5,2:3,-3:4", (7, 5)),
        ("axis=x&index=-2", 0, "0:5,0:6,-2:-1", (6, 5)),
        ("axis=x&index=-2&scale=1", 1, "0:5,0:3,-2:-1", (3, 5)),
    ] {
        let region: Region = region.parse().unwrap();
        let elements = read(store, scale, &region);
        let picture = server.bytes(&format!("/a/v/slice.png?{query}"));
        assert_eq!(
            pixels(&picture),
            (size.0, size.1, png::ColorType::Grayscale, elements.clone()),
            "{query}"
        );
        let windowed = server.bytes(&format!("/a/v/slice.png?{query}&window=64,128"));
        let expected: Vec<u8> = elements
            .iter()
            .map(|value| {
                let share = (f64::from(*value) - 64.0) / 64.0 * 255.0;
                u8::try_from(format!("{:.0}", share.clamp(0.0, 255.0).round()).parse::<u16>().unwrap())
                    .unwrap()
            })
            .collect();
        assert_eq!(pixels(&windowed).3, expected, "{query}");
    }
}

#[test]
fn labels_have_colours_of_their_own_and_nothing_is_black() {
    let store = noise(grid(&[1, 9, 9], &[1, 4, 4], DType::U64, &[0; 3], "0"), &[], 4);
    let server = serve(vec![Fixture::new("l", true).version("v", &[], true, store)]);
    let shelf = server.shelf.0.read().unwrap();
    let labels = read(&shelf[0].versions[0].1, 0, &"0:1,0:9,0:9".parse().unwrap());
    let (width, height, colour, shown) = pixels(&server.bytes("/l/v/slice.png?axis=z&index=0"));
    assert_eq!((width, height, colour), (9, 9, png::ColorType::Rgb));
    let mut seen = std::collections::BTreeMap::new();
    for (label, pixel) in labels.as_chunks::<8>().0.iter().zip(shown.as_chunks::<3>().0) {
        assert_eq!(*label == [0; 8], *pixel == [0; 3]);
        assert_eq!(seen.entry(*label).or_insert(*pixel), pixel, "one label, one colour");
    }
    assert!(seen.len() > 40, "noise has many labels");
}

#[test]
fn a_value_is_told_to_the_last_digit() {
    let store = noise(grid(&[2, 2, 2], &[2, 2, 2], DType::U64, &[-1, 0, 0], "0"), &[vec![2, 2, 2]], 11);
    let server = serve(vec![Fixture::new("a", true).version("v", &[], true, store)]);
    let shelf = server.shelf.0.read().unwrap();
    let store = &shelf[0].versions[0].1;
    for z in [-1, 0] {
        let element = read(store, 0, &Region::new(&[z, 1, 0], &[1, 1, 1]).unwrap());
        let expected = u64::from_le_bytes(element.try_into().unwrap()).to_string();
        assert_eq!(server.json(&format!("/a/v/value?z={z}&y=1&x=0")), json!({ "value": expected }));
    }
    let coarse = read(store, 1, &"-1:0,0:1,0:1".parse().unwrap());
    let expected = u64::from_le_bytes(coarse.try_into().unwrap()).to_string();
    assert_eq!(server.json("/a/v/value?z=-1&y=0&x=0&scale=1"), json!({ "value": expected }));
    let real = grid(&[1], &[1], DType::F64, &[0], "NaN");
    let store = chunks::MemoryScales::new(chunks::Scales::single(real), chunks::Codec::default());
    let server = serve(vec![Fixture::new("nan", false).version("v", &[], true, store)]);
    assert_eq!(server.json("/nan/v/value?z=0&y=0&x=0"), json!({ "value": "NaN" }));
}
