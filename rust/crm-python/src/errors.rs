//! How a [`crm_core::Error`] becomes one of the exceptions of `crm_engine.errors`.
use crm_core::{Error, ErrorKind};
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Turns an error into the exception that its kind names.
pub fn to_python(py: Python<'_>, error: Error) -> PyErr {
    let message = error.message().to_owned();
    match error.kind() {
        ErrorKind::Interrupted => PyKeyboardInterrupt::new_err(()),
        ErrorKind::Os { errno, path } => match errno {
            // OSError(errno, text, path) makes Python choose the subclass: FileNotFoundError, PermissionError, ...
            Some(errno) => PyOSError::new_err((*errno, os_text(&message, path.as_deref()), path.clone())),
            None => PyOSError::new_err(message),
        },
        ErrorKind::Rule { line, column, nearest } => raise(
            py,
            "RuleError",
            &message,
            &[("line", Value::Number(Some(*line))), ("column", Value::Number(Some(*column))), ("nearest", Value::Text(nearest.clone()))],
        ),
        ErrorKind::FileFormat { file, row, column } => raise(
            py,
            "FileFormatError",
            &message,
            &[("file", Value::Text(file.clone())), ("row", Value::Number(*row)), ("column", Value::Text(column.clone()))],
        ),
        ErrorKind::Config => raise(py, "ConfigError", &message, &[]),
        ErrorKind::Schema => raise(py, "SchemaError", &message, &[]),
        ErrorKind::Store => raise(py, "StoreError", &message, &[]),
        ErrorKind::Locked => raise(py, "LockedError", &message, &[]),
        ErrorKind::Limit => raise(py, "LimitError", &message, &[]),
        _ => raise(py, "InternalError", &message, &[]),
    }
}

enum Value {
    Number(Option<u64>),
    Text(Option<String>),
}

fn raise(py: Python<'_>, name: &str, message: &str, details: &[(&str, Value)]) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let keywords = PyDict::new(py);
        for (key, value) in details {
            match value {
                Value::Number(number) => keywords.set_item(key, *number)?,
                Value::Text(text) => keywords.set_item(key, text.as_deref())?,
            }
        }
        let class = py.import("crm_engine.errors")?.getattr(name)?;
        Ok(PyErr::from_value(class.call((message,), Some(&keywords))?))
    };
    build().unwrap_or_else(|failure| failure)
}

/// Rust's "path: text (os error 2)" without what Python adds itself.
fn os_text(message: &str, path: Option<&str>) -> String {
    let text = path.and_then(|path| message.strip_prefix(path)).map_or(message, |rest| rest.trim_start_matches(": "));
    text.split(" (os error").next().unwrap_or(text).to_owned()
}
