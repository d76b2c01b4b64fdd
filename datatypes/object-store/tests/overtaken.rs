//! Others who change an object between what a write was made from and its commit, at each commit of it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::limited::{Limited, assert_nothing_leaked, objects};
use futures_util::FutureExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};

const LARGE: usize = 60_000;

fn body(letter: u8, size: usize) -> Vec<u8> {
    vec![letter; size]
}

/// Makes an operation with another one before its commit number `at`; answers its outcome, or `None` where it makes fewer
/// commits.
async fn overtake<O: AsyncFnOnce(&kvdag_object_store::Objects) -> Result<(), Error>>(
    at: u64,
    operation: O,
    other: impl FnOnce(&kvdag_object_store::Objects) + Send + 'static,
    check: impl AsyncFnOnce(&kvdag_object_store::Objects, Result<(), Error>),
) -> bool {
    let store = Limited::new();
    let objects = objects(Arc::clone(&store));
    objects.put(&Path::from("one"), body(b'1', LARGE).into()).await.unwrap();
    objects.put(&Path::from("two"), body(b'2', LARGE + 1).into()).await.unwrap();
    let theirs = objects.clone();
    store.intrude(at, move || other(&theirs));
    let outcome = operation(&objects).await;
    let intruded = store.was_intruded();
    store.intrude(u64::MAX, || {});
    if intruded {
        check(&objects, outcome).await;
        objects.sweep(SystemTime::now() + Duration::from_mins(1)).await.unwrap();
        assert_nothing_leaked(&store, &objects).await;
    }
    intruded
}

async fn read(objects: &kvdag_object_store::Objects, path: &str) -> Option<(u8, usize)> {
    match objects.get(&Path::from(path)).await {
        Ok(found) => {
            let read = found.bytes().await.unwrap();
            assert_eq!(read, body(read[0], read.len()));
            Some((read[0], read.len()))
        }
        Err(Error::NotFound { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Replaces an object by one of a size of its own.
fn replace(path: &'static str, size: usize) -> impl FnOnce(&kvdag_object_store::Objects) + Send + 'static {
    move |objects| {
        let put = objects.put(&Path::from(path), body(b'9', size).into()).now_or_never();
        put.unwrap().unwrap();
    }
}

const SIZES: [usize; 3] = [7, 5000, LARGE + 9];

#[tokio::test]
async fn a_rename_takes_what_its_source_has_become() {
    for size in SIZES {
        let mut commits = 0;
        while overtake(
            commits,
            async |objects| objects.rename(&Path::from("one"), &Path::from("two")).await,
            replace("one", size),
            async |objects, outcome| {
                outcome.unwrap();
                let two = read(objects, "two").await;
                // Before the rename's last batch it was renamed, after it it is a new object.
                match read(objects, "one").await {
                    None => assert_eq!(two, Some((b'9', size))),
                    one => assert_eq!((one, two), (Some((b'9', size)), Some((b'1', LARGE)))),
                }
            },
        )
        .await
        {
            commits += 1;
        }
        assert!(commits > 0);
    }
}

#[tokio::test]
async fn a_delete_and_a_put_take_all_that_was_there() {
    for size in SIZES {
        for put in [None, Some(7), Some(LARGE)] {
            let mut commits = 0;
            while overtake(
                commits,
                async |objects| match put {
                    None => objects.delete(&Path::from("one")).await,
                    Some(size) => objects.put(&Path::from("one"), body(b'3', size).into()).await.map(|_| ()),
                },
                replace("one", size),
                async |objects, outcome| {
                    outcome.unwrap();
                    let ours = put.map(|size| (b'3', size));
                    let one = read(objects, "one").await;
                    assert!(one == ours || one == Some((b'9', size)), "{one:?}");
                },
            )
            .await
            {
                commits += 1;
            }
            assert!(commits > 0);
        }
    }
}

#[tokio::test]
async fn a_condition_that_held_at_first_is_judged_with_the_commit() {
    for size in [7, LARGE] {
        let mut commits = 0;
        while overtake(
            commits,
            async |objects| {
                let path = Path::from("three");
                objects.put_opts(&path, body(b'3', size).into(), PutMode::Create.into()).await.map(|_| ())
            },
            replace("three", 8),
            async |objects, outcome| {
                let three = read(objects, "three").await;
                match outcome {
                    Err(Error::AlreadyExists { .. }) => assert_eq!(three, Some((b'9', 8))),
                    // Only behind the batch that made it visible: there is none behind it here.
                    outcome => panic!("{outcome:?}, {three:?}"),
                }
            },
        )
        .await
        {
            commits += 1;
        }
        assert!(commits > 0);
    }
}

#[tokio::test]
async fn a_writer_that_is_swept_is_told_and_leaves_nothing() {
    let mut swept = 0;
    let mut commits = 0;
    while overtake(
        commits,
        async |objects| {
            let path = Path::from("three");
            objects.put(&path, body(b'3', 2 * LARGE).into()).await?;
            let mut upload = objects.put_multipart(&path).await?;
            upload.put_part(body(b'4', LARGE).into()).await?;
            upload.complete().await.map(|_| ())
        },
        |objects| {
            let later = SystemTime::now() + Duration::from_mins(1);
            objects.sweep(later).now_or_never().unwrap().unwrap();
        },
        async |objects, outcome| {
            let three = read(objects, "three").await;
            match outcome {
                Ok(()) => assert_eq!(three, Some((b'4', LARGE))),
                Err(error) => {
                    swept += 1;
                    assert!(three.is_none() || three == Some((b'3', 2 * LARGE)), "{error}: {three:?}");
                }
            }
        },
    )
    .await
    {
        commits += 1;
    }
    assert!(swept > 10, "{swept} of {commits}");
}
