//! Files on a disk whose power goes: what was committed is there, and the file opens at the last commit or at the one
//! that was being made.
//!
//! A child process commits to a file on a disk that forgets what wasn't synced, until the power is cut. Where no such
//! disk can be mounted the trials are ignored, and the reason is told.
//! `ARRAY_FILE_CUTS=2000 cargo test -p array-file --test power` is a long run.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use array_file::{ArrayFile, ArraySpec, AttributeValue, Error, FileConfig, FillValue, LocalDisk, StatValue};
use libtest_mimic::{Arguments, Failed, Trial};
use ndarray::{Array1, ArrayD};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use power_loss::{Disk, Faults, Image};
use tempfile::tempdir;

const PATH: &str = "folder/power.af";
/// The folder of the disk: what makes a process the child.
const CHILD: &str = "ARRAY_FILE_POWER_CHILD";
/// The steps that the child does: the first, and behind a space how many.
const STEPS: &str = "ARRAY_FILE_POWER_STEPS";
/// Cuts of the long lives in the short form.
const FEW: u64 = 24;
/// Each fourth step is followed by a compaction.
const COMPACTED: u32 = 4;

fn main() -> ExitCode {
    if let Some(folder) = env::var_os(CHILD) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        // An error is what the power has left.
        return ExitCode::from(u8::from(runtime.block_on(child(Path::new(&folder))).is_err()));
    }
    let folder = tempdir().unwrap();
    let there = Disk::mount(folder.path(), &Image::new(), 1).map(drop);
    if let Err(error) = &there {
        eprintln!("no disk that can lose its power can be mounted here: {error}");
    }
    let trials = [
        ("at_every_cut_of_a_few_commits_the_file_is_whole", every_cut as fn()),
        ("through_many_cuts_no_commit_is_lost", many_lives),
    ];
    let trials = trials.map(|(name, trial)| {
        let trial = move || -> Result<(), Failed> {
            trial();
            Ok(())
        };
        Trial::test(name, trial).with_ignored_flag(there.is_err())
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn config() -> FileConfig {
    FileConfig {
        block_target_size: 40,
        write_buffer_size: 60,
        grace: Duration::ZERO,
        ..FileConfig::default()
    }
}

fn disk(folder: &Path) -> Arc<dyn ObjectStore> {
    Arc::new(LocalDisk::new(folder).unwrap())
}

/// Commits numbers one after another, and tells of each before and behind it.
async fn child(folder: &Path) -> Result<(), Error> {
    let steps = env::var(STEPS).unwrap();
    let (first, count) = steps.split_once(' ').unwrap();
    let (first, count): (u32, u32) = (first.parse().unwrap(), count.parse().unwrap());
    let mut file = match ArrayFile::open(disk(folder), PATH, config()).await {
        Err(Error::FileNotFound { .. }) => ArrayFile::create(disk(folder), PATH, config()).await?,
        opened => opened?,
    };
    for step in first..first + count {
        println!("began {step}");
        if file.get_array("a").is_err() {
            let spec = ArraySpec::new::<u32>(&[16]).chunk_shape(&[4]).fill_value(FillValue::UInt(0));
            file.define_array("a", spec)?;
        }
        for part in [0, 8] {
            // The first half is in a layer before the second is written.
            file.write_array("a", &[part], Array1::from_elem(8, step).view()).await?;
        }
        file.set_attribute("a", "step", step)?;
        file.flush().await?;
        println!("committed {step}");
        if step % COMPACTED == 0 {
            file.compact().await?;
            println!("compacted {step}");
        }
    }
    Ok(())
}

/// What a child has told before its end.
#[derive(Debug, Default)]
struct Told {
    began: u32,
    committed: u32,
    compacted: u32,
}

/// Lets a child do steps on a disk until the power goes, or it ends.
fn live(image: &Image, seed: u64, cut_at: Option<u64>, first: u32, count: u32) -> (Image, Told, u64) {
    let folder = tempdir().unwrap();
    let disk = Disk::mount(folder.path(), image, seed).unwrap();
    disk.set_faults(cut_at.map_or(Faults::NONE, |cut| Faults::NONE.cut_at(cut)));
    let mut child = Command::new(env::current_exe().unwrap())
        .env(CHILD, folder.path())
        .env(STEPS, format!("{first} {count}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let heard = thread::spawn(move || {
        let mut told = Told::default();
        for line in lines {
            let line = line.unwrap();
            let (what, step) = line.split_once(' ').unwrap();
            let step = step.parse().unwrap();
            match what {
                "began" => told.began = step,
                "committed" => told.committed = step,
                _ => told.compacted = step,
            }
        }
        told
    });
    let ended = loop {
        if disk.wait_for_cut(Duration::from_millis(2)) {
            break None;
        }
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
    };
    let changes = disk.changes();
    // First the power, then the process.
    disk.cut();
    match ended {
        Some(status) => assert!(status.success() || cut_at.is_some(), "without a cut nothing fails"),
        None => {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
    let told = heard.join().unwrap();
    (disk.into_image(), told, changes)
}

/// Opens the file that a cut has left; answers the step that it is at, 0 where there is none.
fn check(image: &Image, told: &Told, before: u32, what: &str) -> u32 {
    let folder = tempdir().unwrap();
    image.write(folder.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
        let file = match ArrayFile::open(store.clone(), PATH, config()).await {
            Err(Error::FileNotFound { .. }) if before == 0 && told.committed == 0 => return 0,
            opened => opened.unwrap_or_else(|error| panic!("{what}: {error}")),
        };
        let step = step_of(&file, what).await;
        let least = before.max(told.committed);
        assert!(step == least || step == told.began, "{what}: it is at {step}, after {told:?} and {before}");
        for info in file.commits().await.unwrap() {
            let past = ArrayFile::open_at(store.clone(), PATH, info.commit, config()).await.unwrap();
            let step = step_of(&past, &format!("{what}, commit {}", info.commit)).await;
            assert!(step <= told.began.max(before));
        }
        if step > 0 {
            let stats = file.array_stats("a").await.unwrap().unwrap();
            assert_eq!(stats.min, Some(StatValue::UInt(step.into())), "{what}");
            assert_eq!(stats.max, Some(StatValue::UInt(step.into())), "{what}");
        }
        step
    })
}

/// The step that a commit is of, which is whole.
async fn step_of(file: &ArrayFile, what: &str) -> u32 {
    if file.get_array("a").is_err() {
        return 0;
    }
    let read: Result<ArrayD<u32>, Error> = file.read_array("a", &[], &[]).await;
    let read = read.unwrap_or_else(|error| panic!("{what}: {error}"));
    let step = read[[0]];
    assert!(read.iter().all(|element| *element == step), "{what}: {read}");
    assert_eq!(file.get_attribute("a", "step").unwrap(), Some(&AttributeValue::UInt32(step)), "{what}");
    step
}

fn every_cut() {
    // Two compactions, so that layers and commits are swept that were once read.
    const STEPS: u32 = 9;
    let (image, told, changes) = live(&Image::new(), 0, None, 1, STEPS);
    assert_eq!((told.committed, told.compacted), (STEPS, STEPS - STEPS % COMPACTED));
    check(&image, &told, 0, "without a cut");
    let mut met = 0;
    for cut in 1..=changes {
        let (image, told, _) = live(&Image::new(), cut, Some(cut), 1, STEPS);
        check(&image, &told, 0, &format!("cut at change {cut} of {changes}"));
        met += u32::from(told.committed > 0 && told.committed < STEPS);
    }
    assert!(u64::from(met) > changes / 2, "{met} cuts of {changes} came between commits");
}

fn many_lives() {
    let cuts = env::var("ARRAY_FILE_CUTS").map_or(FEW, |cuts| cuts.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(11);
    let mut image = Image::new();
    let (mut at, mut next) = (0, 1);
    for life in 0..cuts {
        let cut = random.u64(1..400);
        let (left, told, _) = live(&image, random.u64(..), Some(cut), next, 200);
        at = check(&left, &told, at, &format!("life {life}, cut at change {cut}"));
        next = next.max(told.began + 1);
        image = left;
    }
    assert!(u64::from(at) > cuts, "{at} commits in {cuts} lives");
}
