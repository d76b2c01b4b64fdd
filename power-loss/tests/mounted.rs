//! The mounted disk, as programs see it. Where FUSE can't be had each test says so and ends.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use power_loss::{Disk, Faults, Image};
use rustix::fs::{FlockOperation, OFlags, RenameFlags};
use tempfile::TempDir;

fn mount(image: &Image, seed: u64) -> Option<(TempDir, Disk)> {
    let folder = tempfile::tempdir().unwrap();
    match Disk::mount(folder.path(), image, seed) {
        Ok(disk) => Some((folder, disk)),
        Err(error) => {
            eprintln!("no disk can be mounted here: {error}");
            None
        }
    }
}

fn is_mounted(folder: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.lines().any(|line| line.split(' ').nth(1) == folder.to_str())
}

/// What is left of the disk for each of many seeds, when `work` is done before the power goes.
fn left(work: impl Fn(&Path)) -> Vec<Image> {
    (0..40)
        .filter_map(|seed| {
            let (folder, disk) = mount(&Image::new(), seed)?;
            work(folder.path());
            Some(disk.into_image())
        })
        .collect()
}

fn sync_folder(folder: &Path) {
    File::open(folder).unwrap().sync_all().unwrap();
}

#[test]
fn files_and_folders_are_as_on_any_disk() {
    let Some((folder, _disk)) = mount(&Image::new(), 1) else { return };
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("a")).unwrap();
    fs::write(at("a/file"), vec![7; 300_000]).unwrap();
    let mut file = OpenOptions::new().read(true).write(true).open(at("a/file")).unwrap();
    file.write_all_at(b"middle", 200_000).unwrap();
    file.set_len(200_010).unwrap();
    file.seek(SeekFrom::Start(199_999)).unwrap();
    let mut end = Vec::new();
    file.read_to_end(&mut end).unwrap();
    assert_eq!(end, b"\x07middle\x07\x07\x07\x07");
    fs::hard_link(at("a/file"), at("b")).unwrap();
    let taken = rustix::fs::renameat_with(
        rustix::fs::CWD,
        at("b"),
        rustix::fs::CWD,
        at("a/file"),
        RenameFlags::NOREPLACE,
    );
    assert_eq!(taken, Err(rustix::io::Errno::EXIST));
    fs::remove_file(at("a/file")).unwrap();
    fs::rename(at("b"), at("c")).unwrap();
    assert_eq!(fs::metadata(at("c")).unwrap().len(), 200_010);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    for number in 0..500 {
        fs::write(at("a").join(number.to_string()), "x").unwrap();
    }
    fs::remove_dir_all(at("a")).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn locks_are_held() {
    let Some((folder, _disk)) = mount(&Image::new(), 1) else { return };
    let path = folder.path().join("file");
    let first = File::create(&path).unwrap();
    let second = OpenOptions::new().write(true).open(&path).unwrap();
    first.try_lock().unwrap();
    assert!(second.try_lock().is_err());
    // Those of fcntl are of processes: of one's own there are never too many.
    rustix::fs::fcntl_lock(&second, FlockOperation::NonBlockingLockExclusive).unwrap();
}

#[test]
fn what_was_synced_is_there_and_what_was_not_may_be() {
    let images = left(|folder| {
        let mut file = File::create(folder.join("file")).unwrap();
        file.write_all(b"synced").unwrap();
        file.sync_all().unwrap();
        sync_folder(folder);
        file.write_all(b" and not").unwrap();
        fs::write(folder.join("other"), "x").unwrap();
    });
    let files: Vec<_> = images.iter().map(|image| image.file("file").unwrap()).collect();
    assert!(files.iter().all(|bytes| bytes.starts_with(b"synced")), "{files:?}");
    let some = |wanted: &dyn Fn(&Image) -> bool| {
        let count = images.iter().filter(|image| wanted(image)).count();
        images.is_empty() || (count > 0 && count < images.len())
    };
    assert!(some(&|image| image.file("file") == Some(b"synced and not")));
    assert!(some(&|image| image.file("file") == Some(b"synced")));
    assert!(some(&|image| image.file("other").is_some()));
}

#[test]
fn a_write_of_a_file_that_is_opened_for_it_is_synced() {
    for flag in [OFlags::DSYNC, OFlags::SYNC] {
        let flag = i32::try_from(flag.bits()).unwrap();
        let images = left(|folder| {
            let path = folder.join("file");
            let mut file =
                OpenOptions::new().write(true).create(true).custom_flags(flag).open(&path).unwrap();
            sync_folder(folder);
            file.write_all(b"synced").unwrap();
        });
        for image in images {
            assert_eq!(image.file("file"), Some(&b"synced"[..]));
        }
    }
}

