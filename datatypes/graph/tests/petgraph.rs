//! Algorithms of petgraph on our graphs, beside the same on petgraph's own; and reads that fail on the way.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeMap;

use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::version::Versioned;
use engine_api::{ErrorKind, MemoryStore};
use graph::{
    Component, Edge, GraphAt, Item, Kind, Lazily, Snapshot, VersionedGraph, Vertex, components,
    shortest_path, strong_components,
};
use petgraph::algo;
use petgraph::graph::NodeIndex;
use petgraph::visit::{Bfs, Dfs, IntoEdgeReferences, IntoNodeIdentifiers, NodeIndexable, UndirectedAdaptor};

/// A random graph, of vertices whose numbers have gaps.
fn items(seed: u64, kind: Kind) -> Vec<Item> {
    let mut random = fastrand::Rng::with_seed(seed);
    let count = random.u64(2..40);
    let id = |n: u64| n * n * 1_000_003;
    let mut items: Vec<_> = (0..count).map(|n| Item::Vertex(Vertex { id: id(n), weight: 1.0 })).collect();
    let mut edges = BTreeMap::new();
    for _ in 0..random.u64(0..2 * count) {
        let ends = kind.ends(id(random.u64(0..count)), id(random.u64(0..count)));
        edges.insert(ends, f64::from(random.u8(1..)));
    }
    items.extend(edges.into_iter().map(|((from, to), weight)| Item::Edge(Edge { from, to, weight })));
    items
}

/// The same for petgraph, and which number each of its nodes has.
fn peer<Ty: petgraph::EdgeType>(items: &[Item]) -> (petgraph::Graph<u64, f64, Ty>, BTreeMap<u64, NodeIndex>) {
    let mut peer = petgraph::Graph::default();
    let mut places = BTreeMap::new();
    for item in items {
        match item {
            Item::Vertex(vertex) => drop(places.insert(vertex.id, peer.add_node(vertex.id))),
            Item::Edge(edge) => drop(peer.add_edge(places[&edge.from], places[&edge.to], edge.weight)),
            _ => {}
        }
    }
    (peer, places)
}

