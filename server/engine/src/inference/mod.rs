//! Networks in inference mode: their outputs on clean images, and how each unit's response changes with the image.
//! Attacks have a folder of their own, [`attacks`](crate::attacks).

pub mod batch;
pub mod clean_performance;
pub mod unit_gradients;
