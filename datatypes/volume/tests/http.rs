//! Precomputed volumes on web servers, those among them that misbehave.

#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not every test needs all"
)]

mod common;
#[path = "common/web.rs"]
mod web;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chunks::{ChunkStore, Coords, DType, MultiscaleStore, read_region};
use common::{chunked, image, read_all, read_file, sample, write_file};
use engine_api::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use tempfile::TempDir;
use volume::{
    CreateOptions, HttpOptions, PrecomputedSource, is_url, open_image, open_regions, open_scale, scales_of,
};
use web::{Asked, Reply, Web, of_folder};

/// A server of a volume of two chunks, of which one file is answered otherwise, and the volume's elements.
fn served(answer: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> (TempDir, Web, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let info = image(DType::U32);
    write_file(&dir.path().join("v"), &info, &sample(&info), volume_options(false)).unwrap();
    let web = Web::serve(&dir.path().join("v"), answer);
    (dir, web, sample(&info))
}

fn volume_options(labels: bool) -> CreateOptions {
    CreateOptions {
        format: Some(volume::Format::Precomputed),
        compressed_segmentation: labels,
        ..chunked([4, 5, 6])
    }
}

const CHUNK: &str = "/4_4.5_40/0-6_0-5_0-4";

/// Options that don't wait.
fn quick() -> HttpOptions {
    HttpOptions { pause: Duration::ZERO, stall: Duration::from_secs(2), ..HttpOptions::default() }
}

fn voxels(store: &(impl ChunkStore + ?Sized)) -> Result<Vec<u8>> {
    let bounds = store.grid().bounds();
    let mut voxels = vec![1; bounds.bytes(store.grid().element_size())?];
    read_region(store, &bounds, &mut voxels)?;
    Ok(voxels)
}

/// What is read of a volume whose first chunk is answered like this.
fn read(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Result<Vec<u8>>, Vec<u8>, u64) {
    let (_dir, web, expected) = served(move |asked| (asked.path == CHUNK).then(|| answer(asked)));
    let source = PrecomputedSource::open(&web.url(), &quick()).unwrap();
    let before = web.asked();
    let chunk = Coords::new(&[0, 0, 0]).unwrap();
    let store = source.chunks(0).unwrap();
    let mut out = vec![0; store.grid().chunk_bytes()];
    // Alone, so that requests are counted of it alone.
    let first = store.read_chunk(&chunk, &mut out);
    let asked = web.asked() - before;
    (first.and_then(|_| voxels(store)), expected, asked)
}

fn failure(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Error, u64) {
    let (read, _, asked) = read(answer);
    (read.unwrap_err(), asked)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// With a checksum, as a frame has it that is damaged where nothing else would tell.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The bytes of the first chunk.
fn first_chunk() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let info = image(DType::U32);
    write_file(&dir.path().join("v"), &info, &sample(&info), volume_options(false)).unwrap();
    fs::read(dir.path().join("v").join(&CHUNK[1..])).unwrap()
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn a_url_is_opened_as_its_folder_would_be() {
    for name in ["precomputed_raw", "precomputed_labels", "sharded_raw", "sharded_labels"] {
        let folder = golden(name);
        let web = Web::serve(&folder, |_| None);
        for url in [web.url(), format!("precomputed://{}", web.url().trim_end_matches('/'))] {
            let url = PathBuf::from(url);
            assert!(is_url(&url));
            assert_eq!(scales_of(&url).unwrap(), scales_of(&folder).unwrap());
            for scale in [0, 1] {
                let read = |path: &Path| read_all(open_scale(path, scale).unwrap().as_mut(), 2).unwrap();
                assert!(read(&url) == read(&folder), "{name}, scale {scale}");
            }
            assert_eq!(open_scale(&url, 2).err().unwrap().kind(), ErrorKind::NotFound);
        }
    }
}

#[test]
fn as_a_store_it_begins_where_it_says_and_has_the_scales_that_fit() {
    let folder = golden("sharded_labels");
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let web = Web::serve(&folder, move |asked| {
        noted.lock().unwrap().push((asked.path.clone(), asked.headers.get("range").cloned()));
        None
    });
    let source = PrecomputedSource::open(&web.url(), &quick()).unwrap();
    assert!(source.is_labels());
    // The coarser scale isn't where halves of the finer one would be.
    assert_eq!((source.scales().len(), source.scale_count()), (1, 2));
    assert_eq!(source.scale(1).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(source.chunks(2).unwrap_err().kind(), ErrorKind::NotFound);
    for (scale, origin) in [(0, [100, 10, -6]), (1, [100, 10, -3])] {
        let store = source.chunks(scale).unwrap();
        assert_eq!(store.grid().origin(), origin);
        let expected = read_all(open_scale(&folder, scale).unwrap().as_mut(), 2).unwrap();
        assert!(voxels(store).unwrap() == expected);
    }
    // A stored chunk in which several of the store's have a part is asked for once.
    let mut asked = std::mem::take(&mut *seen.lock().unwrap());
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all);
    let store = source.chunks(0).unwrap();
    let chunk = Coords::new(&[50, 3, -3]).unwrap();
    assert_eq!(store.delete_chunks(&[chunk]).unwrap_err().kind(), ErrorKind::ReadOnly);
    let written: Vec<(Coords, Vec<u8>)> = vec![(chunk, vec![0; store.grid().chunk_bytes()])];
    assert_eq!(store.write_chunks(&written).unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(store.list_chunks(&mut |_| Ok(())).unwrap_err().kind(), ErrorKind::Unsupported);
    let outside = Coords::new(&[0, 0, 0]).unwrap();
    let mut out = vec![1; store.grid().chunk_bytes()];
    assert!(!store.read_chunk(&outside, &mut out).unwrap() && out.iter().all(|byte| *byte == 0));
}

#[test]
fn scales_of_halves_are_a_multiscale_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v");
    let info = image(DType::U32);
    write_file(&path, &info, &sample(&info), volume_options(false)).unwrap();
    let mut text: Value = serde_json::from_slice(&fs::read(path.join("info")).unwrap()).unwrap();
    let fine = text["scales"][0].clone();
    let half = |field: &str| -> Vec<u64> {
        fine[field].as_array().unwrap().iter().map(|length| length.as_u64().unwrap().div_ceil(2)).collect()
    };
    let doubled: Vec<f64> =
        fine["resolution"].as_array().unwrap().iter().map(|length| length.as_f64().unwrap() * 2.0).collect();
    let mut coarse = fine.clone();
    coarse["key"] = json!("half");
    coarse["size"] = json!(half("size"));
    coarse["resolution"] = json!(doubled);
    // Chunks of another shape are read as those of the finest.
    coarse["chunk_sizes"] = json!([[1, 2, 3]]);
    text["scales"].as_array_mut().unwrap().push(coarse);
    fs::write(path.join("info"), text.to_string()).unwrap();
    fs::create_dir(path.join("half")).unwrap();
    fs::write(path.join("half/0-1_0-2_0-3"), [7; 24]).unwrap();
    let web = Web::serve(&path, |_| None);
    let source = PrecomputedSource::open(&web.url(), &quick()).unwrap();
    assert_eq!(source.scales().len(), 2);
    assert_eq!(source.scales().factors(1).unwrap(), [2, 2, 2]);
    assert!(voxels(source.scale(0).unwrap()).unwrap() == sample(&info));
    let coarse = voxels(source.scale(1).unwrap()).unwrap();
    let local = read_all(open_scale(&path, 1).unwrap().as_mut(), 1).unwrap();
    assert!(coarse == local && coarse.contains(&7) && coarse.contains(&0));
}

#[test]
fn what_the_server_does_not_have_is_zeros() {
    for status in ["404 Not Found", "403 Forbidden"] {
        let (read, mut expected, asked) = read(move |_| Reply::new(status, "", b"<Error/>"));
        expected[..first_chunk().len()].fill(0);
        assert!(read.unwrap() == expected);
        assert_eq!(asked, 1, "{status}");
        let web = Web::serve(Path::new("."), move |_| Some(Reply::new(status, "", b"")));
        let error = PrecomputedSource::open(&web.url(), &quick()).unwrap_err();
        assert_eq!(
            (error.kind(), error.field("url")),
            (ErrorKind::NotFound, Some(web.url().trim_end_matches('/')))
        );
    }
}

#[test]
fn a_server_that_fails_is_asked_again_and_not_for_ever() {
    for status in ["500 Oops", "503 Busy", "429 Too Many Requests\r\nretry-after: 0"] {
        let (found, expected, asked) = read(move |asked| match asked.before {
            0 | 1 => Reply::new(status, "", b"not now"),
            _ => Reply::ok(&first_chunk()),
        });
        assert!(found.unwrap() == expected);
        assert_eq!(asked, 3, "{status}");
        let (error, asked) = failure(move |_| Reply::new(status, "", b"never"));
        assert_eq!((error.kind(), asked), (ErrorKind::Unavailable, 4));
        assert!(error.field("url").unwrap().ends_with(CHUNK) && error.field("status") == Some(&status[..3]));
    }
    let (error, asked) = failure(|_| Reply::new("401 Unauthorized", "", b""));
    assert_eq!((error.kind(), asked), (ErrorKind::Unavailable, 1));
}

#[test]
fn a_connection_that_is_cut_is_made_again() {
    let whole = || Reply::ok(&first_chunk()).bytes;
    for cut in [0, 10, 60, 200] {
        let (found, expected, asked) = read(move |asked| match asked.before {
            0 => Reply::cut(&whole()[..cut]),
            _ => Reply::ok(&first_chunk()),
        });
        assert!(found.unwrap() == expected, "{cut}");
        assert!(asked >= 2, "{cut}");
        assert_eq!(failure(move |_| Reply::cut(&whole()[..cut])).0.kind(), ErrorKind::Unavailable, "{cut}");
    }
    let (error, _) = failure(|_| Reply::cut(b"SSH-2.0-OpenSSH\r\n\r\n"));
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_server_that_says_nothing_is_left() {
    let options = HttpOptions { stall: Duration::from_millis(50), tries: 2, ..quick() };
    // Nobody accepts: the connection is made by the system, and no byte comes.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://u:secret@{}/v?token=hidden", listener.local_addr().unwrap());
    let error = PrecomputedSource::open(&url, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let told = format!("{error} {error:?}");
    assert!(told.contains("/v/info") && !told.contains("secret") && !told.contains("hidden"), "{told}");
    drop(listener);
    let error = PrecomputedSource::open(&url, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "nobody listens");
    // One that stops in the middle, and keeps the connection.
    let dir = tempfile::tempdir().unwrap();
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
    let web = Web::serve(dir.path(), |_| Some(Reply { bytes: begun.to_vec(), close: false }));
    let error = PrecomputedSource::open(&web.url(), &options).unwrap_err();
    assert_eq!((error.kind(), web.asked()), (ErrorKind::Unavailable, 2));
}

#[test]
fn chunks_of_another_length_are_corrupt() {
    let chunk = first_chunk();
    let longer = [chunk.clone(), vec![0; 200_000]].concat();
    for body in [Vec::new(), chunk[1..].to_vec(), longer.clone(), gzip(&longer)] {
        let (error, asked) = failure(move |_| Reply::ok(&body));
        assert_eq!((error.kind(), asked), (ErrorKind::Corrupt, 1));
        assert_eq!(error.field("chunk"), Some(&CHUNK["/4_4.5_40/".len()..]));
    }
    // Lengths that aren't true: too short, and too long, which looks as a connection that is cut.
    let body = chunk.clone();
    let (error, _) = failure(move |_| {
        Reply::cut(&[b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n".as_slice(), &body].concat())
    });
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let (error, asked) = failure(move |_| {
        Reply::cut(&[b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".as_slice(), &chunk].concat())
    });
    assert_eq!(
        (error.kind(), asked),
        (ErrorKind::Corrupt, 1),
        "no chunk is as long, so that nothing is read"
    );
}

#[test]
fn what_is_compressed_is_read_and_bombs_are_not() {
    for (headers, pack) in [
        ("content-encoding: gzip\r\n", gzip as fn(&[u8]) -> Vec<u8>),
        ("content-encoding: zstd\r\n", zstd),
        ("content-type: application/octet-stream\r\n", gzip),
    ] {
        let (found, expected, _) = read(move |_| Reply::new("200 OK", headers, &pack(&first_chunk())));
        assert!(found.unwrap() == expected, "{headers}");
    }
    // A hundred megabytes in a hundred kilobytes; the last is a bomb in a file that isn't said to be compressed.
    let zeros = vec![0; 100 << 20];
    for (headers, bomb) in [
        ("content-encoding: gzip\r\n", gzip(&zeros)),
        ("content-encoding: zstd\r\n", zstd(&zeros)),
        ("", gzip(&zeros)),
    ] {
        let (error, _) = failure(move |_| Reply::new("200 OK", headers, &bomb));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{headers}");
    }
    for (headers, packed, from_end) in [
        ("content-encoding: gzip\r\n", gzip(&first_chunk()), 6),
        ("content-encoding: zstd\r\n", zstd(&first_chunk()), 2),
    ] {
        let mut damaged = packed.clone();
        damaged[packed.len() - from_end] ^= 1;
        let (error, asked) = failure(move |_| Reply::new("200 OK", headers, &damaged));
        assert_eq!((error.kind(), asked), (ErrorKind::Corrupt, 1), "{headers}");
        // What ends too early may be whole the next time.
        let cut = packed[..packed.len() - from_end].to_vec();
        let (_, asked) = failure(move |_| Reply::new("200 OK", headers, &cut));
        assert!(asked > 1, "{headers}");
    }
    let (error, _) = failure(|_| Reply::new("200 OK", "content-encoding: zstd\r\n", b"not a frame"));
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    // A frame that would keep sixteen megabytes in memory.
    let mut wide = zstd::Encoder::new(Vec::new(), 1).unwrap();
    wide.window_log(24).unwrap();
    wide.write_all(&first_chunk()).unwrap();
    let wide = wide.finish().unwrap();
    let (error, _) = failure(move |_| Reply::new("200 OK", "content-encoding: zstd\r\n", &wide));
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let (error, _) = failure(|_| Reply::new("200 OK", "content-encoding: br\r\n", &first_chunk()));
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn redirects_are_followed_and_loops_left() {
    let (found, expected, _) = read(|asked| match asked.before {
        0 => Reply::new("302 Found", &format!("location: {CHUNK}\r\n"), b""),
        _ => Reply::ok(&first_chunk()),
    });
    assert!(found.unwrap() == expected);
    let (error, asked) = failure(|_| Reply::new("301 Moved", &format!("location: {CHUNK}\r\n"), b""));
    assert_eq!((error.kind(), asked), (ErrorKind::Unavailable, 6));
}

#[test]
fn descriptions_are_bounded_and_keys_stay_inside() {
    let kind = |reply: &'static (dyn Fn() -> Reply + Sync)| {
        let web = Web::serve(Path::new("."), move |_| Some(reply()));
        PrecomputedSource::open(&web.url(), &quick()).unwrap_err().kind()
    };
    assert_eq!(kind(&|| Reply::ok(&vec![b' '; (16 << 20) + 1])), ErrorKind::Corrupt);
    assert_eq!(
        kind(&|| Reply::new("200 OK", "content-encoding: gzip\r\n", &gzip(&vec![b' '; 64 << 20]))),
        ErrorKind::Corrupt
    );
    assert_eq!(kind(&|| Reply::ok(b"<html>")), ErrorKind::Corrupt);
    for key in ["../v", "/v", "a/../../v", ""] {
        let dir = tempfile::tempdir().unwrap();
        let info = image(DType::U32);
        write_file(&dir.path().join("v"), &info, &sample(&info), volume_options(false)).unwrap();
        let mut text: Value = serde_json::from_slice(&fs::read(dir.path().join("v/info")).unwrap()).unwrap();
        text["scales"][0]["key"] = json!(key);
        fs::write(dir.path().join("v/info"), text.to_string()).unwrap();
        let web = Web::serve(&dir.path().join("v"), |_| None);
        assert_eq!(PrecomputedSource::open(&web.url(), &quick()).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

/// What is read of a sharded volume whose shards are answered like this.
fn sharded(answer: impl Fn(&Asked, Reply) -> Reply + Send + Sync + 'static) -> Result<Vec<u8>> {
    let folder = golden("sharded_raw");
    let web = Web::serve(&folder.clone(), move |asked| {
        asked.path.contains(".shard").then(|| answer(asked, of_folder(&folder, asked)))
    });
    voxels(PrecomputedSource::open(&web.url(), &quick())?.chunks(0)?)
}

#[test]
fn shards_are_read_part_by_part_whatever_the_server_makes_of_ranges() {
    let folder = golden("sharded_raw");
    let (_, expected) = read_file(&folder).unwrap();
    assert!(sharded(|_, reply| reply).unwrap() == expected);
    // Servers that know no parts send all of it.
    let whole = move |asked: &Asked, _| {
        assert!(asked.headers.contains_key("range") && asked.headers["accept-encoding"] == "identity");
        Reply::ok(&fs::read(folder.join(&asked.path[1..])).unwrap())
    };
    assert!(sharded(whole).unwrap() == expected);
    // Parts that are shorter or others than what was asked for.
    let shorter = |_: &Asked, reply: Reply| {
        let head = String::from_utf8_lossy(&reply.bytes).into_owned();
        let range = head.lines().find(|line| line.starts_with("content-range")).unwrap().to_owned();
        Reply::new("206 Partial Content", &format!("{range}\r\n"), b"abc")
    };
    assert_eq!(sharded(shorter).unwrap_err().kind(), ErrorKind::Corrupt);
    for range in ["bytes 0-2/100", "bytes 1-16/100", "bytes x", "items 0-15/100", ""] {
        let other = move |_: &Asked, _| {
            Reply::new("206 Partial Content", &format!("content-range: {range}\r\n"), &[0; 16])
        };
        assert_eq!(sharded(other).unwrap_err().kind(), ErrorKind::Corrupt, "{range}");
    }
    assert_eq!(sharded(|_, _| Reply::new("416 No", "", b"")).unwrap_err().kind(), ErrorKind::Corrupt);
    let zeros = sharded(|_, _| Reply::new("404 No", "", b"")).unwrap();
    assert!(zeros.iter().all(|byte| *byte == 0));
}

#[test]
fn a_shard_is_asked_once_for_each_chunk_and_index_and_connections_are_kept() {
    let folder = golden("sharded_raw");
    let web = Web::serve(&folder, |_| None);
    let source = PrecomputedSource::open(&web.url(), &HttpOptions { in_flight: 1, ..quick() }).unwrap();
    let read = |store: &dyn ChunkStore| {
        let before = web.asked();
        voxels(store).unwrap();
        web.asked() - before
    };
    let store = source.chunks(0).unwrap();
    let (first, second) = (read(store), read(store));
    assert!(second < first, "indices are kept: {first} and {second}");
    assert_eq!(web.connections(), 1);
}

#[test]
fn many_chunks_are_asked_for_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let info = image(DType::U32);
    let options = CreateOptions { format: Some(volume::Format::Precomputed), ..chunked([7, 1, 1]) };
    write_file(&dir.path().join("v"), &info, &sample(&info), options).unwrap();
    // Nobody is answered before eight have asked.
    let together = std::sync::Barrier::new(8);
    let web = Web::serve(&dir.path().join("v"), move |asked| {
        if asked.path.contains('_') {
            together.wait();
        }
        None
    });
    let source = PrecomputedSource::open(&web.url(), &quick()).unwrap();
    let grid = *source.chunks(0).unwrap().grid();
    let eight: Vec<Coords> = grid.chunks_in(&grid.bounds()).unwrap().take(8).collect();
    assert_eq!(eight.len(), 8);
    source
        .chunks(0)
        .unwrap()
        .read_chunks(&eight, &|_, data| {
            assert!(data.is_some());
            Ok(())
        })
        .unwrap();
    // Regions of images are read in the same way.
    assert!(open_regions(Path::new(&web.url()), None).unwrap().unwrap().waits());
    assert_eq!(open_image(Path::new(&web.url()), None).unwrap().info().shape(), info.shape());
}
