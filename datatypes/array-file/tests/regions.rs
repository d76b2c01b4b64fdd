//! Regions are written and read back, as an array in memory would answer them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use array_file::{ArrayFile, ArraySpec, DType, Error, FileConfig, FillValue, List, TimestampNs};
use half::f16;
use ndarray::{Array, Array2, Array3, ArrayD, Ix3, s};
use num_complex::Complex;
use object_store::memory::InMemory;

fn memory() -> Arc<InMemory> {
    Arc::new(InMemory::new())
}

#[tokio::test]
async fn what_was_written_is_read_before_and_after_a_flush_and_when_opened_again() {
    let store = memory();
    let mut file = ArrayFile::create(store.clone(), "a/b.af", FileConfig::default()).await.unwrap();
    let spec =
        ArraySpec::new::<u16>(&[100, 70, 50]).chunk_shape(&[64, 64, 32]).fill_value(FillValue::UInt(9));
    file.define_array("image", spec).unwrap();
    let all = Array3::from_shape_fn((100, 70, 50), |(z, y, x)| u16::try_from(z * 331 + y * 7 + x).unwrap());
    file.write_array("image", &[0, 0, 0], all.view()).await.unwrap();
    let part = Array3::from_elem((3, 3, 3), 65_535);
    file.write_array("image", &[62, 63, 30], part.view()).await.unwrap();
    let mut expected = all;
    expected.slice_mut(s![62..65, 63..66, 30..33]).assign(&part);
    let check = async |file: &ArrayFile| {
        let whole = file.read_array::<u16>("image", &[], &[]).await.unwrap();
        assert!(whole == expected.view().into_dyn());
        let part = file.read_array::<u16>("image", &[60, 60, 28], &[10, 5, 7]).await.unwrap();
        assert_eq!(part, expected.slice(s![60..70, 60..65, 28..35]).into_dyn());
    };
    check(&file).await;
    assert_eq!(file.flush().await.unwrap(), 1);
    check(&file).await;
    let opened = ArrayFile::open(store, "a/b.af", FileConfig::default()).await.unwrap();
    assert_eq!((opened.commit(), opened.num_layers()), (1, 1));
    check(&opened).await;
}

#[tokio::test]
async fn views_with_any_strides_are_written_as_they_look() {
    let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
    let base = Array3::from_shape_fn((40, 30, 20), |(z, y, x)| i32::try_from(z * 1000 + y * 20 + x).unwrap());
    let mut turned = base.view();
    turned.swap_axes(0, 2);
    turned.invert_axis(ndarray::Axis(1));
    let stepped = base.slice(s![..;3, ..;-2, 3..17;5]);
    let fortran = {
        let mut made = Array::zeros(ndarray::ShapeBuilder::f((40, 30, 20)));
        made.assign(&base);
        made
    };
    for (name, view) in [("turned", turned), ("stepped", stepped), ("fortran", fortran.view())] {
        let shape: Vec<u64> = view.shape().iter().map(|length| *length as u64).collect();
        file.define_array(name, ArraySpec::new::<i32>(&shape).chunk_shape(&[7, 16, 5])).unwrap();
        file.write_array(name, &[0, 0, 0], view).await.unwrap();
        let read = file.read_array::<i32>(name, &[], &[]).await.unwrap();
        assert_eq!(read.into_dimensionality::<Ix3>().unwrap(), view, "{name}");
    }
}

/// Writes a corner of an array of each type, and reads all of it before and after a flush.
async fn round_trip<T>(name: &str, values: Vec<T>, fill: Option<(FillValue, T)>)
where
    T: array_file::ArrayElement + PartialEq + std::fmt::Debug,
{
    let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
    let count = values.len();
    let mut spec = ArraySpec::new::<T>(&[2, count as u64 + 3]).chunk_shape(&[1, 2]);
    if let Some((fill, _)) = &fill {
        spec = spec.fill_value(fill.clone());
    }
    file.define_array(name, spec).unwrap();
    let blank = fill.map_or_else(T::zero, |(_, value)| value);
    let mut expected = Array2::from_elem((2, count + 3), blank);
    let row = Array2::from_shape_vec((1, count), values).unwrap();
    file.write_array(name, &[1, 1], row.view()).await.unwrap();
    expected.slice_mut(s![1..2, 1..=count]).assign(&row);
    for _ in 0..2 {
        assert_eq!(file.read_array::<T>(name, &[], &[]).await.unwrap(), expected.view().into_dyn(), "{name}");
        file.flush().await.unwrap();
    }
}

