//! Buckets on a server that speaks S3: the emulator, or another one.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
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
        .with_retry(RetryConfig { backoff, max_retries: 3, retry_timeout: Duration::from_mins(1) })
        .with_client_options(ClientOptions::new().with_allow_http(true).with_no_system_certificates(true))
        .build();
    Arc::new(store.unwrap())
}

/// A server that shares no code with the emulator: moto, on Python with the packages of
/// `tests/s3_server/requirements.txt`, named by `ARRAY_FILE_PYTHON` unless it is `python3`.
pub struct Moto {
    address: String,
    process: Child,
}

impl Moto {
    pub fn start() -> Self {
        let python = env::var_os("ARRAY_FILE_PYTHON").unwrap_or_else(|| "python3".into());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/s3_server/serve.py");
        // It ends with its input.
        let mut process =
            Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        assert!(!port.is_empty(), "the server doesn't start");
        Self { address: format!("127.0.0.1:{}", port.trim()), process }
    }

    /// A bucket that is new.
    pub fn bucket(&self, name: &str) -> Arc<dyn ObjectStore> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "PUT /{name} HTTP/1.0\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", self.address)
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.lines().next().unwrap().contains(" 200 "), "{answer}");
        client(&format!("http://{}", self.address), name, S3ConditionalPut::ETagMatch)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}
