//! What users call: everything that can be written once over the contract.

mod cursor;
mod range;
mod store;
mod txn;
mod view;

pub use cursor::{Cursor, Entries, Entry};
pub use range::KeyRange;
pub use store::StoreExt;
pub use txn::Txn;
pub use view::ViewExt;
