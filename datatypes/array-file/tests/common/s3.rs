//! Buckets on a server that speaks S3: the emulator, or another one.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use s3_emulator::{Emulator, KEY_ID, REGION, SECRET};

pub const BUCKET: &str = "files";

/// A server with a bucket.
pub fn emulator() -> Emulator {
    let emulator = Emulator::start().unwrap();
    emulator.create_bucket(BUCKET);
    emulator
}

/// The bucket, as a client sees it that puts under conditions.
pub fn bucket(emulator: &Emulator) -> Arc<dyn ObjectStore> {
    client(&emulator.endpoint(), BUCKET, S3ConditionalPut::ETagMatch)
}

pub fn client(endpoint: &str, bucket: &str, conditions: S3ConditionalPut) -> Arc<dyn ObjectStore> {
    // Another test may have been first.
    rustls::crypto::ring::default_provider().install_default().ok();
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(5),
        base: 2.,
    };
    let store = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_region(REGION)
        .with_bucket_name(bucket)
        .with_access_key_id(KEY_ID)
        .with_secret_access_key(SECRET)
        .with_conditional_put(conditions)
        .with_retry(RetryConfig { backoff, max_retries: 3, retry_timeout: Duration::from_secs(60) })
        .with_client_options(ClientOptions::new().with_allow_http(true).with_no_system_certificates(true))
        .build();
    Arc::new(store.unwrap())
}
