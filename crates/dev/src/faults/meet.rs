//! Which rule a request meets. What is asked of a request is found out only where a rule wants to know it.

use std::sync::Arc;

use axum::body::Body;
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use stowage_model::PublicKey;

use super::act::Fault;
use super::check::{Parameter, What};
use super::form::{self, Form};
use super::rule::On;
use super::{Faults, Rule, check};
use crate::World;
use crate::route::{self, Route};

/// What is known of a request.
struct Facts<'r> {
    parts: &'r Parts,
    form: &'r Form,
    project: Option<PublicKey>,
}

impl Rule {
    /// Whether the head of a request fits; body and project are not looked at.
    fn fits(&self, on: On, route: &Route, parts: &Parts) -> bool {
        let wanted = &self.checked;
        let method = match &wanted.method {
            Some(method) => parts.method == method,
            None => parts.method != Method::OPTIONS,
        };
        let goes_there = |text: &String| route.is_meant(text, parts.uri.path());
        method
            && wanted.on.contains(&on)
            && wanted.route.as_ref().is_none_or(goes_there)
            && wanted.query.iter().all(|(name, value)| in_query(parts, name).as_ref() == Some(value))
            && !matches!(&wanted.once_per, Some(Parameter::Query(name)) if in_query(parts, name).is_none())
    }

    /// Whether the fields of the body matter.
    fn asks_for_form(&self) -> bool {
        let wanted = &self.checked;
        let in_form = !wanted.form.is_empty() || matches!(wanted.once_per, Some(Parameter::Form(_)));
        // The form may name the project, and say how refusals are to be told.
        in_form || wanted.project.is_some() || matches!(wanted.act.what, What::Refuse { .. })
    }

    /// Whether the rest fits, and this is one of those on which the rule acts.
    fn acts_on(&self, facts: &Facts<'_>) -> bool {
        let wanted = &self.checked;
        let fits = wanted.form.iter().all(|(name, value)| in_form(facts.form, name) == Some(value.as_str()))
            && wanted.project.as_ref().is_none_or(|project| facts.project.as_ref() == Some(project));
        let value = match &wanted.once_per {
            None => None,
            Some(Parameter::Query(name)) => in_query(facts.parts, name),
            Some(Parameter::Form(name)) => match in_form(facts.form, name) {
                Some(value) => Some(value.to_owned()),
                None => return false,
            },
        };
        fits && self.counts().draw(&self.input, value.as_deref())
    }
}

fn in_query(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query()?;
    let found = form_urlencoded::parse(query.as_bytes()).find(|(other, _)| other == name);
    found.map(|(_, value)| value.into_owned())
}

fn in_form<'f>(form: &'f Form, name: &str) -> Option<&'f str> {
    form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

impl Faults {
    /// The fault that a request meets, if any, and the request as it goes on.
    pub(crate) async fn meet(&self, world: &World, request: Request<Body>) -> (Request<Body>, Option<Fault>) {
        let (parts, body) = request.into_parts();
        let route = route::of(parts.uri.path());
        let (Some(on), Some(state)) = (check::on(route.api), &world.parts.state) else {
            return (Request::from_parts(parts, body), None);
        };
        let mut rules = self.rules();
        rules.retain(|rule| rule.fits(on, &route, &parts));
        let (mut form, mut body) = (Form::new(), body);
        if form::may_have_one(on, &parts) && rules.iter().any(|rule| rule.asks_for_form()) {
            (form, body) = form::read(&parts, body, state.uploads.request_size, state.request_timeout).await;
        }
        let mut project = None;
        if rules.iter().any(|rule| rule.checked.project.is_some()) {
            project = world.front.aside(&parts, &form).project().await;
        }
        let facts = Facts { parts: &parts, form: &form, project };
        let fault = rules.into_iter().find(|rule| rule.acts_on(&facts)).map(|rule| Fault::new(rule, form));
        (Request::from_parts(parts, body), fault)
    }

    /// The rule that something which nobody requests meets, if any.
    pub(super) fn meet_aside(&self, fits: impl Fn(&Rule) -> bool) -> Option<Arc<Rule>> {
        self.rules().into_iter().find(|rule| fits(rule) && rule.counts().draw(&rule.input, None))
    }
}

impl Rule {
    /// What it is called, as a header says it.
    pub(super) fn mark_value(&self) -> HeaderValue {
        HeaderValue::try_from(self.mark()).unwrap_or(HeaderValue::from_static("fault"))
    }
}
