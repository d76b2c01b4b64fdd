//! What writes leave behind, and which are refused.

use std::sync::Arc;

use bytes::Bytes;
use engine_api::key::{DataContext, InstanceId, MetadataContext, TKey, VersionId};
use engine_api::layers::{Fault, Faults, Faulty, Relaxed};
use engine_api::version::{Batcher as _, DeleteScope, Flow, NewInstance, OrderedKeyValue as _, Resolved};
use engine_api::{ErrorKind, KeyRange, Store};

use super::NEEDS;
use super::lab::{Lab, Node, tkey};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.toggling-leaves-one-entry",
        toggling_leaves_one_entry,
        "However often a key is put and deleted at one version, it has one entry there: the last.",
        "Both marks at one version hide a value; DVID's raw puts could leave them.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.tombstone-without-an-ancestor",
        tombstone_without_an_ancestor,
        "A delete of a key that no ancestor has is a tombstone too, and hides what is merged in from above it.",
        "DVID writes it unconditionally, and merges rely on it.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.empty-value-is-not-a-tombstone",
        empty_value_is_not_a_tombstone,
        "An empty value at a version is a value: there, below, and in ranges.",
        "A tombstone's value is empty; only its mark tells them apart.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.write-to-a-committed-version-is-refused",
        write_to_a_committed_version_is_refused,
        "Every kind of write to a committed version is ReadOnly, and changes nothing.",
        "DVID's engines took writes to locked versions; only its web server refused them.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.write-to-an-unknown-place-is-refused",
        write_to_an_unknown_place_is_refused,
        "Reads and writes of a version or an instance that isn't there are NotFound, and nothing is stored.",
        "kvdb-memorydb ignored writes to a column that it didn't know.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.delete-range-deletes-what-is-visible",
        delete_range_deletes_what_is_visible,
        "A range delete leaves tombstones for the keys that are visible, those in conflict among them, and for no others.",
        "Tombstones for keys that aren't there cost every later read.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.delete-range-reports-scan-errors",
        delete_range_reports_scan_errors,
        "A range delete whose scan fails answers the failure and deletes nothing.",
        "DVID took the failure for the end, and answered success after a partial delete.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.delete-of-a-version-reveals-its-ancestors",
        delete_of_a_version_reveals_its_ancestors,
        "Deleting what was written at a version, tombstones too, shows what its ancestors have again.",
        "DVID's DeleteAll for one version: a revert, of the empty key and the last one too.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.delete-of-all-versions-leaves-other-instances",
        delete_of_all_versions_leaves_other_instances,
        "Deleting an instance's data removes it at every version, and leaves its neighbours whole.",
        "DVID's Swift engine deleted the container with every instance in it.",
    )
    .needs(&[Need::AtomicBatches, Need::Conditional, Need::KeysOf(128), Need::DeleteRange]),
    Case::new(
        "versioned.delete-of-all-versions-denied-answers-unsupported",
        delete_of_all_versions_denied_answers_unsupported,
        "On a store without range deletes, deleting an instance's data at once is Unsupported, and it stays.",
        "An undeclared ability that half works is worse than none.",
    )
    .needs(&[Need::AtomicBatches, Need::Conditional, Need::KeysOf(128), Need::NoDeleteRange]),
    Case::new(
        "versioned.batch-applies-in-order",
        batch_applies_in_order,
        "Of a put and a delete of one key in a batch at a version the later one wins, in both orders.",
        "Each of them writes one mark and removes the other.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.batch-is-all-or-nothing",
        batch_is_all_or_nothing,
        "A batch whose requirement no longer holds is a conflict, and none of its writes is seen.",
        "Datatypes derive what they write from what they read.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.batch-error-surfaces-at-its-commit",
        batch_error_surfaces_at_its_commit,
        "A write that a batch may not hold fails its commit, and the writes before and behind it aren't made.",
        "Adding to a batch answers nothing, so the commit must.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.batch-to-a-version-committed-meanwhile-is-refused",
        batch_to_a_version_committed_meanwhile_is_refused,
        "A batch that was begun before its version was committed is ReadOnly when it is committed after.",
        "The check at the door comes too early; the commit itself must judge.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.unversioned-instance-has-no-history",
        unversioned_instance_has_no_history,
        "In an instance without versions a put replaces and a delete removes, and a context that names a version is refused.",
        "DVID left tombstones in unversioned data.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.layer-keeps-its-own-metadata",
        layer_keeps_its_own_metadata,
        "Metadata classes below 16 can't be written through the layer, and others can.",
        "A datatype must not overwrite the DAG.",
    )
    .needs(NEEDS),
];

