//! Decoders of others are given hostile bytes, and some of them answer with a panic. That is a damaged picture, neither
//! the end of the request nor a crash to be reported.

use super::DecodeError;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside a decoder.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Sets the flag while it lives, and puts back what it was.
struct Inside(bool);

impl Inside {
    fn enter() -> Self {
        Self(INSIDE.replace(true))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.0);
    }
}

/// Runs a decoder and turns its panic into an error. Panics elsewhere are reported as before.
pub(super) fn guarded<T>(decoder: impl FnOnce() -> T) -> Result<T, DecodeError> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let report = take_hook();
        set_hook(Box::new(move |panic| {
            if INSIDE.get() {
                tracing::debug!(%panic, "a decoder panicked");
            } else {
                report(panic);
            }
        }));
    });
    let inside = Inside::enter();
    // What a decoder left half done is dropped with it; nobody sees it again.
    let result = catch_unwind(AssertUnwindSafe(decoder));
    drop(inside);
    result.map_err(|_| DecodeError::Damaged("its decoder gave up".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{INSIDE, guarded};
    use crate::DecodeError;

    #[test]
    fn a_panic_is_a_damaged_picture() {
        let result: Result<(), _> = guarded(|| panic!("from a decoder"));
        assert!(matches!(result, Err(DecodeError::Damaged(_))));
        assert!(!INSIDE.get());
        assert_eq!(guarded(|| INSIDE.get()), Ok(true));
    }
}
