//! Golden records and their lineage, for a range of contacts at a time.
mod columns;
mod full_name;
mod precedence;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use crm_core::{Control, Result, Role};
use hashbrown::HashMap;
use rayon::prelude::*;

use crate::merge::{Canonicalizer, Members, RowRef, Rows, SourceLayout, Strategy, Survivorship, consent, contact_id, names_beside_own};
use columns::build_column;
use precedence::Precedence;

/// Columns that merging makes itself, beside the roles (`edited` is in a base's lineage); see [`names_beside_own`].
const OWN_COLUMNS: &[&str] = &["contact_id", "n_records", "edited"];

/// What is known of all records of the run.
#[derive(Debug, Clone, Copy)]
pub struct RecordFacts<'a> {
    /// Per record its id.
    pub ids: &'a [i64],
}

/// The columns of the golden records, laid out once per run.
#[derive(Debug)]
pub struct GoldenPlan {
    columns: Vec<GoldenColumn>,
    layouts: Vec<SourceLayout>,
    survivorship: Survivorship,
    updated_at: Vec<Vec<usize>>,
    created_at: Vec<Vec<usize>>,
    source: Vec<Vec<usize>>,
    source_key: Vec<Vec<usize>>,
    /// Per layout the columns that only a person has, and those with a company's name.
    person: Vec<Vec<usize>>,
    company: Vec<Vec<usize>>,
    contacts_schema: SchemaRef,
    lineage_schema: SchemaRef,
}

/// One column of the golden records.
#[derive(Debug)]
struct GoldenColumn {
    name: String,
    kind: Kind,
    strategy: Strategy,
    /// Nobody chose the strategy: where no record of a contact says when it was updated, the most frequent value wins.
    is_default: bool,
    /// Per layout the places of the columns that it is made of.
    places: Vec<Vec<usize>>,
    /// Per layout and column in `places` whether a yes in it refuses; asked of consent alone.
    is_negated: Vec<Vec<bool>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The source name of the founding record.
    Source,
    /// `person` or `company`, from the input or from which names there are.
    ContactType,
    /// A canonical role.
    Role(Role),
    /// A custom field, kept as it is.
    Custom,
}

impl Kind {
    fn is_list(self) -> bool {
        matches!(self, Kind::Role(role) if role.is_list())
    }
}

/// The golden records of a range of contacts.
#[derive(Debug)]
pub struct Golden {
    /// One row per contact.
    pub contacts: RecordBatch,
    /// One row per contact of several records.
    pub lineage: RecordBatch,
}

/// The contacts that are being built, with their records at hand.
struct Portion<'a> {
    plan: &'a GoldenPlan,
    rows: &'a Rows,
    canonicalizer: &'a dyn Canonicalizer,
    ids: &'a [i64],
    /// The records of the portion, contact by contact, and where to find each.
    records: &'a [u32],
    refs: Vec<RowRef>,
    /// Per contact its range in `records`.
    ranges: Vec<Range<usize>>,
    precedence: Precedence,
}

impl GoldenPlan {
    /// Lays out the golden columns: the roles that any source has, in canonical order, then the custom fields in the order of the input.
    pub fn new(layouts: Vec<SourceLayout>, survivorship: Survivorship) -> Result<Self> {
        let plan = Self::lenient(layouts, survivorship)?;
        plan.survivorship.check(&plan.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>())?;
        Ok(plan)
    }

