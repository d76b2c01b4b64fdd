//! What the usual things take on a local disk: `cargo run --release -p array-file --example timings -- FOLDER [CODEC [unsynced]]`.
//!
//! CPU seconds are those of all threads, and the steady figure where others use the machine too.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::cast_possible_truncation, reason = "noise is made by cutting")]

use std::sync::Arc;
use std::time::Instant;

use array_file::{ArrayFile, ArraySpec, FileConfig};
use chunks::Codec;
use ndarray::{Array3, ArrayD, s};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

const SIDE: usize = 512;
const CHUNK: u64 = 64;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "array-file-timings".to_owned());
    let codec: Codec = arguments.next().map_or_else(Codec::default, |codec| codec.parse().unwrap());
    std::fs::create_dir(&folder).unwrap();
    let synced = arguments.next().is_none_or(|word| word != "unsynced");
    let disk = LocalFileSystem::new_with_prefix(&folder).unwrap().with_fsync(synced);
    run(Arc::new(disk), codec).await;
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn run(store: Arc<dyn ObjectStore>, codec: Codec) {
    println!("512^3 u16, 64^3 chunks, {codec}");
    let config = FileConfig::new(codec);
    let noisy = Array3::from_shape_fn((SIDE, SIDE, SIDE), |(z, y, x)| {
        let at = ((z * SIDE + y) * SIDE + x) as u64;
        (((3 * z + 2 * y + x) & 1023) as u64 + (splitmix(at) & 255)) as u16
    });
    let mut file = ArrayFile::create(store.clone(), "big.af", config.clone()).await.unwrap();
    let side = SIDE as u64;
    let spec = ArraySpec::new::<u16>(&[side; 3]).chunk_shape(&[CHUNK; 3]);
    file.define_array("image", spec.clone()).unwrap();
    let timer = Timer::start();
    file.write_array("image", &[0; 3], noisy.view()).await.unwrap();
    file.flush().await.unwrap();
    timer.stop("write whole + flush");

    file.define_array("strided", spec).unwrap();
    let timer = Timer::start();
    for z in 0..side / CHUNK {
        for y in 0..side / CHUNK {
            for x in 0..side / CHUNK {
                let start = [z * CHUNK, y * CHUNK, x * CHUNK];
                let [a, b, c] = start.map(|at| at as usize..(at + CHUNK) as usize);
                file.write_array("strided", &start, noisy.slice(s![a, b, c])).await.unwrap();
            }
        }
    }
    file.flush().await.unwrap();
    timer.stop("write 512 strided views + flush");

    let file = ArrayFile::open(store.clone(), "big.af", config.clone()).await.unwrap();
    let timer = Timer::start();
    let read: ArrayD<u16> = file.read_array("image", &[], &[]).await.unwrap();
    timer.stop("read whole");
    assert!(read == noisy.into_dyn());
    drop(read);

    let uncached = FileConfig { cache_capacity: 0, io_cache_capacity: 0, ..config.clone() };
    let file = ArrayFile::open(store.clone(), "big.af", uncached).await.unwrap();
    let timer = Timer::start();
    for at in 0..512u64 {
        let start = [at / 64 * CHUNK, at / 8 % 8 * CHUNK, at % 8 * CHUNK];
        let chunk: ArrayD<u16> = file.read_array("image", &start, &[CHUNK; 3]).await.unwrap();
        assert_eq!(chunk.len(), 64 * 64 * 64);
    }
    timer.stop("read 512 chunks");

    let file = ArrayFile::open(store.clone(), "big.af", config.clone()).await.unwrap();
    let timer = Timer::start();
    file.read_array::<u16>("image", &[300, 200, 100], &[1, 1, 1]).await.unwrap();
    timer.stop("read one voxel, index and chunk cold");

    let mut file = ArrayFile::open(store.clone(), "big.af", config.clone()).await.unwrap();
    let edit = Array3::from_elem((8, 8, 8), 7u16);
    for round in ["first", "second"] {
        let timer = Timer::start();
        file.write_array("image", &[100, 100, 100], edit.view()).await.unwrap();
        file.flush().await.unwrap();
        timer.stop(&format!("8^3 edit + commit, the {round}"));
    }

    let mut file = ArrayFile::create(store.clone(), "small.af", config.clone()).await.unwrap();
    file.define_array("a", ArraySpec::new::<u16>(&[256; 3]).chunk_shape(&[8; 3])).unwrap();
    let small = Array3::from_shape_fn((256, 256, 256), |(z, y, x)| (z * 311 + y * 17 + x) as u16);
    let timer = Timer::start();
    file.write_array("a", &[0; 3], small.view()).await.unwrap();
    timer.stop("write 32768 chunks of 8^3");
    let timer = Timer::start();
    file.flush().await.unwrap();
    timer.stop("flush them");
    let timer = Timer::start();
    let read: ArrayD<u16> = file.read_array("a", &[], &[]).await.unwrap();
    timer.stop("read them");
    assert!(read == small.into_dyn());
    file.read_array::<u16>("a", &[99, 99, 99], &[1, 1, 1]).await.unwrap();
    let timer = Timer::start();
    file.read_array::<u16>("a", &[99, 99, 99], &[1, 1, 1]).await.unwrap();
    timer.stop("read one voxel of them, warm");

    let mut file = ArrayFile::create(store.clone(), "layers.af", config.clone()).await.unwrap();
    file.define_array("a", ArraySpec::new::<u16>(&[256; 3]).chunk_shape(&[64; 3])).unwrap();
    file.write_array("a", &[0; 3], Array3::from_elem((256, 256, 256), 3u16).view()).await.unwrap();
    file.flush().await.unwrap();
    let timer = Timer::start();
    for round in 0..100u64 {
        let at = [round * 2, round, 255 - 8 - round];
        file.write_array("a", &at, edit.view()).await.unwrap();
        file.flush().await.unwrap();
    }
    timer.stop("100 edits of 8^3 + commits");
    let timer = Timer::start();
    let mut file = ArrayFile::open(store.clone(), "layers.af", config).await.unwrap();
    timer.stop("open 101 layers");
    let timer = Timer::start();
    file.read_array::<u16>("a", &[], &[]).await.unwrap();
    timer.stop("read all of 101 layers");
    let timer = Timer::start();
    file.compact().await.unwrap();
    timer.stop("compact them");
}

fn splitmix(at: u64) -> u64 {
    let i = at.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let i = (i ^ (i >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let i = (i ^ (i >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    i ^ (i >> 31)
}

struct Timer {
    begun: Instant,
    cpu: f64,
}

impl Timer {
    fn start() -> Self {
        Self { cpu: cpu_seconds(), begun: Instant::now() }
    }

    fn stop(self, what: &str) {
        let (wall, cpu) = (self.begun.elapsed().as_secs_f64(), cpu_seconds() - self.cpu);
        println!("{what:40} {:9.2} ms wall {:9.2} ms cpu", wall * 1000.0, cpu * 1000.0);
    }
}

/// User and system time of all threads, also those that have ended.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
