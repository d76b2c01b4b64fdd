//! Objects that were damaged on purpose, with checksums that match: nothing panics, and nothing is taken for
//! granted.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::path::PathBuf;
use std::sync::Arc;

use array_file::{
    ArrayFile, CodecRegistry, DType, Error, FileConfig, List, TimestampNs, check_layer, check_manifest,
};
use common::{bytes_of, memory};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

const LAYER: &str = "golden.1.af";
const MANIFEST: &str = "golden.commits/00000000000000000002.manifest";

async fn golden() -> Arc<InMemory> {
    let store = memory();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for name in ["golden.af", LAYER, "golden.2.af", MANIFEST] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        store.put(&Path::from(name), bytes.into()).await.unwrap();
    }
    store
}

/// Writes the checksum of what is before it over the last four bytes.
fn seal(part: &mut [u8]) {
    let (body, sum) = part.split_last_chunk_mut::<4>().unwrap();
    *sum = crc32c::crc32c(body).to_le_bytes();
}

/// Does everything with a file that only reads, as far as it isn't too much.
async fn read_all(store: Arc<dyn ObjectStore>) -> Result<(), Error> {
    let file = ArrayFile::open(store, "golden.af", FileConfig::default()).await?;
    let arrays: Vec<_> = file.list_arrays().cloned().collect();
    for meta in arrays {
        file.array_stats(&meta.name).await?;
        file.stored_chunks(&meta.name).await?;
        if meta.elements() > 1 << 20 {
            continue;
        }
        let (name, whole) = (meta.name.as_str(), [].as_slice());
        match meta.dtype {
            DType::UInt16 => file.read_array::<u16>(name, whole, whole).await.map(|_| ())?,
            DType::String => file.read_array::<String>(name, whole, whole).await.map(|_| ())?,
            DType::TimestampNs => file.read_array::<TimestampNs>(name, whole, whole).await.map(|_| ())?,
            DType::Binary => file.read_array::<Vec<u8>>(name, whole, whole).await.map(|_| ())?,
            DType::List { .. } => file.read_array::<List<f32>>(name, whole, whole).await.map(|_| ())?,
            _ => {}
        }
    }
    Ok(())
}

/// Tries every byte of a part as other values.
async fn try_all(
    object: &str,
    part: std::ops::Range<usize>,
    reseal: impl Fn(&mut Vec<u8>),
) -> (usize, usize) {
    let store = golden().await;
    let sound = bytes_of(&*store, object).await;
    let (mut read, mut refused) = (0, 0);
    for at in part {
        for value in [0, 1, 2, 17, 18, 0x7f, 0x80, 0xff, sound[at].wrapping_add(1), sound[at].wrapping_sub(1)]
        {
            let mut damaged = sound.clone();
            damaged[at] = value;
            reseal(&mut damaged);
            if object == LAYER {
                check_layer(&damaged, &CodecRegistry::default()).ok();
            } else {
                check_manifest(&damaged).ok();
            }
            store.put(&Path::from(object), damaged.into()).await.unwrap();
            match read_all(store.clone()).await {
                Ok(()) => read += 1,
                Err(_) => refused += 1,
            }
        }
    }
    (read, refused)
}

#[tokio::test]
async fn a_manifest_with_any_other_byte_is_read_or_refused() {
    let length = bytes_of(&*golden().await, MANIFEST).await.len();
    let (read, refused) = try_all(MANIFEST, 0..length - 4, |bytes| seal(bytes)).await;
    assert!(read > 10 && refused > 1000, "{read} read, {refused} refused");
}

#[tokio::test]
async fn a_table_of_arrays_with_any_other_byte_is_read_or_refused() {
    let bytes = bytes_of(&*golden().await, MANIFEST).await;
    let end = bytes.len() - 4;
    // The table is the blob at the end.
    let length = (1..end - 5).find(|length| {
        let (kind, prefix) = (bytes[end - length - 5], &bytes[end - length - 4..end - length]);
        kind == 0 && prefix == u32::try_from(*length).unwrap().to_le_bytes()
    });
    let start = end - length.unwrap();
    let (read, refused) = try_all(MANIFEST, start..end - 4, |bytes| {
        seal(&mut bytes[start..end]);
        seal(bytes);
    })
    .await;
    assert!(read > 100 && refused > 500, "{read} read, {refused} refused");
}

#[tokio::test]
async fn a_layer_with_any_other_byte_is_read_or_refused() {
    let store = golden().await;
    let bytes = bytes_of(&*store, LAYER).await;
    let trailer = bytes.len() - 24;
    let number =
        |at: usize| usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap();
    let footer = number(trailer);
    // Behind the magic, the version, the id and an empty codec.
    let index = number(footer + 4 + 4 + 16 + 4);
    let (read, refused) =
        try_all(LAYER, footer..trailer - 4, |bytes| seal(&mut bytes[footer..trailer])).await;
    assert!(read + refused > 1000, "{read} read, {refused} refused");
    // The pages: each array has one, and the next begins where it ends.
    let mut ends = vec![index];
    let mut seen = 0;
    for at in index..footer {
        let from = *ends.last().unwrap();
        if at + 1 > from + 4 && crc32c::crc32c(&bytes[from..at - 3]).to_le_bytes() == bytes[at - 3..=at] {
            ends.push(at + 1);
            seen += 1;
        }
    }
    assert_eq!((seen, ends.last()), (4, Some(&footer)));
    for page in ends.windows(2) {
        try_all(LAYER, page[0]..page[1] - 4, |bytes| seal(&mut bytes[page[0]..page[1]])).await;
    }
    // A block: its checksum is in its header.
    try_all(LAYER, 16..16 + 12, |bytes| {
        let length = u32::from_le_bytes(bytes[24..28].try_into().unwrap());
        let end = 32usize.saturating_add(usize::try_from(length).unwrap()).min(bytes.len());
        let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[16..28]), &bytes[32..end]);
        bytes[28..32].copy_from_slice(&sum.to_le_bytes());
    })
    .await;
}
