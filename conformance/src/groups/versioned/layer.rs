//! The layer on its store: set up, opened again, and used by several threads.

use std::ops::ControlFlow;
use std::sync::Barrier;
use std::thread;

use bytes::Bytes;
use engine_api::version::{OrderedKeyValue as _, Versioned};
use engine_api::{ErrorKind, Fetch, KeyRange, Store as _, StoreExt as _};

use super::NEEDS;
use super::lab::{Lab, Node, tkey};
use crate::case::Case;
use crate::checks::{all_keys, check_keys, check_refused};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.create-refuses-a-store-with-data",
        create_refuses_a_store_with_data,
        "Versions are made in an empty store alone; one that holds something is Incompatible, and stays as it is.",
        "Someone's keys would be read as versions.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.open-refuses-a-store-without-versions",
        open_refuses_a_store_without_versions,
        "A store that was never set up for versions, empty or not, is Incompatible, and stays as it is.",
        "Opening must not create.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.denied-answers-unsupported",
        denied_answers_unsupported,
        "On a store without conditional batches versions are Unsupported, and nothing is written.",
        "Two changes of the DAG would overwrite each other.",
    )
    .needs(&[Need::NoConditional]),
    Case::new(
        "versioned.reopen-keeps-the-history",
        reopen_keeps_the_history,
        "A store that is opened again has its versions, parents, branches, notes, instances and values.",
        "The DAG is data.",
    )
    .needs(&[Need::AtomicBatches, Need::Conditional, Need::KeysOf(128), Need::Persistent]),
    Case::new(
        "versioned.commit-keeps-writers-out",
        commit_keeps_writers_out,
        "While threads write, a version is committed: every put that succeeded is there, and none comes later.",
        "A write that slips in behind the commit changes what others have read for good.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.concurrent-changes-of-the-dag-all-apply",
        concurrent_changes_of_the_dag_all_apply,
        "Branches that eight threads make at once are all there, with numbers and names of their own.",
        "DVID's TestStressConcurrentMetadataOps.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.reader-sees-one-state",
        reader_sees_one_state,
        "What a reader of a version answers doesn't change while the version is written, by key and by range.",
        "Two reads of one thing that differ can't be put together.",
    )
    .needs(&[Need::AtomicBatches, Need::Conditional, Need::KeysOf(128), Need::SnapshotReads]),
];

fn create_refuses_a_store_with_data(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    store.put("someone's", "data")?;
    check_refused(Versioned::create(&store), ErrorKind::Incompatible, "versions in a store with data")?;
    check_keys(&all_keys(&store)?, &["someone's"], "the keys of that store")
}

fn open_refuses_a_store_without_versions(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    check_refused(Versioned::open(&store), ErrorKind::Incompatible, "an empty store as one with versions")?;
    check_keys::<&str>(&all_keys(&store)?, &[], "the keys of that store")?;
    store.put("someone's", "data")?;
    check_refused(Versioned::open(&store), ErrorKind::Incompatible, "a plain store as one with versions")?;
    check_keys(&all_keys(&store)?, &["someone's"], "the keys of that store")
}

fn denied_answers_unsupported(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    check_refused(Versioned::create(&store), ErrorKind::Unsupported, "versions without conditional batches")?;
    check_keys::<&str>(&all_keys(&store)?, &[], "the keys of that store")
}

