//! Playing a program on a store's graph and on petgraph.

use std::ops::Bound;

use engine_api::graph::{AnyGraph, Edge, Fault, Graph, Incident, Item, Kind, Vertex, everything};
use engine_api::key::{DataContext, InstanceId, VersionId};
use engine_api::layers::Relaxed;
use engine_api::version::{Flow, NewInstance, Versioned};
use engine_api::{Bytes, ErrorKind, OpenMode, Persistence, Result, Store};

use super::machine::{IDS, NAMES};
use super::oracle::{Answer, Oracle};
use super::{GraphAction, Grows};
use crate::context::{Place, scratch};
use crate::model::Parted;
use crate::target::{Options, Target};
use crate::verdict::{Halt, Verdict, check, check_eq};

/// Plays a program on a fresh store of the target and on petgraph, in data with versions or without; it is what the test of
/// a failed random case calls.
///
/// # Errors
/// Where the two part, and how.
pub fn replay_graph(
    target: &Target,
    versioned: bool,
    program: &[GraphAction],
) -> std::result::Result<(), String> {
    let dir = scratch(&Options::new()).map_err(|error| format!("no directory for a store: {error}"))?;
    let place = Place::new(target, dir.path()).map_err(|error| format!("no place for a store: {error:?}"))?;
    let grows = if versioned { Grows::Versions } else { Grows::Flat };
    play(&place, grows, program).map_err(|parted| parted.message)?;
    place.destroy().map_err(|error| format!("the store can't be destroyed: {error:?}"))
}

pub(super) fn flat(place: &Place, program: &[GraphAction]) -> std::result::Result<(), Parted> {
    play(place, Grows::Flat, program)
}

pub(super) fn versioned(place: &Place, program: &[GraphAction]) -> std::result::Result<(), Parted> {
    play(place, Grows::Versions, program)
}

fn play(place: &Place, grows: Grows, program: &[GraphAction]) -> std::result::Result<(), Parted> {
    let mut player = Player::new(place, grows).map_err(|halt| Parted::beside(0, halt))?;
    for (at, action) in program.iter().enumerate() {
        player.play(*action).map_err(|halt| Parted::at(at, action, halt))?;
    }
    player.everything().map_err(|halt| Parted::beside(program.len(), halt))
}

type Quick = Versioned<Relaxed<Box<dyn Store>>>;

struct Player<'p> {
    place: &'p Place,
    /// Absent while it is opened again.
    store: Option<Quick>,
    instance: InstanceId,
    grows: Grows,
    /// The versions, with what was there when each was left.
    versions: Vec<(VersionId, Oracle)>,
    /// Where it is written now.
    at: VersionId,
    oracle: Oracle,
}

impl<'p> Player<'p> {
    fn new(place: &'p Place, grows: Grows) -> Verdict<Self> {
        let store = Versioned::create(Relaxed(place.open()?))?;
        let repo = store.create_repo("model", None)?;
        let instance = NewInstance::new("graph", "graph");
        let instance = if grows == Grows::Flat { instance.unversioned() } else { instance };
        let instance = store.create_instance(repo.id, &instance)?.id;
        let oracle = Oracle::new(Kind::Undirected);
        let versions = vec![(repo.root, oracle.clone())];
        let player = Self { place, store: Some(store), instance, grows, versions, at: repo.root, oracle };
        let at = player.context(player.at);
        player.graph(&at)?.create_graph(&at, Kind::Undirected)?;
        Ok(player)
    }

    fn store(&self) -> Verdict<&Quick> {
        self.store.as_ref().ok_or_else(|| Halt::failed("the store couldn't be opened again"))
    }

    fn context(&self, version: VersionId) -> DataContext {
        match self.grows {
            Grows::Flat => DataContext::unversioned(self.instance),
            Grows::Versions => DataContext::versioned(self.instance, version),
        }
    }

