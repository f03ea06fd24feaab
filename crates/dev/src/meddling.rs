//! Who decides in a world what becomes of work that nobody waits for: those who hold jobs, because what is held has not begun; then the
//! faults; then the built-in address for webhooks.

use std::sync::Arc;

use stowage_jobs::{
    CopyAsked, CopyOrder, FetchAsked, FetchOrder, Later, Meddle, Outcome, Piece, PostAsked, PostOrder, Stop,
};
use uuid::Uuid;

use crate::capture::Captured;
use crate::faults::Faults;
use crate::holds::Holds;

/// All who meddle in a world.
#[derive(Debug)]
pub(crate) struct Meddling {
    pub(crate) holds: Arc<Holds>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) captured: Captured,
}

impl Meddle for Meddling {
    fn fetch(&self, asked: &FetchAsked<'_>) -> FetchOrder {
        self.holds.fetch(asked)
    }

    fn hides_total(&self, token: Uuid) -> bool {
        self.holds.hides_total(token)
    }

    fn shows_later(&self, token: Uuid) -> bool {
        self.holds.shows_later(token)
    }

    fn piece(&self, piece: Piece) -> Option<Stop> {
        self.holds.piece(piece)
    }

    fn fetched(&self, token: Uuid, outcome: &Outcome) {
        self.holds.fetched(token, outcome);
    }

    fn post(&self, asked: &PostAsked<'_>) -> Later<PostOrder> {
        let (holds, faults, letter) = (self.holds.post(asked), self.faults.post(asked), self.captured.letter(asked));
        Box::pin(async move {
            let order = match holds.await {
                PostOrder::Post => faults.await,
                held => held,
            };
            match (order, letter) {
                (PostOrder::Post, Some(letter)) => letter.keep(),
                (order, _) => order,
            }
        })
    }

    fn copy(&self, asked: &CopyAsked<'_>) -> CopyOrder {
        match self.holds.copy(asked) {
            CopyOrder::Go => self.faults.copy(asked),
            held => held,
        }
    }
}
