//! In place of FUSE, where there is none.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::shared::Shared;
use super::volume::Owner;

#[derive(Debug)]
pub(crate) enum Mounted {}

impl Mounted {
    pub(crate) fn new(_: &Arc<Shared>, _: &Path) -> io::Result<Self> {
        Err(absent())
    }
}

pub(crate) fn owner_of(_: &Path) -> io::Result<Owner> {
    Err(absent())
}

fn absent() -> io::Error {
    let reason = "power-loss was built without its feature fuse, or for another system than Linux";
    io::Error::new(io::ErrorKind::Unsupported, reason)
}