    /// As [`GoldenPlan::new`], where survivorship may name fields that no source has (yet).
    pub fn lenient(layouts: Vec<SourceLayout>, survivorship: Survivorship) -> Result<Self> {
        let places = |role: Role| places(&layouts, role);
        let has = |places: &[Vec<usize>]| places.iter().any(|places| !places.is_empty());
        let (updated_at, created_at) = (places(Role::UpdatedAt), places(Role::CreatedAt));
        let mut columns = Vec::new();
        for role in Role::ALL {
            let places = places(*role);
            let kind = match role {
                Role::Source => Kind::Source,
                Role::ContactType => Kind::ContactType,
                _ => Kind::Role(*role),
            };
            let is_composed =
                *role == Role::FullName && [Role::GivenName, Role::FamilyName].iter().any(|part| has(&self::places(&layouts, *part)));
            if has(&places) || is_composed || matches!(kind, Kind::Source | Kind::ContactType) {
                let is_negated = layouts
                    .iter()
                    .zip(&places)
                    .map(|(layout, places)| places.iter().map(|place| consent::is_negated(&layout.columns[*place].name)).collect());
                columns.push(GoldenColumn {
                    name: role.name().to_owned(),
                    kind,
                    strategy: survivorship.strategy(role.name(), role.is_list()),
                    is_default: survivorship.is_default(role.name(), role.is_list()),
                    is_negated: is_negated.collect(),
                    places,
                });
            }
        }
        columns.extend(custom_columns(&layouts, &survivorship));
        let (contacts_schema, lineage_schema) = schemas(&columns);
        let (source, source_key, company) = (places(Role::Source), places(Role::SourceKey), places(Role::CompanyName));
        let of_person = [Role::FamilyName, Role::GivenName, Role::FullName, Role::BirthDate];
        let person = layouts.iter().map(|layout| of_person.iter().flat_map(|role| layout.places_of(*role)).collect()).collect();
        Ok(Self {
            columns,
            layouts,
            survivorship,
            updated_at,
            created_at,
            source,
            source_key,
            person,
            company,
            contacts_schema,
            lineage_schema,
        })
    }

    /// What a record without a contact type is by its names; `has` says whether a column holds something.
    fn contact_type(&self, layout: usize, has: impl Fn(usize) -> bool) -> Option<&'static str> {
        let any = |places: &[Vec<usize>]| places[layout].iter().any(|place| has(*place));
        if any(&self.person) {
            Some("person")
        } else if any(&self.company) {
            Some("company")
        } else {
            None
        }
    }

    /// Number of layouts.
    pub fn n_layouts(&self) -> usize {
        self.layouts.len()
    }

    fn uses(&self, strategy: Strategy) -> bool {
        self.columns.iter().any(|column| column.strategy == strategy)
    }

    /// The tables of the input.
    pub fn layouts(&self) -> &[SourceLayout] {
        &self.layouts
    }

    /// The schema of [`Golden::contacts`].
    pub fn contacts_schema(&self) -> SchemaRef {
        self.contacts_schema.clone()
    }

    /// The schema of [`Golden::lineage`].
    pub fn lineage_schema(&self) -> SchemaRef {
        self.lineage_schema.clone()
    }

    /// Builds the golden records of `contacts`; `locate` finds a record in `rows`.
    #[allow(clippy::too_many_arguments)]
    pub fn build(
        &self,
        contacts: Range<usize>,
        members: &Members,
        facts: RecordFacts<'_>,
        rows: &Rows,
        locate: &(dyn Fn(u32) -> RowRef + Sync),
        canonicalizer: &dyn Canonicalizer,
        control: &dyn Control,
    ) -> Result<Golden> {
        let records = members.of_range(contacts.clone());
        let refs: Vec<RowRef> = records.iter().map(|record| locate(*record)).collect();
        let mut ranges = Vec::with_capacity(contacts.len());
        let mut start = 0;
        for contact in contacts {
            let end = start + members.of(contact).len();
            ranges.push(start..end);
            start = end;
        }
        let precedence = Precedence::new(self, rows, records, &refs, &ranges, facts.ids, canonicalizer);
        let portion = Portion { plan: self, rows, canonicalizer, ids: facts.ids, records, refs, ranges, precedence };
        control.check()?;
        let built: Vec<(ArrayRef, ArrayRef)> = self
            .columns
            .par_iter()
            .map(|column| {
                control.check()?;
                Ok(build_column(&portion, column))
            })
            .collect::<Result<_>>()?;
        portion.assemble(built)
    }
}

