//! The seeds are files that are sound, and to make checksums right leaves them as they are.
//!
//! `ARRAY_FILE_UPDATE_SEEDS=1 cargo test` writes them anew.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use array_file::{ArrayFile, ArraySpec, CodecRegistry, FileConfig, FillValue, List, TimestampNs};
use array_file::{check_layer, check_manifest, check_stats};
use array_file_fuzz::{NAME, join, read_everything, reseal_layer, reseal_manifest, reseal_whole, split};
use chunks::Codec;
use futures_util::TryStreamExt;
use ndarray::{Array2, arr0, arr1};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

/// The manifest, the statistics and the layers.
async fn written(codec: &str) -> Vec<Vec<u8>> {
    let store = Arc::new(InMemory::new());
    let codec: Codec = codec.parse().unwrap();
    let config = FileConfig { block_target_size: 256, ..FileConfig::new(codec) };
    let mut file = ArrayFile::create(store.clone(), NAME, config).await.unwrap();
    let spec = ArraySpec::new::<u16>(&[12, 9]).chunk_shape(&[5, 4]).fill_value(FillValue::UInt(7));
    file.define_array("numbers", spec).unwrap();
    file.set_attribute("numbers", "units", "nm").unwrap();
    let numbers = Array2::from_shape_fn((12, 9), |(y, x)| u16::try_from(y * 40 + x).unwrap());
    file.write_array("numbers", &[0, 0], numbers.view()).await.unwrap();
    file.define_array("floats", ArraySpec::new::<f32>(&[300]).chunk_shape(&[128])).unwrap();
    file.write_array("floats", &[10], arr1(&[f32::NAN, -0.0, 1.5]).view()).await.unwrap();
    file.define_array("texts", ArraySpec::new::<String>(&[4]).chunk_shape(&[3])).unwrap();
    let texts = ["one", "", "größe"].map(str::to_owned);
    file.write_array("texts", &[0], arr1(&texts).view()).await.unwrap();
    file.define_array("lists", ArraySpec::new::<List<f32>>(&[2])).unwrap();
    file.write_array("lists", &[1], arr1(&[List(vec![0.5f32, -1.0])]).view()).await.unwrap();
    file.define_array("pairs", ArraySpec::new::<[u32; 2]>(&[3])).unwrap();
    file.write_array("pairs", &[0], arr1(&[[1u32, 2], [3, 4]]).view()).await.unwrap();
    file.define_array("when", ArraySpec::new::<TimestampNs>(&[])).unwrap();
    file.write_array("when", &[], arr0(TimestampNs(-1)).view()).await.unwrap();
    file.flush().await.unwrap();
    file.create_snapshot("first").unwrap();
    file.write_array("numbers", &[0, 0], Array2::from_elem((5, 4), 7u16).view()).await.unwrap();
    file.write_array("texts", &[2], arr1(&["two".to_owned()]).view()).await.unwrap();
    file.flush().await.unwrap();
    let names: Vec<_> =
        store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    let newest = names.iter().filter(|name| name.ends_with(".manifest")).max().unwrap();
    let mut objects = Vec::new();
    for name in [newest, "f.stats", "f.1.af", "f.2.af"] {
        objects.push(store.get(&Path::from(name)).await.unwrap().bytes().await.unwrap().to_vec());
    }
    objects
}

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target)
}

#[test]
fn the_seeds_are_of_the_format_as_it_is() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for codec in ["none", "zstd:1+shuffle", "lz4"] {
        let objects = runtime.block_on(written(codec));
        let name = codec.replace([':', '+'], "-");
        let [manifest, stats, first, second] = &objects[..] else { panic!("four objects") };
        let seeds = [
            ("manifest", name.clone(), manifest.clone()),
            ("stats", name.clone(), stats.clone()),
            ("layer", format!("{name}-1"), first.clone()),
            ("layer", format!("{name}-2"), second.clone()),
            ("file", name, join(&objects)),
        ];
        for (target, name, bytes) in seeds {
            let path = folder(target).join(name);
            if std::env::var_os("ARRAY_FILE_UPDATE_SEEDS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &bytes).unwrap();
            }
            // What a release of a compressor makes may differ from another's; what is uncompressed may not.
            if codec == "none" {
                assert!(fs::read(&path).unwrap() == bytes, "{} has other bytes than it had", path.display());
            }
        }
    }
}

#[test]
fn seeds_are_sound_and_stay_so() {
    let mut seen = 0;
    for target in ["manifest", "stats", "layer", "file"] {
        for entry in fs::read_dir(folder(target)).unwrap() {
            let sound = fs::read(entry.unwrap().path()).unwrap();
            let mut bytes = sound.clone();
            match target {
                "manifest" => {
                    reseal_manifest(&mut bytes, &[]).unwrap();
                    assert_eq!(check_manifest(&bytes).unwrap().layers, [1, 2]);
                }
                "stats" => {
                    reseal_whole(&mut bytes).unwrap();
                    assert_eq!(check_stats(&bytes).unwrap(), 6);
                }
                "layer" => {
                    reseal_layer(&mut bytes).unwrap();
                    assert!(check_layer(&bytes, &CodecRegistry::default()).unwrap().chunks > 0);
                }
                _ => {
                    let mut objects = split(&bytes);
                    let names: Vec<_> =
                        objects[2..].iter_mut().map(|layer| reseal_layer(layer).unwrap()).collect();
                    reseal_manifest(&mut objects[0], &names).unwrap();
                    assert_eq!(read_everything(&objects[0], &objects[2..], &objects[1]).unwrap(), 6);
                    bytes = join(&objects);
                }
            }
            assert!(bytes == sound, "a checksum of {target} was made another");
            seen += 1;
        }
    }
    assert_eq!(seen, 15);
}

#[test]
fn damage_behind_the_checksums_is_reached() {
    let sound = fs::read(folder("layer").join("none-1")).unwrap();
    let mut refused_behind = 0;
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        drop(reseal_layer(&mut bytes));
        match check_layer(&bytes, &CodecRegistry::default()) {
            Err(error) if error.to_string().contains("checksum") => {}
            Err(_) => refused_behind += 1,
            Ok(_) => {}
        }
    }
    assert!(refused_behind > 100, "{refused_behind}");
}
