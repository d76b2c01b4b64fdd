//! What reads cost in large histories, counted in what the store is asked for.

use std::sync::Arc;

use engine_api::key::{Context as _, DataContext, VersionId};
use engine_api::layers::{Metered, Relaxed, Usage};
use engine_api::version::{Flow, NewInstance, OrderedKeyValue as _, Resolved, Versioned, copy_store};
use engine_api::{Fetch, KeyRange, MemoryStore};

use super::NEEDS;
use super::lab::{Lab, tkey};
use crate::case::Case;
use crate::checks::load;
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.thirty-stacked-diamonds",
        thirty_stacked_diamonds,
        "Under thirty merges on top of each other a read visits each entry of its key once at the most.",
        "A walk along every path takes 2 to the 32nd steps; DVID's does.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.reads-in-ten-thousand-versions-cost-what-they-cost-in-ten",
        reads_in_ten_thousand_versions,
        "In a line of 10,000 versions a key, and a range, are read with as many steps at the last version as at the tenth.",
        "Real histories are deep; DVID looks at each version of a key, and at each ancestor.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.entries-of-others-are-sought-past",
        entries_of_others_are_sought_past,
        "Between what 500 siblings wrote, a version reads its own value and its ancestor's in a few steps.",
        "What others wrote lies between, and stepping over it costs each reader what all have written.",
    )
    .needs(NEEDS),
];

/// What a read asked of the store: gets, scans, and entries that scans visited.
fn cost<S: engine_api::Store>(
    store: &Versioned<Metered<S>>,
    read: impl FnOnce() -> Verdict,
) -> Verdict<(u64, u64, u64)> {
    let Usage { gets, scans, entries_read, .. } = store.store().usage();
    read()?;
    let after = store.store().usage();
    Ok((after.gets - gets, after.scans - scans, after.entries_read - entries_read))
}

fn thirty_stacked_diamonds(ctx: &Context) -> Verdict {
    let mut lab = Lab::over(Metered::new(Relaxed(ctx.open()?)))?;
    lab.edit(1, &[("root", Some("1")), ("changed", Some("1"))])?;
    let mut top = 1;
    let mut writer = 1;
    for number in 1..=30 {
        let (left, right) = (lab.add(&[top])?, lab.add(&[top])?);
        if number == 15 {
            lab.edit(left, &[("changed", Some("15")), ("both", Some("l"))])?;
            lab.edit(right, &[("both", Some("r"))])?;
            writer = left;
        }
        top = lab.add(&if number % 2 == 0 { [left, right] } else { [right, left] })?;
    }
    let at = lab.at(top);
    let sides = Resolved::Conflict { versions: vec![lab.version(writer), lab.version(writer + 1)] };
    for (key, stored) in [("root", 1), ("changed", 2), ("both", 2), ("nosuch", 0)] {
        let (_, scans, entries) = cost(&lab.store, || {
            let found = lab.store.resolve(&at, &tkey(key))?;
            match key {
                "nosuch" => check_eq!(found, Resolved::Absent, "{key}"),
                "both" => check_eq!(found, sides, "{key}"),
                "changed" => check_eq!(found.into_value()?.as_deref(), Some(&b"15"[..]), "{key}"),
                _ => check_eq!(found.into_value()?.as_deref(), Some(&b"1"[..]), "{key}"),
            }
            Ok(())
        })?;
        // The next key's first entry may show that there are no more.
        check!(scans <= 1 && entries <= stored + 1, "reading {key} took {scans} scans of {entries} entries");
    }
    let (_, scans, entries) = cost(&lab.store, || {
        let mut count = 0;
        lab.store.visit(&at, &KeyRange::ALL, Fetch::Entries, &mut |_, _| {
            count += 1;
            Ok(Flow::Continue(()))
        })?;
        check_eq!(count, 3, "the keys of the range");
        Ok(())
    })?;
    check!(scans == 1 && entries <= 5, "the range of five entries took {scans} scans of {entries} entries");
    Ok(())
}

