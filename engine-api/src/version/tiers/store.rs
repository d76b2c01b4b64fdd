//! The stores, and which of them a batch is for.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Tier;
use super::assignment::Assignment;
use super::view::TieredView;
use crate::ext::{KeyRange, StoreExt, ViewExt};
use crate::key::{Context, DataKey, InstanceId, MetadataContext, RepoId, TKeyClass, VersionId};
use crate::spi::{
    Capabilities, Conditional, DeleteRange, Durability, DurabilityLevels, Error, ErrorKind, Execution,
    Limits, Op, Persistence, Processes, Reads, Requirements, Result, Reverse, Store, View, WriteBatch,
    Writers,
};
use crate::version::dag::{Instance, Repo};
use crate::version::record;
use crate::version::versioned::each;

/// The records by which writes of data are judged, in every store that has data. Of instances each has its own.
const MIRRORED: [TKeyClass; 4] = [record::VERSION, record::COMMITTED, record::INSTANCE, record::WORK];

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

/// Several stores as one; see [`tiers`](super). A clone is another handle.
#[derive(Clone)]
pub struct Tiered(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) members: Vec<Member>,
    pub(super) metadata: usize,
    assignment: Assignment,
    capabilities: Capabilities,
    pub(super) routes: RwLock<Routes>,
    /// Held while metadata is changed.
    pub(super) changing: Mutex<()>,
    _guard: Option<Guard>,
}

/// Whatever is to be dropped when the stores are closed, such as a lock.
pub type Guard = Box<dyn Any + Send + Sync>;

/// Where data is.
pub(super) struct Routes {
    stores: HashMap<InstanceId, Route>,
    /// Of what belongs to no instance that was made here.
    others: Route,
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
struct Placed {
    mutable: String,
    immutable: Option<String>,
}

/// The record that a store bears.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Badge {
    set: Uuid,
    name: String,
}

/// Whose a key is.
enum Owner {
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

impl Tiered {
    /// Makes one of several stores, which are new or were together before. With `writable`, what a crash has
    /// left between them is mended; then nobody else may have them open, and `guard` may be what sees to that.
    ///
    /// # Errors
    /// `InvalidConfig` when a rule or a recorded choice names a store that isn't among them; `Unsupported` when a
    /// store lacks what its tier needs; `Incompatible` when one of them belongs elsewhere.
    pub fn open(
        members: Vec<Member>,
        assignment: Assignment,
        writable: bool,
        guard: Option<Guard>,
    ) -> Result<Self> {
        let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
        assignment.check(&names)?;
        let place = |name: &str| names.iter().position(|other| *other == name);
        let metadata = place(assignment.metadata()).unwrap_or(0);
        let others = Route { mutable: place(&assignment.mutable).unwrap_or(0), immutable: None };
        let routes = Routes { stores: HashMap::new(), others, archived: BTreeSet::new() };
        let capabilities = common(&members);
        let inner = Inner {
            metadata,
            capabilities,
            assignment,
            routes: RwLock::new(routes),
            changing: Mutex::default(),
            _guard: guard,
            members,
        };
        inner.check_tiers()?;
        inner.check_badges(writable)?;
        inner.load_routes()?;
        if writable {
            inner.mend()?;
        }
        Ok(Self(Arc::new(inner)))
    }
}

impl Inner {
    fn check_tiers(&self) -> Result<()> {
        let Assignment { mutable, immutable, rules, .. } = &self.assignment;
        let check = |name: &str, needed: Requirements| {
            let member = self.members.iter().find(|member| member.name == name);
            member.map_or(Ok(()), |member| {
                needed.check(member.store.capabilities()).map_err(|error| error.with("store", name))
            })
        };
        check(self.assignment.metadata(), Tier::Metadata.requirements())?;
        let of_rules = rules.iter().map(|rule| {
            (rule.mutable.as_ref().unwrap_or(mutable), rule.immutable.as_ref().or(immutable.as_ref()))
        });
        for (mutable, immutable) in of_rules.chain([(mutable, immutable.as_ref())]) {
            check(mutable, Tier::Mutable.requirements())?;
            if let Some(immutable) = immutable {
                check(immutable, Tier::Immutable.requirements())?;
                // What moves from one store to the other must be seen in one of the two at any moment.
                check(mutable, Requirements::new("data that can be archived").snapshots())?;
                check(immutable, Requirements::new("data that was archived").snapshots())?;
            }
        }
        Ok(())
    }

