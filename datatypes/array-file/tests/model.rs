//! Random programs on a file, and on arrays in memory that are plainly right.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

extern crate engine_lmdb as _;
extern crate engine_redb as _;
extern crate engine_sled as _;
extern crate engine_sqlite as _;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use array_file::{ArrayFile, ArraySpec, AttributeValue, Error, FileConfig, FillValue, StatValue};
use common::{PATH, memory};
use engine_api::layers::Relaxed;
use engine_api::version::Versioned;
use engine_api::{Registry, Store};
use kvdag_object_store::{Bucket, Objects};
use ndarray::{Array2, ArrayD, Ix2, s};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

#[derive(Clone, Debug)]
enum Step {
    Define { name: usize, shape: [u64; 2], chunk: [u64; 2], fill: Option<i16> },
    Delete { name: usize },
    Write { name: usize, start: [f64; 2], extent: [f64; 2], value: i16, constant: bool },
    Resize { name: usize, shape: [u64; 2] },
    Append { name: usize, axis: usize, length: usize, value: i16 },
    Duplicate { from: usize, to: usize },
    Attribute { name: usize, value: i32 },
    Snapshot,
    Other { name: usize, value: i16 },
    Flush,
    Reopen,
    Compact,
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0usize..3;
    let shape = prop::array::uniform2(0u64..9);
    let part = prop::array::uniform2(0.0f64..1.0);
    prop_oneof![
        3 => (name.clone(), shape.clone(), prop::array::uniform2(1u64..5), prop::option::of(-3i16..3))
            .prop_map(|(name, shape, chunk, fill)| Step::Define { name, shape, chunk, fill }),
        1 => name.clone().prop_map(|name| Step::Delete { name }),
        8 => (name.clone(), part.clone(), part, -3i16..100, any::<bool>()).prop_map(
            |(name, start, extent, value, constant)| Step::Write { name, start, extent, value, constant }
        ),
        2 => (name.clone(), shape).prop_map(|(name, shape)| Step::Resize { name, shape }),
        2 => (name.clone(), 0usize..2, 0usize..4, -3i16..100)
            .prop_map(|(name, axis, length, value)| Step::Append { name, axis, length, value }),
        1 => (name.clone(), name.clone()).prop_map(|(from, to)| Step::Duplicate { from, to }),
        1 => (name.clone(), any::<i32>()).prop_map(|(name, value)| Step::Attribute { name, value }),
        1 => (name, -3i16..100).prop_map(|(name, value)| Step::Other { name, value }),
        1 => Just(Step::Snapshot),
        4 => Just(Step::Flush),
        2 => Just(Step::Reopen),
        1 => Just(Step::Compact),
        1 => Just(Step::Sweep),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Model {
    values: Array2<i16>,
    fill: i16,
    has_fill: bool,
    attribute: Option<i32>,
}

type Arrays = BTreeMap<String, Model>;

fn config(spill: bool) -> FileConfig {
    FileConfig {
        block_target_size: 40,
        write_buffer_size: if spill { 500 } else { 1 << 20 },
        grace: Duration::ZERO,
        ..FileConfig::default()
    }
}

struct World {
    store: Arc<dyn ObjectStore>,
    file: ArrayFile,
    spill: bool,
    now: Arrays,
    committed: Arrays,
    commits: BTreeMap<u64, Arrays>,
    named: Vec<(String, u64)>,
}

impl World {
    async fn new(store: Arc<dyn ObjectStore>, spill: bool) -> Self {
        let file = ArrayFile::create(store.clone(), PATH, config(spill)).await.unwrap();
        let empty = Arrays::new();
        let (now, committed, commits) = (empty.clone(), empty, BTreeMap::new());
        Self { store, file, spill, now, committed, commits, named: Vec::new() }
    }

    async fn flush(&mut self) {
        let commit = self.file.flush().await.unwrap();
        self.committed = self.now.clone();
        if commit > 0 {
            self.commits.insert(commit, self.now.clone());
        }
    }

    async fn run(&mut self, step: Step) {
        let text = |name: usize| ["a", "b", "c"][name].to_owned();
        match step {
            Step::Define { name, shape, chunk, fill } => {
                let mut spec = ArraySpec::new::<i16>(&shape).chunk_shape(&chunk);
                if let Some(fill) = fill {
                    spec = spec.fill_value(FillValue::Int(fill.into()));
                }
                let defined = self.file.define_array(&text(name), spec).is_ok();
                assert_eq!(defined, !self.now.contains_key(&text(name)));
                let (has_fill, fill) = (fill.is_some(), fill.unwrap_or(0));
                let values = Array2::from_elem(shape.map(|length| usize::try_from(length).unwrap()), fill);
                self.now.entry(text(name)).or_insert(Model { values, fill, has_fill, attribute: None });
            }
            Step::Delete { name } => {
                let deleted = self.file.delete(&text(name)).is_ok();
                assert_eq!(deleted, self.now.remove(&text(name)).is_some());
            }
            Step::Write { name, start, extent, value, constant } => {
                let Some(model) = self.now.get_mut(&text(name)) else { return };
                let place = |axis: usize| {
                    let length = model.values.shape()[axis];
                    #[allow(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        clippy::cast_precision_loss
                    )]
                    let part = |of: usize, share: f64| ((of + 1) as f64 * share) as usize;
                    let from = part(length, start[axis]);
                    from..from + part(length - from, extent[axis])
                };
                let (rows, columns) = (place(0), place(1));
                let at = [rows.start as u64, columns.start as u64];
                let part = Array2::from_shape_fn((rows.len(), columns.len()), |(y, x)| {
                    if constant { value } else { value + i16::try_from(y * 10 + x).unwrap() }
                });
                self.file.write_array(&text(name), &at, part.view()).await.unwrap();
                model.values.slice_mut(s![rows, columns]).assign(&part);
            }
            Step::Resize { name, shape } => {
                let Some(model) = self.now.get_mut(&text(name)) else { return };
                self.file.resize(&text(name), &shape).await.unwrap();
                model.resize(shape.map(|length| usize::try_from(length).unwrap()));
            }
            Step::Append { name, axis, length, value } => {
                let Some(model) = self.now.get_mut(&text(name)) else { return };
                let mut shape = [model.values.nrows(), model.values.ncols()];
                let before = shape[axis];
                shape[axis] = length;
                let part = Array2::from_elem(shape, value);
                self.file.append(&text(name), axis, part.view()).await.unwrap();
                shape[axis] = before + length;
                model.resize(shape);
                model.values.slice_axis_mut(ndarray::Axis(axis), (before..).into()).assign(&part);
            }
            Step::Duplicate { from, to } => {
                let copied = self.file.duplicate_array(&text(from), &text(to)).await.is_ok();
                let found = self.now.get(&text(from)).cloned();
                assert_eq!(copied, found.is_some() && !self.now.contains_key(&text(to)));
                if let Some(model) = found.filter(|_| copied) {
                    self.now.insert(text(to), model);
                }
            }
            Step::Attribute { name, value } => {
                let set = self.file.set_attribute(&text(name), "attribute", value).is_ok();
                assert_eq!(set, self.now.contains_key(&text(name)));
                if let Some(model) = self.now.get_mut(&text(name)) {
                    model.attribute = Some(value);
                }
            }
            Step::Snapshot => {
                let name = format!("snapshot {}", self.named.len());
                if self.file.create_snapshot(&name).is_ok() {
                    self.named.push((name, self.file.commit()));
                }
            }
            Step::Other { name, value } => self.another_commits(&text(name), value).await,
            Step::Flush => self.flush().await,
            Step::Reopen => {
                self.file = ArrayFile::open(self.store.clone(), PATH, config(self.spill)).await.unwrap();
                self.now = self.committed.clone();
                self.named = self.file.snapshots().to_vec();
            }
            Step::Compact | Step::Sweep => {
                self.flush().await;
                if matches!(step, Step::Compact) {
                    self.file.compact().await.unwrap();
                    assert!(self.spill || self.file.num_layers() <= 1);
                } else {
                    self.file.sweep(Duration::ZERO).await.unwrap();
                }
                let (newest, named) = (self.file.commit(), &self.named);
                self.commits.retain(|commit, _| named.iter().any(|(_, of)| of == commit));
                if newest > 0 {
                    self.commits.insert(newest, self.now.clone());
                }
            }
        }
    }

