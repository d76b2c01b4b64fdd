//! The server itself: an address, and the time until it ends.

use std::fmt;
use std::future::Future;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use engine_api::{Error, ErrorKind, Result};
use tokio::runtime::{self, Runtime};
use tokio::sync::Notify;
use tokio::time;

use crate::catalog::Catalog;
use crate::connections::{self, Limits};
use crate::routes::router;

/// How long requests that are under way may take when the server ends.
const GRACE: Duration = Duration::from_secs(5);

/// A read-only HTTP server of a [`Catalog`].
pub struct Server {
    listener: TcpListener,
    catalog: Arc<dyn Catalog>,
    limits: Limits,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens at an address; port 0 is any that is free. Clients are answered once it [runs](Self::run).
    ///
    /// # Errors
    /// `InvalidArgument` when the address can't be understood; otherwise that of the operating system.
    pub fn bind(address: impl ToSocketAddrs, catalog: impl Catalog) -> Result<Self> {
        let addresses: Vec<_> = address
            .to_socket_addrs()
            .map_err(|error| {
                Error::new(ErrorKind::InvalidArgument, "the address can't be understood").caused_by(error)
            })?
            .collect();
        let failed = |error| {
            let all: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
            Error::from_io(error, "the address can't be listened at").with("address", all.join(", "))
        };
        let listener = TcpListener::bind(addresses.as_slice()).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self { listener, catalog: Arc::new(catalog), limits: Limits::default() })
    }

    /// The same with other limits for its clients.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.listener
            .local_addr()
            .map_err(|error| Error::from_io(error, "the address that is listened at isn't known"))
    }

    /// Answers clients on threads of its own until `shutdown` resolves, then lets requests that are under way end,
    /// for five seconds at most.
    ///
    /// `shutdown` is run in the server's Tokio runtime. As many reads of the catalog go on at once as the machine
    /// has processors, twice; other requests wait for their turn.
    ///
    /// # Errors
    /// That of `shutdown`; `Io` and its like when there are no threads or the listener fails.
    pub fn run(self, shutdown: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let reads = processors.saturating_mul(2);
        let runtime = runtime(processors, reads)?;
        let outcome = runtime.block_on(self.serve(reads, shutdown));
        runtime.shutdown_timeout(GRACE);
        outcome
    }

    async fn serve(
        self,
        reads: usize,
        shutdown: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        let failed = |error| Error::from_io(error, "the server can't listen");
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(failed)?;
        let ending = Arc::new((Notify::new(), Mutex::new(Ok(()))));
        let noted = Arc::clone(&ending);
        let until = async move {
            let outcome = shutdown.await;
            *noted.1.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
            noted.0.notify_one();
        };
        let server = connections::serve(listener, router(self.catalog, reads), self.limits, until);
        let out_of_time = async {
            ending.0.notified().await;
            time::sleep(GRACE).await;
        };
        tokio::select! {
            () = server => {}
            () = out_of_time => {}
        }
        let mut outcome = ending.1.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *outcome, Ok(()))
    }
}

fn runtime(processors: usize, reads: usize) -> Result<Runtime> {
    runtime::Builder::new_multi_thread()
        .worker_threads(processors.min(4))
        .max_blocking_threads(reads)
        .thread_name("volume-server")
        .enable_all()
        .build()
        .map_err(|error| Error::from_io(error, "the server's threads can't be started"))
}

/// Listens to what ends a program in the foreground, from this call on: Ctrl-C, and on Unix SIGTERM. The future
/// resolves at the first of them. To be called in a Tokio runtime, such as by [`Server::run`]'s `shutdown`.
///
/// # Errors
/// That of the operating system.
pub fn termination() -> Result<impl Future<Output = ()> + Send + 'static> {
    let failed = |error| Error::from_io(error, "signals can't be listened to");
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(windows)]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c().map_err(failed)?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}
