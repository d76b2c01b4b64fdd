//! How properties, which are any bytes, stand in files of text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use engine_api::graph::{Edge, Graph, Vertex};
use engine_api::key::Context;
use engine_api::{Bytes, Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// The properties of an element, by the order of their names.
pub(crate) type Properties = Vec<(String, Bytes)>;

/// A property in JSON: text as it is, other bytes as `{"hex": "00ff"}`.
pub(crate) fn to_json(value: &[u8]) -> Value {
    match std::str::from_utf8(value) {
        Ok(text) => text.into(),
        Err(_) => {
            let mut digits = String::new();
            for byte in value {
                // Writing to a string can't fail.
                let _ = write!(digits, "{byte:02x}");
            }
            serde_json::json!({ "hex": digits })
        }
    }
}

/// A property as JSON has it; a number or another value is its own text.
pub(crate) fn from_json(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(text) => Some(text.clone().into()),
        Value::Object(object) if object.len() == 1 => {
            let digits = object.get("hex")?.as_str()?;
            let pairs = digits.as_bytes().chunks(2);
            let bytes = pairs.map(|pair| match pair {
                [_, _] => u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok(),
                _ => None,
            });
            bytes.collect::<Option<Vec<u8>>>().map(Bytes::from)
        }
        Value::Object(_) => None,
        other => Some(other.to_string().into()),
    }
}

/// Properties as one text of JSON.
pub(crate) fn object(properties: &Properties) -> String {
    let object: Map<_, _> = properties.iter().map(|(name, value)| (name.clone(), to_json(value))).collect();
    Value::from(object).to_string()
}

/// A weight, which is any number but NaN; infinity in the ways that people and XML write it.
pub(crate) fn weight(text: &str) -> Result<f64> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(weight) if !weight.is_nan() => Ok(weight),
        _ if text == "INF" || text == "+INF" => Ok(f64::INFINITY),
        _ if text == "-INF" => Ok(f64::NEG_INFINITY),
        _ => Err(Error::new(ErrorKind::InvalidArgument, "a weight isn't a number").with("weight", text)),
    }
}

/// What is read of a graph, in its order, to be written to a file.
pub(crate) struct Source<'a> {
    pub(crate) graph: &'a dyn Graph,
    pub(crate) ctx: &'a dyn Context,
}

impl Source<'_> {
    pub(crate) fn vertices(&self, mut visit: impl FnMut(Vertex, Properties) -> Result<()>) -> Result<()> {
        for vertex in engine_api::graph::vertices(self.graph, self.ctx) {
            let vertex = vertex?;
            visit(vertex, self.graph.vertex_properties(self.ctx, vertex.id)?)?;
        }
        Ok(())
    }

    pub(crate) fn edges(&self, mut visit: impl FnMut(Edge, Properties) -> Result<()>) -> Result<()> {
        for edge in engine_api::graph::edges(self.graph, self.ctx) {
            let edge = edge?;
            visit(edge, self.graph.edge_properties(self.ctx, edge.from, edge.to)?)?;
        }
        Ok(())
    }

    /// The names of properties for which a choice was made.
    pub(crate) fn names_of_vertices<T: Ord>(&self, choose: impl Fn(&str, &[u8]) -> T) -> Result<BTreeSet<T>> {
        let mut names = BTreeSet::new();
        self.vertices(|_, properties| {
            names.extend(properties.iter().map(|(name, value)| choose(name, value)));
            Ok(())
        })?;
        Ok(names)
    }

    pub(crate) fn names_of_edges<T: Ord>(&self, choose: impl Fn(&str, &[u8]) -> T) -> Result<BTreeSet<T>> {
        let mut names = BTreeSet::new();
        self.edges(|_, properties| {
            names.extend(properties.iter().map(|(name, value)| choose(name, value)));
            Ok(())
        })?;
        Ok(names)
    }
}

#[cold]
pub(crate) fn unwritten(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Io, "the graph can't be written").caused_by(error)
}

/// The error of an export whose second pass finds what its first didn't.
#[cold]
pub(crate) fn changed() -> Error {
    Error::new(ErrorKind::Conflict, "the graph was changed while it was read; read it again")
}
