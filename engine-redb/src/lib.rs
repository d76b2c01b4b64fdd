//! engine-redb
