//! Every parameter of both published tables against `corruptions.md` of the shared folder, which has them from the
//! benchmark's generator. Where the file is not there the test says `skipped`.

use std::path::PathBuf;

use protocol::corruption::{Corruption, SEVERITIES};

use super::super::{
    brightness, contrast, defocus_blur, elastic_transform, fog, frost, frost_texture,
    gaussian_blur, gaussian_noise, glass_blur, impulse_noise, jpeg_compression, motion_blur,
    pixelate, saturate, shot_noise, snow, spatter, speckle_noise, zoom_blur,
};

/// One corruption's parameters in one table: for each severity its values in the published order. `f32` holds every
/// published decimal apart from its neighbours, whatever type the code computes in.
type Rows = Vec<Vec<f32>>;

/// A severity's parameters, in the published order.
trait Row {
    fn values(self) -> Vec<f32>;
}

impl Row for f64 {
    fn values(self) -> Vec<f32> {
        vec![self as f32]
    }
}

impl Row for i32 {
    fn values(self) -> Vec<f32> {
        vec![self as f32]
    }
}

impl Row for (f64, f64) {
    fn values(self) -> Vec<f32> {
        vec![self.0 as f32, self.1 as f32]
    }
}

impl Row for (f32, f64) {
    fn values(self) -> Vec<f32> {
        vec![self.0, self.1 as f32]
    }
}

impl Row for (f64, f64, f64) {
    fn values(self) -> Vec<f32> {
        [self.0, self.1, self.2].map(|value| value as f32).to_vec()
    }
}

impl Row for (f64, usize, usize) {
    fn values(self) -> Vec<f32> {
        vec![self.0 as f32, self.1 as f32, self.2 as f32]
    }
}

impl Row for snow::Snowfall {
    fn values(self) -> Vec<f32> {
        let mut row = [self.mean, self.deviation, self.zoom, self.threshold]
            .map(|value| value as f32)
            .to_vec();
        row.extend([self.radius as f32, self.sigma as f32, self.blend]);
        row
    }
}

impl Row for spatter::Drops {
    fn values(self) -> Vec<f32> {
        [
            self.mean,
            self.deviation,
            self.smoothing,
            self.threshold,
            self.finish,
        ]
        .map(|value| value as f32)
        .to_vec()
    }
}

fn rows<T: Row>(table: [T; 5]) -> Rows {
    table.into_iter().map(Row::values).collect()
}

/// The parameters that the code uses: CIFAR10-C's, then Tiny ImageNet-C's.
fn in_code(corruption: Corruption) -> [Rows; 2] {
    macro_rules! tables {
        ($module:ident) => {
            [rows($module::CIFAR10), rows($module::TINY_IMAGENET)]
        };
    }
    match corruption {
        Corruption::GaussianNoise => tables!(gaussian_noise),
        Corruption::ShotNoise => tables!(shot_noise),
        Corruption::ImpulseNoise => tables!(impulse_noise),
        Corruption::DefocusBlur => tables!(defocus_blur),
        Corruption::GlassBlur => tables!(glass_blur),
        Corruption::MotionBlur => tables!(motion_blur),
        Corruption::ZoomBlur => tables!(zoom_blur),
        Corruption::Snow => tables!(snow),
        Corruption::Frost => tables!(frost),
        Corruption::Fog => tables!(fog),
        Corruption::Brightness => tables!(brightness),
        Corruption::Contrast => tables!(contrast),
        Corruption::ElasticTransform => tables!(elastic_transform),
        Corruption::Pixelate => tables!(pixelate),
        Corruption::JpegCompression => tables!(jpeg_compression),
        Corruption::SpeckleNoise => tables!(speckle_noise),
        Corruption::GaussianBlur => tables!(gaussian_blur),
        Corruption::Spatter => tables!(spatter),
        Corruption::Saturate => tables!(saturate),
    }
}

/// The numbers of a text that is nothing but numbers between blanks and commas.
fn numbers(text: &str) -> Vec<f32> {
    text.split([' ', ','])
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse()
                .unwrap_or_else(|_| panic!("`{part}` of `{text}` is no number"))
        })
        .collect()
}

/// Five severities of a cell such as `.04 .06 .08 .09 .10` or `(r,a): (.3,.4) (.4,.5) …`.
fn severities(cell: &str) -> Rows {
    let cell = cell.rsplit_once(':').map_or(cell, |(_, values)| values);
    if !cell.contains('(') {
        return numbers(cell).into_iter().map(|value| vec![value]).collect();
    }
    cell.split('(')
        .skip(1)
        .map(|row| numbers(row.split_once(')').expect("a bracket is closed").0))
        .collect()
}

/// A cell of the second table, which may refer to the first: `the same`, or `b .8 .8 .7 .65 .6, the rest the same`
/// where `b` is the last of each severity's parameters.
fn second_table(cell: &str, first: &Rows) -> Rows {
    if cell == "the same" {
        return first.clone();
    }
    let Some(last) = cell.strip_suffix(", the rest the same") else {
        return severities(cell);
    };
    let last = numbers(last.trim_start_matches("b "));
    assert_eq!(last.len(), first.len(), "{cell}");
    let mut changed = first.clone();
    for (row, value) in changed.iter_mut().zip(last) {
        *row.last_mut().expect("a row has parameters") = value;
    }
    changed
}

/// `k .2; (a,b): …` without the first part, and the number there; 0 where there is none.
fn without_scale(cell: &str) -> (f64, &str) {
    match cell.split_once(';') {
        Some((scale, rest)) => (
            scale.trim_start_matches("k ").parse().expect("a scale"),
            rest.trim(),
        ),
        None => (0.0, cell),
    }
}

/// Breaks when any parameter of any corruption at any severity of either table is not the published one.
#[test]
fn every_parameter_is_the_published_one() {
    let shared = std::env::var_os("SELECTIVITY_LAB_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = shared.join("corruptions.md");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return;
    };
    for corruption in Corruption::ALL {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("| {corruption} |")))
            .unwrap_or_else(|| panic!("{} has no row for {corruption}", path.display()));
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[_, _, first, second] = cells.as_slice() else {
            panic!("{line}: a row has four cells");
        };
        let ((first_scale, first), (second_scale, second)) =
            (without_scale(first), without_scale(second));
        if corruption == Corruption::Frost {
            let scales = [
                frost_texture::CIFAR10_SCALE,
                frost_texture::TINY_IMAGENET_SCALE,
            ];
            assert_eq!(scales, [first_scale, second_scale], "frost, scales");
        }
        let first = severities(first);
        let published = [first.clone(), second_table(second, &first)];
        for (table, (coded, published)) in ["CIFAR10-C", "Tiny ImageNet-C"]
            .into_iter()
            .zip(in_code(corruption).into_iter().zip(published))
        {
            assert_eq!(published.len(), SEVERITIES.len(), "{corruption}, {table}");
            for (severity, (coded, published)) in
                SEVERITIES.into_iter().zip(coded.iter().zip(&published))
            {
                assert_eq!(
                    coded, published,
                    "{corruption}, {table}, severity {severity}"
                );
            }
        }
    }
    for table in [spatter::CIFAR10, spatter::TINY_IMAGENET] {
        let water = table.map(|drops| drops.liquid == spatter::Liquid::Water);
        assert_eq!(water, [true, true, true, false, false], "spatter's liquid");
    }
}
