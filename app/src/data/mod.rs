//! Where a page's data come from, and where what it shows is kept.

pub mod address;
