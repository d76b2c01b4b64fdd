//! Volumes at URLs as stores of chunks.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use chunks::{
    ChunkSink, ChunkSource, ChunkStore, Coords, DerivedChunks, Grid, MultiscaleStore, Region, Scales,
    copy_region, for_each_waiting, read_region,
};
use engine_api::{Error, ErrorKind, Result};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use xxhash_rust::xxh3::Xxh3;

use super::files::Files;
use super::http::{HttpOptions, WebFolder};
use super::info::{Info, Scale, reversed};
use super::read::PrecomputedScale;
use super::url::VolumeUrl;
use crate::formats::info::ImageInfo;
use crate::formats::open::no_such_scale;
use crate::formats::regions::{RegionReader, check_request};

/// A precomputed volume at a URL, to be read.
///
/// It begins where its `voxel_offset` says. A file that isn't there, to which servers answer 404, or 403 where one may
/// not see what there is, is a chunk of zeros. What is written is `ReadOnly`, and which chunks are stored is
/// `Unsupported`: servers don't list.
///
/// As a [`MultiscaleStore`] it has the scales from the finest on that are made from one another by whole factors, cut into
/// chunks of the finest one's shape; [`chunks`](Self::chunks) has them all, each as it is cut. Where a chunk isn't stored as
/// one, the stored ones that it is read from are kept for a while, so that the next needn't ask for them again.
///
/// The format has no versions. Whoever changes chunks in place under an `info` that stays as it is isn't noticed by who
/// has some of them already. URLs of volumes that `kvdag serve` shows at a committed version are of that version for ever.
#[derive(Debug)]
pub struct PrecomputedSource {
    url: VolumeUrl,
    labels: bool,
    /// The description as it was read, and what the server says of its state.
    text: Vec<u8>,
    tag: String,
    scales: Scales,
    stores: Vec<Arc<WebChunks>>,
}

impl PrecomputedSource {
    /// Reads the description of the volume at a URL: `https://host/path`, `http:`, or either behind `precomputed://`.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no such URL; `NotFound` when there is no volume; `Unavailable` when the server can't
    /// be asked; those of a description that can't be read.
    pub fn open(url: &str, options: &HttpOptions) -> Result<Self> {
        let url = VolumeUrl::parse(url)?;
        let open = || {
            let files = Arc::new(WebFolder::new(url.clone(), options.clone()));
            let answer = files.info()?;
            let info = Info::parse(&answer.bytes)?;
            let files: Arc<dyn Files> = files;
            let scales = scales_of(&info)?;
            let mut stores = Vec::with_capacity(info.scales.len());
            for (at, scale) in info.scales.iter().enumerate() {
                let stored = PrecomputedScale::open(Arc::clone(&files), &info, at)?;
                let grid = match scales.grids().get(at) {
                    Some(grid) => *grid,
                    None => stored.grid.with_origin(&reversed(scale.voxel_offset))?,
                };
                stores.push(Arc::new(WebChunks::new(stored, grid, options.in_flight)));
            }
            let labels = info.kind.as_deref() == Some("segmentation");
            Ok(Self { labels, text: answer.bytes, tag: answer.tag, scales, stores, url: url.clone() })
        };
        open().map_err(
            |error: Error| if error.field("url").is_some() { error } else { error.with("url", &url.shown) },
        )
    }

    /// The URL, without what lets somebody in: no name, no password and no query.
    pub fn url(&self) -> &str {
        &self.url.shown
    }

    /// Whether it says that its elements are labels.
    pub fn is_labels(&self) -> bool {
        self.labels
    }

    /// What tells the volume, in the state of its description, from others: the URL, the description, and the `ETag` or
    /// `Last-Modified` of it where the server says one. No password is in it.
    pub fn identity(&self) -> [Vec<u8>; 3] {
        [self.url.identity().into_bytes(), self.text.clone(), self.tag.clone().into_bytes()]
    }

    /// A line that says which volume it is, in which state: the URL, and a hash of the [`identity`](Self::identity).
    pub fn state(&self) -> String {
        let mut hash = Xxh3::new();
        for part in self.identity() {
            hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(&part);
        }
        format!("{} in state {:032x}", self.url.shown, hash.digest128())
    }

    /// How many scales it has, those among them that it hasn't as a [`MultiscaleStore`].
    pub fn scale_count(&self) -> usize {
        self.stores.len()
    }

