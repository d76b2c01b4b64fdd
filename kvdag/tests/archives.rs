//! Volumes whose committed versions are in archives of BlockFS.
#![cfg(feature = "blockfs")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

#[cfg(all(feature = "cli", feature = "redb"))]
mod common;

use std::fs;
use std::path::Path;

use chunks::{DType, Grid, MultiscaleStore, read_region, write_region};
use kvdag::archives::BLOCKFS;
use kvdag::key::VersionId;
use kvdag::version::Versioned;
use kvdag::volume::{Properties, Volume, downres_volume};
use kvdag::{Error, ErrorKind, Result, Store, chunks};
use tempfile::tempdir;

type Boxed = Box<dyn Store>;

/// A volume of three scales: a first version, another with a box of ones, and one that is open.
fn fill(store: &Versioned<Boxed>) -> [VersionId; 3] {
    let repo = store.create_repo("main", None).unwrap();
    let grid = Grid::new(&[20, 33, 40], &[8, 16, 8], DType::U16).unwrap();
    let mut properties = Properties::new(grid).unwrap();
    properties.factors = vec![vec![2, 2, 2], vec![1, 2, 2]];
    let volume = Volume::create(store, repo.id, "v", properties).unwrap();
    let first = repo.root;
    let all = grid.bounds();
    let voxels: Vec<u8> = (0..20 * 33 * 40u32)
        .flat_map(|index| (index.wrapping_mul(2_654_435_761) >> 18).to_le_bytes()[..2].to_vec())
        .collect();
    write_region(&volume.at(first), &all, &voxels).unwrap();
    downres_volume(&volume.at(first), &all, 1, &mut |_| Ok(())).unwrap();
    store.commit_version(first, "").unwrap();
    let second = store.new_version(first, None).unwrap().id;
    let part = "3:9,3:20,0:11".parse().unwrap();
    write_region(&volume.at(second), &part, &[1, 0].repeat(6 * 17 * 11)).unwrap();
    downres_volume(&volume.at(second), &part, 1, &mut |_| Ok(())).unwrap();
    store.commit_version(second, "").unwrap();
    [first, second, store.new_version(second, None).unwrap().id]
}

/// Everything at a version, at all scales.
fn seen(volume: &Volume<'_, Boxed>, version: VersionId) -> Result<Vec<Vec<u8>>> {
    let at = volume.at(version);
    let scale = |scale| {
        let chunks = at.scale(scale)?;
        let mut voxels = vec![0; chunks.grid().bounds().bytes(2)?];
        read_region(chunks, &chunks.grid().bounds(), &mut voxels)?;
        Ok(voxels)
    };
    (0..3).map(scale).collect()
}

fn stored_bytes(volume: &Volume<'_, Boxed>, version: VersionId) -> u64 {
    volume.at(version).stored().unwrap().iter().map(|(_, bytes)| bytes).sum()
}

/// Watches for so many steps, and then ends the work.
fn steps(mut left: u32) -> impl FnMut(u64, u64) -> Result<()> {
    move |_, _| {
        left = left.checked_sub(1).ok_or_else(|| Error::new(ErrorKind::Busy, "enough"))?;
        Ok(())
    }
}

fn for_each_engine(test: impl Fn(&Versioned<Boxed>, &Path)) {
    for engine in kvdag::registry().unwrap().engines() {
        let folder = tempdir().unwrap();
        let url = match engine.descriptor().schemes[0] {
            "memory" => "memory:".to_owned(),
            scheme => format!("{scheme}:{}", folder.path().join("store").display()),
        };
        println!("{url}");
        test(&kvdag::open_versioned(&url).unwrap(), folder.path());
    }
}