    /// Compares what the stores bear, and marks those that are new.
    fn check_badges(&self, writable: bool) -> Result<()> {
        let key = record::single(record::MEMBER);
        let foreign = |message, member: &Member| {
            Err(Error::new(ErrorKind::Incompatible, message).with("store", &member.name))
        };
        let mut set = None;
        let mut new = Vec::new();
        let others = self.members.iter().enumerate().filter(|(at, _)| *at != self.metadata);
        for member in std::iter::once(&self.members[self.metadata]).chain(others.map(|(_, member)| member)) {
            match member.store.get(&key)? {
                None if member.store.first(&KeyRange::ALL)?.is_some() => {
                    return foreign("a store that stands alone can't become one of several", member);
                }
                None => new.push(member),
                Some(stored) => {
                    let badge: Badge = record::decode(&stored)?;
                    if badge.name != member.name {
                        return foreign("a store has another's place", member);
                    }
                    if *set.get_or_insert(badge.set) != badge.set {
                        return foreign("a store belongs to other stores than these", member);
                    }
                    if !new.is_empty() && std::ptr::eq(new[0], &raw const self.members[self.metadata]) {
                        return foreign("the store has lost the one with its metadata", member);
                    }
                }
            }
        }
        let set = set.unwrap_or_else(Uuid::new_v4);
        for member in new {
            if !writable {
                return Err(
                    Error::new(ErrorKind::NotFound, "there is no such store yet").with("store", &member.name)
                );
            }
            let badge = record::encode(&Badge { set, name: member.name.clone() })?;
            member.store.write(WriteBatch::new().require_absent(&key).put(&key, badge))?;
        }
        Ok(())
    }