    /// Another writer commits first: this one is told, keeps what it has pending, and then goes on from the other's.
    async fn another_commits(&mut self, name: &str, value: i16) {
        let mut theirs = self.committed.clone();
        let Some(model) = theirs.get_mut(name) else { return };
        let mut other = ArrayFile::open(self.store.clone(), PATH, config(self.spill)).await.unwrap();
        model.values.fill(value);
        model.attribute = Some(value.into());
        other.write_array(name, &[0, 0], model.values.view()).await.unwrap();
        other.set_attribute(name, "attribute", i32::from(value)).unwrap();
        let commit = other.flush().await.unwrap();
        if self.file.has_pending() {
            let told = self.file.flush().await;
            assert!(matches!(told, Err(Error::Conflict { newest, .. }) if newest == commit), "{told:?}");
            check(&self.file, &self.now).await;
            self.file = ArrayFile::open(self.store.clone(), PATH, config(self.spill)).await.unwrap();
        } else {
            assert!(self.file.refresh().await.unwrap());
        }
        self.named = self.file.snapshots().to_vec();
        self.commits.insert(commit, theirs.clone());
        (self.now, self.committed) = (theirs.clone(), theirs);
    }

    async fn check(&self) {
        check(&self.file, &self.now).await;
        for (commit, arrays) in &self.commits {
            let past = ArrayFile::open_at(self.store.clone(), PATH, *commit, config(false)).await.unwrap();
            check(&past, arrays).await;
            check_statistics(&past, arrays).await;
        }
        let opened = ArrayFile::open(self.store.clone(), PATH, config(false)).await.unwrap();
        check(&opened, &self.committed).await;
        check_statistics(&opened, &self.committed).await;
    }
}

