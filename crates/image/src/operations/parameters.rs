//! The parameters of one operation, taken one after the other.

use std::ops::RangeInclusive;
use std::vec;

use super::parse::short;
use super::words::{self, Words};
use super::{OperationError, values};

/// One operation of a path: its name, and those of its parameters that nobody has taken yet.
pub(super) struct Parameters<'a> {
    name: &'a str,
    left: std::iter::Peekable<vec::IntoIter<&'a str>>,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(name: &'a str, parameters: Vec<&'a str>) -> Self {
        Self { name, left: parameters.into_iter().peekable() }
    }

    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// How many are left.
    pub(super) fn left(&self) -> usize {
        self.left.len()
    }

    /// Whether none are left.
    pub(super) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Takes the next parameter if it reads as what is wanted.
    pub(super) fn take<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.left.peek().and_then(|text| read(text))?;
        self.left.next();
        Some(value)
    }

    /// Takes the next parameter, which has to read as what is wanted.
    pub(super) fn need<T>(&mut self, read: impl FnOnce(&str) -> Option<T>, reason: &str) -> Result<T, OperationError> {
        self.take(read).ok_or_else(|| self.refuse(reason))
    }

    /// Takes the next parameter, which has to be one of these words.
    pub(super) fn word<T: Copy>(&mut self, words: &Words<T>) -> Result<T, OperationError> {
        self.take(|text| words::meaning(words, text))
            .ok_or_else(|| self.refuse(&format!("takes one of {}", words::listed(words))))
    }

    /// Takes an integer of this range; `default` counts where no parameter is left, and without it there has to be one.
    pub(super) fn integer<T: TryFrom<i32>>(
        &mut self,
        range: RangeInclusive<i32>,
        default: Option<T>,
    ) -> Result<T, OperationError> {
        if let Some(default) = default
            && self.is_empty()
        {
            return Ok(default);
        }
        let reason = format!("takes an integer from {} to {}", range.start(), range.end());
        self.need(|text| values::signed(text, range).and_then(|value| T::try_from(value).ok()), &reason)
    }

    /// The operation as pieces of a path, as far as nobody has taken its parameters.
    pub(super) fn pieces(&self) -> Vec<&'a str> {
        ["-", self.name].into_iter().chain(self.left.clone()).collect()
    }

    /// Refuses what nobody took.
    pub(super) fn end(&mut self) -> Result<(), OperationError> {
        if self.is_empty() { Ok(()) } else { Err(self.refuse("does not take this parameter")) }
    }

    /// An error of this operation.
    pub(super) fn error(&self, reason: &str) -> OperationError {
        OperationError { operation: short(self.name), reason: reason.to_owned() }
    }

    /// An error that shows the parameter in question, where there is one.
    fn refuse(&mut self, reason: &str) -> OperationError {
        let shown = self.left.peek().map(|text| format!("{reason}: `{}`", short(text)));
        self.error(shown.as_deref().unwrap_or(reason))
    }
}
