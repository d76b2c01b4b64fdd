//! Making files, and opening them.

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::ArrayFile;
use crate::buffers::Buffers;
use crate::commits::{list_commits, newest_commit};
use crate::config::FileConfig;
use crate::error::{Error, Result};
use crate::io::{Fastest, Io};
use crate::names::Names;
use crate::snapshot::Snapshot;
use crate::wire::{Reader, Writer};

const MAGIC: [u8; 4] = *b"\x8bKAH";
const VERSION: u32 = 1;

/// How often a file is opened anew that is compacted and swept in the meantime.
const ATTEMPTS: usize = 8;

impl ArrayFile {
    /// Makes a file where there is none. `path` ends in `.af`.
    ///
    /// # Errors
    /// `FileAlreadyExists` where there is one, or what is left of one; [`replace`](Self::replace) is for that.
    /// `NoConditionalPut` where the store can't keep two writers from overwriting each other.
    pub async fn create(store: Arc<dyn ObjectStore>, path: &str, config: FileConfig) -> Result<Self> {
        let names = Names::new(path)?;
        let io = io(store, &config);
        let exists = || Error::FileAlreadyExists { path: path.to_owned() };
        if newest_commit(&io, &names).await? > 0 {
            return Err(exists());
        }
        if !io.put_new(&names.head(), head().into()).await? {
            return Err(exists());
        }
        // A server that doesn't know of conditions puts it again, and would put one commit over another.
        if io.put_new(&names.head(), head().into()).await? {
            io.store.delete(&names.head()).await?;
            return Err(io.no_conditional_put("an object was put over another"));
        }
        Ok(Self::over(io, names, config, Snapshot::empty(), false))
    }

    /// Makes a file, or in place of one that is there a commit without any array or snapshot. What was there
    /// stays readable at its own commits until it is swept.
    ///
    /// # Errors
    /// `Conflict` when another writer commits at the same time.
    pub async fn replace(store: Arc<dyn ObjectStore>, path: &str, config: FileConfig) -> Result<Self> {
        match Self::create(Arc::clone(&store), path, config.clone()).await {
            Err(Error::FileAlreadyExists { .. }) => {}
            created => return created,
        }
        let names = Names::new(path)?;
        let io = io(store, &config);
        let newest = newest_commit(&io, &names).await?;
        // What is there may be damaged: of its manifest only the numbers are needed, and one that can't be
        // read is no reason not to replace it.
        let (next_layer, next_array) = match Snapshot::load(&io, &names, newest, &[]).await {
            Ok(Some(there)) => (there.next_layer, there.next_array),
            Ok(None) | Err(Error::Corrupt { .. }) => {
                (super::sweep::first_free_layer(&io, &names).await?, newest.saturating_add(1))
            }
            Err(error) => return Err(error),
        };
        let base = Snapshot { commit: newest, next_layer, next_array, ..Snapshot::empty() };
        let mut file = Self::over(io, names, config, base, false);
        if newest > 0 {
            file.pending.catalog = true;
            file.flush().await?;
        }
        Ok(file)
    }

    /// Makes a file that is kept in memory.
    pub async fn create_memory(config: FileConfig) -> Result<Self> {
        Self::create(Arc::new(InMemory::new()), "memory.af", config).await
    }

    /// Opens a file at its newest commit.
    ///
    /// It costs the listing of the file's commits, and the reading of one manifest; layers are read when
    /// chunks of theirs are.
    ///
    /// # Errors
    /// `FileNotFound`; `Corrupt` and `Incompatible` name the object.
    pub async fn open(store: Arc<dyn ObjectStore>, path: &str, config: FileConfig) -> Result<Self> {
        let names = Names::new(path)?;
        let io = io(store, &config);
        let snapshot = newest_snapshot(&io, &names, path).await?;
        Ok(Self::over(io, names, config, snapshot, false))
    }

    /// Opens a file as it was at a commit of the past, to be read.
    ///
    /// # Errors
    /// `CommitNotFound` when there never was one of this number, or it was swept.
    pub async fn open_at(
        store: Arc<dyn ObjectStore>,
        path: &str,
        commit: u64,
        config: FileConfig,
    ) -> Result<Self> {
        let names = Names::new(path)?;
        let io = io(store, &config);
        let found = Snapshot::load(&io, &names, commit, &[]).await?;
        let snapshot = found.ok_or_else(|| Error::CommitNotFound { commit: commit.to_string() })?;
        Ok(Self::over(io, names, config, snapshot, true))
    }

    /// Opens a file as it was when a snapshot was taken, to be read.
    ///
    /// # Errors
    /// `CommitNotFound` when there is no snapshot of this name.
    pub async fn open_snapshot(
        store: Arc<dyn ObjectStore>,
        path: &str,
        snapshot: &str,
        config: FileConfig,
    ) -> Result<Self> {
        let newest = Self::open(Arc::clone(&store), path, config.clone()).await?;
        let commit = newest.snapshots.iter().find(|(name, _)| name == snapshot).map(|(_, commit)| *commit);
        let commit = commit.ok_or_else(|| Error::CommitNotFound { commit: snapshot.to_owned() })?;
        Self::open_at(store, path, commit, config).await
    }

    /// Goes on to the newest commit, where nothing is pending; answers whether there was a newer one.
    ///
    /// # Errors
    /// `Conflict` when something is pending; [`rebase`](Self::rebase) is for that.
    pub async fn refresh(&mut self) -> Result<bool> {
        self.check_writable()?;
        let snapshot = newest_snapshot(&self.io, &self.names, &self.path()).await?;
        if snapshot.commit == self.committed.commit && snapshot.checksum == self.committed.checksum {
            return Ok(false);
        }
        if self.has_pending() {
            return Err(Error::Conflict { base: self.committed.commit, newest: snapshot.commit });
        }
        *self = Self::over(self.io.clone(), self.names.clone(), self.config.clone(), snapshot, false);
        Ok(true)
    }
}

pub(super) async fn newest_snapshot(io: &Io, names: &Names, path: &str) -> Result<Snapshot> {
    for _ in 0..ATTEMPTS {
        let commits = list_commits(io, names).await?;
        let Some((newest, _)) = commits.last() else {
            let bytes = io.object(&names.head()).await?;
            let bytes = bytes.ok_or_else(|| Error::FileNotFound { path: path.to_owned() })?;
            check_head(&bytes).map_err(|error| error.at(path))?;
            return Ok(Snapshot::empty());
        };
        match Snapshot::load(io, names, *newest, &[]).await {
            Ok(Some(snapshot)) => return Ok(snapshot),
            // It was the newest when it was listed, and has been swept since: there is a newer one.
            Ok(None) | Err(Error::LayerGone { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::corrupt(path, "the newest commit, or the layer of its arrays, is missing"))
}

fn io(store: Arc<dyn ObjectStore>, config: &FileConfig) -> Io {
    let cache = config.open_cache();
    Io {
        store,
        cache,
        codec: config.codec.clone(),
        codecs: config.codecs.clone(),
        fastest: Fastest::default(),
        buffers: Buffers::default(),
    }
}

fn head() -> Vec<u8> {
    let mut out = Writer::default();
    out.raw(&MAGIC);
    out.u32(VERSION);
    out.seal()
}

pub(crate) fn check_head(bytes: &[u8]) -> Result<()> {
    let mut reader = Reader::sealed(bytes)?;
    if reader.bytes::<4>()? != MAGIC {
        return Err(Error::corrupt("", "it isn't an array file"));
    }
    match reader.u32()? {
        VERSION => reader.end(),
        found => Err(Error::Incompatible { path: String::new(), found }),
    }
}
