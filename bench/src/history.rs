//! A linear history: at every version every key has a value of its own.

use std::sync::Arc;

use engine_api::key::{Context, DataContext, InstanceId, TKey, TKeyClass, VersionId};
use engine_api::layers::Relaxed;
use engine_api::version::{NewInstance, OrderedKeyValue, Versioned, copy_store};
use engine_api::{Bytes, MemoryStore, Store, ViewExt};

use super::Outcome;
use super::contenders::Subject;
use super::data;

/// A store with a linear history.
#[derive(Debug)]
pub(crate) struct History {
    /// The store and the raw engine.
    pub(crate) subject: Subject,
    /// The store with its versions.
    pub(crate) store: Versioned<Arc<dyn Store>>,
    /// The versions, from the root to the head, which is open.
    pub(crate) versions: Vec<VersionId>,
    /// How many keys there are, the keys of [`tkey`].
    pub(crate) keys: usize,
    /// The bytes of a value.
    pub(crate) bytes: usize,
    instance: InstanceId,
}

/// The most that is written with one batch.
const BATCH_BYTES: usize = 32 << 20;

/// The key of a number; keys are in the order of their numbers.
pub(crate) fn tkey(number: usize) -> TKey {
    TKey::new(TKeyClass(177), &data::key(number))
}

impl History {
    /// Writes `keys` keys at each of `versions` versions, with values of `bytes` bytes.
    pub(crate) fn linear(subject: Subject, keys: usize, versions: usize, bytes: usize) -> Outcome<Self> {
        let store = Versioned::create(Relaxed(&*subject.store))?;
        let repo = store.create_repo("bench", None)?;
        let instance = store.create_instance(repo.id, &NewInstance::new("entries", "keyvalue"))?.id;
        let mut made = vec![repo.root];
        let mut head = repo.root;
        for edition in 0..versions {
            if edition > 0 {
                store.commit_version(head, "")?;
                head = store.new_version(head, None)?.id;
                made.push(head);
            }
            let numbers: Vec<_> = (0..keys).collect();
            for numbers in numbers.chunks((BATCH_BYTES / bytes.max(1)).max(1)) {
                write(&store, &DataContext::versioned(instance, head), numbers, edition, bytes)?;
            }
        }
        store.store().flush()?;
        let store = versioned(Arc::clone(&subject.store))?;
        Ok(Self { subject, store, versions: made, keys, bytes, instance })
    }

    /// A copy in an empty store.
    pub(crate) fn copied(&self, subject: Subject) -> Outcome<Self> {
        copy(&*self.subject.store, &subject)?;
        let store = versioned(Arc::clone(&subject.store))?;
        Ok(Self { subject, store, versions: self.versions.clone(), ..*self })
    }

    /// The head.
    pub(crate) fn head(&self) -> DataContext {
        self.at(self.versions.len() - 1)
    }

    /// The version in the middle.
    pub(crate) fn middle(&self) -> DataContext {
        self.at(self.versions.len() / 2)
    }

    fn at(&self, number: usize) -> DataContext {
        DataContext::versioned(self.instance, self.versions[number])
    }

    /// Fails unless the store holds as many entries as were written.
    pub(crate) fn check(&self) -> Outcome {
        let stored = self.subject.store.view()?.count(&self.head().key_range())?;
        if stored == (self.keys * self.versions.len()) as u64 {
            Ok(())
        } else {
            Err("entries are missing".into())
        }
    }
}

/// A store in memory, for a history that is then copied.
pub(crate) fn in_memory() -> Subject {
    Subject { store: Arc::new(MemoryStore::new()), peer: None }
}

/// Copies a store with versions to an empty one.
pub(crate) fn copy(source: &dyn Store, target: &Subject) -> Outcome {
    copy_store(source, &Relaxed(&*target.store), &mut |_| Ok(()))?;
    Ok(target.store.flush()?)
}

/// Writes the values of some keys at an open version.
pub(crate) fn write(
    store: &Versioned<impl Store>,
    at: &DataContext,
    numbers: &[usize],
    edition: usize,
    bytes: usize,
) -> Outcome {
    let value = |number| Bytes::from(data::value(number, edition, bytes));
    let entries: Vec<_> = numbers.iter().map(|&number| (tkey(number), value(number))).collect();
    Ok(store.put_range(at, &entries)?)
}

/// The subject's store, with versions.
pub(crate) fn versioned<S: Store>(store: S) -> Outcome<Versioned<S>> {
    Ok(Versioned::open(store)?)
}
