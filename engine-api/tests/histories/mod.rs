//! Random histories, and all that a store answers of one.

use std::collections::BTreeMap;

use engine_api::key::{DataContext, DataKey, FullKey, TKey, VersionId};
use engine_api::version::{
    Flow, NewInstance, OrderedKeyValue, Repo, Resolved, Version, VersionDag, Versioned,
};
use engine_api::{Bytes, Fetch, KeyRange, MemoryStore, Store, StoreExt, Uuid, ViewExt, WriteBatch};
use proptest::prelude::*;

const INSTANCES: [&str; 2] = ["a", "b"];
const KEYS: [&[u8]; 4] = [b"", b"a", b"a\0", b"ab"];
/// `resolve` is compared with `visit` for no more keys of an instance than this.
const KEYS_RESOLVED: usize = 50;

/// A write: instance, key, version by its place, and value; `None` is a delete.
type Write = (usize, usize, usize, Option<u8>);

#[derive(Clone, Debug)]
pub(crate) struct History {
    /// The parents of each version, by their places; a version's parents stand before it.
    pub(crate) parents: Vec<Vec<usize>>,
    writes: Vec<Write>,
}

/// A random history: each version after the first has 1 to 3 parents.
pub(crate) fn history() -> impl Strategy<Value = History> {
    let picks = prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 1..4), 0..9);
    let write = (0..INSTANCES.len(), 0..KEYS.len(), any::<prop::sample::Index>(), any::<Option<u8>>());
    (picks, prop::collection::vec(write, 0..40)).prop_map(|(picks, writes)| {
        let mut parents: Vec<Vec<usize>> = vec![vec![]];
        for pick in picks {
            let mut chosen = Vec::new();
            for index in pick {
                let parent = index.index(parents.len());
                if !chosen.contains(&parent) {
                    chosen.push(parent);
                }
            }
            parents.push(chosen);
        }
        let versions = parents.len();
        let place = |(instance, key, at, entry): (_, _, prop::sample::Index, _)| {
            (instance, key, at.index(versions), entry)
        };
        History { parents, writes: writes.into_iter().map(place).collect() }
    })
}

/// A store with this history, all of it committed.
pub(crate) fn store_of(history: &History) -> Versioned<MemoryStore> {
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let instances =
        INSTANCES.map(|name| store.create_instance(repo.id, &NewInstance::new(name, "keyvalue")).unwrap().id);
    let mut ids: Vec<VersionId> = Vec::new();
    for (version, parents) in history.parents.iter().enumerate() {
        let parents: Vec<_> = parents.iter().map(|place| ids[*place]).collect();
        let branch = format!("b{version}");
        ids.push(match parents.as_slice() {
            [] => repo.root,
            [one] => store.new_version(*one, Some(&branch)).unwrap().id,
            _ => store.merge(&parents, Some(&branch)).unwrap().id,
        });
        for (instance, key, _, entry) in history.writes.iter().filter(|(_, _, at, _)| *at == version) {
            let ctx = DataContext::versioned(instances[*instance], ids[version]);
            match entry {
                Some(byte) => store.put(&ctx, &TKey::from(KEYS[*key]), vec![*byte].into()).unwrap(),
                None => store.delete(&ctx, &TKey::from(KEYS[*key])).unwrap(),
            }
        }
        store.commit_version(ids[version], &format!("note {version}")).unwrap();
    }
    store
}

/// A record as a store keeps it.
fn record<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let json = serde_json::to_vec(value).unwrap();
    [&[1], &crc32c::crc32c(&json).to_le_bytes()[..], &json].concat()
}

/// The same store with its versions numbered in an order that says nothing of ancestry.
pub(crate) fn shuffled(store: &Versioned<MemoryStore>, seed: u64) -> Versioned<MemoryStore> {
    let mut numbers: Vec<u32> = store.dag().unwrap().versions().map(|version| version.id.0).collect();
    let old = numbers.clone();
    let mut state = seed;
    for at in (1..numbers.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        numbers.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
    }
    let numbered: BTreeMap<_, _> = old.into_iter().zip(numbers).collect();
    let number = |id: VersionId| VersionId(numbered[&id.0]);
    let mut batch = WriteBatch::new();
    for (key, value) in store.store().view().unwrap().collect(&KeyRange::ALL).unwrap() {
        let renumbered = |class: u8| {
            let id = VersionId(u32::from_be_bytes(key[2..].try_into().unwrap()));
            [&[0, class], &number(id).to_be_bytes()[..]].concat()
        };
        match FullKey::parse(&key).unwrap() {
            FullKey::Data(data) => {
                let version = number(data.version);
                batch.put(DataKey::at_version(data, version).encode(), value);
            }
            FullKey::Metadata(tkey) => match tkey.class().unwrap().0 {
                3 => {
                    let repo: Repo = serde_json::from_slice(&value[5..]).unwrap();
                    batch.put(&key, record(&Repo { root: number(repo.root), ..repo }));
                }
                4 => {
                    let version: Version = serde_json::from_slice(&value[5..]).unwrap();
                    let parents = version.parents.iter().map(|id| number(*id)).collect();
                    let version = Version { id: number(version.id), parents, ..version };
                    batch.put(renumbered(4), record(&version));
                }
                5 => drop(batch.put(renumbered(5), value)),
                _ => drop(batch.put(&key, value)),
            },
        }
    }
    let shuffled = MemoryStore::new();
    shuffled.write(&batch).unwrap();
    Versioned::open(shuffled).unwrap()
}

/// What a key is, in terms that mean the same in every store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The value; `None` for a conflict.
    pub(crate) value: Option<Bytes>,
    /// The versions that wrote it.
    by: Vec<Uuid>,
}

fn answer(dag: &VersionDag, resolved: Resolved) -> Answer {
    let uuid = |id: VersionId| dag.version(id).unwrap().uuid;
    match resolved {
        Resolved::Found { value, version } => Answer { value: Some(value), by: vec![uuid(version)] },
        Resolved::Conflict { versions } => {
            let mut by: Vec<_> = versions.into_iter().map(uuid).collect();
            by.sort_unstable();
            Answer { value: None, by }
        }
        other => panic!("{other:?} isn't visible"),
    }
}

/// All that a store answers: version, instance and key, and what it is there.
pub(crate) fn answers<S: Store>(store: &Versioned<S>) -> BTreeMap<(Uuid, String, Vec<u8>), Answer> {
    let dag = store.dag().unwrap();
    let mut all = BTreeMap::new();
    for version in dag.versions() {
        for instance in dag.instances().filter(|found| found.repo == version.repo && found.versioned) {
            let ctx = DataContext::versioned(instance.id, version.id);
            let mut resolved = 0;
            store
                .visit(&ctx, &KeyRange::ALL, Fetch::Entries, &mut |tkey, found| {
                    if resolved < KEYS_RESOLVED {
                        assert_eq!(store.resolve(&ctx, tkey).unwrap(), found);
                        resolved += 1;
                    }
                    let place = (version.uuid, instance.name.clone(), tkey.as_bytes().to_vec());
                    all.insert(place, answer(&dag, found));
                    Ok(Flow::Continue(()))
                })
                .unwrap();
        }
    }
    all
}
