//! Random programs, against `object_store`'s own store in memory.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::limited::{Limited, assert_nothing_leaked};
use common::{Form, objects_in, open};
use futures_util::TryStreamExt;
use kvdag_object_store::Objects;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, UpdateVersion,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Put(usize, usize),
    Create(usize, usize),
    /// With the current `ETag`, or one that was current once.
    Update(usize, usize, bool),
    Upload(usize, Vec<usize>),
    Delete(Vec<usize>),
    Copy(usize, usize, bool),
    Rename(usize, usize, bool),
    Get(usize, GetRange),
    Ranges(usize, Vec<(u64, u64)>),
    List(usize, Option<usize>),
}

const PATHS: [&str; 9] = ["a", "a/b", "a/b/c", "a/b/d", "a/bc", "a b", "b/a", "b/b/b/b", "ü/%2F"];

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 1..600_usize, 4090..4100_usize, 4097..40_000_usize]
}

fn range() -> impl Strategy<Value = GetRange> {
    prop_oneof![
        (0..20_000_u64, 0..20_000_u64).prop_map(|(start, length)| GetRange::Bounded(start..start + length)),
        (0..20_000_u64).prop_map(GetRange::Offset),
        (0..20_000_u64).prop_map(GetRange::Suffix),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let path = || 0..PATHS.len();
    prop_oneof![
        3 => (path(), size()).prop_map(|(path, size)| Op::Put(path, size)),
        1 => (path(), size()).prop_map(|(path, size)| Op::Create(path, size)),
        2 => (path(), size(), any::<bool>()).prop_map(|(path, size, stale)| Op::Update(path, size, stale)),
        2 => (path(), prop::collection::vec(size(), 0..4)).prop_map(|(path, parts)| Op::Upload(path, parts)),
        1 => prop::collection::vec(path(), 1..4).prop_map(Op::Delete),
        2 => (path(), path(), any::<bool>()).prop_map(|(from, to, create)| Op::Copy(from, to, create)),
        2 => (path(), path(), any::<bool>()).prop_map(|(from, to, create)| Op::Rename(from, to, create)),
        3 => (path(), range()).prop_map(|(path, range)| Op::Get(path, range)),
        2 => (path(), prop::collection::vec((0..30_000_u64, 1..9000_u64), 1..6)).prop_map(|(path, r)| Op::Ranges(path, r)),
        2 => (path(), prop::option::of(path())).prop_map(|(prefix, offset)| Op::List(prefix, offset)),
    ]
}

/// Bytes that differ from those of every other put, in several pieces.
fn payload(seed: usize, size: usize) -> PutPayload {
    let bytes: Vec<u8> = (0..size).map(|at| (at * 31 + at / 251 + seed * 7919).to_le_bytes()[0]).collect();
    bytes.chunks(777).map(bytes::Bytes::copy_from_slice).collect()
}

/// What an answer is, without what two stores may differ in.
fn kind<T>(answer: Result<T, Error>) -> Result<T, &'static str> {
    answer.map_err(|error| match error {
        Error::NotFound { .. } => "not found",
        Error::AlreadyExists { .. } => "already exists",
        Error::Precondition { .. } => "precondition",
        Error::Generic { .. } => "generic",
        other => panic!("{other}"),
    })
}

struct Both {
    objects: Objects,
    model: InMemory,
    /// Pairs of `ETag`s of one put each, by path.
    tags: Vec<Vec<(Option<String>, Option<String>)>>,
}

impl Both {
    async fn put(&mut self, seed: usize, path: usize, size: usize, modes: [PutMode; 2]) {
        let at = Path::parse(PATHS[path]).unwrap();
        let attributes = Attributes::from_iter([(Attribute::ContentType, format!("text/{seed}"))]);
        let [ours, models] =
            modes.map(|mode| PutOptions { mode, attributes: attributes.clone(), ..Default::default() });
        let ours = kind(self.objects.put_opts(&at, payload(seed, size), ours).await);
        let models = kind(self.model.put_opts(&at, payload(seed, size), models).await);
        assert_eq!(ours.as_ref().err(), models.as_ref().err(), "put {at}");
        if let (Ok(ours), Ok(models)) = (ours, models) {
            self.tags[path].push((ours.e_tag, models.e_tag));
        }
    }

    async fn upload(&self, store: &dyn ObjectStore, seed: usize, path: &Path, parts: &[usize]) {
        let mut upload = store.put_multipart(path).await.unwrap();
        // The last one first: parts come in any order.
        let mut futures: Vec<_> =
            parts.iter().enumerate().map(|(at, size)| upload.put_part(payload(seed + at, *size))).collect();
        while let Some(part) = futures.pop() {
            part.await.unwrap();
        }
        upload.complete().await.unwrap();
    }

