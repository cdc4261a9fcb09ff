//! Tests of a trained network besides its clean result. Each keeps what it finished in the run's folder,
//! so that it goes on where it was cut off and never loses one measurement because a later one fails.
//!
//! A new kind of evaluation is one new file here, one field of [`EvaluationSpec`] and one line in [`perform`].

mod attacks;
mod corruptions;
mod dimensionality;
mod input_unit_gradients;
mod predictions;

use std::path::Path;
use std::sync::mpsc::sync_channel;

use burn::tensor::Device;
use protocol::evaluation::EvaluationSpec;
use protocol::event::Phase;
use protocol::{Dataset, Measurement};

use crate::EngineError;
use crate::attacks::{Passes, Target};
use crate::base::{FileError, files};
use crate::data::ImageSet;
use crate::inference::batch::{HostImages, batch_size};
use crate::networks::Model;

pub use attacks::{AttackPredictions, KEPT_IMAGES, measure_attacks};
pub use corruptions::{
    CorruptedImages, CorruptionPredictions, corruptor, measure_corruptions, open_images,
};
pub use dimensionality::{EXTREMES, Tuning, UnitResponses, measure_dimensionality};
pub use input_unit_gradients::{UnitGradients, measure_layers};
pub use predictions::{Predictions, PredictionsFile, UNDECIDED};

/// A trained network and what it is tested on.
pub struct Trained<'a> {
    /// The network, in inference mode.
    pub model: &'a Model,
    /// Its device, without autodiff.
    pub device: &'a Device,
    /// The data set of `test`.
    pub dataset: &'a Dataset,
    /// The folder with the data sets; published corrupted sets are looked for there.
    pub data_directory: &'a Path,
    /// The clean test images.
    pub test: &'a ImageSet,
    /// The run's folder.
    pub run_directory: &'a Path,
    /// Images at once.
    pub batch_size: usize,
}

impl<'a> Trained<'a> {
    /// A network that is tested on images that are open already, and of which nothing is kept.
    pub fn without_files(model: &'a Model, device: &'a Device, test: &'a ImageSet) -> Self {
        Trained {
            model,
            device,
            dataset: &Dataset::Builtin,
            data_directory: Path::new(""),
            test,
            run_directory: Path::new(""),
            batch_size: batch_size(test.height(), test.width()),
        }
    }
}

/// A listener to the tests of a network.
pub trait Listener {
    /// Another kind of test begins.
    fn begins(&mut self, _phase: Phase) {}

    /// Something was measured, now or by an earlier try that was cut off.
    fn measured(&mut self, measurement: Measurement);

    /// A file of an earlier try is not used, or has no checksum; for the run's log. Never called where no files are kept.
    fn warned(&mut self, _message: String) {}

    /// `images` more are done; `computed` is false where an earlier try had done them. `false` stops.
    fn advanced(&mut self, images: usize, computed: bool) -> bool;
}

/// Makes every test that `spec` asks for and that is not there already. A kind that fails does not stop the others, unless
/// the run is cancelled or its device fails.
///
/// # Errors
/// When the spec and the data do not fit, a file cannot be read or written, or the listener stops it.
/// What was measured is kept.
pub fn perform(
    spec: &EvaluationSpec,
    trained: &Trained,
    listener: &mut dyn Listener,
) -> Result<(), EngineError> {
    let mut failures = Failures::default();
    if let Some(spec) = &spec.corruptions {
        listener.begins(Phase::Corruptions);
        failures.note(corruptions::perform(spec, trained, listener))?;
    }
    if let Some(spec) = &spec.attacks {
        listener.begins(Phase::Attacks);
        failures.note(attacks::perform(spec, trained, listener))?;
    }
    if let Some(spec) = &spec.dimensionality {
        listener.begins(Phase::Dimensionality);
        failures.note(dimensionality::perform(spec, trained, listener))?;
    }
    if let Some(spec) = &spec.input_unit_gradients {
        listener.begins(Phase::InputUnitGradients);
        failures.note(input_unit_gradients::perform(spec, trained, listener))?;
    }
    failures.into_result()
}

/// Tests that failed while others went on.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<EngineError>);

impl Failures {
    /// Remembers a failure.
    ///
    /// # Errors
    /// The failure, where nothing after it can succeed: the run is cancelled, or its device fails.
    pub(crate) fn note(&mut self, outcome: Result<(), EngineError>) -> Result<(), EngineError> {
        match outcome {
            Err(error) if !error.ends_everything() => self.0.push(error),
            other => other?,
        }
        Ok(())
    }

    /// Every failure as one.
    ///
    /// # Errors
    /// Where there was any.
    pub(crate) fn into_result(mut self) -> Result<(), EngineError> {
        match self.0.len() {
            0 => Ok(()),
            1 => Err(self.0.remove(0)),
            _ => {
                let reasons = self.0.iter().map(ToString::to_string);
                let reasons = reasons.collect::<Vec<_>>().join("; ");
                Err(EngineError::Evaluations { reasons })
            }
        }
    }
}

