//! A store with versions.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;

use super::ancestry::Ancestry;
use super::conflicts::ConflictResolver;
use super::dag::{Instance, Repo, Version, VersionDag};
use super::record::{self, Counters};
use super::resolver::MergePolicy;
use super::target::Targets;
use crate::ext::{KeyRange, StoreExt};
use crate::key::{Context, MetadataContext, TKey, TKeyClass, VersionId};
use crate::spi::{
    Error, ErrorKind, Processes, Requirements, Result, Step, Store, Value, View, WriteBatch, visitor,
};

/// A store with versions: repos, their DAGs, and data instances whose keys are resolved by the read rule.
///
/// Make one `Versioned` for a store and share it: it caches the DAG. Where an engine admits several
/// processes, each read looks whether another has changed the DAG, at the price of one get.
///
/// ```
/// use engine_api::key::{DataContext, TKey};
/// use engine_api::version::{NewInstance, OrderedKeyValue, Versioned};
/// use engine_api::MemoryStore;
///
/// # fn main() -> engine_api::Result<()> {
/// let store = Versioned::create(MemoryStore::new())?;
/// let repo = store.create_repo("atlas", None)?;
/// let notes = store.create_instance(repo.id, &NewInstance::new("notes", "keyvalue"))?;
///
/// let first = DataContext::versioned(notes.id, repo.root);
/// store.put(&first, &TKey::from("colour"), "red".into())?;
/// store.commit_version(repo.root, "the first")?;
///
/// let draft = store.new_version(repo.root, Some("draft"))?;
/// let second = DataContext::versioned(notes.id, draft.id);
/// store.put(&second, &TKey::from("colour"), "blue".into())?;
///
/// assert_eq!(store.get(&first, &TKey::from("colour"))?.as_deref(), Some(b"red".as_slice()));
/// assert_eq!(store.get(&second, &TKey::from("colour"))?.as_deref(), Some(b"blue".as_slice()));
/// # Ok(())
/// # }
/// ```
pub struct Versioned<S> {
    pub(super) store: S,
    policy: MergePolicy,
    state: RwLock<Arc<State>>,
    /// Each with the changes of the DAG that it is made from.
    ancestries: Mutex<HashMap<VersionId, (u64, Arc<Ancestry>)>>,
    /// Held by the one thread that changes the DAG.
    pub(super) changing: Mutex<()>,
    /// Asked where a read would answer a conflict.
    pub(super) resolver: Option<Arc<dyn ConflictResolver>>,
}

/// The DAG as it was when `counters` was the stored record.
#[derive(Debug)]
pub(super) struct State {
    pub(super) dag: VersionDag,
    pub(super) counters: Bytes,
    /// How often the DAG has changed, by the counters.
    changes: u64,
    pub(super) targets: Targets,
}

impl State {
    pub(super) fn new(dag: VersionDag, counters: Bytes, changes: u64) -> Self {
        Self { dag, counters, changes, targets: Targets::default() }
    }
}

/// A version's ancestry is built once and kept; beyond this many they are dropped and built again.
const ANCESTRIES_KEPT: usize = 1024;

