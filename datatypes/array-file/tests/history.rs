//! Commits, snapshots, and what several have open at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use array_file::{ArrayFile, ArraySpec, BlockCache, Error, FileConfig};
use common::counting::Counting;
use common::failing::{Failing, Failure};
use common::{PATH, all, create, line, memory, objects, open, put};
use ndarray::{Array3, ArrayD};

#[tokio::test]
async fn every_commit_can_be_opened_until_it_is_swept_and_snapshots_stay() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(4, 0)).unwrap();
    for value in 1..=5u32 {
        put(&mut file, "a", 0, &[value; 4]).await;
        assert_eq!(file.flush().await.unwrap(), u64::from(value));
        if value == 2 {
            file.create_snapshot("two").unwrap();
        }
    }
    let at = async |commit| ArrayFile::open_at(store.clone(), PATH, commit, FileConfig::default()).await;
    for value in 1..=5u32 {
        assert_eq!(all(&at(value.into()).await.unwrap(), "a").await, [value; 4]);
    }
    assert_eq!(file.flush().await.unwrap(), 5, "nothing was pending");
    // Within the grace nothing goes, and without one all but the newest and the snapshot.
    file.sweep(Duration::from_hours(1)).await.unwrap();
    assert_eq!(file.commits().await.unwrap().len(), 5);
    file.compact().await.unwrap();
    file.sweep(Duration::ZERO).await.unwrap();
    let left: Vec<(u64, Vec<String>)> =
        file.commits().await.unwrap().into_iter().map(|info| (info.commit, info.snapshots)).collect();
    assert_eq!(left, [(2, vec!["two".to_owned()]), (6, vec![])]);
    assert!(matches!(at(3).await, Err(Error::CommitNotFound { .. })));
    let snapshot = ArrayFile::open_snapshot(store.clone(), PATH, "two", FileConfig::default()).await;
    assert_eq!(all(&snapshot.unwrap(), "a").await, [2; 4]);
    file.delete_snapshot("two").unwrap();
    file.sweep(Duration::ZERO).await.unwrap();
    assert!(matches!(at(2).await, Err(Error::CommitNotFound { .. })));
    assert_eq!(all(&open(&store).await, "a").await, [5; 4]);
}

#[tokio::test]
async fn a_past_commit_is_read_and_not_written() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(4, 0)).unwrap();
    file.flush().await.unwrap();
    let mut past = ArrayFile::open_at(store, PATH, 1, FileConfig::default()).await.unwrap();
    let values = ndarray::arr1(&[1u32]);
    assert!(matches!(past.write_array("a", &[0], values.view()).await, Err(Error::ReadOnly)));
    assert!(matches!(past.define_array("b", line(4, 0)), Err(Error::ReadOnly)));
    assert!(matches!(past.delete("a"), Err(Error::ReadOnly)));
    assert!(matches!(past.flush().await, Err(Error::ReadOnly)));
}

#[tokio::test]
async fn a_reader_whose_layers_were_swept_is_told_to_open_again() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(4, 0)).unwrap();
    put(&mut file, "a", 0, &[1; 4]).await;
    file.flush().await.unwrap();
    let uncached = FileConfig { cache_capacity: 0, io_cache_capacity: 0, ..FileConfig::default() };
    let mut reader = ArrayFile::open(store, PATH, uncached).await.unwrap();
    put(&mut file, "a", 0, &[2; 4]).await;
    file.compact().await.unwrap();
    assert_eq!(all(&reader, "a").await, [1; 4]);
    file.sweep(Duration::ZERO).await.unwrap();
    let error = reader.read_array::<u32>("a", &[], &[]).await.unwrap_err();
    assert!(matches!(error, Error::LayerGone { .. }), "{error}");
    assert!(reader.refresh().await.unwrap());
    assert_eq!(all(&reader, "a").await, [2; 4]);
}

