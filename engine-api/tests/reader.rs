//! A reader: many reads of one state.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fmt;
use std::sync::{Arc, Mutex};

use engine_api::key::{DataContext, InstanceId, MetadataContext, TKey, TKeyClass, VersionId};
use engine_api::layers::Metered;
use engine_api::version::{Flow, NewInstance, OrderedKeyValue, Resolved, Seen, Versioned};
use engine_api::{
    Bytes, Capabilities, Durability, ErrorKind, Fetch, KeyRange, MemoryStore, Processes, Result, Store, View,
    WriteBatch,
};

/// A store that other processes may change, as far as its users can tell.
#[derive(Clone, Debug)]
struct Shared(Arc<MemoryStore>, Capabilities, Late);

/// A view that was taken before, and is handed out as the next one.
#[derive(Clone, Default)]
struct Late(Arc<Mutex<Option<Box<dyn View>>>>);

impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Late")
    }
}

impl Shared {
    fn new() -> Self {
        let store = MemoryStore::new();
        let capabilities = store.capabilities().processes(Processes::Many);
        Self(Arc::new(store), capabilities, Late::default())
    }
}

impl Store for Shared {
    fn capabilities(&self) -> &Capabilities {
        &self.1
    }

    fn view(&self) -> Result<Box<dyn View>> {
        let late = self.2.0.lock().unwrap().take();
        late.map_or_else(|| self.0.view(), Ok)
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        self.0.commit(batch, durability)
    }

    fn flush(&self) -> Result<()> {
        self.0.flush()
    }
}

fn tkey(text: &str) -> TKey {
    TKey::from(text)
}

/// A store with a versioned instance, and its root.
fn made<S: Store>(store: S) -> (Versioned<S>, InstanceId, VersionId) {
    let store = Versioned::create(store).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("i", "keyvalue")).unwrap().id;
    (store, instance, repo.root)
}

fn one_state_is_read<S: Store>(store: S) {
    let (store, instance, root) = made(store);
    let ctx = DataContext::versioned(instance, root);
    store.put(&ctx, &tkey("a"), "1".into()).unwrap();
    store.put(&ctx, &tkey("b"), "1".into()).unwrap();
    let before = store.reader(&ctx).unwrap();
    store.put_range(&ctx, &[(tkey("a"), "2".into()), (tkey("c"), "2".into())]).unwrap();
    store.delete(&ctx, &tkey("b")).unwrap();
    let after = store.reader(&ctx).unwrap();
    let read = |reader: &engine_api::version::Reader<'_, S>| {
        let mut found = Vec::new();
        let mut each = |key: &[u8], seen: Seen<'_>| {
            let Resolved::Found { value, .. } = seen.into_resolved()? else { panic!("a conflict") };
            assert_eq!(reader.get(&TKey::from(key))?, Some(value.clone()));
            assert!(reader.exists(&TKey::from(key))?);
            let mut lent = Bytes::new();
            assert!(reader.get_with(&TKey::from(key), &mut |bytes| lent = Bytes::copy_from_slice(bytes))?);
            assert_eq!(lent, value);
            found.push((String::from_utf8(key.to_vec()).unwrap(), value));
            Ok(Flow::Continue(()))
        };
        reader.visit_with(&KeyRange::ALL, Fetch::Entries, &mut each).unwrap();
        found
    };
    let entries = |pairs: &[(&str, &'static str)]| -> Vec<_> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Bytes::from(*value))).collect()
    };
    assert_eq!(read(&before), entries(&[("a", "1"), ("b", "1")]));
    assert_eq!(before.get(&tkey("c")).unwrap(), None);
    assert_eq!(read(&after), entries(&[("a", "2"), ("c", "2")]));
    assert!(!after.exists(&tkey("b")).unwrap());
}

#[test]
fn all_is_read_of_one_state() {
    one_state_is_read(MemoryStore::new());
    one_state_is_read(Shared::new());
}

#[test]
fn a_version_that_another_handle_has_made_is_found() {
    let shared = Shared::new();
    let (store, instance, root) = made(shared.clone());
    let other = Versioned::open(shared).unwrap();
    store.commit_version(root, "").unwrap();
    let child = store.new_version(root, None).unwrap().id;
    let ctx = DataContext::versioned(instance, child);
    store.put(&ctx, &tkey("a"), "1".into()).unwrap();
    assert_eq!(other.reader(&ctx).unwrap().get(&tkey("a")).unwrap().as_deref(), Some(b"1".as_slice()));
    // What it has read of the DAG by then doesn't let it write to what was committed since.
    other.put(&ctx, &tkey("a"), "2".into()).unwrap();
    store.commit_version(child, "").unwrap();
    let refused = other.put(&ctx, &tkey("a"), "3".into()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnly);
    assert_eq!(store.get(&ctx, &tkey("a")).unwrap().as_deref(), Some(b"2".as_slice()));
}

#[test]
fn a_view_from_before_a_squash_is_read_by_the_versions_that_it_shows() {
    let shared = Shared::new();
    let (store, instance, root) = made(shared.clone());
    let mut versions = vec![root];
    for number in 0..3 {
        let ctx = DataContext::versioned(instance, versions[number]);
        store.put(&ctx, &tkey("written"), number.to_string().into()).unwrap();
        store.put(&ctx, &tkey(&format!("only at {number}")), "1".into()).unwrap();
        store.commit_version(versions[number], "").unwrap();
        versions.push(store.new_version(versions[number], None).unwrap().id);
    }
    let other = Versioned::open(shared.clone()).unwrap();
    let late = shared.view().unwrap();
    store.squash(versions[1], versions[2], &mut |_| Ok(())).unwrap();
    let reader = DataContext::versioned(instance, versions[2]);
    let found = |store: &Versioned<Shared>| {
        let reader = store.reader(&reader).unwrap();
        (0..3).all(|number| reader.exists(&tkey(&format!("only at {number}"))).unwrap())
    };
    // What the version sees is kept now, as it is after the squash.
    assert!(found(&other));
    *shared.2.0.lock().unwrap() = Some(late);
    assert!(found(&other));
}

