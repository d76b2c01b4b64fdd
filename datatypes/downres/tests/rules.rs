//! Every reducer, compared with the plain rule, over types, ranks, factors, parts and offsets.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use chunks::{DType, Region, coarser_region};
use common::Case;
use downres::Reducer;
use proptest::prelude::*;

/// Few values, so that there are ties, and those at which arithmetic and orders go wrong.
fn values(dtype: DType) -> Vec<Vec<u8>> {
    let floats =
        [0.0, -0.0, 1.0, -1.5, 0.1, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 1e-300, f64::NAN, -f64::NAN];
    match dtype {
        DType::F32 => floats
            .iter()
            .map(|value| {
                #[allow(clippy::cast_possible_truncation, reason = "it is to be of that type")]
                let value = *value as f32;
                value.to_le_bytes().to_vec()
            })
            .chain(
                [0x7f80_0001_u32, 0xff80_0001, 0x7fff_ffff, 0xffff_ffff]
                    .map(|nan| nan.to_le_bytes().to_vec()),
            )
            .collect(),
        DType::F64 => floats
            .iter()
            .map(|value| value.to_le_bytes().to_vec())
            .chain(
                [0x7ff0_0000_0000_0001_u64, 0xfff0_0000_0000_0001, u64::MAX]
                    .map(|nan| nan.to_le_bytes().to_vec()),
            )
            .collect(),
        _ => [0, 1, 2, 3, 7, 127, 128, 1 << 15, 1 << 31, (1 << 31) - 1, 1 << 63, (1 << 63) - 1]
            .into_iter()
            .flat_map(|value: u64| [value, value.wrapping_neg()])
            .map(|value| value.to_le_bytes()[..dtype.size()].to_vec())
            .collect(),
    }
}

/// Bytes of elements: of two to eight of those values, or of any; few values make cells all of one.
fn elements(dtype: DType, count: usize) -> impl Strategy<Value = Vec<u8>> {
    let all = values(dtype);
    let palette = prop_oneof![
        3 => prop::collection::vec(prop::sample::select(all), 1..=6),
        1 => prop::collection::vec(prop::collection::vec(any::<u8>(), dtype.size()), 8),
    ];
    (palette, any::<u64>(), 1u32..=40).prop_map(move |(palette, seed, run)| {
        let mut state = seed | 1;
        let mut value = 0;
        let mut bytes = Vec::with_capacity(count * dtype.size());
        for _ in 0..count {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if state >> 32 <= u64::from(u32::MAX / run) {
                value = usize::try_from(state % 1000).unwrap() % palette.len();
            }
            bytes.extend_from_slice(&palette[value]);
        }
        bytes
    })
}

/// An axis: the source's offset and length, the part's first element in it and its length, and the factor.
fn axis(long: bool) -> impl Strategy<Value = (i64, u64, u64, u64, u64)> {
    let length = if long { (1u64..300).boxed() } else { (1u64..6).boxed() };
    let factor = prop_oneof![4 => Just(2u64), 2 => 1u64..5, 1 => Just(7), 1 => Just(u64::MAX)];
    (-9i64..9, length, factor).prop_flat_map(|(offset, length, factor)| {
        let inside = prop_oneof![
            Just((0, length)),
            (0..length).prop_flat_map(move |start| (Just(start), 0..=length - start)),
        ];
        inside.prop_map(move |(start, part)| (offset, length, start, part, factor))
    })
}

