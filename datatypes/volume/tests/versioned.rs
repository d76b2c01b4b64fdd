//! Volumes at versions, on the reference engine.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use chunks::{
    ChunkStore, Codec, Compression, DType, Fill, Grid, Region, read_region, stored_chunks, write_region,
};
use engine_api::key::{DataContext, Mark};
use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::version::{Flow, OrderedKeyValue, Repo, Versioned};
use engine_api::{Error, ErrorKind, KeyRange, MemoryStore, Result, Store, StoreExt};
use volume::{
    ImageInfo, ImageReader, ImageWriter, ImportOptions, Progress, Properties, Volume, export_region,
    import_image, write_image,
};

fn store() -> (Versioned<MemoryStore>, Repo) {
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    (store, repo)
}

fn grid() -> Grid {
    Grid::new(&[20, 30, 40], &[8, 8, 8], DType::U16).unwrap()
}

fn pattern(region: &Region, seed: u16) -> Vec<u8> {
    (0..u16::try_from(region.elements()).unwrap())
        .flat_map(|n| n.wrapping_mul(31).wrapping_add(seed).to_le_bytes())
        .collect()
}

fn read<S: Store>(volume: &Volume<'_, S>, version: engine_api::key::VersionId, region: &Region) -> Vec<u8> {
    let mut out = vec![0; region.bytes(2).unwrap()];
    read_region(&volume.at(version), region, &mut out).unwrap();
    out
}

#[test]
fn each_version_keeps_its_own_elements() {
    let (store, repo) = store();
    let volume = Volume::create(&store, repo.id, "v", Properties::new(grid()).unwrap()).unwrap();
    let (all, part): (Region, Region) = (grid().bounds(), "3:11,5:20,7:9".parse().unwrap());
    let original = pattern(&all, 1);
    write_region(&volume.at(repo.root), &all, &original).unwrap();
    store.commit_version(repo.root, "").unwrap();
    let side = store.new_version(repo.root, Some("side")).unwrap().id;
    let changed = pattern(&part, 9);
    write_region(&volume.at(side), &part, &changed).unwrap();
    assert_eq!(read(&volume, repo.root, &all), original);
    assert_eq!(read(&volume, side, &part), changed);
    let mut expected = original;
    chunks::copy_region(&changed, &part, &mut expected, &all, &part, 2).unwrap();
    assert_eq!(read(&volume, side, &all), expected);
    let error = write_region(&volume.at(repo.root), &part, &changed).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly);
}

#[test]
fn blanking_a_chunk_hides_the_ancestors_and_stores_nothing_elsewhere() {
    let (store, repo) = store();
    let fill = Fill::parse(DType::U16, "7").unwrap();
    let grid = grid().with_fill(fill).unwrap();
    let volume = Volume::create(&store, repo.id, "v", Properties::new(grid).unwrap()).unwrap();
    let chunk: Region = "0:8,0:8,0:8".parse().unwrap();
    write_region(&volume.at(repo.root), &chunk, &pattern(&chunk, 1)).unwrap();
    store.commit_version(repo.root, "").unwrap();
    let side = store.new_version(repo.root, Some("side")).unwrap().id;
    let all = grid.bounds();
    let blank: Vec<u8> = fill.bytes().repeat(usize::try_from(all.elements()).unwrap());
    write_region(&volume.at(side), &all, &blank).unwrap();
    assert_eq!(read(&volume, side, &all), blank);
    assert_eq!(stored_chunks(&volume.at(side)).unwrap(), []);
    assert_eq!(stored_chunks(&volume.at(repo.root)).unwrap().len(), 1);
    let mut marks = Vec::new();
    let ctx = DataContext::versioned(volume.instance().id, side);
    store
        .visit_raw(&ctx, &KeyRange::ALL, &mut |key, _| {
            marks.push((key.version, key.mark));
            Ok(Flow::Continue(()))
        })
        .unwrap();
    assert_eq!(marks, [(side, Mark::Tombstone), (repo.root, Mark::Data)], "one tombstone, for the one chunk");
}

#[test]
fn writers_of_one_chunk_lose_nothing_to_each_other() {
    let (store, repo) = store();
    let grid = Grid::new(&[1, 1, 64], &[1, 1, 64], DType::U16).unwrap();
    let volume = Volume::create(&store, repo.id, "v", Properties::new(grid).unwrap()).unwrap();
    let shared = volume.at(repo.root);
    std::thread::scope(|scope| {
        for thread in 0..8_i64 {
            // Half of the writers share a handle, and the others have one each.
            let (shared, volume, root) = (&shared, &volume, repo.root);
            scope.spawn(move || {
                let own = volume.at(root);
                let handle = if thread % 2 == 0 { shared } else { &own };
                for at in 0..8 {
                    let element = Region::new(&[0, 0, thread * 8 + at], &[1, 1, 1]).unwrap();
                    write_region(handle, &element, &[1, 1]).unwrap();
                }
            });
        }
    });
    assert_eq!(read(&volume, repo.root, &grid.bounds()), vec![1; 128]);
}

