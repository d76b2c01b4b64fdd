//! Volumes at several scales: imports, edits, branches and merges, and the labels' index.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use chunks::{
    ChunkStore, Coords, DType, Grid, MultiscaleStore, Region, copy_region, read_region, stored_chunks,
    write_region,
};
use downres::{Reducer, Stale, reduce_region, verify};
use engine_api::key::{DataContext, VersionId};
use engine_api::version::{MergePolicy, OrderedKeyValue, Repo, Versioned};
use engine_api::{Error, ErrorKind, MemoryStore, Result, Store};
use volume::{
    ImageInfo, ImageReader, ImportOptions, LabelSize, Properties, RegionReader, ScaleChoice, Stage, Volume,
    VolumeAt, add_scales, downres_since, downres_volume, edit_region, import_image, import_regions,
    write_image,
};

fn store() -> (Versioned<MemoryStore>, Repo) {
    let store = Versioned::create(MemoryStore::new()).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    (store, repo)
}

/// An image in memory, of few labels in blocks.
struct Labels {
    info: ImageInfo,
    data: Vec<u8>,
    at: usize,
    reads: AtomicU64,
}

impl Labels {
    fn new(shape: &[u64]) -> Self {
        let info = ImageInfo::new(shape, DType::U16).unwrap();
        let bounds = Region::at_origin(shape).unwrap();
        let data = (0..bounds.elements())
            .flat_map(|at| {
                let state = (at / 5).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
                u16::try_from(state % 6).unwrap().to_le_bytes()
            })
            .collect();
        Self { info, data, at: 0, reads: AtomicU64::new(0) }
    }
}

impl ImageReader for Labels {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn next_slab(&mut self, out: &mut [u8]) -> Result<u64> {
        let slice = self.info.slice_bytes()?;
        let Some(pixels) = self.data.get(self.at..self.at + slice) else { return Ok(0) };
        out[..slice].copy_from_slice(pixels);
        self.at += slice;
        Ok(1)
    }
}

impl RegionReader for Labels {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn chunk_shape(&self) -> Option<&[u64]> {
        None
    }

    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        self.reads.fetch_add(region.elements(), Ordering::Relaxed);
        let bounds = Region::at_origin(self.info.shape())?;
        copy_region(&self.data, &bounds, out, region, region, 2)
    }
}

fn options(labels: bool) -> ImportOptions {
    ImportOptions {
        chunk_shape: Some(vec![4, 8, 8]),
        scales: ScaleChoice::Factors(vec![vec![1, 2, 2], vec![2, 2, 2]]),
        labels,
        ..ImportOptions::default()
    }
}

fn stale<S: Store>(volume: &VolumeAt<'_, S>) -> Vec<Stale> {
    let mut found = Vec::new();
    let mut note = |stale| {
        found.push(stale);
        Ok(())
    };
    let reducer = volume.properties().reducer();
    verify(volume, reducer, &volume.grid().bounds(), 1, &mut note, &mut |_| Ok(())).unwrap();
    found
}

fn all_scales<S: Store>(volume: &VolumeAt<'_, S>) -> Vec<Vec<u8>> {
    (0..volume.scale_count())
        .map(|scale| {
            let store = volume.scale(scale).unwrap();
            let bounds = store.grid().bounds();
            let mut out = vec![0; bounds.bytes(2).unwrap()];
            read_region(store, &bounds, &mut out).unwrap();
            out
        })
        .collect()
}

/// Labels by voxels, counted from the elements.
fn counted<S: Store>(volume: &VolumeAt<'_, S>) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for element in all_scales(volume)[0].as_chunks::<2>().0 {
        let label = u64::from(u16::from_le_bytes(*element));
        if label != 0 {
            *counts.entry(label).or_default() += 1;
        }
    }
    counts
}

