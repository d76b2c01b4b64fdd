//! Reading many: in order, in pages, between bounds.

use std::ops::Bound;

use engine_api::graph::{Edge, Graph, Incident, Kind, VertexId, edges, everything, vertices};
use engine_api::version::Flow;
use engine_api::{Error, ErrorKind};

use super::NEEDS;
use super::lab::{Spot, edge, ends, everywhere, vertex};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "graph.vertices-and-edges-come-in-order",
        come_in_order,
        "Vertices come in the order of their numbers, edges by where they begin and then by where they end, each once.",
        "Pages, comparisons and exports rest on it.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.visits-keep-to-their-bounds",
        visits_keep_to_their_bounds,
        "A visit between any two bounds has what lies between them, of vertices, of edges, and of a vertex's edges.",
        "An end that is included, or a bound that is another's prefix.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.visits-end-when-they-are-told",
        visits_end,
        "A visit that is broken off isn't called again, and its own failure is what the visit answers.",
        "One that goes on reads a large graph to its end for nothing.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.pages-and-iterators-go-on-where-they-were",
        pages_go_on,
        "Pages of any size, one behind the other, and iterators have everything once, in order.",
        "A page that begins at its last leaves one out, or gives it twice.",
    )
    .needs(NEEDS),
    Case::new(
        "graph.edges-in-a-range-of-weights",
        edges_in_a_range_of_weights,
        "Of any two bounds the edges come whose weight lies between them; a bound of NaN is InvalidArgument.",
        "Negative weights in the order of their bytes are the wrong way round, and behind the positive ones.",
    )
    .needs(NEEDS),
];

const IDS: [VertexId; 6] = [0, 1, 255, 256, 65_536, u64::MAX];

/// Every vertex is joined to every other, from the lower number to the higher, and the last to itself.
fn whole(spot: &Spot<'_>, kind: Kind) -> Verdict<Vec<(VertexId, VertexId)>> {
    let (graph, at) = spot.get();
    graph.create_graph(at, kind)?;
    let mut all = Vec::new();
    for (number, from) in IDS.iter().enumerate() {
        all.extend(IDS[number + 1..].iter().map(|to| (*from, *to)));
    }
    all.push((u64::MAX, u64::MAX));
    let mut items: Vec<_> = IDS.iter().rev().copied().map(vertex).collect();
    items.extend(all.iter().rev().map(|(from, to)| edge(*from, *to)));
    graph.load(at, &items)?;
    all.sort_unstable();
    Ok(all)
}

fn come_in_order(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        for kind in [Kind::Undirected, Kind::Directed] {
            let all = whole(spot, kind)?;
            let found: Vec<_> = graph.get_vertices(at)?.iter().map(|vertex| vertex.id).collect();
            check_eq!(found, IDS, "the vertices");
            check_eq!(ends(&graph.get_edges(at)?), all, "the edges");
            let near: Vec<_> = graph.edges_of(at, 255, Incident::Both)?;
            check_eq!(
                near.iter().map(|edge| edge.other(255)).collect::<Vec<_>>(),
                [0, 1, 256, 65_536, u64::MAX],
                "the edges of one vertex"
            );
            graph.remove_graph(at)?;
        }
        Ok(())
    })
}

fn bounds<T: Copy>(of: &[T]) -> Vec<Bound<T>> {
    let both = |one: &T| [Bound::Included(*one), Bound::Excluded(*one)];
    std::iter::once(Bound::Unbounded).chain(of.iter().flat_map(both)).collect()
}

/// Whether bounds hold something between them, for those that would be the other way round.
fn lies<T: PartialOrd>(between: &(Bound<T>, Bound<T>), one: &T) -> bool {
    std::ops::RangeBounds::contains(between, one)
}

fn visits_keep_to_their_bounds(ctx: &Context) -> Verdict {
    let numbers = [0, 2, 255, 256, u64::MAX];
    let pairs = [(0, 0), (0, 255), (1, u64::MAX), (2, 0), (255, 256), (u64::MAX, u64::MAX)];
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        let all = whole(spot, Kind::Undirected)?;
        for start in bounds(&numbers) {
            for end in bounds(&numbers) {
                let between = (start, end);
                let mut found = Vec::new();
                graph.visit_vertices(at, between, &mut |vertex| {
                    found.push(vertex.found()?.id);
                    Ok(Flow::Continue(()))
                })?;
                let expected: Vec<_> = IDS.into_iter().filter(|id| lies(&between, id)).collect();
                check_eq!(found, expected, "the vertices in {between:?}");
                found.clear();
                graph.visit_edges_of(at, 256, Incident::Both, between, &mut |edge| {
                    found.push(edge.found()?.other(256));
                    Ok(Flow::Continue(()))
                })?;
                let expected: Vec<_> = expected.into_iter().filter(|id| *id != 256).collect();
                check_eq!(found, expected, "the neighbours of 256 in {between:?}");
            }
        }
        for start in bounds(&pairs) {
            for end in bounds(&pairs) {
                let between = (start, end);
                let mut found = Vec::new();
                graph.visit_edges(at, between, &mut |edge| {
                    let edge = edge.found()?;
                    found.push((edge.from, edge.to));
                    Ok(Flow::Continue(()))
                })?;
                let expected: Vec<_> = all.iter().copied().filter(|ends| lies(&between, ends)).collect();
                check_eq!(found, expected, "the edges in {between:?}");
            }
        }
        Ok(())
    })
}

