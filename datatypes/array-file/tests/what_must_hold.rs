//! What an older design of layered arrays got wrong, one test for each.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(clippy::cast_possible_truncation, reason = "noise is made by cutting")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use array_file::{
    ArrayFile, ArraySpec, AttributeValue, BlockCodec, CompressionCodec, Error, FileConfig, FillValue,
    StatValue,
};
use common::counting::Counting;
use common::{PATH, all, bytes_of, create, line, memory, objects, open, put};
use ndarray::{Array3, ArrayD, arr1, s};
use object_store::ObjectStoreExt;
use object_store::path::Path;

#[tokio::test]
async fn a_cache_never_answers_for_a_layer_that_has_replaced_another() {
    let store = memory();
    let config = FileConfig { grace: Duration::ZERO, ..FileConfig::default() };
    let mut file = ArrayFile::create(store.clone(), PATH, config).await.unwrap();
    file.define_array("a", line(4, 0)).unwrap();
    put(&mut file, "a", 0, &[1; 4]).await;
    file.flush().await.unwrap();
    assert_eq!(all(&file, "a").await, [1; 4]);
    file.compact().await.unwrap();
    put(&mut file, "a", 0, &[2; 4]).await;
    file.flush().await.unwrap();
    assert_eq!(all(&file, "a").await, [2; 4]);
    file.compact().await.unwrap();
    assert_eq!(all(&file, "a").await, [2; 4]);
    assert_eq!(all(&open(&store).await, "a").await, [2; 4]);
}

#[tokio::test]
async fn nothing_of_a_deleted_array_is_seen_in_one_of_its_name() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(8, 0)).unwrap();
    put(&mut file, "a", 0, &[9; 8]).await;
    file.flush().await.unwrap();
    file.delete("a").unwrap();
    file.flush().await.unwrap();
    file.define_array("a", line(8, 5)).unwrap();
    put(&mut file, "a", 0, &[1; 4]).await;
    let expected = [1, 1, 1, 1, 5, 5, 5, 5];
    assert_eq!(all(&file, "a").await, expected);
    file.flush().await.unwrap();
    assert_eq!(all(&open(&store).await, "a").await, expected);
    // In one session, and as another type.
    file.delete("a").unwrap();
    file.define_array("a", ArraySpec::new::<f64>(&[2, 2])).unwrap();
    file.write_array("a", &[1, 1], ndarray::arr2(&[[0.5]]).view()).await.unwrap();
    file.flush().await.unwrap();
    file.compact().await.unwrap();
    let read: ArrayD<f64> = open(&store).await.read_array("a", &[], &[]).await.unwrap();
    assert_eq!(read, ndarray::arr2(&[[0.0, 0.0], [0.0, 0.5]]).into_dyn());
}

#[tokio::test]
async fn attributes_stay_with_their_names_and_arrays_across_layers() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(4, 0)).unwrap();
    file.define_array("b", line(4, 0)).unwrap();
    file.set_attribute("a", "units", "m").unwrap();
    file.flush().await.unwrap();
    file.set_attribute("b", "offset", 7i32).unwrap();
    file.flush().await.unwrap();
    let opened = open(&store).await;
    assert_eq!(opened.get_attribute("a", "units").unwrap(), Some(&AttributeValue::from("m")));
    assert_eq!(opened.get_attribute("b", "offset").unwrap(), Some(&AttributeValue::Int32(7)));
    assert_eq!((opened.attributes("a").unwrap().len(), opened.attributes("b").unwrap().len()), (1, 1));
}

#[tokio::test]
async fn the_second_of_two_writers_is_told_and_loses_nothing() {
    let store = memory();
    let mut first = create(&store).await;
    first.define_array("a", line(8, 0)).unwrap();
    put(&mut first, "a", 0, &[3; 8]).await;
    first.flush().await.unwrap();
    let mut second = open(&store).await;
    put(&mut first, "a", 0, &[1; 4]).await;
    put(&mut second, "a", 4, &[2; 4]).await;
    assert_eq!(first.flush().await.unwrap(), 2);
    let error = second.flush().await.unwrap_err();
    assert!(matches!(error, Error::Conflict { base: 1, newest: 2 }), "{error}");
    assert_eq!(all(&open(&store).await, "a").await, [1, 1, 1, 1, 3, 3, 3, 3]);
    assert_eq!(all(&second, "a").await, [3, 3, 3, 3, 2, 2, 2, 2]);
    assert_eq!(second.rebase().await.unwrap(), 2);
    assert_eq!(second.flush().await.unwrap(), 3);
    assert_eq!(all(&open(&store).await, "a").await, [1, 1, 1, 1, 2, 2, 2, 2]);
    // What both have changed can't be put on top.
    put(&mut first, "a", 0, &[5]).await;
    first.flush().await.unwrap_err();
    first.rebase().await.unwrap();
    put(&mut second, "a", 1, &[6]).await;
    second.flush().await.unwrap();
    assert!(matches!(first.flush().await, Err(Error::Conflict { .. })));
    assert!(matches!(first.rebase().await, Err(Error::Conflict { base: 3, newest: 4 })));
    assert_eq!(all(&first, "a").await, [5, 1, 1, 1, 2, 2, 2, 2]);
}

