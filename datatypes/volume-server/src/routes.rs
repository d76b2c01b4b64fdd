//! URLs, and what answers them.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use chunks::{Fill, Region};
use engine_api::{Error, ErrorKind, Result};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{Any, CorsLayer};

use crate::answer::{Answer, Has};
use crate::catalog::{Catalog, Served};
use crate::describe::describe;
use crate::failure::Failure;
use crate::picture::{self, Shade, Slice};
use crate::precomputed;
use crate::space::{AXES, Space};

/// The viewer, which asks nothing of any other host.
const PAGE: &str = include_str!("viewer.html");
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'",
);

/// Of zstd and of gzip: on most networks an answer is there before a higher level has made it shorter.
const QUICK: CompressionLevel = CompressionLevel::Precise(1);

/// What every request works with.
#[derive(Clone)]
struct App {
    catalog: Arc<dyn Catalog>,
    /// Reads that go on at once; others wait.
    permits: Arc<Semaphore>,
}

/// All URLs of a server, over a catalog of which so many reads go on at once.
pub(crate) fn router(catalog: Arc<dyn Catalog>, reads: usize) -> Router {
    let app = App { catalog, permits: Arc::new(Semaphore::new(reads)) };
    let mut router = Router::new().route("/", get(page)).route("/volumes", get(volumes));
    for of in ["/{volume}/{version}", "/{volume}/{version}/at/{place}"] {
        router = router
            .route(of, get(description))
            .route(&format!("{of}/info"), get(info))
            .route(&format!("{of}/value"), get(value))
            .route(&format!("{of}/slice.png"), get(slice))
            .route(&format!("{of}/{{key}}/{{chunk}}"), get(chunk));
    }
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::OPTIONS])
        .allow_headers(Any)
        .expose_headers([header::ETAG, header::CONTENT_LENGTH, header::CONTENT_ENCODING])
        // Pages from elsewhere, such as Neuroglancer's, may read a server on this machine.
        .allow_private_network(true);
    router
        .fallback(async || Failure::from(Error::new(ErrorKind::NotFound, "there is nothing under this URL")))
        .method_not_allowed_fallback(async || {
            let error = Error::new(ErrorKind::ReadOnly, "the server only reads: GET, HEAD and OPTIONS");
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, error)
        })
        .layer(CompressionLayer::new().quality(QUICK))
        .layer(cors)
        .with_state(app)
}

/// What a URL says.
struct Asked {
    path: HashMap<String, String>,
    query: HashMap<String, String>,
    has: Has,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let malformed = |cause: String| {
            Failure::from(
                Error::new(ErrorKind::InvalidArgument, "the URL can't be understood").with("cause", cause),
            )
        };
        let Path(path) =
            Path::from_request_parts(parts, state).await.map_err(|error| malformed(error.body_text()))?;
        let Query(query) =
            Query::from_request_parts(parts, state).await.map_err(|error| malformed(error.body_text()))?;
        Ok(Self { path, query, has: Has::of(&parts.headers) })
    }
}

impl Asked {
    /// A part of the path; the routes have the names.
    fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// Where the axes before the last three stand.
    fn place(&self) -> Result<Vec<i64>> {
        let Some(place) = self.path.get("place") else { return Ok(Vec::new()) };
        place.split(',').map(|number| parsed("place", number)).collect()
    }

    fn optional<T: FromStr<Err: fmt::Display>>(&self, name: &'static str) -> Result<Option<T>> {
        self.query.get(name).map(|text| parsed(name, text)).transpose()
    }

    fn required<T: FromStr<Err: fmt::Display>>(&self, name: &'static str) -> Result<T> {
        self.optional(name)?.ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "the URL's query lacks a parameter")
                .with("parameter", name)
        })
    }
}

fn parsed<T: FromStr<Err: fmt::Display>>(name: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, "a part of the URL can't be understood")
            .with("part", name)
            .with("text", text)
            .with("cause", error)
    })
}

impl App {
    /// Does blocking work, when it is its turn; a panic of it is an error.
    async fn blocking<T: Send + 'static>(
        self,
        work: impl FnOnce(&dyn Catalog) -> Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let closed = |_| Error::new(ErrorKind::Closed, "the server is ending");
        let permit = self.permits.acquire_owned().await.map_err(closed)?;
        let done = task::spawn_blocking(move || {
            let outcome = work(&*self.catalog);
            drop(permit);
            outcome
        });
        let outcome =
            done.await.map_err(|_| Error::new(ErrorKind::Internal, "the request failed by a defect"))?;
        outcome.map_err(Failure::from)
    }

    /// Answers from the volume that the URL names.
    async fn read(
        self,
        asked: Asked,
        work: impl FnOnce(&Asked, &Served<'_>) -> Result<Answer> + Send + 'static,
    ) -> Result<Answer, Failure> {
        self.blocking(move |catalog| {
            let mut work = Some(work);
            let mut answer = None;
            catalog.read(asked.part("volume"), asked.part("version"), &mut |served| {
                if let Some(work) = work.take() {
                    answer = Some(work(&asked, served)?);
                }
                Ok(())
            })?;
            answer.ok_or_else(|| Error::new(ErrorKind::Internal, "the catalog has lent no volume"))
        })
        .await
    }
}

