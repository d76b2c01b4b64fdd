//! A reader that asks for everything a file may have.

use std::sync::{Arc, LazyLock};

use array_file::{ArrayElement, ArrayFile, ArrayMeta, DType, Error, FileConfig, List, Result};
use ndarray::ArrayD;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Runtime};

use crate::bundle::NAME;

/// No more elements of an array are read at once.
const ELEMENTS: u64 = 1 << 12;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime"));

/// Opens the file of a manifest, of layers, the first of them number 1, and of statistics; reads all that it
/// has; compacts it, and reads it again. Answers how many arrays could be read.
///
/// # Errors
/// What opening failed with.
///
/// # Panics
/// Where a compaction changes what is read.
pub fn read_everything(manifest: &[u8], layers: &[Vec<u8>], stats: &[u8]) -> Result<usize> {
    RUNTIME.block_on(async {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let stem = NAME.trim_end_matches(".af");
        // The number that it says is the one of its name, so that more than the first look is reached.
        let commit = manifest.get(8..16).and_then(|part| part.try_into().ok()).map_or(1, u64::from_le_bytes);
        put(&store, format!("{stem}.commits/{commit:020}.manifest"), manifest).await?;
        put(&store, format!("{stem}.stats"), stats).await?;
        for (number, layer) in (1..).zip(layers) {
            put(&store, format!("{stem}.{number}.af"), layer).await?;
        }
        let mut file = ArrayFile::open(Arc::clone(&store), NAME, FileConfig::default()).await?;
        let before = read(&file).await;
        if file.compact().await.is_ok() {
            let file = ArrayFile::open(store, NAME, FileConfig::default()).await?;
            for (name, (after, before)) in
                read(&file).await.into_iter().zip(&before).map(|(a, b)| (a.0, (a.1, &b.1)))
            {
                if let (Some(after), Some(before)) = (after, before) {
                    assert!(after == *before, "a compaction has changed the array {name}");
                }
            }
        }
        Ok(before.into_iter().filter(|(_, read)| read.is_some()).count())
    })
}

async fn put(store: &Arc<dyn ObjectStore>, name: String, bytes: &[u8]) -> Result<()> {
    store.put(&Path::from(name), bytes.to_vec().into()).await.map(|_| ()).map_err(Error::Storage)
}

/// The arrays' names, and what of each was read, where that could be.
async fn read(file: &ArrayFile) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    for meta in file.list_arrays() {
        // Whatever these answer: they may fail, and must come back.
        drop(file.stored_chunks(&meta.name).await);
        drop(file.array_stats(&meta.name).await);
        all.push((meta.name.clone(), elements(file, meta).await.ok()));
    }
    all
}

async fn elements(file: &ArrayFile, meta: &ArrayMeta) -> Result<String> {
    match &meta.dtype {
        DType::String => values::<String>(file, meta).await,
        DType::Binary => values::<Vec<u8>>(file, meta).await,
        DType::List { child } => match **child {
            DType::Float32 => values::<List<f32>>(file, meta).await,
            DType::String => values::<List<String>>(file, meta).await,
            DType::UInt8 => values::<List<u8>>(file, meta).await,
            _ => Err(Error::ArrayNotFound { name: meta.name.clone() }),
        },
        dtype => {
            let size = dtype.element_size().filter(|size| *size <= 1 << 12);
            let size = size.ok_or(Error::ArrayNotFound { name: meta.name.clone() })?;
            let shape = region(meta);
            let elements = usize::try_from(shape.iter().product::<u64>()).unwrap_or(0);
            let mut out = vec![0; elements * size];
            file.read_bytes(&meta.name, &vec![0; shape.len()], &shape, &mut out).await?;
            Ok(format!("{out:?}"))
        }
    }
}

async fn values<T: ArrayElement + std::fmt::Debug>(file: &ArrayFile, meta: &ArrayMeta) -> Result<String> {
    let shape = region(meta);
    let read: ArrayD<T> = file.read_array(&meta.name, &vec![0; shape.len()], &shape).await?;
    // Floats that aren't numbers aren't equal to themselves: their text is.
    Ok(format!("{:?}", read.into_raw_vec_and_offset().0))
}

/// The array, or as much of it as there may be read.
fn region(meta: &ArrayMeta) -> Vec<u64> {
    let mut left = ELEMENTS;
    let along = |length: &u64| {
        let length = (*length).min(left);
        left /= length.max(1);
        length
    };
    meta.shape.iter().map(along).collect()
}
