//! From conditions to one code per row: rows that fulfil the same conditions have the same code.
use std::sync::Mutex;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use crm_core::{Error, Result, TextColumn};
use hashbrown::HashMap;

use crate::events::Conditions;
use crate::grouping::INVISIBLE;
use crate::rules::{RuleEvaluator, Rules};

/// One condition of a text column: that it has one of some values.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The column.
    pub column: String,
    /// Its values.
    pub values: Vec<String>,
}

impl Condition {
    /// Reads `column = 'value'` and `column in ('a', 'b')`, the conditions most steps have; `None` for all others.
    ///
    /// ```
    /// use crm_funnel::Condition;
    /// assert_eq!(Condition::plain("name = 'visit'").unwrap().values, ["visit"]);
    /// assert!(Condition::plain("amount > 10").is_none());
    /// ```
    pub fn plain(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
        let (column, rest) = text.split_at(end);
        if column.is_empty() || column.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let rest = rest.trim_start();
        let (mut rest, list) = match rest.strip_prefix('=') {
            Some(rest) => (rest.trim(), false),
            None => {
                let (word, rest) = rest.split_at_checked(2)?;
                let rest = rest.trim_start().strip_prefix('(').filter(|_| word.eq_ignore_ascii_case("in"))?;
                (rest.trim_end().strip_suffix(')')?.trim(), true)
            }
        };
        let mut values = Vec::new();
        loop {
            rest = rest.strip_prefix('\'')?;
            let end = rest.find('\'')?;
            // A doubled quote stands for one: rare enough for the rule language.
            if rest[end + 1..].starts_with('\'') {
                return None;
            }
            values.push(rest[..end].to_owned());
            rest = rest[end + 1..].trim_start();
            match rest.strip_prefix(',') {
                Some(more) if list => rest = more.trim_start(),
                _ if rest.is_empty() => break,
                _ => return None,
            }
        }
        Some(Self { column: column.to_owned(), values })
    }
}

/// Gives each row its code.
pub struct Coder {
    /// Per column: which conditions each value fulfils.
    columns: Vec<(String, HashMap<String, Conditions>)>,
    rules: Option<Rules>,
    /// Rows that fulfil nothing: invisible, or a code of their own.
    sees_other_rows: bool,
    codes: Mutex<Codes>,
}

#[derive(Default)]
struct Codes {
    by_conditions: HashMap<Conditions, u8>,
    conditions: Vec<Conditions>,
}

impl Codes {
    fn code(&mut self, conditions: Conditions) -> Result<u8> {
        if let Some(&code) = self.by_conditions.get(&conditions) {
            return Ok(code);
        }
        let code = u8::try_from(self.conditions.len() + 1).map_err(|_| {
            Error::limit(
                "the steps and exclusions overlap in more than 255 ways in these rows; use fewer of them, or such that exclude each other",
            )
        })?;
        self.conditions.push(conditions);
        self.by_conditions.insert(conditions, code);
        Ok(code)
    }
}

impl Coder {
    /// A coder of numbered conditions, by plain values and by rules.
    pub fn new(conditions: Vec<(usize, Condition)>, rules: Option<Rules>, sees_other_rows: bool) -> Self {
        let mut columns: Vec<(String, HashMap<String, Conditions>)> = Vec::new();
        for (number, Condition { column, values }) in conditions {
            let at = columns.iter().position(|(name, _)| *name == column).unwrap_or_else(|| {
                columns.push((column, HashMap::new()));
                columns.len() - 1
            });
            for value in values {
                *columns[at].1.entry(value).or_default() |= 1 << number;
            }
        }
        Self { columns, rules, sees_other_rows, codes: Mutex::default() }
    }

    /// Gives the first `n` conditions the codes from 1 on, so that codes order as conditions do.
    pub fn number_in_order(&self, n: usize) -> Result<()> {
        (0..n).try_for_each(|number| self.code(1 << number).map(|_| ()))
    }

    /// Steps that are different values of one text column get the codes from 1 on; others are numbered as they are met.
    pub fn number_exclusive_steps(&self, n_steps: usize) -> Result<()> {
        match self.columns.as_slice() {
            [(_, values)] if !self.has_conditional_rules() && values.values().all(|conditions| conditions.count_ones() == 1) => {
                self.number_in_order(n_steps)
            }
            _ => Ok(()),
        }
    }

    /// What each code fulfils; code 0 is [`INVISIBLE`].
    pub fn conditions(&self) -> Vec<Conditions> {
        let codes = self.codes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::iter::once(0).chain(codes.conditions.iter().copied()).collect()
    }

