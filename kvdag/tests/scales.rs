//! Pyramids of real images on every engine: by eight threads in random order, by ingestion, and by recomputation.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod common;

use std::thread;

use common::{ENGINES, HEAD, testdata};
use kvdag::chunks::{ChunkStore, Coords, MultiscaleStore, Region, copy_region, read_region, stored_chunks};
use kvdag::downres::{Reducer, reduce_region, verify};
use kvdag::version::Versioned;
use kvdag::volume::{
    ImageInfo, ImageReader, ImportOptions, RegionReader, ScaleChoice, Volume, VolumeAt, downres_volume,
    edit_region, import_image, import_regions, open_image,
};
use kvdag::{Result, Store};
use tempfile::tempdir;

/// An image in memory.
struct Image {
    name: &'static str,
    info: ImageInfo,
    data: Vec<u8>,
    read: usize,
}

impl Image {
    fn of(name: &'static str) -> Self {
        let mut reader = open_image(testdata(name).as_ref(), None).unwrap();
        let info = reader.info().clone();
        let mut all = vec![0; info.slab_bytes(info.slices()).unwrap()];
        let mut at = 0;
        while at < all.len() {
            let slices = reader.next_slab(&mut all[at..]).unwrap();
            at += info.slab_bytes(slices).unwrap();
        }
        Self { name, info, data: all, read: 0 }
    }

    /// The elements of a region that begins where the image does.
    fn region(&self, offset: &[i64], region: &Region) -> Vec<u8> {
        let moved: Vec<i64> = region.offset().iter().zip(offset).map(|(at, start)| at - start).collect();
        let mut out = vec![0; region.bytes(self.info.dtype().size()).unwrap()];
        self.read_region(&Region::new(&moved, region.shape()).unwrap(), &mut out).unwrap();
        out
    }
}

impl RegionReader for Image {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn chunk_shape(&self) -> Option<&[u64]> {
        None
    }

    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let whole = Region::at_origin(self.info.shape())?;
        copy_region(&self.data, &whole, out, region, region, self.info.dtype().size())
    }
}

impl ImageReader for Image {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn next_slab(&mut self, out: &mut [u8]) -> Result<u64> {
        let slice = self.info.slice_bytes()?;
        let bytes = out.len().min(self.data.len() - self.read);
        out[..bytes].copy_from_slice(&self.data[self.read..self.read + bytes]);
        self.read += bytes;
        Ok(u64::try_from(bytes / slice).unwrap())
    }
}

fn scales_of<S: Store>(volume: &VolumeAt<'_, S>) -> Vec<(Vec<u8>, Vec<Coords>)> {
    (0..volume.scale_count())
        .map(|scale| {
            let store = volume.scale(scale).unwrap();
            let bounds = store.grid().bounds();
            let mut elements = vec![0; bounds.bytes(store.grid().element_size()).unwrap()];
            read_region(store, &bounds, &mut elements).unwrap();
            (elements, stored_chunks(store).unwrap())
        })
        .collect()
}

/// Scale 1, from the whole of the image at once.
fn first_scale<S: Store>(volume: &VolumeAt<'_, S>, image: &Image) -> Vec<u8> {
    let (fine, coarse) = (volume.grid().bounds(), volume.scales().grid(1).unwrap().bounds());
    let factors = volume.scales().factors(1).unwrap();
    let reducer = volume.properties().reducer();
    let mut out = vec![0; coarse.bytes(image.info.dtype().size()).unwrap()];
    reduce_region(reducer, image.info.dtype(), factors, &image.data, &fine, &fine, &mut out, &coarse)
        .unwrap();
    out
}

