//! Processes that write one volume and are killed: what they committed is there, and what they didn't is told.
//!
//! The writers are this very program, started again with a variable that says what to do. Each writes down which blocks it
//! has begun and which it has committed, by a line to its output before and after: a kill can come between a commit and its
//! line, so of those blocks either is right.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use blockfs::blosc::{Compression, Compressor};
use blockfs::{BlockFs, BlockFsSpec, BlockState, BlockWriter, Relocation, compact, relocate};
use chunks::{Coords, DType};
use common::{blocks, create, place, read, silent, voxels};

const WRITERS: usize = 8;

/// Which part of the test a process is to play, and on which volume.
const ROLE: &str = "BLOCKFS_TEST_ROLE";
const VOLUME: &str = "BLOCKFS_TEST_VOLUME";

/// Rounds of kills; a few unless the variable says more.
fn rounds() -> u64 {
    env::var("BLOCKFS_KILL_ROUNDS").map_or(4, |rounds| rounds.parse().unwrap())
}

fn spec() -> BlockFsSpec {
    BlockFsSpec::new([40, 64, 60], [8, 8, 8], DType::U16)
        .files(3)
        .compression(Compression::new(Compressor::Lz4, 5).unwrap())
}

fn start(role: &str, path: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_process_that_is_started_by_the_others", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(VOLUME, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_process_that_is_started_by_the_others() {
    let Ok(role) = env::var(ROLE) else { return };
    let path = env::var(VOLUME).unwrap();
    match role.split_once(' ') {
        Some(("write", rest)) => {
            let (number, seed) = rest.split_once(' ').unwrap();
            write_blocks(Path::new(&path), number.parse().unwrap(), seed.parse().unwrap());
        }
        Some((how, to)) => {
            let how = if how == "move" { Relocation::Move } else { Relocation::Copy };
            say("relocating");
            let moved = relocate(&path, to, how, &mut |progress| {
                say(&format!("at {}", progress.done));
                Ok(())
            });
            moved.unwrap();
        }
        None => {
            say("compacting");
            compact(&path, &mut |progress| {
                say(&format!("at {}", progress.done));
                Ok(())
            })
            .unwrap();
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n:{line}").and_then(|()| out.flush()).unwrap();
}

/// Writes the blocks of this writer, in a random order, and flushes now and then.
fn write_blocks(path: &Path, number: usize, seed: u64) {
    let volume = BlockFs::open(path).unwrap();
    let writer = BlockWriter::open(path).unwrap();
    let mut random = fastrand::Rng::with_seed(seed * 100 + number as u64);
    let mut own: Vec<(usize, Coords)> = blocks(&volume).into_iter().enumerate().collect();
    own.retain(|(at, _)| at % WRITERS == number);
    random.shuffle(&mut own);
    let mut begun = Vec::new();
    let flush = |begun: &mut Vec<usize>| {
        writer.flush().unwrap();
        let lines: Vec<String> = begun.drain(..).map(|at| format!("committed {at}")).collect();
        say(&lines.join("\n:"));
    };
    for (at, block) in own {
        say(&format!("begun {at}"));
        writer.write_block(&block, &voxels(&volume, &block, seed)).unwrap();
        begun.push(at);
        if random.u8(..4) == 0 {
            flush(&mut begun);
        }
    }
    flush(&mut begun);
    writer.close().unwrap();
    say("closed");
}

/// The lines that a process has said, as they come.
fn listen(child: &mut Child, number: usize, lines: mpsc::Sender<(usize, String)>) {
    let output = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        // What a kill has cut short is no line.
        for line in output.lines().map_while(Result::ok) {
            if let Some(line) = line.strip_prefix(':') {
                drop(lines.send((number, line.to_owned())));
            }
        }
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Begun,
    Committed,
}

#[test]
fn eight_processes_write_one_volume_and_what_the_killed_committed_is_there() {
    let mut seen = BTreeMap::new();
    for round in 0..rounds() {
        let (_folder, path) = place();
        let volume = create(&path, &spec());
        // An earlier value of every third block, so that rewrites are cut short too.
        let writer = BlockWriter::open(&path).unwrap();
        for block in blocks(&volume).iter().step_by(3) {
            writer.write_block(block, &voxels(&volume, block, 1_000_000)).unwrap();
        }
        writer.close().unwrap();
        let all = blocks(&volume);
        let mut random = fastrand::Rng::with_seed(round);
        let (lines, said) = mpsc::channel();
        let mut children: Vec<Child> =
            (0..WRITERS).map(|number| start(&format!("write {number} {round}"), &path)).collect();
        // Each but two is killed after so many of its lines, some of them never.
        let mut left: Vec<usize> =
            (0..WRITERS).map(|number| if number < 2 { usize::MAX } else { random.usize(1..140) }).collect();
        for (number, child) in children.iter_mut().enumerate() {
            listen(child, number, lines.clone());
        }
        drop(lines);
        let mut told = BTreeMap::new();
        for (number, line) in said {
            left[number] = left[number].saturating_sub(1);
            if left[number] == 0 {
                children[number].kill().unwrap();
            }
            if let Some((what, at)) = line.split_once(' ') {
                let what = if what == "begun" { Said::Begun } else { Said::Committed };
                told.insert(at.parse::<usize>().unwrap(), what);
            }
        }
        let ended: Vec<bool> = children.iter_mut().map(|child| child.wait().unwrap().success()).collect();
        assert!(ended[0] && ended[1], "those that weren't killed end well");
        *seen.entry("killed").or_insert(0) += ended.iter().filter(|ended| !**ended).count();
        check_round(&volume, &all, &told, round, &mut seen);
        // What is left can be written, compacted and read like any volume.
        let writer = BlockWriter::open(&path).unwrap();
        for block in &all {
            writer.write_block(block, &voxels(&volume, block, 7)).unwrap();
        }
        writer.close().unwrap();
        compact(&path, &mut silent).unwrap();
        let verified = volume.verify(&mut silent).unwrap();
        assert_eq!(verified.counts.committed, all.len() as u64, "{verified:?}");
        assert!(all.iter().all(|block| read(&volume, block) == voxels(&volume, block, 7)));
    }
    // A test whose kills hit nothing proves nothing.
    for what in ["killed", "lost", "committed", "interrupted"] {
        assert!(seen.get(what).is_some_and(|count| *count > 0), "no block was ever {what}: {seen:?}");
    }
    println!("{seen:?}");
}

fn check_round(
    volume: &BlockFs,
    all: &[Coords],
    told: &BTreeMap<usize, Said>,
    round: u64,
    seen: &mut BTreeMap<&'static str, usize>,
) {
    for (at, block) in all.iter().enumerate() {
        let earlier = (at % 3 == 0).then(|| voxels(volume, block, 1_000_000));
        let written = voxels(volume, block, round);
        let state = volume.block_state(block).unwrap();
        let mut count = |what| *seen.entry(what).or_insert(0) += 1;
        match (told.get(&at), state) {
            (Some(Said::Committed), _) => {
                assert_eq!(state, BlockState::Committed, "{block} was committed");
                assert!(read(volume, block) == written, "{block} was committed");
                count("committed");
            }
            // It was committed, and its process killed before it could say so; or it has its earlier value.
            (Some(Said::Begun), BlockState::Committed) => {
                let found = read(volume, block);
                assert!(
                    found == written || earlier.as_ref() == Some(&found),
                    "{block} has a value nobody wrote"
                );
                count(if found == written { "committed unheard" } else { "interrupted" });
            }
            (Some(Said::Begun), BlockState::Lost) => {
                assert!(earlier.is_none(), "{block} was committed before");
                let mut out = vec![0; volume.block_bytes(block).unwrap()];
                volume.read_block(block, &mut out).unwrap_err();
                count("lost");
            }
            // It was killed between its line and the write.
            (Some(Said::Begun), BlockState::Missing) => {
                assert!(earlier.is_none(), "{block} was committed before");
                count("not begun");
            }
            (None, _) => match &earlier {
                Some(earlier) => assert!(read(volume, block) == *earlier, "{block} wasn't touched"),
                None => {
                    // The line that says that it was begun may be cut short, like any.
                    assert!(matches!(state, BlockState::Missing | BlockState::Lost), "{block} is {state:?}");
                }
            },
            (told, state) => panic!("{block}: {told:?}, and it is {state:?}"),
        }
    }
}

#[test]
fn a_compaction_that_is_killed_anywhere_leaves_the_old_volume_or_the_new() {
    let (folder, path) = place();
    let volume = create(&path, &spec());
    let writer = BlockWriter::open(&path).unwrap();
    for seed in [1, 2] {
        for block in blocks(&volume) {
            writer.write_block(&block, &voxels(&volume, &block, seed)).unwrap();
        }
    }
    writer.close().unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let mut killed = 0;
    for round in 0..rounds() * 10 {
        let mut child = start("compact", &path);
        let (lines, said) = mpsc::channel();
        listen(&mut child, 0, lines);
        let kill_after = random.usize(1..8);
        for (at, _) in said.into_iter().enumerate() {
            if at + 1 == kill_after {
                std::thread::sleep(std::time::Duration::from_micros(random.u64(..20_000)));
                child.kill().unwrap();
            }
        }
        killed += u64::from(!child.wait().unwrap().success());
        for block in blocks(&volume) {
            assert!(read(&volume, &block) == voxels(&volume, &block, 2), "round {round}, {block}");
        }
    }
    assert!(killed > 0, "every compaction was faster than its kill");
    let compacted = compact(&path, &mut silent).unwrap();
    assert!(compacted.left.is_empty());
    // Nothing is left over: the directory file, three block files and the records; what NewFile began has no other name.
    let names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with(".blockfs-"))
        .collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert_eq!(volume.verify(&mut silent).unwrap().counts.committed, blocks(&volume).len() as u64);
}

#[test]
fn a_move_that_is_killed_anywhere_leaves_the_volume_here_or_there() {
    let mut random = fastrand::Rng::with_seed(2);
    let mut left = BTreeMap::new();
    for round in 0..rounds() * 10 {
        let (folder, path) = place();
        let volume = create(&path, &spec());
        let writer = BlockWriter::open(&path).unwrap();
        for block in blocks(&volume) {
            writer.write_block(&block, &voxels(&volume, &block, round)).unwrap();
        }
        writer.close().unwrap();
        drop(volume);
        let is_whole = |path: &Path| {
            let volume = BlockFs::open(path).unwrap();
            let whole = |block| read(&volume, block) == voxels(&volume, block, round);
            assert!(blocks(&volume).iter().all(whole), "round {round}, {}", path.display());
            assert_eq!(volume.verify(&mut silent).unwrap().counts.committed, blocks(&volume).len() as u64);
        };
        let is_move = round % 2 == 0;
        let to = folder.path().join("to");
        let target = to.join(path.file_name().unwrap());
        let mut child = start(&format!("{} {}", if is_move { "move" } else { "copy" }, to.display()), &path);
        let (lines, said) = mpsc::channel();
        listen(&mut child, 0, lines);
        let kill_after = random.usize(1..7);
        for (at, _) in said.into_iter().enumerate() {
            if at + 1 == kill_after {
                std::thread::sleep(std::time::Duration::from_micros(random.u64(..8_000)));
                child.kill().unwrap();
            }
        }
        let killed = !child.wait().unwrap().success();
        let (here, there) = (path.exists(), target.exists());
        assert!(here || (is_move && there), "round {round}: the volume is gone");
        assert!(killed || there, "round {round}: it said that it was done");
        for path in [(here, &path), (there, &target)].into_iter().filter_map(|(is, path)| is.then_some(path))
        {
            is_whole(path);
        }
        *left.entry((killed, here, there)).or_insert(0) += 1;
        // What is left of it there is in the way of another, until it is removed.
        if here && !there {
            fs::remove_dir_all(&to).ok();
            is_whole(&relocate(&path, &to, Relocation::Move, &mut silent).unwrap());
        }
    }
    let killed: u64 = left.iter().filter(|((killed, ..), _)| *killed).map(|(_, count)| count).sum();
    assert!(killed > 0, "every one was faster than its kill: {left:?}");
    println!("{left:?}");
}
