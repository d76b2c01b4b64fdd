//! Deletes of many keys: all or nothing, whatever fails on the way.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::sync::Arc;

use engine_api::key::{Context, DataContext, TKey};
use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::version::{DeleteScope, NewInstance, OrderedKeyValue, Versioned};
use engine_api::{
    Bytes, Capabilities, DeleteRange, Durability, ErrorKind, KeyRange, MemoryStore, Result, Store, StoreExt,
    View, WriteBatch,
};

/// A memory store that declares less than it can, and is held to that.
#[derive(Debug)]
struct Less {
    inner: MemoryStore,
    capabilities: Capabilities,
}

impl Less {
    fn new(ops: usize, delete_range: DeleteRange) -> Self {
        let inner = MemoryStore::new();
        let declared = *inner.capabilities();
        let limits = declared.limits.batch_ops(ops);
        Self { inner, capabilities: declared.limits(limits).delete_range(delete_range) }
    }
}

impl Store for Less {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.inner.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&self.capabilities, durability)?;
        self.inner.commit(batch, durability)
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
}

const ENDS: [&[u8]; 6] = [b"", b"\0", b"\0\0", b"m", b"m\0", &[0xFF; 40]];

type Lab = (Versioned<Arc<Faulty<Less>>>, Arc<Faults>, [DataContext; 3]);

/// Keys at the ends of the key space: of an instance at its root, committed, and at an open version, and of one
/// without versions.
fn lab(ops: usize, delete_range: DeleteRange) -> Lab {
    let faults = Faults::new();
    let shared = Arc::new(Faulty::new(Less::new(ops, delete_range), Arc::clone(&faults)));
    let store = Versioned::create(shared).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let instance = store.create_instance(repo.id, &NewInstance::new("kv", "keyvalue")).unwrap().id;
    let plain = store.create_instance(repo.id, &NewInstance::new("plain", "keyvalue").unversioned()).unwrap();
    let root = DataContext::versioned(instance, repo.root);
    let plain = DataContext::unversioned(plain.id);
    for key in ENDS {
        store.put(&root, &TKey::from(key), Bytes::from("root")).unwrap();
        store.put(&plain, &TKey::from(key), Bytes::from("plain")).unwrap();
    }
    store.commit_version(repo.root, "").unwrap();
    let next = DataContext::versioned(instance, store.new_version(repo.root, None).unwrap().id);
    for key in ENDS {
        store.put(&next, &TKey::from(key), Bytes::from("own")).unwrap();
    }
    (store, faults, [root, next, plain])
}

fn all(store: &dyn OrderedKeyValue, ctx: &DataContext) -> Vec<Bytes> {
    store.get_range(ctx, &KeyRange::ALL).unwrap().into_iter().map(|(_, value)| value).collect()
}

/// A way to delete many keys at once.
type Delete = fn(&dyn OrderedKeyValue, &DataContext) -> Result<()>;

const DELETES: [Delete; 2] = [
    |store, ctx| store.delete_range(ctx, &KeyRange::ALL).map(drop),
    |store, ctx| store.delete_all(ctx, DeleteScope::ThisVersion),
];

#[test]
fn a_scan_that_fails_is_never_taken_for_the_end() {
    let (store, faults, [root, next, plain]) = lab(1000, DeleteRange::None);
    let before = [&root, &next, &plain].map(|ctx| all(&store, ctx));
    let stored = store.store().count(&KeyRange::ALL).unwrap();
    let entries = u64::try_from(ENDS.len()).unwrap();
    for delete in DELETES {
        for after in 0..entries {
            faults.fail_after(Fault::ScanEntry, after);
            assert_eq!(delete(&store, &next).unwrap_err().kind(), ErrorKind::Io, "after {after}");
            faults.clear();
            assert_eq!([&root, &next, &plain].map(|ctx| all(&store, ctx)), before);
            assert_eq!(store.store().count(&KeyRange::ALL).unwrap(), stored, "nothing was written");
        }
        for fault in [Fault::View, Fault::Commit] {
            faults.fail_after(fault, 0);
            assert_eq!(delete(&store, &next).unwrap_err().kind(), ErrorKind::Io, "{fault:?}");
            faults.clear();
            assert_eq!(store.store().count(&KeyRange::ALL).unwrap(), stored, "nothing was written");
        }
    }
    faults.fail_after(Fault::ScanEntry, entries - 1);
    assert_eq!(store.delete_range(&plain, &KeyRange::ALL).unwrap_err().kind(), ErrorKind::Io);
    faults.clear();
    assert_eq!(store.delete_range(&plain, &KeyRange::ALL).unwrap(), entries);
    assert_eq!(all(&store, &plain), Vec::<Bytes>::new());
    assert_eq!(store.delete_range(&next, &KeyRange::ALL).unwrap(), entries);
    assert_eq!((all(&store, &next), all(&store, &root)), (vec![], before[0].clone()));
}

#[test]
fn what_is_larger_than_a_batch_is_refused_and_nothing_is_done() {
    // One put needs two operations and three requirements.
    let (store, _, [root, next, plain]) = lab(6, DeleteRange::None);
    let before = [&root, &next, &plain].map(|ctx| all(&store, ctx));
    for delete in DELETES {
        assert_eq!(delete(&store, &next).unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!([&root, &next, &plain].map(|ctx| all(&store, ctx)), before);
    }
    assert_eq!(store.delete_range(&plain, &KeyRange::ALL).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(all(&store, &plain), before[2]);
    assert_eq!(store.delete_range(&next, &KeyRange::new(&b""[..]..&b"\0"[..])).unwrap(), 1, "in parts");
}

#[test]
fn everything_of_an_instance_goes_and_nothing_of_another() {
    for delete_range in [DeleteRange::None, DeleteRange::PerKey] {
        let (store, faults, [root, next, plain]) = lab(1000, delete_range);
        let wrong = store.delete_all(&plain, DeleteScope::ThisVersion).unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::InvalidArgument);
        store.delete_all(&next, DeleteScope::ThisVersion).unwrap();
        assert_eq!(all(&store, &next), all(&store, &root), "the ancestors' values show again");
        // That a version is committed keeps its data from a delete of the version alone.
        let closed = store.delete_all(&root, DeleteScope::ThisVersion).unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::ReadOnly);
        if delete_range == DeleteRange::None {
            let denied = store.delete_all(&root, DeleteScope::AllVersions).unwrap_err();
            assert_eq!(denied.kind(), ErrorKind::Unsupported);
            assert_eq!(all(&store, &root).len(), ENDS.len());
            continue;
        }
        faults.fail_after(Fault::Commit, 0);
        assert_eq!(store.delete_all(&root, DeleteScope::AllVersions).unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(all(&store, &root).len(), ENDS.len());
        store.delete_all(&root, DeleteScope::AllVersions).unwrap();
        assert_eq!(store.store().count(&next.key_range()).unwrap(), 0, "{delete_range:?}");
        assert_eq!(all(&store, &plain).len(), ENDS.len());
        store.delete_all(&plain, DeleteScope::AllVersions).unwrap();
        assert_eq!(all(&store, &plain), Vec::<Bytes>::new());
        store.delete_instance(plain.instance()).unwrap();
        let late = store.delete_all(&plain, DeleteScope::AllVersions).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::NotFound);
    }
}
