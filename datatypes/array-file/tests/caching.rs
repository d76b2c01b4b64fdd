//! What is kept in memory of what was read.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use array_file::{ArrayFile, BlockCodec, CompressionCodec, FileConfig};
use common::counting::Counting;
use common::{PATH, line, put};
use ndarray::ArrayD;

/// Blocks of one byte, over and over, as that byte alone.
#[derive(Debug, Default)]
struct OneByte(AtomicUsize);

impl CompressionCodec for OneByte {
    fn id(&self) -> &'static str {
        "one-byte"
    }

    fn compress(&self, block: &[u8]) -> Result<Vec<u8>, String> {
        let first = *block.first().ok_or("it is empty")?;
        if block.iter().all(|byte| *byte == first) { Ok(vec![first]) } else { Err("bytes differ".into()) }
    }

    fn decompress(&self, compressed: &[u8], out: &mut [u8]) -> Result<(), String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        out.fill(*compressed.first().ok_or("it is empty")?);
        Ok(())
    }
}

/// A file with one chunk, and how often it was restored.
struct Scene {
    file: ArrayFile,
    codec: Arc<OneByte>,
    store: Arc<Counting>,
}

const ELEMENTS: u64 = 200_000;

impl Scene {
    async fn new(config: FileConfig) -> Self {
        let codec = Arc::new(OneByte::default());
        let store = Arc::new(Counting::default());
        let own: Arc<dyn CompressionCodec> = codec.clone();
        let config = FileConfig { codec: BlockCodec::from(own), ..config };
        let mut file = ArrayFile::create(store.clone(), PATH, config).await.unwrap();
        file.define_array("a", line(ELEMENTS, 0).chunk_shape(&[ELEMENTS])).unwrap();
        put(&mut file, "a", 0, &vec![0x0505_0505; usize::try_from(ELEMENTS).unwrap()]).await;
        file.flush().await.unwrap();
        Self { file, codec, store }
    }

    /// Reads so many elements; answers how many blocks were restored and whether the store was asked.
    async fn read(&self, elements: u64) -> (usize, bool) {
        self.store.reset();
        let before = self.codec.0.load(Ordering::Relaxed);
        let read: ArrayD<u32> = self.file.read_array("a", &[7], &[elements]).await.unwrap();
        assert!(read.iter().all(|element| *element == 0x0505_0505));
        (self.codec.0.load(Ordering::Relaxed) - before, self.store.bytes() != (0, 0))
    }
}

#[tokio::test]
async fn a_chunk_that_is_read_whole_is_kept_restored_from_its_second_time_on() {
    let scene = Scene::new(FileConfig::default()).await;
    let whole = ELEMENTS - 7;
    assert_eq!(scene.read(whole).await, (1, true));
    assert_eq!(scene.read(whole).await, (1, false));
    assert_eq!(scene.read(whole).await, (0, false));
}

#[tokio::test]
async fn a_chunk_that_is_read_in_parts_is_kept_restored_at_once() {
    let scene = Scene::new(FileConfig::default()).await;
    assert_eq!(scene.read(1).await, (1, true));
    assert_eq!(scene.read(1).await, (0, false));
    assert_eq!(scene.read(ELEMENTS - 7).await, (0, false));
}

#[tokio::test]
async fn where_nothing_is_kept_as_it_is_stored_a_chunk_is_kept_restored_at_once() {
    let scene = Scene::new(FileConfig { io_cache_capacity: 0, ..FileConfig::default() }).await;
    assert_eq!(scene.read(ELEMENTS - 7).await, (1, true));
    assert_eq!(scene.read(ELEMENTS - 7).await, (0, false));
}