fn cases() -> impl Strategy<Value = Case> {
    let axes = (1usize..=5).prop_flat_map(|rank| {
        let last = if rank <= 3 { axis(true).boxed() } else { axis(false).boxed() };
        (prop::collection::vec(axis(false), rank - 1), last)
    });
    let choice = (prop::sample::select(Reducer::ALL), prop::sample::select(DType::ALL));
    (choice, axes, prop::collection::vec((0u64..2, 0u64..2), 5)).prop_flat_map(
        |((reducer, dtype), (mut axes, last), margins)| {
            axes.push(last);
            let offset: Vec<i64> = axes.iter().map(|axis| axis.0).collect();
            let shape: Vec<u64> = axes.iter().map(|axis| axis.1).collect();
            let start: Vec<i64> =
                axes.iter().map(|axis| axis.0.checked_add_unsigned(axis.2).unwrap()).collect();
            let length: Vec<u64> = axes.iter().map(|axis| axis.3).collect();
            let factors: Vec<u64> = axes.iter().map(|axis| axis.4).collect();
            let source_region = Region::new(&offset, &shape).unwrap();
            let part = Region::new(&start, &length).unwrap();
            let coarser = coarser_region(&part, &factors).unwrap();
            let target_offset: Vec<i64> = coarser
                .offset()
                .iter()
                .zip(&margins)
                .map(|(at, margin)| at.checked_sub_unsigned(margin.0).unwrap())
                .collect();
            let target_shape: Vec<u64> = coarser
                .shape()
                .iter()
                .zip(&margins)
                .map(|(length, margin)| length + margin.0 + margin.1)
                .collect();
            let target_region = Region::new(&target_offset, &target_shape).unwrap();
            let count = usize::try_from(source_region.elements()).unwrap();
            elements(dtype, count).prop_map(move |source| Case {
                reducer,
                dtype,
                factors: factors.clone(),
                source,
                source_region,
                part,
                target_region,
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_region_is_reduced_as_the_plain_rule_reduces_its_cells(case in cases()) {
        let (mut computed, mut expected) = (case.untouched(), case.untouched());
        case.computed(&mut computed);
        case.expected(&mut expected);
        prop_assert_eq!(computed, expected);
    }

    #[test]
    fn cutting_a_part_at_multiples_of_the_factors_changes_no_bit(case in cases(), along in 0usize..5, at in 0u64..9) {
        let axis = along % case.part.rank();
        let mut whole = case.untouched();
        case.computed(&mut whole);
        let factor = i64::try_from(case.factors[axis]).unwrap_or(0);
        let first = case.part.offset()[axis];
        let cut = i64::try_from(at).unwrap() * factor + factor * first.div_euclid(factor.max(1));
        let mut pieces = case.untouched();
        for part in [case.part.slice(axis, i64::MIN, cut), case.part.slice(axis, cut, i64::MAX)] {
            if !part.is_empty() {
                Case { part, ..case.clone() }.computed(&mut pieces);
            }
        }
        prop_assert_eq!(pieces, whole);
    }
}

/// All cells of two by two by two, and of its edges, that have four values or fewer in them.
#[test]
fn every_pattern_of_votes_is_counted_right() {
    // Growth strings: each element is one of the values before it, or the next one.
    let mut patterns: Vec<Vec<u8>> = vec![vec![]];
    for _ in 0..8 {
        patterns = patterns
            .iter()
            .flat_map(|pattern| {
                let next = pattern.iter().max().map_or(0, |most| most + 1);
                (0..=next.min(3)).map(move |value| [pattern.as_slice(), &[value]].concat())
            })
            .collect();
    }
    for labels in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        // Along the last axis, two elements per pattern.
        let mut source = vec![0; patterns.len() * 8];
        for (index, pattern) in patterns.iter().enumerate() {
            for (at, value) in pattern.iter().enumerate() {
                source[(at / 2) * 2 * patterns.len() + 2 * index + at % 2] = labels[usize::from(*value)];
            }
        }
        let length = u64::try_from(patterns.len()).unwrap() * 2;
        let halves = Region::at_origin(&[4, 1, length]).unwrap();
        let cubes = Region::at_origin(&[2, 2, length]).unwrap();
        for &reducer in Reducer::ALL {
            for (region, factors) in [
                (cubes, [2, 2, 2]),
                (cubes, [1, 2, 2]),
                (cubes, [2, 1, 2]),
                (halves, [2, 2, 2]),
                (halves, [4, 1, 2]),
            ] {
                let case = Case::whole(reducer, DType::U8, &factors, source.clone(), region);
                let (mut computed, mut expected) = (case.untouched(), case.untouched());
                case.computed(&mut computed);
                case.expected(&mut expected);
                assert_eq!(computed, expected, "{reducer} {factors:?}");
            }
        }
    }
}