    fn load_routes(&self) -> Result<()> {
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

    fn route(&self, placed: &Placed) -> Result<Route> {
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

    fn owner(key: &[u8]) -> Owner {
        match key {
            [DATA, a, b, c, d, ..] => Owner::Data(InstanceId::from_be_bytes([*a, *b, *c, *d])),
            [METADATA, class, ..] => Owner::Metadata(Some(TKeyClass(*class))),
            // What is of no key space is where whoever looks for such things looks first.
            _ => Owner::Metadata(None),
        }
    }

    /// Whose all keys of an operation are.
    fn owner_of_op(op: &Op) -> Result<Owner> {
        match op {
            Op::Put { key, .. } | Op::Delete { key } => Ok(Self::owner(key)),
            Op::DeleteRange { start: Bound::Included(start) | Bound::Excluded(start), end } => {
                let owner = Self::owner(start);
                let within = match (&owner, end) {
                    (Owner::Data(instance), Bound::Included(end) | Bound::Excluded(end)) => {
                        let next = crate::key::DataContext::unversioned(*instance).key_range();
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
    fn home(&self, batch: &WriteBatch) -> Result<usize> {
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

    /// What a batch of the metadata changes in the other stores too, by store.
    fn mirrored(&self, batch: &WriteBatch, routes: &Routes) -> Result<BTreeMap<usize, WriteBatch>> {
        let mut mirrors: BTreeMap<usize, WriteBatch> = BTreeMap::new();
        for op in batch.ops() {
            let (Op::Put { key, .. } | Op::Delete { key }) = op else { continue };
            let mut mirror = |at: usize| {
                if at != self.metadata {
                    mirrors.entry(at).or_default().push(op.clone());
                }
            };
            match Self::owner(key) {
                Owner::Metadata(Some(record::INSTANCE)) => {
                    mirror(
                        routes.of(InstanceId(record::number(&MetadataContext.tkey_from_key(key)?)?)).mutable,
                    );
                }
                Owner::Metadata(Some(class)) if MIRRORED.contains(&class) => {
                    (0..self.members.len()).for_each(&mut mirror);
                }
                _ => {}
            }
        }
        Ok(mirrors)
    }

    /// Chooses the stores of instances that a batch makes, and adds the record of it.
    fn place(&self, batch: &WriteBatch) -> Result<(WriteBatch, Vec<(InstanceId, Route)>)> {
        let mut whole = batch.clone();
        let mut placed = Vec::new();
        for op in batch.ops() {
            let Op::Put { key, value } = op else { continue };
            if !matches!(Self::owner(key), Owner::Metadata(Some(record::INSTANCE))) {
                continue;
            }
            let instance: Instance = record::decode(value)?;
            if self.routes.read().unwrap_or_else(PoisonError::into_inner).stores.contains_key(&instance.id) {
                continue;
            }
            let repo = self.repo(batch, instance.repo)?;
            let choice = self.assignment.choose(&repo, &instance)?;
            let choice =
                Placed { mutable: choice.mutable.to_owned(), immutable: choice.immutable.map(str::to_owned) };
            placed.push((instance.id, self.route(&choice)?));
            whole.put(record::numbered(record::PLACED, instance.id.0), record::encode(&choice)?);
        }
        Ok((whole, placed))
    }

    /// A repo's record, which may be in the same batch.
    fn repo(&self, batch: &WriteBatch, id: RepoId) -> Result<Repo> {
        let wanted = record::numbered(record::REPO, id.0);
        let fresh = batch.ops().iter().rev().find_map(|op| match op {
            Op::Put { key, value } if *key == wanted => Some(value.clone()),
            _ => None,
        });
        let stored = match fresh {
            Some(fresh) => Some(fresh),
            None => self.members[self.metadata].store.get(&wanted)?,
        };
        let stored = stored.ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "an instance's repo is missing").with("repo", id)
        })?;
        record::decode(&stored)
    }

    fn commit_metadata(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (whole, placed) = self.place(batch)?;
        let known: Vec<_> = placed.iter().map(|(instance, _)| *instance).collect();
        self.routes.write().unwrap_or_else(PoisonError::into_inner).stores.extend(placed);
        let mirrors = {
            let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            self.mirrored(batch, &routes)?
        };
        let outcome = mirrors
            .iter()
            .try_for_each(|(at, mirror)| self.members[*at].store.commit(mirror, durability))
            .and_then(|()| self.members[self.metadata].store.commit(&whole, durability));
        if outcome.is_err() {
            let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
            routes.stores.retain(|instance, _| !known.contains(instance));
            drop(routes);
            // What can't be taken back now is when the stores are opened next.
            self.load_routes().and_then(|()| self.mend_keys(&mirrors)).unwrap_or(());
        }
        outcome
    }

    /// Gives keys in other stores what the metadata has.
    fn mend_keys(&self, mirrors: &BTreeMap<usize, WriteBatch>) -> Result<()> {
        for (at, mirror) in mirrors {
            let mut batch = WriteBatch::new();
            for op in mirror.ops() {
                let (Op::Put { key, .. } | Op::Delete { key }) = op else { continue };
                match self.members[self.metadata].store.get(key)? {
                    Some(value) => batch.put(key, value),
                    None => batch.delete(key),
                };
            }
            self.members[*at].store.write(&batch)?;
        }
        Ok(())
    }

    /// Makes the mirrors what the metadata says.
    fn mend(&self) -> Result<()> {
        let truth = self.members[self.metadata].store.view()?;
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let copies = |view: &dyn View, keep: &dyn Fn(&[u8]) -> Result<bool>| {
            let mut found = BTreeMap::new();
            for class in MIRRORED {
                view.for_each(&MetadataContext.full_range(&class.range()), |key, value| {
                    if keep(key)? {
                        found.insert(key.to_vec(), value.to_vec());
                    }
                    Ok(())
                })?;
            }
            Result::Ok(found)
        };
        for (at, member) in self.members.iter().enumerate().filter(|(at, _)| *at != self.metadata) {
            let wanted = copies(&*truth, &|key| {
                let tkey = MetadataContext.tkey_from_key(key)?;
                Ok(tkey.class()? != record::INSTANCE
                    || routes.of(InstanceId(record::number(&tkey)?)).mutable == at)
            })?;
            let found = copies(&*member.store.view()?, &|_| Ok(true))?;
            let mut batch = WriteBatch::new();
            for key in found.keys().filter(|key| !wanted.contains_key(*key)) {
                batch.delete(key);
            }
            for (key, value) in wanted.iter().filter(|(key, value)| found.get(*key) != Some(*value)) {
                batch.put(key, value.clone());
            }
            if !batch.is_empty() {
                member.store.write(&batch)?;
            }
        }
        Ok(())
    }

    /// What a batch deletes of archived data.
    fn deletes_of_archived(&self, batch: &WriteBatch) -> Result<BTreeMap<usize, WriteBatch>> {
        let mut archives: BTreeMap<usize, WriteBatch> = BTreeMap::new();
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if routes.archived.is_empty() {
            return Ok(archives);
        }
        for op in batch.ops() {
            let Owner::Data(instance) = Self::owner_of_op(op)? else { continue };
            let gone = match op {
                Op::Put { .. } => false,
                Op::Delete { key } => routes.archived.contains(&(instance, DataKey::parse(key)?.version)),
                Op::DeleteRange { .. } => routes.has_archived(instance),
            };
            if let Some(archive) = routes.of(instance).immutable.filter(|_| gone) {
                archives.entry(archive).or_default().push(op.clone());
            }
        }
        Ok(archives)
    }
}

impl Store for Tiered {
    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn view(&self) -> Result<Box<dyn View>> {
        Ok(Box::new(TieredView::new(Arc::clone(&self.0))))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(&self.0.capabilities, durability)?;
        let home = self.0.home(batch)?;
        let is_metadata = |op: &Op| matches!(Inner::owner_of_op(op), Ok(Owner::Metadata(_)));
        if batch.ops().first().is_some_and(is_metadata) {
            return self.0.commit_metadata(batch, durability);
        }
        let outcome = self.0.members[home].store.commit(batch, durability);
        if outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict) {
            // The mirror comes first: whoever looks for the reason in the metadata is to find it there.
            drop(self.0.changing.lock());
        }
        outcome?;
        // Deletes can be made twice: what a crash leaves here is deleted when that is done again.
        let archives = self.0.deletes_of_archived(batch)?;
        archives
            .iter()
            .filter(|(at, _)| **at != home)
            .try_for_each(|(at, deletes)| self.0.members[*at].store.commit(deletes, durability))
    }

    fn flush(&self) -> Result<()> {
        self.0.members.iter().try_for_each(|member| member.store.flush())
    }

    fn compact(&self) -> Result<()> {
        all_that_can(&self.0.members, |store| store.compact())
    }

    fn verify(&self) -> Result<()> {
        all_that_can(&self.0.members, |store| store.verify())
    }
}

impl fmt::Debug for Tiered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiered").field("members", &self.0.members).finish_non_exhaustive()
    }
}

/// Calls each store that has such a call; `Unsupported` when none has.
fn all_that_can(members: &[Member], call: impl Fn(&dyn Store) -> Result<()>) -> Result<()> {
    let mut last = Ok(());
    let mut any = false;
    for member in members {
        match call(&*member.store) {
            Err(error) if error.kind() == ErrorKind::Unsupported => last = Err(error),
            outcome => {
                outcome.map_err(|error| error.with("store", &member.name))?;
                any = true;
            }
        }
    }
    if any { Ok(()) } else { last }
}

#[cold]
fn spans() -> Error {
    Error::new(ErrorKind::Unsupported, "a batch is for one store, and this one is for several")
}

/// What all stores can do.
fn common(members: &[Member]) -> Capabilities {
    const LEVELS: [DurabilityLevels; 3] = [
        DurabilityLevels::new(&[Durability::Relaxed]),
        DurabilityLevels::new(&[Durability::Relaxed, Durability::Process]),
        DurabilityLevels::new(&[Durability::Relaxed, Durability::Process, Durability::Power]),
    ];
    let all = || members.iter().map(|member| member.store.capabilities());
    let strongest = all().map(|each| each.durability.strongest()).min().unwrap_or(Durability::Relaxed);
    let inline = all().all(|each| each.execution == Execution::Inline);
    let least = |limit: fn(&Limits) -> Option<usize>| all().filter_map(|each| limit(&each.limits)).min();
    let mut limits = Limits::NONE;
    limits.key_bytes = least(|limits| limits.key_bytes);
    limits.value_bytes = least(|limits| limits.value_bytes);
    limits.batch_ops = least(|limits| limits.batch_ops);
    limits.batch_bytes = least(|limits| limits.batch_bytes);
    // A view takes one of each store, and of an archive one for each store that is archived to it.
    limits.views = least(|limits| limits.views).map(|views| views / members.len().max(1));
    limits.empty_key = false;
    Capabilities::MINIMAL
        // Each store is read as it was when it was first read.
        .reads(Reads::Live)
        .atomicity(all().map(|each| each.atomicity).next().unwrap_or(Capabilities::MINIMAL.atomicity))
        .conditional(if all().all(|each| each.conditional == Conditional::Batch) {
            Conditional::Batch
        } else {
            Conditional::None
        })
        .reverse(if all().all(|each| each.reverse == Reverse::Native) {
            Reverse::Native
        } else {
            Reverse::None
        })
        .delete_range(if all().all(|each| each.delete_range != DeleteRange::None) {
            DeleteRange::PerKey
        } else {
            DeleteRange::None
        })
        .persistence(if all().all(|each| each.persistence == Persistence::Disk) {
            Persistence::Disk
        } else {
            Persistence::Memory
        })
        .durability(LEVELS[strongest as usize])
        .writers(Writers::Single)
        .processes(Processes::One)
        .execution(if inline { Execution::Inline } else { Execution::Blocking })
        .limits(limits)
}
