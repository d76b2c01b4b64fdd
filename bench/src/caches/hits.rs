//! Hits: entries that are there, and in the system's memory, in a random order.

use std::path::Path;
use std::thread;
use std::time::Instant;

use super::Size;
use super::lmdb::Lmdb;
use super::ours::Ours;
use super::raw::Raw;
use super::side::{Contents, Reader, Side};
use super::sqlite::Sqlite;
use crate::Outcome;
use crate::data::shuffled;
use crate::stopwatch::Stopwatch;
use crate::timing::Timing;

/// Hits of a round whose times are taken one by one.
const SAMPLE: usize = 1024;

/// What a side took for a hit: nanoseconds of each round, and of each hit.
#[derive(Default)]
struct Taken {
    processor: Vec<f64>,
    wall: Vec<f64>,
    /// Of two threads at once.
    both: Vec<f64>,
    each: Vec<f64>,
}

/// Reads entries of so many bytes from every side, turn by turn; answers lines of a table: side, bytes of an entry, the median
/// of the rounds in nanoseconds of processor time and on the clock, its ratio to `pread` in processor time, the 99th of a hundred hits, and the
/// bytes a second of one thread and of two.
///
/// # Errors
/// Those of the disk and of the sides; an entry that isn't there, or has other bytes.
pub fn hits(folder: &Path, bytes: usize, size: Size) -> Outcome<Vec<String>> {
    let entries = size.held / u64::try_from(bytes)?;
    let folder = tempfile::tempdir_in(folder)?;
    let at = |name: &str| folder.path().join(name);
    let roomy = size.held * 2;
    let mut sides: Vec<Box<dyn Side>> = vec![
        Box::new(Raw::create(&at("raw"), bytes, false)?),
        Box::new(Raw::create(&at("checked"), bytes, true)?),
        Box::new(Ours::create(&at("ours"), roomy)?),
        Box::new(Ours::create(&at("shared"), roomy)?),
        Box::new(Lmdb::create(&at("lmdb"), roomy, false)?),
        Box::new(Lmdb::create(&at("sums"), roomy, true)?),
        Box::new(Sqlite::create(&at("cache.sqlite"), roomy)?),
    ];
    let mut contents = Contents::new(bytes);
    for side in &mut sides {
        side.put(0..entries, &mut contents)?;
    }
    // The lock of who wrote it must be gone first.
    drop(sides.remove(3));
    sides.insert(3, Box::new(Ours::open_to_read(&at("shared"))?));
    let order: Vec<u64> = shuffled(usize::try_from(entries)?).into_iter().map(|at| at as u64).collect();
    let mut taken: Vec<Taken> = sides.iter().map(|_| Taken::default()).collect();
    for side in &sides {
        check(&**side, &order, &mut contents)?;
    }
    for round in 0..size.rounds {
        for at in 0..sides.len() {
            // Nobody comes always first.
            let at = (at + round) % sides.len();
            read(&*sides[at], &order, bytes, &mut taken[at])?;
        }
    }
    let median = |rounds: &[f64]| Timing::of(rounds).map_or(f64::NAN, |timing| timing.median);
    let raw = median(&taken[0].processor);
    #[allow(clippy::cast_precision_loss, reason = "it is a rate")]
    let rate = |nanoseconds: f64| bytes as f64 / nanoseconds;
    let lines = sides.iter().zip(&mut taken).map(|(side, taken)| {
        let (processor, wall) = (median(&taken.processor), median(&taken.wall));
        taken.each.sort_by(f64::total_cmp);
        let slow = taken.each.get(taken.each.len() * 99 / 100).copied().unwrap_or(f64::NAN);
        format!(
            "hit\t{} KiB\t{}\tcpu {processor:.0} ns\twall {wall:.0} ns\t{:.2} of pread\tp99 {slow:.0} ns\t{:.2} GB/s\t{:.2} GB/s by two",
            bytes >> 10,
            side.name(),
            processor / raw,
            rate(wall),
            rate(median(&taken.both)),
        )
    });
    Ok(lines.collect())
}

/// That every entry is there with its bytes.
fn check(side: &dyn Side, order: &[u64], contents: &mut Contents) -> Outcome {
    let mut reader = side.reader()?;
    let mut out = vec![0; contents.len()];
    for &number in order {
        if !reader.read(number, &mut out)? || out != contents.of(number) {
            return Err(format!("{} has lost an entry", side.name()).into());
        }
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "they are means")]
fn read(side: &dyn Side, order: &[u64], bytes: usize, taken: &mut Taken) -> Outcome {
    let (mut reader, mut out) = (side.reader()?, vec![0; bytes]);
    let count = order.len() as f64;
    let (clock, wall) = (Stopwatch::start()?, Instant::now());
    all(&mut *reader, order, &mut out)?;
    taken.wall.push(wall.elapsed().as_nanos() as f64 / count);
    taken.processor.push(clock.processor()? * 1e9 / count);
    for &number in order.iter().take(SAMPLE) {
        let clock = Instant::now();
        reader.read(number, &mut out)?;
        taken.each.push(clock.elapsed().as_nanos() as f64);
    }
    let wall = Instant::now();
    thread::scope(|scope| {
        let run = |order| -> Result<(), String> {
            let mut reader = side.reader().map_err(|error| error.to_string())?;
            all(&mut *reader, order, &mut vec![0; bytes]).map_err(|error| error.to_string())
        };
        let (first, second) = order.split_at(order.len() / 2);
        let threads = [first, second].map(|order| scope.spawn(move || run(order)));
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| "a reader panicked".to_owned()).and_then(|outcome| outcome)
        })
    })?;
    taken.both.push(wall.elapsed().as_nanos() as f64 / count);
    Ok(())
}

fn all(reader: &mut dyn Reader, order: &[u64], out: &mut [u8]) -> Outcome {
    for &number in order {
        if !reader.read(number, out)? {
            return Err("an entry is gone".into());
        }
    }
    Ok(())
}
