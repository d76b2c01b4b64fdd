//! Keys of every kind, and instances side by side.

use std::collections::BTreeSet;

use engine_api::key::{ClientId, Context as _, DataContext, DataKey, InstanceId, Mark, TKey, VersionId};
use engine_api::version::{Ancestry, Flow, KeyResolver, MergePolicy, Offer, OrderedKeyValue as _, Resolved};
use engine_api::{Bytes, ErrorKind, KeyRange, Scan, Step, Store as _, StoreExt as _, Value, visitor};

use super::NEEDS;
use super::lab::{Lab, tkey};
use crate::case::Case;
use crate::checks::{check_refused, load};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.arbitrary-keys-are-told-apart",
        arbitrary_keys_are_told_apart,
        "Empty keys, NULs, 0xFF, keys that extend others, and keys that look like a version's suffix are keys of their own.",
        "DVID puts the version straight behind the key, so that `a` answers the value of `ab`.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.ranges-are-in-strict-key-order",
        ranges_are_in_strict_key_order,
        "A range gives such keys in the order of their bytes, each once, whatever versions they have.",
        "In DVID's order `a` and `ab` interleave, and a range returns one of them.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.prefix-of-a-written-key-is-absent",
        prefix_of_a_written_key_is_absent,
        "A key is absent while only keys that it is a prefix of were written, or deleted.",
        "DVID gathers a key's versions by prefix.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.adjacent-instances-are-isolated",
        adjacent_instances_are_isolated,
        "Instances with adjacent numbers see none of each other's keys, by key, by range and without bounds.",
        "An unbounded range must end with its instance.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.last-instance-is-isolated",
        last_instance_is_isolated,
        "The keys of instance 0xFFFFFFFF are its range, and its neighbour's are not; a range delete keeps to it.",
        "DVID's range of an instance ends at the next number, which wraps to 0.",
    )
    .needs(&[Need::KeysOf(128)]),
    Case::new(
        "versioned.numbers-say-nothing-of-ancestry",
        numbers_say_nothing_of_ancestry,
        "A history whose children have lower numbers than their parents is read by the same rule.",
        "Histories that were numbered elsewhere arrive in any order; DVID's copies require a rising one.",
    )
    .needs(&[Need::KeysOf(128)]),
    Case::new(
        "versioned.malformed-keys-are-typed-errors",
        malformed_keys_are_typed_errors,
        "A stored key that can't be one of the layer's is Corrupt to reads of its range, and never a panic.",
        "DVID indexes into keys without looking at their length.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.both-marks-at-one-version-is-corrupt",
        both_marks_at_one_version_is_corrupt,
        "A value and a tombstone of one key at one version are Corrupt to ranges, and never hide the value from a read by key.",
        "In DVID the tombstone hides the value in silence.",
    )
    .needs(NEEDS),
];

