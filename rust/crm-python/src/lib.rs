//! The native module `crm_engine._core`: every function converts its arguments, calls a pure crate behind [`gate::gate`], and converts back.
use pyo3::prelude::*;

mod audience;
mod base;
mod dedupe;
mod errors;
mod files;
mod funnel;
mod gate;
mod identity;
mod pool;
mod roles;
mod segment;
mod workbook;

#[global_allocator]
static ALLOCATOR: crm_memory::LargeOnHugePages = crm_memory::LargeOnHugePages;

/// The native half of crm_engine; use the public names of `crm_engine` instead.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::audience::{consents, contact_points, phone_region};
    #[pymodule_export]
    use super::base::cells::cells_of;
    #[pymodule_export]
    use super::base::{BaseChange, BaseIndex, BaseOutcome};
    #[pymodule_export]
    use super::dedupe::{DedupeOutcome, DedupeRun, GoldenReader, Reconciliation};
    #[pymodule_export]
    use super::files::{FileTable, open_file};
    #[pymodule_export]
    use super::funnel::{PipelineDeals, event_funnel, pipeline_funnel};
    #[pymodule_export]
    use super::identity::{contact_ids, founding_records, normal_values, record_ids};
    #[pymodule_export]
    use super::roles::{column_facts, detect_roles, list_roles, role_names, value_doubt};
    #[pymodule_export]
    use super::segment::{SegmentRun, rule_to_sql};
    #[pymodule_export]
    use super::workbook::{guard_formula, strip_formula_guard, write_csv, write_json_lines, write_workbook};
    #[pymodule_export]
    use super::{panic_for_test, parse_byte_size, version};
}

/// The version of the native module.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// A byte size as people write it (`2.5GiB`), in bytes.
#[pyfunction]
fn parse_byte_size(py: Python<'_>, text: &str) -> PyResult<u64> {
    crm_core::parse_byte_size(text).map_err(|error| errors::to_python(py, error))
}

/// Panics behind the gate, so that a test can see what becomes of it.
#[pyfunction(name = "_panic_for_test")]
fn panic_for_test(py: Python<'_>) -> PyResult<()> {
    gate::gate(py, None, |_| panic!("asked to"))
}
