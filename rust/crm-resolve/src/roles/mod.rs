//! What the columns of a table mean: found from the header words and from the values together, and settled for all columns at once.
//!
//! - [`header_evidence`] reads a header: words of eight languages and the exact headers of the usual CRMs, in `words/`.
//! - [`value_evidence`] looks at the values: which share are e-mail addresses, telephones, dates of birth, valid tax ids, names, ...
//! - [`detect`] adds both up as log-odds per column and role, and gives every role to the columns that speak most strongly for it.
//!
//! A column without a role stays a custom field. A column that only counts rows is named by [`Detection::row_counters`]: it says nothing
//! about who a record is.
mod assign;
mod facts;
mod header;
mod shapes;
#[cfg(test)]
mod tests;
mod validity;
mod values;
mod weigh;

use arrow_array::RecordBatch;
use crm_core::{Result, Role, TextColumn};
use serde::Serialize;

pub use facts::{ColumnFacts, DateOrders, FactsBuilder};
pub use header::{HeaderEvidence, header_evidence};
pub use values::{ValueEvidence, value_evidence};

/// Rows that are looked at, at most; of more, every n-th is.
const SAMPLED_ROWS: usize = 20_000;

/// The roles found, and why.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Detection {
    /// One per column, in the order of the table.
    pub columns: Vec<DetectedColumn>,
}

/// What was found out about a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectedColumn {
    /// The column's name.
    pub column: String,
    /// Its role; `None` keeps it as a custom field.
    #[serde(serialize_with = "role_name")]
    pub role: Option<Role>,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// Whether it only counts rows.
    pub counts_rows: bool,
    /// Whether it has no role and other rows might show one: it is empty, or does not hold what its header promises.
    pub is_open: bool,
}

fn role_name<S: serde::Serializer>(role: &Option<Role>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    role.map(Role::name).serialize(serializer)
}

impl Detection {
    /// Columns that count rows: they must take no part in matching.
    pub fn row_counters(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|column| column.counts_rows).map(|column| column.column.as_str())
    }
}

/// Finds the roles of a table's columns from their names and the rows of `batches`, which all have these columns as text.
pub fn detect(names: &[String], batches: &[RecordBatch]) -> Result<Detection> {
    let n_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let step = n_rows.div_ceil(SAMPLED_ROWS).max(1);
    let mut evidence = Vec::with_capacity(names.len());
    for (place, name) in names.iter().enumerate() {
        let columns = batches.iter().map(|batch| TextColumn::new(name, batch.column(place))).collect::<Result<Vec<TextColumn>>>()?;
        let cells = columns.iter().flat_map(|column| (0..column.len()).map(move |row| column.get(row)));
        let values = if step == 1 {
            value_evidence(cells)
        } else {
            // Whether rows are counted shows only in neighbours.
            let ValueEvidence { counts_rows, counts_up, .. } = value_evidence(cells.clone().take(1_000));
            ValueEvidence { counts_rows, counts_up, ..value_evidence(cells.step_by(step)) }
        };
        let header = header_evidence(name);
        // Of a list in parts a later part begins with another number; then the header tells ("№ п/п").
        let counts_rows = values.counts_rows || (values.counts_up && header.no_role);
        evidence.push((header, ValueEvidence { counts_rows, ..values }));
    }
    Ok(settle(names, &evidence))
}

/// Weights of one column for one role, and what the values gave as a reason.
#[derive(Debug, Clone, Default)]
struct Claim {
    weight: f64,
    reason: Option<String>,
}

