//! However many clients ask, a bounded number of reads goes on at once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use engine_api::{Error, ErrorKind, Result};
use tokio::sync::oneshot;
use volume_server::{Catalog, Served, Server, VolumeEntry};

/// Counts who is in it.
#[derive(Clone, Default)]
struct Crowd {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Catalog for Crowd {
    fn volumes(&self) -> Result<Vec<VolumeEntry>> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        // Long enough for all others to come in, if they were let.
        thread::sleep(Duration::from_millis(20));
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(Vec::new())
    }

    fn read(&self, _: &str, _: &str, _: &mut dyn FnMut(&Served<'_>) -> Result<()>) -> Result<()> {
        Err(Error::new(ErrorKind::NotFound, "there is no such volume"))
    }
}

fn ask(address: SocketAddr) -> Vec<u8> {
    let mut response = ureq::get(format!("http://{address}/volumes")).call().unwrap();
    response.body_mut().read_to_vec().unwrap()
}

#[test]
fn readers_wait_for_their_turn() {
    let crowd = Crowd::default();
    let server = Server::bind("127.0.0.1:0", crowd.clone()).unwrap();
    let address = server.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = thread::spawn(move || {
        server.run(async {
            stopped.await.ok();
            Ok(())
        })
    });
    let bound = 2 * thread::available_parallelism().unwrap().get();
    thread::scope(|scope| {
        for _ in 0..8 * bound {
            scope.spawn(|| assert_eq!(ask(address), b"[]"));
        }
    });
    let most = crowd.most.load(Ordering::SeqCst);
    assert!((1..=bound).contains(&most), "{most} at once");
    drop(stop);
    running.join().unwrap().unwrap();
}

#[test]
fn a_shutdown_that_fails_is_the_server_s_failure() {
    let server = Server::bind("127.0.0.1:0", Crowd::default()).unwrap();
    let error = server.run(async { Err(Error::new(ErrorKind::Unsupported, "no signals here")) }).unwrap_err();
    assert_eq!(error.message(), "no signals here");
}