/// Makes three volumes of an image, in the three ways, and compares them.
fn compare(
    engine: &str,
    store: &Versioned<Box<dyn Store>>,
    image: &mut Image,
    chunk: &[u64],
    reducer: Reducer,
) {
    let what = format!("{} by {reducer} on {engine}", image.name);
    let repo = store.dag().unwrap().repos().next().unwrap().id;
    let version = store.find("main").unwrap().id;
    let labels = image.name.contains("labels") && reducer.keeps_values();
    let factors = vec![vec![1, 2, 2], vec![2, 2, 2], vec![2, 2, 2]];
    let options = ImportOptions {
        chunk_shape: Some(chunk.to_vec()),
        origin: Some(vec![-7, 0, 3]),
        scales: ScaleChoice::Factors(factors),
        reducer: Some(reducer),
        labels,
        ..ImportOptions::default()
    };
    let name = |way: &str| format!("{}-{reducer}-{way}", image.name);
    let names = ["ingested", "recomputed", "mutated"].map(name);
    let target = (repo, version);
    let ingested =
        import_regions(store, target, &names[0], (&*image, "image"), &options, &mut |_| Ok(())).unwrap();
    let ingested = ingested.at(version);
    let expected = scales_of(&ingested);
    assert!(expected[0].0 == image.data, "{what}");
    assert!(expected[1].0 == first_scale(&ingested, image), "{what}");
    let mut stale = 0;
    let mut count = |_| {
        stale += 1;
        Ok(())
    };
    let bounds = ingested.grid().bounds();
    verify(&ingested, reducer, &bounds, 1, &mut count, &mut |_| Ok(())).unwrap();
    assert_eq!(stale, 0, "{what}");

    image.read = 0;
    let recomputed = import_image(store, target, &names[1], image, &options, &mut |_| Ok(())).unwrap();
    let recomputed = recomputed.at(version);
    downres_volume(&recomputed, &bounds, 1, &mut |_| Ok(())).unwrap();
    assert!(scales_of(&recomputed) == expected, "{what}, recomputed");

    let mut blank = Image { data: vec![0; image.data.len()], info: image.info.clone(), read: 0, ..*image };
    let mutated = import_image(store, target, &names[2], &mut blank, &options, &mut |_| Ok(())).unwrap();
    mutate(&mutated, version, image);
    assert!(scales_of(&mutated.at(version)) == expected, "{what}, mutated");
}

/// Eight threads write the image, a chunk at a time, in an order that isn't the grid's.
fn mutate(volume: &Volume<'_, Box<dyn Store>>, version: kvdag::key::VersionId, image: &Image) {
    let grid = volume.properties().grid;
    let mut chunks: Vec<Coords> = grid.chunks_in(&grid.bounds()).unwrap().collect();
    let mut state = 88_172_645_463_325_252_u64;
    chunks.sort_by_cached_key(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    });
    let shared = volume.at(version);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (chunks, shared) = (&chunks, &shared);
            scope.spawn(move || {
                // Half of the threads share a handle, and the others have one each.
                let own = volume.at(version);
                let handle = if thread % 2 == 0 { shared } else { &own };
                for chunk in chunks.iter().skip(thread).step_by(8) {
                    let part = grid.clipped_region(chunk).unwrap().unwrap();
                    edit_region(handle, &part, &image.region(grid.origin(), &part)).unwrap();
                }
            });
        }
    });
}

fn every_way(engine: &str) {
    let mut images = [
        (Image::of(HEAD), [64, 64, 64]),
        (Image::of("nuclei.tif"), [16, 32, 32]),
        (Image::of("nuclei_labels.tif"), [16, 32, 32]),
    ];
    let folder = tempdir().unwrap();
    let url = match engine {
        "memory" => "memory:".to_owned(),
        engine => format!("{engine}:{}", folder.path().join("store").display()),
    };
    let store = kvdag::open_versioned(&url).unwrap();
    store.create_repo("images", None).unwrap();
    for (image, chunk) in &mut images {
        for reducer in Reducer::ALL {
            compare(engine, &store, image, chunk, *reducer);
        }
    }
}

#[test]
fn every_way_makes_the_same_pyramid_on_every_engine() {
    thread::scope(|scope| {
        for engine in ENGINES {
            scope.spawn(|| every_way(engine));
        }
    });
}
