//! Workbooks as they come: the corpora, hostile files of our own making, and mutations, each read in a child process within limits.
mod build;
mod probe;

mod corpora;
mod hostile;
mod mutate;
mod texts;
mod values;
