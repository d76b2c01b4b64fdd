//! Deletes of ranges, of a version's writes, and of an instance's data.

use std::sync::Arc;

use bytes::Bytes;
use engine_api::key::{DataContext, InstanceId, TKey};
use engine_api::layers::{Fault, Faults, Faulty, Relaxed};
use engine_api::version::{DeleteScope, NewInstance, OrderedKeyValue as _};
use engine_api::{ErrorKind, KeyRange};

use super::NEEDS;
use super::lab::{Lab, Node, tkey};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check_eq};

pub(super) const CASES: &[Case] = &[
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
];

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
        check_eq!(lab.stored(4, key)?, expected, "the entries of {key} at the version of the delete");
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