    /// The image of a scale.
    ///
    /// # Errors
    /// `NotFound` when there is no such scale.
    pub fn image(&self, scale: usize) -> Result<&ImageInfo> {
        self.store(scale).map(|store| &store.stored.image)
    }

    /// The chunks of a scale.
    ///
    /// # Errors
    /// `NotFound` when there is no such scale.
    pub fn chunks(&self, scale: usize) -> Result<&dyn ChunkStore> {
        self.store(scale).map(|store| &**store as &dyn ChunkStore)
    }

    /// The chunks of a scale, for who outlives this.
    ///
    /// # Errors
    /// `NotFound` when there is no such scale.
    pub fn shared(&self, scale: usize) -> Result<Arc<dyn ChunkStore>> {
        self.store(scale).map(|store| Arc::clone(store) as Arc<dyn ChunkStore>)
    }

    fn store(&self, scale: usize) -> Result<&Arc<WebChunks>> {
        self.stores.get(scale).ok_or_else(|| no_such_scale(scale, self.stores.len()))
    }
}

impl MultiscaleStore for PrecomputedSource {
    fn scales(&self) -> &Scales {
        &self.scales
    }

    fn scale(&self, scale: usize) -> Result<&dyn ChunkStore> {
        self.scales.grid(scale)?;
        self.chunks(scale)
    }

    fn derive(&self, _: usize, _: &dyn DerivedChunks) -> Result<()> {
        Err(read_only())
    }
}

/// The scales from the finest on that are made from one another by whole factors.
fn scales_of(info: &Info) -> Result<Scales> {
    let Some(first) = info.scales.first() else {
        return Err(Error::new(ErrorKind::Corrupt, "the precomputed volume has no scale"));
    };
    let base = first.grid(&info.image(first)?)?.with_origin(&reversed(first.voxel_offset))?;
    let mut scales = Scales::single(base);
    let mut factors = Vec::new();
    for pair in info.scales.windows(2) {
        let [finer, coarser] = pair else { break };
        factors.push(factors_of(finer, coarser));
        let Ok(more) = Scales::new(base, &factors) else { break };
        let fits = more.grids().last().is_some_and(|grid| {
            *grid.shape() == reversed(coarser.size) && *grid.origin() == reversed(coarser.voxel_offset)
        });
        if !fits {
            break;
        }
        scales = more;
    }
    Ok(scales)
}

/// How many elements of a scale become one of the next, by their resolutions; zero where it is no whole number.
fn factors_of(finer: &Scale, coarser: &Scale) -> Vec<u64> {
    let factor = |axis: usize| {
        let ratio = coarser.resolution[axis] / finer.resolution[axis];
        let whole = ratio.round();
        let near = (ratio - whole).abs() < 1e-6 && (1.0..=1024.0).contains(&whole);
        if near { (1..=1024u16).find(|number| f64::from(*number) >= whole).map_or(0, u64::from) } else { 0 }
    };
    (0..3).rev().map(factor).collect()
}

/// The most bytes of stored chunks that are kept per scale.
const MOST_KEPT_BYTES: u64 = 64 << 20;

/// The chunks of a scale.
struct WebChunks {
    stored: PrecomputedScale,
    grid: Grid,
    in_flight: usize,
    /// Stored chunks of which only a part was wanted.
    kept: Cache<Coords, Option<Arc<Vec<u8>>>, KeptWeighter>,
}

#[derive(Clone)]
struct KeptWeighter;

impl Weighter<Coords, Option<Arc<Vec<u8>>>> for KeptWeighter {
    fn weight(&self, _: &Coords, chunk: &Option<Arc<Vec<u8>>>) -> u64 {
        let bytes = chunk.as_ref().map_or(0, |chunk| chunk.len());
        u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(64)
    }
}

impl WebChunks {
    fn new(stored: PrecomputedScale, grid: Grid, in_flight: usize) -> Self {
        Self { stored, grid, in_flight, kept: Cache::with_weighter(256, MOST_KEPT_BYTES, KeptWeighter) }
    }

    /// Where a region is that is counted from the first element.
    fn since_first(&self, region: &Region) -> Result<Region> {
        let moved =
            region.offset().iter().zip(self.grid.origin()).map(|(at, origin)| at.saturating_sub(*origin));
        Region::new(&moved.collect::<Vec<_>>(), region.shape())
    }

