//! The engine in memory, for reference: it has no other interface than the framework's.

use std::path::Path;
use std::sync::Arc;

use engine_api::{Descriptor, Durability, Engine, MEMORY, MemoryStore};

use super::{Contender, Subject};
use crate::Outcome;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory;

impl Contender for Memory {
    fn descriptor(&self) -> &'static Descriptor {
        MEMORY.descriptor()
    }

    fn name(&self) -> String {
        self.descriptor().name.to_owned()
    }

    fn has_peer(&self) -> bool {
        false
    }

    fn create(&self, _: &Path, _: Durability) -> Outcome<Subject> {
        Ok(Subject { store: Arc::new(MemoryStore::new()), peer: None })
    }
}