fn indexed<S: Store>(volume: &VolumeAt<'_, S>) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    volume
        .labels(&mut |LabelSize { label, voxels, chunks }| {
            let of_label = volume.chunks_of_label(label)?;
            assert_eq!(u64::try_from(of_label.len()).unwrap(), chunks);
            assert_eq!(of_label.iter().map(|(_, voxels)| voxels).sum::<u64>(), voxels);
            counts.insert(label, voxels);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    counts
}

#[test]
fn an_import_makes_all_scales_whichever_way_the_image_is_read() {
    let (store, repo) = store();
    let target = (repo.id, repo.root);
    let mut image = Labels::new(&[9, 30, 17]);
    let front = import_image(&store, target, "front", &mut image, &options(false), &mut |_| Ok(())).unwrap();
    let mut stages = Vec::new();
    let any = import_regions(&store, target, "any", (&image, "image"), &options(false), &mut |progress| {
        stages.push(progress.stage);
        assert!(progress.done <= progress.total);
        Ok(())
    })
    .unwrap();
    assert_eq!(stages.first(), Some(&Stage::Scale(0)));
    let (front, any) = (front.at(repo.root), any.at(repo.root));
    assert_eq!(all_scales(&front), all_scales(&any));
    assert_eq!((front.scales_made().unwrap(), any.scales_made().unwrap()), (3, 3));
    assert_eq!((stale(&front), stale(&any)), (vec![], vec![]));
    for scale in 0..3 {
        assert_eq!(
            stored_chunks(front.scale(scale).unwrap()).unwrap(),
            stored_chunks(any.scale(scale).unwrap()).unwrap()
        );
    }
    // And that is what the reducer makes of the whole.
    let coarse = *front.scales().grid(1).unwrap();
    let bounds = front.grid().bounds();
    let mut expected = vec![0; coarse.bounds().bytes(2).unwrap()];
    let (mean, factors) = (Reducer::Mean, [1, 2, 2]);
    reduce_region(mean, DType::U16, &factors, &image.data, &bounds, &bounds, &mut expected, &coarse.bounds())
        .unwrap();
    assert_eq!(all_scales(&front)[1], expected);
}

#[test]
fn an_image_may_begin_anywhere() {
    let (store, repo) = store();
    let moved = ImportOptions { origin: Some(vec![-3, 5, -20]), ..options(true) };
    let mut image = Labels::new(&[9, 30, 17]);
    let target = (repo.id, repo.root);
    let front = import_image(&store, target, "front", &mut image, &moved, &mut |_| Ok(())).unwrap();
    let any = import_regions(&store, target, "any", (&image, "image"), &moved, &mut |_| Ok(())).unwrap();
    let (front, any) = (front.at(repo.root), any.at(repo.root));
    assert_eq!(front.grid().bounds().to_string(), "-3:6,5:35,-20:-3");
    assert_eq!(all_scales(&front)[0], image.data);
    assert_eq!(all_scales(&front), all_scales(&any));
    assert_eq!(stale(&front), []);
    assert_eq!(indexed(&front), counted(&front));
}

#[test]
fn an_import_that_was_stopped_goes_on_with_the_same_image_alone() {
    let (store, repo) = store();
    let target = (repo.id, repo.root);
    let image = Labels::new(&[64, 64, 64]);
    let all = image.data.len() as u64 / 2;
    let stop_after = |chunks: u64| {
        let mut seen = 0;
        move |_| {
            seen += 1;
            if seen > chunks { Err(Error::new(ErrorKind::Unavailable, "stopped")) } else { Ok(()) }
        }
    };
    let begun = import_regions(&store, target, "v", (&image, "a"), &options(true), &mut stop_after(500));
    assert_eq!(begun.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(Volume::open(&store, "v").unwrap_err().kind(), ErrorKind::Poisoned);
    let read = image.reads.swap(0, Ordering::Relaxed);
    assert!(read < all);
    let volume = import_regions(&store, target, "v", (&image, "a"), &options(true), &mut |_| Ok(())).unwrap();
    assert!(image.reads.swap(0, Ordering::Relaxed) < all, "what was finished isn't read again");
    let at = volume.at(repo.root);
    assert_eq!((stale(&at), all_scales(&at)[0] == image.data), (vec![], true));
    assert_eq!(indexed(&at), counted(&at));
    let again = import_regions(&store, target, "v", (&image, "a"), &options(true), &mut |_| Ok(()));
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);

    let begun = import_regions(&store, target, "w", (&image, "a"), &options(true), &mut stop_after(500));
    assert_eq!(begun.unwrap_err().kind(), ErrorKind::Unavailable);
    image.reads.store(0, Ordering::Relaxed);
    import_regions(&store, target, "w", (&image, "b"), &options(true), &mut |_| Ok(())).unwrap();
    assert_eq!(image.reads.load(Ordering::Relaxed), all, "another image begins anew");
}

/// A volume of labels, and a branch on each of two sides of its commit.
fn two_sides<'s>(
    store: &'s Versioned<MemoryStore>,
    repo: &Repo,
) -> (Volume<'s, MemoryStore>, [VersionId; 2]) {
    let mut image = Labels::new(&[8, 32, 32]);
    let volume =
        import_image(store, (repo.id, repo.root), "v", &mut image, &options(true), &mut |_| Ok(())).unwrap();
    store.commit_version(repo.root, "").unwrap();
    let sides = ["a", "b"].map(|name| store.new_version(repo.root, Some(name)).unwrap().id);
    (volume, sides)
}

fn blanked(region: &str) -> (Region, Vec<u8>) {
    let region: Region = region.parse().unwrap();
    (region, vec![0; region.bytes(2).unwrap()])
}

#[test]
fn edits_on_two_branches_keep_their_scales_and_so_does_their_merge() {
    let (store, repo) = store();
    let (volume, [a, b]) = two_sides(&store, &repo);
    let before = all_scales(&volume.at(repo.root));
    // Different chunks of full resolution, the same chunks of the coarser ones; b's is all blank at scale 0.
    for (side, part) in [(a, "1:3,2:7,1:9"), (b, "0:4,8:16,0:8")] {
        let (region, data) = blanked(part);
        edit_region(&volume.at(side), &region, &data).unwrap();
        assert_eq!(stale(&volume.at(side)), []);
        assert_eq!(indexed(&volume.at(side)), counted(&volume.at(side)));
        store.commit_version(side, "").unwrap();
    }
    assert_eq!(all_scales(&volume.at(repo.root)), before);
    let merged = store.merge(&[a, b], Some("merged")).unwrap().id;
    let at = volume.at(merged);
    assert_eq!(at.chunks_in_conflict(0).unwrap().len(), 0);
    assert_eq!(at.chunks_in_conflict(1).unwrap().len(), 1, "both sides made it, differently");
    assert!(downres_since(&at, a).unwrap() >= 2);
    assert_eq!(stale(&at), []);
    assert_eq!(indexed(&at), counted(&at));
    let mut expected = before[0].clone();
    for part in ["1:3,2:7,1:9", "0:4,8:16,0:8"] {
        let (region, data) = blanked(part);
        copy_region(&data, &region, &mut expected, &at.grid().bounds(), &region, 2).unwrap();
    }
    assert_eq!(all_scales(&at)[0], expected);
}

#[test]
fn a_coarse_chunk_that_one_side_removed_comes_back_whole_after_a_merge() {
    let (store, repo) = store();
    assert_eq!(store.policy(), MergePolicy::LiveWins);
    let (volume, [a, b]) = two_sides(&store, &repo);
    // a blanks all that one chunk of scale 1 is made from but for a corner, and then that too, so that the chunk is
    // deleted there; b changes another corner of it, and wins against the deletion.
    let (region, data) = blanked("0:4,0:16,0:16");
    edit_region(&volume.at(a), &region, &data).unwrap();
    let (region, _) = blanked("0:2,12:14,12:14");
    edit_region(&volume.at(b), &region, &9u16.to_le_bytes().repeat(8)).unwrap();
    for side in [a, b] {
        store.commit_version(side, "").unwrap();
    }
    let merged = store.merge(&[a, b], Some("merged")).unwrap().id;
    let at = volume.at(merged);
    assert_eq!(at.chunks_in_conflict(1).unwrap().len(), 0, "though b's chunk has what a has blanked");
    downres_since(&at, a).unwrap();
    assert_eq!(stale(&at), []);
}

#[test]
fn the_index_follows_a_conflict_that_was_settled() {
    let (store, repo) = store();
    let (volume, [a, b]) = two_sides(&store, &repo);
    for (side, label) in [(a, 100u16), (b, 200)] {
        let region: Region = "0:4,0:8,0:8".parse().unwrap();
        edit_region(&volume.at(side), &region, &label.to_le_bytes().repeat(256)).unwrap();
        store.commit_version(side, "").unwrap();
    }
    let merged = store.merge(&[a, b], Some("merged")).unwrap().id;
    let at = volume.at(merged);
    let error = downres_since(&at, a).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "full resolution comes first");
    let region: Region = "0:4,0:8,0:8".parse().unwrap();
    write_region(&at, &region, &300u16.to_le_bytes().repeat(256)).unwrap();
    downres_since(&at, a).unwrap();
    assert_eq!(stale(&at), []);
    assert_eq!(indexed(&at), counted(&at));
    assert_eq!(at.chunks_of_label(300).unwrap(), [(Coords::new(&[0, 0, 0]).unwrap(), 256)]);
    assert_eq!((at.chunks_of_label(100).unwrap(), at.chunks_of_label(200).unwrap()), (vec![], vec![]));
}

