//! What statistics say of elements.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use array_file::{ArrayElement, ArrayFile, ArraySpec, ArrayStats, FileConfig, FillValue, List, StatValue};
use common::{all, create, line, memory, put};
use half::f16;
use ndarray::Array1;
use num_complex::Complex;

async fn stats_of<T: ArrayElement>(values: Vec<T>, fill: Option<FillValue>, chunk: u64) -> ArrayStats {
    let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
    let mut spec = ArraySpec::new::<T>(&[values.len() as u64 + 2]).chunk_shape(&[chunk]);
    if let Some(fill) = fill {
        spec = spec.fill_value(fill);
    }
    file.define_array("a", spec).unwrap();
    file.write_array("a", &[0], Array1::from(values).view()).await.unwrap();
    file.flush().await.unwrap();
    file.array_stats("a").await.unwrap().unwrap()
}

fn bounds(stats: &ArrayStats) -> (StatValue, StatValue) {
    (stats.min.clone().unwrap(), stats.max.clone().unwrap())
}

#[tokio::test]
async fn fill_values_are_null_and_zeros_without_one_are_not() {
    let stats = stats_of(vec![-5i8, 0, 9, 0], Some(FillValue::Int(0)), 2).await;
    assert_eq!(bounds(&stats), (StatValue::Int(-5), StatValue::Int(9)));
    assert_eq!((stats.null_count, stats.row_count), (4, 6));
    let stats = stats_of(vec![5u64, 0, u64::MAX, 0], None, 2).await;
    assert_eq!(bounds(&stats), (StatValue::UInt(0), StatValue::UInt(u64::MAX)));
    assert_eq!((stats.null_count, stats.row_count), (2, 6));
    let stats = stats_of(vec![true, false], Some(FillValue::Bool(false)), 2).await;
    assert_eq!(bounds(&stats), (StatValue::UInt(1), StatValue::UInt(1)));
}

#[tokio::test]
async fn what_lies_beyond_the_edge_does_not_count() {
    // A chunk of eight, of which five elements are in the array.
    let stats = stats_of(vec![3u16, 4, 5], None, 8).await;
    // The two behind were never written by themselves, but their chunk was.
    assert_eq!((stats.null_count, stats.row_count), (0, 5));
    assert_eq!(bounds(&stats), (StatValue::UInt(0), StatValue::UInt(5)));
}

#[tokio::test]
async fn floats_are_in_total_order_with_nan_at_the_ends() {
    let stats = stats_of(vec![1.5f32, -2.0, f32::INFINITY], Some(FillValue::Float(0.0)), 4).await;
    assert_eq!(bounds(&stats), (StatValue::Float(-2.0), StatValue::Float(f64::INFINITY)));
    let stats = stats_of(vec![1.5f64, f64::NAN], Some(FillValue::Float(0.0)), 4).await;
    assert_eq!(bounds(&stats), (StatValue::Float(1.5), StatValue::Float(f64::NAN)));
    let stats = stats_of(vec![1.5f64, -f64::NAN], Some(FillValue::Float(0.0)), 4).await;
    assert_eq!(bounds(&stats), (StatValue::Float(-f64::NAN), StatValue::Float(1.5)));
    // Zero with the other sign isn't the fill value, and a NaN is where the bits are.
    let stats = stats_of(vec![-0.0f64], Some(FillValue::Float(0.0)), 4).await;
    assert_eq!(bounds(&stats), (StatValue::Float(-0.0), StatValue::Float(-0.0)));
    let stats = stats_of(vec![f64::NAN, 2.0], Some(FillValue::Float(f64::NAN)), 4).await;
    assert_eq!((bounds(&stats).0, stats.null_count), (StatValue::Float(2.0), 3));
    let half = |value| f16::from_f32(value);
    let stats = stats_of(vec![half(0.5), half(-3.0)], Some(FillValue::Int(0)), 4).await;
    assert_eq!(bounds(&stats), (StatValue::Float(-3.0), StatValue::Float(0.5)));
}

#[tokio::test]
async fn long_texts_are_bounded_by_shorter_ones() {
    let text = |text: &str| text.to_owned();
    let stats = stats_of(vec![text("pear"), text("apple")], Some(FillValue::String(String::new())), 4).await;
    assert_eq!(bounds(&stats), (StatValue::Bytes(b"apple".to_vec()), StatValue::Bytes(b"pear".to_vec())));
    assert!(stats.min_is_exact && stats.max_is_exact);
    let long = vec![vec![7u8; 1000], [vec![9u8; 100], vec![255; 900]].concat()];
    let stats = stats_of(long.clone(), Some(FillValue::Binary(vec![])), 4).await;
    let (StatValue::Bytes(min), StatValue::Bytes(max)) = bounds(&stats) else { panic!("not bytes") };
    assert!(!stats.min_is_exact && !stats.max_is_exact);
    assert!(min <= long[0] && max >= long[1] && min.len() <= 256 && max.len() <= 256);
    assert_eq!(max, [vec![9u8; 99], vec![10]].concat());
}

#[tokio::test]
async fn complex_numbers_and_lists_are_counted_and_have_no_bounds() {
    let complex =
        stats_of(vec![Complex::new(1.0f32, 0.0), Complex::new(0.0, 0.0)], Some(FillValue::Int(0)), 4).await;
    assert_eq!((complex.min, complex.max, complex.null_count), (None, None, 3));
    let fill = FillValue::List(vec![]);
    let lists = stats_of(vec![List(vec![1u8]), List(vec![])], Some(fill), 4).await;
    assert_eq!((lists.min, lists.max, lists.null_count), (None, None, 3));
}

#[tokio::test]
async fn statistics_follow_every_edit_and_the_chunks_have_their_own() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(12, 0)).unwrap();
    put(&mut file, "a", 0, &[5, 6, 7, 8, 100, 1]).await;
    file.flush().await.unwrap();
    put(&mut file, "a", 4, &[50, 0]).await;
    file.flush().await.unwrap();
    let stats = file.array_stats("a").await.unwrap().unwrap();
    assert_eq!(bounds(&stats), (StatValue::UInt(5), StatValue::UInt(50)));
    let chunks = file.stored_chunks("a").await.unwrap();
    let found: Vec<_> = chunks.iter().map(|chunk| (chunk.start[0], bounds(&chunk.stats).1)).collect();
    assert_eq!(found, [(0, StatValue::UInt(8)), (4, StatValue::UInt(50))]);
    assert_eq!(chunks[1].stats.null_count, 3);
    // A chunk of nothing but the fill value is none.
    put(&mut file, "a", 4, &[0; 4]).await;
    file.flush().await.unwrap();
    assert_eq!(file.stored_chunks("a").await.unwrap().len(), 1);
    assert_eq!(all(&file, "a").await, [5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
}