impl Model {
    fn resize(&mut self, shape: [usize; 2]) {
        let mut values = Array2::from_elem(shape, self.fill);
        let kept = [0, 1].map(|axis| shape[axis].min(self.values.shape()[axis]));
        let part = s![..kept[0], ..kept[1]];
        values.slice_mut(part).assign(&self.values.slice(part));
        self.values = values;
    }
}

async fn check(file: &ArrayFile, arrays: &Arrays) {
    let listed: Vec<&String> = file.list_arrays().map(|meta| &meta.name).collect();
    assert_eq!(listed, arrays.keys().collect::<Vec<_>>());
    for (name, model) in arrays {
        let read: ArrayD<i16> = file.read_array(name, &[], &[]).await.unwrap();
        assert_eq!(read.into_dimensionality::<Ix2>().unwrap(), model.values, "{name}");
        let attribute = file.get_attribute(name, "attribute").unwrap();
        assert_eq!(attribute, model.attribute.map(AttributeValue::Int32).as_ref());
        let shape = [model.values.nrows() as u64, model.values.ncols() as u64];
        let strided: ArrayD<i16> = file.read_strided(name, &[0, 0], &shape, &[3, 2]).await.unwrap();
        assert_eq!(
            strided.into_dimensionality::<Ix2>().unwrap(),
            model.values.slice(s![..;3, ..;2]),
            "{name}"
        );
        let mask = model.values.mapv(|value| value % 3 == 0);
        let masked: Vec<i16> = file.read_masked(name, &[0, 0], mask.view()).await.unwrap();
        let expected: Vec<i16> = model.values.iter().copied().filter(|value| value % 3 == 0).collect();
        assert_eq!(masked, expected, "{name}");
    }
}

async fn check_statistics(file: &ArrayFile, arrays: &Arrays) {
    for (name, model) in arrays.iter().filter(|(_, model)| model.has_fill) {
        let counted: Vec<i16> = model.values.iter().copied().filter(|value| *value != model.fill).collect();
        let Some(stats) = file.array_stats(name).await.unwrap() else {
            assert!(counted.is_empty(), "{name}");
            continue;
        };
        let bound = |value: Option<&i16>| value.map(|value| StatValue::Int((*value).into()));
        assert_eq!(stats.min, bound(counted.iter().min()), "{name}");
        assert_eq!(stats.max, bound(counted.iter().max()), "{name}");
        assert_eq!(stats.row_count, model.values.len() as u64);
        assert_eq!(stats.null_count, (model.values.len() - counted.len()) as u64, "{name}");
    }
}

