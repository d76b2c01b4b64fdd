//! One scale of a volume at a version.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use chunks::{ChunkSource, ChunkStore, Codec, Coords, EncodedChunk, Grid, encode_chunks};
use engine_api::key::{DataContext, TKey};
use engine_api::version::{Batcher, Flow, OrderedKeyValue, Resolved, Versioned};
use engine_api::{ErrorKind, Fetch, Result, Store};

use crate::archive::{Archives, archives_now};
use crate::keys::{chunk_key, chunk_of_key, label_key, scale_range};
use crate::labels::{Counting, Counts, CountsOf, changes, count_labels, voxels_value};
use crate::properties::Properties;

/// Writers of one chunk that keep meeting each other give up after this many attempts. Who has to repeat was
/// overtaken by somebody who hadn't, so that the work goes on all the same.
const ATTEMPTS: u32 = 256;

/// One scale of a volume at a version: what is read is seen there, what is written goes there.
///
/// Writers of a region that cuts through chunks exclude each other, in this handle by a lock, and among
/// handles and processes by a requirement that the chunks are still what was read; who comes second reads
/// and writes again.
pub(crate) struct ScaleAt<'s, S> {
    store: &'s Versioned<S>,
    ctx: DataContext,
    scale: u8,
    grid: Grid,
    codec: Codec,
    archives: Arc<Archives>,
    /// Whether the labels of chunks are kept in the index.
    indexed: bool,
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

