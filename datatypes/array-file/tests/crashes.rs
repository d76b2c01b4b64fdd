//! A store that fails, or dies, at every one of its calls: what is opened afterwards is the commit before, or
//! the one that was being made, and what is left over is found and swept.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use array_file::{ArrayFile, Error, FileConfig};
use common::failing::{Failing, Failure};
use common::{PATH, all, line, memory, objects, open, put};
use object_store::memory::InMemory;

const FAILURES: [Failure; 4] = [Failure::Once, Failure::AnswerLost, Failure::Death, Failure::DeathAfter];

/// Nothing is cached, packed small, and spilled early, so that there are many calls.
fn config() -> FileConfig {
    FileConfig {
        cache_capacity: 0,
        io_cache_capacity: 0,
        block_target_size: 64,
        write_buffer_size: 300,
        grace: Duration::ZERO,
        ..FileConfig::default()
    }
}

const OLD: [u32; 16] = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 9, 9, 9, 9];
const NEW: [u32; 16] = [1, 1, 1, 1, 2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];

/// A file with two commits and three layers.
async fn prepared() -> Arc<InMemory> {
    let store = memory();
    let mut file = ArrayFile::create(store.clone(), PATH, config()).await.unwrap();
    file.define_array("a", line(16, 9)).unwrap();
    put(&mut file, "a", 0, &[1; 12]).await;
    file.flush().await.unwrap();
    put(&mut file, "a", 4, &[2, 2, 2, 2, 3, 3, 3, 3]).await;
    file.define_array("gone", line(8, 0)).unwrap();
    put(&mut file, "gone", 0, &[5; 8]).await;
    file.flush().await.unwrap();
    file.delete("gone").unwrap();
    file.flush().await.unwrap();
    store
}

async fn change(file: &mut ArrayFile) -> Result<(), Error> {
    let values = ndarray::Array1::from(vec![7u32; 11]);
    file.write_array("a", &[5], values.view()).await?;
    file.set_attribute("a", "changed", true)?;
    file.flush().await?;
    Ok(())
}

/// Runs `work` on a store that fails at its first call, its second, and so on until none is left to fail, and
/// checks the file after each.
async fn at_every_call(
    failure: Failure,
    work: impl AsyncFn(&mut ArrayFile) -> Result<(), Error>,
    check: impl AsyncFn(&Arc<InMemory>, Result<(), Error>, &mut ArrayFile),
) -> u64 {
    for at in 0.. {
        let store = prepared().await;
        let failing = Arc::new(Failing::new(store.clone(), failure));
        let mut file = ArrayFile::open(failing.clone(), PATH, config()).await.unwrap();
        failing.arm(at);
        let result = work(&mut file).await;
        let finished = !failing.has_failed();
        failing.arm(u64::MAX);
        if finished {
            result.unwrap();
            assert_eq!(all(&open(&store).await, "a").await, NEW);
            return at;
        }
        check(&store, result, &mut file).await;
    }
    unreachable!("there are finitely many calls")
}

#[tokio::test]
async fn a_flush_that_fails_anywhere_leaves_the_old_state_or_the_new() {
    for failure in FAILURES {
        let calls = at_every_call(failure, change, async |store, result, _| {
            let opened = open(store).await;
            let changed = opened.get_attribute("a", "changed").unwrap().is_some();
            let expected = if changed { NEW } else { OLD };
            assert_eq!(all(&opened, "a").await, expected, "{failure:?}");
            // Where it was answered that it is done, it is.
            assert!(changed || result.is_err());
        })
        .await;
        assert!(calls > 5, "{calls} calls");
    }
}

