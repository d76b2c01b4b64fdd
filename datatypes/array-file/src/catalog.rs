//! The table of arrays.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::array::{Array, ArrayMeta};
use crate::error::{Error, Result};
use crate::wire::{Reader, Writer};

/// The arrays of a file by name; a copy shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    arrays: BTreeMap<String, Arc<Array>>,
}

impl Catalog {
    pub(crate) fn get(&self, name: &str) -> Result<&Arc<Array>> {
        self.arrays.get(name).ok_or_else(|| Error::ArrayNotFound { name: name.to_owned() })
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// Puts an array in, in place of one of its name.
    pub(crate) fn put(&mut self, array: Array) {
        self.arrays.insert(array.meta.name.clone(), Arc::new(array));
    }

    pub(crate) fn remove(&mut self, name: &str) -> Result<Arc<Array>> {
        self.arrays.remove(name).ok_or_else(|| Error::ArrayNotFound { name: name.to_owned() })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Array>> {
        self.arrays.values()
    }

    pub(crate) fn by_id(&self) -> BTreeMap<u64, &Arc<Array>> {
        self.arrays.values().map(|array| (array.meta.id, array)).collect()
    }

    pub(crate) fn encode(&self) -> Result<Bytes> {
        let mut out = Writer::default();
        out.count(self.arrays.len())?;
        for array in self.arrays.values() {
            array.meta.encode(&mut out)?;
        }
        Ok(out.seal().into())
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::sealed(bytes)?;
        let mut catalog = Self::default();
        // An array takes at least its id, four lengths and three codes.
        for _ in 0..reader.count(19)? {
            let array = Array::new(ArrayMeta::decode(&mut reader)?)
                .map_err(|error| Error::corrupt("", format!("an array can't be: {error}")))?;
            catalog.put(array);
        }
        reader.end()?;
        Ok(catalog)
    }
}
