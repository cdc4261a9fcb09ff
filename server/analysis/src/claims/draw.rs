//! Figures drawn from the same numbers that verdicts rest on.

use protocol::Network;
use protocol::claim_figure::{ClaimFigure, ClaimFigureName, Lines, Picture, Series};
use protocol::measure::{Scatter, ScatterPoint};
use protocol::quantity::{Axis, Quantity, Scale};
use rayon::prelude::*;

use super::evidence::SCALES;
use super::numbers::{Accuracies, Numbers, Values};
use crate::{INTERVAL_METHOD, mean, scatter};

/// The numbers, and what else figures state.
#[derive(Debug, Clone)]
pub struct Sheet<'n, 'a> {
    /// The numbers.
    pub numbers: &'n Numbers<'a>,
    /// The network of the runs; absent without a run.
    pub network: Option<Network>,
    /// Images of the clean test; absent while no run is trained.
    pub test_images: Option<u32>,
}

/// A quantity to plot against another: its axis and its values.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its axis.
    pub axis: Axis,
    /// One value per run.
    pub values: Values,
    /// Images behind each value.
    pub images: Option<u32>,
}

/// A figure.
pub fn figure(name: ClaimFigureName, scale: Option<Scale>, picture: Picture) -> ClaimFigure {
    ClaimFigure {
        name,
        scale,
        picture,
    }
}

/// The figure at each scale of an accuracy under perturbation.
pub fn at_each_scale(
    name: ClaimFigureName,
    picture: impl Fn(Scale) -> Picture,
) -> [ClaimFigure; 2] {
    SCALES.map(|scale| figure(name, Some(scale), picture(scale)))
}

impl Sheet<'_, '_> {
    /// The layers' names, from input to output.
    pub fn layers(&self) -> Vec<String> {
        let layers = self.network.map(Network::layers).unwrap_or_default();
        layers.into_iter().map(|layer| layer.name).collect()
    }

    /// Selectivity, as an axis with its values.
    pub fn selectivity(&self) -> Shown {
        Shown {
            axis: Quantity::Selectivity.axis(),
            values: self.numbers.selectivity(),
            images: self.test_images,
        }
    }

    /// Corruption accuracy, at a scale.
    pub fn corruption_axis(&self, accuracies: &Accuracies, scale: Scale) -> Shown {
        Shown {
            axis: Quantity::CORRUPTIONS.axis_on(scale),
            values: accuracies.on(scale).clone(),
            images: self.numbers.corruption_images(),
        }
    }

    /// One quantity against another: a point per run, and means over the seeds of each alpha. Conditions are left empty.
    pub fn scatter(&self, x: Shown, y: Shown) -> Scatter {
        let numbers = self.numbers;
        let value = |values: &Values, run: usize| values.get(run).copied().flatten();
        let points: Vec<ScatterPoint> = numbers
            .runs
            .iter()
            .enumerate()
            .filter_map(|(run, row)| {
                Some(ScatterPoint {
                    run_id: row.id,
                    alpha: row.alpha,
                    seed: row.seed,
                    x: value(&x.values, run)?,
                    y: value(&y.values, run)?,
                })
            })
            .collect();
        let (x, y) = ((x.axis, x.images), (y.axis, y.images));
        scatter::of_points(numbers.runs.len(), points, x, y)
    }

    /// One line per alpha: means over seeds, of the runs that have a value at every place.
    pub fn lines(
        &self,
        x: &str,
        places: Vec<String>,
        y: Axis,
        values: &[Option<Vec<f64>>],
    ) -> Lines {
        let numbers = self.numbers;
        let complete: Vec<(f64, &Vec<f64>)> = numbers
            .runs
            .iter()
            .zip(values)
            .filter_map(|(row, values)| Some((row.alpha, values.as_ref()?)))
            .collect();
        let series = numbers
            .alphas()
            .into_par_iter()
            .filter(|alpha| complete.iter().any(|(run_alpha, _)| run_alpha == alpha))
            .map(|alpha| {
                let at = |place: usize| {
                    let of_alpha = complete.iter().filter(|(run_alpha, _)| *run_alpha == alpha);
                    let at_place = of_alpha.filter_map(|(_, values)| values.get(place).copied());
                    mean(
                        &at_place
                            .filter(|value| value.is_finite())
                            .collect::<Vec<_>>(),
                    )
                };
                Series {
                    label: String::new(),
                    alpha: Some(alpha),
                    means: (0..places.len()).map(at).collect(),
                }
            })
            .collect();
        Lines {
            x: x.to_owned(),
            places,
            y: y.label(),
            y_axis: y,
            series,
            of: String::new(),
            images: None,
            incomplete_runs: (numbers.runs.len() - complete.len()) as u32,
            interval_method: INTERVAL_METHOD.into(),
        }
    }

    /// One line per alpha over the layers; `values` are by run and layer. A layer without a value in a run is left out of its
    /// alpha's mean.
    pub fn by_layer(&self, y: Axis, values: &[Option<Vec<Option<f64>>>]) -> Lines {
        // An absent value becomes NaN, which `lines` leaves out of the mean.
        let filled: Vec<Option<Vec<f64>>> = values
            .iter()
            .map(|layers| {
                let layers = layers.as_ref()?;
                Some(
                    layers
                        .iter()
                        .map(|value| value.unwrap_or(f64::NAN))
                        .collect(),
                )
            })
            .collect();
        self.lines(LAYER, self.layers(), y, &filled)
    }
}

/// The label of an axis of layers.
pub const LAYER: &str = "Layer, from input to output";