#[tokio::test]
async fn elements_of_every_type_come_back() {
    round_trip("bool", vec![true, false, true], Some((FillValue::Bool(true), true))).await;
    round_trip("u8", vec![0u8, 255, 3], Some((FillValue::Int(7), 7))).await;
    round_trip("u16", vec![0u16, u16::MAX, 3], None).await;
    round_trip("u32", vec![0u32, u32::MAX, 3], Some((FillValue::UInt(7), 7))).await;
    round_trip("u64", vec![0u64, u64::MAX, 3], Some((FillValue::UInt(u64::MAX), u64::MAX))).await;
    round_trip("i8", vec![-128i8, 127], Some((FillValue::Int(-7), -7))).await;
    round_trip("i16", vec![i16::MIN, i16::MAX], None).await;
    round_trip("i32", vec![i32::MIN, i32::MAX], None).await;
    round_trip("i64", vec![i64::MIN, i64::MAX], Some((FillValue::Int(-1), -1))).await;
    round_trip(
        "f16",
        vec![f16::MIN, f16::MAX, f16::NEG_ZERO],
        Some((FillValue::Float(0.5), f16::from_f32(0.5))),
    )
    .await;
    round_trip("f32", vec![-0.0f32, f32::INFINITY, 1.5], Some((FillValue::Float(0.25), 0.25))).await;
    round_trip("f64", vec![f64::MIN_POSITIVE, -1.0], Some((FillValue::Int(-3), -3.0))).await;
    let complex = |re, im| Complex::<f32>::new(re, im);
    round_trip("c64", vec![complex(1.0, -2.0)], Some((FillValue::Complex(0.0, 1.0), complex(0.0, 1.0))))
        .await;
    round_trip("c128", vec![Complex::new(1.0, -2.0), Complex::new(f64::MAX, 0.0)], None).await;
    let time = TimestampNs(1_700_000_000_000_000_000);
    round_trip("time", vec![time], Some((FillValue::TimestampNs(-5), TimestampNs(-5)))).await;
    let text = |text: &str| text.to_owned();
    round_trip(
        "text",
        vec![text(""), text("größe"), text("b")],
        Some((FillValue::String(text("none")), text("none"))),
    )
    .await;
    round_trip(
        "bytes",
        vec![vec![], vec![0u8, 255], vec![1; 1000]],
        Some((FillValue::Binary(vec![9]), vec![9])),
    )
    .await;
    round_trip("list", vec![List(vec![1u16, 2, 3]), List(vec![])], None).await;
    round_trip("texts", vec![List(vec![text("a"), text("")]), List(vec![])], None).await;
    round_trip("pair", vec![[1u32, 2], [3, 4]], None).await;
    round_trip("names", vec![[text("a"), text("bc")]], None).await;
    let fill = FillValue::List(vec![FillValue::Int(4), FillValue::Int(5)]);
    round_trip("filled", vec![List(vec![[1i8, 2]])], Some((FillValue::List(vec![fill]), List(vec![[4, 5]]))))
        .await;
}

#[tokio::test]
async fn arrays_without_axes_and_without_elements_are_arrays() {
    let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
    file.define_array("scalar", ArraySpec::new::<f64>(&[])).unwrap();
    file.write_array("scalar", &[], ndarray::arr0(2.5).view()).await.unwrap();
    file.define_array("empty", ArraySpec::new::<f64>(&[0, 5])).unwrap();
    file.flush().await.unwrap();
    assert_eq!(file.read_array::<f64>("scalar", &[], &[]).await.unwrap(), ndarray::arr0(2.5).into_dyn());
    let empty: ArrayD<f64> = file.read_array("empty", &[], &[]).await.unwrap();
    assert_eq!(empty.shape(), [0, 5]);
}

