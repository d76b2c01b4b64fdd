//! A volume at every version of a repo, over any engine.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use chunks::{
    ChunkSource, ChunkStore, Coords, Grid, decode_chunk, decode_coords, encode_chunks, encode_coords,
};
use engine_api::key::{DataContext, Mark, RepoId, TKey, TKeyClass, VersionId};
use engine_api::version::{Batcher, Flow, Instance, NewInstance, OrderedKeyValue, Resolved, Versioned};
use engine_api::{Bytes, Error, ErrorKind, Fetch, KeyRange, Result, Store};

use crate::properties::Properties;

/// The datatype's name in an [`Instance`].
pub const DATATYPE: &str = "volume";

/// The class of the chunks' keys: class, scale (0: full resolution), coordinates.
const CHUNKS: TKeyClass = TKeyClass(186);

/// Writers of one chunk that keep meeting each other give up after this many attempts.
const ATTEMPTS: u32 = 64;

/// A volume: an array with a version history.
#[derive(Debug)]
pub struct Volume<'s, S> {
    store: &'s Versioned<S>,
    instance: Instance,
    properties: Properties,
}

impl<'s, S: Store> Volume<'s, S> {
    /// Makes a volume in a repo; every element is the fill value, at every version.
    ///
    /// # Errors
    /// `AlreadyExists` when the repo has an instance of this name.
    pub fn create(store: &'s Versioned<S>, repo: RepoId, name: &str, properties: Properties) -> Result<Self> {
        let new = NewInstance::new(name, DATATYPE).properties(properties.to_json()?);
        let instance = store.create_instance(repo, &new)?;
        Ok(Self { store, instance, properties })
    }

    /// Opens the only repo's volume of this name.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when the instance is of another datatype; `Corrupt`; `Poisoned` when
    /// its import was cut short.
    pub fn open(store: &'s Versioned<S>, name: &str) -> Result<Self> {
        let volume = Self::open_unfinished(store, name)?;
        if volume.properties.importing {
            return Err(Error::new(
                ErrorKind::Poisoned,
                "the volume's import was cut short; import it again under this name",
            )
            .with("volume", name));
        }
        Ok(volume)
    }

    /// Opens a volume, even one whose import was cut short.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), but `Poisoned`.
    pub fn open_unfinished(store: &'s Versioned<S>, name: &str) -> Result<Self> {
        let instance = store.instance_of(DATATYPE, name)?;
        let properties = Properties::from_json(&instance.properties)?;
        Ok(Self { store, instance, properties })
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// What the volume says of itself.
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Replaces what the volume says of itself.
    ///
    /// # Errors
    /// `InvalidArgument` when the grid differs: the stored chunks wouldn't fit another.
    pub fn set_properties(&mut self, properties: Properties) -> Result<()> {
        if properties.grid != self.properties.grid {
            return Err(Error::new(ErrorKind::InvalidArgument, "a volume's grid is fixed when it is made"));
        }
        self.instance = self.store.set_properties(self.instance.id, &properties.to_json()?)?;
        self.properties = properties;
        Ok(())
    }

    /// The volume at a version: a [`ChunkStore`].
    pub fn at(&self, version: VersionId) -> VolumeAt<'s, S> {
        VolumeAt {
            store: self.store,
            ctx: DataContext::versioned(self.instance.id, version),
            properties: self.properties.clone(),
            turn: Mutex::new(()),
            exclusive: Mutex::default(),
        }
    }
}

/// A volume at a version: what is read is seen there, what is written goes there.
///
/// Writers of a region that cuts through chunks exclude each other, in this handle by a lock, and among
/// handles and processes by a requirement that the chunks are still what was read; who comes second reads
/// and writes again.
pub struct VolumeAt<'s, S> {
    store: &'s Versioned<S>,
    ctx: DataContext,
    properties: Properties,
    /// Held by the one thread that reads, changes and writes chunks.
    turn: Mutex<()>,
    exclusive: Mutex<Exclusive>,
}

/// What the thread whose turn it is has read.
#[derive(Default)]
struct Exclusive {
    owner: Option<ThreadId>,
    read: HashMap<Coords, Resolved>,
}

impl<S: fmt::Debug> fmt::Debug for VolumeAt<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VolumeAt").field("ctx", &self.ctx).field("store", &self.store).finish_non_exhaustive()
    }
}

