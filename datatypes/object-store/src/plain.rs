//! Objects in a store without versions, under a prefix of its keys.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use engine_api::key::{TKey, VersionId};
use engine_api::version::{Flow, Resolved};
use engine_api::{
    Capabilities, Error, ErrorKind, Expected, Fetch, KeyRange, Requirements, Result, Step, Store, StoreExt,
    Value, View, WriteBatch, visitor,
};

use crate::envelope::{self, Magic};
use crate::keys;
use crate::space::{Entry, Reading, Space, Writes};

/// The keys of a store that begin with a prefix.
#[derive(Debug)]
pub(crate) struct PlainSpace<S> {
    store: S,
    prefix: Vec<u8>,
}

impl<S: Store> PlainSpace<S> {
    /// Opens the keys, and marks them as objects' where there are none yet.
    ///
    /// # Errors
    /// `Incompatible` when there are keys under the prefix that aren't objects'; `Unsupported` when the engine lacks
    /// what objects need.
    pub(crate) fn open(store: S, prefix: &[u8]) -> Result<Self> {
        Requirements::new("objects").atomic().conditional().check(store.capabilities())?;
        let space = Self { store, prefix: prefix.to_vec() };
        let marker = space.full(keys::MARKER.min_key().as_bytes());
        if let Some(found) = space.store.get(&marker)? {
            return space.check_marker(&found);
        }
        if let Some((key, _)) = space.store.first(&KeyRange::prefix(prefix))? {
            return Err(Error::new(ErrorKind::Incompatible, "there are keys that aren't objects'")
                .with_key("key", &key));
        }
        let mut batch = WriteBatch::new();
        batch.require_absent(&marker).put(&marker, envelope::seal(Magic::Store, b""));
        match space.store.write(&batch) {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let found = space.store.get(&marker)?.ok_or(error)?;
                space.check_marker(&found)
            }
            outcome => outcome.map(|()| space),
        }
    }

    fn check_marker(self, marker: &[u8]) -> Result<Self> {
        match envelope::open(Magic::Store, marker) {
            Ok(_) => Ok(self),
            // Another kind of data may have any bytes there.
            Err(error) => {
                Err(Error::new(ErrorKind::Incompatible, "the keys aren't objects'").caused_by(error))
            }
        }
    }

    fn full(&self, tkey: &[u8]) -> Vec<u8> {
        [&self.prefix, tkey].concat()
    }
}

fn found(value: Option<Bytes>) -> Resolved {
    match value {
        Some(value) => Resolved::Found { value, version: VersionId::default() },
        None => Resolved::Absent,
    }
}

impl<S: Store> Space for PlainSpace<S> {
    fn capabilities(&self) -> &Capabilities {
        self.store.capabilities()
    }

    fn key_bytes(&self, tkey: &TKey) -> Vec<u8> {
        self.full(tkey.as_bytes())
    }

    fn read(&self, read: &mut dyn FnMut(&dyn Reading) -> Result<()>) -> Result<()> {
        read(&PlainReading { space: self, view: self.store.view()? })
    }

    fn commit(&self, writes: &Writes) -> Result<()> {
        let mut batch = WriteBatch::new();
        for (tkey, resolved) in &writes.required {
            let expected = match resolved {
                Resolved::Found { value, .. } => Expected::Equals(value.clone()),
                _ => Expected::Absent,
            };
            batch.require(self.full(tkey.as_bytes()), expected);
        }
        for (tkey, value) in &writes.ops {
            let key = self.full(tkey.as_bytes());
            match value {
                Some(value) => batch.put(key, value.clone()),
                None => batch.delete(key),
            };
        }
        self.store.write(&batch)
    }

    fn blocks_may_move(&self) -> bool {
        true
    }
}

struct PlainReading<'a, S> {
    space: &'a PlainSpace<S>,
    view: Box<dyn View>,
}

impl<S: Store> Reading for PlainReading<'_, S> {
    fn resolve(&self, tkey: &TKey) -> Result<Resolved> {
        self.view.get(&self.space.full(tkey.as_bytes())).map(found)
    }

    fn get_with(&self, tkey: &TKey, take: &mut dyn FnMut(&[u8])) -> Result<bool> {
        self.view.get_with(&self.space.full(tkey.as_bytes()), take)
    }

    fn get_of_any_version(&self, _: &TKey) -> Result<Option<Bytes>> {
        Ok(None)
    }

    fn visit(
        &self,
        range: &KeyRange,
        fetch: Fetch,
        visit: &mut dyn FnMut(&[u8], Entry<'_>) -> Result<Flow>,
    ) -> Result<()> {
        let full = |bound: Bound<&[u8]>| bound.map(|tkey| self.space.full(tkey));
        let all = KeyRange::prefix(&self.space.prefix);
        let start = match full(range.start()) {
            Bound::Unbounded => all.start().map(<[u8]>::to_vec),
            bounded => bounded,
        };
        let end = match full(range.end()) {
            Bound::Unbounded => all.end().map(<[u8]>::to_vec),
            bounded => bounded,
        };
        let range = KeyRange::between(start, end);
        let mut scan = range.scan();
        scan.fetch = fetch;
        let mut each = visitor(|key: &[u8], value: Value<'_>| {
            let tkey = key.get(self.space.prefix.len()..).unwrap_or_default();
            Ok(match visit(tkey, Entry::Value(value))? {
                ControlFlow::Continue(()) => Step::Next,
                ControlFlow::Break(()) => Step::Stop,
            })
        });
        self.view.scan(scan, &mut each)
    }
}
