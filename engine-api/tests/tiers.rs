//! Several stores as one: they answer as one store does, before and after data is archived, and whatever fails.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::ops::ControlFlow;
use std::sync::Arc;

use engine_api::key::{DataContext, InstanceId, TKey, VersionId};
use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::version::tiers::{Assignment, Member, Rule, Tiered};
use engine_api::version::{Flow, NewInstance, OrderedKeyValue, Resolved, Versioned};
use engine_api::{
    Bytes, ErrorKind, Fetch, KeyRange, MemoryStore, Result, Scan, Step, Store, StoreExt, Value, visitor,
};
use proptest::prelude::*;

const NAMES: [&str; 4] = ["meta", "bulk", "fast", "cold"];

fn rules() -> Assignment {
    Assignment {
        metadata: Some("meta".into()),
        mutable: "bulk".into(),
        immutable: Some("cold".into()),
        rules: vec![
            Rule { instance: Some("atlas/a".into()), mutable: Some("fast".into()), ..Rule::default() },
            Rule { tag: Some("where=meta".into()), mutable: Some("meta".into()), ..Rule::default() },
        ],
    }
}

/// The stores, and what makes them fail.
struct Disk {
    stores: Vec<Arc<Faulty<MemoryStore>>>,
    faults: Vec<Arc<Faults>>,
}

impl Disk {
    fn new() -> Self {
        let faults: Vec<_> = NAMES.iter().map(|_| Faults::new()).collect();
        let stores = faults
            .iter()
            .map(|faults| Arc::new(Faulty::new(MemoryStore::new(), Arc::clone(faults))))
            .collect();
        Self { stores, faults }
    }

    fn open_with(&self, names: &[&str], assignment: Assignment) -> Result<Tiered> {
        let members = names
            .iter()
            .zip(&self.stores)
            .map(|(name, store)| Member { name: (*name).to_owned(), store: Box::new(Arc::clone(store)) })
            .collect();
        Tiered::open(members, assignment, true, None)
    }

    fn open(&self) -> Tiered {
        self.open_with(&NAMES, rules()).unwrap()
    }
}

/// Three instances, in three stores.
fn instances<S: Store>(store: &Versioned<S>) -> Vec<InstanceId> {
    let repo = store.create_repo("atlas", None).unwrap();
    ["a", "b", "c"]
        .map(|name| {
            let new = NewInstance::new(name, "keyvalue");
            let new = if name == "c" { new.tag("where", "meta") } else { new };
            store.create_instance(repo.id, &new).unwrap().id
        })
        .to_vec()
}

#[derive(Clone, Debug)]
enum Action {
    Put { instance: usize, key: u8, value: u8 },
    Delete { instance: usize, key: u8 },
    DeleteRange { instance: usize, keys: (u8, u8) },
    CommitAndGoOn,
    Archive { version: usize },
    Squash { versions: (usize, usize) },
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        6 => (0..3_usize, 0..12_u8, any::<u8>())
            .prop_map(|(instance, key, value)| Action::Put { instance, key, value }),
        2 => (0..3_usize, 0..12_u8).prop_map(|(instance, key)| Action::Delete { instance, key }),
        1 => (0..3_usize, (0..12_u8, 0..12_u8))
            .prop_map(|(instance, keys)| Action::DeleteRange { instance, keys }),
        2 => Just(Action::CommitAndGoOn),
        2 => (0..8_usize).prop_map(|version| Action::Archive { version }),
        1 => (0..8_usize, 0..8_usize).prop_map(|versions| Action::Squash { versions }),
    ];
    prop::collection::vec(action, 1..60)
}

fn tkey(key: u8) -> TKey {
    TKey::from(&[key])
}

fn apply<S: Store>(store: &Versioned<S>, instances: &[InstanceId], action: &Action) {
    let open = *versions(store).last().unwrap();
    let at = |instance: usize| DataContext::versioned(instances[instance], open);
    match action {
        Action::Put { instance, key, value } => {
            store.put(&at(*instance), &tkey(*key), vec![*value; 3].into()).unwrap();
        }
        Action::Delete { instance, key } => store.delete(&at(*instance), &tkey(*key)).unwrap(),
        Action::DeleteRange { instance, keys } => {
            let range = KeyRange::new(vec![keys.0]..vec![keys.1]);
            store.delete_range(&at(*instance), &range).map(drop).unwrap();
        }
        Action::CommitAndGoOn => {
            store.commit_version(open, "").unwrap();
            store.new_version(open, None).unwrap();
        }
        Action::Archive { .. } => {}
        Action::Squash { versions: (first, last) } => {
            let versions = versions(store);
            let at = |place: usize| versions[place % versions.len()];
            // One that can't be squashed is refused in both.
            drop(store.squash(at(*first), at(*last), &mut |_| Ok(())));
        }
    }
}