#[test]
fn what_is_not_there_has_no_reader() {
    for store in [Shared::new(), Shared(Arc::default(), *MemoryStore::new().capabilities(), Late::default())]
    {
        let (store, instance, root) = made(store);
        let unknown = [
            DataContext::versioned(instance, VersionId(99)),
            DataContext::versioned(InstanceId(99), root),
            DataContext::unversioned(InstanceId(99)),
        ];
        for ctx in unknown {
            assert_eq!(store.reader(&ctx).unwrap_err().kind(), ErrorKind::NotFound);
        }
        let unfit = DataContext::unversioned(instance);
        assert_eq!(store.reader(&unfit).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[test]
fn what_has_no_versions_is_read_too() {
    let (store, _, _) = made(Shared::new());
    let repo = store.only_repo().unwrap().id;
    let flat = NewInstance::new("flat", "keyvalue").unversioned();
    let ctx = DataContext::unversioned(store.create_instance(repo, &flat).unwrap().id);
    store.put(&ctx, &tkey("a"), "1".into()).unwrap();
    let reader = store.reader(&ctx).unwrap();
    store.put(&ctx, &tkey("a"), "2".into()).unwrap();
    assert_eq!(reader.get(&tkey("a")).unwrap().as_deref(), Some(b"1".as_slice()));

    let own = TKey::new(TKeyClass(16), b"setting");
    store.put(&MetadataContext, &own, "on".into()).unwrap();
    let reader = store.reader(&MetadataContext).unwrap();
    assert_eq!(reader.get(&own).unwrap().as_deref(), Some(b"on".as_slice()));
}

#[test]
fn a_value_that_is_the_answer_is_lent_and_not_copied() {
    let (store, instance, root) = made(MemoryStore::new());
    let ctx = DataContext::versioned(instance, root);
    store.put(&ctx, &tkey("a"), "1".into()).unwrap();
    let reader = store.reader(&ctx).unwrap();
    let (mut outer, mut inner) = (None, None);
    let read = &mut |bytes: &[u8]| {
        outer = Some(bytes.as_ptr());
        // A copy for this one would be beside the one that is being read.
        assert!(reader.get_with(&tkey("a"), &mut |bytes| inner = Some(bytes.as_ptr())).unwrap());
    };
    assert!(reader.get_with(&tkey("a"), read).unwrap());
    assert!(outer.is_some() && outer == inner);
}

#[test]
fn what_follows_a_value_is_stepped_over_unless_the_value_is_large() {
    const LARGE: usize = 256 << 10;
    for (bytes, entries) in [(1, 3), (LARGE - 1, 3), (LARGE, 1)] {
        let (store, instance, root) = made(Metered::new(MemoryStore::new()));
        let mut version = root;
        for _ in 0..3 {
            store.put(&DataContext::versioned(instance, version), &tkey("a"), vec![0; bytes].into()).unwrap();
            store.commit_version(version, "").unwrap();
            version = store.new_version(version, None).unwrap().id;
        }
        let reader = store.reader(&DataContext::versioned(instance, version)).unwrap();
        let before = store.store().usage().entries_read;
        reader.visit_with(&KeyRange::ALL, Fetch::Entries, &mut |_, _| Ok(Flow::Continue(()))).unwrap();
        assert_eq!(store.store().usage().entries_read - before, entries, "values of {bytes} bytes");
    }
}

#[test]
fn a_range_steps_over_a_few_entries_of_others_and_seeks_past_many() {
    for (siblings, entries) in [(8, 9), (100, 13)] {
        let (store, instance, root) = made(Metered::new(MemoryStore::new()));
        store.put(&DataContext::versioned(instance, root), &tkey("a"), "root".into()).unwrap();
        store.commit_version(root, "").unwrap();
        for number in 0..siblings {
            let sibling = store.new_version(root, Some(&number.to_string())).unwrap().id;
            store.put(&DataContext::versioned(instance, sibling), &tkey("a"), "other".into()).unwrap();
        }
        let late = store.new_version(root, Some("late")).unwrap().id;
        let reader = store.reader(&DataContext::versioned(instance, late)).unwrap();
        let before = store.store().usage().entries_read;
        let mut each = |_: &[u8], seen: Seen<'_>| {
            assert_eq!(seen.into_resolved()?.into_value()?.as_deref(), Some(b"root".as_slice()));
            Ok(Flow::Continue(()))
        };
        reader.visit_with(&KeyRange::ALL, Fetch::Entries, &mut each).unwrap();
        assert_eq!(store.store().usage().entries_read - before, entries, "beside {siblings} siblings");
    }
}

#[test]
fn a_reader_shows_what_it_reads() {
    let (store, instance, root) = made(MemoryStore::new());
    let shown = format!("{:?}", store.reader(&DataContext::versioned(instance, root)).unwrap());
    assert!(shown.starts_with("Reader") && shown.contains(&format!("{root:?}")), "{shown}");
}