    fn graph(&self, at: &DataContext) -> Verdict<AnyGraph<'_, Relaxed<Box<dyn Store>>>> {
        Ok(engine_api::graph::of(self.store()?, at))
    }

    fn play(&mut self, action: GraphAction) -> Verdict {
        let at = self.context(self.at);
        match action {
            GraphAction::Compare => self.compare(&at, &self.oracle),
            GraphAction::NextVersion if self.grows == Grows::Versions => {
                self.leave();
                self.go_on_from(self.at)
            }
            GraphAction::Branch(back) if self.grows == Grows::Versions => {
                self.leave();
                let (version, then) = self.versions[back % self.versions.len()].clone();
                self.oracle = then;
                self.go_on_from(version)
            }
            GraphAction::Reopen => self.reopen(),
            action => {
                let expected = self.oracle.apply(action);
                let answer = perform(&*self.graph(&at)?, &at, action);
                let answer = match answer {
                    Err(error) if error.kind() == ErrorKind::NotFound => Answer::Missing,
                    answer => answer?,
                };
                check_eq!(answer, expected, "the answer");
                Ok(())
            }
        }
    }

    /// Notes what is at the version that is left.
    fn leave(&mut self) {
        for (version, then) in &mut self.versions {
            if *version == self.at {
                *then = self.oracle.clone();
            }
        }
    }

    fn go_on_from(&mut self, version: VersionId) -> Verdict {
        let branch = format!("branch-{}", self.versions.len());
        let store = self.store()?;
        if store.dag()?.version(version)?.committed.is_none() {
            store.commit_version(version, "")?;
        }
        self.at = store.new_version(version, Some(&branch))?.id;
        self.versions.push((self.at, self.oracle.clone()));
        Ok(())
    }

    fn reopen(&mut self) -> Verdict {
        if self.store()?.store().capabilities().persistence == Persistence::Memory {
            return Ok(());
        }
        if let Some(store) = self.store.take() {
            store.store().flush()?;
        }
        self.store = Some(Versioned::open(Relaxed(self.place.open_in(OpenMode::Existing)?.store))?);
        Ok(())
    }

    fn everything(&mut self) -> Verdict {
        self.leave();
        for (version, then) in &self.versions {
            self.compare(&self.context(*version), then).map_err(|halt| match halt {
                Halt::Failed(message) => Halt::failed(format!("at version {version} in the end: {message}")),
                ignored @ Halt::Ignored(_) => ignored,
            })?;
        }
        Ok(())
    }

    /// All that can be read of a graph, in every way.
    fn compare(&self, at: &DataContext, oracle: &Oracle) -> Verdict {
        let any = self.graph(at)?;
        let graph: &dyn Graph = &*any;
        check_eq!(graph.graph(at)?, Some(oracle.kind()), "the kind");
        check_eq!(graph.get_vertices(at)?, oracle.vertices(), "the vertices");
        let edges = oracle.edges();
        check_eq!(graph.get_edges(at)?, edges, "the edges");
        for id in IDS {
            let known = oracle.has_vertex(id);
            check_eq!(graph.get_vertex(at, id)?.is_some(), known, "whether vertex {id} is there");
            for which in [Incident::In, Incident::Out, Incident::Both] {
                let found = told(graph.neighbours(at, id, which))?;
                check_eq!(
                    found,
                    known.then(|| oracle.neighbours(id, which)),
                    "the neighbours of {id}, {which:?}"
                );
            }
            let of_it = edges.iter().filter(|edge| edge.from == id || edge.to == id).count() as u64;
            check_eq!(
                told(graph.degree(at, id, Incident::Both))?,
                known.then_some(of_it),
                "the degree of {id}"
            );
            let properties = told(graph.vertex_properties(at, id))?;
            check_eq!(properties, known.then(|| oracle.vertex_properties(id)), "the properties of {id}");
            for to in IDS {
                check_eq!(graph.get_edge(at, id, to)?, oracle.edge(id, to), "the edge from {id} to {to}");
                let expected = oracle.has_edge(id, to).then(|| oracle.edge_properties(id, to));
                check_eq!(told(graph.edge_properties(at, id, to))?, expected, "its properties");
            }
            let named = oracle.vertex_properties(id);
            for name in NAMES {
                let expected = named.iter().find(|(of, _)| of == name).map(|(_, value)| value.clone());
                check_eq!(graph.get_vertex_property(at, id, name)?, expected, "property {name:?} of {id}");
            }
        }
        let between = (Bound::Included(-1.0), Bound::Excluded(1.0));
        let mut light: Vec<Edge> = Vec::new();
        graph.visit_edges_weighing(at, between, &mut |edge| {
            light.push(edge.found()?);
            Ok(Flow::Continue(()))
        })?;
        let expected: Vec<_> = edges.into_iter().filter(|edge| (-1.0..1.0).contains(&edge.weight)).collect();
        check_eq!(light, expected, "the edges in {between:?}");
        let mut visited = 0;
        graph.visit_vertices(at, everything(), &mut |_| {
            visited += 1;
            Ok(Flow::Continue(()))
        })?;
        check_eq!(visited, oracle.vertices().len(), "the vertices that are visited");
        if let AnyGraph::KeyValue(graph) = &any {
            let mut faults: Vec<Fault> = Vec::new();
            graph.check(at, &mut |fault| {
                faults.push(fault);
                Ok(Flow::Continue(()))
            })?;
            check!(faults.is_empty(), "stored and hidden, or damaged: {faults:?}");
        }
        Ok(())
    }
}

/// What isn't there is `None`.
fn told<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}

fn perform(graph: &dyn Graph, at: &DataContext, action: GraphAction) -> Result<Answer> {
    use GraphAction as Do;
    let byte = |value: u8| Bytes::from(vec![value]);
    let done = |()| Answer::Done;
    match action {
        Do::AddVertex(id, weight) => graph.add_vertex(at, id, weight).map(Answer::Told),
        Do::AddEdge(from, to, weight) => graph.add_edge(at, from, to, weight).map(Answer::Told),
        Do::WeighVertex(id, weight) => graph.set_vertex_weight(at, id, weight).map(done),
        Do::WeighEdge(from, to, weight) => graph.set_edge_weight(at, from, to, weight).map(done),
        Do::SetVertexProperty(id, name, value) => {
            graph.set_vertex_property(at, id, name, byte(value)).map(done)
        }
        Do::SetEdgeProperty(from, to, name, value) => {
            graph.set_edge_property(at, from, to, name, byte(value)).map(done)
        }
        Do::RemoveVertex(id) => graph.remove_vertex(at, id).map(done),
        Do::RemoveEdge(from, to) => graph.remove_edge(at, from, to).map(done),
        Do::RemoveVertexProperty(id, name) => graph.remove_vertex_property(at, id, name).map(Answer::Told),
        Do::RemoveEdgeProperty(from, to, name) => {
            graph.remove_edge_property(at, from, to, name).map(Answer::Told)
        }
        Do::Load(edges, weight) => {
            let mut items = Vec::new();
            for &(from, to) in edges {
                items.extend([from, to].map(|id| Item::Vertex(Vertex { id, weight })));
                items.push(Item::Edge(Edge { from, to, weight }));
            }
            graph.load(at, &items).map(done)
        }
        Do::Anew(directed) => {
            graph.remove_graph(at)?;
            graph.create_graph(at, if directed { Kind::Directed } else { Kind::Undirected }).map(done)
        }
        Do::Compare | Do::NextVersion | Do::Branch(_) | Do::Reopen => Ok(Answer::Done),
    }
}
