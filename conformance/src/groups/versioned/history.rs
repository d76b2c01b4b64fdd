//! The DAG itself: what may be made from what, and how versions are found.

use std::collections::BTreeSet;
use std::thread;

use engine_api::key::DataContext;
use engine_api::version::{
    NewInstance, OrderedKeyValue as _, Resolved, Versioned, compare_stores, copy_store,
};
use engine_api::{ErrorKind, MemoryStore, Uuid};

use super::NEEDS;
use super::lab::{Lab, Node, tkey};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.new-versions-need-a-committed-parent-and-a-free-branch",
        new_versions_need_a_committed_parent_and_a_free_branch,
        "A version is made from a committed one, on a branch that is new or ends at it; all else is refused without a trace.",
        "DVID's TestCommitAndBranch: an open parent, and a branch name that is taken, are refused.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.assigned-uuids-are-kept-and-unique",
        assigned_uuids_are_kept_and_unique,
        "A repo's UUID is its root's; one that is taken is refused, and a version is found by its first digits.",
        "DVID's TestUUIDAssignment; a second child with a taken UUID re-pointed the first one's name there.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.versions-are-found-by-branch-and-steps-back",
        versions_are_found_by_branch_and_steps_back,
        "A branch means its newest version, a tag the version it was put on, and steps back follow first parents.",
        "DVID's TestBranching; its steps back follow the last parent of a merge, and its lists the first.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.instances-made-at-once-are-told-apart",
        instances_made_at_once_are_told_apart,
        "Instances that eight threads make at once have numbers of their own, and no name is given twice.",
        "DVID's TestNewInstanceIDs.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.instance-made-late-is-at-every-version",
        instance_made_late_is_at_every_version,
        "An instance that is made when there are versions already is empty at committed ones, and written at open ones.",
        "DVID's TestVersioning makes one at an interior version.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.copy-keeps-every-version",
        copy_keeps_every_version,
        "A store that is copied away and back is the same, entry by entry, and each version reads as it did.",
        "Stores outlive the engine that they began on.",
    )
    .needs(NEEDS),
];

fn new_versions_need_a_committed_parent_and_a_free_branch(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let (store, root) = (&lab.store, lab.version(1));
    check_refused(store.new_version(root, None), ErrorKind::InvalidArgument, "a version from an open one")?;
    check_refused(
        store.new_version(root, Some("b")),
        ErrorKind::InvalidArgument,
        "a branch from an open one",
    )?;
    store.commit_version(root, "")?;
    let next = store.new_version(root, None)?;
    let side = store.new_version(root, Some("side"))?;
    check_eq!((next.branch.as_str(), side.branch.as_str()), ("main", "side"), "the branches");
    store.commit_version(side.id, "")?;
    let before: Vec<_> = store.dag()?.versions().cloned().collect();
    for (parent, branch, kind) in [
        (root, None, ErrorKind::AlreadyExists),
        (root, Some("main"), ErrorKind::AlreadyExists),
        (side.id, Some("main"), ErrorKind::AlreadyExists),
        (root, Some("side"), ErrorKind::AlreadyExists),
        (side.id, Some("a b"), ErrorKind::InvalidArgument),
        (side.id, Some(""), ErrorKind::InvalidArgument),
        (side.id, Some("a~1"), ErrorKind::InvalidArgument),
        (engine_api::key::VersionId(4711), None, ErrorKind::NotFound),
    ] {
        check_refused(store.new_version(parent, branch), kind, &format!("{branch:?} from {parent}"))?;
    }
    let other = store.create_repo("other", None)?;
    store.commit_version(other.root, "")?;
    let foreign = store.merge(&[side.id, other.root], Some("both"));
    check_refused(foreign, ErrorKind::InvalidArgument, "a merge of two repos")?;
    store.refresh()?;
    let after: Vec<_> = store.dag()?.versions().filter(|version| version.repo != other.id).cloned().collect();
    check_eq!(after, before, "the versions after what was refused");
    Ok(())
}

fn assigned_uuids_are_kept_and_unique(ctx: &Context) -> Verdict {
    let store = Versioned::create(ctx.open()?)?;
    let uuid = Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef);
    let repo = store.create_repo("first", Some(uuid))?;
    check_eq!((repo.uuid, store.dag()?.version(repo.root)?.uuid), (uuid, uuid), "the assigned UUID");
    check_refused(store.create_repo("second", Some(uuid)), ErrorKind::AlreadyExists, "a UUID that is taken")?;
    check_refused(store.create_repo("first", None), ErrorKind::AlreadyExists, "a name that is taken")?;
    let second = store.create_repo("second", None)?;
    check!(
        second.uuid != uuid && second.id != repo.id && second.root != repo.root,
        "two repos have one name"
    );
    for digits in ["0123456789", "0123", "0123456789ab4def8123456789abcdef"] {
        check_eq!(store.find(digits)?.id, repo.root, "the version that begins with {digits}");
    }
    check_refused(store.find("012"), ErrorKind::NotFound, "three digits")?;
    check_refused(store.find("01234567x"), ErrorKind::NotFound, "digits that aren't")?;
    store.refresh()?;
    check_eq!(store.dag()?.repos().count(), 2, "the repos that are stored");
    Ok(())
}

