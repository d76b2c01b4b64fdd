//! The objects of a file, as tools see them that look at damaged ones.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::sync::Arc;

use array_file::{ArrayFile, ArraySpec, Error, FileConfig, ObjectRole, check_head, list_objects};
use ndarray::Array1;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

#[tokio::test]
async fn objects_are_listed_by_role_and_those_of_others_left_out() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for name in ["a/m.af", "a/m.x.af", "a/m2.af"] {
        let mut file = ArrayFile::create(Arc::clone(&store), name, FileConfig::default()).await.unwrap();
        file.define_array("v", ArraySpec::new::<u8>(&[100]).chunk_shape(&[10])).unwrap();
        for value in 0..2u8 {
            file.write_array("v", &[0], Array1::from_elem(30, value).view()).await.unwrap();
            file.flush().await.unwrap();
        }
    }
    let objects = list_objects(&store, "a/m.af").await.unwrap();
    let roles: Vec<ObjectRole> = objects.iter().map(|object| object.role).collect();
    let expected = [
        ObjectRole::Head,
        ObjectRole::Commit(1),
        ObjectRole::Commit(2),
        ObjectRole::Layer(1),
        ObjectRole::Layer(2),
        ObjectRole::Statistics,
    ];
    assert_eq!(roles, expected);
    for object in &objects {
        let stored = store.get(&Path::from(object.path.as_str())).await.unwrap().bytes().await.unwrap();
        assert_eq!(stored.len() as u64, object.bytes, "{}", object.path);
    }
    let head = store.get(&Path::from("a/m.af")).await.unwrap().bytes().await.unwrap().to_vec();
    check_head(&head).unwrap();
    for bit in 0..head.len() * 8 {
        let mut damaged = head.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(check_head(&damaged).is_err(), "bit {bit}");
    }
    assert_eq!(list_objects(&store, "a/none.af").await.unwrap(), []);
    assert!(matches!(list_objects(&store, "a/none").await, Err(Error::InvalidPath { .. })));
}

#[tokio::test]
async fn chunks_that_share_a_block_say_so() {
    let config = FileConfig { block_target_size: 1 << 10, ..FileConfig::default() };
    let mut file = ArrayFile::create_memory(config).await.unwrap();
    file.define_array("short", ArraySpec::new::<u8>(&[40]).chunk_shape(&[10])).unwrap();
    file.define_array("long", ArraySpec::new::<u8>(&[4096]).chunk_shape(&[2048])).unwrap();
    file.write_array("short", &[0], Array1::from_elem(40, 1u8).view()).await.unwrap();
    file.write_array("long", &[0], Array1::from_elem(4096, 1u8).view()).await.unwrap();
    file.flush().await.unwrap();
    let places = async |array: &str| -> Vec<(u64, u64)> {
        let chunks = file.stored_chunks(array).await.unwrap();
        chunks.iter().map(|chunk| (chunk.layer, chunk.block_at)).collect()
    };
    let (short, long) = (places("short").await, places("long").await);
    assert_eq!(short.len(), 4);
    assert!(short.iter().all(|place| *place == short[0]), "{short:?}");
    assert_eq!(long.len(), 2);
    assert!(long[0] != long[1] && !long.contains(&short[0]), "{long:?}");
}