impl<S: Store> VolumeAt<'_, S> {
    /// What the volume says of itself.
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Reads and decodes every chunk that is stored at any version, to compare checksums; answers how many
    /// there were. `each` is called for every one, with the error where there is one.
    ///
    /// # Errors
    /// Those of the store; a damaged chunk is handed to `each` instead.
    pub fn verify(&self, each: &mut dyn FnMut(&Coords, VersionId, Result<()>)) -> Result<u64> {
        let grid = self.grid();
        let mut buffer = vec![0; grid.chunk_bytes()];
        let mut count = 0;
        self.store.visit_raw(&self.ctx, &chunk_range(), &mut |key, frame| {
            let chunk = coords_of(&key.tkey)?;
            if key.mark == Mark::Data {
                count += 1;
                each(&chunk, key.version, decode_chunk(grid, &chunk, frame.bytes()?, &mut buffer));
            }
            Ok(Flow::Continue(()))
        })?;
        Ok(count)
    }

    fn resolve(&self, chunk: &Coords) -> Result<Resolved> {
        let resolved = self.store.resolve(&self.ctx, &chunk_key(chunk))?;
        let mut exclusive = self.exclusive.lock().unwrap_or_else(PoisonError::into_inner);
        if exclusive.owner.is_some() {
            // The first read is the one that the write depends on. Another thread's read of the same chunk
            // may be noted as well; at worst the writer reads once more for it.
            exclusive.read.entry(*chunk).or_insert_with(|| resolved.clone());
        }
        Ok(resolved)
    }

    fn owned_reads(&self) -> Option<HashMap<Coords, Resolved>> {
        let exclusive = self.exclusive.lock().unwrap_or_else(PoisonError::into_inner);
        (exclusive.owner == Some(thread::current().id())).then(|| exclusive.read.clone())
    }

    fn write_once(
        &self,
        encoded: &[(Coords, Option<Bytes>)],
        reads: &HashMap<Coords, Resolved>,
    ) -> Result<()> {
        let mut batch = self.store.batch(&self.ctx)?;
        for (chunk, frame) in encoded {
            let tkey = chunk_key(chunk);
            if let Some(read) = reads.get(chunk) {
                batch.require(&tkey, read);
            }
            match frame {
                Some(frame) => batch.put(&tkey, frame.clone()),
                None => {
                    // A delete leaves a tombstone, which only a chunk that an ancestor has is worth.
                    let now = self.store.resolve(&self.ctx, &tkey)?;
                    if now.is_visible() {
                        batch.delete(&tkey);
                    } else if !reads.contains_key(chunk) {
                        batch.require(&tkey, &now);
                    }
                }
            }
        }
        batch.commit()
    }
}

impl<S: Store> ChunkStore for VolumeAt<'_, S> {
    fn grid(&self) -> &Grid {
        &self.properties.grid
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        let grid = self.grid();
        grid.check_buffer(out.len())?;
        grid.chunk_region(chunk)?;
        let frame = self.resolve(chunk)?.into_value().map_err(|error| error.with("chunk", chunk))?;
        match &frame {
            Some(frame) => decode_chunk(grid, chunk, frame, out)?,
            None => grid.fill().write(out),
        }
        Ok(frame.is_some())
    }

    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
        let encoded: Vec<_> = encode_chunks(self.grid(), self.properties.codec, source)?
            .into_iter()
            .map(|(chunk, frame)| (chunk, frame.map(Bytes::from)))
            .collect();
        match self.owned_reads() {
            Some(reads) => self.write_once(&encoded, &reads),
            None => repeat(&mut || self.write_once(&encoded, &HashMap::new())),
        }
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
        for chunk in chunks {
            self.grid().chunk_region(chunk)?;
        }
        let gone: Vec<_> = chunks.iter().map(|chunk| (*chunk, None)).collect();
        repeat(&mut || self.write_once(&gone, &HashMap::new()))
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        self.store.visit(&self.ctx, &chunk_range(), Fetch::Keys, &mut |tkey, _| {
            visit(&coords_of(tkey)?)?;
            Ok(Flow::Continue(()))
        })
    }

    fn exclusively(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = Turn(&self.exclusive);
        repeat(&mut || {
            taken.note(Some(thread::current().id()));
            work()
        })
    }
}

/// A turn that ends however the work ends.
struct Turn<'a>(&'a Mutex<Exclusive>);

impl Turn<'_> {
    fn note(&self, owner: Option<ThreadId>) {
        let mut exclusive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *exclusive = Exclusive { owner, read: HashMap::new() };
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.note(None);
    }
}

/// Repeats work that lost a race, which is how a requirement that doesn't hold shows.
fn repeat(work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    let mut attempt = 1;
    loop {
        match work() {
            // A conflict of versions is for people to resolve, and no race.
            Err(error)
                if error.kind() == ErrorKind::Conflict
                    && error.field("versions").is_none()
                    && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// The only scale that is written yet: full resolution.
const SCALE: u8 = 0;

/// The key of a chunk.
pub fn chunk_key(chunk: &Coords) -> TKey {
    let mut key = vec![SCALE];
    encode_coords(chunk, &mut key);
    TKey::new(CHUNKS, &key)
}

fn chunk_range() -> KeyRange {
    KeyRange::prefix(&[CHUNKS.0, SCALE])
}

/// The coordinates of a chunk's key.
///
/// # Errors
/// `Corrupt` when it isn't one.
pub fn coords_of(tkey: &TKey) -> Result<Coords> {
    match tkey.class_bytes()?.split_first() {
        Some((&SCALE, coords)) if tkey.class()? == CHUNKS => decode_coords(coords),
        _ => {
            Err(Error::new(ErrorKind::Corrupt, "a volume's key names no chunk")
                .with_key("key", tkey.as_bytes()))
        }
    }
}
