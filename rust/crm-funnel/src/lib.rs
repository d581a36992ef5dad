//! Pipeline and event funnels over Arrow batches; steps are rules.
#![warn(missing_docs)]