fn settle(names: &[String], evidence: &[(HeaderEvidence, ValueEvidence)]) -> Detection {
    let mut claims: Vec<Vec<Claim>> = evidence.iter().map(|(header, values)| claims_of(header, values)).collect();
    favour_fuller(evidence, &mut claims);
    favour_parts_of_address(evidence, &mut claims);
    favour_main_address(evidence, &mut claims);
    favour_neighbours(&mut claims);
    favour_neighbours_of_family_names(evidence, &mut claims);
    favour_neighbours_of_streets(evidence, &mut claims);
    let single: Vec<usize> = (0..Role::ALL.len()).filter(|place| !takes_several(Role::ALL[*place])).collect();
    let many: Vec<usize> = (0..Role::ALL.len()).filter(|place| takes_several(Role::ALL[*place])).collect();
    let mut roles: Vec<Option<usize>> = vec![None; names.len()];
    // Roles of several columns take what is more theirs than any other role's; the rest is an assignment.
    for (column, claims) in claims.iter().enumerate() {
        let best = |places: &[usize]| places.iter().copied().max_by(|a, b| claims[*a].weight.total_cmp(&claims[*b].weight));
        if let (Some(one), Some(several)) = (best(&single), best(&many))
            && claims[several].weight > 0.0
            && claims[several].weight >= claims[one].weight
        {
            roles[column] = Some(several);
        }
    }
    let gain: Vec<Vec<f64>> = single
        .iter()
        .map(|role| {
            claims.iter().enumerate().map(|(column, claims)| if roles[column].is_some() { -1.0 } else { claims[*role].weight }).collect()
        })
        .collect();
    for (role, column) in assign::best_assignment(&gain).into_iter().enumerate() {
        if let Some(column) = column {
            roles[column] = Some(single[role]);
        }
    }
    let is_taken = |role: Role| roles.contains(&Some(place(role)));
    let columns =
        names.iter().enumerate().map(|(column, name)| describe(name, &evidence[column], &claims[column], roles[column], is_taken));
    Detection { columns: columns.collect() }
}

/// Whether a role may be spread over several columns: lists, and the parts of a street.
pub fn takes_several(role: Role) -> bool {
    role.is_list() || matches!(role, Role::Street | Role::Note)
}

fn claims_of(header: &HeaderEvidence, values: &ValueEvidence) -> Vec<Claim> {
    let claim = |role: &Role| {
        let header_says = header.roles.iter().any(|(known, _)| known == role);
        let (by_values, reason) = weigh::value_weight(*role, values, header_says);
        let mut weight = weigh::header_weight(*role, header, weigh::is_evident(*role, values)) + by_values;
        if header_says && values.n_rows > 0 {
            // Of two columns for one role the fuller one serves better.
            weight += 0.6 * (values.fill() - 1.0) + if values.n_filled == 0 { -0.5 } else { 0.0 };
        }
        // What counts up is nobody's telephone, postcode or tax id.
        if values.counts_up && !(header_says && matches!(role, Role::SourceKey)) {
            weight = weight.min(-1.0);
        }
        Claim { weight, reason }
    };
    Role::ALL.iter().map(claim).collect()
}

/// Of two columns whose headers name one role the much fuller one has it, whatever the values of the other: a second given name is not the
/// given name, though all lists know it.
fn favour_fuller(evidence: &[(HeaderEvidence, ValueEvidence)], claims: &mut [Vec<Claim>]) {
    let is_named = |column: usize, role: Role| evidence[column].0.roles.iter().any(|(known, _)| *known == role);
    let n_filled = |column: usize| evidence[column].1.n_filled;
    for role in Role::ALL.iter().copied().filter(|role| !takes_several(*role)) {
        let at = place(role);
        let named: Vec<usize> = (0..claims.len()).filter(|column| is_named(*column, role) && claims[*column][at].weight > 0.5).collect();
        let Some(fullest) = named.iter().copied().max_by_key(|column| (n_filled(*column), std::cmp::Reverse(*column))) else { continue };
        let most = claims[fullest][at].weight - 0.5;
        for column in named.into_iter().filter(|column| n_filled(*column) * 2 <= n_filled(fullest)) {
            let claim = &mut claims[column][at];
            claim.weight = claim.weight.min(most);
        }
    }
}

const ADDRESS: [Role; 5] = [Role::Street, Role::City, Role::Postcode, Role::Region, Role::Country];

/// Where a table has an address's parts, the same address in one cell would only repeat them.
fn favour_parts_of_address(evidence: &[(HeaderEvidence, ValueEvidence)], claims: &mut [Vec<Claim>]) {
    let names = |column: usize, role: Role| evidence[column].0.roles.first().is_some_and(|(known, _)| *known == role);
    let (whole, parts): (Vec<usize>, Vec<usize>) = (0..claims.len()).partition(|column| evidence[*column].0.all_parts);
    for column in whole.into_iter().filter(|column| names(*column, Role::Street)) {
        let beside = |role: Role| {
            parts.iter().any(|part| {
                let values = &evidence[*part].1;
                names(*part, role) && (values.n_rows == 0 || values.n_filled * 10 >= evidence[column].1.n_filled * 9)
            })
        };
        if beside(Role::Street) && (beside(Role::City) || beside(Role::Postcode)) {
            let reason = Some("the table has the address in parts as well".to_owned());
            claims[column][place(Role::Street)] = Claim { weight: -1.0, reason };
        }
    }
}

