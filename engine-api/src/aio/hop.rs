//! Calls that may block, made from tasks that must not.

use tokio::runtime::Handle as Runtime;

use crate::spi::{Error, ErrorKind, Execution, Result};

/// Makes a call to a store where it may block: at once where the store's calls are inline, and on one of Tokio's
/// blocking threads otherwise. [`AsyncHandle`](super::AsyncHandle) makes each of its calls so; this is for what
/// stands on a store in async code and makes several calls in one hop.
///
/// A call that was handed to a thread goes on to its end, even where nobody waits for it any more.
///
/// # Errors
/// `Unsupported` outside a Tokio runtime, for a store that blocks; `Internal` when the call panicked or the runtime
/// shut down.
pub async fn hop<T: Send + 'static>(
    execution: Execution,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    if execution == Execution::Inline {
        return Ok(call());
    }
    let runtime = Runtime::try_current().map_err(|error| {
        Error::new(ErrorKind::Unsupported, "a store that blocks is called in a Tokio runtime")
            .caused_by(error)
    })?;
    runtime
        .spawn_blocking(call)
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "a blocking call didn't end").caused_by(error))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_call_that_blocks_leaves_the_task_and_one_that_does_not_stays() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let here = thread::current().id();
        let ran_at = |execution| runtime.block_on(hop(execution, || thread::current().id())).unwrap();
        assert_eq!(ran_at(Execution::Inline), here);
        assert_ne!(ran_at(Execution::Blocking), here);
        assert_ne!(ran_at(Execution::Async), here);
        let panicked = runtime.block_on(hop(Execution::Blocking, || panic!("in the call")));
        assert_eq!(panicked.unwrap_err().kind(), ErrorKind::Internal);
    }
}
