//! A server of volumes in memory, and a client.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, reason = "tests; not each uses everything")]

use std::sync::{Arc, RwLock};
use std::thread::{self, JoinHandle};

use chunks::{
    Codec, DType, Fill, Grid, MemoryScales, MultiscaleStore, Region, Scales, read_region, write_region,
};
use engine_api::{Error, ErrorKind, Result};
use tokio::sync::oneshot;
use volume_server::{Axis, Catalog, Limits, Served, Server, VersionEntry, VolumeEntry};

/// A volume at several versions, newest first.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) labels: bool,
    pub(crate) axes: Vec<Axis>,
    pub(crate) versions: Vec<(VersionEntry, Arc<MemoryScales>)>,
}

impl Fixture {
    pub(crate) fn new(name: &str, labels: bool) -> Self {
        Self { name: name.to_owned(), labels, axes: Vec::new(), versions: Vec::new() }
    }

    pub(crate) fn axes(mut self, axes: &[(&str, f64, &str)]) -> Self {
        self.axes = axes
            .iter()
            .map(|(name, spacing, unit)| Axis {
                name: (*name).to_owned(),
                spacing: Some(*spacing),
                unit: Some((*unit).to_owned()),
            })
            .collect();
        self
    }

    /// Adds an older version.
    pub(crate) fn version(
        mut self,
        version: &str,
        names: &[&str],
        committed: bool,
        store: MemoryScales,
    ) -> Self {
        let note = format!("made as {}", names.join(" and "));
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let entry = VersionEntry { version: version.to_owned(), names, note, committed };
        self.versions.push((entry, Arc::new(store)));
        self
    }
}

/// Volumes in memory; a version is named by its name, a name on it, or four of its digits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf(pub(crate) Arc<RwLock<Vec<Fixture>>>);

impl Catalog for Shelf {
    fn volumes(&self) -> Result<Vec<VolumeEntry>> {
        let entry = |fixture: &Fixture| VolumeEntry {
            name: fixture.name.clone(),
            labels: fixture.labels,
            versions: fixture.versions.iter().map(|(entry, _)| entry.clone()).collect(),
        };
        Ok(self.0.read().unwrap().iter().map(entry).collect())
    }

    fn read(
        &self,
        volume: &str,
        version: &str,
        reader: &mut dyn FnMut(&Served<'_>) -> Result<()>,
    ) -> Result<()> {
        let missing =
            |what| Error::new(ErrorKind::NotFound, what).with("volume", volume).with("version", version);
        assert_ne!(volume, "panics", "a catalog with a defect");
        let shelf = self.0.read().unwrap();
        let fixture = shelf
            .iter()
            .find(|fixture| fixture.name == volume)
            .ok_or_else(|| missing("there is no such volume"))?;
        let (entry, store) = fixture
            .versions
            .iter()
            .find(|(entry, _)| {
                entry.version == version
                    || entry.names.iter().any(|name| name == version)
                    || version.len() >= 4 && entry.version.starts_with(version)
            })
            .ok_or_else(|| missing("there is no such version"))?;
        reader(&Served {
            scales: &**store,
            axes: &fixture.axes,
            labels: fixture.labels,
            version: &entry.version,
            committed: entry.committed,
        })
    }
}

/// A server that ends with the test.
pub(crate) struct Running {
    pub(crate) address: String,
    pub(crate) shelf: Shelf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

pub(crate) fn serve(fixtures: Vec<Fixture>) -> Running {
    serve_with(fixtures, Limits::default())
}

pub(crate) fn serve_with(fixtures: Vec<Fixture>, limits: Limits) -> Running {
    let shelf = Shelf(Arc::new(RwLock::new(fixtures)));
    let server = Server::bind("127.0.0.1:0", shelf.clone()).unwrap().limits(limits);
    let address = server.local_addr().unwrap().to_string();
    let (stop, stopped) = oneshot::channel();
    let thread = thread::spawn(move || {
        server.run(async {
            stopped.await.ok();
            Ok(())
        })
    });
    Running { address, shelf, stop: Some(stop), thread: Some(thread) }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let outcome = self.thread.take().unwrap().join();
        if !thread::panicking() {
            outcome.unwrap().unwrap();
        }
    }
}

pub(crate) type Response = ureq::http::Response<ureq::Body>;

impl Running {
    /// A request without a body; what is asked for must begin with a slash.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        agent.run(request.body(()).unwrap()).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[])
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        let mut response = self.get(path);
        assert_eq!(response.status(), 200, "{path}: {}", text(&mut response));
        body(&mut response)
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_slice(&self.bytes(path)).unwrap()
    }
}

pub(crate) fn body(response: &mut Response) -> Vec<u8> {
    response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap()
}

pub(crate) fn text(response: &mut Response) -> String {
    String::from_utf8_lossy(&body(response)).into_owned()
}

pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

/// A store whose elements look like noise at every scale; about one of eight chunks is left unwritten.
pub(crate) fn noise(grid: Grid, factors: &[Vec<u64>], seed: u64) -> MemoryScales {
    let store = MemoryScales::new(Scales::new(grid, factors).unwrap(), Codec::default());
    let mut bits = seed | 1;
    for scale in 0..store.scales().len() {
        let grid = *store.scales().grid(scale).unwrap();
        for chunk in grid.chunks_in(&grid.bounds()).unwrap() {
            let region = grid.clipped_region(&chunk).unwrap().unwrap();
            let mut data = vec![0; region.bytes(grid.element_size()).unwrap()];
            for byte in &mut data {
                bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = (bits >> 56).to_le_bytes()[0];
                if grid.dtype() == DType::Bool {
                    *byte &= 1;
                }
            }
            if !bits.is_multiple_of(8) {
                write_region(store.scale(scale).unwrap(), &region, &data).unwrap();
            }
        }
    }
    store
}

pub(crate) fn grid(shape: &[u64], chunk: &[u64], dtype: DType, origin: &[i64], fill: &str) -> Grid {
    let grid = Grid::new(shape, chunk, dtype).unwrap().with_origin(origin).unwrap();
    grid.with_fill(Fill::parse(dtype, fill).unwrap()).unwrap()
}

pub(crate) fn read(store: &MemoryScales, scale: usize, region: &Region) -> Vec<u8> {
    let store = store.scale(scale).unwrap();
    let mut data = vec![0; region.bytes(store.grid().element_size()).unwrap()];
    read_region(store, region, &mut data).unwrap();
    data
}