impl<S: fmt::Debug> fmt::Debug for ScaleAt<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScaleAt")
            .field("ctx", &self.ctx)
            .field("scale", &self.scale)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl<'s, S: Store> ScaleAt<'s, S> {
    pub(crate) fn new(
        store: &'s Versioned<S>,
        ctx: DataContext,
        (scale, grid): (u8, Grid),
        properties: &Properties,
        archives: Arc<Archives>,
    ) -> Self {
        let indexed = properties.labels && scale == 0;
        let codec = properties.codec;
        let (turn, exclusive) = (Mutex::new(()), Mutex::default());
        Self { store, ctx, scale, grid, codec, archives, indexed, turn, exclusive }
    }

    /// Compresses chunks, and counts their labels where there is an index.
    pub(crate) fn encode(&self, source: &dyn ChunkSource) -> Result<Encoded> {
        if !self.indexed {
            return Ok(Encoded { chunks: encode_chunks(&self.grid, self.codec, source)?, labels: None });
        }
        let counting = Counting::new(source, &self.grid);
        let chunks = encode_chunks(&self.grid, self.codec, &counting)?;
        Ok(Encoded { chunks, labels: Some(counting.into_counts()) })
    }

    fn key(&self, chunk: &Coords) -> TKey {
        chunk_key(self.scale, chunk)
    }

    /// What a chunk is at the version.
    pub(crate) fn resolve(&self, chunk: &Coords) -> Result<Resolved> {
        self.store.resolve(&self.ctx, &self.key(chunk))
    }

    /// Puts a resolved chunk's elements into `out`.
    pub(crate) fn decode(&self, chunk: &Coords, resolved: Resolved, out: &mut [u8]) -> Result<bool> {
        self.grid.check_buffer(out.len())?;
        let frame =
            resolved.into_value().map_err(|error| error.with("chunk", chunk).with("scale", self.scale))?;
        match &frame {
            Some(frame) => self.decode_frame(chunk, frame, out)?,
            None => self.grid.fill().write(out),
        }
        Ok(frame.is_some())
    }

    /// Restores a chunk from its frame, wherever its elements are.
    pub(crate) fn decode_frame(&self, chunk: &Coords, frame: &[u8], out: &mut [u8]) -> Result<()> {
        // Another process may have archived it since the volume was opened.
        let anew = || archives_now(self.store, self.ctx.instance());
        self.archives.decode((self.scale, &self.grid), chunk, frame, out, &anew)
    }

    fn noted(&self, chunk: &Coords, resolved: &Resolved) {
        let mut exclusive = self.exclusive.lock().unwrap_or_else(PoisonError::into_inner);
        if exclusive.owner.is_some() {
            // The first read is the one that the write depends on. Another thread's read of the same chunk
            // may be noted as well; at worst the writer reads once more for it.
            exclusive.read.entry(*chunk).or_insert_with(|| resolved.clone());
        }
    }

    fn owned_reads(&self) -> Option<HashMap<Coords, Resolved>> {
        let exclusive = self.exclusive.lock().unwrap_or_else(PoisonError::into_inner);
        (exclusive.owner == Some(thread::current().id())).then(|| exclusive.read.clone())
    }

    /// Writes chunks in one batch that requires those of `reads` to be what they were, and `others` too.
    pub(crate) fn write_once(
        &self,
        encoded: &Encoded,
        reads: &HashMap<Coords, Resolved>,
        others: &[(TKey, Resolved)],
    ) -> Result<()> {
        let mut batch = self.store.batch(&self.ctx)?;
        for (tkey, read) in others {
            batch.require(tkey, read);
        }
        for (chunk, frame) in &encoded.chunks {
            let tkey = self.key(chunk);
            if let Some(read) = reads.get(chunk) {
                batch.require(&tkey, read);
            }
            if let Some(labels) = &encoded.labels {
                let before = match reads.get(chunk) {
                    Some(read) => read.clone(),
                    None => {
                        let now = self.store.resolve(&self.ctx, &tkey)?;
                        batch.require(&tkey, &now);
                        now
                    }
                };
                let before = self.labels_before(chunk, &before)?;
                let now = labels.get(chunk).unwrap_or(const { &Counts::new() });
                for (label, voxels) in changes(&before, now) {
                    match voxels {
                        Some(voxels) => batch.put(&label_key(label, chunk), voxels_value(voxels)),
                        None => batch.delete(&label_key(label, chunk)),
                    }
                }
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

    /// Makes the index of one chunk, of which these entries are known, what the chunk holds.
    pub(crate) fn reindex(&self, chunk: &Coords, indexed: &BTreeMap<u64, Option<u64>>) -> Result<()> {
        let resolved = self.resolve(chunk)?;
        let mut data = vec![0; self.grid.chunk_bytes()];
        self.decode(chunk, resolved.clone(), &mut data)?;
        let counts = count_labels(&self.grid, chunk, &data)?;
        let mut batch = self.store.batch(&self.ctx)?;
        batch.require(&self.key(chunk), &resolved);
        let mut fits = true;
        for (label, voxels) in &counts {
            if indexed.get(label) != Some(&Some(*voxels)) {
                batch.put(&label_key(*label, chunk), voxels_value(*voxels));
                fits = false;
            }
        }
        for label in indexed.keys().filter(|label| !counts.contains_key(label)) {
            batch.delete(&label_key(*label, chunk));
            fits = false;
        }
        if fits { Ok(()) } else { batch.commit() }
    }

    /// The labels that the index may have of a chunk: of one in conflict, those of all sides.
    fn labels_before(&self, chunk: &Coords, resolved: &Resolved) -> Result<BTreeSet<u64>> {
        let mut labels = BTreeSet::new();
        let mut take = |frame: &[u8]| -> Result<()> {
            let mut data = vec![0; self.grid.chunk_bytes()];
            self.decode_frame(chunk, frame, &mut data)?;
            labels.extend(count_labels(&self.grid, chunk, &data)?.into_keys());
            Ok(())
        };
        match resolved {
            Resolved::Found { value, .. } => take(value)?,
            Resolved::Deleted { .. } | Resolved::Absent => {}
            Resolved::Conflict { versions } => {
                for version in versions {
                    let ctx = DataContext::versioned(self.ctx.instance(), *version);
                    if let Resolved::Found { value, .. } = self.store.resolve(&ctx, &self.key(chunk))? {
                        take(&value)?;
                    }
                }
            }
        }
        Ok(labels)
    }
}

/// Chunks on their way into the store.
pub(crate) struct Encoded {
    chunks: Vec<EncodedChunk>,
    /// What they hold, where there is an index.
    labels: Option<CountsOf>,
}

impl<S: Store> ChunkStore for ScaleAt<'_, S> {
    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        self.grid.check_buffer(out.len())?;
        self.grid.chunk_region(chunk)?;
        let resolved = self.resolve(chunk)?;
        self.noted(chunk, &resolved);
        self.decode(chunk, resolved, out)
    }

    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
        let encoded = self.encode(source)?;
        match self.owned_reads() {
            Some(reads) => self.write_once(&encoded, &reads, &[]),
            None => repeat(&mut || self.write_once(&encoded, &HashMap::new(), &[])),
        }
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
        for chunk in chunks {
            self.grid.chunk_region(chunk)?;
        }
        let labels = self.indexed.then(CountsOf::new);
        let gone = Encoded { chunks: chunks.iter().map(|chunk| (*chunk, None)).collect(), labels };
        repeat(&mut || self.write_once(&gone, &HashMap::new(), &[]))
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        self.store.visit(&self.ctx, &scale_range(self.scale), Fetch::Keys, &mut |tkey, _| {
            visit(&chunk_of_key(tkey)?.1)?;
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
pub(crate) fn repeat(work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
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