#[tokio::test]
async fn a_flush_that_failed_once_can_be_made_again_and_loses_nothing() {
    for failure in [Failure::Once, Failure::AnswerLost] {
        at_every_call(failure, change, async |store, result, file| {
            if result.is_err() {
                change(file).await.unwrap();
            }
            assert_eq!(all(&open(store).await, "a").await, NEW, "{failure:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_compaction_or_a_sweep_that_fails_anywhere_changes_nothing_that_is_read() {
    for failure in FAILURES {
        let work = async |file: &mut ArrayFile| {
            change(file).await?;
            file.compact().await?;
            file.sweep(Duration::ZERO).await.map(|_| ())
        };
        at_every_call(failure, work, async |store, _, _| {
            let opened = open(store).await;
            let changed = opened.get_attribute("a", "changed").unwrap().is_some();
            assert_eq!(all(&opened, "a").await, if changed { NEW } else { OLD }, "{failure:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_a_crash_leaves_over_is_found_and_swept() {
    for failure in [Failure::Death, Failure::DeathAfter] {
        let work = async |file: &mut ArrayFile| {
            change(file).await?;
            file.compact().await.map(|_| ())
        };
        at_every_call(failure, work, async |store, _, _| {
            let mut opened = ArrayFile::open(store.clone(), PATH, config()).await.unwrap();
            let expected = all(&opened, "a").await;
            opened.sweep(Duration::ZERO).await.unwrap();
            // The head, one manifest or two, one file of statistics, and the layers of the newest commit.
            let left = objects(&**store).await;
            let named = |end: &str| left.iter().filter(|(name, _)| name.ends_with(end)).count();
            assert_eq!(named(".af"), opened.num_layers() + 1, "{failure:?}: {left:?}");
            assert!(named(".manifest") <= 2, "{left:?}");
            assert_eq!(all(&open(store).await, "a").await, expected);
            change(&mut opened).await.unwrap();
            assert_eq!(all(&open(store).await, "a").await, NEW);
        })
        .await;
    }
}

#[tokio::test]
async fn a_writer_that_was_swept_under_is_told() {
    let store = prepared().await;
    let mut slow = ArrayFile::open(store.clone(), PATH, config()).await.unwrap();
    put(&mut slow, "a", 5, &[7; 11]).await;
    let mut other = ArrayFile::open(store.clone(), PATH, config()).await.unwrap();
    other.sweep(Duration::ZERO).await.unwrap();
    // Had it put any layer already, that is gone, and it must not be committed.
    let flushed = slow.flush().await;
    let read = all(&open(&store).await, "a").await;
    match flushed {
        Ok(_) => assert_eq!(read, NEW),
        Err(error) => {
            assert!(matches!(error, Error::Conflict { .. }), "{error}");
            assert_eq!(read, OLD);
        }
    }
}

#[tokio::test]
async fn a_commit_that_comes_after_its_number_was_swept_is_a_conflict() {
    for commits in 2..=3 {
        late_by(commits).await;
    }
}

async fn late_by(commits: u64) {
    let store = prepared().await;
    let mut late = ArrayFile::open(store.clone(), PATH, config()).await.unwrap();
    let mut other = ArrayFile::open(store.clone(), PATH, config()).await.unwrap();
    for _ in 0..commits {
        change(&mut other).await.unwrap();
    }
    other.sweep(Duration::ZERO).await.unwrap();
    late.set_attribute("a", "late", true).unwrap();
    let error = late.flush().await.unwrap_err();
    assert!(matches!(error, Error::Conflict { base: 3, newest } if newest == 3 + commits), "{error}");
    let opened = open(&store).await;
    assert_eq!(opened.commit(), 3 + commits);
    assert_eq!(opened.get_attribute("a", "late").unwrap(), None);
    assert_eq!(opened.commits().await.unwrap().len(), 1);
}

/// The loser's statistics come last, under the number of the winner's commit.
#[tokio::test]
async fn statistics_of_a_writer_that_lost_are_not_those_of_the_winner() {
    let store = prepared().await;
    let mut winner = ArrayFile::open(store.clone(), PATH, config()).await.unwrap();
    let mut loser = ArrayFile::open(store.clone(), PATH, config()).await.unwrap();
    put(&mut winner, "a", 0, &[4; 16]).await;
    put(&mut loser, "a", 0, &[8; 16]).await;
    winner.flush().await.unwrap();
    assert!(matches!(loser.flush().await, Err(Error::Conflict { .. })));
    let stats = open(&store).await.array_stats("a").await.unwrap().unwrap();
    assert_eq!(stats.max, Some(array_file::StatValue::UInt(4)));
}
