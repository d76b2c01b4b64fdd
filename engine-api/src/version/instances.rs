//! Data instances: made, described anew, removed.

use std::collections::BTreeMap;

use super::change::{check_name, now, take};
use super::dag::Instance;
use super::record;
use super::versioned::Versioned;
use super::work::Work;
use crate::key::{InstanceId, RepoId};
use crate::spi::{Error, ErrorKind, Result, Store};

/// A data instance that is to be made.
#[derive(Clone, Debug)]
pub struct NewInstance {
    name: String,
    datatype: String,
    versioned: bool,
    properties: serde_json::Value,
    tags: BTreeMap<String, String>,
}

impl NewInstance {
    /// One with versions, without properties and tags.
    pub fn new(name: impl Into<String>, datatype: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            datatype: datatype.into(),
            versioned: true,
            properties: serde_json::Value::Null,
            tags: BTreeMap::new(),
        }
    }

    /// One like another, of another repo or store.
    pub fn like(other: &Instance) -> Self {
        Self {
            name: other.name.clone(),
            datatype: other.datatype.clone(),
            versioned: other.versioned,
            properties: other.properties.clone(),
            tags: other.tags.clone(),
        }
    }

    /// The same without versions.
    #[must_use]
    pub fn unversioned(mut self) -> Self {
        self.versioned = false;
        self
    }

    /// The same with a tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// The same with properties.
    #[must_use]
    pub fn properties(mut self, properties: serde_json::Value) -> Self {
        self.properties = properties;
        self
    }
}

impl<S: Store> Versioned<S> {
    /// Makes a data instance.
    ///
    /// # Errors
    /// `AlreadyExists` when the repo has one of this name; `InvalidArgument` for a name that can't be one.
    pub fn create_instance(&self, repo: RepoId, new: &NewInstance) -> Result<Instance> {
        check_name(&new.name)?;
        self.change(|change| {
            change.dag.repo(repo)?;
            if change.dag.instance_named(repo, &new.name).is_some() {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    "the repo has a data instance of this name",
                )
                .with("instance", &new.name));
            }
            let id = take(&mut change.counters.next_instance).map(InstanceId)?;
            let instance = Instance {
                id,
                repo,
                name: new.name.clone(),
                datatype: new.datatype.clone(),
                versioned: new.versioned,
                properties: new.properties.clone(),
                tags: new.tags.clone(),
                created: now(),
            };
            change.batch.put(record::numbered(record::INSTANCE, id.0), record::encode(&instance)?);
            change.dag.add_instance(instance.clone())?;
            Ok(instance)
        })
    }

    /// Replaces the properties of a data instance.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn set_properties(&self, id: InstanceId, properties: &serde_json::Value) -> Result<Instance> {
        self.change(|change| {
            let instance = Instance { properties: properties.clone(), ..change.dag.instance(id)?.clone() };
            change.batch.put(record::numbered(record::INSTANCE, id.0), record::encode(&instance)?);
            change.dag.replace_instance(instance.clone());
            Ok(instance)
        })
    }

    /// Removes a data instance and all of its data, at every version, committed ones too.
    ///
    /// It is gone from the first batch on. The data follows in further ones, which [`resume`](Self::resume) goes on
    /// with where a crash has cut them short.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn delete_instance(&self, id: InstanceId) -> Result<()> {
        let task = self.change(|change| {
            change.dag.instance(id)?;
            change.batch.delete(record::numbered(record::INSTANCE, id.0));
            change.dag.remove_instance(id);
            change.begin(Work::DeleteInstance { instance: id })
        })?;
        self.work(&task)
    }
}