#[test]
fn the_index_follows_a_side_that_was_chosen_key_by_key() {
    let (store, repo) = store();
    let (volume, [a, b]) = two_sides(&store, &repo);
    let region: Region = "0:4,0:8,0:8".parse().unwrap();
    for (side, label) in [(a, 100u16), (b, 200)] {
        edit_region(&volume.at(side), &region, &label.to_le_bytes().repeat(256)).unwrap();
        store.commit_version(side, "").unwrap();
    }
    let merged = store.merge(&[a, b], Some("merged")).unwrap().id;
    let at = volume.at(merged);
    // As a program does that knows nothing of volumes: a's chunk, and nothing of what b has put in the index.
    let key = volume::chunk_key(0, &Coords::new(&[0, 0, 0]).unwrap());
    let ctx = DataContext::versioned(volume.instance().id, a);
    let frame = store.get(&ctx, &key).unwrap().unwrap();
    store.put(&DataContext::versioned(volume.instance().id, merged), &key, frame).unwrap();
    assert_eq!(at.chunks_misindexed().unwrap(), [Coords::new(&[0, 0, 0]).unwrap()]);
    downres_since(&at, a).unwrap();
    assert_eq!(at.chunks_misindexed().unwrap(), []);
    assert_eq!((stale(&at), indexed(&at)), (vec![], counted(&at)));
    assert_eq!(at.chunks_of_label(200).unwrap(), []);
    let nothing = at.reindex(&std::collections::BTreeSet::new());
    assert!(nothing.is_ok());
}

