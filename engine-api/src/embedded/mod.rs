//! For authors: what an engine needs that runs in this process and keeps its store in local files.
//!
//! | to | there is |
//! |---|---|
//! | do what the mode says, with the path in every error | [`open_or_create`], [`destroy`], [`repair`] |
//! | make a store that is whole before it has its name | [`NewFile`], [`NewFolder`] |
//! | refuse what isn't a store without writing to it | [`must_be_file`], [`must_be_folder`], [`head`] |
//! | keep another process out | [`Lock`] |
//! | remove a store so that it stays removed | [`remove_files`], [`sync_folder`] |
//! | make a folder that stays made | [`make_folder`] |
//! | read and write at a place of a file | [`read_at`], [`read_exact_at`], [`write_all_at`] |
//! | answer for a library that panics over damaged bytes | [`contain`], [`contain_between`], [`Contained`] |
//! | flush what was committed without waiting for the disk | [`Unflushed`], [`failed_commit`] |
//!
//! None of them is needed to be an engine; what each does is easily done wrong, so it is done once.

mod commit;
mod files;
mod lock;
mod new;
mod opening;
mod panics;
mod positioned;

pub use commit::{Unflushed, failed_commit};
pub use files::{
    absolute, beside, folder_of, head, make_folder, must_be_file, must_be_folder, remove_files, sync_folder,
};
pub use lock::Lock;
pub use new::{NewFile, NewFolder};
pub use opening::{destroy, open_or_create, repair};
pub use panics::{Contained, contain, contain_between};
pub use positioned::{read_at, read_exact_at, write_all_at};
