//! Edges and the distance to them, as OpenCV finds them: `Canny` and `distanceTransform`.

use super::border;

/// tan(22.5 degrees), 15 bits after the point.
const TANGENT: i32 = 13573;

/// Where a plane `[height, width]` has edges (Canny 1986): gradients by Sobel's filter, their size as the sum of
/// both axes, thinned to the largest across the edge; those over `high`, and those over `low` connected to them.
pub(super) fn edges(plane: &[u8], height: usize, width: usize, low: i32, high: i32) -> Vec<bool> {
    let gradients = sobel(plane, height, width);
    let mut candidate = vec![false; plane.len()];
    let mut is_edge = vec![false; plane.len()];
    let mut open = Vec::new();
    for place in 0..plane.len() {
        let size = magnitude(gradients[place]);
        candidate[place] = size > low && is_ridge(&gradients, height, width, place);
        if candidate[place] && size > high {
            is_edge[place] = true;
            open.push(place);
        }
    }
    while let Some(place) = open.pop() {
        for neighbour in neighbours(place, height, width) {
            if candidate[neighbour] && !is_edge[neighbour] {
                is_edge[neighbour] = true;
                open.push(neighbour);
            }
        }
    }
    is_edge
}

/// The places around a place, without those outside.
fn neighbours(place: usize, height: usize, width: usize) -> impl Iterator<Item = usize> {
    let (y, x) = (place / width, place % width);
    let rows = y.saturating_sub(1)..(y + 2).min(height);
    let columns = x.saturating_sub(1)..(x + 2).min(width);
    rows.flat_map(move |y| columns.clone().map(move |x| y * width + x))
}

/// Gradients along x and y, edge pixels repeated.
fn sobel(plane: &[u8], height: usize, width: usize) -> Vec<(i32, i32)> {
    let row = |y: isize| &plane[border::nearest(y, height) * width..][..width];
    let mut gradients = Vec::with_capacity(plane.len());
    for y in 0..height as isize {
        let rows = [row(y - 1), row(y), row(y + 1)];
        let at = |down: usize, x: isize| i32::from(rows[down][border::nearest(x, width)]);
        for x in 0..width as isize {
            let across = |down: usize| at(down, x + 1) - at(down, x - 1);
            let sum = |down: usize| at(down, x - 1) + 2 * at(down, x) + at(down, x + 1);
            gradients.push((across(0) + 2 * across(1) + across(2), sum(2) - sum(0)));
        }
    }
    gradients
}

/// A gradient's size.
fn magnitude((x, y): (i32, i32)) -> i32 {
    x.abs() + y.abs()
}

/// Whether the gradient at a place is the largest among its two neighbours in its direction.
fn is_ridge(gradients: &[(i32, i32)], height: usize, width: usize, place: usize) -> bool {
    let at = |down: isize, right: isize| {
        let y = (place / width) as isize + down;
        let x = (place % width) as isize + right;
        let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
        if inside {
            magnitude(gradients[y as usize * width + x as usize])
        } else {
            0
        }
    };
    let (x, y) = gradients[place];
    let size = magnitude((x, y));
    let steep = y.abs() << 15;
    let flat = x.abs() * TANGENT;
    if steep < flat {
        size > at(0, -1) && size >= at(0, 1)
    } else if steep > flat + (x.abs() << 16) {
        size > at(-1, 0) && size >= at(1, 0)
    } else {
        let slant = if (x ^ y) < 0 { -1 } else { 1 };
        size > at(-1, -slant) && size > at(1, slant)
    }
}

/// Costs of a step straight, diagonal, and of a knight's move (Borgefors 1986), 16 bits after the point.
const COSTS: [u32; 3] = [65536, 91750, 143976];

/// The ways to the 5x5 neighbours that lie before a place in reading order: rows down, columns right, cost.
const WAYS: [(isize, isize, u32); 8] = [
    (-2, -1, COSTS[2]),
    (-2, 1, COSTS[2]),
    (-1, -2, COSTS[2]),
    (-1, -1, COSTS[1]),
    (-1, 0, COSTS[0]),
    (-1, 1, COSTS[1]),
    (-1, 2, COSTS[2]),
    (0, -1, COSTS[0]),
];

/// Pixels from each place `[height, width]` to the nearest edge, within 2 %; more than 8000 where there is none.
pub(super) fn distances(edges: &[bool], height: usize, width: usize) -> Vec<f32> {
    const FAR: u32 = u32::MAX >> 3;
    let mut costs: Vec<u32> = edges
        .iter()
        .map(|&edge| if edge { 0 } else { FAR })
        .collect();
    for place in 0..costs.len() {
        costs[place] = cheapest(&costs, height, width, place, 1);
    }
    for place in (0..costs.len()).rev() {
        costs[place] = cheapest(&costs, height, width, place, -1);
    }
    costs
        .into_iter()
        .map(|cost| cost as f32 / 65536.0)
        .collect()
}

/// The least of a place's cost and the costs by way of its neighbours before it (`side` 1) or after it (-1).
fn cheapest(costs: &[u32], height: usize, width: usize, place: usize, side: isize) -> u32 {
    let (y, x) = ((place / width) as isize, (place % width) as isize);
    let mut best = costs[place];
    for (down, right, cost) in WAYS {
        let (y, x) = (y + side * down, x + side * right);
        if (0..height as isize).contains(&y) && (0..width as isize).contains(&x) {
            best = best.min(costs[y as usize * width + x as usize] + cost);
        }
    }
    best
}