fn versions<S: Store>(store: &Versioned<S>) -> Vec<VersionId> {
    store.dag().unwrap().versions().map(|version| version.id).collect()
}

/// All that can be read of versioned data.
fn answers<S: Store>(store: &Versioned<S>, instances: &[InstanceId]) -> Vec<(TKey, Resolved)> {
    let mut all = Vec::new();
    for version in versions(store) {
        for instance in instances {
            let ctx = DataContext::versioned(*instance, version);
            for key in 0..12 {
                all.push((tkey(key), store.resolve(&ctx, &tkey(key)).unwrap()));
            }
            let mut take = |tkey: &TKey, resolved: Resolved| {
                all.push((tkey.clone(), resolved));
                Ok(Flow::Continue(()))
            };
            store.visit(&ctx, &KeyRange::ALL, Fetch::Entries, &mut take).unwrap();
            store.visit(&ctx, &KeyRange::new(vec![3_u8]..=vec![9]), Fetch::Entries, &mut take).unwrap();
        }
    }
    all
}

/// The data of a store, as a plain scan shows it.
fn scanned(store: &dyn Store, scan: Scan<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let mut take = visitor(|key: &[u8], value: Value<'_>| {
        if key[0] == 1 {
            found.push((key.to_vec(), value.bytes()?.to_vec()));
        }
        Ok(Step::Next)
    });
    store.view().unwrap().scan(scan, &mut take).unwrap();
    found
}

fn move_all(tiered: &Versioned<Tiered>, version: VersionId) -> Result<()> {
    tiered.archive(version, &mut |_| ControlFlow::Continue(())).map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn several_stores_answer_as_one_does(actions in actions()) {
        let disk = Disk::new();
        let tiered = Versioned::create(disk.open()).unwrap();
        let plain = Versioned::create(MemoryStore::new()).unwrap();
        let (ours, theirs) = (instances(&tiered), instances(&plain));
        prop_assert_eq!(&ours, &theirs);
        for action in &actions {
            apply(&tiered, &ours, action);
            apply(&plain, &theirs, action);
            if let Action::Archive { version } = action {
                let versions = versions(&tiered);
                let version = versions[version % versions.len()];
                let closed = tiered.dag().unwrap().version(version).unwrap().committed.is_some();
                prop_assert_eq!(move_all(&tiered, version).is_ok(), closed);
            }
        }
        prop_assert_eq!(answers(&tiered, &ours), answers(&plain, &theirs));
        for scan in [Scan::all(), Scan::all().reverse()] {
            prop_assert_eq!(scanned(tiered.store(), scan), scanned(plain.store(), scan));
        }
        // All of it again, by stores that were closed and opened.
        let reopened = Versioned::open(disk.open()).unwrap();
        prop_assert_eq!(answers(&reopened, &ours), answers(&plain, &theirs));
    }
}

#[test]
fn data_is_where_the_rules_say_and_archived_data_has_moved() {
    let disk = Disk::new();
    let store = Versioned::create(disk.open()).unwrap();
    let instances = instances(&store);
    let root = versions(&store)[0];
    for instance in &instances {
        store.put(&DataContext::versioned(*instance, root), &tkey(1), Bytes::from_static(b"v")).unwrap();
    }
    let count = |at: usize| scanned(&*disk.stores[at], Scan::all()).len();
    assert_eq!([count(0), count(1), count(2), count(3)], [1, 1, 1, 0]);
    assert_eq!(move_all(&store, root).unwrap_err().kind(), ErrorKind::InvalidArgument, "it is open");
    store.commit_version(root, "").unwrap();
    move_all(&store, root).unwrap();
    assert_eq!([count(0), count(1), count(2), count(3)], [0, 0, 0, 3]);

    // What is deleted is gone from the archive too.
    store.delete_instance(instances[0]).unwrap();
    assert_eq!([count(0), count(1), count(2), count(3)], [0, 0, 0, 2]);
    assert_eq!(Versioned::open(disk.open()).unwrap().dag().unwrap().instances().count(), 2);
}

