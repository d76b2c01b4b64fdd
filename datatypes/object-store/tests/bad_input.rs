//! What can't be done is told by kind, and changes nothing.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::sync::Arc;

use common::limited::{Limited, keys, objects};
use common::{FORMS, case};
use engine_api::layers::ReadOnly;
use engine_api::{ErrorKind, MemoryStore};
use kvdag_object_store::Objects;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, UpdateVersion,
};

fn kind(error: &Error) -> ErrorKind {
    let Error::Generic { source, .. } = error else { panic!("{error}") };
    source.downcast_ref::<engine_api::Error>().unwrap_or_else(|| panic!("{error}")).kind()
}

#[tokio::test]
async fn a_path_that_is_too_long_for_the_engine_is_refused_and_absent() {
    for form in FORMS {
        let case = case("lmdb", form);
        let objects = &case.objects;
        let long = Path::from("x".repeat(511));
        for size in [1, 100_000, 10_000_000] {
            let error = objects.put(&long, vec![1; size].into()).await.unwrap_err();
            assert_eq!(kind(&error), ErrorKind::TooLarge, "{}", case.name);
        }
        assert_eq!(kind(&objects.put_multipart(&long).await.unwrap_err()), ErrorKind::TooLarge);
        let short = Path::from("short");
        objects.put(&short, "1".into()).await.unwrap();
        assert_eq!(kind(&objects.copy(&short, &long).await.unwrap_err()), ErrorKind::TooLarge);
        assert_eq!(kind(&objects.rename(&short, &long).await.unwrap_err()), ErrorKind::TooLarge);
        assert!(matches!(objects.get(&long).await.unwrap_err(), Error::NotFound { .. }));
        objects.delete(&long).await.unwrap();
        assert_eq!(objects.get(&short).await.unwrap().bytes().await.unwrap(), "1");
        assert_eq!(objects.pending().await.unwrap(), []);
        // 17 bytes belong to a version's key, and one to that of a store of its own.
        let longest = Path::from("x".repeat(511 - 17));
        objects.put(&longest, "2".into()).await.unwrap();
        assert_eq!(objects.get(&longest).await.unwrap().bytes().await.unwrap(), "2");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let store = Limited::new();
    let objects = objects(Arc::clone(&store));
    let path = Path::from("p");
    objects.put(&path, vec![1; 5000].into()).await.unwrap();
    let before = keys(&store);

    assert_eq!(
        kind(&objects.put(&Path::default(), "1".into()).await.unwrap_err()),
        ErrorKind::InvalidArgument
    );
    let nameless = PutMode::Update(UpdateVersion { e_tag: None, version: None });
    let error = objects.put_opts(&path, "1".into(), nameless.into()).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::InvalidArgument);
    let e_tag = objects.head(&path).await.unwrap().e_tag;
    let versioned = PutMode::Update(UpdateVersion { e_tag, version: Some("1".to_owned()) });
    let error = objects.put_opts(&path, "1".into(), versioned.into()).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error}");
    let options = GetOptions::new().with_version(Some("1"));
    let error = objects.get_opts(&path, options).await.unwrap_err();
    assert!(matches!(error, Error::NotSupported { .. }), "{error}");

    for id in ["", "1", "nosuch", "00000000000000000000000000000000"] {
        let error = objects.put_part(&path, &id.to_owned(), 0, "1".into()).await.unwrap_err();
        assert_eq!(kind(&error), ErrorKind::NotFound);
    }
    let options = PutMultipartOptions::default();
    let id = objects.create_multipart_opts(&path, options).await.unwrap();
    assert_eq!(
        kind(&objects.put_part(&path, &id, usize::MAX, "1".into()).await.unwrap_err()),
        ErrorKind::InvalidArgument
    );
    objects.abort_multipart(&path, &id).await.unwrap();
    let mut upload = objects.put_multipart(&path).await.unwrap();
    drop(upload.put_part("never sent".into()));
    assert_eq!(kind(&upload.complete().await.unwrap_err()), ErrorKind::InvalidArgument);
    upload.abort().await.unwrap();

    let page_token = Some("else".to_owned());
    let options = PaginatedListOptions { page_token, ..Default::default() };
    let error = objects.list_paginated(None, options).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::InvalidArgument);
    assert!(objects.get_range(&path, 5..5).await.is_err());
    assert!(objects.get_ranges(&path, &[0..1, 5000..5001]).await.is_err());
    assert_eq!(keys(&store), before);
    assert_eq!(objects.get(&path).await.unwrap().bytes().await.unwrap(), vec![1; 5000]);
}

#[tokio::test]
async fn an_object_may_be_copied_and_renamed_to_its_own_path() {
    for form in FORMS {
        let case = case("memory", form);
        let (objects, path) = (&case.objects, Path::from("p"));
        objects.put(&path, vec![7; 300_000].into()).await.unwrap();
        objects.copy(&path, &path).await.unwrap();
        objects.rename(&path, &path).await.unwrap();
        let refused = [
            objects.copy_if_not_exists(&path, &path).await.unwrap_err(),
            objects.rename_if_not_exists(&path, &path).await.unwrap_err(),
        ];
        assert!(refused.iter().all(|error| matches!(error, Error::AlreadyExists { .. })));
        let read = objects.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(read, vec![7; 300_000], "{}", case.name);
        let nowhere = Path::from("nowhere");
        let error = objects.rename(&nowhere, &nowhere).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_store_that_is_read_only_is_read() {
    let store = Arc::new(MemoryStore::new());
    let path = Path::from("p");
    let objects = Objects::in_store(Arc::clone(&store), b"").unwrap();
    objects.put(&path, "1".into()).await.unwrap();
    let objects = Objects::in_store(ReadOnly(Arc::clone(&store)), b"").unwrap();
    assert_eq!(objects.get(&path).await.unwrap().bytes().await.unwrap(), "1");
    let error = objects.put(&path, "2".into()).await.unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
}
