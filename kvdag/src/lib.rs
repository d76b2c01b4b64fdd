//! Versioned data in any ordered key-value engine.
//!
//! Everything of [`engine_api`] is here, with the engines that the crate's features switch on, and the
//! datatypes [`keyvalue`], [`volume`] with its scales ([`downres`]), and [`chunks`]; with the feature `array` also
//! array files (`array_file`), and any store as an object store (`kvdag_object_store`); with `blockfs` and `graph` the
//! crates of those names; with `cache` volumes that are read through a file (`dataset_cache`).
//!
//! ```
//! use kvdag::keyvalue::KeyValue;
//!
//! # fn main() -> kvdag::Result<()> {
//! let store = kvdag::open_versioned("memory:")?;
//! let repo = store.create_repo("atlas", None)?;
//! let notes = KeyValue::create(&store, repo.id, "notes")?;
//! notes.at(repo.root).put(b"colour", "red")?;
//! store.commit_version(repo.root, "the first")?;
//! let draft = store.new_version(repo.root, Some("draft"))?;
//! notes.at(draft.id).put(b"colour", "blue")?;
//! assert_eq!(notes.at(repo.root).get(b"colour")?.as_deref(), Some(b"red".as_slice()));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! `redb`, `sled`, `sqlite` and `lmdb` each link that engine; the memory engine is always there. `cli` is the `kvdag`
//! command and the module of that name, `tiers` opens several stores as one, `serve` shows volumes over HTTP, `array` is
//! arrays in files and in object stores, `s3` has clients of those of the cloud, `blockfs` is volumes in a few large
//! files, `cache` is a bounded file in front of volumes, `graph` is what one does with graphs, and `http` reads
//! precomputed volumes at URLs. All are on by default: a
//! library that embeds kvdag takes it with `default-features = false` and the engines that it wants.
//! `hdf5` adds HDF5 and NetCDF to the formats of images, on little-endian machines, and `jpeg2000` slices in JPEG 2000.
//! `lmdb-longer-keys` compiles LMDB for keys of up to 1982 bytes.

#[cfg(feature = "blockfs")]
pub mod archives;
#[cfg(feature = "cache")]
pub mod cache;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "tiers")]
pub mod tiers;

/// Graphs: all of [`engine_api::graph`], and what is done with them.
#[cfg(feature = "graph")]
pub use ::graph;
#[cfg(feature = "array")]
pub use array_file;
#[cfg(feature = "blockfs")]
pub use blockfs;
pub use chunks;
#[cfg(feature = "cache")]
pub use dataset_cache;
pub use downres;
pub use engine_api::*;
pub use keyvalue;
#[cfg(feature = "array")]
pub use kvdag_object_store;
#[cfg(feature = "array")]
pub use object_store;
pub use volume;
#[cfg(feature = "serve")]
pub use volume_server;

// The command's modules name this crate as any program does.
#[cfg(feature = "cli")]
extern crate self as kvdag;

// An engine registers itself only when its crate is linked, and it is linked only when it is named.
#[cfg(feature = "lmdb")]
extern crate engine_lmdb as _;
#[cfg(feature = "redb")]
extern crate engine_redb as _;
#[cfg(feature = "sled")]
extern crate engine_sled as _;
#[cfg(feature = "sqlite")]
extern crate engine_sqlite as _;

use engine_api::version::Versioned;

/// The engine that a plain path means.
pub const DEFAULT_SCHEME: &str = "redb";

/// The engines of this program; a plain path means [`DEFAULT_SCHEME`].
///
/// # Errors
/// `InvalidConfig` when two of them answer to one scheme.
pub fn registry() -> Result<Registry> {
    Registry::linked().map(|registry| registry.with_default(DEFAULT_SCHEME))
}

/// What a URL of a store can name: the engines, and several stores as one (`tiers:`).
///
/// # Errors
/// Those of [`registry`].
pub fn stores() -> Result<Registry> {
    let registry = registry()?;
    #[cfg(feature = "tiers")]
    let registry = registry.with(&tiers::TIERS)?;
    Ok(registry)
}

/// Opens a store by URL or path, and creates it when it isn't there.
///
/// # Errors
/// Those of [`Registry::open`].
pub fn open(url: &str) -> Result<Box<dyn Store>> {
    registry()?.open(url).map(|opened| opened.store)
}

/// Opens a store with versions by URL or path, and creates it when it isn't there.
///
/// # Errors
/// Those of [`Registry::open`]; `Incompatible` when the store is there and isn't one with versions.
pub fn open_versioned(url: &str) -> Result<Versioned<Box<dyn Store>>> {
    let Opened { store, created } = stores()?.open(url)?;
    if created { Versioned::create(store) } else { Versioned::open(store) }
}

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/authoring.md")]
struct Authoring;