#[tokio::test]
async fn creating_over_a_file_is_refused_and_replacing_it_shows_nothing_of_it() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(4, 0)).unwrap();
    put(&mut file, "a", 0, &[1; 4]).await;
    file.flush().await.unwrap();
    put(&mut file, "a", 0, &[2; 4]).await;
    file.flush().await.unwrap();
    let again = ArrayFile::create(store.clone(), PATH, FileConfig::default()).await;
    assert!(matches!(again, Err(Error::FileAlreadyExists { .. })));
    // Also where only the head was removed by hand.
    store.delete(&Path::from(PATH)).await.unwrap();
    let again = ArrayFile::create(store.clone(), PATH, FileConfig::default()).await;
    assert!(matches!(again, Err(Error::FileAlreadyExists { .. })));
    let mut new = ArrayFile::replace(store.clone(), PATH, FileConfig::default()).await.unwrap();
    assert_eq!(open(&store).await.list_arrays().count(), 0);
    new.define_array("a", line(8, 7)).unwrap();
    new.flush().await.unwrap();
    assert_eq!(all(&open(&store).await, "a").await, [7; 8]);
    let past = ArrayFile::open_at(store.clone(), PATH, 2, FileConfig::default()).await.unwrap();
    assert_eq!(all(&past, "a").await, [2; 4]);
    put(&mut file, "a", 0, &[3; 4]).await;
    assert!(matches!(file.flush().await, Err(Error::Conflict { .. })));
}

#[tokio::test]
async fn a_layer_that_is_missing_is_an_error_and_no_name_is_taken_twice() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(4, 0)).unwrap();
    for value in 1..=3 {
        put(&mut file, "a", 0, &[value; 4]).await;
        file.flush().await.unwrap();
    }
    store.delete(&Path::from("folder/test.2.af")).await.unwrap();
    let mut opened = open(&store).await;
    let third = bytes_of(&*store, "folder/test.3.af").await;
    put(&mut opened, "a", 0, &[4; 4]).await;
    opened.flush().await.unwrap();
    assert_eq!(bytes_of(&*store, "folder/test.3.af").await, third);
    assert_eq!(all(&open(&store).await, "a").await, [4; 4]);
    store.delete(&Path::from("folder/test.4.af")).await.unwrap();
    let error = open(&store).await.read_array::<u32>("a", &[], &[]).await.unwrap_err();
    assert!(matches!(error, Error::LayerGone { .. }), "{error}");
}

#[tokio::test]
async fn a_flipped_byte_is_an_error_also_where_nothing_is_compressed() {
    let store = memory();
    let config = FileConfig::new(chunks::Codec::NONE);
    let mut file = ArrayFile::create(store.clone(), PATH, config).await.unwrap();
    file.define_array("a", line(4, 0)).unwrap();
    put(&mut file, "a", 0, &[1, 2, 3, 4]).await;
    file.flush().await.unwrap();
    let mut layer = bytes_of(&*store, "folder/test.1.af").await;
    let at = layer.windows(4).position(|four| four == 2u32.to_le_bytes()).unwrap();
    layer[at] ^= 0xff;
    store.put(&Path::from("folder/test.1.af"), layer.into()).await.unwrap();
    let error = open(&store).await.read_array::<u32>("a", &[], &[]).await.unwrap_err();
    assert!(matches!(&error, Error::Corrupt { path, .. } if path == "folder/test.1.af"), "{error}");
}