/// Keys that break encodings, in ascending order.
fn odd_keys() -> Vec<Vec<u8>> {
    let keys: BTreeSet<Vec<u8>> = [
        &b""[..],
        b"\x00",
        b"\x00\x00",
        b"\x00\x01",
        b"\x00\x02",
        b"\x00\xff",
        b"\x00\xff\x00",
        b"\x01",
        b"\xff",
        b"\xff\xff",
        &[0xFF; 30],
        b"a",
        b"ab",
        b"a\x00",
        b"a\x00\x00",
        b"a\x00\x01",
        b"a\x00\x01\xff\xff\xff\xfe\x00\x00\x00\x00\x03",
        b"a\x00\x00\x00\x05",
        b"a\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"a\x00\x00\x00\x05\x00\x00\x00\x00\x03",
        b"a\x00\x00\x00\x05\x00\x00\x00\x00\x4f",
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .collect();
    keys.into_iter().collect()
}

/// The odd keys at three versions: all at the first, a third overwritten and a third deleted further down.
fn odd_history(ctx: &Context) -> Verdict<Lab> {
    let mut lab = Lab::new(ctx)?;
    for key in odd_keys() {
        lab.store.put(&lab.at(1), &TKey::from(key.clone()), [b"1:", &key[..]].concat().into())?;
    }
    lab.add(&[1])?;
    for key in odd_keys().into_iter().step_by(3) {
        lab.store.put(&lab.at(2), &TKey::from(key.clone()), [b"2:", &key[..]].concat().into())?;
    }
    lab.add(&[2])?;
    for key in odd_keys().into_iter().skip(1).step_by(3) {
        lab.store.delete(&lab.at(3), &TKey::from(key))?;
    }
    Ok(lab)
}

fn odd_value(node: usize, at: usize, key: &[u8]) -> Option<Bytes> {
    match at % 3 {
        0 if node >= 2 => Some([b"2:", key].concat().into()),
        1 if node >= 3 => None,
        _ => Some([b"1:", key].concat().into()),
    }
}

fn arbitrary_keys_are_told_apart(ctx: &Context) -> Verdict {
    let lab = odd_history(ctx)?;
    for node in 1..=3 {
        for (at, key) in odd_keys().into_iter().enumerate() {
            let got = lab.store.get(&lab.at(node), &TKey::from(key.clone()))?;
            check_eq!(got, odd_value(node, at, &key), "\"{}\" at node {node}", key.escape_ascii());
        }
    }
    Ok(())
}

fn ranges_are_in_strict_key_order(ctx: &Context) -> Verdict {
    let lab = odd_history(ctx)?;
    let keys = odd_keys();
    for node in 1..=3 {
        let visible = |low: usize, high: usize| -> Vec<(TKey, Bytes)> {
            let inside = keys.iter().enumerate().take(high).skip(low);
            inside
                .filter_map(|(at, key)| Some((TKey::from(key.clone()), odd_value(node, at, key)?)))
                .collect()
        };
        let all = lab.store.get_range(&lab.at(node), &KeyRange::ALL)?;
        check_eq!(all, visible(0, keys.len()), "all entries at node {node}");
        for low in 0..keys.len() {
            for high in low..keys.len() {
                let range = KeyRange::new(keys[low].as_slice()..keys[high].as_slice());
                let got = lab.store.get_range(&lab.at(node), &range)?;
                check_eq!(got, visible(low, high), "the entries of {range:?} at node {node}");
            }
        }
    }
    Ok(())
}

fn prefix_of_a_written_key_is_absent(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &[(&[], &[("abc", Some("v")), ("abd", None)])])?;
    lab.add(&[1])?;
    for absent in ["", "a", "ab", "abc\0", "abd"] {
        lab.shows(&[1, 2], absent, None)?;
    }
    lab.edit(2, &[("ab", None)])?;
    lab.shows(&[1, 2], "abc", Some("v"))
}

fn adjacent_instances_are_isolated(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let repo = lab.store.only_repo()?.id;
    let new = engine_api::version::NewInstance::new("next", "keyvalue");
    let next = lab.store.create_instance(repo, &new)?.id;
    let after =
        lab.store.create_instance(repo, &engine_api::version::NewInstance::new("after", "keyvalue"))?.id;
    check_eq!((next.0, after.0), (lab.instance.0 + 1, lab.instance.0 + 2), "the numbers of the instances");
    let at = |instance| DataContext::versioned(instance, lab.version(1));
    for key in odd_keys() {
        lab.store.put(&at(lab.instance), &TKey::from(key.clone()), "first".into())?;
        lab.store.put(&at(after), &TKey::from(key), "third".into())?;
    }
    check_eq!(lab.store.get_range(&at(next), &KeyRange::ALL)?, [], "the entries between two full instances");
    for key in odd_keys() {
        check_eq!(lab.store.get(&at(next), &TKey::from(key))?, None, "a key between two full instances");
    }
    for (instance, value) in [(lab.instance, "first"), (after, "third")] {
        let got = lab.store.get_range(&at(instance), &KeyRange::ALL)?;
        check_eq!(got.len(), odd_keys().len(), "the entries of instance {instance}");
        check!(got.iter().all(|(_, got)| got == value), "instance {instance} has another's values");
    }
    Ok(())
}

