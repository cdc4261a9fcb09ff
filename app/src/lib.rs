//! Selectivity Lab's dashboard.
