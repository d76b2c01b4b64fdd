//! Files on S3: an emulator that any client sees as a server.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "names are given out in lower case")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use array_file::{ArrayFile, ArraySpec, Error, FileConfig};
use common::s3::{BUCKET, Moto, bucket, client, emulator};
use common::{PATH, all, line, objects, put};
use engine_api::ErrorKind;
use ndarray::Array1;
use object_store::aws::S3ConditionalPut;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use s3_emulator::{Conditions, Emulator};

fn config() -> FileConfig {
    FileConfig { grace: Duration::ZERO, ..FileConfig::default() }
}

async fn open(store: &Arc<dyn ObjectStore>) -> ArrayFile {
    ArrayFile::open(store.clone(), PATH, config()).await.unwrap()
}

/// A file with an array `a` of so many elements, in chunks of four, and one commit.
async fn prepared(store: &Arc<dyn ObjectStore>, length: u64) -> ArrayFile {
    let mut file = ArrayFile::create(store.clone(), PATH, config()).await.unwrap();
    file.define_array("a", line(length, 0)).unwrap();
    file.flush().await.unwrap();
    file
}

/// What the tests below rest upon: this server keeps the conditions that commits are made under.
#[tokio::test]
async fn a_put_is_done_where_its_condition_holds_and_nowhere_else() {
    let emulator = emulator();
    assert_conditions_hold(&*bucket(&emulator)).await;
    let conditional =
        |method: &str| emulator.requests().iter().any(|asked| asked.method == method && asked.conditional);
    assert!(conditional("PUT"), "the client sends the conditions, and doesn't look first");
}

async fn assert_conditions_hold(store: &dyn ObjectStore) {
    let path = Path::from("there");
    let text = |text: &'static str| PutPayload::from_static(text.as_bytes());
    let update = |e_tag| PutOptions::from(PutMode::Update(UpdateVersion { e_tag, version: None }));
    let first = store.put_opts(&path, text("first"), PutMode::Create.into()).await.unwrap();
    let refused = store.put_opts(&path, text("second"), PutMode::Create.into()).await.unwrap_err();
    assert!(matches!(refused, object_store::Error::AlreadyExists { .. }), "{refused}");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "first");
    store.put_opts(&path, text("third"), update(first.e_tag.clone())).await.unwrap();
    let refused = store.put_opts(&path, text("fourth"), update(first.e_tag)).await.unwrap_err();
    assert!(matches!(refused, object_store::Error::Precondition { .. }), "{refused}");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "third");
}

/// Two writers go on from one commit; answers what the second is told, and what is read then.
async fn second_of_two(store: &Arc<dyn ObjectStore>) -> (Result<u64, Error>, Vec<u32>) {
    let (mut first, mut second) = (open(store).await, open(store).await);
    put(&mut first, "a", 0, &[1; 4]).await;
    put(&mut second, "a", 4, &[2; 4]).await;
    assert_eq!(first.flush().await.unwrap(), 2);
    let told = second.flush().await;
    (told, all(&open(store).await, "a").await)
}

#[tokio::test]
async fn the_second_of_two_writers_is_told_where_conditions_are_honoured_and_only_there() {
    for (conditions, keeps) in [(Conditions::Honoured, true), (Conditions::Ignored, false)] {
        let emulator = emulator();
        let store = bucket(&emulator);
        prepared(&store, 8).await;
        emulator.set_conditions(conditions);
        let (told, read) = second_of_two(&store).await;
        assert_eq!(matches!(told, Err(Error::Conflict { base: 1, newest: 2 })), keeps, "{conditions:?}");
        // This is what is lost on a server that doesn't know conditions, and why files aren't made there.
        assert_eq!(read[..4] == [1; 4], keeps, "{conditions:?}: {read:?}");
    }
}

