//! A file whose calls fail, tear, or are lost with the power.

use std::io;
use std::sync::{Mutex, PoisonError};

use dataset_cache::StorageFile;

const SECTOR: usize = 512;

/// What happens at the call that was chosen, and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails, and has done nothing; later ones work.
    Fails,
    /// It fails, has done a part of what it should, and nothing works after it: the process is gone.
    Tears,
    /// Nothing is done from it on.
    Dies,
    /// The disk is full from it on: nothing makes the file longer.
    Full,
}

#[derive(Debug, Default)]
struct Disk {
    bytes: Vec<u8>,
    /// What was on the disk at the last sync.
    synced: Vec<u8>,
    calls: u64,
    fault: Option<(u64, Fault)>,
    met: bool,
}

/// Writes, changes of the length and syncs are counted from the last [`arm`](Self::arm) on, the first being 1.
#[derive(Debug, Default)]
pub struct FaultyFile(Mutex<Disk>);

impl FaultyFile {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Mutex::new(Disk { synced: bytes.clone(), bytes, ..Disk::default() }))
    }

    pub fn arm(&self, call: u64, fault: Fault) {
        let mut disk = self.disk();
        (disk.calls, disk.fault, disk.met) = (0, Some((call, fault)), false);
    }

    pub fn has_met(&self) -> bool {
        self.disk().met
    }

    /// What another process sees after this one was killed.
    pub fn bytes(&self) -> Vec<u8> {
        self.disk().bytes.clone()
    }

    /// What is there after the power went: of what wasn't synced, any sectors, and of its length anything.
    pub fn after_power_loss(&self, seed: u64) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = self.disk();
        let lengths = [disk.synced.len(), disk.bytes.len()];
        let mut left = disk.synced.clone();
        left.resize(lengths[random.usize(..2)], 0);
        for (sector, written) in left.chunks_mut(SECTOR).zip(disk.bytes.chunks(SECTOR)) {
            if random.bool() {
                let both = sector.len().min(written.len());
                sector[..both].copy_from_slice(&written[..both]);
            }
        }
        left
    }

    fn disk(&self) -> std::sync::MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    /// Counts a call that changes something; answers what goes wrong at it.
    fn next(&mut self, grows: bool) -> Option<Fault> {
        self.calls += 1;
        let (at, fault) = self.fault?;
        let happens = match fault {
            Fault::Fails => self.calls == at,
            Fault::Tears | Fault::Dies => self.calls >= at,
            Fault::Full => self.calls >= at && grows,
        };
        self.met |= happens;
        happens.then_some(fault)
    }

    fn put(&mut self, data: &[u8], at: usize) {
        if self.bytes.len() < at + data.len() {
            self.bytes.resize(at + data.len(), 0);
        }
        self.bytes[at..at + data.len()].copy_from_slice(data);
    }
}

fn error(fault: Fault) -> io::Error {
    match fault {
        Fault::Full => io::ErrorKind::StorageFull.into(),
        _ => io::Error::other("it fails here"),
    }
}

impl StorageFile for FaultyFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk().bytes.len() as u64)
    }

    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        let disk = self.disk();
        let from = usize::try_from(at).ok().and_then(|at| disk.bytes.get(at..)).unwrap_or_default();
        let read = from.len().min(out.len());
        out[..read].copy_from_slice(&from[..read]);
        Ok(read)
    }

    fn write_at(&self, data: &[u8], at: u64) -> io::Result<()> {
        let mut disk = self.disk();
        let at = usize::try_from(at).unwrap();
        let grows = at + data.len() > disk.bytes.len();
        let fault = disk.next(grows);
        match fault {
            None => disk.put(data, at),
            // The first call that tears does a part, a different one for each call.
            Some(Fault::Tears) if disk.fault.is_some_and(|(first, _)| first == disk.calls) => {
                let calls = usize::try_from(disk.calls).unwrap();
                let part = if data.len() == 96 { calls * 7 % 96 } else { calls * 1009 % data.len() };
                disk.put(&data[..part], at);
            }
            Some(Fault::Full) => {
                let room = disk.bytes.len().saturating_sub(at).min(data.len());
                disk.put(&data[..room], at);
            }
            Some(_) => {}
        }
        fault.map_or(Ok(()), |fault| Err(error(fault)))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut disk = self.disk();
        let length = usize::try_from(length).unwrap();
        let grows = length > disk.bytes.len();
        if let Some(fault) = disk.next(grows) {
            return Err(error(fault));
        }
        disk.bytes.resize(length, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk();
        if let Some(fault) = disk.next(false) {
            return Err(error(fault));
        }
        let Disk { bytes, synced, .. } = &mut *disk;
        synced.clone_from(bytes);
        Ok(())
    }
}
