//! Random programs, beside a graph that is a set of vertices and a set of edges.

use std::collections::BTreeMap;
use std::ops::Bound;

use engine_api::graph::{Edge, Element, Fault, Graph, Incident, Item, Kind, Shown, Vertex, everything};
use engine_api::key::DataContext;
use engine_api::version::Flow;
use engine_api::{Bytes, ErrorKind, Result};
use proptest::prelude::*;

use crate::lab::Lab;

type Properties = BTreeMap<String, Bytes>;

/// A graph that is plainly right.
#[derive(Clone, Default)]
struct Oracle {
    directed: bool,
    vertices: BTreeMap<u64, (f64, Properties)>,
    edges: BTreeMap<(u64, u64), (f64, Properties)>,
}

/// What an operation answers: whether something was new, or there, or nothing.
type Answer = Result<Option<bool>, ErrorKind>;

#[derive(Clone, Debug)]
enum Op {
    AddVertex(u64, f64),
    AddEdge(u64, u64, f64),
    WeighVertex(u64, f64),
    WeighEdge(u64, u64, f64),
    SetVertexProperty(u64, &'static str, u8),
    SetEdgeProperty(u64, u64, &'static str, u8),
    RemoveVertex(u64),
    RemoveEdge(u64, u64),
    RemoveVertexProperty(u64, &'static str),
    RemoveEdgeProperty(u64, u64, &'static str),
    Load(Vec<(u64, u64, f64)>),
    RemoveGraph,
    /// Goes on at a new version, or compares where there is none.
    NextVersion,
}

const MISSING: Answer = Err(ErrorKind::NotFound);
const DONE: Answer = Ok(None);

impl Oracle {
    fn ends(&self, from: u64, to: u64) -> (u64, u64) {
        if self.directed || from <= to { (from, to) } else { (to, from) }
    }

    fn has(&self, id: u64) -> bool {
        self.vertices.contains_key(&id)
    }

    fn apply(&mut self, op: &Op) -> Answer {
        match op {
            Op::AddVertex(id, weight) => {
                let new = !self.has(*id);
                self.vertices.entry(*id).or_default().0 = *weight;
                Ok(Some(new))
            }
            Op::AddEdge(from, to, weight) => {
                if !self.has(*from) || !self.has(*to) {
                    return MISSING;
                }
                let ends = self.ends(*from, *to);
                let new = !self.edges.contains_key(&ends);
                self.edges.entry(ends).or_default().0 = *weight;
                Ok(Some(new))
            }
            Op::WeighVertex(id, weight) => match self.vertices.get_mut(id) {
                Some(vertex) => {
                    vertex.0 = *weight;
                    DONE
                }
                None => MISSING,
            },
            Op::WeighEdge(from, to, weight) => match self.edges.get_mut(&self.ends(*from, *to)) {
                Some(edge) => {
                    edge.0 = *weight;
                    DONE
                }
                None => MISSING,
            },
            Op::SetVertexProperty(id, name, value) => match self.vertices.get_mut(id) {
                Some(vertex) => {
                    vertex.1.insert((*name).to_owned(), Bytes::from(vec![*value]));
                    DONE
                }
                None => MISSING,
            },
            Op::SetEdgeProperty(from, to, name, value) => match self.edges.get_mut(&self.ends(*from, *to)) {
                Some(edge) => {
                    edge.1.insert((*name).to_owned(), Bytes::from(vec![*value]));
                    DONE
                }
                None => MISSING,
            },
            Op::RemoveVertex(id) => {
                self.edges.retain(|(from, to), _| from != id && to != id);
                self.vertices.remove(id).map_or(MISSING, |_| DONE)
            }
            Op::RemoveEdge(from, to) => self.edges.remove(&self.ends(*from, *to)).map_or(MISSING, |_| DONE),
            Op::RemoveVertexProperty(id, name) => match self.vertices.get_mut(id) {
                Some(vertex) => Ok(Some(vertex.1.remove(*name).is_some())),
                None => MISSING,
            },
            Op::RemoveEdgeProperty(from, to, name) => match self.edges.get_mut(&self.ends(*from, *to)) {
                Some(edge) => Ok(Some(edge.1.remove(*name).is_some())),
                None => MISSING,
            },
            Op::Load(edges) => {
                for (from, to, weight) in edges {
                    for id in [from, to] {
                        self.vertices.entry(*id).or_default().0 = *weight;
                    }
                    self.edges.entry(self.ends(*from, *to)).or_default().0 = *weight;
                }
                DONE
            }
            Op::RemoveGraph => {
                *self = Self { directed: self.directed, ..Self::default() };
                DONE
            }
            Op::NextVersion => DONE,
        }
    }

    fn of(&self, id: u64, which: Incident) -> Vec<Edge> {
        let edge = |(&(from, to), (weight, _)): (&(u64, u64), &(f64, Properties))| Edge {
            from,
            to,
            weight: *weight,
        };
        let all = self.edges.iter().map(edge);
        let (into, out) = (which != Incident::Out, which != Incident::In);
        let mut found: Vec<_> = if self.directed {
            let ins = all.clone().filter(|edge| into && edge.to == id && !(out && edge.from == id));
            ins.chain(all.filter(|edge| out && edge.from == id)).collect()
        } else {
            all.filter(|edge| edge.from == id || edge.to == id).collect()
        };
        if !self.directed {
            found.sort_by_key(|edge| edge.other(id));
        }
        found
    }
}

fn apply(graph: &dyn Graph, ctx: &DataContext, kind: Kind, op: &Op) -> Answer {
    let byte = |value: &u8| Bytes::from(vec![*value]);
    let answer = match op {
        Op::AddVertex(id, weight) => graph.add_vertex(ctx, *id, *weight).map(Some),
        Op::AddEdge(from, to, weight) => graph.add_edge(ctx, *from, *to, *weight).map(Some),
        Op::WeighVertex(id, weight) => graph.set_vertex_weight(ctx, *id, *weight).map(|()| None),
        Op::WeighEdge(from, to, weight) => graph.set_edge_weight(ctx, *from, *to, *weight).map(|()| None),
        Op::SetVertexProperty(id, name, value) => {
            graph.set_vertex_property(ctx, *id, name, byte(value)).map(|()| None)
        }
        Op::SetEdgeProperty(from, to, name, value) => {
            graph.set_edge_property(ctx, *from, *to, name, byte(value)).map(|()| None)
        }
        Op::RemoveVertex(id) => graph.remove_vertex(ctx, *id).map(|()| None),
        Op::RemoveEdge(from, to) => graph.remove_edge(ctx, *from, *to).map(|()| None),
        Op::RemoveVertexProperty(id, name) => graph.remove_vertex_property(ctx, *id, name).map(Some),
        Op::RemoveEdgeProperty(from, to, name) => graph.remove_edge_property(ctx, *from, *to, name).map(Some),
        Op::Load(edges) => {
            let mut items = Vec::new();
            for &(from, to, weight) in edges {
                items.extend([from, to].map(|id| Item::Vertex(Vertex { id, weight })));
                items.push(Item::Edge(Edge { from, to, weight }));
            }
            graph.load(ctx, &items).map(|()| None)
        }
        Op::RemoveGraph => {
            graph.remove_graph(ctx).and_then(|()| graph.create_graph(ctx, kind)).map(|()| None)
        }
        Op::NextVersion => Ok(None),
    };
    answer.map_err(|error| error.kind())
}

/// Everything that can be asked of a graph, beside what the oracle answers.
fn compare(graph: &dyn Graph, ctx: &DataContext, oracle: &Oracle) {
    let vertices: Vec<_> =
        oracle.vertices.iter().map(|(&id, (weight, _))| Vertex { id, weight: *weight }).collect();
    assert_eq!(graph.get_vertices(ctx).unwrap(), vertices);
    let edges: Vec<_> =
        oracle.edges.iter().map(|(&(from, to), (weight, _))| Edge { from, to, weight: *weight }).collect();
    assert_eq!(graph.get_edges(ctx).unwrap(), edges);
    for id in IDS {
        let expected = oracle.vertices.get(&id);
        let vertex = expected.map(|(weight, _)| Vertex { id, weight: *weight });
        assert_eq!(graph.get_vertex(ctx, id).unwrap(), vertex);
        for which in [Incident::In, Incident::Out, Incident::Both] {
            let answer = graph.edges_of(ctx, id, which).map_err(|error| error.kind());
            let expected = if oracle.has(id) { Ok(oracle.of(id, which)) } else { Err(ErrorKind::NotFound) };
            assert_eq!(answer, expected, "{which:?} of {id}");
        }
        let listed = graph.vertex_properties(ctx, id).map_err(|error| error.kind());
        let properties = expected.map(|(_, properties)| properties.clone().into_iter().collect::<Vec<_>>());
        assert_eq!(listed, properties.ok_or(ErrorKind::NotFound), "properties of {id}");
        for to in IDS {
            let ends = oracle.ends(id, to);
            let expected = oracle.edges.get(&ends);
            let edge = expected.map(|(weight, _)| Edge { from: ends.0, to: ends.1, weight: *weight });
            assert_eq!(graph.get_edge(ctx, id, to).unwrap(), edge);
            for name in NAMES {
                let value = expected.and_then(|(_, properties)| properties.get(name).cloned());
                assert_eq!(graph.get_edge_property(ctx, id, to, name).unwrap(), value);
            }
        }
    }
    let bounds = (Bound::Included(-1.0), Bound::Excluded(1.0));
    let mut light = Vec::new();
    graph
        .visit_edges_weighing(ctx, bounds, &mut |edge| {
            light.push(edge.found()?);
            Ok(Flow::Continue(()))
        })
        .unwrap();
    assert!(light.iter().eq(edges.iter().filter(|edge| (-1.0..1.0).contains(&edge.weight))));
}

/// Numbers of several lengths.
const IDS: [u64; 6] = [0, 1, 2, 0x0100, 0x01_0000, u64::MAX];
const NAMES: [&str; 4] = ["a", "ab", "", "\u{e4}\0"];

fn op() -> impl Strategy<Value = Op> {
    let id = || prop::sample::select(IDS.to_vec());
    let name = || prop::sample::select(NAMES.to_vec());
    let weight = || prop_oneof![-2.0..2.0, Just(0.0), Just(f64::INFINITY)];
    prop_oneof![
        6 => (id(), weight()).prop_map(|(id, weight)| Op::AddVertex(id, weight)),
        8 => (id(), id(), weight()).prop_map(|(from, to, weight)| Op::AddEdge(from, to, weight)),
        1 => (id(), weight()).prop_map(|(id, weight)| Op::WeighVertex(id, weight)),
        1 => (id(), id(), weight()).prop_map(|(from, to, weight)| Op::WeighEdge(from, to, weight)),
        3 => (id(), name(), any::<u8>()).prop_map(|(id, name, value)| Op::SetVertexProperty(id, name, value)),
        4 => (id(), id(), name(), any::<u8>())
            .prop_map(|(from, to, name, value)| Op::SetEdgeProperty(from, to, name, value)),
        3 => id().prop_map(Op::RemoveVertex),
        3 => (id(), id()).prop_map(|(from, to)| Op::RemoveEdge(from, to)),
        1 => (id(), name()).prop_map(|(id, name)| Op::RemoveVertexProperty(id, name)),
        1 => (id(), id(), name()).prop_map(|(from, to, name)| Op::RemoveEdgeProperty(from, to, name)),
        2 => prop::collection::vec((id(), id(), weight()), 1..8).prop_map(Op::Load),
        1 => Just(Op::RemoveGraph),
        2 => Just(Op::NextVersion),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_program_leaves_the_graph_that_the_oracle_has(
        versioned: bool,
        directed: bool,
        program in prop::collection::vec(op(), 1..60),
    ) {
        let kind = if directed { Kind::Directed } else { Kind::Undirected };
        let lab = Lab::new(versioned);
        let graph = lab.graph();
        let (mut version, mut oracle) = (lab.root, Oracle { directed, ..Oracle::default() });
        let mut past = Vec::new();
        graph.create_graph(&lab.ctx(), kind).unwrap();
        for op in &program {
            let ctx = lab.at(version);
            prop_assert_eq!(apply(&graph, &ctx, kind, op), oracle.apply(op), "{:?}", op);
            if matches!(op, Op::NextVersion) {
                compare(&graph, &ctx, &oracle);
                if versioned {
                    past.push((version, oracle.clone()));
                    lab.commit(version);
                    version = lab.store.new_version(version, None).unwrap().id;
                }
            }
        }
        compare(&graph, &lab.at(version), &oracle);
        prop_assert_eq!(lab.faults(&lab.at(version)), []);
        for (version, oracle) in past {
            compare(&graph, &lab.at(version), &oracle);
        }
    }

    /// Whatever two branches did, at the merge and below it every edge has its ends, and is found from both.
    #[test]
    fn a_merge_of_any_two_branches_shows_no_edge_without_its_ends(
        directed: bool,
        root in prop::collection::vec(op(), 1..30),
        left in prop::collection::vec(op(), 1..20),
        right in prop::collection::vec(op(), 1..20),
        below in prop::collection::vec(op(), 1..20),
    ) {
        let kind = if directed { Kind::Directed } else { Kind::Undirected };
        let lab = Lab::new(true);
        let graph = lab.graph();
        graph.create_graph(&lab.ctx(), kind).unwrap();
        let play = |version, program: &[Op]| {
            for op in program.iter().filter(|op| !matches!(op, Op::RemoveGraph)) {
                let _ = apply(&graph, &lab.at(version), kind, op);
            }
        };
        play(lab.root, &root);
        let branches = [lab.branch(lab.root, "left"), lab.branch(lab.root, "right")];
        play(branches[0], &left);
        play(branches[1], &right);
        let merged = lab.merge(&branches);
        for program in [&[][..], &below] {
            play(merged, program);
            let ctx = lab.at(merged);
            let mut there = Vec::new();
            graph.visit_vertices(&ctx, everything(), &mut |vertex| {
                there.push(match vertex {
                    Shown::Found(vertex) => vertex.id,
                    Shown::Conflict { element: Element::Vertex(id), .. } => id,
                    other @ Shown::Conflict { .. } => panic!("{other:?} among the vertices"),
                });
                Ok(Flow::Continue(()))
            }).unwrap();
            let mut degrees = 0;
            graph.visit_edges(&ctx, everything(), &mut |edge| {
                let (from, to) = match edge {
                    Shown::Found(edge) => (edge.from, edge.to),
                    Shown::Conflict { element: Element::Edge(from, to), .. } => (from, to),
                    other @ Shown::Conflict { .. } => panic!("{other:?} among the edges"),
                };
                assert!(there.contains(&from) && there.contains(&to), "{from} {to} among {there:?}");
                degrees += 1 + u64::from(from != to);
                Ok(Flow::Continue(()))
            }).unwrap();
            // Each edge is found from both of its ends, and a loop once from one.
            let found: u64 = there.iter().map(|id| graph.degree(&ctx, *id, Incident::Both).unwrap()).sum();
            prop_assert_eq!(found, degrees);
            let faults = lab.faults(&ctx);
            prop_assert!(faults.iter().all(Fault::is_harmless), "{:?}", faults);
        }
    }
}
