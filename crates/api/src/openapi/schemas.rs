//! The schemas of the document: those of the views, by name, and what each version of the REST API makes of them.

use std::collections::BTreeMap;

use stowage_model::RestVersion;
use stowage_views::rest::FileInfo;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems};
use utoipa::openapi::{Ref, RefOr, Schema};

/// How a file is called where the version does not matter.
const FILE: &str = "File";
/// How a member of a group is called where the version does not matter.
const MEMBER: &str = "Member";

/// Schemas by name.
#[derive(Default)]
pub(super) struct Schemas(BTreeMap<String, RefOr<Schema>>);

impl Schemas {
    /// Refers to the schema of a view, which comes into the document with all that it refers to.
    pub(super) fn of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut inner = Vec::new();
        T::schemas(&mut inner);
        self.0.extend(inner);
        self.add(T::name().into_owned(), T::schema())
    }

    /// Refers to the schema of a view as a version shows it: under a name of its own, and without the members that this
    /// version lacks. All others are always there.
    pub(super) fn shown<T: ToSchema>(&mut self, version: RestVersion, name: &str, lacks: &[&str]) -> RefOr<Schema> {
        self.take_in::<T>(version);
        let mut schema = T::schema();
        refer(&mut schema, version);
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.properties.retain(|name, _| !lacks.contains(&name.as_str()));
            object.required = object.properties.keys().cloned().collect();
        }
        self.add(versioned(name, version), schema)
    }

    /// Refers to a file as a version shows it.
    pub(super) fn file(&mut self, version: RestVersion) -> RefOr<Schema> {
        self.take_in::<FileInfo<'_>>(version);
        Ref::from_schema_name(versioned(FILE, version)).into()
    }

    /// Takes in what a view refers to.
    fn take_in<T: ToSchema>(&mut self, version: RestVersion) {
        let mut inner = Vec::new();
        T::schemas(&mut inner);
        for (name, mut schema) in inner {
            if name == MEMBER {
                refer(&mut schema, version);
                self.0.insert(versioned(&name, version), schema);
            } else if name != FILE {
                self.0.insert(name, schema);
            }
        }
    }

    /// Takes in a schema that no view has.
    pub(super) fn name(&mut self, name: &str, schema: Schema) {
        self.0.insert(name.to_owned(), schema.into());
    }

    fn add(&mut self, name: String, schema: RefOr<Schema>) -> RefOr<Schema> {
        let reference = Ref::from_schema_name(&name);
        self.0.insert(name, schema);
        reference.into()
    }

    /// All of them.
    pub(super) fn into_map(self) -> BTreeMap<String, RefOr<Schema>> {
        self.0
    }
}

/// The name of what a version shows.
fn versioned(name: &str, version: RestVersion) -> String {
    format!("{name}V{}", version.as_str().replace('.', ""))
}

/// Lets a schema refer to what this version shows.
fn refer(schema: &mut RefOr<Schema>, version: RestVersion) {
    match schema {
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
            let name = match name {
                FILE | MEMBER => versioned(name, version),
                // Lists alone refer to groups.
                "Group" => versioned("GroupListed", version),
                _ => return,
            };
            reference.ref_location = Ref::from_schema_name(name).ref_location;
        }
        RefOr::T(Schema::Object(object)) => {
            object.properties.values_mut().for_each(|schema| refer(schema, version));
            if let Some(AdditionalProperties::RefOr(schema)) = object.additional_properties.as_deref_mut() {
                refer(schema, version);
            }
        }
        RefOr::T(Schema::Array(array)) => {
            if let ArrayItems::RefOrSchema(schema) = &mut array.items {
                refer(schema, version);
            }
        }
        RefOr::T(Schema::OneOf(one_of)) => one_of.items.iter_mut().for_each(|schema| refer(schema, version)),
        RefOr::T(Schema::AllOf(all_of)) => all_of.items.iter_mut().for_each(|schema| refer(schema, version)),
        RefOr::T(_) => {}
    }
}