/// What an earlier try kept in the file `path`, as `load` reads it; nothing where no files are kept. A damaged file is renamed
/// and not used; one without a checksum, of an earlier version, is used and given one. The listener is warned of both.
pub(crate) fn kept<T: Default>(
    path: Option<&Path>,
    listener: &mut dyn Listener,
    load: impl FnOnce(&Path) -> Result<T, FileError>,
) -> Result<T, EngineError> {
    let Some(path) = path else {
        return Ok(T::default());
    };
    match load(path) {
        Ok(kept) => {
            if files::stamp(path)? {
                listener.warned(format!(
                    "{} has no checksum, as of an earlier version: what it says is taken as it is",
                    path.display()
                ));
            }
            Ok(kept)
        }
        Err(FileError::Damaged { path, reason }) => {
            let aside = files::set_aside(&path, "damaged")?;
            listener.warned(format!(
                "{} is damaged: {reason}. It is kept as {}, and what it said is measured anew",
                path.display(),
                aside.display()
            ));
            Ok(T::default())
        }
        Err(other) => Err(other.into()),
    }
}

/// Indices of `count` images of a set with these labels, ascending: of every class in proportion to its size, within
/// 1, and evenly spread over the class. They are the same for every run.
pub fn spread(labels: &[u32], count: usize) -> Vec<usize> {
    let mut by_class: Vec<usize> = (0..labels.len()).collect();
    by_class.sort_by_key(|&index| labels[index]);
    let count = count.min(labels.len());
    let mut chosen: Vec<usize> = (0..count)
        .map(|place| by_class[place * labels.len() / count])
        .collect();
    chosen.sort_unstable();
    chosen
}

/// The network as attacks see it. `advanced` hears of their passes, counted as images that go forward; where it gives
/// `false`, the attack ends with [`AttackError::Cancelled`](crate::attacks::AttackError::Cancelled).
pub(crate) fn target<'a>(
    trained: &Trained,
    mut advanced: impl FnMut(usize) -> bool + 'a,
) -> Target<'a> {
    let mut reported = Passes::default();
    Target::new(trained.model, trained.device).watched(move |passes| {
        // A backward pass costs about two forward ones.
        let images =
            (passes.forward - reported.forward) + 2 * (passes.backward - reported.backward);
        reported = passes;
        advanced(images as usize)
    })
}

/// Gives the pixels of the images at some indices, `[images, 3, height, width]`, 0 to 255.
pub(crate) type Pixels<'a> = &'a (dyn Fn(&[usize]) -> Result<Vec<u8>, EngineError> + Sync);

/// [`predict`] for the clean test images at `indices`.
pub(crate) fn predict_clean(
    trained: &Trained,
    indices: &[usize],
    advanced: &mut dyn FnMut(usize) -> bool,
) -> Result<Predictions, EngineError> {
    let pixels = |indices: &[usize]| Ok(trained.test.pixels_at(indices));
    Ok(predict(trained, indices, &pixels, advanced)?.0)
}