    /// What gives codes to the rows of some batches.
    pub fn worker(&self) -> CodeWorker<'_> {
        CodeWorker { coder: self, rules: self.rules.as_ref().map(Rules::evaluator) }
    }

    /// The rules' expressions that could not be computed for some rows so far.
    pub fn failed(&self) -> Vec<String> {
        self.rules.as_ref().map_or_else(Vec::new, Rules::failed)
    }

    fn has_conditional_rules(&self) -> bool {
        self.rules.as_ref().is_some_and(Rules::has_conditions)
    }

    fn code(&self, conditions: Conditions) -> Result<u8> {
        if conditions == 0 && !self.sees_other_rows {
            return Ok(INVISIBLE);
        }
        self.codes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).code(conditions)
    }

    /// All conditions look at one column: a table from its values to codes.
    fn one_column(&self, array: &ArrayRef, name: &str, values: &HashMap<String, Conditions>) -> Result<Vec<u8>> {
        let of_text = |text: Option<&str>| self.code(text.and_then(|text| values.get(text)).copied().unwrap_or(0));
        let nothing = of_text(None)?;
        if let DataType::Dictionary(_, _) = array.data_type() {
            let dictionary = array.as_any_dictionary();
            let texts = TextColumn::new(name, dictionary.values())?;
            let table: Vec<u8> = (0..texts.len()).map(|row| of_text(texts.get(row))).collect::<Result<_>>()?;
            if table.is_empty() {
                return Ok(vec![nothing; array.len()]);
            }
            let mut codes: Vec<u8> = match array.as_dictionary_opt::<Int32Type>() {
                Some(array) => array.keys().values().iter().map(|&key| table.get(key as usize).copied().unwrap_or(nothing)).collect(),
                None => dictionary.normalized_keys().into_iter().map(|key| table[key]).collect(),
            };
            if let Some(nulls) = dictionary.keys().nulls() {
                codes.iter_mut().zip(nulls).filter(|(_, valid)| !valid).for_each(|(code, _)| *code = nothing);
            }
            return Ok(codes);
        }
        let texts = TextColumn::new(name, array)?;
        let known: HashMap<&str, u8> =
            values.iter().map(|(text, &conditions)| Ok((text.as_str(), self.code(conditions)?))).collect::<Result<_>>()?;
        Ok((0..texts.len()).map(|row| texts.get(row).and_then(|text| known.get(text)).copied().unwrap_or(nothing)).collect())
    }
}

/// Codes batch after batch, on one thread.
pub struct CodeWorker<'c> {
    coder: &'c Coder,
    rules: Option<RuleEvaluator<'c>>,
}

impl CodeWorker<'_> {
    /// The code of each row of `batch`, whose first two columns are the key and the time, and how many rows lack one of these.
    pub fn codes(&mut self, batch: &RecordBatch) -> Result<(Vec<u8>, u64)> {
        let mut codes = match self.coder.columns.as_slice() {
            [(name, values)] if !self.coder.has_conditional_rules() => {
                let mut codes = self.coder.one_column(column(batch, name)?, name, values)?;
                if let Some(rules) = &mut self.rules {
                    rules.evaluate(batch, &mut [], |row| codes[row] = INVISIBLE)?;
                }
                codes
            }
            _ => self.combined(batch)?,
        };
        let (keys, times) = (batch.column(0), batch.column(1));
        let mut n_absent = 0;
        if keys.null_count() > 0 || times.null_count() > 0 {
            for (_, code) in codes.iter_mut().enumerate().filter(|(row, _)| keys.is_null(*row) || times.is_null(*row)) {
                *code = INVISIBLE;
                n_absent += 1;
            }
        }
        Ok((codes, n_absent))
    }

    fn combined(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let mut fulfilled: Vec<Conditions> = vec![0; batch.num_rows()];
        for (name, values) in &self.coder.columns {
            let texts = TextColumn::new(name, column(batch, name)?)?;
            for (row, conditions) in fulfilled.iter_mut().enumerate() {
                *conditions |= texts.get(row).and_then(|text| values.get(text)).copied().unwrap_or(0);
            }
        }
        let mut dropped = Vec::new();
        if let Some(rules) = &mut self.rules {
            rules.evaluate(batch, &mut fulfilled, |row| dropped.push(row))?;
        }
        let mut last = (0, self.coder.code(0)?);
        let codes = fulfilled.into_iter().map(|conditions| {
            if conditions != last.0 {
                last = (conditions, self.coder.code(conditions)?);
            }
            Ok(last.1)
        });
        let mut codes = codes.collect::<Result<Vec<u8>>>()?;
        dropped.into_iter().for_each(|row| codes[row] = INVISIBLE);
        Ok(codes)
    }
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| {
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let nearest =
            crm_core::nearest_name(name, names.iter().copied()).map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        Error::schema(format!("there is no column '{name}'{nearest} The columns are {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_conditions_are_recognised() {
        let values = |text: &str| Condition::plain(text).map(|condition| (condition.column, condition.values));
        assert_eq!(values("name = 'visit'"), Some(("name".into(), vec!["visit".into()])));
        assert_eq!(values(" kind IN ('call', 'e-mail' )"), Some(("kind".into(), vec!["call".into(), "e-mail".into()])));
        for other in
            ["", "name", "name = 5", "name = 'it''s'", "name = 'a' or x = 'b'", "name in ('a'", "a > 'b'", "name = 'a',", "1a = 'b'"]
        {
            assert_eq!(values(other), None, "{other}");
        }
    }
}
