//! Several stores as one: opening them, and what is asked of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Tier;
use super::assignment::Assignment;
use super::stores::{Guard, Member, Owner, Route, Routes, Stores};
use super::view::TieredView;
use crate::ext::{KeyRange, StoreExt};
use crate::key::DataKey;
use crate::spi::{
    Capabilities, Conditional, DeleteRange, Durability, DurabilityLevels, Error, ErrorKind, Execution,
    Limits, Op, Persistence, Processes, Reads, Requirement, Requirements, Result, Reverse, Store, View,
    WriteBatch, Writers,
};
use crate::version::record;

/// Several stores as one; see [`tiers`](super). A clone is another handle.
#[derive(Clone)]
pub struct Tiered(pub(super) Arc<Stores>);

/// The record that a store bears.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Badge {
    set: Uuid,
    name: String,
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
        let inner = Stores {
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

impl Stores {
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

    /// A batch without its requirements of archived entries, which may be in the archive; and those.
    fn judged_elsewhere<'b>(&self, batch: &'b WriteBatch) -> Result<(WriteBatch, Vec<&'b Requirement>)> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if routes.archived.is_empty() {
            return Ok((WriteBatch::new(), Vec::new()));
        }
        let (mut own, mut elsewhere) = (WriteBatch::new(), Vec::new());
        for requirement in batch.requirements() {
            let archived = match Self::owner(&requirement.key) {
                Owner::Data(instance) => {
                    routes.archived.contains(&(instance, DataKey::parse(&requirement.key)?.version))
                }
                Owner::Metadata(_) => false,
            };
            if archived {
                elsewhere.push(requirement);
            } else {
                own.require(&requirement.key, requirement.expected.clone());
            }
        }
        for op in batch.ops() {
            own.push(op.clone());
        }
        Ok((own, elsewhere))
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
        let is_metadata = |op: &Op| matches!(Stores::owner_of_op(op), Ok(Owner::Metadata(_)));
        if batch.ops().first().is_some_and(is_metadata) {
            return self.0.commit_metadata(batch, durability);
        }
        let archives = self.0.deletes_of_archived(batch)?;
        let (own, archived) = self.0.judged_elsewhere(batch)?;
        if archives.is_empty() && archived.is_empty() {
            let outcome = self.0.members[home].store.commit(batch, durability);
            if outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict) {
                // The mirror comes first: whoever looks for the reason in the metadata is to find it there.
                drop(self.0.changing.lock());
            }
            return outcome;
        }
        // What was archived changes by such batches alone, one at a time.
        let _one_at_a_time = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.view()?;
        for requirement in archived {
            requirement.judge(view.get(&requirement.key)?.as_deref())?;
        }
        drop(view);
        self.0.members[home].store.commit(&own, durability)?;
        // Deletes can be made twice: what a crash leaves here is deleted when that is done again.
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
