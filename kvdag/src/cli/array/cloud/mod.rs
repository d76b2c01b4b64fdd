//! Array files in buckets: on S3 and what speaks as it does, on Google Cloud Storage, and on Azure.

mod told;

use std::env;
use std::sync::Arc;
use std::time::Duration;

use engine_api::{Error, ErrorKind, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{
    BackoffConfig, ClientConfigKey, Error as StoreError, ObjectStore, ObjectStoreScheme, RetryConfig,
};
use url::Url;

pub(super) use told::of_server;
use told::{Teller, Told};

/// How long a request may take: a layer of the write buffer's length on a slow line.
const REQUEST: (ClientConfigKey, &str) = (ClientConfigKey::Timeout, "5 minutes");

/// A bucket as an object store, and the path of a file in it.
///
/// A URL that isn't understood may have a secret in it, so no error tells it.
pub(super) fn open(file: &str) -> Result<(Arc<dyn ObjectStore>, String)> {
    let url = Url::parse(file).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, "the URL of an array file can't be understood")
            .caused_by(error)
    })?;
    let parsed = ObjectStoreScheme::parse(&url);
    let azure = matches!(parsed, Ok((ObjectStoreScheme::MicrosoftAzure, _)));
    let user = !azure && !url.username().is_empty();
    if user || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "the URL of an array file is a bucket and a path; keys and options are taken from the environment",
        ));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Error::new(ErrorKind::InvalidArgument, "the URL of an array file begins with a bucket"));
    }
    // TLS is that of the process; another part of it may have chosen before.
    rustls::crypto::ring::default_provider().install_default().ok();
    let (store, path): (Arc<dyn ObjectStore>, _) = match parsed {
        Ok((ObjectStoreScheme::AmazonS3, path)) => (Arc::new(s3(url.as_str())?), path),
        Ok((ObjectStoreScheme::GoogleCloudStorage, path)) => {
            let (key, value) = REQUEST;
            let builder = GoogleCloudStorageBuilder::from_env().with_url(url.as_str()).with_retry(patience());
            let built = builder.with_config(GoogleConfigKey::Client(key), value).build();
            (Arc::new(built.map_err(misconfigured)?), path)
        }
        Ok((ObjectStoreScheme::MicrosoftAzure, path)) => {
            let (key, value) = REQUEST;
            let builder = MicrosoftAzureBuilder::from_env().with_url(url.as_str()).with_retry(patience());
            let built = builder.with_config(AzureConfigKey::Client(key), value).build();
            (Arc::new(built.map_err(misconfigured)?), path)
        }
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "array files are opened on the local disk, in a kvdag store by --store, and at s3://, gs:// and az://",
            )
            .with("scheme", url.scheme()));
        }
    };
    let teller = Teller::new(url.host_str().unwrap_or_default(), is_keyless(url.scheme()));
    Ok((Arc::new(Told::new(store, teller)), path.to_string()))
}

fn s3(url: &str) -> Result<impl ObjectStore + use<>> {
    let (key, value) = REQUEST;
    let mut builder = AmazonS3Builder::from_env().with_url(url).with_retry(patience());
    builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
    let endpoint =
        ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"].into_iter().find_map(env::var_os);
    if endpoint.is_some_and(|endpoint| endpoint.to_string_lossy().starts_with("http://")) {
        // A machine without certificates needs none for a server on the same desk.
        let none = AmazonS3ConfigKey::Client(ClientConfigKey::NoSystemCertificates);
        builder = builder.with_config(none, "true");
    }
    builder.build().map_err(misconfigured)
}

/// What somebody who waits for an answer accepts: a busy server is asked again for some seconds.
fn patience() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.,
    };
    RetryConfig { backoff, max_retries: 4, retry_timeout: Duration::from_secs(10) }
}

/// Whether no key to S3 is in the environment: then one is asked for where the machine may be one of Amazon's.
fn is_keyless(scheme: &str) -> bool {
    const KEYS: [&str; 6] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SKIP_SIGNATURE",
    ];
    scheme.starts_with("s3") && KEYS.iter().all(|key| env::var_os(key).is_none())
}

fn misconfigured(error: StoreError) -> Error {
    Error::new(ErrorKind::InvalidConfig, "the environment doesn't say how to open the bucket")
        .caused_by(error)
}
