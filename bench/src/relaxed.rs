//! A store that takes every commit relaxed.

use engine_api::{Capabilities, Durability, Result, Store, View, WriteBatch};

/// Takes every commit relaxed: a history is built of thousands, and a store of versions asks for none less
/// than durable.
#[derive(Debug)]
pub(crate) struct Relaxed<S>(pub S);

impl<S: Store> Store for Relaxed<S> {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.0.view()
    }

    fn commit(&self, batch: &WriteBatch, _: Durability) -> Result<()> {
        self.0.commit(batch, Durability::Relaxed)
    }

    fn flush(&self) -> Result<()> {
        self.0.flush()
    }
}