fn with_graph(items: &[Item], kind: Kind, test: impl FnOnce(&GraphAt<'_, Faulty<MemoryStore>>, &Faults)) {
    let faults = Faults::new();
    let store = Versioned::create(Faulty::new(MemoryStore::new(), faults.clone())).unwrap();
    let repo = store.create_repo("r", None).unwrap();
    let at = VersionedGraph::create(&store, repo.id, "g").unwrap().at(repo.root);
    at.create(kind).unwrap();
    at.graph().load(at.ctx(), items).unwrap();
    test(&at, &faults);
}

fn load(at: &GraphAt<'_, Faulty<MemoryStore>>) -> Snapshot {
    Snapshot::load(at.graph(), at.ctx(), Snapshot::ROOMY).unwrap()
}

fn sorted(
    components: impl IntoIterator<Item = Vec<NodeIndex>>,
    peer: impl Fn(NodeIndex) -> u64,
) -> Vec<Component> {
    let ids = components.into_iter().map(|nodes| {
        let mut ids: Vec<u64> = nodes.into_iter().map(&peer).collect();
        ids.sort_unstable();
        ids
    });
    let mut found: Vec<_> = ids.collect();
    found.sort_unstable();
    found
}

#[test]
fn undirected_graphs_answer_as_petgraphs_own() {
    for seed in 0..60 {
        let items = items(seed, Kind::Undirected);
        let (peer, places) = peer::<petgraph::Undirected>(&items);
        with_graph(&items, Kind::Undirected, |at, _| {
            let loaded = load(at);
            let found = components(&loaded);
            assert_eq!(found.len(), algo::connected_components(&peer));
            assert_eq!(algo::connected_components(&loaded), found.len());
            assert_eq!(found, sorted(algo::tarjan_scc(&peer), |node| peer[node]));
            assert_eq!(loaded.edge_references().count(), peer.edge_count());
            let ours = algo::min_spanning_tree(&loaded)
                .filter(|e| matches!(e, petgraph::data::Element::Edge { .. }));
            let theirs =
                algo::min_spanning_tree(&peer).filter(|e| matches!(e, petgraph::data::Element::Edge { .. }));
            assert_eq!(ours.count(), theirs.count());
            let (from, to) = (*places.keys().next().unwrap(), *places.keys().last().unwrap());
            let lengths = algo::dijkstra(&peer, places[&from], None, |edge| *edge.weight());
            let ours = algo::dijkstra(&loaded, NodeIndex::new(0), None, |edge| {
                *petgraph::visit::EdgeRef::weight(&edge)
            });
            let by_number: BTreeMap<_, _> = ours.iter().map(|(node, cost)| (node.index(), *cost)).collect();
            let expected: BTreeMap<_, _> = lengths.iter().map(|(node, cost)| (node.index(), *cost)).collect();
            assert_eq!(by_number, expected);
            let path = shortest_path(at.graph(), at.ctx(), (from, to), false).unwrap();
            assert_eq!(path.as_ref().map(|path| path.cost), lengths.get(&places[&to]).copied());
            let hops = algo::dijkstra(&peer, places[&from], None, |_| 1.0);
            let path = shortest_path(at.graph(), at.ctx(), (from, to), true).unwrap();
            assert_eq!(path.as_ref().map(|path| path.cost), hops.get(&places[&to]).copied());
            if let Some(path) = path {
                assert_eq!(path.vertices.windows(2).map(|_| 1.0).sum::<f64>().to_bits(), path.cost.to_bits());
                assert!(
                    path.vertices
                        .windows(2)
                        .all(|ends| peer.contains_edge(places[&ends[0]], places[&ends[1]]))
                );
            }
            // The same walk, in the store and in memory.
            let reached = Lazily::run(at.graph(), at.ctx(), |lazily| {
                let mut bfs = Bfs::new(lazily, from);
                std::iter::from_fn(|| bfs.next(lazily)).count()
            });
            let mut bfs = Bfs::new(&loaded, NodeIndex::new(0));
            assert_eq!(reached.unwrap(), std::iter::from_fn(|| bfs.next(&loaded)).count());
        });
    }
}

#[test]
fn directed_graphs_answer_as_petgraphs_own() {
    for seed in 0..60 {
        let items = items(seed, Kind::Directed);
        let (peer, places) = peer::<petgraph::Directed>(&items);
        with_graph(&items, Kind::Directed, |at, _| {
            let loaded = load(at);
            assert_eq!(strong_components(&loaded), sorted(algo::kosaraju_scc(&peer), |node| peer[node]));
            assert_eq!(components(&loaded).len(), algo::connected_components(&peer));
            assert_eq!(algo::is_cyclic_directed(&loaded), algo::is_cyclic_directed(&peer));
            for (id, node) in &places {
                let index = loaded.index_of(*id).unwrap();
                let degree = peer.edges(*node).count()
                    + peer
                        .neighbors_directed(*node, petgraph::Direction::Incoming)
                        .filter(|other| other != node)
                        .count();
                assert_eq!(loaded.degree(index), degree);
                let reached = |walked: &mut dyn FnMut() -> Option<u64>| {
                    let mut ids: Vec<u64> = std::iter::from_fn(walked).collect();
                    ids.sort_unstable();
                    ids
                };
                let mut dfs = Dfs::new(&peer, *node);
                let expected = reached(&mut || dfs.next(&peer).map(|node| peer[node]));
                let ours = Lazily::run(at.graph(), at.ctx(), |lazily| {
                    let mut dfs = Dfs::new(lazily, *id);
                    reached(&mut || dfs.next(lazily))
                });
                assert_eq!(ours.unwrap(), expected);
                // Against the directions too.
                let both = UndirectedAdaptor(&peer);
                let mut dfs = Dfs::new(&both, *node);
                let expected = reached(&mut || dfs.next(&both).map(|node| peer[node]));
                let ours = Lazily::run(at.graph(), at.ctx(), |lazily| {
                    let both = UndirectedAdaptor(lazily);
                    let mut dfs = Dfs::new(&both, *id);
                    reached(&mut || dfs.next(&both))
                });
                assert_eq!(ours.unwrap(), expected);
            }
            let all = Lazily::run(at.graph(), at.ctx(), |lazily| {
                (lazily.node_identifiers().collect::<Vec<_>>(), lazily.edge_references().count())
            });
            assert_eq!(all.unwrap(), (places.keys().copied().collect(), peer.edge_count()));
            assert_eq!(loaded.node_bound(), places.len());
        });
    }
}

/// A chain, of which every read fails in turn: the answer is never that for a shorter chain.
#[test]
fn a_read_that_fails_is_the_answer() {
    let mut items: Vec<_> = (0..20).map(|id| Item::Vertex(Vertex { id, weight: 1.0 })).collect();
    items.extend((1..20).map(|to| Item::Edge(Edge { from: to - 1, to, weight: 1.0 })));
    with_graph(&items, Kind::Undirected, |at, faults| {
        let mut failed = 0;
        for (fault, most) in [(Fault::View, 400), (Fault::Get, 400), (Fault::ScanEntry, 400)] {
            for calls in 0..most {
                faults.fail_after(fault, calls);
                let path = shortest_path(at.graph(), at.ctx(), (0, 19), false);
                faults.fail_after(fault, calls);
                let loaded = Snapshot::load(at.graph(), at.ctx(), Snapshot::ROOMY);
                faults.clear();
                for outcome in
                    [path.map(|path| path.unwrap().vertices.len()), loaded.map(|it| components(&it)[0].len())]
                {
                    match outcome {
                        Ok(length) => assert_eq!(length, 20),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Io);
                            failed += 1;
                        }
                    }
                }
            }
        }
        assert!(failed > 60, "{failed}");
    });
}

#[test]
fn what_cannot_be_answered_is_an_error() {
    let mut items =
        vec![Item::Vertex(Vertex { id: 1, weight: 0.0 }), Item::Vertex(Vertex { id: 2, weight: 0.0 })];
    items.push(Item::Edge(Edge { from: 1, to: 2, weight: -3.0 }));
    with_graph(&items, Kind::Undirected, |at, _| {
        let path = |ends, hops| shortest_path(at.graph(), at.ctx(), ends, hops);
        assert_eq!(path((1, 2), false).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(path((1, 2), true).unwrap().unwrap().vertices, [1, 2]);
        assert_eq!(path((1, 3), true).unwrap_err().kind(), ErrorKind::NotFound);
        // Two vertices and an edge take 96 bytes.
        let within = |most| Snapshot::load(at.graph(), at.ctx(), most).map(|loaded| loaded.edges().len());
        assert_eq!(within(96).unwrap(), 1);
        assert_eq!(within(95).unwrap_err().kind(), ErrorKind::TooLarge);
    });
}
