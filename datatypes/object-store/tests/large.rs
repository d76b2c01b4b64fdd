//! Objects of many batches, ranges of them, and streams that others overtake.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{ENGINES, Form, case};
use engine_api::layers::Metered;
use engine_api::{ErrorKind, MemoryStore};
use futures_util::StreamExt;
use kvdag_object_store::Objects;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt};

const SIZE: usize = 20_000_003;

fn data() -> Bytes {
    (0..SIZE).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_a_large_object_are_read_on_every_engine() {
    let data = data();
    for engine in ENGINES {
        for form in [Form::Plain, Form::AtVersion] {
            let case = case(engine, form);
            let (objects, path) = (&case.objects, Path::from("large"));
            objects.put(&path, data.clone().into()).await.unwrap();
            assert_eq!(objects.pending().await.unwrap(), []);
            let whole = objects.get(&path).await.unwrap();
            assert_eq!(whole.meta.size, SIZE as u64);
            assert!(whole.bytes().await.unwrap() == data, "{}", case.name);

            let edges = [0, 1, 131_071, 131_072, 131_073, 4 << 20, (8 << 20) - 1, SIZE - 1];
            for (at, start) in edges.into_iter().enumerate() {
                for length in [1, 2, 131_072, 300_000, 9_000_000] {
                    let end = (start + length).min(SIZE);
                    let read = objects.get_range(&path, start as u64..end as u64).await.unwrap();
                    assert!(read == data.slice(start..end), "{}: {start}..{end}, {at}", case.name);
                }
            }
            let options = GetOptions::new().with_range(Some(GetRange::Suffix(70_000)));
            let read = objects.get_opts(&path, options).await.unwrap();
            assert!(read.bytes().await.unwrap() == data.slice(SIZE - 70_000..));
            let ranges: Vec<_> =
                (0..200).rev().map(|at| at * 90_001..at * 90_001 + 60_000 + at * 7).collect();
            let read = objects.get_ranges(&path, &ranges).await.unwrap();
            for (range, read) in ranges.iter().zip(read) {
                let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
                assert!(read == data.slice(range.clone()), "{range:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_range_reads_the_blocks_that_it_touches_and_each_once() {
    let store = Arc::new(Metered::new(MemoryStore::new()));
    let objects = Objects::in_store(Arc::clone(&store), b"").unwrap();
    let path = Path::from("large");
    objects.put(&path, data().into()).await.unwrap();
    let before = store.usage();
    objects.get_range(&path, 1_000_000..1_000_010).await.unwrap();
    let one = store.usage();
    assert_eq!(one.gets - before.gets, 2, "the record and a block");
    assert!(one.bytes_read - before.bytes_read < 140_000);
    let ranges: Vec<_> = (0..1000).map(|at| at * 200..at * 200 + 150).collect();
    objects.get_ranges(&path, &ranges).await.unwrap();
    assert_eq!(store.usage().gets - one.gets, 3, "the record and two blocks");
}

#[tokio::test]
async fn a_listing_with_a_delimiter_passes_over_what_it_does_not_list() {
    let store = Arc::new(Metered::new(MemoryStore::new()));
    let objects = Objects::in_store(Arc::clone(&store), b"").unwrap();
    for folder in 0..5 {
        for file in 0..400 {
            objects.put(&Path::from(format!("top/{folder}/{file}")), "x".into()).await.unwrap();
        }
    }
    objects.put(&Path::from("top/file"), "x".into()).await.unwrap();
    let before = store.usage();
    let listed = objects.list_with_delimiter(Some(&Path::from("top"))).await.unwrap();
    assert_eq!((listed.common_prefixes.len(), listed.objects.len()), (5, 1));
    let read = store.usage().entries_read - before.entries_read;
    assert!(read <= 5 * 10 + 1, "{read} entries of 2001");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_object_is_replaced_ends_with_an_error_that_says_so() {
    let data = data();
    for engine in ENGINES {
        let case = case(engine, Form::Plain);
        let (objects, path) = (&case.objects, Path::from("large"));
        objects.put(&path, data.clone().into()).await.unwrap();
        let mut stream = objects.get(&path).await.unwrap().into_stream();
        let first = stream.next().await.unwrap().unwrap();
        assert!(first == data.slice(..first.len()));
        objects.put(&path, vec![1; SIZE].into()).await.unwrap();
        let error = stream.next().await.unwrap().unwrap_err();
        let Error::Generic { source, .. } = &error else { panic!("{error}") };
        let kind = source.downcast_ref::<engine_api::Error>().unwrap().kind();
        assert_eq!(kind, ErrorKind::SnapshotExpired, "{}", case.name);
        assert!(stream.next().await.is_none());
    }
}
