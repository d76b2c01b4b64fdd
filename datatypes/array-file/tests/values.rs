//! Elements whose type is learnt from the file: what is written as values is read as values, and as Rust types.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use array_file::{ArrayFile, ArraySpec, DType, Error, FileConfig, FillValue, List, TimestampNs};
use half::f16;
use ndarray::{Array2, ArrayD, arr0, arr1, arr2};
use num_complex::Complex;
use object_store::memory::InMemory;

const PATH: &str = "values.af";

/// Two values of each type, the second of which is none that arrays begin with.
fn pairs() -> Vec<(&'static str, FillValue, FillValue)> {
    use FillValue as V;
    let text = |text: &str| V::String(text.to_owned());
    vec![
        ("bool", V::Bool(false), V::Bool(true)),
        ("int8", V::Int(-128), V::Int(127)),
        ("int16", V::Int(-32_768), V::Int(5)),
        ("int32", V::Int(i32::MIN.into()), V::Int(6)),
        ("int64", V::Int(i64::MIN), V::Int(7)),
        ("uint8", V::UInt(0), V::UInt(255)),
        ("uint16", V::UInt(0), V::UInt(65_535)),
        ("uint32", V::UInt(1), V::UInt(u32::MAX.into())),
        ("uint64", V::UInt(2), V::UInt(u64::MAX)),
        ("float16", V::Float(-0.5), V::Float(65_504.0)),
        ("float32", V::Float(0.1f32.into()), V::Float(f64::INFINITY)),
        ("float64", V::Float(0.1), V::Float(-0.0)),
        ("complex64", V::Complex(0.0, 0.0), V::Complex(1.5, -2.5)),
        ("complex128", V::Complex(0.1, 0.2), V::Complex(f64::NEG_INFINITY, 1.0)),
        ("timestamp[ns]", V::TimestampNs(0), V::TimestampNs(-1)),
        ("string", text(""), text("zwei\n§")),
        ("binary", V::Binary(vec![]), V::Binary(vec![0, 255])),
        ("list<uint8, 2>", V::List(vec![V::UInt(0), V::UInt(0)]), V::List(vec![V::UInt(3), V::UInt(4)])),
        ("list<float32>", V::List(vec![]), V::List(vec![V::Float(0.5), V::Float(1.0)])),
        (
            "list<list<string>, 2>",
            V::List(vec![V::List(vec![]), V::List(vec![])]),
            V::List(vec![V::List(vec![text("a"), text("")]), V::List(vec![])]),
        ),
    ]
}

#[tokio::test]
async fn values_of_every_type_come_back_before_and_after_a_flush() {
    let store = Arc::new(InMemory::new());
    let mut file = ArrayFile::create(store.clone(), PATH, FileConfig::default()).await.unwrap();
    let mut expected: Vec<(&str, ArrayD<FillValue>)> = Vec::new();
    for (name, one, other) in pairs() {
        let dtype: DType = name.parse().unwrap();
        file.define_array(name, ArraySpec::of(dtype, &[5, 7]).chunk_shape(&[2, 3])).unwrap();
        let untouched = file.read_values(name, &[], &[]).await.unwrap();
        assert_eq!(untouched.shape(), [5, 7], "{name}");
        // Parts of chunks, whole ones, and in the end what was there already.
        let written =
            Array2::from_shape_fn((4, 6), |(y, x)| if (y + x) % 3 == 0 { &one } else { &other }.clone());
        file.write_values(name, &[1, 1], written.view()).await.unwrap();
        file.write_values(name, &[1, 2], arr2(&[[one.clone(), other.clone()]]).view()).await.unwrap();
        let mut all = untouched;
        all.slice_mut(ndarray::s![1.., 1..]).assign(&written);
        all[[1, 2]] = one;
        all[[1, 3]] = other;
        assert_eq!(file.read_values(name, &[], &[]).await.unwrap(), all, "{name}");
        expected.push((name, all));
    }
    file.flush().await.unwrap();
    let opened = ArrayFile::open(store, PATH, FileConfig::default()).await.unwrap();
    for (name, all) in &expected {
        for file in [&file, &opened] {
            assert_eq!(file.read_values(name, &[], &[]).await.unwrap(), all, "{name}");
            let part = file.read_values(name, &[3, 5], &[9, 9]).await.unwrap();
            assert_eq!(part, all.slice(ndarray::s![3.., 5..]).into_dyn(), "{name}");
        }
    }
}