#[test]
fn scales_that_are_added_later_are_there_from_then_on() {
    let (store, repo) = store();
    let flat = ImportOptions { scales: ScaleChoice::None, ..options(false) };
    let mut image = Labels::new(&[8, 32, 32]);
    let target = (repo.id, repo.root);
    let mut volume = import_image(&store, target, "v", &mut image, &flat, &mut |_| Ok(())).unwrap();
    store.commit_version(repo.root, "").unwrap();
    let next = store.new_version(repo.root, None).unwrap().id;
    let reducer = Some(Reducer::Max);
    add_scales(&mut volume, next, &ScaleChoice::Halving, reducer, &mut |_| Ok(())).unwrap();
    let volume = Volume::open(&store, "v").unwrap();
    assert_eq!(volume.scales().len(), 3);
    assert_eq!(volume.at(next).scales_made().unwrap(), 3);
    assert_eq!(volume.at(repo.root).scales_made().unwrap(), 1, "what is committed stays as it is");
    assert_eq!(stale(&volume.at(next)), []);
    // On a branch from before, an edit takes no scale along that isn't made there.
    let side = store.new_version(repo.root, Some("side")).unwrap().id;
    let (region, data) = blanked("0:8,0:16,0:16");
    edit_region(&volume.at(side), &region, &data).unwrap();
    downres_volume(&volume.at(side), &region, 1, &mut |_| Ok(())).unwrap();
    assert_eq!(downres_since(&volume.at(side), repo.root).unwrap(), 0);
    assert_eq!(stored_chunks(volume.at(side).scale(1).unwrap()).unwrap(), []);
    downres_volume(&volume.at(side), &volume.at(side).grid().bounds(), 1, &mut |_| Ok(())).unwrap();
    assert_eq!((volume.at(side).scales_made().unwrap(), stale(&volume.at(side))), (3, vec![]));
    let refused = add_scales(
        &mut Volume::open(&store, "v").unwrap(),
        next,
        &ScaleChoice::Factors(vec![vec![3, 3, 3]]),
        None,
        &mut |_| Ok(()),
    );
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidArgument, "the scales that there are stay");
}