#[tokio::test]
async fn shapes_and_places_beyond_32_bits_are_kept() {
    let store = memory();
    let mut file = create(&store).await;
    let spec = ArraySpec::new::<u8>(&[5_000_000_000, 3]).chunk_shape(&[1000, 3]);
    file.define_array("long", spec).unwrap();
    file.write_array("long", &[4_999_999_999, 0], ndarray::arr2(&[[1u8, 2, 3]]).view()).await.unwrap();
    file.flush().await.unwrap();
    let opened = open(&store).await;
    assert_eq!(opened.get_array("long").unwrap().shape, [5_000_000_000, 3]);
    let read: ArrayD<u8> = opened.read_array("long", &[4_999_999_998, 0], &[2, 3]).await.unwrap();
    assert_eq!(read, ndarray::arr2(&[[0, 0, 0], [1, 2, 3]]).into_dyn());
    let stats = opened.array_stats("long").await.unwrap().unwrap();
    assert_eq!(stats.row_count, 15_000_000_000);
    // More than the index can address is refused, and not cut.
    for (shape, chunk) in [(1 << 40, 1), (1 << 40, 1 << 32)] {
        let error =
            file.define_array("no", ArraySpec::new::<u8>(&[shape]).chunk_shape(&[chunk])).unwrap_err();
        assert!(matches!(error, Error::InvalidShape { .. }), "{error}");
    }
}

/// A codec that nobody else has.
#[derive(Debug)]
struct Inverted;

impl CompressionCodec for Inverted {
    fn id(&self) -> &'static str {
        "inverted"
    }

    fn compress(&self, block: &[u8]) -> Result<Vec<u8>, String> {
        Ok(block.iter().map(|byte| !byte).collect())
    }

    fn decompress(&self, compressed: &[u8], out: &mut [u8]) -> Result<(), String> {
        if compressed.len() != out.len() {
            return Err("another length".to_owned());
        }
        out.iter_mut().zip(compressed).for_each(|(out, byte)| *out = !byte);
        Ok(())
    }
}