/// Of several addresses (billing and shipping, home and work) the fullest is the contact's: their parts must not be mixed.
fn favour_main_address(evidence: &[(HeaderEvidence, ValueEvidence)], claims: &mut [Vec<Claim>]) {
    let is_address = |column: usize| {
        let header = &evidence[column].0;
        header.whole && header.roles.first().is_some_and(|(role, _)| ADDRESS.contains(role))
    };
    let mut groups: Vec<(&str, f64, usize)> = Vec::new();
    for (column, (header, values)) in evidence.iter().enumerate().filter(|(column, _)| is_address(*column)) {
        let fill = if values.n_rows == 0 { 1.0 } else { values.fill() };
        match groups.iter_mut().find(|(group, ..)| *group == header.group) {
            Some(group) => group.1 += fill,
            None => groups.push((&header.group, fill, column)),
        }
    }
    if groups.len() < 2 {
        return;
    }
    groups.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.2.cmp(&b.2)));
    let main = groups[0].0.to_owned();
    for (column, claims) in claims.iter_mut().enumerate() {
        let header = &evidence[column].0;
        if !is_address(column) || header.group == main {
            continue;
        }
        for role in ADDRESS {
            let in_main = evidence
                .iter()
                .enumerate()
                .any(|(other, (header, _))| is_address(other) && header.group == main && header.roles[0].0 == role);
            if in_main {
                let claim = &mut claims[place(role)];
                if claim.weight > -0.5 {
                    let reason = Some("another address of the table is fuller".to_owned());
                    *claim = Claim { weight: -0.5, reason };
                }
            }
        }
    }
}

/// Names stand beside each other: a column of single words next to given names holds family names.
fn favour_neighbours(claims: &mut [Vec<Claim>]) {
    let given: Vec<usize> = (0..claims.len()).filter(|column| claims[*column][place(Role::GivenName)].weight > 0.5).collect();
    let family = place(Role::FamilyName);
    if given.is_empty() || claims.iter().any(|claims| claims[family].weight > 0.5) {
        return;
    }
    for column in given {
        let last = claims.len() - 1;
        for neighbour in [column.checked_sub(1), (column < last).then_some(column + 1)].into_iter().flatten() {
            if claims[neighbour][family].weight > -1.5 {
                claims[neighbour][family].weight += 2.5;
                claims[neighbour][family].reason = Some("single words of letters beside a column of given names".to_owned());
            }
        }
    }
}

/// Where nothing else holds given names or whole ones, single words beside the family names are given names, though no list knows them.
fn favour_neighbours_of_family_names(evidence: &[(HeaderEvidence, ValueEvidence)], claims: &mut [Vec<Claim>]) {
    let is_claimed = |role: Role| claims.iter().any(|claims| claims[place(role)].weight > 0.5);
    let Some(family) = (0..claims.len()).find(|column| claims[*column][place(Role::FamilyName)].weight > 0.5) else { return };
    if is_claimed(Role::GivenName) || is_claimed(Role::FullName) {
        return;
    }
    let fits = |column: &usize| {
        let (header, values) = &evidence[*column];
        let is_open = !header.no_role && claims[*column].iter().all(|claim| claim.weight <= 0.5);
        let is_closed = values.city > 0.25 || values.job_title > 0.1 || values.country.max(values.language).max(values.region) > 0.3;
        is_open && !is_closed && values.one_word > 0.8 && values.n_distinct >= 8 && values.distinct() > 0.02 && values.patronymic < 0.1
    };
    let beside = [family.checked_sub(1), Some(family + 1).filter(|column| *column < claims.len())];
    if let Some(column) = beside.into_iter().flatten().find(fits) {
        let reason = Some("single words of letters beside a column of family names".to_owned());
        claims[column][place(Role::GivenName)] = Claim { weight: 1.0, reason };
    }
}