/// How many entries a key has at a node: values and tombstones.
fn stored<S: Store>(lab: &Lab<S>, node: usize, key: &str) -> Verdict<usize> {
    let mut count = 0;
    let version = lab.version(node);
    lab.store.visit_raw(&lab.at(node), &KeyRange::one(key.as_bytes()), &mut |key, _| {
        count += usize::from(key.version == version);
        Ok(Flow::Continue(()))
    })?;
    Ok(count)
}

fn toggling_leaves_one_entry(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &[(&[], &[("k", Some("root"))])])?;
    let node = lab.add(&[1])?;
    for round in 0..10 {
        lab.edit(node, &[("k", Some(&round.to_string()))])?;
        lab.shows(&[node], "k", Some(&round.to_string()))?;
        check_eq!(stored(&lab, node, "k")?, 1, "the entries after put {round}");
        lab.edit(node, &[("k", None), ("k", None)])?;
        lab.shows(&[node], "k", None)?;
        check_eq!(stored(&lab, node, "k")?, 1, "the entries after delete {round}");
    }
    check_eq!(stored(&lab, 1, "k")?, 1, "the entries at the root");
    lab.shows(&[1], "k", Some("root"))
}

fn tombstone_without_an_ancestor(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 3] = [(&[], &[("k", None)]), (&[1], &[]), (&[2], &[("k", Some("new"))])];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[1, 2], "k", None)?;
    lab.shows(&[3], "k", Some("new"))?;
    check_eq!(stored(&lab, 1, "k")?, 1, "the entries at the root");
    let deleted = Resolved::Deleted { version: lab.version(1) };
    check_eq!(lab.store.resolve(&lab.at(2), &tkey("k"))?, deleted, "k at node 2");
    check_eq!(lab.store.resolve(&lab.at(2), &tkey("other"))?, Resolved::Absent, "a key without entries");
    Ok(())
}

fn empty_value_is_not_a_tombstone(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 3] = [(&[], &[("k", Some("root"))]), (&[1], &[("k", Some(""))]), (&[2], &[])];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[2, 3], "k", Some(""))?;
    let range = lab.store.get_range(&lab.at(3), &KeyRange::ALL)?;
    check_eq!(range, [(tkey("k"), Bytes::new())], "the entries of node 3");
    Ok(())
}

fn write_to_a_committed_version_is_refused(ctx: &Context) -> Verdict {
    let lab = Lab::of(ctx, &[(&[], &[("k", Some("root"))])])?;
    lab.commit(1)?;
    let (store, at, key) = (&lab.store, lab.at(1), tkey("k"));
    let refused = |answer: engine_api::Result<()>, what| check_refused(answer, ErrorKind::ReadOnly, what);
    refused(store.put(&at, &key, "new".into()), "a put")?;
    refused(store.delete(&at, &key), "a delete")?;
    refused(store.put_range(&at, &[(tkey("a"), "new".into())]), "a put of several")?;
    refused(store.delete_range(&at, &KeyRange::ALL).map(drop), "a range delete")?;
    refused(store.delete_all(&at, DeleteScope::ThisVersion), "a delete of the version")?;
    let batch = store.batch(&at).and_then(|mut batch| {
        batch.put(&tkey("a"), "new".into());
        batch.commit()
    });
    refused(batch, "a batch")?;
    refused(store.commit_version(lab.version(1), "").map(drop), "a second commit")?;
    lab.shows(&[1], "k", Some("root"))?;
    check_eq!(store.keys_in_range(&at, &KeyRange::ALL)?, [key], "the keys of the committed version");
    Ok(())
}

