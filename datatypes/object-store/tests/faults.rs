//! A commit that fails, and a process that is killed, at each commit of each operation.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::limited::{Limited, assert_nothing_leaked, keys, objects};
use engine_api::layers::{Fault, Faults, Faulty};
use kvdag_object_store::{Objects, Swept};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutPayload};

const OLD: usize = 60_000;
const NEW: usize = 70_000;

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at / 7 + size).to_le_bytes()[0]).collect()
}

fn paths() -> [Path; 2] {
    [Path::from("from"), Path::from("to")]
}

/// What changes objects, in several batches each.
#[derive(Clone, Copy, Debug)]
enum Change {
    Put,
    PutSmall,
    Upload,
    Copy,
    Rename,
    Delete,
}

const CHANGES: [Change; 6] =
    [Change::Put, Change::PutSmall, Change::Upload, Change::Copy, Change::Rename, Change::Delete];

impl Change {
    async fn make(self, objects: &Objects) -> Result<(), Error> {
        let [from, to] = paths();
        match self {
            Self::Put => objects.put(&to, bytes(NEW).into()).await.map(|_| ()),
            Self::PutSmall => objects.put(&to, bytes(100).into()).await.map(|_| ()),
            Self::Upload => {
                let mut upload = objects.put_multipart(&to).await?;
                for part in bytes(NEW).chunks(30_000) {
                    upload.put_part(PutPayload::from(part.to_vec())).await?;
                }
                upload.complete().await.map(|_| ())
            }
            Self::Copy => objects.copy(&from, &to).await,
            Self::Rename => objects.rename(&from, &to).await,
            Self::Delete => objects.delete(&to).await,
        }
    }

    /// What the two paths hold once it is made.
    fn result(self) -> [Option<usize>; 2] {
        match self {
            Self::Put | Self::Upload => [Some(NEW + 1), Some(NEW)],
            Self::PutSmall => [Some(NEW + 1), Some(100)],
            Self::Copy => [Some(NEW + 1), Some(NEW + 1)],
            Self::Rename => [None, Some(NEW + 1)],
            Self::Delete => [Some(NEW + 1), None],
        }
    }
}

const BEFORE: [Option<usize>; 2] = [Some(NEW + 1), Some(OLD)];

async fn prepare(objects: &Objects) {
    let [from, to] = paths();
    objects.put(&from, bytes(NEW + 1).into()).await.unwrap();
    objects.put(&to, bytes(OLD).into()).await.unwrap();
}

