//! Threads that compress and write what they are given.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use chunks::Coords;
use engine_api::{Error, ErrorKind, Result};

use crate::writer::BlockWriter;

type Job = (Coords, Vec<u8>);

/// Threads that write blocks, so that who makes these needn't wait for their compression.
///
/// ```
/// use blockfs::{BlockFs, BlockFsSpec, BlockWriter, WriterPool};
/// use chunks::{Coords, DType};
///
/// # fn main() -> engine_api::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("brain.blockfs");
/// let volume = BlockFs::create(&path, &BlockFsSpec::new([64, 64, 256], [64, 64, 64], DType::U8))?;
/// let pool = WriterPool::start(BlockWriter::open(&path)?, 2, 10)?;
/// for x in 0..4 {
///     pool.write_block(Coords::new(&[0, 0, x])?, vec![1; 64 * 64 * 64])?;
/// }
/// pool.close()?;
/// assert_eq!(volume.counts(&mut |_| Ok(()))?.committed, 4);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WriterPool {
    writer: Arc<BlockWriter>,
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl WriterPool {
    /// Starts so many threads, with a queue of so many blocks before them.
    ///
    /// # Errors
    /// `Io` when a thread can't be started.
    pub fn start(writer: BlockWriter, threads: usize, queue: usize) -> Result<Self> {
        let (jobs, waiting) = sync_channel(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut pool =
            Self { writer: Arc::new(writer), jobs: Some(jobs), threads: Vec::new(), failure: Arc::default() };
        for _ in 0..threads.max(1) {
            let (writer, waiting, failure) = (pool.writer.clone(), waiting.clone(), pool.failure.clone());
            let thread = thread::Builder::new()
                .name("blockfs".into())
                .spawn(move || work(&writer, &waiting, &failure))
                .map_err(|error| Error::from_io(error, "a thread can't be started"))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Hands a block over, and waits only where the queue is full.
    ///
    /// # Errors
    /// That of an earlier block, once: what failed isn't known to be this one.
    pub fn write_block(&self, block: Coords, data: Vec<u8>) -> Result<()> {
        self.check()?;
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send((block, data)).map_err(|_| gone())
    }

    /// The writer, for blocks that are read or flushed while others are written.
    pub fn writer(&self) -> &BlockWriter {
        &self.writer
    }

    /// Waits until all that was handed over is written, and commits it.
    ///
    /// # Errors
    /// That of a block that couldn't be written; the others are committed. That of [`BlockWriter::flush`].
    pub fn close(mut self) -> Result<()> {
        let ended = self.end();
        let flushed = self.writer.flush();
        ended?;
        self.check()?;
        flushed
    }

    fn end(&mut self) -> Result<()> {
        drop(self.jobs.take());
        let mut ended = Ok(());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                ended = Err(gone());
            }
        }
        ended
    }

    fn check(&self) -> Result<()> {
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Drop for WriterPool {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        drop(self.end());
    }
}

fn work(writer: &BlockWriter, waiting: &Mutex<Receiver<Job>>, failure: &Mutex<Option<Error>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((block, data)) = job else { return };
        if let Err(error) = writer.write_block(&block, &data) {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "a thread that wrote blocks has ended early")
}