#[test]
fn archiving_and_restoring_change_no_version_wherever_they_are_cut_short() {
    for_each_engine(|store, folder| {
        let versions = fill(store);
        let place = folder.join("archive");
        let mut volume = Volume::open(store, "v").unwrap();
        let expected = versions.map(|version| seen(&volume, version).unwrap());
        let before = stored_bytes(&volume, versions[0]);
        // One that was opened before knows of no archive, and forgets none.
        let mut early = Volume::open(store, "v").unwrap();
        let is_as_before = |early: &Volume<'_, Boxed>| {
            for volume in [early, &Volume::open(store, "v").unwrap()] {
                for (version, expected) in versions.iter().zip(&expected) {
                    assert!(seen(volume, *version).unwrap() == *expected);
                }
            }
        };
        let mut cuts = 0;
        while let Err(error) = volume.archive(versions[0], BLOCKFS, &place, &mut steps(cuts)) {
            assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
            is_as_before(&early);
            cuts += 1;
        }
        assert!(cuts >= 4, "{cuts}");
        is_as_before(&early);
        assert!(stored_bytes(&volume, versions[0]) * 10 < before);
        assert_eq!(volume.properties().archives.len(), 1);
        early.set_properties(early.properties().clone()).unwrap();
        let mut sound = 0;
        volume.at(versions[0]).check(&mut |_, found| sound += u64::from(found.is_ok())).unwrap();
        assert!(sound > 45, "{sound}");

        let mut cuts = 0;
        while let Err(error) = volume.restore(&place, &mut steps(cuts)) {
            assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
            is_as_before(&early);
            cuts += 1;
        }
        fs::remove_dir_all(&place).unwrap();
        is_as_before(&early);
        assert_eq!((stored_bytes(&volume, versions[0]), volume.properties().archives.len()), (before, 0));
    });
}

#[test]
fn what_is_written_on_top_of_an_archive_is_seen_with_it() {
    for_each_engine(|store, folder| {
        let [first, second, open] = fill(store);
        let mut volume = Volume::open(store, "v").unwrap();
        let mut expected = seen(&volume, open).unwrap();
        for (version, name) in [(first, "a"), (second, "b")] {
            volume.archive(version, BLOCKFS, &folder.join(name), &mut |_, _| Ok(())).unwrap();
        }
        // It cuts through archived chunks.
        let part = "0:20,0:5,33:39".parse().unwrap();
        write_region(&volume.at(open), &part, &[7, 0].repeat(20 * 5 * 6)).unwrap();
        for (z, y, x) in (0..20 * 5 * 6).map(|at| (at / 30, at / 6 % 5, 33 + at % 6)) {
            expected[0][((z * 33 + y) * 40 + x) * 2..][..2].copy_from_slice(&[7, 0]);
        }
        assert!(seen(&volume, open).unwrap()[0] == expected[0]);
        assert!(seen(&volume, second).unwrap()[0] != expected[0]);
        assert!(volume.at(open).changed_since(first).unwrap().len() > 4);
    });
}

