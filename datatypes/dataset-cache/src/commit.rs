//! A commit on its way to the disk: nodes, a sync, and the headers in one write.

use engine_api::{Error, ErrorKind, Result};

use crate::file::StorageFile;
use crate::header::StorageHeader;
use crate::node::PAGE_BYTES;
use crate::numbers::wide;
use crate::pins::Sealed;
use crate::storage::BlockStorage;
use crate::tree::Tree;

/// How many bytes of neighbouring nodes are written at once at most.
const MOST_AT_ONCE: usize = 1 << 20;

/// What a commit writes. The storage may change meanwhile: what is here won't.
#[derive(Debug)]
pub(crate) struct Prepared {
    pages: Vec<(u64, Vec<u8>)>,
    headers: Vec<u8>,
    pub(crate) sealed: Sealed,
}

impl Prepared {
    pub(crate) fn new(
        storage: &mut BlockStorage,
        others: &mut [&mut Tree],
        prefix: impl FnOnce(&[u64]) -> Vec<u8>,
    ) -> Result<Self> {
        // All roots are written by every commit, so that they have its number: roots of several commits are told.
        storage.space.allocations.touch_root();
        storage.space.free.touch_root();
        for tree in others.iter_mut() {
            tree.touch_root();
        }
        loop {
            let mut released = storage.space.allocations.take_released();
            released.extend(storage.space.free.take_released());
            for tree in others.iter_mut() {
                released.extend(tree.take_released());
            }
            let is_done = released.is_empty();
            for block in released {
                storage.release(block);
            }
            let mut dirty =
                [&storage.space.allocations, &storage.space.free].map(|tree| tree.nodes().1).iter().sum();
            dirty += others.iter().map(|tree| tree.nodes().1).sum::<usize>();
            if is_done && dirty == 0 {
                break;
            }
            let mut places = Vec::with_capacity(dirty);
            for _ in 0..dirty {
                let place = storage.space.reserve(PAGE_BYTES).ok_or_else(|| {
                    Error::new(ErrorKind::Full, "the limit leaves no room for the nodes").with("nodes", dirty)
                })?;
                storage.space.keep(place);
                places.push(place);
            }
            // The first are taken last.
            places.reverse();
            for tree in others.iter_mut() {
                tree.place(&mut places);
            }
            storage.space.allocations.place(&mut places);
            storage.space.free.place(&mut places);
            for place in places {
                storage.release(place);
            }
        }
        storage.commit += 1;
        let commit = storage.commit;
        let mut pages = Vec::new();
        for tree in others.iter_mut() {
            tree.take_pages(commit, &mut pages);
        }
        storage.space.allocations.take_pages(commit, &mut pages);
        storage.space.free.take_pages(commit, &mut pages);
        pages.sort_unstable_by_key(|(address, _)| *address);
        let roots: Vec<u64> = others.iter().map(|tree| tree.root()).collect();
        let header =
            StorageHeader { allocations: storage.space.allocations.root(), free: storage.space.free.root() };
        let mut headers = prefix(&roots);
        headers.extend(header.bytes());
        Ok(Self { pages, headers, sealed: storage.waiting.seal() })
    }

    /// Writes it: when this returns, it is on the disk.
    pub(crate) fn write(&self, file: &dyn StorageFile) -> Result<()> {
        let failed = |error| Error::from_io(error, "a commit can't be written");
        let mut run = Vec::new();
        let mut start = 0;
        for (address, page) in &self.pages {
            if start + wide(run.len()) != *address || run.len() >= MOST_AT_ONCE {
                if !run.is_empty() {
                    file.write_at(&run, start).map_err(failed)?;
                }
                run.clear();
                start = *address;
            }
            run.extend_from_slice(page);
        }
        if !run.is_empty() {
            file.write_at(&run, start).map_err(failed)?;
        }
        file.sync().map_err(failed)?;
        file.write_at(&self.headers, 0).map_err(failed)?;
        file.sync().map_err(failed)
    }
}
