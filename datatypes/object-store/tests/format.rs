//! What is stored, to the byte, as FORMAT.md has it; and what is made of other bytes.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::sync::Arc;

use common::limited::keys;
use engine_api::{ErrorKind, KeyRange, MemoryStore, StoreExt};
use futures_util::{StreamExt, TryStreamExt};
use kvdag_object_store::Objects;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload,
};

const GENERATION: [u8; 16] = *b"0123456789abcdef";
/// 2001-09-09 01:46:40.000007 UTC.
const MOMENT: i64 = 1_000_000_000_000_007;

/// A record: the header of FORMAT.md, written once more.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x8B, b'K', b'V', kind, 1, 0, 0, 0];
    let checksum = crc32c::crc32c(&[&bytes, body].concat());
    bytes.extend(checksum.to_le_bytes());
    bytes.extend(body);
    bytes
}

fn head(generation: &[u8], moment: i64, size: u64) -> Vec<u8> {
    [generation, &moment.to_le_bytes(), &size.to_le_bytes()].concat()
}

fn block_key(generation: &[u8], slot: u64, number: u32) -> Vec<u8> {
    [&[2], generation, &slot.to_be_bytes(), &number.to_be_bytes()].concat()
}

fn block(key: &[u8], data: &[u8]) -> Vec<u8> {
    [data, &crc32c::crc32c(&[key, data].concat()).to_le_bytes()].concat()
}

fn new() -> (Arc<MemoryStore>, Objects) {
    let store = Arc::new(MemoryStore::new());
    let objects = Objects::in_store(Arc::clone(&store), b"").unwrap();
    (store, objects)
}

