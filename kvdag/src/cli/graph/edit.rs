//! `kvdag graph create`, `kvdag graph set` and `kvdag graph rm`.

use std::fmt;

use engine_api::{Bytes, Error, ErrorKind, Result};
use graph::{Edge, Element, Item, Kind, VersionedGraph, Vertex};
use serde::Serialize;

use super::{Place, kind_word};
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;
use crate::cli::store;

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// The store; it is made when it isn't there.
    store: String,
    /// The graph's name.
    graph: String,
    /// Edges have a direction.
    #[arg(long)]
    directed: bool,
    /// The version at which it is made; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Done {
    graph: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<String>,
    done: &'static str,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kind, &self.element) {
            (Some(kind), _) => write!(f, "{} {}, {kind}", self.done, self.graph),
            (None, Some(element)) => write!(f, "{} {element} of {}", self.done, self.graph),
            (None, None) => write!(f, "{} {}", self.done, self.graph),
        }
    }
}

/// Makes a graph in an instance that is made where it isn't there: another version may have one already.
pub(crate) fn create(args: &CreateArgs, output: Output) -> Result<()> {
    let store = store::open_or_create(&args.store)?;
    let version = store::version(&store, args.at.as_deref())?;
    let kind = if args.directed { Kind::Directed } else { Kind::Undirected };
    let there = store.dag()?.instance_named(version.repo, &args.graph).is_some();
    let graph = if there {
        VersionedGraph::open(&store, &args.graph)?
    } else {
        VersionedGraph::create(&store, version.repo, &args.graph)?
    };
    if let Err(error) = graph.at(version.id).create(kind) {
        if !there {
            graph.delete()?;
        }
        return Err(error);
    }
    output.print(&Done {
        graph: args.graph.clone(),
        kind: Some(kind_word(kind)),
        element: None,
        done: "made",
    })
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    place: Place,
    /// The vertex, or where the edge begins.
    vertex: u64,
    /// Where the edge ends.
    to: Option<u64>,
    /// Its weight; one that is new has 1 unless given.
    #[arg(long, allow_negative_numbers = true)]
    weight: Option<f64>,
    /// A property; may be given several times.
    #[arg(long = "property", value_name = "NAME=VALUE")]
    properties: Vec<String>,
}

/// Sets a vertex or an edge, in one batch with its properties.
pub(crate) fn set(args: &SetArgs, output: Output) -> Result<()> {
    let mut properties = Vec::new();
    for property in &args.properties {
        let (name, value) = property.split_once('=').ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "a property is NAME=VALUE").with("property", property)
        })?;
        properties.push((name.to_owned(), Bytes::from(value.to_owned())));
    }
    let store = args.place.open_to_write()?;
    let at = args.place.graph(&store)?;
    let (graph, ctx) = (at.graph(), at.ctx());
    let mut items = Vec::new();
    let element = match args.to {
        None => {
            let id = args.vertex;
            let was = if args.weight.is_none() { graph.get_vertex(ctx, id)? } else { None };
            let weight = args.weight.or(was.map(|vertex| vertex.weight)).unwrap_or(1.0);
            items.push(Item::Vertex(Vertex { id, weight }));
            items.extend(properties.into_iter().map(|(name, value)| Item::VertexProperty(id, name, value)));
            Element::Vertex(id)
        }
        Some(to) => {
            let from = args.vertex;
            let was = if args.weight.is_none() { graph.get_edge(ctx, from, to)? } else { None };
            let weight = args.weight.or(was.map(|edge| edge.weight)).unwrap_or(1.0);
            items.push(Item::Edge(Edge { from, to, weight }));
            let of_edge = |(name, value)| Item::EdgeProperty(from, to, name, value);
            items.extend(properties.into_iter().map(of_edge));
            Element::Edge(from, to)
        }
    };
    graph.load(ctx, &items)?;
    let element = Some(element.to_string());
    output.print(&Done { graph: args.place.graph.clone(), kind: None, element, done: "set" })
}

#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    place: Place,
    /// The vertex, or where the edge begins; the whole graph, at the version and below, unless given.
    vertex: Option<u64>,
    /// Where the edge ends.
    to: Option<u64>,
    /// Only this property.
    #[arg(long, value_name = "NAME", requires = "vertex")]
    property: Option<String>,
    /// The graph with its history: at every version, committed ones too.
    #[arg(long, conflicts_with_all = ["vertex", "at"])]
    everywhere: bool,
}

pub(crate) fn remove(args: &RemoveArgs, output: Output) -> Result<()> {
    let store = args.place.open_to_write()?;
    let name = &args.place.graph;
    // A removal that is cut short ends with the next command that writes.
    let _careful = Careful::resumable();
    let element = if args.everywhere {
        let instance = store.instance_of(graph::DATATYPE, name)?;
        store.delete_instance(instance.id)?;
        None
    } else {
        let at = args.place.graph(&store)?;
        let (graph, ctx) = (at.graph(), at.ctx());
        Some(match (args.vertex, args.to, &args.property) {
            (None, ..) => {
                graph.remove_graph(ctx)?;
                Element::Graph
            }
            (Some(id), None, None) => {
                graph.remove_vertex(ctx, id)?;
                Element::Vertex(id)
            }
            (Some(from), Some(to), None) => {
                graph.remove_edge(ctx, from, to)?;
                Element::Edge(from, to)
            }
            (Some(id), None, Some(name)) => {
                let element = Element::VertexProperty(id, name.clone());
                if !graph.remove_vertex_property(ctx, id, name)? {
                    return Err(element.missing());
                }
                element
            }
            (Some(from), Some(to), Some(name)) => {
                let element = Element::EdgeProperty(from, to, name.clone());
                if !graph.remove_edge_property(ctx, from, to, name)? {
                    return Err(element.missing());
                }
                element
            }
        })
    };
    let element = element.filter(|element| *element != Element::Graph).map(|element| element.to_string());
    output.print(&Done { graph: name.clone(), kind: None, element, done: "removed" })
}
