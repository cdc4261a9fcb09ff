//! The sizes of a convolution, and where its sums read and write.

/// A square convolution without groups or dilation, on images `[batch, channels_in, height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvolutionShape {
    /// Images.
    pub batch: usize,
    /// Input channels.
    pub channels_in: usize,
    /// Output channels.
    pub channels_out: usize,
    /// Rows of an input image, in pixels.
    pub height: usize,
    /// Columns of an input image, in pixels.
    pub width: usize,
    /// Side of the kernel, in pixels.
    pub kernel: usize,
    /// Pixels from one output to the next.
    pub stride: usize,
    /// Zeros added at each border, in pixels.
    pub padding: usize,
}

impl ConvolutionShape {
    /// Rows of an output image.
    pub fn height_out(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Columns of an output image.
    pub fn width_out(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Pixels of an output image.
    pub fn pixels_out(&self) -> usize {
        self.height_out() * self.width_out()
    }

    /// Pixels of an input image.
    pub fn pixels_in(&self) -> usize {
        self.height * self.width
    }

    /// Weights of one output channel: kernel x kernel x input channels.
    pub fn weights_each(&self) -> usize {
        self.kernel * self.kernel * self.channels_in
    }

    /// Multiplications and additions of one pass (forward, or either gradient), for the whole batch.
    pub fn operations(&self) -> u64 {
        2 * (self.batch * self.pixels_out() * self.weights_each() * self.channels_out) as u64
    }
}

/// A frame of zeros around an image `[height, width, channels]` (channels last).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// Rows above and columns to the left.
    pub(super) before: usize,
    /// Rows below and columns to the right.
    pub(super) after: usize,
}

impl Frame {
    /// Values from one row to the next.
    pub(super) fn pitch(&self) -> usize {
        (self.width + self.before + self.after) * self.channels
    }

    /// Values of the framed image.
    pub(super) fn len(&self) -> usize {
        (self.height + self.before + self.after) * self.pitch()
    }

    /// Where pixel (row, column) lies, both counted from the corner of the frame.
    pub(super) fn at(&self, row: usize, column: usize) -> usize {
        row * self.pitch() + column * self.channels
    }
}

/// Sums of products over windows of a framed image: a forward pass, or one phase of an input gradient.
///
/// Output pixel `i` is the sum over `runs` of `frame[source[i] + run .. + run_length]` times as many rows
/// of the weights.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    /// Where each output pixel's window begins in the frame.
    pub(super) source: Vec<u32>,
    /// Where each output pixel lies in the output image, in pixels.
    pub(super) target: Vec<u32>,
    /// Where the rows of a window begin, from the window's own beginning.
    pub(super) runs: Vec<u32>,
    /// Values in a row of a window.
    pub(super) run_length: usize,
    /// The kernel rows of the runs.
    pub(super) kernel_rows: Vec<usize>,
    /// The kernel columns of a run.
    pub(super) kernel_columns: Vec<usize>,
}

impl Windows {
    /// The windows of `images` images that lie one after the other, `frame` values from one to the next, whose outputs are
    /// `pixels` apart.
    ///
    /// # Panics
    /// Where the frames together have 2^32 values or more.
    pub(super) fn of_images(&self, images: usize, frame: usize, pixels: usize) -> Windows {
        let repeat = |values: &[u32], step: usize| {
            (0..images)
                .flat_map(|image| {
                    values
                        .iter()
                        .map(move |&value| value as usize + image * step)
                })
                .map(|at| u32::try_from(at).expect("a few images are small"))
                .collect()
        };
        Windows {
            source: repeat(&self.source, frame),
            target: repeat(&self.target, pixels),
            ..self.clone()
        }
    }
}

impl ConvolutionShape {
    /// The frame the forward pass and the weight gradient read the input through.
    pub(super) fn input_frame(&self) -> Frame {
        Frame {
            height: self.height,
            width: self.width,
            channels: self.channels_in,
            before: self.padding,
            after: self.padding,
        }
    }

    /// The frame the input gradient reads the output's gradient through.
    pub(super) fn gradient_frame(&self) -> Frame {
        let reach = self.kernel - 1;
        // Input pixel i feeds outputs (i + padding - k) / stride for k in 0..kernel.
        let before = reach.saturating_sub(self.padding).div_ceil(self.stride);
        let last = |size: usize, size_out: usize| {
            ((size - 1 + self.padding) / self.stride).saturating_sub(size_out - 1)
        };
        let after = last(self.height, self.height_out()).max(last(self.width, self.width_out()));
        Frame {
            height: self.height_out(),
            width: self.width_out(),
            channels: self.channels_out,
            before,
            after,
        }
    }

    /// The windows of the forward pass.
    pub(super) fn forward_windows(&self) -> Windows {
        let frame = self.input_frame();
        let mut source = Vec::with_capacity(self.pixels_out());
        for row in 0..self.height_out() {
            for column in 0..self.width_out() {
                source.push(frame.at(row * self.stride, column * self.stride) as u32);
            }
        }
        Windows {
            source,
            target: (0..self.pixels_out() as u32).collect(),
            runs: (0..self.kernel)
                .map(|row| frame.at(row, 0) as u32)
                .collect(),
            run_length: self.kernel * self.channels_in,
            kernel_rows: (0..self.kernel).collect(),
            kernel_columns: (0..self.kernel).collect(),
        }
    }

    /// The windows of the input gradient: one set for each phase of the stride, since input pixels of
    /// one phase meet the same part of the kernel. A phase that meets none is left out; its gradient is 0.
    pub(super) fn gradient_windows(&self) -> Vec<Windows> {
        let frame = self.gradient_frame();
        // Kernel rows (or columns) that a phase meets, from the last to the first, so that the outputs
        // they reach come in ascending order.
        let met = |phase: usize| -> Vec<usize> {
            (0..self.kernel)
                .rev()
                .filter(|k| {
                    (phase + self.padding + self.stride * self.kernel - k)
                        .is_multiple_of(self.stride)
                })
                .collect()
        };
        // The output that input pixel `at` feeds through kernel row `k`, counted in the frame.
        let reached = |at: usize, k: usize| {
            (at + self.padding + self.stride * frame.before - k) / self.stride
        };
        let mut all = Vec::new();
        for phase_row in 0..self.stride.min(self.height) {
            for phase_column in 0..self.stride.min(self.width) {
                let (rows, columns) = (met(phase_row), met(phase_column));
                let (Some(&first_row), Some(&first_column)) = (rows.first(), columns.first())
                else {
                    continue;
                };
                let (mut source, mut target) = (Vec::new(), Vec::new());
                for row in (phase_row..self.height).step_by(self.stride) {
                    for column in (phase_column..self.width).step_by(self.stride) {
                        source.push(
                            frame.at(reached(row, first_row), reached(column, first_column)) as u32,
                        );
                        target.push((row * self.width + column) as u32);
                    }
                }
                all.push(Windows {
                    source,
                    target,
                    runs: (0..rows.len()).map(|row| frame.at(row, 0) as u32).collect(),
                    run_length: columns.len() * self.channels_out,
                    kernel_rows: rows,
                    kernel_columns: columns,
                });
            }
        }
        all
    }
}
