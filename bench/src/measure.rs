//! The measuring loop: the sides of a contest take turns within each round.

use std::time::Duration;

use super::Outcome;
use super::clock::Clock;
use super::contest::{Contest, Side};
use super::timing::Timing;

/// How many rounds, and how long the fastest side's turn is to take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The rounds that count.
    pub(crate) rounds: usize,
    /// A turn of the fastest side.
    pub(crate) turn: Duration,
}

impl Pace {
    /// For figures to go by.
    pub(crate) const FULL: Self = Self { rounds: 31, turn: Duration::from_millis(3) };
    /// For seeing that everything runs.
    pub(crate) const QUICK: Self = Self { rounds: 3, turn: Duration::from_micros(100) };
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// The raw engine's fastest way and what it took; `None` where there is none.
    pub(crate) raw: Option<(&'static str, Timing)>,
    /// What the framework took.
    pub(crate) ours: Timing,
}

/// Measures a contest.
///
/// # Errors
/// A side's own; or that two sides have read different bytes.
pub(crate) fn measure(contest: &mut Contest<'_>, clock: Clock, pace: Pace) -> Outcome<Measured> {
    let times = calibrate(contest, clock, pace.turn)?;
    let sides = contest.raw.len() + 1;
    let mut rounds = vec![Vec::with_capacity(pace.rounds); sides];
    for round in 0..pace.rounds {
        // Whoever begins a round pays for what the settling of the last has thrown out of the caches.
        for (side, took) in play(contest, clock, times, round)? {
            rounds[side].push(nanoseconds(took) / to_float(times));
        }
    }
    let timings: Vec<_> = rounds.iter().filter_map(|rounds| Timing::of(rounds)).collect();
    let (ours, raw) = timings.split_last().ok_or("a measurement has one round at least")?;
    let ways = contest.raw.iter().map(|side| side.way);
    let raw = ways.zip(raw.iter().copied()).min_by(|(_, a), (_, b)| a.median.total_cmp(&b.median));
    Ok(Measured { raw, ours: *ours })
}

/// How many of a fastest side's turns the slowest side's may take.
const PATIENCE: u32 = 20;

/// How many times a turn does the operation, found by turns that double; they warm the caches too. A side
/// that takes a hundred times as long as another has fewer times for both.
fn calibrate(contest: &mut Contest<'_>, clock: Clock, turn: Duration) -> Outcome<u64> {
    let mut times = 1;
    loop {
        let turns = play(contest, clock, times, 0)?;
        let fastest = turns.iter().map(|(_, took)| *took).min().unwrap_or_default();
        let slowest = turns.iter().map(|(_, took)| *took).max().unwrap_or_default();
        if fastest * 2 >= turn || slowest * 2 >= turn * PATIENCE || times >= 1 << 30 {
            let longest = fastest.max(slowest / PATIENCE);
            let scaled = nanoseconds(turn) / nanoseconds(longest).max(1.0) * to_float(times);
            return Ok(to_times(scaled));
        }
        times *= 2;
    }
}

/// One turn of each side, ours being the last in number, beginning with another one each round.
fn play(
    contest: &mut Contest<'_>,
    clock: Clock,
    times: u64,
    round: usize,
) -> Outcome<Vec<(usize, Duration)>> {
    let raws = contest.raw.len();
    let mut turns = Vec::with_capacity(raws + 1);
    let mut expected = None;
    for step in 0..=raws {
        let number = (round + step) % (raws + 1);
        let side = contest.raw.get_mut(number).unwrap_or(&mut contest.ours);
        let (took, read) = take_turn(side, clock, times)?;
        turns.push((number, took));
        let found = contest.settle.as_mut().map_or(Ok(0), |settle| settle())?;
        if *expected.get_or_insert((read, found)) != (read, found) && contest.alike {
            return Err("the sides have read or written different bytes".into());
        }
    }
    Ok(turns)
}

fn take_turn(side: &mut Side<'_>, clock: Clock, times: u64) -> Outcome<(Duration, u64)> {
    let start = clock.now();
    let digest = (side.run)(times)?;
    Ok((clock.now().saturating_sub(start), digest))
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn to_float(times: u64) -> f64 {
    times as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive, and saturates")]
fn to_times(scaled: f64) -> u64 {
    (scaled.round() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    fn busy(way: &'static str, spins: u64, digest: u64) -> Side<'static> {
        let inputs: Rc<[u64]> = Rc::from([spins]);
        Side::over(way, inputs, move |spins| {
            let spun = (0..*spins).fold(0, |sum, spin| std::hint::black_box(sum ^ spin));
            Ok(if spun == u64::MAX { 0 } else { digest })
        })
    }

    #[test]
    fn the_fastest_way_of_the_raw_engine_counts() {
        let mut contest =
            Contest::of(vec![busy("slow", 40_000, 1), busy("fast", 1_000, 1)], busy("", 10_000, 1));
        let measured = measure(&mut contest, Clock::Thread, Pace::QUICK).unwrap();
        let (way, raw) = measured.raw.unwrap();
        assert_eq!(way, "fast");
        assert!(raw.median < measured.ours.median, "{measured:?}");
    }

    #[test]
    fn sides_that_read_different_bytes_are_refused() {
        let mut contest = Contest::of(vec![busy("", 10, 1)], busy("", 10, 2));
        let error = measure(&mut contest, Clock::Thread, Pace::QUICK).unwrap_err();
        assert!(error.to_string().contains("different bytes"), "{error}");
        contest.alike = false;
        measure(&mut contest, Clock::Thread, Pace::QUICK).unwrap();
    }

    #[test]
    fn each_side_begins_as_often_as_the_others_and_every_turn_is_settled() {
        let log = Rc::new(RefCell::new(String::new()));
        let writes = |letter: char| {
            let log = Rc::clone(&log);
            move || {
                log.borrow_mut().push(letter);
                Ok(0)
            }
        };
        let side = |letter: char| {
            let write = writes(letter);
            Side { way: "", run: Box::new(move |_| write()) }
        };
        let mut contest = Contest::of(vec![side('a'), side('b')], side('c')).settled(Box::new(writes('.')));
        for round in 0..3 {
            play(&mut contest, Clock::Wall, 1, round).unwrap();
        }
        assert_eq!(*log.borrow(), "a.b.c.b.c.a.c.a.b.");
    }

    #[test]
    fn without_a_raw_engine_there_is_our_time_alone() {
        let mut contest = Contest::of(Vec::new(), busy("", 100, 1));
        assert!(measure(&mut contest, Clock::Thread, Pace::QUICK).unwrap().raw.is_none());
    }
}
