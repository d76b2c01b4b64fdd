//! The bytes of stored chunks: golden files, damage, and every codec with every type.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::PathBuf;

use chunks::{
    Codec, Compression, Coords, DType, FRAME_HEADER_BYTES, Grid, decode_chunk, decode_frame, encode_frame,
    plain_elements, reference_frame, reference_of,
};
use engine_api::ErrorKind;
use proptest::prelude::*;

const CODECS: [&str; 6] = ["none", "lz4", "lz4+shuffle", "zstd:1", "zstd:1+shuffle", "zstd:9+shuffle"];

fn codec(text: &str) -> Codec {
    text.parse().unwrap()
}

/// 64 elements of two bytes that compress, and whose lanes differ.
fn sample() -> Vec<u8> {
    (0u16..64).flat_map(|at| (at * 3 + 1000).to_le_bytes()).collect()
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn golden_frames_still_decode() {
    for text in CODECS {
        let path = golden(&format!("{}.bin", text.replace([':', '+'], "-")));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, encode_frame(codec(text), 2, &sample()).unwrap()).unwrap();
        }
        let frame = std::fs::read(&path).unwrap();
        let mut out = vec![0; 128];
        decode_frame(&frame, 2, &mut out).unwrap();
        assert_eq!(out, sample(), "{text}");
    }
}

#[test]
fn a_frame_is_as_documented() {
    let frame = encode_frame(Codec::NONE, 2, &[1, 2, 3, 4]).unwrap();
    let head = [0x8b, b'K', b'V', b'C', 1, 0, 0, 2, 4, 0, 0, 0];
    assert_eq!(frame[..12], head);
    let covered = [head.as_slice(), &[1, 2, 3, 4]].concat();
    assert_eq!(frame[12..16], crc32c::crc32c(&covered).to_le_bytes());
    assert_eq!(frame[16..], [1, 2, 3, 4]);
    let shuffled = encode_frame(Codec::FAST, 2, &sample()).unwrap();
    assert_eq!(shuffled[4..8], [1, 1, 1, 2]);
    assert_eq!(encode_frame(codec("zstd:3+shuffle"), 1, &[0; 100]).unwrap()[4..8], [1, 2, 0, 1]);
}