async fn state(objects: &Objects) -> [Option<usize>; 2] {
    let mut sizes = [None; 2];
    for (path, size) in paths().iter().zip(&mut sizes) {
        match objects.get(path).await {
            Ok(found) => {
                let read = found.bytes().await.unwrap();
                assert_eq!(read, bytes(read.len()));
                *size = Some(read.len());
            }
            Err(Error::NotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    sizes
}

fn everything() -> SystemTime {
    SystemTime::now() + Duration::from_hours(1)
}

#[tokio::test]
async fn a_commit_that_fails_leaves_the_old_or_the_new() {
    for change in CHANGES {
        let mut failures = 0;
        for calls in 0.. {
            let (store, faults) = (Limited::new(), Faults::new());
            let objects = objects(Faulty::new(Arc::clone(&store), Arc::clone(&faults)));
            prepare(&objects).await;
            faults.fail_after(Fault::Commit, calls);
            let outcome = change.make(&objects).await;
            let reached =
                outcome.is_err() || state(&objects).await != BEFORE && store_has_intent(&objects).await;
            faults.clear();
            let after = state(&objects).await;
            let expected = if outcome.is_ok() { change.result() } else { BEFORE };
            assert_eq!(after, expected, "{change:?}, failing commit {calls}");
            objects.sweep(everything()).await.unwrap();
            assert_eq!(state(&objects).await, expected);
            assert_nothing_leaked(&store, &objects).await;
            if !reached {
                break;
            }
            failures += u32::from(outcome.is_err());
        }
        assert!(failures >= 1, "{change:?} made no commit that could fail");
    }
}

/// Whether a removal was cut short: what failed was behind the commit that made the change.
async fn store_has_intent(objects: &Objects) -> bool {
    objects.sweep(SystemTime::UNIX_EPOCH).await.unwrap() != Swept::default()
}

#[tokio::test]
async fn a_kill_leaves_the_old_or_the_new_and_a_sweep_leaves_nothing_else() {
    for change in CHANGES {
        let mut seen = Vec::new();
        for commits in 0.. {
            let store = Limited::new();
            let objects = objects(Arc::clone(&store));
            prepare(&objects).await;
            store.stop_after(commits);
            let outcome = change.make(&objects).await;
            store.go_on();
            let after = state(&objects).await;
            assert!(
                after == BEFORE || after == change.result(),
                "{change:?}, killed at commit {commits}: {after:?}"
            );
            assert!(outcome.is_err() || after == change.result(), "{change:?} was told to be done and isn't");
            // The sweep is killed too, at each of its commits, and then goes on.
            for killed in 0..3 {
                store.stop_after(killed);
                drop(objects.sweep(everything()).await);
                store.go_on();
                assert_eq!(state(&objects).await, after);
            }
            let last = objects.sweep(everything()).await.unwrap();
            assert_eq!(objects.sweep(everything()).await.unwrap(), Swept::default());
            assert_eq!(state(&objects).await, after, "{change:?}, killed at commit {commits}, swept");
            assert_nothing_leaked(&store, &objects).await;
            seen.push(after);
            if outcome.is_ok() && last == Swept::default() && seen.len() > 12 {
                break;
            }
        }
        assert!(seen.contains(&BEFORE) && seen.contains(&change.result()), "{change:?}");
    }
}

#[tokio::test]
async fn an_abandoned_upload_is_listed_and_swept_and_its_writer_is_told() {
    let store = Limited::new();
    let objects = objects(Arc::clone(&store));
    let path = Path::from("a/b");
    let before = keys(&store);
    let id = objects.create_multipart(&path).await.unwrap();
    objects.put_part(&path, &id, 0, bytes(50_000).into()).await.unwrap();
    let pending = objects.pending().await.unwrap();
    assert_eq!(
        (pending.len(), &pending[0].id, &pending[0].path, pending[0].is_upload),
        (1, &id, &path, true)
    );
    assert!(keys(&store) > before + 100);
    // One that began after the moment is left alone.
    assert_eq!(objects.sweep(pending[0].begun).await.unwrap(), Swept::default());
    let swept = objects.sweep(everything()).await.unwrap();
    assert_eq!((swept.abandoned, swept.blocks), (1, 101));
    assert_eq!(keys(&store), before);
    let late = objects.put_part(&path, &id, 1, bytes(10).into()).await.unwrap_err();
    assert!(late.to_string().contains("no such upload"), "{late}");
    let late = objects.complete_multipart(&path, &id, Vec::new()).await.unwrap_err();
    assert!(late.to_string().contains("no such upload"), "{late}");
    assert_eq!(keys(&store), before);
}

#[tokio::test]
async fn parts_that_are_sent_again_or_left_out_are_neither_mixed_nor_kept() {
    let store = Limited::new();
    let objects = objects(Arc::clone(&store));
    let path = Path::from("parts");
    let id = objects.create_multipart(&path).await.unwrap();
    let first = objects.put_part(&path, &id, 0, bytes(9000).into()).await.unwrap();
    let again = objects.put_part(&path, &id, 0, bytes(4000).into()).await.unwrap();
    assert_ne!(first.content_id, again.content_id);
    let second = objects.put_part(&path, &id, 1, bytes(5000).into()).await.unwrap();
    objects.complete_multipart(&path, &id, vec![again, second]).await.unwrap();
    let read = objects.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, [bytes(4000), bytes(5000)].concat());
    // The marker, the record, eight and ten blocks, and two lengths.
    assert_eq!(keys(&store), 1 + 1 + 8 + 10 + 2);

    let id = objects.create_multipart(&path).await.unwrap();
    let wrong = vec![object_store::multipart::PartId { content_id: "7".to_owned() }];
    assert!(objects.complete_multipart(&path, &id, wrong).await.is_err());
    let other = Path::from("other");
    assert!(objects.complete_multipart(&other, &id, Vec::new()).await.is_err(), "an id is of one path");
    objects.abort_multipart(&path, &id).await.unwrap();
    assert!(objects.abort_multipart(&path, &id).await.is_err());
    assert_eq!(
        objects.get(&path).await.unwrap().bytes().await.unwrap(),
        read,
        "an abort leaves what was there"
    );
    objects.delete(&path).await.unwrap();
    assert_eq!(keys(&store), 1);
}
