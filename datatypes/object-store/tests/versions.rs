//! Objects at versions: branches, merges, conflicts, and what stays readable.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use common::{AnyStore, ENGINES, open};
use engine_api::key::{DataContext, TKey, TKeyClass, VersionId};
use engine_api::version::{Choice, Horizon, Versioned};
use engine_api::{ErrorKind, MemoryStore};
use futures_util::TryStreamExt;
use kvdag_object_store::{Bucket, Objects};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};

fn path() -> Path {
    Path::from("a/b")
}

fn body(letter: u8) -> Bytes {
    vec![letter; 300_000].into()
}

async fn read(objects: &Objects, path: &Path) -> Option<Bytes> {
    match objects.get(path).await {
        Ok(found) => Some(found.bytes().await.unwrap()),
        Err(Error::NotFound { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn kind(error: &Error) -> Option<ErrorKind> {
    let Error::Generic { source, .. } = error else { return None };
    source.downcast_ref::<engine_api::Error>().map(engine_api::Error::kind)
}

#[tokio::test]
async fn an_object_of_a_branch_is_seen_elsewhere_once_merged_on_every_engine() {
    for engine in ENGINES {
        let opened = open(engine);
        let store: Arc<Versioned<AnyStore>> = Arc::new(Versioned::create(opened.store).unwrap());
        let repo = store.create_repo("repo", None).unwrap();
        let bucket = Bucket::create(&store, repo.id, "b").unwrap();
        let root = bucket.at(repo.root).unwrap();
        root.put(&path(), body(b'1').into()).await.unwrap();
        store.commit_version(repo.root, "").unwrap();
        let main = store.new_version(repo.root, None).unwrap().id;
        let side = store.new_version(repo.root, Some("side")).unwrap().id;
        let (at_main, at_side) = (bucket.at(main).unwrap(), bucket.at(side).unwrap());

        at_side.put(&path(), body(b'2').into()).await.unwrap();
        at_side.put(&Path::from("new"), body(b'3').into()).await.unwrap();
        assert_eq!(read(&at_main, &path()).await, Some(body(b'1')), "{engine}");
        assert_eq!(read(&at_main, &Path::from("new")).await, None);
        let listed: Vec<_> = at_main.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap();
        assert_eq!(listed, [path()]);

        // A committed version reads the old object, and refuses writes of every kind.
        assert_eq!(read(&root, &path()).await, Some(body(b'1')));
        let large = root.put(&path(), vec![0; 20 << 20].into()).await.unwrap_err();
        let refused = [
            root.put(&path(), "small".into()).await.unwrap_err(),
            large,
            root.delete(&path()).await.unwrap_err(),
            root.copy(&path(), &Path::from("copy")).await.unwrap_err(),
            root.rename(&path(), &Path::from("copy")).await.unwrap_err(),
            root.put_multipart(&path()).await.unwrap_err(),
        ];
        for error in refused {
            assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
        }
        assert_eq!(root.pending().await.unwrap(), []);

        store.commit_version(main, "").unwrap();
        store.commit_version(side, "").unwrap();
        let merged = store.merge(&[main, side], None).unwrap().id;
        let merged = bucket.at(merged).unwrap();
        assert_eq!(read(&merged, &path()).await, Some(body(b'2')), "{engine}");
        assert_eq!(read(&merged, &Path::from("new")).await, Some(body(b'3')));
        assert_eq!(read(&root, &path()).await, Some(body(b'1')));
        assert_eq!(read(&at_main, &path()).await, Some(body(b'1')));
    }
}

struct Repo {
    store: Arc<Versioned<MemoryStore>>,
    bucket: Bucket<MemoryStore>,
}

impl Repo {
    /// A repo whose root has an object.
    async fn new() -> (Self, VersionId) {
        let store = Arc::new(Versioned::create(MemoryStore::new()).unwrap());
        let repo = store.create_repo("repo", None).unwrap();
        let bucket = Bucket::create(&store, repo.id, "b").unwrap();
        bucket.at(repo.root).unwrap().put(&path(), body(b'1').into()).await.unwrap();
        store.commit_version(repo.root, "").unwrap();
        (Self { store, bucket }, repo.root)
    }

    fn new_version(&self, parent: VersionId, branch: &str) -> (VersionId, Objects) {
        let version = self.store.new_version(parent, Some(branch)).unwrap().id;
        (version, self.bucket.at(version).unwrap())
    }

    fn merge(&self, parents: &[VersionId]) -> (VersionId, Objects) {
        for parent in parents {
            self.store.commit_version(*parent, "").unwrap();
        }
        let version = self.store.merge(parents, None).unwrap().id;
        (version, self.bucket.at(version).unwrap())
    }
}

#[tokio::test]
async fn two_branches_that_changed_an_object_are_in_conflict_until_it_is_written() {
    let (repo, root) = Repo::new().await;
    let ((left, at_left), (right, at_right)) =
        (repo.new_version(root, "left"), repo.new_version(root, "right"));
    at_left.put(&path(), body(b'2').into()).await.unwrap();
    at_right.put(&path(), body(b'3').into()).await.unwrap();
    at_right.put(&Path::from("z"), "z".into()).await.unwrap();
    let (_, merged) = repo.merge(&[left, right]);

    let error = merged.get(&path()).await.unwrap_err();
    assert_eq!(kind(&error), Some(ErrorKind::Conflict), "{error}");
    // A listing tells of it, and goes on.
    let listed: Vec<_> = futures_util::StreamExt::collect::<Vec<_>>(merged.list(None)).await;
    assert_eq!(listed.len(), 2);
    assert_eq!(kind(listed[0].as_ref().unwrap_err()), Some(ErrorKind::Conflict));
    assert_eq!(listed[1].as_ref().unwrap().location, Path::from("z"));
    let create = merged.put_opts(&path(), "x".into(), PutMode::Create.into()).await.unwrap_err();
    assert!(matches!(create, Error::AlreadyExists { .. }), "{create}");

    merged.put(&path(), body(b'4').into()).await.unwrap();
    assert_eq!(read(&merged, &path()).await, Some(body(b'4')));
    assert_eq!(read(&at_left, &path()).await, Some(body(b'2')));
    assert_eq!(read(&at_right, &path()).await, Some(body(b'3')));
}

#[tokio::test]
async fn an_object_that_was_renamed_outlives_its_replacement_elsewhere() {
    let (repo, root) = Repo::new().await;
    let left = repo.store.new_version(root, None).unwrap().id;
    let at_left = repo.bucket.at(left).unwrap();
    let (right, at_right) = repo.new_version(root, "right");
    let moved = Path::from("moved");
    at_left.rename(&path(), &moved).await.unwrap();
    assert_eq!(read(&at_left, &path()).await, None);
    at_right.put(&path(), body(b'2').into()).await.unwrap();
    let (_, merged) = repo.merge(&[left, right]);
    assert_eq!(read(&merged, &moved).await, Some(body(b'1')));
    assert_eq!(read(&merged, &path()).await, Some(body(b'2')));
    // Also once what came before the merge is cleaned away, but for the other branch's newest version.
    let of = repo.store.only_repo().unwrap().id;
    let cleaned = repo.store.gc(of, Horizon::Since(u64::MAX), &mut |_| Ok(())).unwrap();
    assert!(cleaned.versions.len() == 2 && cleaned.entries() > 0, "{cleaned:?}");
    assert_eq!(read(&merged, &moved).await, Some(body(b'1')));
    assert_eq!(read(&merged, &path()).await, Some(body(b'2')));
}

/// One branch chooses, at a merge, the object of a side that another branch has replaced since. A second merge can choose
/// it again, though the other branch has removed its blocks.
#[tokio::test]
async fn an_object_that_was_chosen_at_a_merge_outlives_its_removal_elsewhere() {
    let (repo, root) = Repo::new().await;
    let ((left, at_left), (right, at_right)) =
        (repo.new_version(root, "left"), repo.new_version(root, "right"));
    at_left.put(&path(), body(b'2').into()).await.unwrap();
    at_right.put(&path(), body(b'3').into()).await.unwrap();
    let (merged, _) = repo.merge(&[left, right]);
    let tkey = TKey::new(TKeyClass(1), path().as_ref().as_bytes());
    let choose = |at: VersionId, of: VersionId| {
        let ctx = DataContext::versioned(repo.bucket.instance().id, at);
        repo.store.resolve_conflict(&ctx, &tkey, Choice::Version(of)).unwrap();
    };
    choose(merged, left);
    let (other, at_other) = repo.new_version(left, "other");
    at_other.put(&path(), body(b'4').into()).await.unwrap();
    let (again, at_again) = repo.merge(&[merged, other]);
    choose(again, merged);
    assert_eq!(read(&at_again, &path()).await, Some(body(b'2')));
    assert_eq!(read(&at_other, &path()).await, Some(body(b'4')));
}

#[tokio::test]
async fn an_upload_that_a_commit_cut_short_is_swept_at_the_next_version() {
    let (repo, root) = Repo::new().await;
    let (version, at) = repo.new_version(root, "side");
    let mut upload = at.put_multipart(&Path::from("new")).await.unwrap();
    upload.put_part(body(b'5').into()).await.unwrap();
    repo.store.commit_version(version, "").unwrap();
    let error = upload.complete().await.unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
    let (_, next) = repo.new_version(version, "next");
    assert_eq!(next.pending().await.unwrap().len(), 1);
    let later = SystemTime::now() + Duration::from_mins(1);
    assert_eq!(next.sweep(later).await.unwrap().abandoned, 1);
    assert_eq!(next.pending().await.unwrap(), []);
    assert_eq!(read(&next, &path()).await, Some(body(b'1')));
}

#[tokio::test]
async fn a_bucket_is_opened_as_what_it_is() {
    let store = Arc::new(Versioned::create(MemoryStore::new()).unwrap());
    let repo = store.create_repo("repo", None).unwrap();
    let versioned = Bucket::create(&store, repo.id, "v").unwrap();
    Bucket::create_unversioned(&store, repo.id, "u").unwrap();
    let flat = Bucket::open(&store, "u").unwrap();
    flat.unversioned().unwrap().put(&path(), "flat".into()).await.unwrap();
    assert_eq!(versioned.unversioned().unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(flat.at(repo.root).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(versioned.at(VersionId(77)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(Bucket::open(&store, "nosuch").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read(&versioned.at(repo.root).unwrap(), &path()).await, None);
}