#[test]
fn what_cannot_be_archived_is_refused_and_what_is_missing_is_told() {
    for_each_engine(|store, folder| {
        let [first, second, open] = fill(store);
        let mut volume = Volume::open(store, "v").unwrap();
        let place = folder.join("archive");
        let kind = |volume: &mut Volume<'_, Boxed>, version, format, place: &Path| {
            volume.archive(version, format, place, &mut |_, _| Ok(())).unwrap_err().kind()
        };
        assert_eq!(kind(&mut volume, open, BLOCKFS, &place), ErrorKind::InvalidArgument);
        assert_eq!(kind(&mut volume, first, "tape", &place), ErrorKind::Unsupported);
        assert_eq!(volume.restore(&place, &mut |_, _| Ok(())).unwrap_err().kind(), ErrorKind::NotFound);
        fs::create_dir(&place).unwrap();
        assert_eq!(kind(&mut volume, first, BLOCKFS, &place), ErrorKind::AlreadyExists);
        fs::remove_dir(&place).unwrap();
        assert!(volume.properties().archives.is_empty());
        volume.archive(first, BLOCKFS, &place, &mut |_, _| Ok(())).unwrap();
        assert_eq!(kind(&mut volume, first, BLOCKFS, &place), ErrorKind::NotFound);
        assert_eq!(kind(&mut volume, second, BLOCKFS, &place), ErrorKind::AlreadyExists);

        let expected = seen(&volume, first).unwrap();
        fs::rename(&place, folder.join("elsewhere")).unwrap();
        let error = seen(&Volume::open(store, "v").unwrap(), first).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("archive"), "{error}");
        fs::rename(folder.join("elsewhere"), &place).unwrap();

        // Another volume in its place, and a byte that has changed.
        fs::rename(place.join("s0.blockfs"), place.join("kept")).unwrap();
        fs::copy(place.join("s1.blockfs"), place.join("s0.blockfs")).unwrap();
        let error = seen(&Volume::open(store, "v").unwrap(), first).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
        fs::rename(place.join("kept"), place.join("s0.blockfs")).unwrap();
        let block_file = place.join("s0.blockfs.0");
        let bytes = fs::read(&block_file).unwrap();
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 1;
        fs::write(&block_file, damaged).unwrap();
        let error = seen(&Volume::open(store, "v").unwrap(), first).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let mut found = 0;
        let at = volume.at(first);
        at.check(&mut |_, found_| found += u64::from(found_.is_err())).unwrap();
        assert_eq!(found, 1);
        fs::write(&block_file, bytes).unwrap();
        assert!(seen(&Volume::open(store, "v").unwrap(), first).unwrap() == expected);
    });
}

#[cfg(all(feature = "cli", feature = "redb"))]
#[test]
fn the_command_archives_restores_and_leaves_a_volume_for_other_programs() {
    use common::{fail, succeed, testdata};
    let folder = tempdir().unwrap();
    let at = folder.path();
    let import =
        ["volume", "import", "s.redb", &testdata("nuclei_labels.tif"), "--name", "n", "--labels", "--scales"];
    succeed(at, &import);
    fail(at, &["volume", "archive", "s.redb", "n", "cold", "--at", "main"], 2, "committed");
    succeed(at, &["commit", "s.redb", "--next"]);
    succeed(at, &["volume", "fill", "s.redb", "n", "--region", "0:8,10:20,10:20", "--value", "9"]);
    let export = |version: &str| {
        succeed(at, &["volume", "export", "s.redb", "n", "e.raw", "--at", version]);
        fs::read(at.join("e.raw")).unwrap()
    };
    let before = [export("main~"), export("main")];
    let archive = ["volume", "archive", "s.redb", "n", "cold", "--at", "main~", "--format", "json"];
    let moved = succeed(at, &archive).json();
    assert!(moved["chunks"].as_u64().unwrap() > 0, "{moved}");
    assert!([export("main~"), export("main")] == before);
    assert_eq!(
        succeed(at, &["volume", "verify", "s.redb", "n", "--format", "json"]).json()["problems"],
        serde_json::json!([])
    );
    assert!(!succeed(at, &["volume", "labels", "s.redb", "n"]).out.is_empty());
    // The archive is a volume of BlockFS like any.
    succeed(at, &["blockfs", "verify", "cold/s0.blockfs"]);
    succeed(at, &["volume", "import", "t.redb", "cold/s0.blockfs", "--name", "n"]);
    succeed(at, &["volume", "export", "t.redb", "n", "t.raw"]);
    assert!(fs::read(at.join("t.raw")).unwrap() == before[0]);

    fs::rename(at.join("cold"), at.join("moved")).unwrap();
    fail(at, &["volume", "export", "s.redb", "n", "e.raw", "--at", "main~"], 3, "cold");
    fail(at, &["volume", "restore", "s.redb", "n", "moved"], 3, "no archive there");
    fs::rename(at.join("moved"), at.join("cold")).unwrap();
    succeed(at, &["volume", "restore", "s.redb", "n", "cold"]);
    fs::remove_dir_all(at.join("cold")).unwrap();
    assert!([export("main~"), export("main")] == before);
}
