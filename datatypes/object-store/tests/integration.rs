//! The tests that `object_store` publishes for implementations, on every engine and in every form.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use common::{Case, ENGINES, FORMS, case};
use object_store::integration;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt};

async fn all_of(Case { objects, name, .. }: &Case) {
    eprintln!("{name}");
    integration::put_get_delete_list(objects).await;
    // It wants a store without objects, which the one before it leaves.
    integration::stream_get(objects).await;
    integration::put_get_attributes(objects).await;
    integration::get_opts(objects).await;
    integration::put_opts(objects, true).await;
    integration::list_uses_directories_correctly(objects).await;
    integration::list_with_delimiter(objects).await;
    integration::list_with_offset_exclusivity(objects).await;
    integration::list_paginated(objects, objects).await;
    integration::rename_and_copy(objects).await;
    integration::copy_if_not_exists(objects).await;
    integration::copy_rename_nonexistent_object(objects).await;
    let missing = integration::get_nonexistent_object(objects, None).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
    integration::multipart(objects, objects).await;
    integration::multipart_with_opts(objects, objects).await;
    integration::multipart_put_part_out_of_order(objects, objects).await;
    integration::multipart_race_condition(objects, true).await;
    integration::multipart_out_of_order(objects).await;
    // What the suite has left is there, and nothing is under way.
    assert!(objects.head(&Path::from("test_multipart_race_condition")).await.is_ok());
    assert_eq!(objects.pending().await.unwrap(), [], "{name}");
}

async fn on(engine: &str) {
    assert!(ENGINES.contains(&engine));
    for form in FORMS {
        all_of(&case(engine, form)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_passes() {
    on("memory").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redb_passes() {
    on("redb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_passes() {
    on("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lmdb_passes() {
    on("lmdb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sled_passes() {
    on("sled").await;
}
