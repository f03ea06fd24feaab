//! `/project/`: who the keys belong to.

use stowage_views::rest::ProjectInfo;

use super::call::{Answering, Call};
use super::{Endpoint, on};

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint { path: "/project/", methods: &[on("GET", show)] }];

fn show<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(async move { call.json(&ProjectInfo::new(call.project()?)) })
}
