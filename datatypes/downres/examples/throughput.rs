//! How fast reducers are, in millions of input elements per second of one thread's processor time; the input is
//! of 512 x 512 x 512 elements. `bench/downres/run` calls it beside the same in other programs.
//!
//! Called with a file of such an array in `u32`, it measures the modes on it too.

use std::error::Error;

use chunks::{DType, Region, coarser_region};
use downres::{Reducer, reduce_region};

const EDGE: u64 = 512;
const ROUNDS: usize = 9;

fn splitmix(index: u64) -> u64 {
    let mixed = index.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn array(dtype: DType, element: impl Fn(u64, u64, u64) -> u64) -> Vec<u8> {
    // One that grew wouldn't lie on huge pages.
    let elements = usize::try_from(EDGE * EDGE * EDGE).unwrap_or_default();
    let mut array = Vec::with_capacity(elements * dtype.size());
    for index in 0..EDGE * EDGE * EDGE {
        let (z, y, x) = (index / EDGE / EDGE, index / EDGE % EDGE, index % EDGE);
        array.extend_from_slice(&element(z, y, x).to_le_bytes()[..dtype.size()]);
    }
    array
}

/// Time of this thread alone, where the system tells it.
#[cfg(unix)]
fn now() -> Result<f64, Box<dyn Error>> {
    use nix::time::{ClockId, clock_gettime};
    Ok(std::time::Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?).as_secs_f64())
}

#[cfg(not(unix))]
fn now() -> Result<f64, Box<dyn Error>> {
    use std::time::SystemTime;
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64())
}

/// The best of several rounds, each with a new target, as the others have one.
fn measure(
    name: &str,
    dtype: DType,
    source: &[u8],
    factors: [u64; 3],
    reducers: &[Reducer],
) -> Result<(), Box<dyn Error>> {
    let fine = Region::at_origin(&[EDGE; 3])?;
    let coarse = coarser_region(&fine, &factors)?;
    for &reducer in reducers {
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            let start = now()?;
            let mut target = vec![0; coarse.bytes(dtype.size())?];
            reduce_region(reducer, dtype, &factors, source, &fine, &fine, &mut target, &coarse)?;
            best = best.min(now()? - start);
        }
        let [z, y, x] = factors;
        println!("ours\t{name} {dtype} {z}x{y}x{x}\t{reducer}\t{:.0}", 134.217_728 / best);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let noisy = array(DType::U8, |z, y, x| {
        let index = (z * EDGE + y) * EDGE + x;
        (((3 * z + 2 * y + x) & 1023) + (splitmix(index) & 255)) >> 2
    });
    measure("noisy", DType::U8, &noisy, [2, 2, 2], Reducer::ALL)?;
    measure("noisy", DType::U8, &noisy, [1, 2, 2], &[Reducer::MeanTruncated])?;
    drop(noisy);
    let labels = [Reducer::Mode, Reducer::ModeNonzero, Reducer::ModeFirst];
    if let Some(path) = std::env::args_os().nth(1) {
        let real = std::fs::read(path)?;
        measure("real", DType::U32, &real, [2, 2, 2], &labels)?;
        let wide: Vec<u8> = real
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|label| u64::from(u32::from_le_bytes(*label)).to_le_bytes())
            .collect();
        drop(real);
        measure("real", DType::U64, &wide, [2, 2, 2], &labels)?;
    }
    let blocky = array(DType::U64, |z, y, x| {
        ((z + 5) >> 4) + 64 * ((y + 5) >> 4) + 4096 * ((x + 5) >> 4) + 1 + (1 << 40)
    });
    measure("blocky", DType::U64, &blocky, [2, 2, 2], &labels)?;
    drop(blocky);
    let random = array(DType::U64, |z, y, x| splitmix((z * EDGE + y) * EDGE + x) % 8);
    measure("random", DType::U64, &random, [2, 2, 2], &labels)?;
    Ok(())
}