fn versions_are_found_by_branch_and_steps_back(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let (store, root) = (&lab.store, lab.version(1));
    let next = |parent, branch: Option<&str>| -> engine_api::Result<_> {
        let made = store.new_version(parent, branch)?.id;
        store.commit_version(made, "")?;
        Ok(made)
    };
    store.commit_version(root, "")?;
    let second = next(root, None)?;
    let third = next(second, None)?;
    let other = next(second, Some("other"))?;
    let last = next(other, None)?;
    let merge = store.merge(&[third, last], None)?.id;
    store.tag(second, "released", "")?;
    for (spec, expected) in [
        ("main", merge),
        (":main", merge),
        ("lab:main", merge),
        ("main~", third),
        ("main~2", second),
        ("main~3", root),
        ("other", last),
        ("other~1", other),
        ("other~2", second),
        ("released", second),
        ("released~", root),
    ] {
        check_eq!(store.find(spec)?.id, expected, "{spec}");
    }
    check_refused(store.find("main~4"), ErrorKind::InvalidArgument, "a step past the root")?;
    check_refused(store.find("nosuch"), ErrorKind::NotFound, "a branch that isn't there")?;
    check_refused(store.find("nosuch:main"), ErrorKind::NotFound, "a repo that isn't there")
}

fn instances_made_at_once_are_told_apart(ctx: &Context) -> Verdict {
    const THREADS: usize = 8;
    const EACH: usize = 6;
    let lab = Lab::new(ctx)?;
    let repo = lab.store.only_repo()?.id;
    let made = thread::scope(|scope| {
        let makers: Vec<_> = (0..THREADS)
            .map(|maker| {
                let store = &lab.store;
                scope.spawn(move || -> Verdict<(Vec<_>, usize)> {
                    let (mut ids, mut shared) = (Vec::new(), 0);
                    for number in 0..EACH {
                        let own = NewInstance::new(format!("own-{maker}-{number}"), "keyvalue");
                        ids.push(store.create_instance(repo, &own)?.id);
                        // Each thread wants this name, and one gets it.
                        match store
                            .create_instance(repo, &NewInstance::new(format!("shared-{number}"), "keyvalue"))
                        {
                            Ok(instance) => {
                                ids.push(instance.id);
                                shared += 1;
                            }
                            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                            Err(error) => return Err(error.into()),
                        }
                    }
                    Ok((ids, shared))
                })
            })
            .collect();
        makers
            .into_iter()
            .map(|maker| maker.join().map_err(|_| Halt::failed("a maker of instances panicked"))?)
            .collect::<Verdict<Vec<_>>>()
    })?;
    let shared: usize = made.iter().map(|(_, shared)| shared).sum();
    check_eq!(shared, EACH, "how often a name that all wanted was given");
    let ids: BTreeSet<_> = made.iter().flat_map(|(ids, _)| ids).collect();
    check_eq!(ids.len(), THREADS * EACH + EACH, "the numbers of the instances");
    lab.store.refresh()?;
    check_eq!(lab.store.dag()?.instances().count(), ids.len() + 1, "the instances that are stored");
    Ok(())
}

fn instance_made_late_is_at_every_version(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 3] = [(&[], &[("k", Some("root"))]), (&[1], &[]), (&[2], &[])];
    let lab = Lab::of(ctx, &nodes)?;
    let repo = lab.store.only_repo()?.id;
    let late = lab.store.create_instance(repo, &NewInstance::new("late", "keyvalue"))?.id;
    let at = |node| DataContext::versioned(late, lab.version(node));
    for node in 1..=3 {
        check_eq!(
            lab.store.resolve(&at(node), &tkey("k"))?,
            Resolved::Absent,
            "k of the new instance at {node}"
        );
    }
    lab.store.put(&at(3), &tkey("k"), "late".into())?;
    check_eq!(lab.store.get(&at(3), &tkey("k"))?.as_deref(), Some(&b"late"[..]), "k at the open version");
    check_refused(
        lab.store.put(&at(2), &tkey("k"), "late".into()),
        ErrorKind::ReadOnly,
        "a committed version",
    )?;
    let taken = lab.store.create_instance(repo, &NewInstance::new("late", "keyvalue"));
    check_refused(taken, ErrorKind::AlreadyExists, "an instance of a name that is taken")?;
    lab.shows(&[1, 2, 3], "k", Some("root"))
}

fn copy_keeps_every_version(ctx: &Context) -> Verdict {
    let nodes: [Node<'_>; 6] = [
        (&[], &[("k", Some("root")), ("gone", Some("root")), ("", Some("")), ("both", Some("root"))]),
        (&[1], &[("k", Some("l")), ("gone", None), ("both", Some("l"))]),
        (&[1], &[("new", Some("r")), ("both", Some("r"))]),
        (&[2, 3], &[]),
        (&[3, 2], &[("both", Some("chosen"))]),
        (&[4], &[("k", Some("open"))]),
    ];
    let lab = Lab::of(ctx, &nodes)?;
    let memory = MemoryStore::new();
    copy_store(lab.store.store(), &memory, &mut |_| Ok(()))?;
    let back = ctx.elsewhere("back")?;
    let returned = back.open()?;
    copy_store(&memory, &returned, &mut |_| Ok(()))?;
    compare_stores(lab.store.store(), &returned, &mut |_| Ok(()))?;
    let copy = Versioned::open(returned)?;
    for node in 1..=6 {
        for key in ["k", "gone", "", "both", "new", "nosuch"] {
            let (there, here) =
                (copy.resolve(&lab.at(node), &tkey(key))?, lab.store.resolve(&lab.at(node), &tkey(key))?);
            check_eq!(there, here, "{key} at node {node} of the copy");
        }
    }
    copy.put(&lab.at(6), &tkey("k"), "later".into())?;
    check_refused(copy.put(&lab.at(4), &tkey("k"), "x".into()), ErrorKind::ReadOnly, "what was committed")?;
    lab.shows(&[6], "k", Some("open"))
}
