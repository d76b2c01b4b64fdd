//! A store whose calls are noted, so that a hang tells which of them doesn't return.

use bytes::Bytes;
use engine_api::graph::Graph;
use engine_api::{Capabilities, Durability, Result, Scan, Store, View, Visitor, WriteBatch};

use super::breadcrumbs::noting;

/// Passes everything through.
#[derive(Debug)]
pub(crate) struct Noted(pub(crate) Box<dyn Store>);

impl Store for Noted {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        let view = noting("view", || self.0.view())?;
        Ok(Box::new(NotedView(Some(view))))
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        noting("commit", || self.0.commit(batch, durability))
    }

    fn flush(&self) -> Result<()> {
        noting("flush", || self.0.flush())
    }

    fn compact(&self) -> Result<()> {
        noting("compact", || self.0.compact())
    }

    fn verify(&self) -> Result<()> {
        noting("verify", || self.0.verify())
    }

    fn graph(&self) -> Option<&dyn Graph> {
        self.0.graph()
    }
}

/// Absent only while it is dropped, which may wait too.
struct NotedView(Option<Box<dyn View>>);

impl NotedView {
    fn view(&self) -> Result<&dyn View> {
        let gone = || engine_api::Error::new(engine_api::ErrorKind::InvalidArgument, "the view is gone");
        self.0.as_deref().ok_or_else(gone)
    }
}

impl View for NotedView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        noting("get", || self.view()?.get(key))
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        noting("get_with", || self.view()?.get_with(key, read))
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        noting("scan", || self.view()?.scan(scan, visitor))
    }
}

impl Drop for NotedView {
    fn drop(&mut self) {
        noting("the drop of a view", || drop(self.0.take()));
    }
}
