//! A file for callers that aren't asynchronous.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chunks::Scales;
use futures_util::future::BoxFuture;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::RwLock;

use super::{ArrayChunks, ArrayScales};
use crate::ArrayFile;
use crate::error::{Error, Result};

/// A file for callers that aren't asynchronous, with a runtime of its own.
///
/// Its methods wait for the store, so an asynchronous task calls them on a thread for blocking work. Where one
/// is called on an executor's thread nevertheless, it waits there, and doesn't panic or deadlock.
#[derive(Clone, Debug)]
pub struct SyncFile {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: RwLock<ArrayFile>,
    runtime: OwnRuntime,
    /// Held by a read and the write that depends on it.
    exclusive: Mutex<()>,
    /// Held by who makes chunks of a scale from another's.
    deriving: Mutex<()>,
    /// How often anybody else has written.
    writes: AtomicU64,
}

impl SyncFile {
    /// Opens or makes a file: `open` is awaited on the runtime that the file will have.
    ///
    /// ```
    /// use array_file::{ArrayFile, ArraySpec, FileConfig, SyncFile};
    /// use chunks::{read_region, write_region};
    ///
    /// # fn main() -> engine_api::Result<()> {
    /// let file = SyncFile::open(ArrayFile::create_memory(FileConfig::default()))?;
    /// file.update(|file| file.define_array("a", ArraySpec::new::<u8>(&[100, 100])).map(|_| ()))?;
    /// let store = file.chunks("a")?;
    /// let region = "60:70,0:2".parse()?;
    /// write_region(&store, &region, &[7; 20])?;
    /// assert_eq!(file.flush()?, 1);
    /// let mut read = [0; 20];
    /// read_region(&store, &region, &mut read)?;
    /// assert_eq!(read, [7; 20]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `open`; `Worker` when there is no thread for the runtime.
    pub fn open(open: impl Future<Output = Result<ArrayFile>> + Send) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("array-file")
            .enable_all()
            .build()
            .map_err(|error| Error::Worker(error.to_string()))?;
        let handle = runtime.handle().clone();
        Self::with(OwnRuntime { handle, runtime: Some(runtime) }, open)
    }

    /// The same on a runtime that the application has, which must have threads of its own.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn open_on(runtime: Handle, open: impl Future<Output = Result<ArrayFile>> + Send) -> Result<Self> {
        Self::with(OwnRuntime { handle: runtime, runtime: None }, open)
    }

    fn with(runtime: OwnRuntime, open: impl Future<Output = Result<ArrayFile>> + Send) -> Result<Self> {
        let file = RwLock::new(run(&runtime.handle, open)?);
        let (exclusive, deriving, writes) = (Mutex::default(), Mutex::default(), AtomicU64::new(0));
        Ok(Self { shared: Arc::new(Shared { file, runtime, exclusive, deriving, writes }) })
    }

    /// An array as a store of chunks. What is written to it is pending until [`flush`](Self::flush).
    ///
    /// # Errors
    /// `ArrayNotFound`; `InvalidValue` when its elements are of a type that `chunks` doesn't have, or it has
    /// not one to five axes, all of some length.
    pub fn chunks(&self, array: &str) -> Result<ArrayChunks> {
        ArrayChunks::new(self, self.read(|file| file.catalog_entry(array))?)
    }

    /// Arrays as the scales of one, the finest first.
    ///
    /// # Errors
    /// As [`chunks`](Self::chunks); `InvalidValue` when there aren't as many arrays as scales, or one isn't what
    /// its scale says.
    pub fn scales(&self, arrays: &[&str], scales: Scales) -> Result<ArrayScales> {
        let stores = arrays.iter().map(|array| self.chunks(array)).collect::<Result<_>>()?;
        ArrayScales::new(self, stores, scales)
    }

    /// Commits all that is pending, as [`ArrayFile::flush`] does.
    ///
    /// # Errors
    /// As there.
    pub fn flush(&self) -> Result<u64> {
        self.wait(async { self.shared.file.write().await.flush().await })
    }

    /// Looks at the file.
    pub fn read<T: Send>(&self, look: impl FnOnce(&ArrayFile) -> T + Send) -> T {
        self.wait(async { look(&*self.shared.file.read().await) })
    }

    /// Changes the file by what isn't asynchronous.
    pub fn update<T: Send>(&self, change: impl FnOnce(&mut ArrayFile) -> T + Send) -> T {
        self.wait(async {
            let mut file = self.shared.file.write().await;
            self.shared.writes.fetch_add(1, Ordering::SeqCst);
            change(&mut file)
        })
    }

    /// Runs anything asynchronous on the file, alone: `file.run(|file| Box::pin(file.compact()))`.
    pub fn run<T: Send>(&self, work: impl for<'a> FnOnce(&'a mut ArrayFile) -> BoxFuture<'a, T> + Send) -> T {
        self.wait(async {
            let mut file = self.shared.file.write().await;
            self.shared.writes.fetch_add(1, Ordering::SeqCst);
            work(&mut file).await
        })
    }

    /// How often the file was written to, but for what was derived.
    pub(super) fn writes(&self) -> u64 {
        self.shared.writes.load(Ordering::SeqCst)
    }

    pub(super) fn exclusive(&self) -> MutexGuard<'_, ()> {
        self.shared.exclusive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn deriving(&self) -> MutexGuard<'_, ()> {
        self.shared.deriving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn file(&self) -> &RwLock<ArrayFile> {
        &self.shared.file
    }

    pub(super) fn count_write(&self) {
        self.shared.writes.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn wait<F: Future<Output: Send> + Send>(&self, work: F) -> F::Output {
        run(&self.shared.runtime.handle, work)
    }
}

/// A runtime that may be dropped anywhere: one that is dropped on an executor's thread would panic.
#[derive(Debug)]
struct OwnRuntime {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Drives a future to its end: here, or where this is a thread of an executor, on one that isn't.
fn run<F: Future<Output: Send> + Send>(runtime: &Handle, work: F) -> F::Output {
    if Handle::try_current().is_err() {
        return runtime.block_on(work);
    }
    std::thread::scope(|scope| match scope.spawn(|| runtime.block_on(work)).join() {
        Ok(output) => output,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
