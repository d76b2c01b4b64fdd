//! What the tests share.
#![allow(dead_code, unreachable_pub)]

pub mod counting;
pub mod failing;
pub mod s3;

use std::sync::Arc;

use array_file::{ArrayFile, ArraySpec, FileConfig, FillValue};
use futures_util::TryStreamExt;
use ndarray::{Array1, ArrayD};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

pub const PATH: &str = "folder/test.af";

pub fn memory() -> Arc<InMemory> {
    Arc::new(InMemory::new())
}

pub async fn create(store: &Arc<InMemory>) -> ArrayFile {
    ArrayFile::create(store.clone(), PATH, FileConfig::default()).await.unwrap()
}

pub async fn open(store: &Arc<InMemory>) -> ArrayFile {
    ArrayFile::open(store.clone(), PATH, FileConfig::default()).await.unwrap()
}

/// One axis, in chunks of four.
pub fn line(length: u64, fill: u64) -> ArraySpec {
    ArraySpec::new::<u32>(&[length]).chunk_shape(&[4]).fill_value(FillValue::UInt(fill))
}

pub async fn put(file: &mut ArrayFile, name: &str, start: u64, values: &[u32]) {
    file.write_array(name, &[start], Array1::from(values.to_vec()).view()).await.unwrap();
}

pub async fn all(file: &ArrayFile, name: &str) -> Vec<u32> {
    let read: ArrayD<u32> = file.read_array(name, &[], &[]).await.unwrap();
    read.into_raw_vec_and_offset().0
}

/// The names of all objects, and their sizes.
pub async fn objects(store: &dyn ObjectStore) -> Vec<(String, u64)> {
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    let mut named: Vec<_> = listed.into_iter().map(|meta| (meta.location.to_string(), meta.size)).collect();
    named.sort();
    named
}

pub async fn bytes_of(store: &dyn ObjectStore, path: &str) -> Vec<u8> {
    store.get(&Path::from(path)).await.unwrap().bytes().await.unwrap().to_vec()
}