/// A line of so many versions: `every` is written at each of them, `first`, `middle` and `last` once.
fn line(length: u32) -> Verdict<Arc<MemoryStore>> {
    let memory = Arc::new(MemoryStore::new());
    let store = Versioned::create(Arc::clone(&memory))?;
    let repo = store.create_repo("lab", None)?;
    let instance = store.create_instance(repo.id, &NewInstance::new("notes", "keyvalue"))?.id;
    let mut version = repo.root;
    let mut entries = Vec::new();
    for number in 1..=length {
        if number > 1 {
            store.commit_version(version, "")?;
            version = store.new_version(version, None)?.id;
        }
        let at = DataContext::versioned(instance, version);
        for (key, writer) in [("every", number), ("first", 1), ("middle", length / 2), ("last", length)] {
            if number == writer {
                // Straight into the store: what a write costs in a large history isn't the question here.
                entries.push((at.construct_key(&tkey(key)), number.to_string()));
            }
        }
    }
    load(&memory, entries)?;
    Ok(memory)
}

fn reads_in_ten_thousand_versions(ctx: &Context) -> Verdict {
    const LENGTH: u32 = 10_000;
    // Made in memory, and copied: twenty thousand commits are no test of the engine.
    let target = Relaxed(ctx.open()?);
    copy_store(&*line(LENGTH)?, &target, &mut |_| Ok(()))?;
    let store = Versioned::open(Metered::new(target))?;
    let instance = store.instance("notes")?.id;
    let versions: Vec<VersionId> = store.dag()?.versions().map(|version| version.id).collect();
    check_eq!(versions.len(), LENGTH as usize, "the versions");
    let mut first = None;
    for reader in [10, 100, LENGTH / 2 - 1, LENGTH / 2 + 1, LENGTH - 1, LENGTH] {
        let at = DataContext::versioned(instance, versions[reader as usize - 1]);
        // The ancestors of a version are found out once.
        store.get(&at, &tkey("every"))?;
        for (key, writer) in [("every", reader), ("first", 1), ("middle", LENGTH / 2), ("last", LENGTH)] {
            let expected = (writer <= reader).then(|| writer.to_string());
            let (_, scans, entries) = cost(&store, || {
                let found = store.get(&at, &tkey(key))?;
                check_eq!(found.as_deref(), expected.as_deref().map(str::as_bytes), "{key} at {reader}");
                Ok(())
            })?;
            check!(scans <= 1 && entries <= 2, "reading {key} at {reader} took {entries} entries");
        }
        let (gets, scans, entries) = cost(&store, || {
            let keys = store.keys_in_range(&at, &KeyRange::ALL)?;
            let expected = 2 + usize::from(reader >= LENGTH / 2) + usize::from(reader == LENGTH);
            check_eq!(keys.len(), expected, "the keys at {reader}");
            Ok(())
        })?;
        // Entries that a version doesn't see, or has no use for, are stepped over for a while and then sought past.
        check!(entries <= 40, "the range of four keys at {reader} took {entries} entries");
        let asked = *first.get_or_insert((gets, scans));
        check_eq!((gets, scans), asked, "what a range at {reader} asks for, beside one at the tenth version");
    }
    Ok(())
}

fn entries_of_others_are_sought_past(ctx: &Context) -> Verdict {
    const SIBLINGS: usize = 500;
    let target = Relaxed(ctx.open()?);
    let mut crowd = Lab::over(MemoryStore::new())?;
    crowd.edit(1, &[("k", Some("root"))])?;
    let untouched = crowd.add(&[1])?;
    for number in 0..SIBLINGS {
        let node = crowd.add(&[1])?;
        crowd.edit(node, &[("k", Some(&number.to_string()))])?;
    }
    let late = crowd.add(&[1])?;
    let early = crowd.add(&[untouched])?;
    let middle = untouched + SIBLINGS / 2;
    let readers = [
        (untouched, "root".to_owned()),
        (late, "root".to_owned()),
        (early, "root".to_owned()),
        (middle, (SIBLINGS / 2 - 1).to_string()),
    ]
    .map(|(node, value)| (crowd.at(node), value));
    copy_store(crowd.store.store(), &target, &mut |_| Ok(()))?;
    let store = Versioned::open(Metered::new(target))?;
    for (at, expected) in readers {
        let (_, _, entries) = cost(&store, || {
            let found = store.get(&at, &tkey("k"))?;
            check_eq!(found.as_deref(), Some(expected.as_bytes()), "k at {at:?}");
            let range = store.get_range(&at, &KeyRange::ALL)?;
            check_eq!(range.len(), 1, "the keys at {at:?}");
            Ok(())
        })?;
        check!(entries <= 60, "k among {SIBLINGS} siblings, by key and by range, took {entries} entries");
    }
    Ok(())
}