#[tokio::test]
async fn values_are_those_of_rust_types() {
    use FillValue as V;
    let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
    macro_rules! same {
        ($type:ty, $element:expr, $value:expr) => {
            let (elements, values): ([$type; 1], [FillValue; 1]) = ([$element], [$value]);
            file.define_array("a", ArraySpec::new::<$type>(&[1])).unwrap();
            file.write_array("a", &[0], arr1(&elements).view()).await.unwrap();
            assert_eq!(file.read_values("a", &[], &[]).await.unwrap(), arr1(&values).into_dyn());
            file.delete("a").unwrap();
            file.define_array("a", ArraySpec::new::<$type>(&[1])).unwrap();
            file.write_values("a", &[0], arr1(&values).view()).await.unwrap();
            let read: ArrayD<$type> = file.read_array("a", &[], &[]).await.unwrap();
            assert_eq!(read, arr1(&elements).into_dyn());
            file.delete("a").unwrap();
        };
    }
    same!(bool, true, V::Bool(true));
    same!(i16, -2, V::Int(-2));
    same!(u64, u64::MAX, V::UInt(u64::MAX));
    same!(f16, f16::from_f32(1.5), V::Float(1.5));
    same!(f32, 0.1, V::Float(0.1f32.into()));
    same!(Complex<f32>, Complex::new(1.0, -2.0), V::Complex(1.0, -2.0));
    same!(TimestampNs, TimestampNs(3), V::TimestampNs(3));
    same!(String, "s".to_owned(), V::String("s".to_owned()));
    same!(Vec<u8>, vec![9], V::Binary(vec![9]));
    same!([i8; 2], [1, -1], V::List(vec![V::Int(1), V::Int(-1)]));
    same!(
        List<List<String>>,
        List(vec![List(vec!["x".to_owned()]), List(vec![])]),
        V::List(vec![V::List(vec![V::String("x".to_owned())]), V::List(vec![])])
    );
    // An array without axes has one element.
    file.define_array("a", ArraySpec::new::<f32>(&[])).unwrap();
    file.write_values("a", &[], arr0(V::Int(3)).view()).await.unwrap();
    assert_eq!(file.read_values("a", &[], &[]).await.unwrap(), arr0(V::Float(3.0)).into_dyn());
}

#[tokio::test]
async fn what_isnt_a_value_of_the_type_is_refused_and_nothing_is_written() {
    use FillValue as V;
    let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
    for (dtype, good, bad) in [
        ("uint8", V::UInt(1), V::Int(-1)),
        ("uint8", V::UInt(1), V::UInt(256)),
        ("float16", V::Float(65_504.0), V::Float(65_520.0)),
        ("float32", V::Float(f64::INFINITY), V::Float(1e39)),
        ("complex64", V::Complex(1.0, 1.0), V::Complex(1.0, -1e39)),
        ("list<float32>", V::List(vec![V::Float(1e38)]), V::List(vec![V::Float(1e39)])),
        ("bool", V::Bool(true), V::UInt(1)),
        ("string", V::String("x".to_owned()), V::Binary(vec![1])),
        ("list<uint8, 2>", V::List(vec![V::UInt(1), V::UInt(2)]), V::List(vec![V::UInt(1)])),
        ("list<uint8>", V::List(vec![V::UInt(1)]), V::List(vec![V::String("1".to_owned())])),
    ] {
        file.define_array("a", ArraySpec::of(dtype.parse().unwrap(), &[4]).chunk_shape(&[1])).unwrap();
        let before = file.read_values("a", &[], &[]).await.unwrap();
        let error = file.write_values("a", &[1], arr1(&[good.clone(), bad]).view()).await.unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
        let error = file.write_values("a", &[3], arr1(&[good.clone(), good.clone()]).view()).await;
        assert!(matches!(error, Err(Error::OutOfBounds { .. })), "{error:?}");
        let error = file.write_values("a", &[0, 0], arr2(&[[good]]).view()).await;
        assert!(matches!(error, Err(Error::WrongRank { .. })), "{error:?}");
        assert_eq!(file.read_values("a", &[], &[]).await.unwrap(), before);
        file.delete("a").unwrap();
    }
}