impl Portion<'_> {
    /// The founding record's id.
    fn founder(&self, range: &Range<usize>) -> i64 {
        self.records[range.clone()].iter().map(|record| self.ids[*record as usize]).min().unwrap_or_default()
    }

    fn assemble(&self, built: Vec<(ArrayRef, ArrayRef)>) -> Result<Golden> {
        let n_contacts = self.ranges.len();
        let mut ids = StringBuilder::with_capacity(n_contacts, n_contacts * 14);
        let mut counts = Int32Builder::with_capacity(n_contacts);
        let mut lineage_ids = StringBuilder::new();
        for range in &self.ranges {
            let id = contact_id(self.founder(range));
            ids.append_value(id.as_str());
            counts.append_value(range.len() as i32);
            if range.len() > 1 {
                lineage_ids.append_value(id.as_str());
            }
        }
        let mut contacts: Vec<ArrayRef> = vec![Arc::new(ids.finish()), Arc::new(counts.finish())];
        let mut lineage: Vec<ArrayRef> = vec![Arc::new(lineage_ids.finish())];
        for (values, origins) in full_name::composed(self, built) {
            contacts.push(values);
            lineage.push(origins);
        }
        Ok(Golden {
            contacts: RecordBatch::try_new(self.plan.contacts_schema.clone(), contacts)?,
            lineage: RecordBatch::try_new(self.plan.lineage_schema.clone(), lineage)?,
        })
    }
}

/// Per layout the columns of a role.
fn places(layouts: &[SourceLayout], role: Role) -> Vec<Vec<usize>> {
    layouts.iter().map(|layout| layout.places_of(role)).collect()
}

/// Columns without a role, the same name in several sources being one.
fn custom_columns(layouts: &[SourceLayout], survivorship: &Survivorship) -> Vec<GoldenColumn> {
    let mut columns: Vec<GoldenColumn> = Vec::new();
    let mut place_of: HashMap<&str, usize> = HashMap::new();
    let custom = layouts.iter().flat_map(|layout| &layout.columns).filter(|column| column.role.is_none());
    let is_own = |name: &str| OWN_COLUMNS.contains(&name) || name.parse::<Role>().is_ok();
    let names = names_beside_own(custom.map(|column| column.name.as_str()), is_own);
    for (index, layout) in layouts.iter().enumerate() {
        for (place, column) in layout.columns.iter().enumerate().filter(|(_, column)| column.role.is_none()) {
            let at = *place_of.entry(&column.name).or_insert_with(|| {
                let name = names[column.name.as_str()].clone();
                columns.push(GoldenColumn {
                    strategy: survivorship.strategy(&name, false),
                    is_default: survivorship.is_default(&name, false),
                    name,
                    kind: Kind::Custom,
                    places: vec![Vec::new(); layouts.len()],
                    is_negated: Vec::new(),
                });
                columns.len() - 1
            });
            columns[at].places[index].push(place);
        }
    }
    columns
}

fn schemas(columns: &[GoldenColumn]) -> (SchemaRef, SchemaRef) {
    let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, true)));
    let mut contacts = vec![Field::new("contact_id", DataType::Utf8, false), Field::new("n_records", DataType::Int32, false)];
    let mut lineage = vec![Field::new("contact_id", DataType::Utf8, false)];
    for column in columns {
        let (value, origin) = match column.kind.is_list() {
            true => (list(DataType::Utf8), list(DataType::Int64)),
            false => (DataType::Utf8, DataType::Int64),
        };
        contacts.push(Field::new(&column.name, value, true));
        lineage.push(Field::new(&column.name, origin, true));
    }
    (Arc::new(Schema::new(contacts)), Arc::new(Schema::new(lineage)))
}
