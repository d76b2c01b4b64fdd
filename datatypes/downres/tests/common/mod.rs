//! The rules of all reducers once more, written to be read and without regard for speed.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses some of it; helpers of tests fail as tests do"
)]

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chunks::{DType, Region, coarser_region};
use downres::{Reducer, reduce_region};

/// An element type of Rust's.
trait Value: Copy {
    fn read(bytes: &[u8]) -> Self;
    fn bytes(self) -> Vec<u8>;
    fn compare(self, other: Self) -> Ordering;
    fn zero() -> Self;
    fn is_zero(self) -> bool;
    fn is_nan(self) -> bool;
    fn mean(cell: &[Self], truncated: bool) -> Self;
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn read(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().unwrap())
            }
            fn bytes(self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }
            fn compare(self, other: Self) -> Ordering {
                self.cmp(&other)
            }
            fn zero() -> Self {
                0
            }
            fn is_zero(self) -> bool {
                self == 0
            }
            fn is_nan(self) -> bool {
                false
            }
            fn mean(cell: &[Self], truncated: bool) -> Self {
                Self::try_from(integer_mean(cell.iter().map(|value| i128::from(*value)).collect(), truncated)).unwrap()
            }
        }
    )*};
}

integer!(u8, u16, u32, u64, i8, i16, i32, i64);

fn integer_mean(cell: Vec<i128>, truncated: bool) -> i128 {
    let count = i128::try_from(cell.len()).unwrap();
    let sum: i128 = cell.into_iter().sum();
    let below = sum.div_euclid(count);
    // By how much each of the two neighbours is off, in parts of `count`.
    let (down, up) = (sum - below * count, (below + 1) * count - sum);
    if truncated {
        return sum / count;
    }
    match down.cmp(&up) {
        Ordering::Less => below,
        Ordering::Greater => below + 1,
        Ordering::Equal => below + below.rem_euclid(2),
    }
}

macro_rules! float {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn read(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().unwrap())
            }
            fn bytes(self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }
            fn compare(self, other: Self) -> Ordering {
                let place = |value: Self| (value.is_nan(), value.is_nan() && value.is_sign_negative());
                place(self).cmp(&place(other)).then(self.total_cmp(&other))
            }
            fn zero() -> Self {
                0.0
            }
            fn is_zero(self) -> bool {
                self == 0.0
            }
            fn is_nan(self) -> bool {
                self.is_nan()
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "as the rule says")]
            fn mean(cell: &[Self], _truncated: bool) -> Self {
                let mut sum = 0.0;
                for value in cell {
                    sum += f64::from(*value);
                }
                let mean = (sum / cell.len() as f64) as Self;
                if mean.is_nan() { Self::NAN } else { mean }
            }
        }
    )*};
}

float!(f32, f64);

#[derive(Clone, Copy)]
struct Bool(bool);

impl Value for Bool {
    fn read(bytes: &[u8]) -> Self {
        Self(bytes[0] != 0)
    }
    fn bytes(self) -> Vec<u8> {
        vec![u8::from(self.0)]
    }
    fn compare(self, other: Self) -> Ordering {
        self.0.cmp(&other.0)
    }
    fn zero() -> Self {
        Self(false)
    }
    fn is_zero(self) -> bool {
        !self.0
    }
    fn is_nan(self) -> bool {
        false
    }
    fn mean(cell: &[Self], truncated: bool) -> Self {
        let yes = cell.iter().filter(|value| value.0).count();
        Self(if truncated { yes == cell.len() } else { 2 * yes > cell.len() })
    }
}

fn mode<V: Value>(cell: &[V], first: bool) -> V {
    let mut votes = BTreeMap::<Vec<u8>, usize>::new();
    for value in cell {
        *votes.entry(value.bytes()).or_default() += 1;
    }
    let most = *votes.values().max().unwrap();
    let mut winners = cell.iter().copied().filter(|value| votes[&value.bytes()] == most);
    if first { winners.next().unwrap() } else { winners.min_by(|a, b| a.compare(*b)).unwrap() }
}

/// The four are a b over c d.
fn square_mode<V: Value>(cell: &[V], sparse: bool) -> V {
    let equal = |x: usize, y: usize| cell[x].bytes() == cell[y].bytes();
    let counts = |x: usize| !sparse || !cell[x].is_zero();
    let index = match () {
        () if counts(0) && (equal(0, 1) || equal(0, 2)) => Some(0),
        () if counts(1) && equal(1, 2) => Some(1),
        () => [3, 0, 2, 1].into_iter().find(|index| counts(*index)),
    };
    index.map_or(V::zero(), |index| cell[index])
}

