//! Stores of every engine, and objects in them, in every form.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses its own part")]

pub mod limited;

extern crate engine_lmdb as _;
extern crate engine_redb as _;
extern crate engine_sled as _;
extern crate engine_sqlite as _;

use std::sync::Arc;

use engine_api::layers::Relaxed;
use engine_api::version::Versioned;
use engine_api::{Registry, Store};
use kvdag_object_store::{Bucket, Objects};
use tempfile::TempDir;

pub type AnyStore = Box<dyn Store>;

pub const ENGINES: [&str; 5] = ["memory", "redb", "sqlite", "lmdb", "sled"];

/// Where objects can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In a store of their own.
    Plain,
    /// In a data instance without versions.
    Unversioned,
    /// At a version, the root.
    AtVersion,
    /// At a version whose ancestors have had objects, which were deleted.
    AtChild,
}

pub const FORMS: [Form; 4] = [Form::Plain, Form::Unversioned, Form::AtVersion, Form::AtChild];

/// A store and the folder that it is in.
pub struct Opened {
    pub store: AnyStore,
    pub folder: TempDir,
}

/// The URL of an engine's store in a folder.
pub fn url(engine: &str, folder: &TempDir) -> String {
    if engine == "memory" {
        "memory:".to_owned()
    } else {
        format!("{engine}:{}", folder.path().join("store").display())
    }
}

/// A new store of an engine. It waits for no disk: what commits survive is for the tests of engines.
pub fn open(engine: &str) -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let store = Registry::linked().unwrap().open(&url(engine, &folder)).unwrap().store;
    Opened { store: Box::new(Relaxed(store)), folder }
}

/// Objects of a form in a new store of an engine.
pub struct Case {
    pub objects: Objects,
    pub name: String,
    folder: TempDir,
}

pub fn case(engine: &str, form: Form) -> Case {
    let Opened { store, folder } = open(engine);
    let name = format!("{engine}, {form:?}");
    Case { objects: objects_in(store, form), name, folder }
}

pub fn objects_in(store: impl Store + 'static, form: Form) -> Objects {
    if form == Form::Plain {
        return Objects::in_store(store, b"").unwrap();
    }
    let store = Arc::new(Versioned::create(store).unwrap());
    let repo = store.create_repo("repo", None).unwrap();
    match form {
        Form::Unversioned => Bucket::create_unversioned(&store, repo.id, "b").unwrap().unversioned().unwrap(),
        _ => {
            let bucket = Bucket::create(&store, repo.id, "b").unwrap();
            if form == Form::AtVersion {
                return bucket.at(repo.root).unwrap();
            }
            store.commit_version(repo.root, "").unwrap();
            bucket.at(store.new_version(repo.root, None).unwrap().id).unwrap()
        }
    }
}

/// Every form on every engine.
pub fn cases() -> impl Iterator<Item = Case> {
    ENGINES.into_iter().flat_map(|engine| FORMS.into_iter().map(move |form| case(engine, form)))
}
