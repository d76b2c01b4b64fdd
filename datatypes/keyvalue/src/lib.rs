#![doc = include_str!("../README.md")]

use engine_api::key::{DataContext, TKey, TKeyClass, VersionId};
use engine_api::version::{Flow, Instance, NewInstance, OrderedKeyValue, Resolved, Versioned};
use engine_api::{Bytes, Fetch, KeyRange, Result, Store};
use std::ops::Bound;

/// The datatype's name in an [`Instance`].
pub const DATATYPE: &str = "keyvalue";

/// The class of the keys.
const CLASS: TKeyClass = TKeyClass(177);

/// A collection of keys and values.
#[derive(Debug)]
pub struct KeyValue<'s, S> {
    store: &'s Versioned<S>,
    instance: Instance,
}

impl<'s, S: Store> KeyValue<'s, S> {
    /// Makes a collection in a repo.
    ///
    /// # Errors
    /// `AlreadyExists` when the repo has an instance of this name.
    pub fn create(store: &'s Versioned<S>, repo: engine_api::key::RepoId, name: &str) -> Result<Self> {
        let instance = store.create_instance(repo, &NewInstance::new(name, DATATYPE))?;
        Ok(Self { store, instance })
    }

    /// Opens the only repo's collection of this name.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when the instance is of another datatype.
    pub fn open(store: &'s Versioned<S>, name: &str) -> Result<Self> {
        let instance = store.instance_of(DATATYPE, name)?;
        Ok(Self { store, instance })
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The collection at a version.
    pub fn at(&self, version: VersionId) -> Keys<'s, S> {
        Keys { store: self.store, ctx: DataContext::versioned(self.instance.id, version) }
    }
}

/// A collection at a version: what is read is seen there, what is written goes there.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'s, S> {
    store: &'s Versioned<S>,
    ctx: DataContext,
}

impl<S: Store> Keys<'_, S> {
    /// The value of a key.
    ///
    /// # Errors
    /// `Conflict` names the versions between which nothing has chosen.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.store.get(&self.ctx, &tkey(key))
    }

    /// What a key is, with the version at which it was written or deleted.
    pub fn resolve(&self, key: &[u8]) -> Result<Resolved> {
        self.store.resolve(&self.ctx, &tkey(key))
    }

    /// Stores a value.
    ///
    /// # Errors
    /// `ReadOnly` when the version is committed; `TooLarge`.
    pub fn put(&self, key: &[u8], value: impl Into<Bytes>) -> Result<()> {
        self.store.put(&self.ctx, &tkey(key), value.into())
    }

    /// Stores several values, all or none.
    ///
    /// # Errors
    /// Those of [`put`](Self::put).
    pub fn put_many<K: AsRef<[u8]>>(&self, entries: impl IntoIterator<Item = (K, Bytes)>) -> Result<()> {
        let entries: Vec<_> = entries.into_iter().map(|(key, value)| (tkey(key.as_ref()), value)).collect();
        self.store.put_range(&self.ctx, &entries)
    }

    /// Removes a key, at this version and below.
    ///
    /// # Errors
    /// `ReadOnly` when the version is committed.
    pub fn delete(&self, key: &[u8]) -> Result<()> {
        self.store.delete(&self.ctx, &tkey(key))
    }

    /// Removes the visible keys of a range, all or none, and answers how many there were.
    ///
    /// # Errors
    /// `ReadOnly` when the version is committed.
    pub fn delete_range(&self, range: &KeyRange) -> Result<u64> {
        self.store.delete_range(&self.ctx, &within_class(range))
    }

    /// Visits the visible keys of a range in their order, each with its value or its conflict.
    pub fn visit(
        &self,
        range: &KeyRange,
        fetch: Fetch,
        mut visit: impl FnMut(&[u8], Resolved) -> Result<Flow>,
    ) -> Result<()> {
        self.store.visit(&self.ctx, &within_class(range), fetch, &mut |tkey, resolved| {
            visit(tkey.class_bytes()?, resolved)
        })
    }
}

/// The key of a collection's key.
pub fn tkey(key: &[u8]) -> TKey {
    TKey::new(CLASS, key)
}

/// A range of a collection's keys, as a range of its instance's keys.
pub fn within_class(range: &KeyRange) -> KeyRange {
    let all = CLASS.range();
    let inner = |bound: Bound<&[u8]>| bound.map(|key| tkey(key).as_bytes().to_vec());
    let or = |bound, otherwise: Bound<&[u8]>| match bound {
        Bound::Unbounded => otherwise.map(<[u8]>::to_vec),
        bounded => bounded,
    };
    KeyRange::between(or(inner(range.start()), all.start()), or(inner(range.end()), all.end()))
}

#[cfg(test)]
mod tests {
    use engine_api::{ErrorKind, MemoryStore};

    use super::*;

    #[test]
    fn every_key_is_kept_apart_and_in_order() {
        let store = Versioned::create(MemoryStore::new()).unwrap();
        let repo = store.create_repo("r", None).unwrap();
        let keys = KeyValue::create(&store, repo.id, "kv").unwrap().at(repo.root);
        let all: [&[u8]; 6] = [b"", b"\0", b"a", b"a\0b", b"ab", b"\xff\xff"];
        keys.put_many(all.iter().map(|key| (key, Bytes::copy_from_slice(key)))).unwrap();
        let mut seen = Vec::new();
        keys.visit(&KeyRange::ALL, Fetch::Entries, |key, resolved| {
            assert_eq!(resolved.into_value()?.as_deref(), Some(key));
            seen.push(key.to_vec());
            Ok(Flow::Continue(()))
        })
        .unwrap();
        assert_eq!(seen, all);
        assert_eq!(keys.delete_range(&KeyRange::prefix(b"a")).unwrap(), 3);
        assert_eq!(keys.get(b"ab").unwrap(), None);
        assert_eq!(keys.get(b"\xff\xff").unwrap().as_deref(), Some(b"\xff\xff".as_slice()));
    }

    #[test]
    fn an_instance_of_another_datatype_is_refused() {
        let store = Versioned::create(MemoryStore::new()).unwrap();
        let repo = store.create_repo("r", None).unwrap();
        store.create_instance(repo.id, &NewInstance::new("v", "volume")).unwrap();
        assert_eq!(KeyValue::open(&store, "v").unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(KeyValue::open(&store, "nosuch").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