    async fn run(&mut self, seed: usize, op: &Op) {
        let path = |index: usize| Path::parse(PATHS[index]).unwrap();
        match op {
            Op::Put(at, size) => self.put(seed, *at, *size, [PutMode::Overwrite, PutMode::Overwrite]).await,
            Op::Create(at, size) => self.put(seed, *at, *size, [PutMode::Create, PutMode::Create]).await,
            Op::Update(at, size, stale) => {
                let known = &self.tags[*at];
                let known = if *stale { known.first() } else { known.last() };
                let Some((ours, models)) = known.cloned() else { return };
                let update = |e_tag| PutMode::Update(UpdateVersion { e_tag, version: None });
                self.put(seed, *at, *size, [update(ours), update(models)]).await;
            }
            Op::Upload(at, parts) => {
                self.upload(&self.objects, seed, &path(*at), parts).await;
                self.upload(&self.model, seed, &path(*at), parts).await;
                self.tags[*at].clear();
            }
            Op::Delete(paths) => {
                for store in [&self.objects as &dyn ObjectStore, &self.model] {
                    let paths: Vec<_> = paths.iter().map(|at| Ok(path(*at))).collect();
                    let stream = Box::pin(futures_util::stream::iter(paths));
                    store.delete_stream(stream).try_collect::<Vec<_>>().await.unwrap();
                }
            }
            Op::Copy(from, to, create) => {
                let (a, b) = (path(*from), path(*to));
                let (ours, models) = if *create {
                    (
                        self.objects.copy_if_not_exists(&a, &b).await,
                        self.model.copy_if_not_exists(&a, &b).await,
                    )
                } else {
                    (self.objects.copy(&a, &b).await, self.model.copy(&a, &b).await)
                };
                assert_eq!(kind(ours), kind(models), "copy {a} to {b}");
                self.tags[*to].clear();
            }
            // The model loses an object that is renamed to itself.
            Op::Rename(from, to, _) if from == to => {}
            Op::Rename(from, to, create) => {
                let (a, b) = (path(*from), path(*to));
                let (ours, models) = if *create {
                    (
                        self.objects.rename_if_not_exists(&a, &b).await,
                        self.model.rename_if_not_exists(&a, &b).await,
                    )
                } else {
                    (self.objects.rename(&a, &b).await, self.model.rename(&a, &b).await)
                };
                assert_eq!(kind(ours), kind(models), "rename {a} to {b}");
                self.tags[*to].clear();
            }
            Op::Get(at, range) => self.compare(&path(*at), Some(range.clone())).await,
            Op::Ranges(at, ranges) => {
                let ranges: Vec<_> = ranges.iter().map(|(start, length)| *start..start + length).collect();
                let ours = kind(self.objects.get_ranges(&path(*at), &ranges).await);
                assert_eq!(ours, kind(self.model.get_ranges(&path(*at), &ranges).await), "{ranges:?}");
            }
            Op::List(prefix, offset) => self.compare_lists(Some(&path(*prefix)), offset.map(path)).await,
        }
    }

    async fn compare(&self, path: &Path, range: Option<GetRange>) {
        let read = |store: Arc<dyn ObjectStore>| {
            let options = GetOptions { range: range.clone(), ..Default::default() };
            async move {
                let found = kind(store.get_opts(path, options).await)?;
                let (range, size, attributes) =
                    (found.range.clone(), found.meta.size, found.attributes.clone());
                kind(found.bytes().await).map(|bytes| (range, size, attributes, bytes))
            }
        };
        let ours = read(Arc::new(self.objects.clone())).await;
        assert!(ours == read(Arc::new(self.model.fork())).await, "{path}, {range:?}");
    }

    async fn compare_lists(&self, prefix: Option<&Path>, offset: Option<Path>) {
        let mut lists = Vec::new();
        for store in [&self.objects as &dyn ObjectStore, &self.model] {
            let stream = match &offset {
                Some(offset) => store.list_with_offset(prefix, offset),
                None => store.list(prefix),
            };
            let all: Vec<_> = stream.map_ok(|meta| (meta.location, meta.size)).try_collect().await.unwrap();
            let listed = store.list_with_delimiter(prefix).await.unwrap();
            let objects: Vec<_> = listed.objects.into_iter().map(|meta| (meta.location, meta.size)).collect();
            lists.push((all, objects, listed.common_prefixes));
        }
        assert_eq!(lists[0], lists[1], "{prefix:?}, {offset:?}");
    }

    async fn compare_all(&self) {
        self.compare_lists(None, None).await;
        for path in PATHS {
            self.compare(&Path::parse(path).unwrap(), None).await;
        }
    }
}

fn run(objects: Objects, program: &[Op], check: impl AsyncFnOnce(&Objects)) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut both = Both { objects, model: InMemory::new(), tags: vec![Vec::new(); PATHS.len()] };
        for (seed, op) in program.iter().enumerate() {
            both.run(seed, op).await;
        }
        both.compare_all().await;
        // Nothing was abandoned, so a sweep of everything changes nothing.
        let swept = both.objects.sweep(SystemTime::now() + Duration::from_hours(1)).await.unwrap();
        assert_eq!(swept, kvdag_object_store::Swept::default());
        both.compare_all().await;
        check(&both.objects).await;
    });
}

fn program() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_in_many_small_batches_agrees(program in program()) {
        let store = Limited::new();
        run(common::limited::objects(Arc::clone(&store)), &program, async |objects| {
            assert_nothing_leaked(&store, objects).await;
        });
    }

    #[test]
    fn a_version_in_many_small_batches_agrees(program in program()) {
        run(objects_in(Limited::new(), Form::AtChild).with_block_bytes(700), &program, async |_| {});
    }

    #[test]
    fn an_instance_without_versions_agrees(program in program()) {
        run(objects_in(Limited::new(), Form::Unversioned).with_block_bytes(3000), &program, async |_| {});
    }

    #[test]
    fn a_store_whose_reads_are_live_agrees(program in program()) {
        let opened = open("sled");
        run(Objects::in_store(opened.store, b"some/prefix").unwrap(), &program, async |_| {});
    }
}
