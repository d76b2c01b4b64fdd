//! A store and its views: what an author of an engine implements for data.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::batch::WriteBatch;
use super::capabilities::Capabilities;
use super::durability::Durability;
use super::error::{Error, ErrorKind, Result};
use super::scan::{Scan, Visitor};
use crate::graph::Graph;

/// An open ordered key-value store: byte strings to byte strings, keys in bytewise order.
///
/// Users call the methods of [`StoreExt`](crate::StoreExt); authors implement these four.
///
/// # Contract
/// - Any byte string within the limits is a key, and any is a value; an empty value is a value like any
///   other, and not an absent one (`point.empty-value-is-not-absent`).
/// - After an error of any method the store is as usable as before, unless the error says
///   [`Poisoned`](ErrorKind::Poisoned) (`errors.store-usable-after-error`). Where the disk itself failed a
///   commit (`Full`, `Io`, `Ambiguous`), later writes may answer `Poisoned`: open the store anew.
/// - Dropping the store closes it once its views are dropped too; what was committed stays, as far as its
///   durability goes (`persistence.reopen-keeps-committed`).
pub trait Store: Send + Sync + fmt::Debug {
    /// What this store can do; the same for as long as it is open.
    fn capabilities(&self) -> &Capabilities;

    /// A reader of the state that is committed now.
    ///
    /// # Contract
    /// - It owns what it reads from: it may outlive the borrow of the store, and be sent to another thread
    ///   (`view.may-be-sent-to-another-thread`).
    /// - With [`Reads::Snapshot`](crate::Reads::Snapshot) it is pinned when this returns, not at the first
    ///   read (`view.pinned-at-creation`).
    ///
    /// # Errors
    /// `Busy` when there are as many views as the limits allow: dropping one makes room
    /// (`limits.views-over-limit-are-busy`).
    fn view(&self) -> Result<Box<dyn View>>;

    /// Commits a batch.
    ///
    /// # Contract
    /// - Requirements are judged before any operation (`conditional.judged-before-operations`); one that
    ///   fails answers `Conflict` and changes nothing (`conditional.failed-requirement-changes-nothing`).
    /// - Operations apply in order (`batch.last-operation-on-a-key-wins`).
    /// - With [`Atomicity::Store`](crate::Atomicity::Store) all of it happens or none
    ///   (`batch.failed-batch-changes-nothing`).
    /// - What [`WriteBatch::check`] refuses is refused before anything is changed
    ///   (`limits.key-over-limit-is-too-large`).
    /// - A view taken after it returns sees it (`view.new-view-sees-commit`).
    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()>;

    /// Makes every commit that has returned as durable as the engine can
    /// (`persistence.flush-keeps-relaxed-commits`).
    fn flush(&self) -> Result<()>;

    /// Gives space back to the operating system, where the engine can.
    fn compact(&self) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "the engine doesn't compact"))
    }

    /// Reads everything and compares checksums and structure, where the engine can.
    ///
    /// # Errors
    /// `Corrupt` names what is damaged, also where the engine has mended it on the way.
    fn verify(&self) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "the engine has no check of its own"))
    }

    /// Graphs of the engine's own, where it is a graph engine; any other keeps them in keys and values, as
    /// [`graph::of`](crate::graph::of) does.
    ///
    /// They are kept by the [data instance](crate::key::DataContext) that a context names, apart from the keys, and without
    /// versions: a context with a version is `Unsupported`.
    ///
    /// A layer that changes what is stored, or forbids it, doesn't pass them on: above it graphs are in keys and values.
    fn graph(&self) -> Option<&dyn Graph> {
        None
    }
}

/// A reader of a store.
pub trait View: Send {
    /// The value of a key, or `None` when it is absent.
    ///
    /// The bytes may pin the view's state: copy what is kept for long. A key that the limits don't admit is
    /// absent (`limits.key-over-limit-reads-as-absent`).
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    /// Visits the entries of a range.
    ///
    /// # Contract
    /// - In bytewise order, each once, all that lie between the bounds
    ///   (`scan.full-scan-includes-0xff-keys`).
    /// - The visitor's answer is followed at once; after `Stop` or an error it isn't called again
    ///   (`scan.stop-ends-at-once`, `scan.visitor-error-is-returned`).
    /// - A failure of the engine is returned, never taken for the end (`errors.scan-reports-engine-error`).
    /// - The visitor may read this view (`scan.visitor-may-read-the-view`), take others
    ///   (`scan.visitor-may-take-another-view`) and, where reads are snapshots, commit.
    /// - Bounds and the targets of seeks are any bytes, also such as the limits don't admit for a key.
    ///
    /// # Errors
    /// `Unsupported`: descending, where the store declares no reverse scans.
    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()>;

    /// Hands a key's value to `read` without a copy; answers whether the key was there.
    ///
    /// Engines that can lend a value from a page override it. It answers exactly what [`get`](View::get)
    /// answers (`point.get-with-agrees-with-get`).
    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let value = self.get(key)?;
        if let Some(value) = &value {
            read(value);
        }
        Ok(value.is_some())
    }
}

macro_rules! forward_store {
    ($($pointer:ty),*) => {$(
        impl<S: Store + ?Sized> Store for $pointer {
            fn capabilities(&self) -> &Capabilities {
                (**self).capabilities()
            }
            fn view(&self) -> Result<Box<dyn View>> {
                (**self).view()
            }
            fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
                (**self).commit(batch, durability)
            }
            fn flush(&self) -> Result<()> {
                (**self).flush()
            }
            fn compact(&self) -> Result<()> {
                (**self).compact()
            }
            fn verify(&self) -> Result<()> {
                (**self).verify()
            }
            fn graph(&self) -> Option<&dyn Graph> {
                (**self).graph()
            }
        }
    )*};
}

forward_store!(&S, Box<S>, Arc<S>);
