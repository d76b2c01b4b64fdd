//! Arrays and their attributes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ArrayFile;
use crate::array::Array;
use crate::error::{Error, Result};
use crate::{ArrayMeta, ArraySpec, AttributeValue};

impl ArrayFile {
    /// Defines an array. Its elements are the fill value until they are written.
    ///
    /// # Errors
    /// `ArrayAlreadyExists`; `InvalidShape`, `WrongRank` and `InvalidValue` for what no array can be.
    pub fn define_array(&mut self, name: &str, spec: ArraySpec) -> Result<&ArrayMeta> {
        self.check_writable()?;
        if self.catalog.contains(name) {
            return Err(Error::ArrayAlreadyExists { name: name.to_owned() });
        }
        // An id is never given out again, so nothing of a deleted array of this name can be seen in this one.
        let array = Array::new(spec.into_meta(self.next_array, name))?;
        self.next_array = self.next_array.saturating_add(1);
        self.catalog.put(array);
        self.pending.catalog = true;
        self.get_array(name)
    }

    /// Deletes an array with its attributes and statistics. Its space is free after a
    /// [`compact`](Self::compact).
    ///
    /// # Errors
    /// `ArrayNotFound`.
    pub fn delete(&mut self, name: &str) -> Result<()> {
        self.check_writable()?;
        let array = self.catalog.remove(name)?;
        self.pending.forget(array.meta.id);
        self.pending.catalog = true;
        Ok(())
    }

    /// An attribute of an array; `None` where it has none of this name.
    ///
    /// # Errors
    /// `ArrayNotFound`.
    pub fn get_attribute(&self, array: &str, attribute: &str) -> Result<Option<&AttributeValue>> {
        Ok(self.attributes(array)?.get(attribute))
    }

    /// The attributes of an array, by name.
    ///
    /// # Errors
    /// `ArrayNotFound`.
    pub fn attributes(&self, array: &str) -> Result<&BTreeMap<String, AttributeValue>> {
        Ok(&self.catalog.get(array)?.meta.attributes)
    }

    /// Gives an array an attribute, in place of one of its name.
    ///
    /// # Errors
    /// `ArrayNotFound`; `InvalidValue` for lists that are nested too deep.
    pub fn set_attribute(
        &mut self,
        array: &str,
        attribute: &str,
        value: impl Into<AttributeValue>,
    ) -> Result<()> {
        let value = value.into();
        self.change_meta(array, |meta| {
            meta.attributes.insert(attribute.to_owned(), value);
        })
    }

    /// Takes an attribute from an array; answers whether there was one.
    ///
    /// # Errors
    /// `ArrayNotFound`.
    pub fn remove_attribute(&mut self, array: &str, attribute: &str) -> Result<bool> {
        let mut removed = false;
        self.change_meta(array, |meta| removed = meta.attributes.remove(attribute).is_some())?;
        Ok(removed)
    }

    pub(super) fn change_meta(&mut self, array: &str, change: impl FnOnce(&mut ArrayMeta)) -> Result<()> {
        self.check_writable()?;
        let mut meta = Arc::clone(self.catalog.get(array)?).meta.clone();
        change(&mut meta);
        self.catalog.put(Array::new(meta)?);
        self.pending.catalog = true;
        Ok(())
    }
}