/// The `ETag` as the bytes of a generation.
fn generation_of(e_tag: &str) -> Vec<u8> {
    let digits = e_tag.trim_matches('"');
    (0..16).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn kind(error: &Error) -> ErrorKind {
    let Error::Generic { source, .. } = error else { panic!("{error}") };
    source.downcast_ref::<engine_api::Error>().unwrap_or_else(|| panic!("{error}")).kind()
}

#[tokio::test]
async fn golden_bytes_are_read() {
    let (store, objects) = new();
    // An object of five bytes with two attributes, byte by byte.
    let golden: &[u8] = b"\x8bKVO\x01\0\0\0\xf3\x2d\0\xbd\
        0123456789abcdef\x07\x80\xc6\xa4\x7e\x8d\x03\0\x05\0\0\0\0\0\0\0\
        \x02\0\x05\0\0\x0a\0text/plain\x07\x01\0k\x01\0v\0hello";
    let attributes = b"\x02\0\x05\0\0\x0a\0text/plain\x07\x01\0k\x01\0v";
    let body = [head(&GENERATION, MOMENT, 5), attributes.to_vec(), b"\0hello".to_vec()].concat();
    assert_eq!(golden.escape_ascii().to_string(), record(0x4F, &body).escape_ascii().to_string());
    store.put(b"\x01small", golden.to_vec()).unwrap();
    let found = objects.get(&Path::from("small")).await.unwrap();
    assert_eq!(found.meta.e_tag.as_deref(), Some("\"30313233343536373839616263646566\""));
    assert_eq!((found.meta.last_modified.timestamp_micros(), found.meta.size), (MOMENT, 5));
    let expected = Attributes::from_iter([
        (Attribute::ContentType, "text/plain"),
        (Attribute::Metadata("k".into()), "v"),
    ]);
    assert_eq!(found.attributes, expected);
    assert_eq!(found.bytes().await.unwrap(), "hello");

    // One in blocks of four bytes: two parts of six bytes in neighbouring slots, and one of three in another.
    let runs = [
        &4_u32.to_le_bytes()[..],
        &2_u32.to_le_bytes(),
        &[&3_u64.to_le_bytes()[..], &2_u32.to_le_bytes(), &6_u64.to_le_bytes()].concat(),
        &[&9_u64.to_le_bytes()[..], &1_u32.to_le_bytes(), &3_u64.to_le_bytes()].concat(),
    ]
    .concat();
    let body = [head(&GENERATION, MOMENT, 15), b"\0\0\x01".to_vec(), runs].concat();
    store.put(b"\x01large", record(0x4F, &body)).unwrap();
    for (slot, number, data) in [(3, 0, "0123"), (3, 1, "45"), (4, 0, "6789"), (4, 1, "ab"), (9, 0, "cde")] {
        let key = block_key(&GENERATION, slot, number);
        store.put(&key, block(&key, data.as_bytes())).unwrap();
    }
    let path = Path::from("large");
    assert_eq!(objects.get(&path).await.unwrap().bytes().await.unwrap(), "0123456789abcde");
    assert_eq!(objects.get_ranges(&path, &[12..15, 3..7, 5..6]).await.unwrap(), ["cde", "3456", "5"]);
    objects.delete(&path).await.unwrap();
    assert_eq!(keys(&*store), 2);
}

#[tokio::test]
async fn what_is_written_is_what_the_format_says() {
    let (store, objects) = new();
    assert_eq!(store.get(b"\0").unwrap().unwrap(), record(0x53, b""));
    let attributes = Attributes::from_iter([
        (Attribute::Metadata("b".into()), "2"),
        (Attribute::Metadata("a".into()), "1"),
        (Attribute::CacheControl, "no"),
    ]);
    let written = b"\x03\0\x01\0\0\x02\0no\x07\x01\0a\x01\x001\x07\x01\0b\x01\x002";
    let (small, large) = (Path::from("s"), Path::parse("ü/l").unwrap());
    let options = PutOptions { attributes: attributes.clone(), ..Default::default() };
    objects.put_opts(&small, "hello".into(), options).await.unwrap();
    let meta = objects.head(&small).await.unwrap();
    let generation = generation_of(&meta.e_tag.unwrap());
    let start = head(&generation, meta.last_modified.timestamp_micros(), 5);
    let expected = record(0x4F, &[start, written.to_vec(), b"\0hello".to_vec()].concat());
    assert_eq!(store.get(b"\x01s").unwrap().unwrap(), expected);

    let data: Vec<u8> = (0..300_000_u32).map(|at| (at / 5).to_le_bytes()[0]).collect();
    objects.put(&large, data.clone().into()).await.unwrap();
    let meta = objects.head(&large).await.unwrap();
    let generation = generation_of(&meta.e_tag.unwrap());
    let start = head(&generation, meta.last_modified.timestamp_micros(), 300_000);
    let run = [&0_u64.to_le_bytes()[..], &1_u32.to_le_bytes(), &300_000_u64.to_le_bytes()].concat();
    let layout = [&131_072_u32.to_le_bytes()[..], &1_u32.to_le_bytes(), &run].concat();
    let expected = record(0x4F, &[start, b"\0\0\x01".to_vec(), layout].concat());
    assert_eq!(store.get("\x01ü/l".as_bytes()).unwrap().unwrap(), expected);
    for (number, part) in (0..).zip(data.chunks(131_072)) {
        let key = block_key(&generation, 0, number);
        assert_eq!(store.get(&key).unwrap().unwrap(), block(&key, part));
    }

    let before = keys(&*store);
    let options = PutMultipartOptions { attributes, ..Default::default() };
    let id = objects.create_multipart_opts(&small, options).await.unwrap();
    objects.put_part(&small, &id, 6, PutPayload::from_static(b"part")).await.unwrap();
    let generation = generation_of(&id.replace('-', ""));
    let begun = objects.pending().await.unwrap()[0].begun;
    let micros = begun.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    let micros = i64::try_from(micros).unwrap().to_le_bytes();
    let body = [b"\x02", &micros[..], &131_072_u32.to_le_bytes(), written, b"s"].concat();
    assert_eq!(store.get([b"\x03", &generation[..]].concat()).unwrap().unwrap(), record(0x49, &body));
    let key = block_key(&generation, 6, u32::MAX);
    assert_eq!(store.get(&key).unwrap().unwrap(), block(&key, &4_u64.to_le_bytes()));
    let key = block_key(&generation, 6, 0);
    assert_eq!(store.get(&key).unwrap().unwrap(), block(&key, b"part"));
    assert_eq!(keys(&*store), before + 3);
}

/// Reads an object in every way; the first error.
async fn read(objects: &Objects, path: &Path) -> Result<Vec<u8>, Error> {
    objects.head(path).await?;
    Ok(objects.get(path).await?.bytes().await?.to_vec())
}

#[tokio::test]
async fn every_byte_that_is_changed_or_missing_is_noticed() {
    let (store, objects) = new();
    let objects = objects.with_block_bytes(2000);
    let path = Path::from("p");
    let data: Vec<u8> = (0..5000_u32).map(|at| at.to_le_bytes()[0]).collect();
    objects.put(&path, data.clone().into()).await.unwrap();
    assert_eq!(read(&objects, &path).await.unwrap(), data);
    let entries = store.prefix(b"").unwrap();
    assert_eq!(entries.len(), 5);
    for (key, value) in entries.iter().filter(|(key, _)| key[0] != 0) {
        // Every byte of the record, and some of each block.
        let step = if key[0] == 1 { 1 } else { 97 };
        for at in (0..value.len()).step_by(step).chain([value.len() - 1]) {
            let mut damaged = value.to_vec();
            damaged[at] ^= 0x10;
            store.put(key, damaged).unwrap();
            assert_eq!(
                kind(&read(&objects, &path).await.unwrap_err()),
                ErrorKind::Corrupt,
                "{at} of {key:?}"
            );
            store.put(key, value[..at].to_vec()).unwrap();
            assert_eq!(kind(&read(&objects, &path).await.unwrap_err()), ErrorKind::Corrupt, "cut to {at}");
        }
        store.put(key, [value, &b"\0"[..]].concat()).unwrap();
        assert_eq!(kind(&read(&objects, &path).await.unwrap_err()), ErrorKind::Corrupt);
        if key[0] == 2 {
            store.delete(key).unwrap();
            assert_eq!(kind(&read(&objects, &path).await.unwrap_err()), ErrorKind::Corrupt, "missing");
            // Another block of the same object and length doesn't pass for it.
            let other = entries.iter().find(|(other, _)| other[0] == 2 && other != key).unwrap();
            store.put(key, other.1.clone()).unwrap();
            assert_eq!(kind(&read(&objects, &path).await.unwrap_err()), ErrorKind::Corrupt, "swapped");
        }
        store.put(key, value.clone()).unwrap();
    }
    assert_eq!(read(&objects, &path).await.unwrap(), data);
}

#[tokio::test]
async fn sound_bytes_of_a_later_version_are_refused_and_kept() {
    let (store, objects) = new();
    let path = Path::from("p");
    let mut later = record(0x4F, b"what nobody knows yet");
    later[4] = 2;
    let checksum = crc32c::crc32c(&[&later[..8], &later[12..]].concat()).to_le_bytes();
    later[8..12].copy_from_slice(&checksum);
    store.put(b"\x01p", later.clone()).unwrap();
    assert_eq!(kind(&objects.get(&path).await.unwrap_err()), ErrorKind::Incompatible);
    assert_eq!(kind(&objects.put(&path, "x".into()).await.unwrap_err()), ErrorKind::Incompatible);
    assert_eq!(kind(&objects.delete(&path).await.unwrap_err()), ErrorKind::Incompatible);
    assert_eq!(store.get(b"\x01p").unwrap().unwrap(), later);
}

#[tokio::test]
async fn a_damaged_record_can_be_replaced_and_deleted_and_does_not_end_a_listing() {
    let (store, objects) = new();
    for (path, value) in [("a", &b"?"[..]), ("b", b""), ("c", b"\x8bKVO")] {
        store.put([b"\x01", path.as_bytes()].concat(), value.to_vec()).unwrap();
    }
    objects.put(&Path::from("d"), "d".into()).await.unwrap();
    let listed: Vec<_> = objects.list(None).collect().await;
    assert_eq!(listed.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, false, false, true]);
    objects.put(&Path::from("a"), "a".into()).await.unwrap();
    objects.delete(&Path::from("b")).await.unwrap();
    objects.copy(&Path::from("d"), &Path::from("c")).await.unwrap();
    let listed: Vec<_> =
        objects.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    assert_eq!(listed, ["a", "c", "d"]);
}