fn last_instance_is_isolated(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let instances = [InstanceId(0), InstanceId(1), InstanceId(u32::MAX - 1), InstanceId(u32::MAX)];
    let all_of = |instance| {
        let at = DataContext::versioned(instance, VersionId(u32::MAX));
        odd_keys().into_iter().map(move |key| at.construct_key(&TKey::from(key)))
    };
    for instance in instances {
        load(&store, all_of(instance).map(|key| (key, instance.to_string())))?;
    }
    let range = |instance| DataContext::unversioned(instance).key_range();
    for instance in instances {
        let got = crate::checks::keys(store.view()?.as_ref(), range(instance).scan())?;
        check!(
            got.iter().eq(all_of(instance).collect::<Vec<_>>().iter()),
            "instance {instance}: {} keys",
            got.len()
        );
    }
    if Need::DeleteRange.unmet_by(ctx.capabilities()).is_none() {
        let last = range(InstanceId(u32::MAX));
        let mut batch = engine_api::WriteBatch::new();
        batch.delete_range(last.start(), last.end());
        store.commit(&batch, engine_api::Durability::Relaxed)?;
        let count = odd_keys().len() as u64;
        check_eq!(store.count(&last)?, 0, "the keys of the last instance once it is deleted");
        check_eq!(store.count(&KeyRange::ALL)?, 3 * count, "the keys of the others");
    }
    Ok(())
}

fn numbers_say_nothing_of_ancestry(ctx: &Context) -> Verdict {
    // 9 is the root; 2 and 7 are its children, 5 merges them, and 1 descends from 5.
    let dag = renumbered(&[(9, &[]), (2, &[9]), (7, &[9]), (5, &[2, 7]), (1, &[5])])?;
    let store = ctx.open()?;
    let instance = InstanceId(1);
    let write = |key: &str, version: u32, value: Option<&str>| {
        let at = DataContext::versioned(instance, VersionId(version));
        let (full, value) = match value {
            Some(value) => (at.construct_key(&tkey(key)), value.to_owned()),
            None => (at.tombstone_key(&tkey(key)), String::new()),
        };
        load(&store, [(full, value)])
    };
    for (key, version, value) in [
        ("overwritten", 9, Some("9")),
        ("overwritten", 2, Some("2")),
        ("deleted", 9, Some("9")),
        ("deleted", 7, None),
        ("both", 2, Some("2")),
        ("both", 7, Some("7")),
        ("chosen", 2, Some("2")),
        ("chosen", 7, Some("7")),
        ("chosen", 5, Some("5")),
    ] {
        write(key, version, value)?;
    }
    let resolve = |key: &str, reader: u32| -> Verdict<Resolved> {
        let ancestry = Ancestry::new(&dag, VersionId(reader))?;
        let mut resolver = KeyResolver::new(&ancestry, MergePolicy::LiveWins);
        let at = DataContext::unversioned(instance);
        let (low, high) = (at.min_version_key(&tkey(key)), at.max_version_key(&tkey(key)));
        let mut offer = visitor(|full: &[u8], value: Value<'_>| {
            let full = DataKey::parse(full)?;
            Ok(match resolver.offer(full.version, full.mark, value)? {
                Offer::Done => Step::Stop,
                Offer::More | Offer::SkipTo(_) => Step::Next,
            })
        });
        store.view()?.scan(Scan::half_open(&low, &high), &mut offer)?;
        Ok(resolver.finish())
    };
    let found =
        |value: &'static str, version| Resolved::Found { value: value.into(), version: VersionId(version) };
    for reader in [5, 1] {
        check_eq!(resolve("overwritten", reader)?, found("2", 2), "overwritten at {reader}");
        check_eq!(
            resolve("deleted", reader)?,
            Resolved::Deleted { version: VersionId(7) },
            "deleted at {reader}"
        );
        let between = Resolved::Conflict { versions: vec![VersionId(2), VersionId(7)] };
        check_eq!(resolve("both", reader)?, between, "both at {reader}");
        check_eq!(resolve("chosen", reader)?, found("5", 5), "chosen at {reader}");
    }
    check_eq!(resolve("overwritten", 7)?, found("9", 9), "overwritten at 7");
    check_eq!(resolve("chosen", 9)?, Resolved::Absent, "chosen at 9");
    Ok(())
}

