//! Damaged objects: an error, or what was written; never anything else.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "the names are ours")]

mod common;

use std::sync::Arc;

use array_file::{
    ArrayFile, ArraySpec, ArrayStats, CodecRegistry, Error, FileConfig, check_layer, check_manifest,
    check_stats,
};
use common::{PATH, bytes_of, create, line, memory, objects, put};
use ndarray::{ArrayD, arr1};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

/// All that is in the file of these tests.
#[derive(Debug, PartialEq)]
struct Contents {
    numbers: ArrayD<u32>,
    texts: ArrayD<String>,
    units: String,
    stats: Option<ArrayStats>,
}

async fn prepared() -> Arc<InMemory> {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("numbers", line(16, 9)).unwrap();
    put(&mut file, "numbers", 0, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).await;
    file.define_array("texts", ArraySpec::new::<String>(&[3]).chunk_shape(&[2])).unwrap();
    file.set_attribute("texts", "units", "m").unwrap();
    let texts = ["a".to_owned(), "größe".to_owned(), String::new()];
    file.write_array("texts", &[0], arr1(&texts).view()).await.unwrap();
    file.flush().await.unwrap();
    put(&mut file, "numbers", 3, &[40, 50]).await;
    file.flush().await.unwrap();
    store
}

async fn read(store: Arc<dyn ObjectStore>) -> Result<Contents, Error> {
    let file = ArrayFile::open(store, PATH, FileConfig::default()).await?;
    Ok(Contents {
        numbers: file.read_array("numbers", &[], &[]).await?,
        texts: file.read_array("texts", &[], &[]).await?,
        units: format!("{:?}", file.get_attribute("texts", "units")?),
        stats: file.array_stats("numbers").await?,
    })
}

async fn copy_of(store: &InMemory) -> Arc<InMemory> {
    let copy = memory();
    for (name, _) in objects(store).await {
        copy.put(&Path::from(name.as_str()), bytes_of(store, &name).await.into()).await.unwrap();
    }
    copy
}

#[tokio::test]
async fn no_flipped_bit_and_no_cut_changes_an_answer() {
    let store = prepared().await;
    let sound = read(store.clone()).await.unwrap();
    let (mut refused, mut harmless) = (0, 0);
    for (name, _) in objects(&*store).await {
        let path = Path::from(name.as_str());
        let bytes = bytes_of(&*store, &name).await;
        let mut variants: Vec<Vec<u8>> = (0..bytes.len()).map(|length| bytes[..length].to_vec()).collect();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                variants.push(damaged);
            }
        }
        for (number, variant) in variants.into_iter().enumerate() {
            // A cut manifest can't be read, and one that is gone is another history.
            let damaged = copy_of(&store).await;
            damaged.put(&path, variant.into()).await.unwrap();
            match read(damaged).await {
                Ok(answer) => {
                    assert_eq!(answer, sound, "{name}, variant {number}");
                    harmless += 1;
                }
                Err(Error::Corrupt { .. } | Error::Incompatible { .. } | Error::Storage(_)) => refused += 1,
                Err(error) => panic!("{name}, variant {number}: {error}"),
            }
        }
    }
    assert!(refused > 1000 && harmless > 100, "{refused} refused, {harmless} harmless");
}

#[tokio::test]
async fn the_checks_of_whole_objects_find_every_flipped_bit() {
    let store = prepared().await;
    let codecs = CodecRegistry::default();
    for (name, _) in objects(&*store).await {
        let bytes = bytes_of(&*store, &name).await;
        let check = |bytes: &[u8]| match name.as_str() {
            name if name.ends_with(".manifest") => check_manifest(bytes).map(|_| ()),
            name if name.ends_with(".stats") => check_stats(bytes).map(|_| ()),
            _ => check_layer(bytes, &codecs).map(|_| ()),
        };
        if name == PATH {
            continue;
        }
        check(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x04;
            assert!(check(&damaged).is_err(), "{name}, byte {at}");
            assert!(check(&bytes[..at]).is_err(), "{name}, {at} bytes");
        }
    }
}

#[tokio::test]
async fn objects_of_another_file_are_refused() {
    let store = prepared().await;
    let other = memory();
    let mut file = create(&other).await;
    file.define_array("numbers", line(16, 9)).unwrap();
    put(&mut file, "numbers", 0, &[11; 16]).await;
    file.flush().await.unwrap();
    let foreign = bytes_of(&*other, "folder/test.1.af").await;
    store.put(&Path::from("folder/test.1.af"), foreign.into()).await.unwrap();
    let file = ArrayFile::open(store, PATH, FileConfig::default()).await.unwrap();
    assert!(matches!(file.read_array::<u32>("numbers", &[], &[]).await, Err(Error::Corrupt { .. })));
}

#[tokio::test]
async fn an_array_that_claims_more_than_memory_holds_is_an_error() {
    let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
    file.define_array("huge", ArraySpec::new::<u64>(&[1 << 30, 1 << 32]).chunk_shape(&[1 << 12, 1 << 13]))
        .unwrap();
    let error = file.read_array::<u64>("huge", &[], &[]).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}