fn write_to_an_unknown_place_is_refused(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let before = crate::checks::all_keys(lab.store.store())?;
    let no_version = DataContext::versioned(lab.instance, VersionId(4711));
    let no_instance = DataContext::versioned(InstanceId(4711), lab.version(1));
    let no_either = DataContext::unversioned(InstanceId(4711));
    for at in [no_version, no_instance, no_either] {
        let what = format!("{at:?}");
        check_refused(lab.store.put(&at, &tkey("k"), "v".into()), ErrorKind::NotFound, &what)?;
        check_refused(lab.store.delete(&at, &tkey("k")), ErrorKind::NotFound, &what)?;
        check_refused(lab.store.delete_range(&at, &KeyRange::ALL), ErrorKind::NotFound, &what)?;
        check_refused(lab.store.get(&at, &tkey("k")), ErrorKind::NotFound, &what)?;
        check_refused(lab.store.get_range(&at, &KeyRange::ALL), ErrorKind::NotFound, &what)?;
    }
    check!(crate::checks::all_keys(lab.store.store())? == before, "something was stored");
    Ok(())
}

fn delete_range_deletes_what_is_visible(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 4] = [
        (&[], &[("a", Some("1")), ("b", Some("1")), ("gone", Some("1")), ("z", Some("1"))]),
        (&[1], &[("gone", None), ("clash", Some("l"))]),
        (&[1], &[("clash", Some("r")), ("c", Some("r"))]),
        (&[2, 3], &[("own", Some("4"))]),
    ];
    let mut lab = Lab::of(ctx, &nodes)?;
    let sibling = lab.add(&[1])?;
    lab.edit(sibling, &[("unseen", Some("5"))])?;
    let count = lab.store.delete_range(&lab.at(4), &KeyRange::new("b".."z"))?;
    check_eq!(count, 4, "the keys that were deleted: b, c, clash and own");
    check_eq!(lab.store.keys_in_range(&lab.at(4), &KeyRange::ALL)?, [tkey("a"), tkey("z")], "the keys left");
    for (key, expected) in
        [("b", 1), ("c", 1), ("clash", 1), ("own", 1), ("gone", 0), ("unseen", 0), ("a", 0)]
    {
        check_eq!(stored(&lab, 4, key)?, expected, "the entries of {key} at the version of the delete");
    }
    lab.shows(&[4], "clash", None)?;
    lab.shows(&[1], "b", Some("1"))?;
    check_eq!(
        lab.store.delete_range(&lab.at(4), &KeyRange::new("b".."z"))?,
        0,
        "what a second delete deletes"
    );
    Ok(())
}

fn delete_range_reports_scan_errors(ctx: &Context) -> Verdict {
    let faults = Faults::new();
    let lab = Lab::over(Faulty::new(Relaxed(ctx.open()?), Arc::clone(&faults)))?;
    for key in ["a", "b", "c"] {
        lab.edit(1, &[(key, Some("v"))])?;
    }
    for after in 0..3 {
        faults.fail_after(Fault::ScanEntry, after);
        let answer = lab.store.delete_range(&lab.at(1), &KeyRange::ALL);
        check_refused(
            answer,
            ErrorKind::Io,
            &format!("a range delete whose scan fails after {after} entries"),
        )?;
        check_eq!(lab.store.keys_in_range(&lab.at(1), &KeyRange::ALL)?.len(), 3, "the keys after it");
    }
    check_eq!(lab.store.delete_range(&lab.at(1), &KeyRange::ALL)?, 3, "what the delete then deletes");
    Ok(())
}

fn delete_of_a_version_reveals_its_ancestors(ctx: &Context) -> Verdict {
    let ends: [TKey; 4] = [TKey::default(), TKey::from(b"\0"), TKey::from(b"m"), TKey::from(&[0xFF; 40])];
    let mut lab = Lab::new(ctx)?;
    for key in &ends {
        lab.store.put(&lab.at(1), key, "root".into())?;
    }
    let node = lab.add(&[1])?;
    let at = lab.at(node);
    for (number, key) in ends.iter().enumerate() {
        if number % 2 == 0 { lab.store.delete(&at, key)? } else { lab.store.put(&at, key, "own".into())? }
    }
    lab.store.put(&at, &tkey("added"), "own".into())?;
    lab.store.delete_all(&at, DeleteScope::ThisVersion)?;
    let expected: Vec<_> = ends.iter().map(|key| (key.clone(), Bytes::from("root"))).collect();
    check_eq!(lab.store.get_range(&at, &KeyRange::ALL)?, expected, "the version once its writes are gone");
    check_eq!(lab.store.get_range(&lab.at(1), &KeyRange::ALL)?, expected, "its parent");
    Ok(())
}