#[tokio::test]
async fn claims_that_cannot_be_true_allocate_nothing() {
    let (store, objects) = new();
    let path = Path::from("p");
    let layout = |block: u32, slot: u64, parts: u32, length: u64| {
        let run = [&slot.to_le_bytes()[..], &parts.to_le_bytes(), &length.to_le_bytes()].concat();
        [b"\0\0\x01", &block.to_le_bytes()[..], &1_u32.to_le_bytes(), &run].concat()
    };
    let claim = |size: u64, rest: Vec<u8>| record(0x4F, &[head(&GENERATION, MOMENT, size), rest].concat());
    let huge = 1_u64 << 50;
    let records = [
        claim(huge, layout(1 << 30, 0, 1, huge)),
        claim(huge, layout(u32::MAX, 0, 1, huge)),
        claim(5, layout(4, 0, 1, 6)),
        claim(0, layout(0, 0, 1, 6)),
        claim(0, layout(4, 0, 0, 6)),
        claim(0, layout(4, 0, 6, 0)),
        claim(2, layout(4, u64::MAX, 2, 1)),
        claim(0, layout(1, 0, 1, u64::MAX)),
        claim(0, b"\0\0\x01\x04\0\0\0\xff\xff\xff\xff".to_vec()),
        claim(0, b"\xff\xff".to_vec()),
        claim(0, b"\x01\0\x09\0\0\0\0\0".to_vec()),
        claim(0, b"\x01\0\x01\0\0\x01\0\xff\0".to_vec()),
        claim(0, b"\0\0\x02".to_vec()),
        claim(1, b"\0\0\0".to_vec()),
        record(0x4F, &[&GENERATION[..], &i64::MAX.to_le_bytes(), &[0; 11]].concat()),
    ];
    for (at, bytes) in records.iter().enumerate() {
        store.put(b"\x01p", bytes.clone()).unwrap();
        let error = objects.get(&path).await.unwrap_err();
        assert_eq!(kind(&error), ErrorKind::Corrupt, "{at}: {error}");
        let error = objects.get_range(&path, 0..huge - 1).await.unwrap_err();
        assert_eq!(kind(&error), ErrorKind::Corrupt, "{at}: {error}");
        let ranges = [0..huge - 1, 1..huge - 1];
        assert_eq!(kind(&objects.get_ranges(&path, &ranges).await.unwrap_err()), ErrorKind::Corrupt, "{at}");
        assert!(objects.copy(&path, &Path::from("q")).await.is_err());
    }
}

#[tokio::test]
async fn keys_of_others_are_not_taken_for_objects() {
    let store = Arc::new(MemoryStore::new());
    store.put(b"else", "1").unwrap();
    let error = Objects::in_store(Arc::clone(&store), b"").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let error = Objects::in_store(Arc::clone(&store), b"el").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let one = Objects::in_store(Arc::clone(&store), b"one/").unwrap();
    let two = Objects::in_store(Arc::clone(&store), b"two/").unwrap();
    one.put(&Path::from("p"), "1".into()).await.unwrap();
    assert!(two.get(&Path::from("p")).await.is_err());
    let again = Objects::in_store(Arc::clone(&store), b"one/").unwrap();
    assert_eq!(again.get(&Path::from("p")).await.unwrap().bytes().await.unwrap(), "1");
    assert_eq!(store.count(&KeyRange::ALL).unwrap(), 4);
    // A store with versions has other keys at the same places.
    let versioned = Arc::new(MemoryStore::new());
    engine_api::version::Versioned::create(Arc::clone(&versioned)).unwrap();
    assert_eq!(Objects::in_store(versioned, b"").unwrap_err().kind(), ErrorKind::Incompatible);
}
