//! What stands beside the versions: tags, and work that outlives its process.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::sync::Arc;

use engine_api::key::{Context, DataContext, TKey};
use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::version::{NewInstance, OrderedKeyValue, Versioned, Work};
use engine_api::{Bytes, ErrorKind, MemoryStore, StoreExt};

#[test]
fn a_tag_stays_with_its_version_and_shares_no_name() {
    let shared = Arc::new(MemoryStore::new());
    let store = Versioned::create(Arc::clone(&shared)).unwrap();
    let repo = store.create_repo("atlas", None).unwrap();
    store.commit_version(repo.root, "").unwrap();
    let draft = store.new_version(repo.root, Some("draft")).unwrap();
    let tag = store.tag(repo.root, "v1.0", "as published").unwrap();
    assert_eq!((tag.version, tag.note.as_str()), (repo.root, "as published"));
    for taken in ["v1.0", "draft", "main"] {
        assert_eq!(store.tag(draft.id, taken, "").unwrap_err().kind(), ErrorKind::AlreadyExists, "{taken}");
    }
    assert_eq!(store.tag(draft.id, "a b", "").unwrap_err().kind(), ErrorKind::InvalidArgument);
    let branch = store.new_version(repo.root, Some("v1.0")).unwrap_err();
    assert_eq!(branch.kind(), ErrorKind::AlreadyExists, "a branch with a tag's name");
    assert_eq!(store.find("v1.0").unwrap().id, repo.root);
    assert_eq!(store.find("atlas:v1.0").unwrap().id, repo.root);

    let again = Versioned::open(shared).unwrap();
    assert_eq!(again.dag().unwrap().tags().cloned().collect::<Vec<_>>(), [tag]);
    again.untag(repo.id, "v1.0").unwrap();
    assert_eq!(again.untag(repo.id, "v1.0").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(again.find("v1.0").unwrap_err().kind(), ErrorKind::NotFound);
    again.new_version(repo.root, Some("v1.0")).unwrap();
}

#[test]
fn a_deletion_that_was_cut_short_goes_on() {
    const KEYS: u32 = 10_000;
    let faults = Faults::new();
    let shared = Arc::new(Faulty::new(MemoryStore::new(), Arc::clone(&faults)));
    let store = Versioned::create(Arc::clone(&shared)).unwrap();
    let repo = store.create_repo("atlas", None).unwrap();
    let make = |name: &str| store.create_instance(repo.id, &NewInstance::new(name, "keyvalue")).unwrap().id;
    let (doomed, other) = (make("doomed"), make("other"));
    for instance in [doomed, other] {
        let entries: Vec<_> =
            (0..KEYS).map(|key| (TKey::from(&key.to_be_bytes()), Bytes::from_static(b"v"))).collect();
        store.put_range(&DataContext::versioned(instance, repo.root), &entries).unwrap();
    }
    let left = |instance| shared.count(&DataContext::versioned(instance, repo.root).key_range()).unwrap();

    // The instance goes with the first batch; the second removes some of its data; the third fails.
    faults.fail_after(Fault::Commit, 2);
    assert_eq!(store.delete_instance(doomed).unwrap_err().kind(), ErrorKind::Io);
    assert!((1..u64::from(KEYS)).contains(&left(doomed)), "it was cut short");
    let read = store.get(&DataContext::versioned(doomed, repo.root), &TKey::from("k"));
    assert_eq!(read.unwrap_err().kind(), ErrorKind::NotFound);

    let reopened = Versioned::open(Arc::clone(&shared)).unwrap();
    assert_eq!(reopened.unfinished().unwrap(), [Work::DeleteInstance { instance: doomed }]);
    assert_eq!(reopened.resume().unwrap(), 1);
    assert_eq!(left(doomed), 0);
    assert_eq!(left(other), u64::from(KEYS));
    assert_eq!(reopened.unfinished().unwrap(), []);
    assert_eq!(reopened.resume().unwrap(), 0);
}