#[tokio::test]
async fn a_read_beyond_the_end_is_shorter_and_a_write_is_out_of_bounds() {
    let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
    file.define_array("a", ArraySpec::new::<u8>(&[5])).unwrap();
    let view = ndarray::arr1(&[1u8, 2, 3]);
    file.write_array("a", &[2], view.view()).await.unwrap();
    assert_eq!(file.read_array::<u8>("a", &[3], &[100]).await.unwrap(), ndarray::arr1(&[2u8, 3]).into_dyn());
    assert_eq!(file.read_array::<u8>("a", &[9], &[1]).await.unwrap().len(), 0);
    let error = file.write_array("a", &[3], view.view()).await.unwrap_err();
    assert!(matches!(error, Error::OutOfBounds { axis: 0, start: 3, end: 6, length: 5 }), "{error}");
    let error = file.write_array("a", &[u64::MAX], view.view()).await.unwrap_err();
    assert!(matches!(error, Error::OutOfBounds { .. }), "{error}");
    let error = file.read_array::<u8>("a", &[0, 0], &[1, 1]).await.unwrap_err();
    assert!(matches!(error, Error::WrongRank { expected: 1, actual: 2 }), "{error}");
    let error = file.read_array::<u16>("a", &[], &[]).await.unwrap_err();
    assert!(
        matches!(error, Error::DTypeMismatch { expected: DType::UInt8, actual: DType::UInt16 }),
        "{error}"
    );
    let mut short = [0; 2];
    let error = file.read_bytes("a", &[3], &[3], &mut short).await.unwrap_err();
    assert!(matches!(error, Error::OutOfBounds { .. }), "{error}");
}

#[test]
fn an_executor_may_move_every_operation_between_its_threads() {
    fn is_send<T: Send>(_: &T) {}
    let file = async {
        let mut file = ArrayFile::create_memory(FileConfig::default()).await?;
        file.define_array("a", ArraySpec::new::<u8>(&[4]))?;
        file.write_array("a", &[0], ndarray::arr1(&[1u8, 2]).view()).await?;
        file.flush().await?;
        file.append("a", 0, ndarray::arr1(&[9u8]).view()).await?;
        file.rebase().await?;
        file.compact().await?;
        file.sweep(std::time::Duration::ZERO).await?;
        file.array_stats("a").await?;
        file.read_strided::<u8>("a", &[0], &[5], &[2]).await
    };
    is_send(&file);
    // And without any runtime.
    let read = futures_util::FutureExt::now_or_never(file).expect("nothing waits in memory").unwrap();
    assert_eq!(read, ndarray::arr1(&[1u8, 0, 9]).into_dyn());
}

#[tokio::test]
async fn a_region_of_too_many_chunks_is_an_error() {
    let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
    file.define_array("a", ArraySpec::new::<u8>(&[1 << 20, 1 << 12]).chunk_shape(&[1, 16])).unwrap();
    let error = file.read_array::<u8>("a", &[], &[]).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    let read = file.read_strided::<u8>("a", &[0, 0], &[1 << 20, 1 << 12], &[1 << 19, 1 << 11]).await.unwrap();
    assert_eq!(read.shape(), [2, 2]);
}

/// A buffer that something else was read into before.
#[tokio::test]
async fn bytes_are_read_over_what_the_buffer_held() {
    let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
    for (name, fill) in [("none", None), ("zero", Some(0)), ("seven", Some(7))] {
        let mut spec = ArraySpec::new::<u8>(&[3, 4]).chunk_shape(&[1, 2]);
        if let Some(fill) = fill {
            spec = spec.fill_value(FillValue::UInt(fill));
        }
        file.define_array(name, spec).unwrap();
        file.write_array(name, &[1, 2], ndarray::arr2(&[[1u8, 2]]).view()).await.unwrap();
        let blank = u8::try_from(fill.unwrap_or(0)).unwrap();
        let expected = [blank, blank, blank, blank, blank, blank, 1, 2, blank, blank, blank, blank];
        for _ in 0..2 {
            let mut bytes = [99; 12];
            file.read_bytes(name, &[0, 0], &[3, 4], &mut bytes).await.unwrap();
            assert_eq!(bytes, expected, "{name}");
            file.flush().await.unwrap();
        }
    }
}