#[test]
fn a_write_needs_its_instance_and_an_open_version_in_every_store() {
    let disk = Disk::new();
    let store = Versioned::create(disk.open()).unwrap();
    let instances = instances(&store);
    let root = versions(&store)[0];
    let late = Versioned::open(store.store().clone()).unwrap();
    store.commit_version(root, "").unwrap();
    for instance in &instances {
        let put = late.put(&DataContext::versioned(*instance, root), &tkey(1), Bytes::new());
        assert_eq!(put.unwrap_err().kind(), ErrorKind::ReadOnly);
    }
    let next = store.new_version(root, None).unwrap().id;
    late.refresh().unwrap();
    store.delete_instance(instances[1]).unwrap();
    let put = late.put(&DataContext::versioned(instances[1], next), &tkey(1), Bytes::new());
    assert_eq!(put.unwrap_err().kind(), ErrorKind::NotFound);
    let mut both = engine_api::WriteBatch::new();
    for instance in &instances[1..] {
        let key = engine_api::key::Context::construct_key(&DataContext::versioned(*instance, next), &tkey(1));
        both.put(key, "v");
    }
    assert_eq!(store.store().write(&both).unwrap_err().kind(), ErrorKind::Unsupported, "it spans two stores");
}

/// Fails each commit of each store in turn, while the DAG changes and data moves.
#[test]
fn whatever_fails_the_stores_agree_when_they_are_opened_again() {
    for at in 0..NAMES.len() {
        for calls in 0..10 {
            let disk = Disk::new();
            let store = Versioned::create(disk.open()).unwrap();
            let instances = instances(&store);
            let root = versions(&store)[0];
            for (value, instance) in instances.iter().enumerate() {
                for key in 0..12 {
                    let value = vec![u8::try_from(value).unwrap()];
                    store.put(&DataContext::versioned(*instance, root), &tkey(key), value.into()).unwrap();
                }
            }
            let before = answers(&store, &instances);
            disk.faults[at].fail_after(Fault::Commit, calls);
            let done: Result<()> = (|| {
                store.commit_version(root, "")?;
                move_all(&store, root)?;
                let repo = store.only_repo()?.id;
                store.create_instance(repo, &NewInstance::new("d", "keyvalue"))?;
                Ok(())
            })();
            disk.faults[at].clear();
            drop(store);
            let store = Versioned::open(disk.open()).unwrap();
            let dag = store.dag().unwrap();
            assert_eq!(answers(&store, &instances), before, "store {at}, after {calls} commits");
            let committed = dag.version(root).unwrap().committed.is_some();
            if done.is_ok() {
                assert!(committed && dag.instances().count() == 4);
            }
            // Writes are refused or taken as the metadata says, in every store.
            for instance in dag.instances() {
                let ctx = DataContext::versioned(instance.id, root);
                let put = store.put(&ctx, &tkey(99), Bytes::new()).map_err(|error| error.kind());
                assert_eq!(put, if committed { Err(ErrorKind::ReadOnly) } else { Ok(()) });
            }
            if committed {
                move_all(&store, root).unwrap();
                assert_eq!(answers(&store, &instances), before);
                assert_eq!(scanned(&*disk.stores[3], Scan::all()).len(), 36, "all of it moved in the end");
            }
        }
    }
}

#[test]
fn a_store_keeps_its_place_and_its_company() {
    let disk = Disk::new();
    drop(Versioned::create(disk.open()).unwrap());
    let kind = |outcome: Result<Tiered>| outcome.unwrap_err().kind();
    assert_eq!(kind(disk.open_with(&["bulk", "meta", "fast", "cold"], rules())), ErrorKind::Incompatible);
    let mut other = Disk::new();
    drop(other.open());
    other.stores[0] = Arc::clone(&disk.stores[0]);
    assert_eq!(kind(other.open_with(&NAMES, rules())), ErrorKind::Incompatible, "of another set");
    let mut lost = Disk::new();
    lost.stores[1] = Arc::clone(&disk.stores[1]);
    assert_eq!(kind(lost.open_with(&NAMES, rules())), ErrorKind::Incompatible, "without its metadata");
    let plain = Disk::new();
    plain.stores[2].put("\u{1}x", "v").unwrap();
    assert_eq!(kind(plain.open_with(&NAMES, rules())), ErrorKind::Incompatible, "not empty");

    // An instance stays where it was put when the rules change, and its store can't be left out.
    let store = Versioned::open(disk.open()).unwrap();
    let instances = instances(&store);
    let root = versions(&store)[0];
    store.put(&DataContext::versioned(instances[0], root), &tkey(1), Bytes::from_static(b"v")).unwrap();
    drop(store);
    let mut changed = rules();
    changed.rules.clear();
    let store = Versioned::open(disk.open_with(&NAMES, changed).unwrap()).unwrap();
    assert!(store.get(&DataContext::versioned(instances[0], root), &tkey(1)).unwrap().is_some());
    drop(store);
    let without = Assignment { metadata: None, mutable: "meta".into(), immutable: None, rules: Vec::new() };
    assert_eq!(kind(disk.open_with(&NAMES[..1], without)), ErrorKind::InvalidConfig);
}