/// Three instances with adjacent numbers, each with the same keys at two versions.
fn three_instances(ctx: &Context) -> Verdict<(Lab, [InstanceId; 3])> {
    let mut lab = Lab::new(ctx)?;
    let repo = lab.store.only_repo()?.id;
    let second = lab.store.create_instance(repo, &NewInstance::new("second", "keyvalue"))?.id;
    let third = lab.store.create_instance(repo, &NewInstance::new("third", "keyvalue"))?.id;
    let instances = [lab.instance, second, third];
    let node = lab.add(&[1])?;
    for instance in instances {
        let at = DataContext::versioned(instance, lab.version(node));
        for key in [&b""[..], b"\0", b"k", &[0xFF; 30]] {
            lab.store.put(&at, &TKey::from(key), instance.to_string().into())?;
        }
    }
    Ok((lab, instances))
}

fn delete_of_all_versions_leaves_other_instances(ctx: &Context) -> Verdict {
    let (lab, [first, second, third]) = three_instances(ctx)?;
    let at = |instance| DataContext::versioned(instance, lab.version(2));
    lab.store.delete_all(&at(second), DeleteScope::AllVersions)?;
    check_eq!(lab.store.get_range(&at(second), &KeyRange::ALL)?, [], "the entries of the deleted instance");
    for instance in [first, third] {
        let left = lab.store.get_range(&at(instance), &KeyRange::ALL)?;
        check_eq!(left.len(), 4, "the entries of instance {instance}, beside it");
    }
    lab.store.delete_instance(third)?;
    check_refused(
        lab.store.get(&at(third), &tkey("k")),
        ErrorKind::NotFound,
        "an instance that was deleted",
    )?;
    check_eq!(lab.store.get_range(&at(first), &KeyRange::ALL)?.len(), 4, "the entries of the first instance");
    Ok(())
}

fn delete_of_all_versions_denied_answers_unsupported(ctx: &Context) -> Verdict {
    let (lab, [first, second, _]) = three_instances(ctx)?;
    let at = |instance| DataContext::versioned(instance, lab.version(2));
    let answer = lab.store.delete_all(&at(first), DeleteScope::AllVersions);
    check_refused(answer, ErrorKind::Unsupported, "a delete of all versions")?;
    for instance in [first, second] {
        check_eq!(lab.store.get_range(&at(instance), &KeyRange::ALL)?.len(), 4, "the entries of {instance}");
    }
    Ok(())
}

fn batch_applies_in_order(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &[(&[], &[("a", Some("root")), ("b", Some("root"))])])?;
    let node = lab.add(&[1])?;
    let at = lab.at(node);
    let mut batch = lab.store.batch(&at)?;
    batch.put(&tkey("a"), "own".into());
    batch.delete(&tkey("a"));
    batch.delete(&tkey("b"));
    batch.put(&tkey("b"), "own".into());
    batch.put(&tkey("c"), "first".into());
    batch.put(&tkey("c"), "last".into());
    batch.commit()?;
    lab.shows(&[node], "a", None)?;
    lab.shows(&[node], "b", Some("own"))?;
    lab.shows(&[node], "c", Some("last"))?;
    for key in ["a", "b", "c"] {
        check_eq!(stored(&lab, node, key)?, 1, "the entries of {key}");
    }
    Ok(())
}