async fn page(headers: HeaderMap) -> impl IntoResponse {
    let policy: [(HeaderName, HeaderValue); 1] = [(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)];
    (policy, Answer::changing("text/html; charset=utf-8", PAGE.into(), &Has::of(&headers)))
}

async fn volumes(State(app): State<App>, headers: HeaderMap) -> Result<Answer, Failure> {
    app.blocking(move |catalog| Answer::json(&catalog.volumes()?, &Has::of(&headers))).await
}

async fn description(State(app): State<App>, asked: Asked) -> Result<Answer, Failure> {
    app.read(asked, |asked, served| {
        let base = served.scales.scales().base();
        let mut place = asked.place()?;
        if place.is_empty() {
            // Who asks what there is can't know where it begins.
            place.extend_from_slice(&base.origin()[..base.rank().saturating_sub(AXES)]);
        }
        Answer::json(&describe(served, &Space::new(served.scales, &place)?)?, &asked.has)
    })
    .await
}

async fn info(State(app): State<App>, asked: Asked) -> Result<Answer, Failure> {
    app.read(asked, |asked, served| {
        let place = asked.place()?;
        let space = Space::new(served.scales, &place)?;
        Answer::json(&precomputed::info(served, &space)?, &asked.has)
    })
    .await
}

async fn chunk(State(app): State<App>, asked: Asked) -> Result<Answer, Failure> {
    app.read(asked, |asked, served| {
        let place = asked.place()?;
        let space = Space::new(served.scales, &place)?;
        let (form, scale) = precomputed::scale_of(asked.part("key"))?;
        space.check_scale(scale)?;
        let bounds = space.bounds(scale)?;
        let region = precomputed::chunk_region(asked.part("chunk"), &bounds, &space.chunk_shape(scale)?)?;
        let dtype = served.scales.scales().base().dtype();
        let shape = std::array::from_fn(|axis| region.shape()[axis]);
        let named = asked.part("version");
        Answer::of_version("application/octet-stream", served, named, &asked.has, || {
            form.encode(dtype, shape, space.read(scale, &region)?)
        })
    })
    .await
}

async fn slice(State(app): State<App>, asked: Asked) -> Result<Answer, Failure> {
    app.read(asked, |asked, served| {
        let place = asked.place()?;
        let space = Space::new(served.scales, &place)?;
        let axis: String = asked.required("axis")?;
        let axis = ["z", "y", "x"].iter().position(|name| *name == axis).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "an axis is z, y or x").with("axis", axis)
        })?;
        let slice =
            Slice { axis, index: asked.required("index")?, scale: asked.optional("scale")?.unwrap_or(0) };
        slice.region(&space)?;
        let dtype = served.scales.scales().base().dtype();
        let window = asked.optional("window")?;
        let make = |shade| picture::draw(&space, slice, dtype, shade);
        match window {
            Some(window) => {
                let named = asked.part("version");
                Answer::of_version("image/png", served, named, &asked.has, || make(Shade::Gray(window)))
            }
            // Whether the volume holds labels isn't said by the URL, and not the version's either.
            None if served.labels => Ok(Answer::changing("image/png", make(Shade::Labels)?, &asked.has)),
            None => {
                let window = picture::suggested(&space, dtype)?;
                Ok(Answer::changing("image/png", make(Shade::Gray(window))?, &asked.has))
            }
        }
    })
    .await
}

async fn value(State(app): State<App>, asked: Asked) -> Result<Answer, Failure> {
    app.read(asked, |asked, served| {
        let place = asked.place()?;
        let space = Space::new(served.scales, &place)?;
        let scale = asked.optional("scale")?.unwrap_or(0);
        space.check_scale(scale)?;
        let at = [asked.required("z")?, asked.required("y")?, asked.required("x")?];
        let element = Region::new(&at, &[1; AXES])?;
        let bounds = space.bounds(scale)?;
        if !bounds.contains(&element) {
            return Err(Error::new(ErrorKind::NotFound, "there is no such element")
                .with("element", format_args!("{at:?}"))
                .with("bounds", bounds));
        }
        let named = asked.part("version");
        Answer::of_version("application/json", served, named, &asked.has, || {
            let element = space.read(scale, &element)?;
            // As text: a number of JSON loses digits of large labels in most readers, and has no NaN.
            let value = Fill::from_bytes(served.scales.scales().base().dtype(), &element)?.to_string();
            Ok(json!({ "value": value }).to_string().into_bytes())
        })
    })
    .await
}
