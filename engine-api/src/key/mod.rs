//! Full keys: how a key of a user, at a version of a data instance, becomes a key of an engine.
//!
//! ```text
//! metadata   00 | tkey
//! data       01 | instance u32 BE | esc(tkey) 00 01 | !version u32 BE | client u32 BE | mark
//! ```
//!
//! `esc` writes each 00 of the key as 00 FF, so that the terminator 00 01 occurs nowhere else. Therefore
//! any byte string is a legal key, no key is a prefix of another, the versions of one key lie together,
//! newest first, and full keys are in the order of the keys they carry.
//!
//! The layout follows DVID's, which puts the version straight behind the key and so lets a read of `a`
//! answer with the value of `ab`.

mod codec;
mod context;
mod id;
mod tkey;

pub use codec::{DataKey, FullKey, Mark};
pub(crate) use codec::{SUFFIX_BYTES, Suffix, group_end, group_start, group_tkey, write_group_end};
pub use context::{Context, DataContext, MetadataContext, Scope};
pub use id::{ClientId, InstanceId, RepoId, VersionId};
pub use tkey::{TKey, TKeyClass};