fn reopen_keeps_the_history(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 5] = [
        (&[], &[("k", Some("root")), ("kept", Some("root"))]),
        (&[1], &[("k", Some("l"))]),
        (&[1], &[("k", None), ("gone", None)]),
        (&[2, 3], &[]),
        (&[4], &[("k", Some("open"))]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    let before: Vec<_> = lab.store.dag()?.versions().cloned().collect();
    let instances: Vec<_> = lab.store.dag()?.instances().cloned().collect();
    lab.store.store().flush()?;
    let contexts: Vec<_> = (1..=5).map(|node| lab.at(node)).collect();
    drop(lab);
    let store = Versioned::open(ctx.open_in(engine_api::OpenMode::Existing)?.store)?;
    check_eq!(store.dag()?.versions().cloned().collect::<Vec<_>>(), before, "the versions");
    check_eq!(store.dag()?.instances().cloned().collect::<Vec<_>>(), instances, "the instances");
    for (at, expected) in contexts.iter().zip([Some("root"), Some("l"), None, Some("l"), Some("open")]) {
        check_eq!(store.get(at, &tkey("k"))?.as_deref(), expected.map(str::as_bytes), "k at {at:?}");
        check!(store.exists(at, &tkey("kept"))?, "kept isn't there at {at:?}");
    }
    let late = store.put(&contexts[0], &tkey("k"), "late".into());
    check_refused(late, ErrorKind::ReadOnly, "a write to a version that was committed before")?;
    store.put(&contexts[4], &tkey("k"), "later".into())?;
    check_eq!(store.get(&contexts[4], &tkey("k"))?.as_deref(), Some(b"later".as_slice()), "k once more");
    Ok(())
}

fn commit_keeps_writers_out(ctx: &Context) -> Verdict {
    const WRITERS: usize = 4;
    let lab = Lab::new(ctx)?;
    let start = Barrier::new(WRITERS + 1);
    let (in_time, at_commit) = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (lab, start) = (&lab, &start);
                scope.spawn(move || -> Verdict<Vec<String>> {
                    let mut done = Vec::new();
                    start.wait();
                    loop {
                        let key = format!("{writer} {:05}", done.len());
                        match lab.store.put(&lab.at(1), &tkey(&key), "v".into()) {
                            Ok(()) => done.push(key),
                            Err(error) if error.kind() == ErrorKind::ReadOnly => return Ok(done),
                            Err(error) => return Err(error.into()),
                        }
                    }
                })
            })
            .collect();
        start.wait();
        // Some puts must have succeeded before it.
        let committed = loop {
            match lab.store.keys_in_range(&lab.at(1), &KeyRange::ALL) {
                Ok(keys) if keys.len() < 20 => thread::yield_now(),
                Ok(_) => break lab.commit(1),
                Err(error) => break Err(error.into()),
            }
        };
        let at_commit = committed.and_then(|()| Ok(lab.store.keys_in_range(&lab.at(1), &KeyRange::ALL)?));
        let mut in_time = Vec::new();
        for writer in writers {
            in_time.extend(writer.join().map_err(|_| Halt::failed("a writer panicked"))??);
        }
        Ok::<_, Halt>((in_time, at_commit?))
    })?;
    let mut in_time: Vec<_> = in_time.iter().map(|key| tkey(key)).collect();
    in_time.sort();
    check_eq!(at_commit, in_time, "the keys at the commit, beside the puts that succeeded");
    check_eq!(lab.store.keys_in_range(&lab.at(1), &KeyRange::ALL)?, at_commit, "the keys afterwards");
    Ok(())
}

fn concurrent_changes_of_the_dag_all_apply(ctx: &Context) -> Verdict {
    const THREADS: usize = 8;
    const EACH: usize = 5;
    let lab = Lab::new(ctx)?;
    lab.commit(1)?;
    let root = lab.version(1);
    thread::scope(|scope| {
        let makers: Vec<_> = (0..THREADS)
            .map(|maker| {
                let store = &lab.store;
                scope.spawn(move || -> engine_api::Result<()> {
                    for number in 0..EACH {
                        let made = store.new_version(root, Some(&format!("branch-{maker}-{number}")))?;
                        store.commit_version(made.id, "done")?;
                    }
                    Ok(())
                })
            })
            .collect();
        for maker in makers {
            maker.join().map_err(|_| Halt::failed("a maker of versions panicked"))??;
        }
        Ok::<_, Halt>(())
    })?;
    lab.store.refresh()?;
    let dag = lab.store.dag()?;
    check_eq!(dag.versions().count(), THREADS * EACH + 1, "the versions");
    check_eq!(dag.children(root).len(), THREADS * EACH, "the children of the root");
    check!(dag.versions().all(|version| version.committed.is_some()), "a commit was lost");
    Ok(())
}

fn reader_sees_one_state(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &[(&[], &[("a", Some("1")), ("b", Some("1"))])])?;
    let reader = lab.store.reader(&lab.at(1))?;
    lab.edit(1, &[("a", Some("2")), ("b", None), ("c", Some("2"))])?;
    for (key, value) in [("a", Some("1")), ("b", Some("1")), ("c", None)] {
        check_eq!(reader.get(&tkey(key))?, value.map(Into::into), "what the reader gets of {key}");
        check_eq!(reader.exists(&tkey(key))?, value.is_some(), "whether {key} is there to it");
    }
    let mut keys = Vec::new();
    reader.visit_with(&KeyRange::ALL, Fetch::Keys, &mut |key, _| {
        keys.push(Bytes::copy_from_slice(key));
        Ok(ControlFlow::Continue(()))
    })?;
    check_keys(&keys, &["a", "b"], "the keys that the reader visits")?;
    check_eq!(lab.store.reader(&lab.at(1))?.get(&tkey("a"))?, Some("2".into()), "what another reader gets");
    Ok(())
}