impl<S: fmt::Debug> fmt::Debug for Versioned<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Versioned")
            .field("store", &self.store)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl<S: Store> Versioned<S> {
    /// Makes an empty store one with versions.
    ///
    /// # Errors
    /// `Incompatible` when the store isn't empty; `Unsupported` when the engine lacks what versions need.
    pub fn create(store: S) -> Result<Self> {
        Requirements::new("versions").atomic().conditional().check(store.capabilities())?;
        if let Some((key, _)) = store.first(&KeyRange::ALL)? {
            return Err(Error::new(ErrorKind::Incompatible, "the store isn't empty").with_key("key", &key));
        }
        let counters = record::encode(&Counters::FIRST)?;
        let mut batch = WriteBatch::new();
        batch
            .require_absent(record::single(record::FORMAT))
            .put(record::single(record::FORMAT), record::marker())
            .put(record::COUNTERS_KEY.as_slice(), counters);
        store.write(&batch)?;
        Self::open(store)
    }

    /// Opens a store that [`create`](Self::create) has made.
    ///
    /// # Errors
    /// `Incompatible` when it isn't one, or one of a layout that this build doesn't know; `Corrupt`.
    pub fn open(store: S) -> Result<Self> {
        Requirements::new("versions").atomic().conditional().check(store.capabilities())?;
        let state = State::load(&*store.view()?)?;
        Ok(Self {
            store,
            policy: MergePolicy::default(),
            state: RwLock::new(Arc::new(state)),
            ancestries: Mutex::default(),
            changing: Mutex::default(),
            resolver: None,
        })
    }

    /// The same with another [`MergePolicy`].
    #[must_use]
    pub fn with_policy(mut self, policy: MergePolicy) -> Self {
        self.policy = policy;
        // What versions see depends on it.
        self.ancestries = Mutex::default();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        *state = Arc::new(State::new(state.dag.clone(), state.counters.clone(), state.changes));
        self
    }

    /// The store underneath.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// What a merge means.
    pub fn policy(&self) -> MergePolicy {
        self.policy
    }

    /// The DAG as it is now.
    pub fn dag(&self) -> Result<VersionDag> {
        self.current().map(|state| state.dag.clone())
    }

    /// The repo that is meant when none is named: the only one.
    ///
    /// # Errors
    /// `NotFound` when there is none; `InvalidArgument` names them when there are several.
    pub fn only_repo(&self) -> Result<Repo> {
        self.current()?.dag.only_repo().cloned()
    }

    /// A version, by UUID, unique prefix or branch; see [`VersionDag::find`].
    pub fn find(&self, spec: &str) -> Result<Version> {
        self.current()?.dag.find(spec).cloned()
    }

    /// The only repo's instance with this name.
    ///
    /// # Errors
    /// `NotFound` names the instances that there are.
    pub fn instance(&self, name: &str) -> Result<Instance> {
        let state = self.current()?;
        let repo = state.dag.only_repo()?.id;
        state.dag.instance_named(repo, name).cloned().ok_or_else(|| {
            let names: Vec<_> = state.dag.instances().map(|instance| instance.name.as_str()).collect();
            Error::new(ErrorKind::NotFound, "there is no such data instance")
                .with("name", name)
                .with("instances", names.join(", "))
        })
    }

    /// The only repo's instance with this name, which must be of a datatype.
    ///
    /// # Errors
    /// `NotFound` names the instances that there are; `InvalidArgument` when it is of another datatype.
    pub fn instance_of(&self, datatype: &str, name: &str) -> Result<Instance> {
        let instance = self.instance(name)?;
        if instance.datatype == datatype {
            return Ok(instance);
        }
        Err(Error::new(ErrorKind::InvalidArgument, "the data instance is of another datatype")
            .with("instance", name)
            .with("datatype", &instance.datatype)
            .with("expected", datatype))
    }

    /// Looks at what other handles and processes have changed of the DAG.
    pub fn refresh(&self) -> Result<()> {
        let state = State::load(&*self.store.view()?)?;
        self.replace(Arc::new(state));
        Ok(())
    }

    /// Whether no other process can change the DAG.
    pub(super) fn is_alone(&self) -> bool {
        self.store.capabilities().processes == Processes::One
    }

    /// What is found in the state at hand, which another process may have changed.
    pub(super) fn known<T>(&self, find: impl FnOnce(&State) -> Option<T>) -> Option<T> {
        find(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn current(&self) -> Result<Arc<State>> {
        if self.is_alone() {
            return Ok(self.at_hand());
        }
        self.current_in(&*self.store.view()?)
    }

    /// The state that a view shows.
    pub(super) fn current_in(&self, view: &dyn View) -> Result<Arc<State>> {
        let state = self.at_hand();
        if self.is_alone() {
            return Ok(state);
        }
        let mut unchanged = false;
        view.get_with(&record::COUNTERS_KEY, &mut |counters| unchanged = counters == state.counters)?;
        if unchanged {
            return Ok(state);
        }
        let fresh = Arc::new(State::load(view)?);
        self.replace(Arc::clone(&fresh));
        Ok(fresh)
    }

    fn at_hand(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a newer state; one that a slower thread has read before another change is let go.
    pub(super) fn replace(&self, state: Arc<State>) {
        let mut kept = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.changes >= kept.changes {
            *kept = state;
        }
    }

    /// What a version sees, for who reads a state no older than this one.
    ///
    /// What is kept of an older state serves: it may have more in it, at which there is nothing any more. That of a
    /// newer one may lack what a squash has moved since.
    pub(super) fn ancestry(&self, state: &State, version: VersionId) -> Result<Arc<Ancestry>> {
        let State { dag, changes, .. } = state;
        let mut kept = self.ancestries.lock().unwrap_or_else(PoisonError::into_inner);
        let serves = |version| {
            kept.get(version).filter(|(made, _)| made <= changes).map(|(_, ancestry)| Arc::clone(ancestry))
        };
        if let Some(ancestry) = serves(&version) {
            return Ok(ancestry);
        }
        // Versions are mostly written one after the other.
        let from_parent = match dag.version(version)?.parents.as_slice() {
            [parent] => serves(parent).map(|parent| parent.child(dag, version)).transpose()?.flatten(),
            _ => None,
        };
        let ancestry = Arc::new(match (from_parent, self.policy) {
            (Some(ancestry), _) => ancestry,
            (None, MergePolicy::FirstParent) => Ancestry::first_parents(dag, version)?,
            (None, MergePolicy::LiveWins | MergePolicy::Strict) => Ancestry::new(dag, version)?,
        });
        if kept.len() >= ANCESTRIES_KEPT {
            kept.clear();
        }
        kept.insert(version, (*changes, Arc::clone(&ancestry)));
        Ok(ancestry)
    }
}

impl State {
    /// Reads the DAG from one view.
    pub(super) fn load(view: &dyn View) -> Result<Self> {
        record::check_marker(view.get(&record::single(record::FORMAT))?.as_deref())?;
        let counters = view
            .get(&record::COUNTERS_KEY)?
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "the store's counters are missing"))?;
        let changes = record::decode::<Counters>(&counters)?.changes;
        let repos = each(view, record::REPO, |_, value| record::decode(value))?;
        let moments = |class| -> Result<HashMap<VersionId, u64>> {
            let found = each(view, class, |tkey, value| {
                Ok((VersionId(record::number(tkey)?), record::moment(value)?))
            });
            Ok(found?.into_iter().collect())
        };
        let (commits, cleanings) = (moments(record::COMMITTED)?, moments(record::CLEANED)?);
        let versions = each(view, record::VERSION, |_, value| {
            let mut version: Version = record::decode(value)?;
            version.committed = commits.get(&version.id).copied();
            version.cleaned = cleanings.get(&version.id).copied();
            Ok(version)
        })?;
        let instances = each(view, record::INSTANCE, |_, value| record::decode::<Instance>(value))?;
        let mut dag = VersionDag::assemble(repos, versions, instances)?;
        for tag in each(view, record::TAG, |_, value| record::decode(value))? {
            dag.put_tag(tag)?;
        }
        for (repo, branch) in each(view, record::HIDDEN, |tkey, _| record::name(tkey))? {
            dag.set_hidden(repo, &branch, true);
        }
        Ok(Self::new(dag, counters, changes))
    }
}

pub(super) fn each<T>(
    view: &dyn View,
    class: TKeyClass,
    mut read: impl FnMut(&TKey, &[u8]) -> Result<T>,
) -> Result<Vec<T>> {
    let mut found = Vec::new();
    let range = MetadataContext.full_range(&class.range());
    let mut take = visitor(|key: &[u8], value: Value<'_>| {
        found.push(read(&MetadataContext.tkey_from_key(key)?, value.bytes()?)?);
        Ok(Step::Next)
    });
    view.scan(range.scan(), &mut take)?;
    Ok(found)
}
