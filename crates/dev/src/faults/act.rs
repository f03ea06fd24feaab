//! What a request meets: its answer comes late, is another, or breaks off.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use http::request::Parts;
use http::{Request, Response, header};

use super::body::Faulty;
use super::check::{Act, What};
use super::form::Form;
use super::{MARK, Rule};
use crate::World;
use crate::front::{append, pass};

/// A fault that a request has met.
pub(crate) struct Fault {
    rule: Arc<Rule>,
    /// The fields of the request's form, as far as anybody knows them.
    form: Form,
}

impl Fault {
    pub(super) fn new(rule: Arc<Rule>, form: Form) -> Self {
        Self { rule, form }
    }

    /// What it is called in the journal.
    pub(crate) fn mark(&self) -> String {
        self.rule.mark()
    }

    /// Answers the request. Errors: there is no answer, and the connection is to be closed.
    pub(crate) async fn answer(self, world: &World, request: Request<Body>) -> Result<Response<Body>, io::Error> {
        let Act { delay, what, truncate, slow, after } = &self.rule.checked.act;
        let (parts, body) = request.into_parts();
        let kept = parts.clone();
        if !after && let Some(delay) = delay {
            tokio::time::sleep(*delay).await;
        }
        let mut answer = if *after || matches!(what, What::Pass) {
            pass(world, Request::from_parts(parts, body)).await
        } else if matches!(what, What::Drop) {
            return Err(dropped());
        } else {
            match self.replaced(world, &kept) {
                Some(answer) => {
                    world.front.aside(&kept, &self.form).pass_over(body).await;
                    answer
                }
                None => pass(world, Request::from_parts(parts, body)).await,
            }
        };
        if *after {
            if let Some(delay) = delay {
                tokio::time::sleep(*delay).await;
            }
            match what {
                What::Pass => {}
                What::Drop => return Err(dropped()),
                What::Refuse { .. } | What::Answer { .. } => answer = self.replaced(world, &kept).unwrap_or(answer),
            }
        }
        answer.headers_mut().insert(MARK, self.rule.mark_value());
        append(&mut answer, header::ACCESS_CONTROL_EXPOSE_HEADERS, &MARK);
        if truncate.is_some() || slow.is_some() {
            answer = answer.map(|body| Body::new(Faulty::new(body, *truncate, *slow)));
        }
        Ok(answer)
    }

    /// The answer that stands in the place of the real one; none if the API has no such refusal.
    fn replaced(&self, world: &World, parts: &Parts) -> Option<Response<Body>> {
        let aside = world.front.aside(parts, &self.form);
        match &self.rule.checked.act.what {
            What::Refuse { code, text, retry_after } => aside.refuse(code, text.as_deref(), *retry_after),
            What::Answer { status, body, headers } => {
                let mut answer = aside.dress(What::answer(*status, body));
                for (name, value) in headers {
                    answer.headers_mut().insert(name, value.clone());
                }
                Some(answer)
            }
            What::Pass | What::Drop => None,
        }
    }
}

fn dropped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "dropped by a fault")
}