/// The columns after a street hold its town and postcode, where their headers say nothing and no other column claims to.
fn favour_neighbours_of_streets(evidence: &[(HeaderEvidence, ValueEvidence)], claims: &mut [Vec<Claim>]) {
    let is_claimed = |claims: &[Vec<Claim>], role: Role| claims.iter().any(|claims| claims[place(role)].weight > 0.5);
    let Some(street) = (0..claims.len()).find(|column| claims[*column][place(Role::Street)].weight > 0.5) else { return };
    let is_town = |values: &ValueEvidence| {
        values.letters > 0.9 && values.given_name < 0.15 && values.full_name < 0.4 && values.n_distinct >= 8 && values.legal_form < 0.1
    };
    let is_postcode = |values: &ValueEvidence| values.postcode > 0.9 && !values.counts_up && values.n_distinct >= 8;
    for (role, fits, reason) in [
        (Role::City, &is_town as &dyn Fn(&ValueEvidence) -> bool, "words of letters beside a column of streets"),
        (Role::Postcode, &is_postcode, "possible postcodes beside a column of streets"),
    ] {
        if is_claimed(claims, role) {
            continue;
        }
        let near = (street + 1..claims.len().min(street + 4)).chain(street.saturating_sub(3)..street);
        for column in near {
            let (header, values) = &evidence[column];
            let is_open = header.roles.is_empty() && !header.no_role && claims[column].iter().all(|claim| claim.weight <= 0.5);
            if is_open && fits(values) {
                claims[column][place(role)] = Claim { weight: 1.0, reason: Some(reason.to_owned()) };
                break;
            }
        }
    }
}

fn place(role: Role) -> usize {
    Role::ALL.iter().position(|known| *known == role).unwrap_or(0)
}

fn describe(
    name: &str,
    (header, values): &(HeaderEvidence, ValueEvidence),
    claims: &[Claim],
    role: Option<usize>,
    is_taken: impl Fn(Role) -> bool,
) -> DetectedColumn {
    let mut reasons = Vec::new();
    let probability = |weight: f64| 1.0 / (1.0 + (-weight).exp());
    // A header such as `id` claims its column even where it counts: many systems number their records.
    let counts_rows = values.counts_rows && role.is_none();
    let Some(role) = role else {
        let best = (0..claims.len()).max_by(|a, b| claims[*a].weight.total_cmp(&claims[*b].weight)).unwrap_or(0);
        if counts_rows {
            reasons.push("it counts the rows, which says nothing about a contact".to_owned());
        } else if header.no_role {
            reasons.push("the header names something that is no role; kept as a custom field".to_owned());
        } else if let Some((hinted, _)) = header.roles.first() {
            let why = claims[place(*hinted)].reason.clone().filter(|_| claims[place(*hinted)].weight <= 0.0);
            reasons.push(match why {
                Some(why) => format!("the header suggests {hinted}, but {why}"),
                None if is_taken(*hinted) => format!("the header suggests {hinted}, which another column holds better"),
                None => format!("the header suggests {hinted}, but too faintly without the values showing it"),
            });
        } else {
            reasons.push("neither header nor values fit a role; kept as a custom field".to_owned());
        }
        let confidence = 1.0 - probability(claims[best].weight.min(0.0));
        let is_open = !counts_rows && !header.no_role && (values.n_filled == 0 || !header.roles.is_empty());
        return DetectedColumn { column: name.to_owned(), role: None, confidence: rounded(confidence), reasons, counts_rows, is_open };
    };
    let claim = &claims[role];
    if let Some((..)) = header.roles.iter().find(|(known, _)| *known == Role::ALL[role]) {
        let same = header::fold(&header.matched).concat() == header::fold(name).concat();
        reasons.push(match (header.whole, same) {
            (true, true) => "by its header".to_owned(),
            (true, false) => format!("the header says '{}'", header.matched),
            _ => format!("the header contains '{}'", header.matched),
        });
    } else if header.unhelpful {
        reasons.push("the header says nothing".to_owned());
    }
    reasons.extend(claim.reason.clone());
    DetectedColumn {
        column: name.to_owned(),
        role: Some(Role::ALL[role]),
        confidence: rounded(probability(claim.weight)),
        reasons,
        counts_rows,
        is_open: false,
    }
}

fn rounded(confidence: f64) -> f64 {
    (confidence * 1000.0).round() / 1000.0
}
