//! Clients that share no code with the server: tensorstore, Neuroglancer, and a browser.
//!
//! They need Python with the packages of `tests/clients/requirements.txt`, named by `VOLUME_SERVER_PYTHON` unless it is
//! `python3`, and all but the first one Chromium. `VOLUME_SERVER_SCREENSHOT` names a file for a picture of the viewer.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use chunks::{Codec, DType, Grid, MemoryScales, MultiscaleStore, Region, Scales, write_region};
use common::{Fixture, grid, noise, read, serve};
use serde_json::json;
use volume::open_image;

/// What a script prints; a script that fails, or isn't there to be run, fails the test.
fn run(script: &str, arguments: &[OsString]) -> String {
    let python = env::var_os("VOLUME_SERVER_PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let output = Command::new(&python).arg(&script).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
#[ignore = "needs Python with tensorstore"]
fn tensorstore_reads_every_voxel_of_every_type_and_scale() {
    let folder = tempfile::tempdir().unwrap();
    let mut fixtures = Vec::new();
    let types = DType::ALL.iter().filter(|dtype| !matches!(dtype, DType::F64 | DType::I64));
    for (dtype, labels) in
        types.map(|dtype| (*dtype, false)).chain([(DType::U32, true), (DType::U64, true), (DType::I64, true)])
    {
        let grid = grid(&[21, 34, 45], &[8, 16, 11], dtype, &[-13, 2, -40], "1");
        let store = noise(grid, &[vec![1, 2, 2], vec![2, 2, 2]], 5);
        let name = format!("{dtype}{}", if labels { " labels" } else { "" });
        let axes = [("z", 0.05, "um"), ("y", 4.0, "nm"), ("x", 4.0, "nm")];
        fixtures.push(Fixture::new(&name, labels).axes(&axes).version("v", &["main"], true, store));
    }
    let server = serve(fixtures);
    let shelf = server.shelf.0.read().unwrap();
    let mut expected = Vec::new();
    let mut voxels = 0;
    for (number, fixture) in shelf.iter().enumerate() {
        let store = &fixture.versions[0].1;
        let mut scales = Vec::new();
        for scale in 0..store.scales().len() {
            let bounds = store.scales().grid(scale).unwrap().bounds();
            let file = format!("{number}-{scale}");
            fs::write(folder.path().join(&file), read(store, scale, &bounds)).unwrap();
            let shown = match store.scales().base().dtype() {
                DType::Bool => DType::U8,
                DType::I64 => DType::U64,
                dtype => dtype,
            };
            scales.push(json!({
                "file": file, "type": shown.numpy_name(), "offset": bounds.offset(), "shape": bounds.shape(),
            }));
            voxels += bounds.elements();
        }
        let name = fixture.name.replace(' ', "%20");
        expected.push(json!({
            "url": format!("http://{}/{name}/main/", server.address),
            "scales": scales,
            "units": [["4 nm", "4 nm", "50 nm"], ["8 nm", "8 nm", "50 nm"], ["16 nm", "16 nm", "100 nm"]],
        }));
    }
    fs::write(folder.path().join("expected.json"), json!(expected).to_string()).unwrap();
    let said = run("precomputed.py", &[folder.path().into()]);
    assert_eq!(said.trim(), format!("{voxels} voxels are the same"));
}

/// A file of testdata, at two scales, of which the second is every other element.
fn image(name: &str) -> MemoryScales {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    let mut reader = open_image(&path, None).unwrap();
    let info = reader.info().clone();
    let mut data = vec![0; usize::try_from(info.total_bytes()).unwrap()];
    assert_eq!(reader.next_slab(&mut data).unwrap(), info.slices());
    let grid = Grid::new(info.shape(), &[64, 64, 64], info.dtype()).unwrap();
    let store = MemoryScales::new(Scales::new(grid, &[vec![2, 2, 2]]).unwrap(), Codec::default());
    write(&store, &grid.bounds(), &data);
    store
}

/// The head MRI as it is, and with a box blanked.
fn heads() -> (MemoryScales, MemoryScales) {
    let (first, second) = (image("mni152_t1_1mm.nii.gz"), image("mni152_t1_1mm.nii.gz"));
    let blanked: Region = "80:120,90:150,110:160".parse().unwrap();
    write(&second, &blanked, &vec![0; blanked.bytes(1).unwrap()]);
    (first, second)
}

/// Writes at both scales.
fn write(store: &MemoryScales, region: &Region, data: &[u8]) {
    write_region(store.scale(0).unwrap(), region, data).unwrap();
    let size = store.scales().base().element_size();
    let all = store.scales().base().bounds();
    let now = read(store, 0, &all);
    let strides = [all.shape()[1] * all.shape()[2], all.shape()[2], 1];
    let coarse = store.scales().grid(1).unwrap().bounds();
    let mut picked = Vec::new();
    for z in 0..coarse.shape()[0] {
        for y in 0..coarse.shape()[1] {
            for x in 0..coarse.shape()[2] {
                let at = usize::try_from(2 * (z * strides[0] + y * strides[1] + x)).unwrap() * size;
                picked.extend_from_slice(&now[at..at + size]);
            }
        }
    }
    write_region(store.scale(1).unwrap(), &coarse, &picked).unwrap();
}

#[test]
#[ignore = "needs Python with playwright and numpy, and Chromium"]
fn the_viewer_draws_what_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = heads();
    let nuclei = image("nuclei_labels.tif");
    let film =
        noise(grid(&[3, 4, 5, 6], &[1, 4, 4, 4], DType::U8, &[-1, 0, 0, 0], "0"), &[vec![1, 2, 2, 2]], 9);
    let mut shapes = serde_json::Map::new();
    for (name, store) in
        [("mri-first", &first), ("mri-second", &second), ("nuclei", &nuclei), ("film", &film)]
    {
        let bounds = store.scales().base().bounds();
        fs::write(folder.path().join(name), read(store, 0, &bounds)).unwrap();
        let dtype = store.scales().base().dtype().numpy_name();
        shapes.insert(name.to_owned(), json!({ "type": dtype, "shape": bounds.shape() }));
    }
    fs::write(folder.path().join("shapes.json"), json!(shapes).to_string()).unwrap();
    let axes = [("z", 1.0, "mm"), ("y", 1.0, "mm"), ("x", 1.0, "mm")];
    let mut mri = Fixture::new("mri", false)
        .axes(&axes)
        .version("7d9f1c044e0a4b7f8a39b6d5c2e81f60", &["blanked"], false, second)
        .version("2c61e8a7b05d4f3c9d7714a0f6ce35b2", &["main"], true, first);
    for ((entry, _), note) in mri.versions.iter_mut().zip(["a box blanked", "as imported"]) {
        note.clone_into(&mut entry.note);
    }
    let server = serve(vec![
        mri,
        Fixture::new("nuclei", true).version("90b4d2f3c6a14e5d8071f5be93ac2d47", &["main"], true, nuclei),
        Fixture::new("film", false).version("c4a1", &["main"], true, film),
    ]);
    let mut arguments = vec![format!("http://{}", server.address).into(), folder.path().into()];
    arguments.extend(env::var_os("VOLUME_SERVER_SCREENSHOT"));
    let said = run("viewer.py", &arguments);
    assert_eq!(said.trim(), "the viewer shows what is served");
}

#[test]
#[ignore = "needs Python with neuroglancer and playwright, and Chromium"]
fn neuroglancer_draws_what_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = heads();
    // Below zero, and not where a stored chunk begins.
    let moved = noise(grid(&[20, 75, 90], &[8, 32, 32], DType::U8, &[-13, -40, 7], "0"), &[], 21);
    let server = serve(vec![
        Fixture::new("mri", false).version("b1", &["blanked"], false, second).version(
            "a1",
            &["main"],
            true,
            first,
        ),
        Fixture::new("moved", false).version("c1", &["main"], true, moved),
    ]);
    let shelf = server.shelf.0.read().unwrap();
    let mut expected = Vec::new();
    for (volume, version, store, index) in [
        ("mri", "main", &shelf[0].versions[1].1, 94),
        ("mri", "blanked", &shelf[0].versions[0].1, 94),
        ("moved", "main", &shelf[1].versions[0].1, -9),
    ] {
        let bounds = store.scales().base().bounds();
        let file = format!("{volume}-{version}");
        fs::write(folder.path().join(&file), read(store, 0, &bounds)).unwrap();
        expected.push(json!({
            "url": format!("http://{}/{volume}/{version}", server.address),
            "file": file, "index": index, "offset": bounds.offset(), "shape": bounds.shape(),
        }));
    }
    fs::write(folder.path().join("expected.json"), json!(expected).to_string()).unwrap();
    let said = run("in_neuroglancer.py", &[folder.path().into()]);
    assert_eq!(said.trim(), "3 volumes are drawn as they are served");
}