/// Predictions and mean cross-entropy (nats) of a trained network on images that `pixels(indices)` gives as
/// `[images, 3, height, width]`, 0 to 255. The next batch is made while the network is at work on this one.
pub(crate) fn predict(
    trained: &Trained,
    indices: &[usize],
    pixels: Pixels,
    advanced: &mut dyn FnMut(usize) -> bool,
) -> Result<(Predictions, f64), EngineError> {
    let Trained {
        model,
        device,
        test: set,
        batch_size,
        ..
    } = *trained;
    let mut predictions = Predictions::default();
    let mut cross_entropy = 0.0;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        scope.spawn(move || {
            for chunk in indices.chunks(batch_size) {
                let images = pixels(chunk)
                    .map(|pixels| HostImages::prepare(pixels, set.image_len(), device));
                if sender.send((chunk, images)).is_err() {
                    return; // The other side stopped early.
                }
            }
        });
        for (chunk, images) in receiver {
            let images = images?.upload(chunk.len(), set, device);
            let labels = set.labels_at(chunk);
            cross_entropy += predictions.add(model.forward(images), &labels);
            if !advanced(chunk.len()) {
                return Err(EngineError::Cancelled);
            }
        }
        Ok(())
    })?;
    Ok((predictions, cross_entropy / indices.len().max(1) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks when an index is repeated, or a class has more than its share: with labels in turn, every fifth
    /// image would be of two classes alone.
    #[test]
    fn every_class_has_its_share() {
        let in_turn: Vec<u32> = (0..1000).map(|index| index % 10).collect();
        let sorted: Vec<u32> = (0..1000).map(|index| index / 100).collect();
        for labels in [in_turn, sorted] {
            for count in [10, 200, 333, 1000, 5000] {
                let chosen = spread(&labels, count);
                assert!(chosen.is_sorted_by(|a, b| a < b));
                assert_eq!(chosen.len(), count.min(1000));
                for class in 0..10 {
                    let of_class = chosen
                        .iter()
                        .filter(|&&index| labels[index] == class)
                        .count();
                    let share = chosen.len() as f64 / 10.0;
                    assert!(
                        (of_class as f64 - share).abs() <= 1.0,
                        "{of_class} of {count}"
                    );
                }
            }
        }
        assert_eq!(spread(&[], 9), [0_usize; 0]);
    }

    #[derive(Default)]
    struct Heard {
        measured: Vec<Measurement>,
        warned: Vec<String>,
    }

    impl Listener for Heard {
        fn measured(&mut self, measurement: Measurement) {
            self.measured.push(measurement);
        }

        fn warned(&mut self, message: String) {
            self.warned.push(message);
        }

        fn advanced(&mut self, _images: usize, _computed: bool) -> bool {
            true
        }
    }

    /// Every file under `folder`.
    fn files_under(folder: &Path) -> Vec<std::path::PathBuf> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => paths.extend(files_under(&path)),
                false => paths.push(path),
            }
        }
        paths.sort();
        paths
    }

    /// Breaks when one flipped bit in any file that an evaluation kept changes its content, is not reported, is lost,
    /// or stops the run; or when a file of an earlier version, without a checksum, is used without a warning or not
    /// at all.
    #[test]
    fn damaged_files_are_measured_anew_and_named() {
        use crate::networks::ModelConfig;
        use burn::module::Module;
        use protocol::attack::{Attack, AttackSpec};
        use protocol::corruption_evaluation::CorruptionSpec;
        use protocol::dimensionality::DimensionalitySpec;
        use protocol::gradient::InputUnitGradientSpec;
        use protocol::{Corruption, Network};

        let device = Device::flex();
        let config = ModelConfig::with_generic_normalisation(Network::ResNet8, 3);
        let model = config.init(1, &device).valid();
        let pixels = (0..12 * 3 * 256).map(|i| ((i * i * 31 + i * 7) % 253) as u8);
        let labels = (0..12).map(|i| i % 3).collect();
        let set = ImageSet::new(pixels.collect(), labels, 16, 16).unwrap();
        let spec = EvaluationSpec {
            corruptions: Some(CorruptionSpec {
                corruptions: vec![Corruption::Brightness],
                severities: vec![2],
                ..CorruptionSpec::everything(None)
            }),
            attacks: Some(AttackSpec {
                attacks: vec![Attack::fgsm(4.0), Attack::pgd(8.0, 2.0, 2)],
                check_masking: true,
                ..AttackSpec::source(None)
            }),
            dimensionality: Some(DimensionalitySpec {
                corruptions: vec![Corruption::Brightness],
                severities: vec![2],
                attacks: vec![Attack::fgsm(4.0)],
                images: Some(10),
                activation_images: Some(6),
                ..DimensionalitySpec::source(None)
            }),
            input_unit_gradients: Some(InputUnitGradientSpec { images: 2 }),
        };
        let folder = tempfile::tempdir().unwrap();
        let heard = || {
            let trained = Trained {
                model: &model,
                device: &device,
                dataset: &Dataset::Builtin,
                data_directory: folder.path(),
                test: &set,
                run_directory: folder.path(),
                batch_size: 16,
            };
            let mut heard = Heard::default();
            perform(&spec, &trained, &mut heard).unwrap();
            heard
                .measured
                .sort_by_key(|measurement| measurement.key().to_string());
            heard
        };
        let whole = heard();
        assert_eq!(whole.warned, [""; 0]);
        let all = files_under(folder.path());
        let names: Vec<_> = all.iter().map(|path| path.display().to_string()).collect();
        // Clean and brightness, two attacks and their predictions, masking, 3 of responses and of activations, 7 layers.
        assert_eq!(all.len(), 2 + 4 + 6 + 7, "{names:#?}");
        for path in &all {
            let content = std::fs::read(path).unwrap();
            let mut flipped = content.clone();
            let place = flipped.len() - 3;
            flipped[place] ^= 4;
            std::fs::write(path, &flipped).unwrap();
            let again = heard();
            assert_eq!(again.measured, whole.measured, "{}", path.display());
            let named = again.warned.len() == 1
                && again.warned[0].contains(&path.display().to_string())
                && again.warned[0].contains("measured anew");
            assert!(named, "{}: {:?}", path.display(), again.warned);
            let mut aside = path.clone().into_os_string();
            aside.push(".damaged");
            assert!(std::fs::read(aside).unwrap() == flipped, "it is kept");
            assert!(path.is_file(), "{} is there again", path.display());
        }
        for path in &all {
            let content = std::fs::read(path).unwrap();
            let mark = b"xxh3-128:";
            let place = content
                .windows(mark.len())
                .position(|window| window == mark)
                .unwrap();
            let mut without = content.clone();
            without[place..place + mark.len()].copy_from_slice(b"none-000:");
            std::fs::write(path, &without).unwrap();
        }
        let earlier = heard();
        assert_eq!(earlier.measured, whole.measured);
        assert_eq!(earlier.warned.len(), all.len(), "{:#?}", earlier.warned);
        assert_eq!(heard().warned, [""; 0], "said once");
    }
}
