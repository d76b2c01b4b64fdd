//! A store that fails when it is told to: for tests of everything that stands on a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::spi::{
    Capabilities, Durability, Error, ErrorKind, Result, Scan, Step, Store, Value, View, Visitor, WriteBatch,
};

/// An operation that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Taking a view.
    View,
    /// A point read.
    Get,
    /// A step of a scan, counted in entries over all scans.
    ScanEntry,
    /// A commit, before it reaches the store.
    Commit,
    /// A flush.
    Flush,
}

const FAULTS: usize = 5;

/// Decides which operations fail; shared by a [`Faulty`] store and the test that steers it.
#[derive(Debug, Default)]
pub struct Faults {
    // Calls left until the failure, counted from 1; 0 is never.
    left: [AtomicU64; FAULTS],
}

impl Faults {
    /// None, for now.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes the operation succeed `calls` times from now on, and fail once after that.
    pub fn fail_after(&self, fault: Fault, calls: u64) {
        self.left[fault as usize].store(calls + 1, Ordering::SeqCst);
    }

    /// Makes nothing fail from now on.
    pub fn clear(&self) {
        for left in &self.left {
            left.store(0, Ordering::SeqCst);
        }
    }

    fn strike(&self, fault: Fault) -> Result<()> {
        let before = self.left[fault as usize]
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match before {
            Ok(1) => {
                Err(Error::new(ErrorKind::Io, "a failure that was asked for")
                    .with("at", format!("{fault:?}")))
            }
            _ => Ok(()),
        }
    }
}

/// Passes everything through, but fails where its [`Faults`] say so.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    faults: Arc<Faults>,
}

impl<S: Store> Faulty<S> {
    /// Wraps `inner`.
    pub fn new(inner: S, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

impl<S: Store> Store for Faulty<S> {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.faults.strike(Fault::View)?;
        Ok(Box::new(FaultyView { inner: self.inner.view()?, faults: Arc::clone(&self.faults) }))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        self.faults.strike(Fault::Commit)?;
        self.inner.commit(batch, durability)
    }

    fn flush(&self) -> Result<()> {
        self.faults.strike(Fault::Flush)?;
        self.inner.flush()
    }
}

struct FaultyView {
    inner: Box<dyn View>,
    faults: Arc<Faults>,
}

impl View for FaultyView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.faults.strike(Fault::Get)?;
        self.inner.get(key)
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        self.inner.scan(scan, &mut FaultyVisitor { inner: visitor, faults: &self.faults })
    }
}

struct FaultyVisitor<'a> {
    inner: &'a mut dyn Visitor,
    faults: &'a Faults,
}

impl Visitor for FaultyVisitor<'_> {
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        self.faults.strike(Fault::ScanEntry)?;
        self.inner.visit(key, value)
    }
}
