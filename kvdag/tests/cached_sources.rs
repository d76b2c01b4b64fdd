//! Stores of chunks of all kinds, read through a cache.
#![cfg(feature = "cache")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kvdag::cache::{CachedScales, dataset_of, identity};
use kvdag::chunks::{
    ChunkSink, ChunkSource, ChunkStore, Codec, Coords, DType, DerivedChunks, Grid, MemoryChunks,
    MultiscaleStore, Scales, read_region, write_region,
};
use kvdag::dataset_cache::{Cached, DatasetCache, DatasetId};
use kvdag::volume::{Properties, Volume, edit_region};
use kvdag::{ErrorKind, Result};
use tempfile::{TempDir, tempdir};

/// A source that counts the chunks it is asked for.
#[derive(Debug)]
struct Counting<S>(S, AtomicU64);

impl<S> Counting<S> {
    fn new(store: S) -> Self {
        Self(store, AtomicU64::new(0))
    }

    fn asked(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }
}

impl<S: ChunkStore> ChunkStore for Counting<S> {
    fn grid(&self) -> &Grid {
        self.0.grid()
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read_chunk(chunk, out)
    }

    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
        self.0.write_chunks(source)
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
        self.0.delete_chunks(chunks)
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        self.0.list_chunks(visit)
    }

    fn read_chunks(&self, chunks: &[Coords], sink: &ChunkSink<'_>) -> Result<()> {
        self.1.fetch_add(chunks.len().try_into().unwrap(), Ordering::Relaxed);
        self.0.read_chunks(chunks, sink)
    }
}

/// Scales that count the chunks which they are asked for.
#[derive(Debug)]
struct CountingScales<'a>(&'a Scales, Vec<Counting<&'a dyn ChunkStore>>);

impl<'a> CountingScales<'a> {
    fn new(scales: &'a dyn MultiscaleStore) -> Self {
        let stores = (0..scales.scales().len()).map(|scale| Counting::new(scales.scale(scale).unwrap()));
        Self(scales.scales(), stores.collect())
    }
}

impl MultiscaleStore for CountingScales<'_> {
    fn scales(&self) -> &Scales {
        self.0
    }

    fn scale(&self, scale: usize) -> Result<&dyn ChunkStore> {
        self.0.grid(scale).map(|_| &self.1[scale] as &dyn ChunkStore)
    }

    fn derive(&self, _: usize, _: &dyn DerivedChunks) -> Result<()> {
        unreachable!("nothing is written through a cache")
    }
}

fn cache(folder: &TempDir) -> Arc<DatasetCache> {
    Arc::new(DatasetCache::create_or_open(folder.path().join("chunks.cache"), 16 << 20).unwrap())
}

fn voxels(store: &(impl ChunkStore + ?Sized)) -> Vec<u8> {
    let grid = store.grid();
    let mut voxels = vec![0; grid.bounds().bytes(grid.element_size()).unwrap()];
    read_region(store, &grid.bounds(), &mut voxels).unwrap();
    voxels
}

/// Bytes of a region of a grid that no two elements share for long.
fn pattern(bytes: usize, seed: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from((at * 7 + at / 251 + seed * 31) % 251).unwrap()).collect()
}

/// Reads a source twice through a cache, and once more after it was closed and opened: the source is asked once for each
/// chunk, and every read shows what it has.
fn is_asked_once(source: impl ChunkStore) {
    let folder = tempdir().unwrap();
    let expected = voxels(&source);
    let chunks = source.grid().chunks_in(&source.grid().bounds()).unwrap().count();
    let source = Counting::new(source);
    let id = DatasetId::of_parts(&[b"source"]);
    for _ in 0..2 {
        let cached = Cached::new(&source, cache(&folder), id, 0);
        assert!(voxels(&cached) == expected);
        assert!(voxels(&cached) == expected);
        let chunk = Coords::new(&vec![0; cached.grid().rank()]).unwrap();
        let mut bytes = vec![0; cached.grid().chunk_bytes()];
        cached.read_chunk(&chunk, &mut bytes).unwrap();
        assert_eq!(source.asked(), u64::try_from(chunks).unwrap());
    }
    // Nothing but the cache says what another id's chunks are.
    let other = Cached::new(&source, cache(&folder), id.at(1), 0);
    assert!(voxels(&other) == expected);
    assert_eq!(source.asked(), 2 * u64::try_from(chunks).unwrap());
}

