//! Connections: how many there are at once, and the end of those whose clients stall.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{self, Sleep};

/// How long to wait before the next connection is accepted where the system has no room for one.
const OUT_OF_ROOM: Duration = Duration::from_secs(1);

/// What clients may take of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a connection may wait for its client: for the next request, whole, or to take any more of an answer.
    /// Then it is closed. 30 seconds by default.
    pub stall: Duration,
    /// Connections at once, at least one; further clients wait until one of them ends. 256 by default.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stall: Duration::from_secs(30), connections: 256 }
    }
}

/// Answers clients until `until` resolves, and then what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    until: impl Future<Output = ()>,
) {
    let seats = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let ending = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.stall);
    let accepting = async {
        // The seat comes first: who has none waits in the system's queue, and costs nothing here.
        while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
            let io =
                TokioIo::new(Patient { stream: accept(&listener).await, stall: limits.stall, out: None });
            let answered = http.serve_connection(io, TowerToHyperService::new(router.clone()));
            let answered = ending.watch(answered);
            tokio::spawn(async move {
                // That a client has gone, or was cut off, is nobody else's concern.
                answered.await.ok();
                drop(seat);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = until => {}
    }
    drop(listener);
    ending.shutdown().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // The end of an answer would wait for the client to acknowledge what came before, which may take 40 ms.
                // Where the system won't have it so, that is how it is.
                stream.set_nodelay(true).ok();
                return stream;
            }
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) => {
            }
            Err(_) => time::sleep(OUT_OF_ROOM).await,
        }
    }
}

/// A connection that fails when its client takes nothing for too long.
struct Patient {
    stream: TcpStream,
    stall: Duration,
    /// Runs out while something waits to be written.
    out: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.out = None;
            return written;
        }
        let stall = self.stall;
        ready!(self.out.get_or_insert_with(|| Box::pin(time::sleep(stall))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
