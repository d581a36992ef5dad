//! Identity for the store of a base: ids of records and contacts, and values in the form that golden records show.
use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, StringArray};
use crm_core::{Error, Result, Role};
use crm_resolve::Conventions;
use crm_resolve::merge::{Canonicalizer, NormalCanonicalizer, contact_id, record_id_of_contact};
use crm_resolve::records::{Doubt, value::doubt_of};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use std::sync::Arc;

use crate::gate::gate;

/// The `record_id` of each (source, key); null where there is no key.
#[pyfunction]
pub fn record_ids(py: Python<'_>, sources: PyArray, keys: PyArray) -> PyResult<Py<PyAny>> {
    let ids = gate(py, None, |_| {
        let (sources, keys) = (texts(&sources)?, texts(&keys)?);
        if sources.len() != keys.len() {
            return Err(Error::internal("sources and keys must be of one length"));
        }
        let id = |(source, key): (Option<&str>, Option<&str>)| {
            let key = key.map(str::trim).filter(|key| !key.is_empty())?;
            Some(crm_core::record_id(source.unwrap_or_default(), key))
        };
        Ok(Arc::new(sources.iter().zip(keys.iter()).map(id).collect::<Int64Array>()) as ArrayRef)
    })?;
    to_pyarrow(py, ids)
}

/// The founding record of each `contact_id`; null where the text is none.
#[pyfunction]
pub fn founding_records(py: Python<'_>, contact_ids: PyArray) -> PyResult<Py<PyAny>> {
    let ids = gate(py, None, |_| {
        let mut ids = Int64Builder::new();
        texts(&contact_ids)?.iter().for_each(|text| ids.append_option(text.map(str::trim).and_then(record_id_of_contact)));
        Ok(Arc::new(ids.finish()) as ArrayRef)
    })?;
    to_pyarrow(py, ids)
}

/// The `contact_id` that each record would found.
#[pyfunction]
pub fn contact_ids(py: Python<'_>, record_ids: PyArray) -> PyResult<Py<PyAny>> {
    let ids = gate(py, None, |_| {
        let records = record_ids.array().as_primitive_opt::<Int64Type>();
        let records = records.ok_or_else(|| Error::internal("record ids must be int64"))?;
        let mut ids = StringBuilder::new();
        records.iter().for_each(|record| ids.append_option(record.map(|record| contact_id(record).as_str().to_owned())));
        Ok(Arc::new(ids.finish()) as ArrayRef)
    })?;
    to_pyarrow(py, ids)
}

/// Values of a role as golden records show them, a list per cell; null where a cell holds none. What cannot be read as such a value identifies
/// nobody and is left out.
#[pyfunction]
#[pyo3(signature = (role, values, phone_region=None))]
pub fn normal_values(py: Python<'_>, role: &str, values: PyArray, phone_region: Option<String>) -> PyResult<Py<PyAny>> {
    let lists = gate(py, None, |_| {
        let role: Role = role.parse()?;
        let canonicalizer = NormalCanonicalizer::new([&Conventions { phone_region, ..Conventions::default() }]);
        let mut lists = ListBuilder::new(StringBuilder::new());
        for text in texts(&values)?.iter() {
            let mut buffer = String::new();
            let normal = text.and_then(|text| canonicalizer.canonical(0, role, text, &mut buffer));
            let parts = normal.unwrap_or_default().split('\n').filter(|part| !part.is_empty());
            let mut is_filled = false;
            for part in parts.filter(|part| doubt_of(role, part) != Some(Doubt::Unreadable)) {
                lists.values().append_value(part);
                is_filled = true;
            }
            lists.append(is_filled);
        }
        Ok(Arc::new(lists.finish()) as ArrayRef)
    })?;
    to_pyarrow(py, lists)
}

fn texts(array: &PyArray) -> Result<StringArray> {
    let texts = array.array().as_string_opt::<i32>();
    texts.cloned().ok_or_else(|| Error::internal("texts must come as a string array"))
}

fn to_pyarrow(py: Python<'_>, array: ArrayRef) -> PyResult<Py<PyAny>> {
    Ok(PyArray::from_array_ref(array).to_pyarrow(py)?.unbind())
}