fn run(store: Arc<dyn ObjectStore>, spill: bool, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(store, spill).await;
        for step in steps {
            world.run(step).await;
            check(&world.file, &world.now).await;
        }
        world.check().await;
    });
}

fn programs() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_file_answers_as_arrays_in_memory_do(spill in any::<bool>(), steps in programs()) {
        run(memory(), spill, steps);
    }
}

/// Programs on stores that are made anew for each, which takes longer than the programs.
fn on_stores(make: impl Fn(&TempDir) -> Arc<dyn ObjectStore>) {
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let tested = TestRunner::new(config).run(&(any::<bool>(), programs()), |(spill, steps)| {
        let folder = tempfile::tempdir().unwrap();
        run(make(&folder), spill, steps);
        Ok(())
    });
    tested.unwrap();
}

#[test]
fn so_it_does_in_a_folder() {
    on_stores(|folder| Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap()));
}

/// A store that waits for no disk: what commits survive is for the tests of engines.
fn engine(name: &str, folder: &TempDir) -> impl Store + use<> {
    let path = folder.path().join("store");
    let url = if name == "memory" { "memory:".to_owned() } else { format!("{name}:{}", path.display()) };
    Relaxed(Registry::linked().unwrap().open(&url).unwrap().store)
}

const ENGINES: [&str; 5] = ["memory", "redb", "sqlite", "lmdb", "sled"];

#[test]
fn so_it_does_in_a_store_of_every_engine() {
    for name in ENGINES {
        on_stores(|folder| Arc::new(Objects::in_store(engine(name, folder), b"files").unwrap()));
    }
}

#[test]
fn so_it_does_at_a_version_of_every_engine() {
    for name in ENGINES {
        on_stores(|folder| {
            let store = Arc::new(Versioned::create(engine(name, folder)).unwrap());
            let repo = store.create_repo("repo", None).unwrap();
            let bucket = Bucket::create(&store, repo.id, "files").unwrap();
            store.commit_version(repo.root, "").unwrap();
            Arc::new(bucket.at(store.new_version(repo.root, None).unwrap().id).unwrap())
        });
    }
}

/// Listings come in pages of three names.
#[test]
fn so_it_does_on_s3() {
    let emulator = common::s3::emulator();
    emulator.set_page(3);
    on_stores(|_| {
        emulator.create_bucket(common::s3::BUCKET);
        common::s3::bucket(&emulator)
    });
}

#[test]
#[ignore = "needs Python with moto"]
fn so_it_does_on_an_s3_that_others_have_written() {
    let moto = common::s3::Moto::start();
    let programs = AtomicUsize::new(0);
    on_stores(|_| moto.bucket(&format!("program-{}", programs.fetch_add(1, Ordering::Relaxed))));
}

/// What is written at a branch is seen at main when it is merged, and main's past stays.
#[test]
fn a_file_has_the_branches_of_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Versioned::create(engine("redb", &folder)).unwrap());
    let repo = store.create_repo("repo", None).unwrap();
    let bucket = Bucket::create(&store, repo.id, "files").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let at = |version| -> Arc<dyn ObjectStore> { Arc::new(bucket.at(version).unwrap()) };
        let mut file = ArrayFile::create(at(repo.root), PATH, FileConfig::default()).await.unwrap();
        file.define_array("line", common::line(8, 0)).unwrap();
        common::put(&mut file, "line", 0, &[1; 8]).await;
        file.flush().await.unwrap();
        store.commit_version(repo.root, "").unwrap();
        let main = store.new_version(repo.root, None).unwrap().id;
        let side = store.new_version(repo.root, Some("side")).unwrap().id;

        let mut branched = ArrayFile::open(at(side), PATH, FileConfig::default()).await.unwrap();
        common::put(&mut branched, "line", 4, &[2; 4]).await;
        branched.flush().await.unwrap();
        let line = |version| async move {
            let file = ArrayFile::open(at(version), PATH, FileConfig::default()).await.unwrap();
            common::all(&file, "line").await
        };
        assert_eq!(line(side).await, [1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(line(main).await, [1; 8]);
        store.commit_version(side, "").unwrap();
        store.commit_version(main, "").unwrap();
        let merged = store.merge(&[main, side], None).unwrap();
        assert_eq!(line(merged.id).await, [1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(line(repo.root).await, [1; 8]);
    });
}
