//! What an audience needs of contacts: comparable addresses and telephones, and consent in the words of exports.
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, BooleanArray, UInt32Array};
use crm_core::{Error, Result, TextColumn};
use crm_resolve::merge::{parse_consent, says_opt_out};
use crm_resolve::normalize::{Email, Region, infer_phone_region, parse_email, parse_phone, split_emails, split_phones};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;

use crate::gate::gate;

/// The mailboxes (`role` is `email`) or E.164 numbers (`phone`) in the cells of a text column: for each its row and the key, as two arrays.
#[pyfunction]
#[pyo3(signature = (values, role, region=None))]
pub fn contact_points(py: Python<'_>, values: PyArray, role: &str, region: Option<&str>) -> PyResult<(Py<PyAny>, Py<PyAny>)> {
    let (values, _) = values.into_inner();
    let (rows, keys) = gate(py, None, |_| {
        let column = TextColumn::new(role, &values)?;
        let region = region.and_then(Region::new);
        let (mut rows, mut keys, mut email) = (Vec::new(), StringBuilder::new(), Email::default());
        for row in 0..column.len() {
            let Some(cell) = column.get(row) else { continue };
            if role == "email" {
                for part in split_emails(cell) {
                    if parse_email(part, &mut email).is_ok() {
                        rows.push(row as u32);
                        keys.append_value(&email.mailbox);
                    }
                }
            } else if role == "phone" {
                for part in split_phones(cell) {
                    if let Ok(phone) = parse_phone(part, region) {
                        rows.push(row as u32);
                        keys.append_value(phone.e164());
                    }
                }
            } else {
                return Err(Error::config("contact points are of the role email or phone"));
            }
        }
        Ok((Arc::new(UInt32Array::from(rows)) as ArrayRef, Arc::new(keys.finish()) as ArrayRef))
    })?;
    let to_python = |array: ArrayRef| -> PyResult<Py<PyAny>> { Ok(PyArray::from_array_ref(array).to_pyarrow(py)?.unbind()) };
    Ok((to_python(rows)?, to_python(keys)?))
}

/// The region in which telephone numbers without a country code are most likely to be read.
#[pyfunction]
pub fn phone_region(py: Python<'_>, values: PyArray) -> PyResult<Option<String>> {
    let (values, _) = values.into_inner();
    gate(py, None, |_| {
        let column = TextColumn::new("phone", &values)?;
        Ok(infer_phone_region((0..column.len()).filter_map(|row| column.get(row))).map(|guess| guess.region.as_str().to_owned()))
    })
}

/// Per cell whether it gives consent, refuses it, or says neither (null); `column` is the header, which may say who does *not* consent.
#[pyfunction]
pub fn consents(py: Python<'_>, values: PyArray, column: &str) -> PyResult<Py<PyAny>> {
    let (values, _) = values.into_inner();
    let found = gate(py, None, |_| -> Result<BooleanArray> {
        let texts = TextColumn::new(column, &values)?;
        let is_negated = says_opt_out(column);
        Ok((0..texts.len()).map(|row| texts.get(row).and_then(|text| parse_consent(text, is_negated))).collect())
    })?;
    Ok(PyArray::from_array_ref(Arc::new(found)).to_pyarrow(py)?.unbind())
}
