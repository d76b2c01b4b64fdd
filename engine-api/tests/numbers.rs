//! A store whose versions were numbered elsewhere: nothing is read from the order of numbers.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use engine_api::key::{
    Context, DataContext, FullKey, InstanceId, MetadataContext, TKey, TKeyClass, VersionId,
};
use engine_api::version::{NewInstance, OrderedKeyValue, Resolved, VersionDag, Versioned};
use engine_api::{Bytes, KeyRange, MemoryStore, StoreExt, Uuid, WriteBatch};
use serde_json::Value;

/// A history with branches, a merge and a tag, and with writes and deletes at most of its versions.
fn history() -> (Versioned<MemoryStore>, InstanceId) {
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("atlas", None).unwrap();
    let kv = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
    let fill = |version: VersionId, puts: &[&str], deletes: &[&str]| {
        let ctx = DataContext::versioned(kv, version);
        for key in puts {
            store.put(&ctx, &TKey::from(*key), format!("{key} at {version}").into()).unwrap();
        }
        for key in deletes {
            store.delete(&ctx, &TKey::from(*key)).unwrap();
        }
        store.commit_version(version, "").unwrap();
        version
    };
    let next = |parent, branch| store.new_version(parent, branch).unwrap().id;
    let root = fill(repo.root, &["a", "b", "c", "d"], &[]);
    let main = fill(next(root, None), &["a", "e"], &["b"]);
    let side = fill(next(root, Some("side")), &["a", "c"], &[]);
    let side = fill(next(side, None), &["f"], &["d"]);
    let merged = fill(store.merge(&[main, side], None).unwrap().id, &["g"], &[]);
    let late = fill(next(merged, Some("late")), &["a"], &["e"]);
    fill(next(side, None), &["c"], &["a"]);
    store.tag(side, "v1", "").unwrap();
    store.log_version(late, "a line").unwrap();
    (store, kv)
}

/// The same store with other numbers.
fn renumbered(store: &MemoryStore, number: &dyn Fn(u64) -> u64) -> MemoryStore {
    let id = |id: u32| u32::try_from(number(u64::from(id))).unwrap();
    let mut batch = WriteBatch::new();
    for (key, value) in store.prefix(b"").unwrap() {
        match FullKey::parse(&key).unwrap() {
            FullKey::Data(key) => {
                let version = VersionId(id(key.version.0));
                batch.put(key.at_version(version).encode(), value);
            }
            FullKey::Metadata(tkey) => {
                let (class, mut rest) = (tkey.class().unwrap(), tkey.class_bytes().unwrap().to_vec());
                if matches!(class.0, 4 | 5 | 7 | 11) {
                    let of = u32::from_be_bytes(rest[..4].try_into().unwrap());
                    rest[..4].copy_from_slice(&id(of).to_be_bytes());
                }
                let value = match class.0 {
                    3 => edited(&value, &|record| renumber(&mut record["root"], number)),
                    4 => edited(&value, &|record| {
                        renumber(&mut record["id"], number);
                        record["parents"]
                            .as_array_mut()
                            .unwrap()
                            .iter_mut()
                            .for_each(|id| renumber(id, number));
                    }),
                    8 => edited(&value, &|record| renumber(&mut record["version"], number)),
                    _ => value,
                };
                batch.put(MetadataContext.construct_key(&TKey::new(TKeyClass(class.0), &rest)), value);
            }
        }
    }
    let other = MemoryStore::new();
    other.write(&batch).unwrap();
    other
}

fn renumber(id: &mut Value, number: &dyn Fn(u64) -> u64) {
    *id = number(id.as_u64().unwrap()).into();
}

fn edited(record: &[u8], edit: &dyn Fn(&mut Value)) -> Bytes {
    let mut json: Value = serde_json::from_slice(&record[5..]).unwrap();
    edit(&mut json);
    let json = serde_json::to_vec(&json).unwrap();
    [&[1], &crc32c::crc32c(&json).to_le_bytes()[..], &json].concat().into()
}

fn uuids(dag: &VersionDag) -> BTreeMap<Uuid, VersionId> {
    dag.versions().map(|version| (version.uuid, version.id)).collect()
}

/// What a key is, without numbers.
fn told(dag: &VersionDag, resolved: &Resolved) -> String {
    let uuid = |id: &VersionId| dag.version(*id).unwrap().uuid;
    match resolved {
        Resolved::Found { value, version } => format!("{value:?} of {}", uuid(version)),
        Resolved::Conflict { versions } => {
            let mut versions: Vec<_> = versions.iter().map(uuid).collect();
            versions.sort_unstable();
            format!("between {versions:?}")
        }
        // Where several deletes lead, which of them is named is by number.
        Resolved::Deleted { .. } => "deleted".to_owned(),
        Resolved::Absent => "absent".to_owned(),
    }
}

/// All that a store answers, without numbers.
fn answers(store: &Versioned<MemoryStore>, kv: InstanceId) -> Vec<String> {
    let dag = store.dag().unwrap();
    let mut answers = Vec::new();
    for name in ["main", "side", "late", "v1"] {
        for steps in 0..5 {
            let spec = format!(":{name}~{steps}");
            answers.push(format!("{spec} {:?}", dag.find(&spec).map(|version| version.uuid).ok()));
        }
    }
    let repo = store.only_repo().unwrap();
    for (branch, head) in dag.heads(repo.id) {
        answers.push(format!("{branch} {} {:?}", head.uuid, dag.main_branch(repo.id)));
    }
    let all = uuids(&dag);
    for (uuid, id) in &all {
        assert_eq!(dag.find(&uuid.simple().to_string()[..20]).unwrap().id, *id);
        answers.push(format!("{uuid} {:?}", store.log_of(*id).unwrap()));
        for (other, before) in &all {
            answers.push(format!("{other} {uuid} {}", dag.is_ancestor(*before, *id).unwrap()));
            store
                .diff(kv, (*before, *id), &KeyRange::ALL, &mut |found| {
                    let (before, after) = (told(&dag, &found.before), told(&dag, &found.after));
                    answers.push(format!("{:?}: {before}; {after}", found.tkey));
                    Ok(ControlFlow::Continue(()))
                })
                .unwrap();
        }
    }
    answers
}

#[test]
fn a_history_numbered_otherwise_answers_the_same() {
    let (store, kv) = history();
    let expected = answers(&store, kv);
    assert!(expected.iter().any(|answer| answer.contains("between")), "a conflict is among them");
    let count = u64::try_from(store.dag().unwrap().versions().count()).unwrap();
    // Seven versions: backwards, and all the ways to step around a circle of a prime number.
    assert_eq!(count, 7);
    let orders: Vec<Vec<u64>> = (2..count)
        .map(|step| (0..count).map(|at| at * step % count + 1).collect())
        .chain([(1..=count).rev().collect()])
        .collect();
    for order in orders {
        let number = |id: u64| order[usize::try_from(id).unwrap() - 1];
        let other = Versioned::open(renumbered(store.store(), &number)).unwrap();
        assert_eq!(answers(&other, kv), expected, "{order:?}");
        let repo = other.only_repo().unwrap().id;
        let doomed = other.find("late").unwrap().id;
        other.delete_branch(repo, "late").unwrap();
        let left = uuids(&other.dag().unwrap());
        assert_eq!(left.len(), 6);
        assert!(!left.values().any(|id| *id == doomed));
    }
}
