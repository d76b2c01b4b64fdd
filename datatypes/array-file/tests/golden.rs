//! The bytes of a file, which are the same for the same input, and are read by every later version.
//!
//! `ARRAY_FILE_UPDATE_GOLDEN=1 cargo test -p array-file --test golden` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::path::PathBuf;
use std::sync::Arc;

use array_file::{ArrayFile, ArraySpec, AttributeValue, FileConfig, FillValue, List, StatValue, TimestampNs};
use chunks::Codec;
use common::{bytes_of, memory, objects};
use ndarray::{ArrayD, arr1, arr2};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Nothing is compressed, so that the bytes don't depend on the release of a compressor.
fn config() -> FileConfig {
    FileConfig::new(Codec::NONE)
}

async fn written() -> Arc<InMemory> {
    let store = memory();
    let mut file = ArrayFile::create(store.clone(), "golden.af", config()).await.unwrap();
    let spec = ArraySpec::new::<u16>(&[5, 3])
        .chunk_shape(&[2, 3])
        .dimension_names(&["y", "x"])
        .fill_value(FillValue::UInt(7));
    file.define_array("numbers", spec).unwrap();
    file.set_attribute("numbers", "units", "nm").unwrap();
    file.set_attribute("numbers", "scale", 0.5f64).unwrap();
    file.write_array("numbers", &[1, 0], arr2(&[[1u16, 2, 3], [400, 7, 60_000]]).view()).await.unwrap();
    file.define_array("texts", ArraySpec::new::<String>(&[4]).chunk_shape(&[3])).unwrap();
    let text = |text: &str| text.to_owned();
    file.write_array("texts", &[0], arr1(&[text("one"), text(""), text("größe")]).view()).await.unwrap();
    file.define_array("lists", ArraySpec::new::<List<f32>>(&[2])).unwrap();
    file.write_array("lists", &[1], arr1(&[List(vec![0.5f32, -1.0])]).view()).await.unwrap();
    file.define_array("when", ArraySpec::new::<TimestampNs>(&[])).unwrap();
    file.write_array("when", &[], ndarray::arr0(TimestampNs(-1)).view()).await.unwrap();
    file.flush().await.unwrap();
    file.create_snapshot("first").unwrap();
    file.write_array("numbers", &[0, 0], arr2(&[[7u16; 3], [7; 3]]).view()).await.unwrap();
    file.delete("lists").unwrap();
    file.flush().await.unwrap();
    store
}

#[tokio::test]
async fn the_same_input_is_the_same_bytes_as_ever() {
    let store = written().await;
    let update = std::env::var_os("ARRAY_FILE_UPDATE_GOLDEN").is_some();
    let mut names = Vec::new();
    for (name, _) in objects(&*store).await {
        let path = folder().join(&name);
        let bytes = bytes_of(&*store, &name).await;
        if update {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{name} has other bytes than it had");
        names.push(name);
    }
    let commit = |number: u64| format!("golden.commits/{number:020}.manifest");
    let expected = ["golden.1.af", "golden.2.af", "golden.af", &commit(1), &commit(2), "golden.stats"]
        .map(str::to_owned);
    assert_eq!(names, expected);
}

#[tokio::test]
async fn what_was_written_once_is_read_for_ever() {
    let store = memory();
    let mut folders = vec![(folder(), String::new())];
    while let Some((from, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push((entry.path(), format!("{name}/")));
            } else {
                let bytes = std::fs::read(entry.path()).unwrap();
                store.put(&Path::from(name.as_str()), bytes.into()).await.unwrap();
            }
        }
    }
    let first = ArrayFile::open_snapshot(store.clone(), "golden.af", "first", config()).await.unwrap();
    let numbers: ArrayD<u16> = first.read_array("numbers", &[], &[]).await.unwrap();
    let expected = arr2(&[[7, 7, 7], [1, 2, 3], [400, 7, 60_000], [7, 7, 7], [7, 7, 7]]);
    assert_eq!(numbers, expected.into_dyn());
    let lists: ArrayD<List<f32>> = first.read_array("lists", &[], &[]).await.unwrap();
    assert_eq!(lists.as_slice().unwrap(), [List(vec![]), List(vec![0.5, -1.0])]);
    let newest = ArrayFile::open(store, "golden.af", config()).await.unwrap();
    let numbers: ArrayD<u16> = newest.read_array("numbers", &[1, 0], &[2, 3]).await.unwrap();
    assert_eq!(numbers, arr2(&[[7, 7, 7], [400, 7, 60_000]]).into_dyn());
    let texts: ArrayD<String> = newest.read_array("texts", &[], &[]).await.unwrap();
    assert_eq!(texts.as_slice().unwrap(), ["one", "", "größe", ""]);
    let when: ArrayD<TimestampNs> = newest.read_array("when", &[], &[]).await.unwrap();
    assert_eq!(when, ndarray::arr0(TimestampNs(-1)).into_dyn());
    assert_eq!(newest.get_attribute("numbers", "scale").unwrap(), Some(&AttributeValue::Float64(0.5)));
    let stats = newest.array_stats("numbers").await.unwrap().unwrap();
    assert_eq!((stats.min, stats.max), (Some(StatValue::UInt(400)), Some(StatValue::UInt(60_000))));
    assert_eq!((newest.commit(), newest.num_layers(), newest.list_arrays().count()), (2, 2, 3));
}