fn reduce<V: Value>(reducer: Reducer, cell: &[V], two_by_two: bool) -> V {
    let dense = match reducer {
        Reducer::MeanSparse => Reducer::Mean,
        Reducer::MeanTruncatedSparse => Reducer::MeanTruncated,
        Reducer::ModeNonzero => Reducer::Mode,
        Reducer::ModeFirstSparse => Reducer::ModeFirst,
        Reducer::MedianSparse => Reducer::Median,
        Reducer::MinSparse => Reducer::Min,
        Reducer::MaxSparse => Reducer::Max,
        dense => dense,
    };
    if dense == Reducer::ModeFirst && two_by_two && cell.len() == 4 {
        return square_mode(cell, reducer != dense);
    }
    let cell: Vec<V> = cell.iter().copied().filter(|value| reducer == dense || !value.is_zero()).collect();
    if cell.is_empty() {
        return V::zero();
    }
    let mut sorted = cell.clone();
    sorted.sort_by(|a, b| a.compare(*b));
    let numbers: Vec<V> = sorted.iter().copied().filter(|value| !value.is_nan()).collect();
    match dense {
        Reducer::Mean => V::mean(&cell, false),
        Reducer::MeanTruncated => V::mean(&cell, true),
        Reducer::Mode => mode(&cell, false),
        Reducer::ModeFirst => mode(&cell, true),
        Reducer::Median if numbers.is_empty() => sorted[0],
        Reducer::Median => numbers[(numbers.len() - 1) / 2],
        Reducer::Min => sorted[0],
        Reducer::Max => *numbers.last().unwrap_or(&sorted[sorted.len() - 1]),
        Reducer::Stride => cell[0],
        other => panic!("{other} has no rule here"),
    }
}

fn reduce_bytes(reducer: Reducer, dtype: DType, cell: &[u8], two_by_two: bool) -> Vec<u8> {
    fn of<V: Value>(reducer: Reducer, size: usize, cell: &[u8], two_by_two: bool) -> Vec<u8> {
        let values: Vec<V> = cell.chunks_exact(size).map(V::read).collect();
        reduce(reducer, &values, two_by_two).bytes()
    }
    let reduce = match dtype {
        DType::U8 => of::<u8>,
        DType::U16 => of::<u16>,
        DType::U32 => of::<u32>,
        DType::U64 => of::<u64>,
        DType::I8 => of::<i8>,
        DType::I16 => of::<i16>,
        DType::I32 => of::<i32>,
        DType::I64 => of::<i64>,
        DType::F32 => of::<f32>,
        DType::F64 => of::<f64>,
        DType::Bool => of::<Bool>,
    };
    reduce(reducer, dtype.size(), cell, two_by_two)
}

/// Every point of a region, in C order.
pub(crate) fn points(region: &Region) -> Vec<Vec<i64>> {
    let mut points = vec![vec![]];
    for axis in 0..region.rank() {
        points = points
            .iter()
            .flat_map(|point: &Vec<i64>| {
                (region.offset()[axis]..region.end(axis)).map(move |at| [point.as_slice(), &[at]].concat())
            })
            .collect();
    }
    points
}

/// The place of a point in a buffer that holds a region.
fn place(region: &Region, point: &[i64]) -> usize {
    (0..region.rank()).fold(0, |place, axis| {
        place * usize::try_from(region.shape()[axis]).unwrap()
            + usize::try_from(point[axis] - region.offset()[axis]).unwrap()
    })
}

/// What [`reduce_region`] is called with.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) reducer: Reducer,
    pub(crate) dtype: DType,
    pub(crate) factors: Vec<u64>,
    pub(crate) source: Vec<u8>,
    pub(crate) source_region: Region,
    pub(crate) part: Region,
    pub(crate) target_region: Region,
}

impl Case {
    /// All of an array, to just the cells that it has.
    pub(crate) fn whole(
        reducer: Reducer,
        dtype: DType,
        factors: &[u64],
        source: Vec<u8>,
        region: Region,
    ) -> Self {
        let target_region = coarser_region(&region, factors).unwrap();
        Self {
            reducer,
            dtype,
            factors: factors.to_vec(),
            source,
            source_region: region,
            part: region,
            target_region,
        }
    }

    pub(crate) fn expected(&self, target: &mut [u8]) {
        let size = self.dtype.size();
        let mut cells = BTreeMap::<Vec<i64>, Vec<u8>>::new();
        for point in points(&self.part) {
            let cell = (0..point.len())
                .map(|axis| {
                    i64::try_from(i128::from(point[axis]).div_euclid(i128::from(self.factors[axis]))).unwrap()
                })
                .collect();
            let at = place(&self.source_region, &point) * size;
            cells.entry(cell).or_default().extend_from_slice(&self.source[at..at + size]);
        }
        let mut sorted = self.factors.clone();
        sorted.sort_unstable();
        let two_by_two = sorted.len() > 1
            && sorted.ends_with(&[2, 2])
            && sorted[..sorted.len() - 2].iter().all(|factor| *factor == 1);
        for (cell, elements) in cells {
            let at = place(&self.target_region, &cell) * size;
            let value = reduce_bytes(self.reducer, self.dtype, &elements, two_by_two);
            target[at..at + size].copy_from_slice(&value);
        }
    }

    pub(crate) fn computed(&self, target: &mut [u8]) {
        reduce_region(
            self.reducer,
            self.dtype,
            &self.factors,
            &self.source,
            &self.source_region,
            &self.part,
            target,
            &self.target_region,
        )
        .unwrap();
    }

    /// A target in which everything can be told from what a reducer is likely to write.
    pub(crate) fn untouched(&self) -> Vec<u8> {
        vec![0xa5; self.target_region.bytes(self.dtype.size()).unwrap()]
    }
}