#[test]
fn a_frame_can_say_that_its_chunk_is_elsewhere() {
    let frame = reference_frame(2, 128, b"shelf 7").unwrap();
    assert_eq!(frame[..12], [0x8b, b'K', b'V', b'C', 1, 3, 0, 2, 128, 0, 0, 0]);
    assert_eq!(frame[12..16], crc32c::crc32c(&[&frame[..12], b"shelf 7"].concat()).to_le_bytes());
    assert_eq!(reference_of(&frame, 2, 128).unwrap(), Some(b"shelf 7".as_slice()));
    // It is none to who wants elements, and others are none to who wants references.
    let mut out = vec![0; 128];
    assert_eq!(decode_frame(&frame, 2, &mut out).unwrap_err().kind(), ErrorKind::Unsupported);
    let other = encode_frame(codec("zstd:1"), 2, &sample()).unwrap();
    assert_eq!(reference_of(&other, 2, 128).unwrap(), None);
    for (size, length) in [(1, 128), (2, 126)] {
        assert_eq!(reference_of(&frame, size, length).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    for bit in 0..frame.len() * 8 {
        let mut flipped = frame.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let found = reference_of(&flipped, 2, 128);
        assert!(!matches!(found, Ok(Some(_))), "bit {bit}");
    }
    assert_eq!(reference_frame(3, 9, b"").unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn what_does_not_get_smaller_is_stored_as_it_is() {
    let noise: Vec<u8> = (0..64u32).map(|at| crc32c::crc32c(&at.to_le_bytes()).to_le_bytes()[0]).collect();
    for text in CODECS {
        let frame = encode_frame(codec(text), 4, &noise).unwrap();
        assert_eq!(frame.len(), FRAME_HEADER_BYTES + noise.len(), "{text}");
        assert_eq!(frame[5..7], [0, 0]);
    }
}

/// The frame with other header bytes and a checksum that fits them.
fn resealed(mut frame: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&frame[..12]), &frame[16..]);
    frame[12..16].copy_from_slice(&sum.to_le_bytes());
    frame
}

#[test]
fn sound_frames_of_the_future_are_incompatible() {
    let frame = encode_frame(Codec::default(), 2, &sample()).unwrap();
    for (at, byte) in [(4, 2), (4, 0), (5, 4), (5, 255), (6, 0b11), (6, 0x80)] {
        let error = decode_frame(&resealed(frame.clone(), at, &[byte]), 2, &mut [0; 128]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible, "byte {at} = {byte}");
    }
}

#[test]
fn sound_frames_that_lie_are_corrupt() {
    for text in CODECS {
        let frame = encode_frame(codec(text), 2, &sample()).unwrap();
        let lies: [(usize, &[u8]); 6] =
            [(7, &[1]), (7, &[0]), (7, &[255]), (8, &[129]), (8, &[0]), (8, &[255, 255, 255, 255])];
        for (at, bytes) in lies {
            let error = decode_frame(&resealed(frame.clone(), at, bytes), 2, &mut [0; 128]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{text}: byte {at} = {bytes:?}");
        }
        let other_codecs = (0..3).filter(|id| *id != frame[5]);
        for id in other_codecs {
            let error = decode_frame(&resealed(frame.clone(), 5, &[id]), 2, &mut [0; 128]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{text} read as codec {id}");
        }
    }
}

#[test]
fn frames_of_another_length_or_element_size_than_expected_are_corrupt() {
    let frame = encode_frame(Codec::default(), 2, &sample()).unwrap();
    for length in [126, 130, 0] {
        assert_eq!(decode_frame(&frame, 2, &mut vec![0; length]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert_eq!(decode_frame(&frame, 4, &mut [0; 128]).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn the_error_names_the_chunk() {
    let grid = Grid::new(&[640], &[64], DType::U16).unwrap();
    let mut frame = encode_frame(Codec::default(), 2, &sample()).unwrap();
    frame[20] ^= 1;
    let chunk = Coords::new(&[5]).unwrap();
    let error = decode_chunk(&grid, &chunk, &frame, &mut [0; 128]).unwrap_err();
    assert_eq!((error.kind(), error.field("chunk")), (ErrorKind::Corrupt, Some("(5)")));
}

#[test]
fn bad_requests_are_refused() {
    for (size, length) in [(0, 0), (3, 9), (16, 32), (2, 3)] {
        let kind = encode_frame(Codec::NONE, size, &vec![0; length]).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::InvalidArgument);
    }
    let level = Codec { compression: Compression::Zstd { level: 99 }, shuffle: false };
    assert_eq!(encode_frame(level, 1, &[0]).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

proptest! {
    #[test]
    fn every_codec_returns_every_type(
        text in prop::sample::select(CODECS.as_slice()),
        dtype in prop::sample::select(DType::ALL),
        values in prop::collection::vec(any::<u64>(), 0..400),
        mask in any::<u64>(),
    ) {
        let data: Vec<u8> =
            values.iter().flat_map(|value| (value & mask).to_le_bytes()[..dtype.size()].to_vec()).collect();
        let frame = encode_frame(codec(text), dtype.size(), &data).unwrap();
        let mut out = vec![0xaa; data.len()];
        decode_frame(&frame, dtype.size(), &mut out).unwrap();
        let plain = plain_elements(&frame, dtype.size(), out.len()).unwrap();
        prop_assert!(plain.is_none_or(|plain| plain == out));
        prop_assert_eq!(plain.is_some(), frame.len() == FRAME_HEADER_BYTES + out.len());
        prop_assert_eq!(out, data);
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_corrupt(
        text in prop::sample::select(CODECS.as_slice()),
        position in any::<prop::sample::Index>(),
    ) {
        let frame = encode_frame(codec(text), 2, &sample()).unwrap();
        let bit = position.index(frame.len() * 8);
        let mut flipped = frame.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let cut = &frame[..bit / 8];
        let longer = [frame.as_slice(), &[0]].concat();
        for damaged in [flipped.as_slice(), cut, &longer] {
            let error = decode_frame(damaged, 2, &mut [0; 128]).unwrap_err();
            prop_assert!(!matches!(plain_elements(damaged, 2, 128), Ok(Some(_))));
            prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn arbitrary_payloads_behind_a_sound_header_never_panic(
        id in 0u8..3,
        flags in 0u8..2,
        payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut frame = encode_frame(Codec::NONE, 2, &sample()).unwrap()[..16].to_vec();
        frame.extend(payload);
        let frame = resealed(frame, 5, &[id, flags]);
        let decoded = decode_frame(&frame, 2, &mut [0; 128]).is_ok();
        prop_assert!(decoded || !matches!(plain_elements(&frame, 2, 128), Ok(Some(_))));
    }
}
