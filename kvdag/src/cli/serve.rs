//! `kvdag serve`.

use std::fmt;
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use engine_api::Result;
use serde::Serialize;
use volume_server::{Catalog, Limits, Server, termination};

use super::interrupt::{self, Careful};
use super::output::Output;
use super::serve_catalog::StoreCatalog;
#[cfg(feature = "http")]
use super::serve_source;
use super::store;
use super::through::ThroughArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store; what others change in it meanwhile, where its engine lets them, is seen. Or the URL of a precomputed volume,
    /// http or https, which a cache is best put in front of: what is changed there in place isn't seen then.
    store: String,
    /// Only this volume; it may be given several times.
    #[arg(long, value_name = "NAME")]
    volume: Vec<String>,
    /// A volume whose elements are labels, though it wasn't made as one of labels; it may be given several times.
    #[arg(long, value_name = "NAME")]
    labels: Vec<String>,
    #[command(flatten)]
    through: ThroughArgs,
    #[command(flatten)]
    listen: ListenArgs,
}

/// Where and to whom a server answers.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ListenArgs {
    /// Where to listen; port 0 is any that is free. Whoever reaches the address can read what is served.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    addr: String,
    /// How many seconds a client may take to send a request, or leave an answer lying; then its connection is closed.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// How many connections there may be at once; further clients wait.
    #[arg(long, value_name = "NUMBER", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
}

#[derive(Debug, Serialize)]
struct Serving {
    store: String,
    address: SocketAddr,
    volumes: Vec<String>,
}

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "serving {} at http://{}/", self.store, self.address)?;
        writeln!(f, "volumes: {}", self.volumes.join(", "))?;
        f.write_str("Ctrl-C ends it")
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    #[cfg(feature = "http")]
    if ::volume::is_url(std::path::Path::new(&args.store)) {
        let source = ::volume::PrecomputedSource::open(&args.store, &::volume::HttpOptions::default())?;
        let through = args.through.open(&args.store)?;
        through.tell();
        let shown = source.url().to_owned();
        let catalog = serve_source::catalog(source, through, &args.volume, &args.labels)?;
        return listen(&shown, catalog, &args.listen, output);
    }
    let store = store::open_to_read(&args.store)?;
    let through = args.through.open(&args.store)?;
    through.tell();
    let catalog = StoreCatalog::new(store, args.volume.clone(), args.labels.clone())?.through(through);
    listen(&args.store, catalog, &args.listen, output)
}

/// Serves until it is ended.
pub(crate) fn listen(store: &str, catalog: impl Catalog, args: &ListenArgs, output: Output) -> Result<()> {
    let volumes = catalog.volumes()?.into_iter().map(|volume| volume.name).collect();
    let limits =
        Limits { stall: Duration::from_secs(args.timeout), connections: usize::from(args.connections) };
    let server = Server::bind(args.addr.as_str(), catalog)?.limits(limits);
    output.print(&Serving { store: store.to_owned(), address: server.local_addr()?, volumes })?;
    // Being ended is no failure of a server. The command's own handler hears of Ctrl-C as well, maybe only when all is
    // done here; until the process is gone it must find that somebody looks at it.
    mem::forget(Careful::begin());
    server.run(async {
        let ended = termination()?;
        if !interrupt::requested() {
            ended.await;
        }
        Ok(())
    })
}