#[tokio::test]
async fn a_store_that_ignores_conditions_gets_no_file() {
    let emulator = emulator();
    emulator.set_conditions(Conditions::Ignored);
    let store = bucket(&emulator);
    let error = ArrayFile::create(store.clone(), PATH, config()).await.unwrap_err();
    assert!(matches!(error, Error::NoConditionalPut { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(objects(&*store).await, [], "nothing is left of the attempt");
}

#[tokio::test]
async fn a_store_without_conditions_gets_no_file_and_no_commit() {
    let emulator = emulator();
    let honoured = bucket(&emulator);
    let disabled = client(&emulator.endpoint(), BUCKET, S3ConditionalPut::Disabled);
    let error = ArrayFile::create(disabled.clone(), PATH, config()).await.unwrap_err();
    assert!(matches!(error, Error::NoConditionalPut { .. }), "{error}");
    prepared(&honoured, 8).await;
    let before = objects(&*honoured).await;
    let mut file = open(&disabled).await;
    put(&mut file, "a", 0, &[1; 4]).await;
    let error = file.flush().await.unwrap_err();
    assert!(matches!(error, Error::NoConditionalPut { .. }), "{error}");
    file.set_attribute("a", "unit", "nm").unwrap();

    // A server that says so itself.
    emulator.set_conditions(Conditions::Refused);
    let mut file = open(&honoured).await;
    file.set_attribute("a", "unit", "nm").unwrap();
    let error = file.flush().await.unwrap_err();
    assert!(matches!(error, Error::Storage(_)), "{error}");
    assert!(file.has_pending());
    emulator.set_conditions(Conditions::Honoured);
    let names = |objects: Vec<(String, u64)>| -> Vec<String> {
        objects.into_iter().map(|(name, _)| name).filter(|name| !name.ends_with(".stats")).collect()
    };
    assert_eq!(names(objects(&*honoured).await), names(before));
    assert_eq!(file.flush().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_that_commit_at_once_one_wins_each_commit_and_nothing_is_lost() {
    let emulator = emulator();
    race(&bucket(&emulator)).await;
    let refused =
        emulator.requests().iter().filter(|asked| asked.method == "PUT" && asked.status == 412).count();
    assert!(refused > 0, "the writers have never met");
}

/// Writers that add to their own number and to one of all, from what they read at the commit that they go on from.
async fn race(store: &Arc<dyn ObjectStore>) {
    const WRITERS: u64 = 6;
    const ROUNDS: u32 = 5;
    prepared(store, 4 * (WRITERS + 1)).await;
    let mut writers = Vec::new();
    for writer in 1..=WRITERS {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            let mut won = Vec::new();
            for round in 1..=ROUNDS {
                loop {
                    let mut file = open(&store).await;
                    let sum = all(&file, "a").await[0];
                    put(&mut file, "a", 0, &[sum + 1]).await;
                    put(&mut file, "a", writer * 4, &[round; 4]).await;
                    match file.flush().await {
                        Ok(commit) => break won.push(commit),
                        Err(Error::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            won
        }));
    }
    let mut won = Vec::new();
    for writer in writers {
        won.extend(writer.await.unwrap());
    }
    won.sort_unstable();
    let commits = WRITERS * u64::from(ROUNDS);
    assert_eq!(won, (2..=commits + 1).collect::<Vec<_>>(), "each commit has one winner");
    let read = all(&open(store).await, "a").await;
    assert_eq!(u64::from(read[0]), commits, "every addition counts");
    assert_eq!(read[4..], vec![ROUNDS; 4 * usize::try_from(WRITERS).unwrap()]);
}

#[tokio::test]
async fn past_commits_are_read_until_they_are_swept_in_listings_of_any_length() {
    let emulator = emulator();
    emulator.set_page(2);
    let store = bucket(&emulator);
    past_compact_and_sweep(&store).await;
}

async fn past_compact_and_sweep(store: &Arc<dyn ObjectStore>) {
    let mut file = prepared(store, 8).await;
    for value in 1..=9 {
        put(&mut file, "a", 4, &[value; 4]).await;
        file.flush().await.unwrap();
    }
    for commit in 1..=10u32 {
        let past = ArrayFile::open_at(store.clone(), PATH, commit.into(), config()).await.unwrap();
        assert_eq!(all(&past, "a").await[4..], [commit - 1; 4]);
    }
    let reader = open(store).await;
    let swept = file.compact().await.unwrap();
    assert_eq!((file.num_layers(), swept.layers), (1, 9), "{swept:?}");
    assert_eq!(all(&open(store).await, "a").await, [0, 0, 0, 0, 9, 9, 9, 9]);
    let gone = reader.read_array::<u32>("a", &[], &[]).await.unwrap_err();
    assert!(matches!(gone, Error::LayerGone { .. }), "{gone}");
    let gone = ArrayFile::open_at(store.clone(), PATH, 5, config()).await.unwrap_err();
    assert!(matches!(gone, Error::CommitNotFound { .. }), "{gone}");
    let left = objects(&**store).await;
    assert_eq!(left.iter().filter(|(name, _)| name.ends_with(".af")).count(), 2, "{left:?}");
}

/// S3 takes parts of an object from 5 MiB on; a layer is one put, which is what a condition can be on.
#[tokio::test]
async fn a_layer_of_many_megabytes_is_put_and_read_back() {
    let emulator = emulator();
    let store = bucket(&emulator);
    large_layer(&store).await;
    let longest = objects(&*store).await.into_iter().map(|(_, length)| length).max();
    assert!(longest.unwrap() > 12 << 20, "{longest:?}");
}

async fn large_layer(store: &Arc<dyn ObjectStore>) {
    let mut file = ArrayFile::create(store.clone(), PATH, config()).await.unwrap();
    let mut random = fastrand::Rng::with_seed(4);
    let noise = Array1::from_shape_simple_fn(13 << 20, || random.u8(..));
    let spec = ArraySpec::new::<u8>(&[13 << 20]).chunk_shape(&[1 << 19]);
    file.define_array("noise", spec).unwrap();
    file.write_array("noise", &[0], noise.view()).await.unwrap();
    file.flush().await.unwrap();
    let read = open(store).await.read_array::<u8>("noise", &[], &[]).await.unwrap();
    assert!(read.iter().eq(noise.iter()));
    let part = open(store).await.read_array::<u8>("noise", &[5_000_000], &[100]).await.unwrap();
    assert!(part.iter().eq(noise.iter().skip(5_000_000).take(100)));
}

/// Commits to a server with a fault that is armed before each of its flushes.
async fn flushed_under(arm: impl Fn(&Emulator), may_fail: bool) {
    let emulator = emulator();
    let store = bucket(&emulator);
    let mut file = prepared(&store, 8).await;
    let mut failed = 0;
    for value in 1..=4u32 {
        put(&mut file, "a", 0, &[value; 4]).await;
        arm(&emulator);
        if let Err(error) = file.flush().await {
            assert!(may_fail, "{error}");
            assert!(!matches!(error, Error::Conflict { .. }), "there is one writer: {error}");
            file.flush().await.unwrap();
            failed += 1;
        }
        let opened = open(&store).await;
        assert_eq!(all(&opened, "a").await[..4], [value; 4]);
        assert_eq!(opened.commit(), 1 + u64::from(value), "none is made twice");
    }
    assert_eq!(failed > 0, may_fail);
}

#[tokio::test]
async fn what_the_server_asks_to_try_again_is_tried_again() {
    flushed_under(|emulator| emulator.fail_next(2), false).await;
    for conflicts in 1..=6 {
        flushed_under(|emulator| emulator.conflict_next(conflicts), false).await;
    }
}

#[tokio::test]
async fn a_server_that_fails_for_long_is_told_and_nothing_is_lost() {
    flushed_under(|emulator| emulator.fail_next(4), true).await;
}

#[tokio::test]
async fn a_put_whose_answer_is_lost_is_made_once() {
    for behind in 0.. {
        let emulator = emulator();
        let store = bucket(&emulator);
        let mut file = prepared(&store, 8).await;
        put(&mut file, "a", 0, &[1; 4]).await;
        emulator.requests();
        emulator.lose_put(behind);
        if let Err(error) = file.flush().await {
            assert!(!matches!(error, Error::Conflict { .. }), "put {behind}: {error}");
            file.flush().await.unwrap();
        }
        let opened = open(&store).await;
        assert_eq!((all(&opened, "a").await[0], opened.commit()), (1, 2), "put {behind}");
        if !emulator.requests().iter().any(|asked| asked.status == 0) {
            assert!(behind >= 3, "a layer, a manifest and the statistics");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs Python with moto"]
async fn so_it_is_on_a_server_that_others_have_written() {
    let moto = Moto::start();
    assert_conditions_hold(&*moto.bucket("conditions")).await;
    let two = moto.bucket("two");
    prepared(&two, 8).await;
    let (told, read) = second_of_two(&two).await;
    assert!(matches!(told, Err(Error::Conflict { base: 1, newest: 2 })), "{told:?}");
    assert_eq!(read, [1, 1, 1, 1, 0, 0, 0, 0]);
    race(&moto.bucket("race")).await;
    past_compact_and_sweep(&moto.bucket("past")).await;
    large_layer(&moto.bucket("large")).await;
}