#[test]
fn versions_of_a_volume_are_cached_when_they_are_committed_and_never_mixed() {
    let folder = tempdir().unwrap();
    let cache = cache(&folder);
    let store = kvdag::open_versioned("memory:").unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let grid = Grid::new(&[20, 30, 40], &[8, 8, 16], DType::U16).unwrap();
    let properties = Properties { factors: vec![vec![2, 2, 2]], ..Properties::new(grid).unwrap() };
    let volume = Volume::create(&store, repo.id, "v", properties).unwrap();
    let names = ["main", "left", "right"];
    let here = identity("memory:").unwrap();
    for (seed, name) in names.into_iter().enumerate() {
        if seed > 0 {
            store.new_version(repo.root, Some(name)).unwrap();
        }
        let version = store.find(name).unwrap();
        let data = pattern(20 * 30 * 40 * 2, seed);
        edit_region(&volume.at(version.id), &"0:20,0:30,0:40".parse().unwrap(), &data).unwrap();
        assert_eq!(dataset_of(&here, volume.instance(), &version), None, "an open version has no dataset");
        store.commit_version(version.id, "").unwrap();
    }
    let mut asked = 0;
    for round in 0..2 {
        for (seed, name) in names.into_iter().enumerate() {
            let version = store.find(name).unwrap();
            let at = volume.at(version.id);
            let counting = CountingScales::new(&at);
            let id = dataset_of(&here, volume.instance(), &version).unwrap();
            let cached = CachedScales::new(&counting, &cache, id).unwrap();
            assert!(voxels(cached.scale(0).unwrap()) == pattern(20 * 30 * 40 * 2, seed), "{name}");
            assert!(voxels(cached.scale(1).unwrap()) == voxels(at.scale(1).unwrap()), "{name}");
            assert_eq!(cached.scale(2).unwrap_err().kind(), ErrorKind::InvalidArgument);
            let now: u64 = counting.1.iter().map(Counting::asked).sum();
            assert_eq!(now > 0, round == 0, "{name}: the second time nobody asks the store");
            asked += now;
        }
    }
    assert_eq!(asked, cache.statistics().unwrap().misses);
    assert_eq!(cache.statistics().unwrap().hits, asked);

    // What is called alike elsewhere, or was committed at another time, is something else.
    let version = store.find("main").unwrap();
    let id = dataset_of(&here, volume.instance(), &version);
    let later = kvdag::version::Version { committed: version.committed.map(|at| at + 1), ..version.clone() };
    assert_ne!(dataset_of(&here, volume.instance(), &later), id);
    assert_ne!(dataset_of("redb:///elsewhere", volume.instance(), &version), id);
    let other = Volume::create(&store, repo.id, "w", Properties::new(grid).unwrap()).unwrap();
    assert_ne!(dataset_of(&here, other.instance(), &version), id);
}

#[test]
fn chunks_in_memory_are_asked_once() {
    let grid = Grid::new(&[19, 26, 37], &[8, 8, 8], DType::U16).unwrap();
    let chunks = MemoryChunks::new(grid, Codec::default());
    write_region(&chunks, &"0:19,0:26,0:17".parse().unwrap(), &pattern(19 * 26 * 17 * 2, 3)).unwrap();
    is_asked_once(chunks);
}

#[cfg(feature = "blockfs")]
#[test]
fn a_volume_of_blockfs_is_asked_once() {
    use kvdag::blockfs::{BlockFs, BlockFsSpec, BlockWriter};

    let folder = tempdir().unwrap();
    let path = folder.path().join("v.blockfs");
    BlockFs::create(&path, &BlockFsSpec::new([19, 26, 37], [8, 8, 8], DType::U16).files(2)).unwrap();
    let writer = BlockWriter::open(&path).unwrap();
    // A part of it has nothing stored.
    write_region(&writer, &"0:19,0:26,0:17".parse().unwrap(), &pattern(19 * 26 * 17 * 2, 3)).unwrap();
    writer.close().unwrap();
    is_asked_once(BlockFs::open(&path).unwrap());
}

#[cfg(feature = "array")]
#[test]
fn an_array_of_a_file_is_asked_once() {
    use kvdag::array_file::{ArrayFile, ArraySpec, FileConfig, SyncFile};

    let file = SyncFile::open(ArrayFile::create_memory(FileConfig::default())).unwrap();
    let spec = ArraySpec::new::<u16>(&[19, 26, 37]).chunk_shape(&[8, 8, 8]);
    file.update(|file| file.define_array("a", spec).map(|_| ())).unwrap();
    let array = file.chunks("a").unwrap();
    write_region(&array, &"0:19,0:26,0:17".parse().unwrap(), &pattern(19 * 26 * 17 * 2, 3)).unwrap();
    file.flush().unwrap();
    is_asked_once(array);
}

/// Answers files of a folder, one request per connection.
#[cfg(feature = "http")]
fn served(folder: std::path::PathBuf) -> String {
    use std::io::{BufRead, BufReader, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(std::result::Result::ok) {
            let mut lines =
                BufReader::new(stream.try_clone().unwrap()).lines().map_while(std::result::Result::ok);
            let Some(asked) = lines.next() else { continue };
            // All of the request is read before the connection is closed.
            assert!(lines.any(|line| line.is_empty()));
            let (status, body) = match std::fs::read(folder.join(&asked.split(' ').nth(1).unwrap()[1..])) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    url
}

#[cfg(feature = "http")]
#[test]
fn a_volume_at_a_url_is_asked_once() {
    use kvdag::cache::dataset_of_source;
    use kvdag::volume::{CreateOptions, HttpOptions, ImageInfo, PrecomputedSource, create_image_with};

    let folder = tempdir().unwrap();
    let path = folder.path().join("v.precomputed");
    let image = ImageInfo::new(&[19, 26, 37], DType::U16).unwrap();
    let options = CreateOptions { chunk_shape: Some(vec![8, 8, 8]), ..CreateOptions::default() };
    let mut writer = create_image_with(&path, &image, options).unwrap();
    writer.write_slab(&pattern(19 * 26 * 37 * 2, 3)).unwrap();
    writer.finish().unwrap();
    let url = served(path.clone());
    let open = || PrecomputedSource::open(&url, &HttpOptions::default()).unwrap();
    let source = open();
    is_asked_once(source.shared(0).unwrap());
    // What isn't there is cached as well, and another description is another dataset.
    let id = dataset_of_source(&source);
    assert_eq!(dataset_of_source(&open()), id);
    let info = std::fs::read_to_string(path.join("info")).unwrap();
    std::fs::write(path.join("info"), format!("{info} ")).unwrap();
    assert_ne!(dataset_of_source(&open()), id);
}
