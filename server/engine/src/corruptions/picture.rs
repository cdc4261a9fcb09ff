//! The image that a corruption reads, and the way back from floats to bytes.

/// An 8-bit image `[3, height, width]`, red plane first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture<'a> {
    /// The values, `3 * height * width` of them.
    pub pixels: &'a [u8],
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl<'a> Picture<'a> {
    /// Pixels of one plane.
    pub fn area(self) -> usize {
        self.height * self.width
    }

    /// One channel, `[height, width]`: 0 red, 1 green, 2 blue.
    pub fn plane(self, channel: usize) -> &'a [u8] {
        &self.pixels[channel * self.area()..][..self.area()]
    }

    /// The values in [0, 1], `[3, height, width]`, in the precision that the generator mostly uses.
    pub fn unit(self) -> Vec<f64> {
        self.pixels
            .iter()
            .map(|&byte| f64::from(byte) / 255.0)
            .collect()
    }

    /// The values in [0, 1], `[3, height, width]`, for the corruptions that the generator computes in `f32`.
    pub fn unit_f32(self) -> Vec<f32> {
        self.pixels
            .iter()
            .map(|&byte| f32::from(byte) / 255.0)
            .collect()
    }
}

/// A value in [0, 1] as the generator stores it: clipped, times 255, truncated. What is not a number becomes 0.
pub(super) fn to_byte(value: f64) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0) as u8
}

/// [`to_byte`] of a value that was computed in `f32`.
pub(super) fn to_byte_f32(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0) as u8
}

/// [`to_byte`] of many values.
pub(super) fn store(values: &[f64], out: &mut [u8]) {
    for (byte, &value) in out.iter_mut().zip(values) {
        *byte = to_byte(value);
    }
}
