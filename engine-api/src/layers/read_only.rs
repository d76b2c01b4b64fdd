//! A store that refuses writes.

use crate::spi::{Capabilities, Durability, Error, ErrorKind, Result, Store, View, WriteBatch};

/// Passes reads through and refuses every commit with `ReadOnly`.
#[derive(Debug)]
pub struct ReadOnly<S>(pub S);

impl<S: Store> Store for ReadOnly<S> {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.0.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        batch.check(self.capabilities(), durability)?;
        Err(Error::new(ErrorKind::ReadOnly, "the store is open for reading alone"))
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&self) -> Result<()> {
        Err(Error::new(ErrorKind::ReadOnly, "the store is open for reading alone"))
    }

    fn verify(&self) -> Result<()> {
        self.0.verify()
    }
}