fn batch_is_all_or_nothing(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &[(&[], &[("read", Some("root"))])])?;
    let node = lab.add(&[1])?;
    let at = lab.at(node);
    let overtaking: [super::lab::Edit<'_>; 3] =
        [("read", Some("new")), ("read", None), ("read", Some("again"))];
    for edit in overtaking {
        let seen = lab.store.resolve(&at, &tkey("read"))?;
        let mut batch = lab.store.batch(&at)?;
        batch.require(&tkey("read"), &seen);
        batch.put(&tkey("derived"), "v".into());
        lab.edit(node, &[edit])?;
        check_refused(batch.commit(), ErrorKind::Conflict, &format!("a batch that {edit:?} has overtaken"))?;
        lab.shows(&[node], "derived", None)?;
    }
    let seen = lab.store.resolve(&at, &tkey("read"))?;
    let mut batch = lab.store.batch(&at)?;
    batch.require(&tkey("read"), &seen);
    batch.put(&tkey("derived"), "v".into());
    batch.commit()?;
    lab.shows(&[node], "derived", Some("v"))
}

fn batch_error_surfaces_at_its_commit(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let (free, reserved, late) = (TKey::from(&[16, 1]), TKey::from(&[2, 1]), TKey::from(&[16, 2]));
    let mut batch = lab.store.batch(&MetadataContext)?;
    batch.put(&free, "v".into());
    batch.put(&reserved, "v".into());
    batch.put(&late, "v".into());
    check_refused(batch.commit(), ErrorKind::InvalidArgument, "a batch with a write to reserved metadata")?;
    for key in [&free, &reserved, &late] {
        check_eq!(lab.store.get(&MetadataContext, key)?, None, "{key:?} after it");
    }
    Ok(())
}

fn batch_to_a_version_committed_meanwhile_is_refused(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let at = lab.at(1);
    let mut batch = lab.store.batch(&at)?;
    batch.put(&tkey("k"), "v".into());
    lab.commit(1)?;
    check_refused(batch.commit(), ErrorKind::ReadOnly, "a batch whose version was committed meanwhile")?;
    lab.shows(&[1], "k", None)
}

fn unversioned_instance_has_no_history(ctx: &Context) -> Verdict {
    let mut lab = Lab::new(ctx)?;
    let repo = lab.store.only_repo()?.id;
    let settings =
        lab.store.create_instance(repo, &NewInstance::new("settings", "keyvalue").unversioned())?.id;
    let at = DataContext::unversioned(settings);
    lab.store.put(&at, &tkey("k"), "old".into())?;
    lab.add(&[1])?;
    lab.store.put(&at, &tkey("k"), "new".into())?;
    check_eq!(lab.store.get(&at, &tkey("k"))?.as_deref(), Some(b"new".as_slice()), "k");
    lab.store.delete(&at, &tkey("k"))?;
    check_eq!(lab.store.resolve(&at, &tkey("k"))?, Resolved::Absent, "k once it was deleted");
    let mut entries = 0;
    lab.store.visit_raw(&at, &KeyRange::ALL, &mut |_, _| {
        entries += 1;
        Ok(Flow::Continue(()))
    })?;
    check_eq!(entries, 0, "the entries of an instance whose only key was deleted");
    let versioned = DataContext::versioned(settings, lab.version(1));
    let put = lab.store.put(&versioned, &tkey("k"), "v".into());
    check_refused(put, ErrorKind::InvalidArgument, "a version of an instance without versions")?;
    let bare = lab.store.put(&DataContext::unversioned(lab.instance), &tkey("k"), "v".into());
    check_refused(bare, ErrorKind::InvalidArgument, "no version of an instance with versions")
}

fn layer_keeps_its_own_metadata(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let before = crate::checks::all_keys(lab.store.store())?;
    for class in [0_u8, 1, 4, 15] {
        let key = TKey::from(&[class, 1]);
        let what = format!("metadata class {class}");
        let put = lab.store.put(&MetadataContext, &key, "v".into());
        check_refused(put, ErrorKind::InvalidArgument, &what)?;
        check_refused(lab.store.delete(&MetadataContext, &key), ErrorKind::InvalidArgument, &what)?;
    }
    check!(crate::checks::all_keys(lab.store.store())? == before, "the metadata was changed");
    let free = TKey::from(&[16, 1]);
    lab.store.put(&MetadataContext, &free, "v".into())?;
    check_eq!(lab.store.get(&MetadataContext, &free)?.as_deref(), Some(b"v".as_slice()), "free metadata");
    Ok(())
}
