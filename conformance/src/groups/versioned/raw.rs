//! Entries as they are stored, and the ways to go over many keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use engine_api::key::{ClientId, DataKey, Mark};
use engine_api::layers::{Fault, Faults, Faulty, Relaxed};
use engine_api::version::{OrderedKeyValue as _, process_range, stream};
use engine_api::{Error, ErrorKind, Fetch, KeyRange, Store};

use super::NEEDS;
use super::lab::{Lab, Node, tkey};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.raw-entries-are-read-one-by-one",
        raw_entries_are_read_one_by_one,
        "A raw get answers the entry of exactly its version and mark, whatever ancestors have.",
        "What copies and checks move is entries, not what versions see of them.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.raw-puts-keep-one-mark",
        raw_puts_keep_one_mark,
        "A raw put removes the version's entry of the other mark, and a raw delete reveals what ancestors have.",
        "DVID's raw put leaves a tombstone beside a value, and the tombstone hides it.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.put-of-several-undeletes-them",
        put_of_several_undeletes_them,
        "Values that are put together replace what the version had of their keys, tombstones too, all or none.",
        "DVID's PutRange is a batch of puts, each of which removes its tombstone.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.stream-is-the-range-in-pages",
        stream_is_the_range_in_pages,
        "A stream over more keys than a page gives what the range gives, with and without values.",
        "A page that begins at the wrong key loses one or gives it twice.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.range-is-processed-once-by-all-workers",
        range_is_processed_once_by_all_workers,
        "Each visible key of a range is handed to one worker, with its value, however many workers there are.",
        "DVID's ProcessRange: deleted keys and those of other branches aren't handed on.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.processing-ends-at-the-first-failure",
        processing_ends_at_the_first_failure,
        "The first failure, of a worker, of the engine or a conflict, ends the processing and is what it answers.",
        "DVID's consumers took a failure of the scan for its end.",
    )
    .needs(NEEDS),
];

impl<S: Store> Lab<S> {
    fn raw(&self, node: usize, key: &str, mark: Mark) -> DataKey {
        DataKey {
            instance: self.instance,
            tkey: tkey(key),
            version: self.version(node),
            client: ClientId(0),
            mark,
        }
    }
}

fn raw_entries_are_read_one_by_one(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 3] =
        [(&[], &[("k", Some("root")), ("e", Some(""))]), (&[1], &[("k", None)]), (&[2], &[])];
    let lab = Lab::of(ctx, &nodes)?;
    let get = |node, key, mark| lab.store.get_raw(&lab.raw(node, key, mark));
    check_eq!(get(1, "k", Mark::Data)?.as_deref(), Some(&b"root"[..]), "the value at the root");
    check_eq!(get(1, "k", Mark::Tombstone)?, None, "a tombstone at the root");
    check_eq!(get(2, "k", Mark::Tombstone)?, Some(Bytes::new()), "the tombstone at node 2");
    check_eq!(get(2, "k", Mark::Data)?, None, "a value at node 2");
    check_eq!(get(1, "e", Mark::Data)?, Some(Bytes::new()), "an empty value");
    for mark in [Mark::Data, Mark::Tombstone] {
        check_eq!(get(3, "k", mark)?, None, "{mark:?} at a version that wrote nothing");
    }
    Ok(())
}

fn raw_puts_keep_one_mark(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &[(&[], &[("k", Some("root"))])])?;
    let node = lab.add(&[1])?;
    lab.store.put_raw(&lab.raw(node, "k", Mark::Data), "own".into())?;
    lab.shows(&[node], "k", Some("own"))?;
    lab.store.put_raw(&lab.raw(node, "k", Mark::Tombstone), Bytes::new())?;
    lab.shows(&[node], "k", None)?;
    check_eq!(lab.stored(node, "k")?, 1, "the entries once a tombstone replaced the value");
    lab.store.put_raw(&lab.raw(node, "k", Mark::Data), "again".into())?;
    lab.shows(&[node], "k", Some("again"))?;
    check_eq!(lab.stored(node, "k")?, 1, "the entries once a value replaced the tombstone");
    lab.store.delete_raw(&lab.raw(node, "k", Mark::Data))?;
    check_eq!(lab.stored(node, "k")?, 0, "the entries once it was removed");
    lab.shows(&[1, node], "k", Some("root"))?;
    let valued = lab.store.put_raw(&lab.raw(node, "k", Mark::Tombstone), "value".into());
    check_refused(valued, ErrorKind::InvalidArgument, "a tombstone with a value")?;
    let closed = lab.store.delete_raw(&lab.raw(1, "k", Mark::Data));
    check_refused(closed, ErrorKind::ReadOnly, "a raw delete at a committed version")?;
    lab.shows(&[1, node], "k", Some("root"))
}

