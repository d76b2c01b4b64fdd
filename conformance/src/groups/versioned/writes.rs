//! What writes leave behind, and which are refused.

use bytes::Bytes;
use engine_api::key::{DataContext, InstanceId, MetadataContext, TKey, VersionId};
use engine_api::version::{Batcher as _, DeleteScope, Flow, NewInstance, OrderedKeyValue as _, Resolved};
use engine_api::{ErrorKind, KeyRange};

use super::NEEDS;
use super::lab::{Lab, Node, tkey};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
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

fn toggling_leaves_one_entry(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &[(&[], &[("k", Some("root"))])])?;
    let node = lab.add(&[1])?;
    for round in 0..10 {
        lab.edit(node, &[("k", Some(&round.to_string()))])?;
        lab.shows(&[node], "k", Some(&round.to_string()))?;
        check_eq!(lab.stored(node, "k")?, 1, "the entries after put {round}");
        lab.edit(node, &[("k", None), ("k", None)])?;
        lab.shows(&[node], "k", None)?;
        check_eq!(lab.stored(node, "k")?, 1, "the entries after delete {round}");
    }
    check_eq!(lab.stored(1, "k")?, 1, "the entries at the root");
    lab.shows(&[1], "k", Some("root"))
}

fn tombstone_without_an_ancestor(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 3] = [(&[], &[("k", None)]), (&[1], &[]), (&[2], &[("k", Some("new"))])];
    let lab = Lab::of(ctx, &nodes)?;
    lab.shows(&[1, 2], "k", None)?;
    lab.shows(&[3], "k", Some("new"))?;
    check_eq!(lab.stored(1, "k")?, 1, "the entries at the root");
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