#[test]
fn a_conflict_names_the_chunk_and_the_versions() {
    let (store, repo) = store();
    let volume = Volume::create(&store, repo.id, "v", Properties::new(grid()).unwrap()).unwrap();
    store.commit_version(repo.root, "").unwrap();
    let chunk: Region = "8:16,0:8,0:8".parse().unwrap();
    let mut sides = Vec::new();
    for (name, seed) in [("a", 1), ("b", 2)] {
        let side = store.new_version(repo.root, Some(name)).unwrap().id;
        write_region(&volume.at(side), &chunk, &pattern(&chunk, seed)).unwrap();
        store.commit_version(side, "").unwrap();
        sides.push(side);
    }
    let merged = store.merge(&sides, Some("merged")).unwrap().id;
    let mut out = vec![0; chunk.bytes(2).unwrap()];
    let error = read_region(&volume.at(merged), &chunk, &mut out).unwrap_err();
    assert_eq!((error.kind(), error.field("chunk")), (ErrorKind::Conflict, Some("(1,0,0)")));
    assert_eq!(error.field("versions"), Some("2, 3"));
    let part: Region = "8:9,0:1,0:1".parse().unwrap();
    let error = write_region(&volume.at(merged), &part, &[0, 0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "half of a chunk doesn't choose");
    write_region(&volume.at(merged), &chunk, &pattern(&chunk, 3)).unwrap();
    assert_eq!(read(&volume, merged, &chunk), pattern(&chunk, 3), "a whole one does");
}

#[test]
fn a_damaged_chunk_is_named_and_the_others_are_read() {
    let (store, repo) = store();
    let volume = Volume::create(&store, repo.id, "v", Properties::new(grid()).unwrap()).unwrap();
    let all = grid().bounds();
    write_region(&volume.at(repo.root), &all, &pattern(&all, 1)).unwrap();
    let ctx = DataContext::versioned(volume.instance().id, repo.root);
    let mut keys = Vec::new();
    store
        .visit_raw(&ctx, &KeyRange::ALL, &mut |key, value| {
            keys.push((key.clone(), value.to_bytes()?));
            Ok(Flow::Continue(()))
        })
        .unwrap();
    let (key, frame) = &keys[1];
    let mut damaged = frame.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    store.store().put(key.encode(), damaged).unwrap();
    let mut out = vec![0; all.bytes(2).unwrap()];
    let error = read_region(&volume.at(repo.root), &all, &mut out).unwrap_err();
    assert_eq!((error.kind(), error.field("chunk")), (ErrorKind::Corrupt, Some("(0,0,1)")));
    let mut found = Vec::new();
    let count = volume
        .at(repo.root)
        .check(&mut |at, outcome| found.extend(outcome.err().map(|_| at.chunk.to_string())))
        .unwrap();
    assert_eq!((count, found), (60, vec!["(0,0,1)".to_owned()]));
}

/// An image in memory, which can end too early.
struct Pixels {
    info: ImageInfo,
    data: Vec<u8>,
    at: usize,
}

impl Pixels {
    fn new(shape: &[u64], seed: u16) -> Self {
        let info = ImageInfo::new(shape, DType::U16).unwrap();
        let data = pattern(&Region::at_origin(shape).unwrap(), seed);
        Self { info, data, at: 0 }
    }
}

impl ImageReader for Pixels {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn next_slab(&mut self, out: &mut [u8]) -> Result<u64> {
        // One slice at a time, fewer than there is room for.
        let slice = self.info.slice_bytes()?;
        let Some(pixels) = self.data.get(self.at..self.at + slice) else { return Ok(0) };
        out[..slice].copy_from_slice(pixels);
        self.at += slice;
        Ok(1)
    }
}

#[derive(Clone, Default)]
struct Sink(std::sync::Arc<std::sync::Mutex<(Vec<u8>, bool)>>);

struct SinkWriter(ImageInfo, Sink);

impl ImageWriter for SinkWriter {
    fn info(&self) -> &ImageInfo {
        &self.0
    }

    fn write_slab(&mut self, data: &[u8]) -> Result<()> {
        self.1.0.lock().unwrap().0.extend_from_slice(data);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.1.0.lock().unwrap().1 = true;
        Ok(())
    }
}

fn export<S: Store>(volume: &volume::VolumeAt<'_, S>, region: &Region) -> Vec<u8> {
    let sink = Sink::default();
    let writer = sink.clone();
    export_region(
        volume,
        (0, region),
        |info| Ok(Box::new(SinkWriter(info.clone(), writer))),
        &mut |_| Ok(()),
    )
    .unwrap();
    let done = sink.0.lock().unwrap();
    assert!(done.1, "the file was finished");
    done.0.clone()
}

#[test]
fn what_is_imported_is_exported_whatever_the_chunks() {
    for (chunk, codec) in [
        ([1, 1, 1], Codec::NONE),
        ([7, 5, 3], Codec::FAST),
        ([8, 64, 64], Codec { compression: Compression::Zstd { level: 3 }, shuffle: false }),
        ([64, 64, 64], Codec::default()),
    ] {
        let (store, repo) = store();
        let options = ImportOptions { chunk_shape: Some(chunk.to_vec()), codec, ..ImportOptions::default() };
        let mut image = Pixels::new(&[9, 11, 13], 5);
        let mut seen = Vec::new();
        let volume = import_image(&store, (repo.id, repo.root), "v", &mut image, &options, &mut |progress| {
            seen.push(progress.done);
            Ok(())
        })
        .unwrap();
        assert_eq!(seen.last(), Some(&9));
        let at = volume.at(repo.root);
        assert_eq!(export(&at, &at.grid().bounds()), image.data);
        let part: Region = "2:7,3:9,4:13".parse().unwrap();
        let mut expected = vec![0; part.bytes(2).unwrap()];
        chunks::copy_region(&image.data, &at.grid().bounds(), &mut expected, &part, &part, 2).unwrap();
        assert_eq!(export(&at, &part), expected);
    }
}

#[test]
fn an_import_that_fails_or_is_stopped_leaves_nothing() {
    let (store, repo) = store();
    let options = ImportOptions { chunk_shape: Some(vec![2, 8, 8]), ..ImportOptions::default() };
    let mut truncated = Pixels::new(&[9, 11, 13], 5);
    truncated.data.truncate(1500);
    let outcome = import_image(&store, (repo.id, repo.root), "v", &mut truncated, &options, &mut |_| Ok(()));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Corrupt);
    let stop = &mut |progress: Progress| {
        if progress.done < 4 { Ok(()) } else { Err(Error::new(ErrorKind::Unavailable, "stopped")) }
    };
    let outcome =
        import_image(&store, (repo.id, repo.root), "v", &mut Pixels::new(&[9, 11, 13], 5), &options, stop);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(store.dag().unwrap().instances().count(), 0);
    let data = KeyRange::prefix(&[1]);
    assert_eq!(store.store().count(&data).unwrap(), 0);
}

