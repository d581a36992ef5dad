//! Recognisers of written values, cheap and tolerant: they tell what a column holds, not whether a value is right.
mod dates;
mod lists;
mod net;
mod numbers;
mod places;
mod words;

pub use dates::date;
pub use lists::*;
pub use net::*;
pub use numbers::*;
pub use places::*;
pub use words::*;