    fn stored_chunk(&self, coords: &Coords, region: &Region, whole: bool) -> Result<Option<Arc<Vec<u8>>>> {
        let read = || Ok(self.stored.read_chunk(coords, region)?.map(Arc::new));
        if whole { read() } else { self.kept.get_or_insert_with(coords, read) }
    }
}

impl ChunkStore for WebChunks {
    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        self.grid.check_buffer(out.len())?;
        let target = self.since_first(&self.grid.chunk_region(chunk)?)?;
        self.grid.fill().write(out);
        let Some(wanted) = self.grid.clipped_region(chunk)? else { return Ok(false) };
        let wanted = self.since_first(&wanted)?;
        let mut any = false;
        for coords in self.stored.grid.chunks_in(&wanted)? {
            let Some(region) = self.stored.grid.clipped_region(&coords)? else { continue };
            let Some(overlap) = region.intersection(&wanted) else { continue };
            if let Some(data) = self.stored_chunk(&coords, &region, overlap == region)? {
                copy_region(&data, &region, out, &target, &overlap, self.grid.element_size())?;
                any = true;
            }
        }
        Ok(any)
    }

    fn write_chunks(&self, _: &dyn ChunkSource) -> Result<()> {
        Err(read_only())
    }

    fn delete_chunks(&self, _: &[Coords]) -> Result<()> {
        Err(read_only())
    }

    fn list_chunks(&self, _: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "a server of precomputed volumes doesn't list the chunks that it has",
        ))
    }

    fn read_chunks(&self, chunks: &[Coords], sink: &ChunkSink<'_>) -> Result<()> {
        let bytes = self.grid.chunk_bytes();
        for_each_waiting(
            chunks.len(),
            (self.in_flight, bytes.saturating_mul(3)),
            || vec![0; bytes],
            |buffer, index| {
                let stored = self.read_chunk(&chunks[index], buffer)?;
                sink(index, stored.then_some(buffer.as_slice()))
            },
        )
    }
}

impl fmt::Debug for WebChunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebChunks")
            .field("grid", &self.grid)
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}

fn read_only() -> Error {
    Error::new(ErrorKind::ReadOnly, "a volume at a URL is only read")
}

/// An image whose elements are in a store of chunks for which reads wait.
#[derive(Debug)]
pub struct StoreImage<S> {
    image: ImageInfo,
    store: S,
}

impl<S: ChunkStore> StoreImage<S> {
    /// The image of a store.
    ///
    /// # Errors
    /// `InvalidArgument` when it has another shape or type.
    pub fn new(image: ImageInfo, store: S) -> Result<Self> {
        if store.grid().shape() == image.shape() && store.grid().dtype() == image.dtype() {
            return Ok(Self { image, store });
        }
        Err(Error::new(ErrorKind::InvalidArgument, "the image isn't that of the store's elements"))
    }
}

impl<S: ChunkStore> RegionReader for StoreImage<S> {
    fn info(&self) -> &ImageInfo {
        &self.image
    }

    fn chunk_shape(&self) -> Option<&[u64]> {
        Some(self.store.grid().chunk_shape())
    }

    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_request(&self.image, region, out.len())?;
        let origin = self.store.grid().origin();
        let offset = region.offset().iter().zip(origin).map(|(at, origin)| at.saturating_add(*origin));
        let region = Region::new(&offset.collect::<Vec<_>>(), region.shape())?;
        read_region(&self.store, &region, out)
    }

    fn waits(&self) -> bool {
        true
    }
}

/// The images of all scales of the volume at a URL.
pub(in crate::formats) fn scales_of_url(url: &Path) -> Result<Vec<ImageInfo>> {
    let source = PrecomputedSource::open(&url.to_string_lossy(), &HttpOptions::default())?;
    (0..source.scale_count()).map(|scale| source.image(scale).cloned()).collect()
}

/// A scale of the volume at a URL, its chunks as they are stored.
pub(in crate::formats) fn open_url(url: &Path, scale: usize) -> Result<Box<dyn RegionReader>> {
    let options = HttpOptions::default();
    let url = VolumeUrl::parse(&url.to_string_lossy())?;
    let files = Arc::new(WebFolder::new(url, options.clone()));
    let info = Info::parse(&files.info()?.bytes)?;
    let stored = PrecomputedScale::open(files, &info, scale)?;
    let (image, grid) = (stored.image.clone(), stored.grid);
    Ok(Box::new(StoreImage::new(image, WebChunks::new(stored, grid, options.in_flight))?))
}
