//! Versions, written once above every engine: a DAG of versions, the read rule, and a store that keeps it.
//!
//! [`Versioned`] wraps a [`Store`](crate::Store). It keeps the [`VersionDag`] in the store's metadata, and
//! implements [`OrderedKeyValue`] and [`Batcher`], which take a [`Context`](crate::key::Context) that says at
//! which version a key is meant.
//!
//! # The read rule
//! Of the entries of a key at a version and at all its ancestors, through all parents, those are dropped
//! that have another entry at a descendant of theirs. What is left decides: no value, the key is absent; one
//! value, it is that; more, it is a conflict, until a descendant writes or deletes the key. (DVID's rule,
//! stated on sets rather than as a walk. See [`MergePolicy`] for the variants.)
//!
//! [`Versioned::conflicts`] lists conflicts with their sides, before a merge and at it; [`Versioned::resolve_conflict`]
//! chooses one by writing it; a [`ConflictResolver`] settles them as they are read.

mod ancestry;
mod branches;
pub mod bundle;
mod chain;
mod change;
mod compare;
mod conflicts;
mod copy;
mod dag;
mod diff;
mod gc;
mod history;
mod instances;
mod journal;
mod kv;
mod list_conflicts;
mod lookup;
mod migrate;
mod needs;
mod new_version;
mod place;
mod read;
mod reader;
mod record;
mod resolve;
mod resolver;
mod set;
mod settle;
mod squash;
mod stream;
mod sweep;
mod tags;
mod target;
pub mod tiers;
mod versioned;
mod work;
mod write;

pub use ancestry::Ancestry;
pub use compare::compare_repos;
pub use conflicts::{Choice, Conflict, ConflictResolver, Side};
pub use copy::{Copied, compare_stores, copy_store};
pub use dag::{Instance, Repo, Tag, Version, VersionDag};
pub use diff::Difference;
pub use gc::{Collected, Horizon, Shed};
pub use instances::NewInstance;
pub use journal::LogLine;
pub use kv::{Batch, Batcher, DeleteScope, Flow, OrderedKeyValue, Reading, Seen};
pub use migrate::{Migrated, Migration};
pub use new_version::NewVersion;
pub use reader::Reader;
pub use resolve::Settled;
pub use resolver::{KeyResolver, MergePolicy, Offer, Resolved};
pub use stream::{Stream, process_range, stream};
pub use sweep::{Swept, Watch};
pub use versioned::Versioned;
pub use work::{Reserved, Work};