#[tokio::test]
async fn fill_values_of_every_type_count_custom_codecs_are_read_and_wrong_ranks_refused() {
    let store = memory();
    let codec: Arc<dyn CompressionCodec> = Arc::new(Inverted);
    let config = FileConfig::new(BlockCodec::from(Arc::clone(&codec)));
    let mut file = ArrayFile::create(store.clone(), PATH, config).await.unwrap();
    let spec = ArraySpec::new::<String>(&[3]).fill_value(FillValue::String("none".to_owned()));
    file.define_array("text", spec).unwrap();
    file.write_array("text", &[1], arr1(&["x".to_owned()]).view()).await.unwrap();
    file.flush().await.unwrap();
    let error = open(&store).await.read_array::<String>("text", &[], &[]).await.unwrap_err();
    assert!(matches!(&error, Error::UnknownCodec { id } if id == "inverted"), "{error}");
    let mut reader = FileConfig::default();
    reader.codecs.register(codec);
    let opened = ArrayFile::open(store.clone(), PATH, reader).await.unwrap();
    let read: ArrayD<String> = opened.read_array("text", &[], &[]).await.unwrap();
    assert_eq!(read.as_slice().unwrap(), ["none", "x", "none"]);
    let error = opened.read_array::<String>("text", &[0, 0], &[1, 1]).await.unwrap_err();
    assert!(matches!(error, Error::WrongRank { expected: 1, actual: 2 }), "{error}");
    let error = opened.read_array::<String>("text", &[], &[1]).await.unwrap_err();
    assert!(matches!(error, Error::WrongRank { expected: 1, actual: 0 }), "{error}");
    // A fill value that isn't one of the type is refused, and not wrapped.
    for (spec, fill) in [
        (ArraySpec::new::<u8>(&[1]), FillValue::Int(300)),
        (ArraySpec::new::<u8>(&[1]), FillValue::Float(1.5)),
        (ArraySpec::new::<f32>(&[1]), FillValue::Int((1 << 24) + 1)),
        (ArraySpec::new::<bool>(&[1]), FillValue::Int(1)),
    ] {
        let error = file.define_array("no", spec.fill_value(fill)).unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_waits_for_a_flush_is_read_and_changed_by_a_custom_codec_too() {
    let store = memory();
    let codec: Arc<dyn CompressionCodec> = Arc::new(Inverted);
    let mut config = FileConfig::new(BlockCodec::from(codec));
    // Chunks of half of it or more wait compressed.
    config.block_target_size = 1 << 10;
    let mut file = ArrayFile::create(store.clone(), PATH, config.clone()).await.unwrap();
    file.define_array("a", ArraySpec::new::<u8>(&[8192]).chunk_shape(&[4096])).unwrap();
    let mut elements: Vec<u8> = (0..8192u32).map(|at| (at % 251) as u8).collect();
    file.write_array("a", &[0], arr1(&elements).view()).await.unwrap();
    file.write_array("a", &[4000], arr1(&[7u8; 200]).view()).await.unwrap();
    elements[4000..4200].fill(7);
    let read: ArrayD<u8> = file.read_array("a", &[], &[]).await.unwrap();
    assert_eq!(read.as_slice().unwrap(), elements);
    file.flush().await.unwrap();
    for file in [&file, &ArrayFile::open(store.clone(), PATH, config).await.unwrap()] {
        let read: ArrayD<u8> = file.read_array("a", &[], &[]).await.unwrap();
        assert_eq!(read.as_slice().unwrap(), elements);
    }
}

#[tokio::test]
async fn a_deleted_array_has_no_statistics() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(8, 0)).unwrap();
    put(&mut file, "a", 0, &[4, 0, 9]).await;
    file.flush().await.unwrap();
    let stats = file.array_stats("a").await.unwrap().unwrap();
    assert_eq!((stats.min, stats.max), (Some(StatValue::UInt(4)), Some(StatValue::UInt(9))));
    assert_eq!((stats.null_count, stats.row_count), (6, 8));
    file.delete("a").unwrap();
    file.flush().await.unwrap();
    for file in [&file, &open(&store).await] {
        assert!(matches!(file.array_stats("a").await, Err(Error::ArrayNotFound { .. })));
    }
    assert_eq!(array_file::check_stats(&bytes_of(&*store, "folder/test.stats").await).unwrap(), 0);
    file.define_array("a", line(8, 0)).unwrap();
    assert_eq!(file.array_stats("a").await.unwrap(), None);
    file.flush().await.unwrap();
    assert_eq!(open(&store).await.array_stats("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_chunk_that_is_overwritten_before_a_flush_is_stored_once() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", ArraySpec::new::<u8>(&[2048])).unwrap();
    for round in 0..100u8 {
        let noise: Vec<u8> =
            (0..2048u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ round).collect();
        file.write_array("a", &[0], arr1(&noise).view()).await.unwrap();
    }
    file.flush().await.unwrap();
    let stored: u64 = objects(&*store).await.iter().map(|(_, size)| size).sum();
    assert!(stored < 4096, "{stored} bytes");
}

#[tokio::test]
async fn compacting_deletes_nothing_before_its_commit_stands() {
    let store = memory();
    let mut file = create(&store).await;
    file.define_array("a", line(8, 0)).unwrap();
    put(&mut file, "a", 0, &[1; 4]).await;
    file.flush().await.unwrap();
    put(&mut file, "a", 4, &[2; 4]).await;
    file.flush().await.unwrap();
    let reader = open(&store).await;
    let before = objects(&*store).await;
    file.compact().await.unwrap();
    assert_eq!(file.num_layers(), 1);
    let after = objects(&*store).await;
    assert!(before.iter().all(|object| after.contains(object) || object.0 == "folder/test.stats"));
    let expected = [1, 1, 1, 1, 2, 2, 2, 2];
    assert_eq!(all(&reader, "a").await, expected);
    // Without a grace, what was replaced goes.
    let swept = file.sweep(Duration::ZERO).await.unwrap();
    assert_eq!((swept.commits, swept.layers), (2, 2));
    assert_eq!(all(&open(&store).await, "a").await, expected);
    let late = ArrayFile::open_at(store.clone(), PATH, 2, FileConfig::default()).await;
    assert!(matches!(late, Err(Error::CommitNotFound { .. })));
}

#[tokio::test]
async fn a_small_edit_reads_and_writes_little() {
    let store = Arc::new(Counting::default());
    let config = FileConfig { cache_capacity: 0, io_cache_capacity: 0, ..FileConfig::default() };
    let mut file = ArrayFile::create(store.clone(), PATH, config.clone()).await.unwrap();
    file.define_array("a", ArraySpec::new::<u16>(&[64, 64, 64]).chunk_shape(&[16, 16, 16])).unwrap();
    let noise =
        Array3::from_shape_fn((64, 64, 64), |(z, y, x)| (z * 7919 + y * 104_729 + x * 1_299_709) as u16);
    file.write_array("a", &[0; 3], noise.view()).await.unwrap();
    file.flush().await.unwrap();
    let mut opened = ArrayFile::open(store.clone(), PATH, config).await.unwrap();
    store.reset();
    opened.write_array("a", &[4; 3], Array3::from_elem((8, 8, 8), 1u16).view()).await.unwrap();
    opened.flush().await.unwrap();
    let (read, written) = store.bytes();
    let whole = 64 * 64 * 64 * 2;
    assert!(read < whole / 2, "{read} bytes read");
    assert!(written < whole / 16, "{written} bytes written");
    let stats = opened.array_stats("a").await.unwrap().unwrap();
    let mut expected = noise;
    expected.slice_mut(s![4..12, 4..12, 4..12]).fill(1);
    assert_eq!(stats.min, Some(StatValue::UInt(u64::from(*expected.iter().min().unwrap()))));
    assert_eq!(stats.max, Some(StatValue::UInt(u64::from(*expected.iter().max().unwrap()))));
}

#[tokio::test]
async fn a_store_beyond_a_network_is_asked_for_more_at_a_time_than_one_that_is_near() {
    for (store, expected) in [(Counting::default(), 2..=4), (Counting::far(Duration::from_millis(2)), 8..=16)]
    {
        let store = Arc::new(store);
        let config = FileConfig { cache_capacity: 0, ..FileConfig::new(chunks::Codec::NONE) };
        let mut file = ArrayFile::create(store.clone(), PATH, config.clone()).await.unwrap();
        file.define_array("a", ArraySpec::new::<u8>(&[32, 1 << 20]).chunk_shape(&[1, 1 << 20])).unwrap();
        let rows = ndarray::Array2::from_shape_fn((32, 1 << 20), |(y, x)| (y * 31 + x * 17) as u8);
        file.write_array("a", &[0; 2], rows.view()).await.unwrap();
        file.flush().await.unwrap();
        let file = ArrayFile::open(store.clone(), PATH, config).await.unwrap();
        let read: ArrayD<u8> = file.read_array("a", &[], &[]).await.unwrap();
        assert!(read == rows.into_dyn());
        assert!(expected.contains(&store.most()), "{} at a time, not {expected:?}", store.most());
    }
}

#[tokio::test]
async fn many_chunks_take_time_by_their_number_and_not_by_its_square() {
    async fn write_and_read(side: u64) -> Duration {
        let mut file = ArrayFile::create_memory(FileConfig::default()).await.unwrap();
        file.define_array("a", ArraySpec::new::<u8>(&[side, side]).chunk_shape(&[2, 2])).unwrap();
        let side = usize::try_from(side).unwrap();
        let values = ndarray::Array2::from_shape_fn((side, side), |(y, x)| (y * 31 + x * 17) as u8);
        let begun = Instant::now();
        file.write_array("a", &[0, 0], values.view()).await.unwrap();
        file.flush().await.unwrap();
        let read: ArrayD<u8> = file.read_array("a", &[], &[]).await.unwrap();
        assert_eq!(read, values.into_dyn());
        begun.elapsed()
    }
    // Sixteen times the chunks: a square would take 256 times as long.
    let few = write_and_read(64).await.max(Duration::from_millis(5));
    let many = write_and_read(256).await;
    assert!(many < few * 100, "{few:?} for 1024 chunks, {many:?} for 16384");
}

#[tokio::test]
async fn a_voxel_is_read_without_its_neighbours_chunks() {
    let store = Arc::new(Counting::default());
    let mut file = ArrayFile::create(store.clone(), PATH, FileConfig::default()).await.unwrap();
    file.define_array("a", ArraySpec::new::<u16>(&[128, 128, 128]).chunk_shape(&[64, 64, 64])).unwrap();
    let noise =
        Array3::from_shape_fn((128, 128, 128), |(z, y, x)| (z * 7919 + y * 104_729 + x * 1_299_709) as u16);
    file.write_array("a", &[0; 3], noise.view()).await.unwrap();
    file.flush().await.unwrap();
    let opened = ArrayFile::open(store.clone(), PATH, FileConfig::default()).await.unwrap();
    store.reset();
    let voxel: ArrayD<u16> = opened.read_array("a", &[100, 10, 70], &[1, 1, 1]).await.unwrap();
    assert_eq!(voxel[[0, 0, 0]], noise[[100, 10, 70]]);
    let (read, _) = store.bytes();
    assert!(read < 64 * 64 * 64 * 2 + 8192, "{read} bytes for one chunk of 512 KiB");
}
