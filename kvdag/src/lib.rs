//! kvdag