#[tokio::test]
async fn writers_of_different_arrays_follow_each_other() {
    let store = memory();
    let mut first = create(&store).await;
    first.define_array("a", line(4, 0)).unwrap();
    first.define_array("b", line(4, 0)).unwrap();
    first.flush().await.unwrap();
    let small = FileConfig { write_buffer_size: 1, ..FileConfig::default() };
    let mut second = ArrayFile::open(store.clone(), PATH, small).await.unwrap();
    put(&mut first, "a", 0, &[1; 4]).await;
    first.set_attribute("a", "by", "first").unwrap();
    // Its chunk is in a layer already, under a number that the other commits first.
    put(&mut second, "b", 0, &[2; 4]).await;
    second.set_attribute("b", "by", "second").unwrap();
    first.flush().await.unwrap();
    put(&mut first, "a", 0, &[3; 4]).await;
    first.flush().await.unwrap();
    assert!(matches!(second.flush().await, Err(Error::Conflict { base: 1, newest: 3 })));
    second.rebase().await.unwrap();
    second.flush().await.unwrap();
    let opened = open(&store).await;
    assert_eq!((all(&opened, "a").await, all(&opened, "b").await), (vec![3; 4], vec![2; 4]));
    assert_eq!(opened.get_attribute("a", "by").unwrap(), Some(&"first".into()));
    assert_eq!(opened.get_attribute("b", "by").unwrap(), Some(&"second".into()));
    // Both change one array's metadata.
    let mut third = open(&store).await;
    second.set_attribute("a", "by", "second").unwrap();
    third.set_attribute("a", "by", "third").unwrap();
    second.flush().await.unwrap();
    assert!(matches!(third.rebase().await, Err(Error::Conflict { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_all_commit_at_once_all_get_their_turn() {
    const WRITERS: u64 = 4;
    const ROUNDS: u32 = 6;
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(4 * WRITERS, 0)).unwrap();
    file.flush().await.unwrap();
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            let mut file = open(&store).await;
            for round in 1..=ROUNDS {
                put(&mut file, "a", writer * 4, &[round; 4]).await;
                loop {
                    match file.flush().await {
                        Ok(_) => break,
                        Err(Error::Conflict { .. }) => file.rebase().await.map(|_| ()).unwrap(),
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let opened = open(&store).await;
    assert_eq!(all(&opened, "a").await, [ROUNDS; 16]);
    assert_eq!(opened.commit(), 1 + WRITERS * u64::from(ROUNDS));
    for info in opened.commits().await.unwrap() {
        let past = ArrayFile::open_at(store.clone(), PATH, info.commit, FileConfig::default()).await.unwrap();
        // Each commit has exactly one round more than the one before it.
        let rounds: u32 = all(&past, "a").await.iter().step_by(4).sum();
        assert_eq!(u64::from(rounds), info.commit - 1);
    }
}

/// A commit whose answer was lost, or that couldn't be looked after, was made; and somebody goes on from it before its
/// writer tries again.
#[tokio::test]
async fn a_commit_that_others_have_built_upon_is_not_taken_back() {
    for failure in [Failure::Once, Failure::AnswerLost] {
        let mut failed = 0;
        loop {
            let store = memory();
            let mut file = create(&store).await;
            file.define_array("a", line(8, 0)).unwrap();
            file.flush().await.unwrap();
            let failing = Arc::new(Failing::new(store.clone(), failure));
            let mut first = ArrayFile::open(failing.clone(), PATH, FileConfig::default()).await.unwrap();
            put(&mut first, "a", 0, &[1; 4]).await;
            failing.arm(failed);
            let outcome = first.flush().await;
            if !failing.has_failed() {
                outcome.unwrap();
                break;
            }
            failing.arm(u64::MAX);
            let mut second = open(&store).await;
            put(&mut second, "a", 4, &[2; 4]).await;
            let newest = second.flush().await.unwrap();
            if let Err(error) = first.flush().await {
                assert!(matches!(error, Error::Conflict { .. }), "call {failed}: {error}");
                first.rebase().await.unwrap();
                first.flush().await.unwrap();
            }
            let opened = open(&store).await;
            assert_eq!(all(&opened, "a").await, [1, 1, 1, 1, 2, 2, 2, 2], "call {failed}");
            let commits: Vec<u64> =
                opened.commits().await.unwrap().into_iter().map(|info| info.commit).collect();
            assert!(opened.commit() >= newest && commits == (1..=opened.commit()).collect::<Vec<_>>());
            failed += 1;
        }
        assert!(failed > 2, "{failure:?}");
    }
}

#[tokio::test]
async fn a_write_is_not_put_on_top_of_a_resize_or_a_deletion_nor_these_on_top_of_it() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Change {
        Write,
        Resize,
        Delete,
    }
    async fn make(file: &mut ArrayFile, change: Change) {
        match change {
            Change::Write => put(file, "a", 4, &[2; 4]).await,
            Change::Resize => file.resize("a", &[6]).await.unwrap(),
            Change::Delete => file.delete("a").unwrap(),
        }
    }
    for (ours, theirs) in [
        (Change::Write, Change::Resize),
        (Change::Write, Change::Delete),
        (Change::Resize, Change::Write),
        (Change::Delete, Change::Write),
        (Change::Resize, Change::Delete),
    ] {
        let store = memory();
        let mut first = create(&store).await;
        first.define_array("a", line(8, 0)).unwrap();
        put(&mut first, "a", 0, &[1; 4]).await;
        first.flush().await.unwrap();
        let mut second = open(&store).await;
        make(&mut first, theirs).await;
        make(&mut second, ours).await;
        first.flush().await.unwrap();
        let rebased = second.rebase().await;
        assert!(matches!(rebased, Err(Error::Conflict { .. })), "{ours:?} on {theirs:?}: {rebased:?}");
    }
}

#[tokio::test]
async fn a_hundred_small_edits_are_opened_and_read_in_a_few_requests() {
    let store = Arc::new(Counting::default());
    let mut file = ArrayFile::create(store.clone(), PATH, FileConfig::default()).await.unwrap();
    file.define_array("a", ArraySpec::new::<u16>(&[64, 64, 64]).chunk_shape(&[16, 16, 16])).unwrap();
    let mut expected = Array3::from_elem((64, 64, 64), 3u16);
    file.write_array("a", &[0; 3], expected.view()).await.unwrap();
    file.flush().await.unwrap();
    for round in 0..100u16 {
        let at = usize::from(round % 50);
        let edit = Array3::from_elem((8, 8, 8), round);
        file.write_array("a", &[at as u64; 3], edit.view()).await.unwrap();
        file.flush().await.unwrap();
        expected.slice_mut(ndarray::s![at..at + 8, at..at + 8, at..at + 8]).assign(&edit);
    }
    assert_eq!(file.num_layers(), 101);
    store.reset();
    let opened = ArrayFile::open(store.clone(), PATH, FileConfig::default()).await.unwrap();
    let (read, _) = store.bytes();
    assert!(read < 40_000, "{read} bytes to open");
    let whole: ArrayD<u16> = opened.read_array("a", &[], &[]).await.unwrap();
    assert_eq!(whole, expected.view().into_dyn());
    file.compact().await.unwrap();
    assert_eq!(file.num_layers(), 1);
    assert_eq!(file.read_array::<u16>("a", &[], &[]).await.unwrap(), expected.into_dyn());
}

#[tokio::test]
async fn a_table_of_many_arrays_is_written_once_and_moves_with_a_compaction() {
    let store = memory();
    let mut file = create(&store).await;
    for number in 0..1000 {
        file.define_array(&format!("array {number}"), line(4, 0)).unwrap();
    }
    file.flush().await.unwrap();
    put(&mut file, "array 7", 0, &[7; 4]).await;
    file.flush().await.unwrap();
    let manifests = async || {
        let all = objects(&*store).await;
        all.into_iter()
            .filter(|(name, _)| name.contains("commits"))
            .map(|(_, size)| size)
            .collect::<Vec<u64>>()
    };
    assert!(manifests().await.iter().all(|size| *size < 2000), "{:?}", manifests().await);
    for _ in 0..2 {
        let opened = open(&store).await;
        assert_eq!(opened.list_arrays().count(), 1000);
        assert_eq!(all(&opened, "array 7").await, [7; 4]);
        file.compact().await.unwrap();
        file.sweep(Duration::ZERO).await.unwrap();
    }
    file.delete("array 7").unwrap();
    file.flush().await.unwrap();
    assert_eq!(open(&store).await.list_arrays().count(), 999);
}

#[tokio::test]
async fn files_of_one_name_in_two_stores_share_a_cache_and_no_block() {
    let cache = Arc::new(BlockCache::new(1 << 20, 1 << 20));
    let config = || FileConfig::default().with_cache(Arc::clone(&cache));
    let mut files = Vec::new();
    for value in [1, 2] {
        let mut file = ArrayFile::create(memory(), PATH, config()).await.unwrap();
        file.define_array("a", line(4, 0)).unwrap();
        put(&mut file, "a", 0, &[value; 4]).await;
        file.flush().await.unwrap();
        files.push((value, file));
    }
    for _ in 0..2 {
        for (value, file) in &files {
            assert_eq!(all(file, "a").await, [*value; 4]);
        }
    }
}

#[tokio::test]
async fn a_second_read_asks_the_store_for_nothing() {
    let store = Arc::new(Counting::default());
    let mut file = ArrayFile::create(store.clone(), PATH, FileConfig::default()).await.unwrap();
    file.define_array("a", line(1000, 0)).unwrap();
    put(&mut file, "a", 0, &[5; 1000]).await;
    file.flush().await.unwrap();
    assert_eq!(all(&file, "a").await, [5; 1000]);
    store.reset();
    assert_eq!(all(&file, "a").await, [5; 1000]);
    assert_eq!(store.bytes(), (0, 0));
}
