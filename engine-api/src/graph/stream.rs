//! Vertices and edges pulled one by one.

use std::collections::VecDeque;
use std::fmt;

use super::api::Graph;
use super::element::{Edge, Vertex};
use crate::key::Context;
use crate::spi::Result;

/// What is read ahead.
const PAGE: usize = 4096;

type ReadPage<'a, T> = Box<dyn FnMut(Option<T>) -> Result<Vec<T>> + 'a>;

/// Vertices or edges as an iterator; see [`vertices`] and [`edges`].
pub struct Stream<'a, T> {
    read: ReadPage<'a, T>,
    page: VecDeque<T>,
    last: Option<T>,
    ended: bool,
}

/// The vertices of a graph, ascending, as an iterator.
///
/// It reads a page at a time and holds no view in between, so it may be kept for as long as one likes. Pages are of
/// different moments; at a committed version that makes no difference. It ends after an error.
pub fn vertices<'a>(graph: &'a dyn Graph, ctx: &'a dyn Context) -> Stream<'a, Vertex> {
    let read = move |last: Option<Vertex>| graph.page_of_vertices(ctx, last.map(|vertex| vertex.id), PAGE);
    Stream::new(Box::new(read))
}

/// The edges of a graph, in the order of [`Graph::visit_edges`], as an iterator; otherwise as [`vertices`].
pub fn edges<'a>(graph: &'a dyn Graph, ctx: &'a dyn Context) -> Stream<'a, Edge> {
    let read =
        move |last: Option<Edge>| graph.page_of_edges(ctx, last.map(|edge| (edge.from, edge.to)), PAGE);
    Stream::new(Box::new(read))
}

impl<'a, T> Stream<'a, T> {
    fn new(read: ReadPage<'a, T>) -> Self {
        Self { read, page: VecDeque::new(), last: None, ended: false }
    }
}

impl<T: fmt::Debug> fmt::Debug for Stream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("last", &self.last).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl<T: Copy> Iterator for Stream<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.ended {
            match (self.read)(self.last) {
                Ok(page) => {
                    self.ended = page.len() < PAGE;
                    self.last = page.last().copied().or(self.last);
                    self.page = page.into();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.page.pop_front().map(Ok)
    }
}
