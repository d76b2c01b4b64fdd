//! One step of a program.

/// One step of a program for [`replay_graph`](crate::replay_graph). Its `Debug` form is Rust that makes it again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GraphAction {
    /// Adds a vertex with a weight, or sets its weight.
    AddVertex(u64, f64),
    /// Adds an edge with a weight, or sets its weight.
    AddEdge(u64, u64, f64),
    /// Sets the weight of a vertex.
    WeighVertex(u64, f64),
    /// Sets the weight of an edge.
    WeighEdge(u64, u64, f64),
    /// Sets a property of a vertex.
    SetVertexProperty(u64, &'static str, u8),
    /// Sets a property of an edge.
    SetEdgeProperty(u64, u64, &'static str, u8),
    /// Removes a vertex.
    RemoveVertex(u64),
    /// Removes an edge.
    RemoveEdge(u64, u64),
    /// Removes a property of a vertex.
    RemoveVertexProperty(u64, &'static str),
    /// Removes a property of an edge.
    RemoveEdgeProperty(u64, u64, &'static str),
    /// Loads edges with their ends, all of one weight.
    Load(&'static [(u64, u64)], f64),
    /// Removes the graph and makes it anew, with directions or without.
    Anew(bool),
    /// Compares all that can be read.
    Compare,
    /// Commits, and goes on at a new version; compares where data has no versions.
    NextVersion,
    /// Goes back to an earlier version, by its place among all, and on from it on a branch of its own.
    Branch(usize),
    /// Flushes, closes the store and opens it again; nothing, where data doesn't outlive the store.
    Reopen,
}