fn visits_end(ctx: &Context) -> Verdict {
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        whole(spot, Kind::Undirected)?;
        for most in 1..4 {
            let mut seen = 0;
            graph.visit_vertices(at, everything(), &mut |_| {
                seen += 1;
                Ok(if seen < most { Flow::Continue(()) } else { Flow::Break(()) })
            })?;
            check_eq!(seen, most, "the vertices that were visited");
            seen = 0;
            graph.visit_edges(at, everything(), &mut |_| {
                seen += 1;
                Ok(if seen < most { Flow::Continue(()) } else { Flow::Break(()) })
            })?;
            check_eq!(seen, most, "the edges that were visited");
            seen = 0;
            graph.visit_edges_of(at, 255, Incident::Both, everything(), &mut |_| {
                seen += 1;
                Ok(if seen < most { Flow::Continue(()) } else { Flow::Break(()) })
            })?;
            check_eq!(seen, most, "the edges of a vertex that were visited");
        }
        let failed = || Error::new(ErrorKind::Io, "the visitor's own");
        let mut seen = 0;
        let answer = graph.visit_edges(at, everything(), &mut |_| {
            seen += 1;
            Err(failed())
        });
        check_refused(answer, ErrorKind::Io, "a visit whose visitor fails")?;
        check_eq!(seen, 1, "the edges that were visited");
        check_refused(
            graph.visit_vertices(at, everything(), &mut |_| Err(failed())),
            ErrorKind::Io,
            "a visit whose visitor fails",
        )
    })
}

fn pages_go_on(ctx: &Context) -> Verdict {
    const COUNT: u64 = 5000;
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        graph.create_graph(at, Kind::Directed)?;
        let mut items: Vec<_> = (0..COUNT).map(vertex).collect();
        items.extend((0..COUNT).map(|id| edge(id / 3, id % 7 * 1000 % COUNT)));
        graph.load(at, &items)?;
        let all = graph.get_edges(at)?;
        check!(all.len() > 4000, "{} edges are too few for pages", all.len());
        let found = vertices(graph, at).collect::<Result<Vec<_>, _>>()?;
        check!(found.iter().map(|vertex| vertex.id).eq(0..COUNT), "the iterator over vertices has others");
        check!(edges(graph, at).collect::<Result<Vec<_>, _>>()? == all, "the iterator over edges has others");
        for most in [1, 7, all.len() / 2, all.len(), all.len() + 1] {
            // The small pages of the beginning, and all of the large ones.
            let wanted = all.len().min(most.saturating_mul(40));
            let mut paged: Vec<Edge> = Vec::new();
            while paged.len() < wanted {
                let page = graph.page_of_edges(at, paged.last().map(|edge| (edge.from, edge.to)), most)?;
                check!(!page.is_empty() && page.len() <= most, "a page of {} for {most}", page.len());
                paged.extend(page);
            }
            check!(paged == all[..paged.len()], "pages of {most} have other edges");
        }
        check_eq!(graph.page_of_vertices(at, Some(COUNT - 1), 7)?, [], "the page behind the last");
        check_eq!(graph.page_of_vertices(at, None, 0)?, [], "a page of none");
        Ok(())
    })
}

fn weighing(
    graph: &dyn Graph,
    at: &engine_api::key::DataContext,
    between: (Bound<f64>, Bound<f64>),
) -> Verdict<Vec<Edge>> {
    let mut found = Vec::new();
    graph.visit_edges_weighing(at, between, &mut |edge| {
        found.push(edge.found()?);
        Ok(Flow::Continue(()))
    })?;
    Ok(found)
}

fn edges_in_a_range_of_weights(ctx: &Context) -> Verdict {
    let weights =
        [f64::NEG_INFINITY, -1e10, -1.5, -1.0, -0.0, 0.0, f64::MIN_POSITIVE, 1.0, 1.5, 1e10, f64::INFINITY];
    everywhere(ctx, |spot| {
        let (graph, at) = spot.get();
        spot.make(Kind::Directed, &[0, 1], &[])?;
        for (id, weight) in (2..).zip(weights) {
            graph.add_vertex(at, id, 0.0)?;
            graph.add_edge(at, id % 2, id, weight)?;
        }
        let all = graph.get_edges(at)?;
        check_eq!(all.len(), weights.len(), "the edges");
        for start in bounds(&weights) {
            for end in bounds(&weights) {
                let between = (start, end);
                let expected: Vec<_> =
                    all.iter().copied().filter(|edge| lies(&between, &edge.weight)).collect();
                check_eq!(weighing(graph, at, between)?, expected, "the edges in {between:?}");
            }
        }
        graph.set_edge_weight(at, 0, 2, 1.25)?;
        let between = (Bound::Included(1.25), Bound::Included(1.25));
        check_eq!(ends(&weighing(graph, at, between)?), [(0, 2)], "the edge with a new weight");
        let before = (Bound::Unbounded, Bound::Excluded(-1e300));
        check_eq!(weighing(graph, at, before)?, [], "the edges of its old one");
        for between in
            [(Bound::Included(f64::NAN), Bound::Unbounded), (Bound::Unbounded, Bound::Excluded(f64::NAN))]
        {
            let answer = graph.visit_edges_weighing(at, between, &mut |_| Ok(Flow::Continue(())));
            check_refused(answer, ErrorKind::InvalidArgument, "a bound of NaN")?;
        }
        Ok(())
    })
}