#[test]
fn what_a_killed_import_left_is_refused_and_replaced_by_the_next() {
    let faults = Faults::new();
    let store = Versioned::create(Faulty::new(MemoryStore::new(), faults.clone())).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let options = ImportOptions { chunk_shape: Some(vec![2, 8, 8]), ..ImportOptions::default() };
    // A commit fails and takes the clean-up with it, which is what a kill looks like from here.
    let mut image = Pixels::new(&[9, 11, 13], 5);
    let outcome = import_image(&store, (repo.id, repo.root), "v", &mut image, &options, &mut |progress| {
        if progress.done >= 4 {
            faults.fail_after(Fault::Commit, 0);
            return Err(Error::new(ErrorKind::Unavailable, "killed"));
        }
        Ok(())
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Io, "the clean-up's own failure is what is told");
    assert_eq!(Volume::open(&store, "v").unwrap_err().kind(), ErrorKind::Poisoned);
    let mut image = Pixels::new(&[4, 4, 4], 6);
    let volume =
        import_image(&store, (repo.id, repo.root), "v", &mut image, &ImportOptions::default(), &mut |_| {
            Ok(())
        })
        .unwrap();
    let at = volume.at(repo.root);
    assert_eq!(export(&at, &at.grid().bounds()), image.data);
    let again = import_image(
        &store,
        (repo.id, repo.root),
        "v",
        &mut Pixels::new(&[4, 4, 4], 6),
        &ImportOptions::default(),
        &mut |_| Ok(()),
    );
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists, "a finished volume isn't replaced");
}

#[test]
fn an_image_is_written_into_a_volume_or_not_at_all() {
    let (store, repo) = store();
    let volume = Volume::create(&store, repo.id, "v", Properties::new(grid()).unwrap()).unwrap();
    let at = volume.at(repo.root);
    let region = write_image(&at, &mut Pixels::new(&[3, 4, 5], 8), &[17, 0, 35], &mut |_| Ok(())).unwrap();
    assert_eq!(region.to_string(), "17:20,0:4,35:40");
    assert_eq!(read(&volume, repo.root, &region), pattern(&region, 8));
    let outside = write_image(&at, &mut Pixels::new(&[3, 4, 5], 8), &[18, 0, 0], &mut |_| Ok(()));
    assert_eq!(outside.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let below = write_image(&at, &mut Pixels::new(&[3, 4, 5], 8), &[-1, 0, 0], &mut |_| Ok(()));
    assert_eq!(below.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let mut other = Pixels { info: ImageInfo::new(&[3, 4, 5], DType::U8).unwrap(), data: vec![0; 60], at: 0 };
    let typed = write_image(&at, &mut other, &[0, 0, 0], &mut |_| Ok(()));
    assert_eq!(typed.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn the_properties_to_the_byte() {
    let grid = Grid::new(&[2, 3], &[2, 2], DType::U8).unwrap();
    let json = serde_json::to_string(&Properties::new(grid).unwrap()).unwrap();
    let golden = r#"{"grid":{"shape":[2,3],"chunk_shape":[2,2],"dtype":"u8","fill":"0"},"codec":"zstd:1+shuffle","axes":[{"name":"y"},{"name":"x"}]}"#;
    assert_eq!(json, golden);
    assert_eq!(serde_json::from_str::<Properties>(golden).unwrap(), Properties::new(grid).unwrap());
}