fn put_of_several_undeletes_them(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &[(&[], &[("a", Some("root")), ("b", Some("root"))])])?;
    let node = lab.add(&[1])?;
    lab.edit(node, &[("a", None), ("b", Some("old")), ("c", None)])?;
    let entries = [("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")]
        .map(|(key, value)| (tkey(key), Bytes::from_static(value.as_bytes())));
    lab.store.put_range(&lab.at(node), &entries)?;
    for (key, expected) in [("a", "4"), ("b", "2"), ("c", "3")] {
        lab.shows(&[node], key, Some(expected))?;
        check_eq!(lab.stored(node, key)?, 1, "the entries of {key}");
    }
    let closed = lab.store.put_range(&lab.at(1), &entries);
    check_refused(closed, ErrorKind::ReadOnly, "a put of several at a committed version")?;
    lab.shows(&[1], "a", Some("root"))?;
    lab.shows(&[1], "c", None)
}

/// Many keys at the root; below it every tenth is deleted and every seventh overwritten.
fn many<S: Store>(mut lab: Lab<S>) -> Verdict<(Lab<S>, BTreeMap<String, &'static str>)> {
    const KEYS: u32 = 2_600;
    let key = |number: u32| format!("{number:05}");
    let all: Vec<_> = (0..KEYS).map(|number| (tkey(&key(number)), Bytes::from("root"))).collect();
    for some in all.chunks(500) {
        lab.store.put_range(&lab.at(1), some)?;
    }
    let node = lab.add(&[1])?;
    let at = lab.at(node);
    let own: Vec<_> = (0..KEYS).step_by(7).map(|number| (tkey(&key(number)), Bytes::from("own"))).collect();
    lab.store.put_range(&at, &own)?;
    let mut expected: BTreeMap<_, _> =
        (0..KEYS).map(|number| (key(number), if number % 7 == 0 { "own" } else { "root" })).collect();
    for number in (0..KEYS).step_by(10) {
        lab.store.delete(&at, &tkey(&key(number)))?;
        expected.remove(&key(number));
    }
    Ok((lab, expected))
}

fn stream_is_the_range_in_pages(ctx: &Context) -> Verdict {
    let (lab, expected) = many(Lab::new(ctx)?)?;
    for fetch in [Fetch::Entries, Fetch::Keys] {
        let mut streamed = Vec::new();
        for entry in stream(&lab.store, &lab.at(2), KeyRange::ALL, fetch) {
            let (tkey, resolved) = entry?;
            streamed.push((tkey, resolved.into_value()?.unwrap_or_default()));
        }
        let value = |value: &'static str| if fetch == Fetch::Keys { Bytes::new() } else { value.into() };
        let expected: Vec<_> = expected.iter().map(|(key, text)| (tkey(key), value(text))).collect();
        check!(
            streamed == expected,
            "a stream of {} keys differs from the range's {}",
            streamed.len(),
            expected.len()
        );
    }
    let at = lab.at(2);
    let some = stream(&lab.store, &at, KeyRange::new("00500".."01700"), Fetch::Keys);
    check_eq!(some.count(), expected.range("00500".to_owned().."01700".to_owned()).count(), "a part of it");
    Ok(())
}

fn range_is_processed_once_by_all_workers(ctx: &Context) -> Verdict {
    let (lab, expected) = many(Lab::new(ctx)?)?;
    for workers in [1, 2, 5] {
        let seen = Mutex::new(BTreeMap::new());
        process_range(&lab.store, &lab.at(2), &KeyRange::ALL, workers, &|tkey, value| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match seen.insert(tkey.clone(), value) {
                None => Ok(()),
                Some(_) => Err(Error::new(ErrorKind::Internal, "a key was processed twice")),
            }
        })?;
        let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        check_eq!(seen.len(), expected.len(), "the keys that {workers} workers were handed");
        for ((got, value), (key, text)) in seen.iter().zip(&expected) {
            check_eq!(
                (got, value.as_ref()),
                (&tkey(key), text.as_bytes()),
                "what {workers} workers were handed"
            );
        }
    }
    Ok(())
}

fn processing_ends_at_the_first_failure(ctx: &Context) -> Verdict {
    let faults = Faults::new();
    let (mut lab, _) = many(Lab::over(Faulty::new(Relaxed(ctx.open()?), Arc::clone(&faults)))?)?;
    let process = |lab: &Lab<_>, node: usize, work: &(dyn Fn() -> engine_api::Result<()> + Sync)| {
        process_range(&lab.store, &lab.at(node), &KeyRange::ALL, 2, &|_, _| work())
    };
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let failing = process(&lab, 2, &|| {
        calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Err(Error::new(ErrorKind::Full, "the worker has had enough"))
    });
    check_refused(failing, ErrorKind::Full, "a range whose workers fail")?;
    check!(calls.into_inner() < 100, "the workers were called on after one had failed");
    faults.fail_after(Fault::ScanEntry, 700);
    check_refused(process(&lab, 2, &|| Ok(())), ErrorKind::Io, "a range whose scan fails")?;
    let sibling = lab.add(&[1])?;
    lab.edit(sibling, &[("00007", Some("sibling's"))])?;
    let merge = lab.add(&[2, sibling])?;
    check_refused(process(&lab, merge, &|| Ok(())), ErrorKind::Conflict, "a range with a conflict")
}