#[test]
fn what_is_not_a_sync_syncs_nothing() {
    let images = left(|folder| {
        let file = File::create(folder.join("file")).unwrap();
        sync_folder(folder);
        file.write_all_at(b"bytes", 0).unwrap();
        drop(file);
        File::open(folder.join("file")).unwrap();
    });
    let lost = images.iter().filter(|image| image.file("file").unwrap().is_empty()).count();
    assert!(images.is_empty() || lost > 0);
}

#[test]
fn a_disk_goes_on_where_the_one_before_it_ended() {
    let Some((folder, disk)) = mount(&Image::new(), 1) else { return };
    fs::create_dir(folder.path().join("a")).unwrap();
    fs::write(folder.path().join("a/file"), "text").unwrap();
    File::open(folder.path().join("a/file")).unwrap().sync_all().unwrap();
    sync_folder(&folder.path().join("a"));
    sync_folder(folder.path());
    let image = disk.into_image();
    assert!(!is_mounted(folder.path()));
    let disk = Disk::mount(folder.path(), &image, 2).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("a/file")).unwrap(), "text");
    assert_eq!(disk.into_image(), image);
}

#[test]
fn after_a_cut_everything_fails_and_those_who_wait_are_woken() {
    let Some((folder, disk)) = mount(&Image::new(), 1) else { return };
    let mut file = File::create(folder.path().join("file")).unwrap();
    disk.set_faults(Faults::NONE.cut_at(3));
    assert!(!disk.wait_for_cut(Duration::from_millis(1)));
    let written = (0..10).take_while(|_| file.write_all(b"x").is_ok()).count();
    assert_eq!((written, disk.changes(), disk.faults_met()), (2, 3, 1));
    assert!(disk.wait_for_cut(Duration::from_mins(1)) && disk.is_cut());
    assert_eq!(file.sync_all().unwrap_err().raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()));
    assert!(File::create(folder.path().join("other")).is_err());
    // It is busy, and can be unmounted all the same.
    drop(disk);
    assert!(!is_mounted(folder.path()));
}

#[test]
fn a_panic_unmounts() {
    let Some((folder, disk)) = mount(&Image::new(), 1) else { return };
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _disk = disk;
        panic!("on purpose");
    }));
    assert!(panicked.is_err() && !is_mounted(folder.path()));
}

#[test]
fn faults_arrive_as_errors() {
    let Some((folder, disk)) = mount(&Image::new(), 1) else { return };
    let path = folder.path().join("file");
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    disk.set_faults(Faults::NONE.fail_sync(1).fail_write(2).short_writes(3).room(4096));
    file.write_all(b"one").unwrap();
    assert_eq!(file.sync_all().unwrap_err().kind(), io::Error::from(rustix::io::Errno::IO).kind());
    assert!(file.write(b"two").is_err());
    let taken = file.write(&[1; 1000]).unwrap();
    assert!((1..1000).contains(&taken), "{taken}");
    assert_eq!(file.write_all_at(&[1; 100], 8192).unwrap_err().kind(), io::ErrorKind::StorageFull);
    let room = rustix::fs::statvfs(folder.path()).unwrap();
    assert_eq!((room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize), (4096, 0));
    drop(file);
    File::open(&path).unwrap().sync_all().unwrap();
    sync_folder(folder.path());
    let image = disk.into_image();
    let disk = Disk::mount(folder.path(), &image, 1).unwrap();
    disk.set_faults(Faults::NONE.fail_reads(1));
    assert!(fs::read(&path).is_err());
    disk.set_faults(Faults::NONE);
    assert_eq!(fs::read(&path).unwrap().len(), 3 + taken);
}

/// The process that the test below kills: it mounts a disk at the folder that it is told, and waits.
#[test]
#[ignore = "the other half of a test"]
fn mounts_and_waits() {
    let Ok(folder) = std::env::var("POWER_LOSS_FOLDER") else { return };
    let disk = Disk::mount(Path::new(&folder), &Image::new(), 1);
    println!("\n{}", if disk.is_ok() { "mounted" } else { "unmounted" });
    let mut end = String::new();
    io::stdin().read_line(&mut end).unwrap();
}

#[test]
fn a_kill_unmounts() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "mounts_and_waits", "--ignored", "--nocapture"])
        .env("POWER_LOSS_FOLDER", folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let out = io::BufReader::new(child.stdout.take().unwrap());
    let told = io::BufRead::lines(out).map(Result::unwrap).find(|line| line.ends_with("mounted")).unwrap();
    assert_eq!(is_mounted(folder.path()), told == "mounted");
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = std::time::Instant::now();
    while is_mounted(folder.path()) {
        assert!(begun.elapsed() < Duration::from_mins(1), "nobody unmounts it");
        std::thread::sleep(Duration::from_millis(5));
    }
}