#[test]
fn what_is_written_past_the_scales_is_mended_by_downres() {
    let (store, repo) = store();
    let mut image = Labels::new(&[8, 32, 32]);
    let target = (repo.id, repo.root);
    let volume = import_image(&store, target, "v", &mut image, &options(false), &mut |_| Ok(())).unwrap();
    let at = volume.at(repo.root);
    let (region, data) = blanked("0:8,0:16,0:16");
    write_region(&at, &region, &data).unwrap();
    assert!(!stale(&at).is_empty());
    downres_volume(&at, &region, 1, &mut |_| Ok(())).unwrap();
    assert_eq!(stale(&at), []);
    // A small image, written where it crosses chunks, takes its scales along.
    write_image(&at, &mut Labels::new(&[3, 9, 9]), &[3, 5, 6], &mut |_| Ok(())).unwrap();
    assert_eq!(stale(&at), []);
}

#[test]
fn eight_threads_edit_one_volume_and_its_scales_fit() {
    let (store, repo) = store();
    let grid = Grid::new(&[16, 32, 32], &[8, 8, 8], DType::U16).unwrap();
    let properties = Properties {
        factors: vec![vec![2, 2, 2], vec![2, 2, 2]],
        labels: true,
        ..Properties::new(grid).unwrap()
    };
    let mut volume = Volume::create(&store, repo.id, "v", properties).unwrap();
    let scales = ScaleChoice::Factors(vec![vec![2, 2, 2], vec![2, 2, 2]]);
    add_scales(&mut volume, repo.root, &scales, None, &mut |_| Ok(())).unwrap();
    let shared = volume.at(repo.root);
    std::thread::scope(|scope| {
        for thread in 0..8u16 {
            // Half of them share a handle, and the others have one each.
            let (shared, volume, root) = (&shared, &volume, repo.root);
            scope.spawn(move || {
                let own = volume.at(root);
                let handle = if thread % 2 == 0 { shared } else { &own };
                for step in 0..6u16 {
                    let at = [(thread * 5 + step * 3) % 12, (thread * 7 + step * 11) % 28, (step * 13) % 28];
                    let region = Region::new(&at.map(i64::from), &[4, 4, 4]).unwrap();
                    edit_region(handle, &region, &(thread + 1).to_le_bytes().repeat(64)).unwrap();
                }
            });
        }
    });
    assert_eq!(stale(&shared), []);
    assert_eq!(indexed(&shared), counted(&shared));
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let (store, repo) = store();
    let target = (repo.id, repo.root);
    let refused = |options: ImportOptions| {
        let mut image = Labels::new(&[8, 32, 32]);
        let outcome = import_image(&store, target, "v", &mut image, &options, &mut |_| Ok(()));
        outcome.unwrap_err().kind()
    };
    let mean = ImportOptions { reducer: Some(Reducer::Mean), ..options(true) };
    assert_eq!(refused(mean), ErrorKind::InvalidArgument);
    let factors = ScaleChoice::Factors(vec![vec![0, 1, 1]]);
    assert_eq!(refused(ImportOptions { scales: factors, ..options(false) }), ErrorKind::InvalidArgument);
    let origin = Some(vec![i64::MAX, 0, 0]);
    assert_eq!(refused(ImportOptions { origin, ..options(false) }), ErrorKind::TooLarge);
    let grid = Grid::new(&[8], &[8], DType::F32).unwrap();
    let floats = Properties { labels: true, ..Properties::new(grid).unwrap() };
    assert_eq!(Volume::create(&store, repo.id, "w", floats).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let volume =
        import_image(&store, target, "v", &mut Labels::new(&[8, 32, 32]), &options(false), &mut |_| Ok(()))
            .unwrap();
    let labels = volume.at(repo.root).labels(&mut |_| Ok(ControlFlow::Continue(())));
    assert_eq!(labels.unwrap_err().kind(), ErrorKind::InvalidArgument);
}
