//! The stores, whose a key is, and where it is.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::assignment::Assignment;
use crate::key::{Context, DataContext, InstanceId, TKeyClass, VersionId};
use crate::spi::{Capabilities, Error, ErrorKind, Op, Result, Store, WriteBatch};
use crate::version::record;
use crate::version::versioned::each;

/// The records by which writes of data are judged, in every store that has data. Of instances each has its own.
pub(super) const MIRRORED: [TKeyClass; 4] =
    [record::VERSION, record::COMMITTED, record::INSTANCE, record::WORK];

/// The first bytes of keys, by key space.
const METADATA: u8 = 0x00;
const DATA: u8 = 0x01;

/// A store among several, and its name there.
#[derive(Debug)]
pub struct Member {
    /// What rules call it.
    pub name: String,
    /// The store.
    pub store: Box<dyn Store>,
}

/// Whatever is to be dropped when the stores are closed, such as a lock.
pub type Guard = Box<dyn Any + Send + Sync>;

pub(super) struct Stores {
    pub(super) members: Vec<Member>,
    pub(super) metadata: usize,
    pub(super) assignment: Assignment,
    pub(super) capabilities: Capabilities,
    pub(super) routes: RwLock<Routes>,
    /// Held while metadata is changed.
    pub(super) changing: Mutex<()>,
    pub(super) _guard: Option<Guard>,
}

/// Where data is.
pub(super) struct Routes {
    pub(super) stores: HashMap<InstanceId, Route>,
    /// Of what belongs to no instance that was made here.
    pub(super) others: Route,
    pub(super) archived: BTreeSet<(InstanceId, VersionId)>,
}

/// The stores of an instance, as places among the members.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) mutable: usize,
    pub(super) immutable: Option<usize>,
}

/// The record of an instance's stores.
#[derive(Serialize, Deserialize)]
pub(super) struct Placed {
    pub(super) mutable: String,
    pub(super) immutable: Option<String>,
}

/// Whose a key is.
pub(super) enum Owner {
    Metadata(Option<TKeyClass>),
    Data(InstanceId),
}

impl Routes {
    pub(super) fn of(&self, instance: InstanceId) -> Route {
        self.stores.get(&instance).copied().unwrap_or(self.others)
    }

    /// Whether anything of an instance was archived.
    pub(super) fn has_archived(&self, instance: InstanceId) -> bool {
        let all = (instance, VersionId(u32::MIN))..=(instance, VersionId(u32::MAX));
        self.archived.range(all).next().is_some()
    }

    /// The stores to which anything was archived.
    pub(super) fn archives(&self) -> BTreeSet<usize> {
        let instances: BTreeSet<_> = self.archived.iter().map(|(instance, _)| *instance).collect();
        instances.into_iter().filter_map(|instance| self.stores.get(&instance)?.immutable).collect()
    }
}

impl Stores {
    pub(super) fn load_routes(&self) -> Result<()> {
        let view = self.members[self.metadata].store.view()?;
        let stores = each(&*view, record::PLACED, |tkey, value| {
            Ok((InstanceId(record::number(tkey)?), self.route(&record::decode(value)?)?))
        })?;
        let archived = each(&*view, record::ARCHIVED, |tkey, _| {
            let (instance, version) = record::pair(tkey)?;
            Ok((InstanceId(instance), VersionId(version)))
        })?;
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.stores = stores.into_iter().collect();
        routes.archived = archived.into_iter().collect();
        Ok(())
    }

    pub(super) fn route(&self, placed: &Placed) -> Result<Route> {
        let place = |name: &str| {
            self.members.iter().position(|member| member.name == name).ok_or_else(|| {
                Error::new(ErrorKind::InvalidConfig, "data is in a store that isn't among the stores")
                    .with("store", name)
            })
        };
        Ok(Route {
            mutable: place(&placed.mutable)?,
            immutable: placed.immutable.as_deref().map(place).transpose()?,
        })
    }

    pub(super) fn owner(key: &[u8]) -> Owner {
        match key {
            [DATA, a, b, c, d, ..] => Owner::Data(InstanceId::from_be_bytes([*a, *b, *c, *d])),
            [METADATA, class, ..] => Owner::Metadata(Some(TKeyClass(*class))),
            // What is of no key space is where whoever looks for such things looks first.
            _ => Owner::Metadata(None),
        }
    }

    /// Whose all keys of an operation are.
    pub(super) fn owner_of_op(op: &Op) -> Result<Owner> {
        match op {
            Op::Put { key, .. } | Op::Delete { key } => Ok(Self::owner(key)),
            Op::DeleteRange { start: Bound::Included(start) | Bound::Excluded(start), end } => {
                let owner = Self::owner(start);
                let within = match (&owner, end) {
                    (Owner::Data(instance), Bound::Included(end) | Bound::Excluded(end)) => {
                        let next = DataContext::unversioned(*instance).key_range();
                        let whole = next.end() == Bound::Excluded(end)
                            && matches!(op, Op::DeleteRange { end: Bound::Excluded(_), .. });
                        whole || matches!(Self::owner(end), Owner::Data(other) if other == *instance)
                    }
                    _ => false,
                };
                if within { Ok(owner) } else { Err(spans()) }
            }
            Op::DeleteRange { .. } => Err(spans()),
        }
    }

    /// The store that a batch is for.
    pub(super) fn home(&self, batch: &WriteBatch) -> Result<usize> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let store = |owner: &Owner| match owner {
            Owner::Metadata(_) => self.metadata,
            Owner::Data(instance) => routes.of(*instance).mutable,
        };
        let mut home = None;
        let mut of_metadata = None;
        for op in batch.ops() {
            let owner = Self::owner_of_op(op)?;
            let metadata = matches!(owner, Owner::Metadata(_));
            let of_op = store(&owner);
            // Also where one store has both: what holds of the batch mustn't depend on the rules.
            if *home.get_or_insert(of_op) != of_op || *of_metadata.get_or_insert(metadata) != metadata {
                return Err(spans());
            }
        }
        for requirement in batch.requirements() {
            let owner = Self::owner(&requirement.key);
            let of_requirement = store(&owner);
            let home = *home.get_or_insert(of_requirement);
            let mirrored = matches!(&owner, Owner::Metadata(Some(class)) if MIRRORED.contains(class));
            if home != of_requirement && !mirrored {
                return Err(spans());
            }
        }
        Ok(home.unwrap_or(self.metadata))
    }
}

#[cold]
fn spans() -> Error {
    Error::new(ErrorKind::Unsupported, "a batch is for one store, and this one is for several")
}
