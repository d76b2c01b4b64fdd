//! Libraries that panic where damaged bytes lead them astray: to an application that is a damaged store, not
//! a defect.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::spi::{Error, ErrorKind, Result};

/// Runs calls to a library; a panic of theirs becomes `Corrupt`.
///
/// A caller's own code mustn't run within, for its panics are its own.
pub fn contain<T>(calls: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(calls)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// The same for calls that a caller's code runs between; while it does, it sets `callers` and its panics
/// pass. One catch around many calls costs a scan less than one around each.
pub fn contain_between<T>(callers: &Cell<bool>, calls: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(calls)).unwrap_or_else(|panic| {
        if callers.get() {
            resume_unwind(panic);
        }
        Err(panicked(&*panic))
    })
}

#[cold]
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it doesn't say why");
    Error::new(ErrorKind::Corrupt, "the store is damaged").with("panicked", text)
}

/// A library's handle whose drop may panic like any other call to it.
#[derive(Debug)]
pub struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    /// Holds a handle until it is dropped or taken out.
    pub const fn new(handle: T) -> Self {
        Self(Some(handle))
    }

    /// The handle.
    ///
    /// # Errors
    /// `Closed` once it was taken out.
    pub fn get(&self) -> Result<&T> {
        self.0.as_ref().ok_or_else(closed)
    }

    /// The handle, to change it.
    ///
    /// # Errors
    /// `Closed` once it was taken out.
    pub fn get_mut(&mut self) -> Result<&mut T> {
        self.0.as_mut().ok_or_else(closed)
    }

    /// Takes the handle out, so that it isn't dropped here.
    pub const fn take(&mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        let handle = self.take();
        // A drop can't answer an error, and what was committed is as safe as it was before.
        contain(|| {
            drop(handle);
            Ok(())
        })
        .unwrap_or(());
    }
}

#[cold]
fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store is closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_librarys_panic_is_damage_and_says_what_it_said() {
        let error = contain::<()>(|| panic!("page {}", 7)).unwrap_err();
        assert_eq!((error.kind(), error.field("panicked")), (ErrorKind::Corrupt, Some("page 7")));
        let error = contain_between::<()>(&Cell::new(false), || panic!("a page")).unwrap_err();
        assert_eq!((error.kind(), error.field("panicked")), (ErrorKind::Corrupt, Some("a page")));
        assert_eq!(contain(|| Ok(7)).unwrap(), 7);
    }

    #[test]
    fn a_callers_panic_passes() {
        let callers = Cell::new(false);
        let passed = catch_unwind(AssertUnwindSafe(|| {
            contain_between::<()>(&callers, || {
                callers.set(true);
                panic!("the caller's")
            })
        }));
        assert_eq!(passed.unwrap_err().downcast_ref::<&str>(), Some(&"the caller's"));
    }

    #[test]
    fn a_drop_that_panics_is_contained_and_one_that_was_taken_out_does_not_happen() {
        struct Fragile;
        impl Drop for Fragile {
            fn drop(&mut self) {
                panic!("closing walks a damaged page");
            }
        }
        drop(Contained::new(Fragile));
        let mut taken = Contained::new(Fragile);
        std::mem::forget(taken.take());
        assert_eq!(taken.get().err().map(|error| error.kind()), Some(ErrorKind::Closed));
        assert!(taken.get_mut().is_err());
    }
}