/// A DAG with these numbers and parents, assembled as one that comes from another store would be.
fn renumbered(versions: &[(u32, &[u32])]) -> Verdict<engine_api::version::VersionDag> {
    let json = |number: u32, parents: &[u32]| {
        serde_json::json!({
            "id": number,
            "uuid": format!("00000000-0000-4000-8000-{number:012}"),
            "repo": 1,
            "parents": parents,
            "branch": format!("node-{number}"),
            "note": "",
            "created": 0,
        })
    };
    let broken =
        |error: serde_json::Error| crate::verdict::Halt::failed(format!("the case's own history: {error}"));
    let (root, _) = versions[0];
    let repo = serde_json::from_value(serde_json::json!({
        "id": 1,
        "uuid": format!("00000000-0000-4000-8000-{root:012}"),
        "alias": "lab",
        "root": root,
        "created": 0,
    }))
    .map_err(broken)?;
    let versions = versions
        .iter()
        .map(|(number, parents)| serde_json::from_value(json(*number, parents)).map_err(broken))
        .collect::<Verdict<Vec<_>>>()?;
    Ok(engine_api::version::VersionDag::assemble(vec![repo], versions, Vec::new())?)
}

fn malformed_keys_are_typed_errors(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &[(&[], &[("a", Some("v")), ("z", Some("v"))])])?;
    let prefix = [&[1_u8][..], &lab.instance.to_be_bytes()].concat();
    for tail in [
        &b"m"[..],
        b"m\x00\x01",
        b"m\x00\x01\xff\xff\xff\xfe\0\0\0\0\x09",
        b"m\x00\x07 123456789",
        b"m123456789",
    ] {
        let key = [&prefix[..], tail].concat();
        load(lab.store.store(), [(&key, "")])?;
        let visited = lab.store.visit(&lab.at(1), &KeyRange::ALL, engine_api::Fetch::Entries, &mut |_, _| {
            Ok(Flow::Continue(()))
        });
        check_refused(visited, ErrorKind::Corrupt, &format!("a range with the key {tail:?}"))?;
        check_refused(DataKey::parse(&key), ErrorKind::Corrupt, &format!("parsing the key {tail:?}"))?;
        lab.store.store().delete(&key)?;
    }
    check_refused(DataKey::parse(b""), ErrorKind::Corrupt, "parsing the empty key")?;
    lab.shows(&[1], "z", Some("v"))
}

fn both_marks_at_one_version_is_corrupt(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &[(&[], &[("a", Some("v")), ("k", Some("v"))])])?;
    let at = lab.at(1);
    let tombstone = DataKey {
        instance: lab.instance,
        tkey: tkey("k"),
        version: lab.version(1),
        client: ClientId(0),
        mark: Mark::Tombstone,
    };
    load(lab.store.store(), [(tombstone.encode(), "")])?;
    check_eq!(tombstone.encode(), at.tombstone_key(&tkey("k")), "the full key of a tombstone");
    // A read by key may know its answer before it comes to the tombstone.
    match lab.store.get(&at, &tkey("k")) {
        Err(error) => {
            check_eq!(error.kind(), ErrorKind::Corrupt, "what reading a key with both marks answers");
        }
        Ok(value) => check_eq!(value.as_deref(), Some(b"v".as_slice()), "the value of a key with both marks"),
    }
    check_refused(lab.store.get_range(&at, &KeyRange::ALL), ErrorKind::Corrupt, "a range with both marks")?;
    lab.shows(&[1], "a", Some("v"))
}
