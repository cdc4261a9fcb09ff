//! Clean accuracy, logits, unit responses and selectivity of every unit.

use super::{Analysis, Report, Subject};
use crate::EngineError;
use crate::base::host::host;
use crate::inference::batch::clean_images;
use crate::inference::batch::{batch_size, logits_and_responses};
use crate::inference::clean_performance::clean_performance;

pub(super) const ANALYSIS: Analysis = Analysis {
    name: "selectivity",
    description: "clean accuracy, logits, unit responses and class selectivity of every unit",
    run,
};

fn run(subject: &Subject, report: &mut Report) -> Result<(), EngineError> {
    let Subject {
        model,
        device,
        images,
        ..
    } = subject;
    let indices: Vec<usize> = (0..images.len()).collect();
    let batch_size = batch_size(images.height(), images.width());
    let measured = clean_performance(model, images, &indices, device, batch_size, &mut |_| true)
        .expect("nothing stops this evaluation");
    report.scalar("images", measured.images);
    report.scalar("clean.accuracy", measured.accuracy);
    report.scalar("clean.cross_entropy", measured.cross_entropy);
    report.scalar("selectivity.network", measured.selectivity);
    let names: Vec<_> = measured
        .layers
        .iter()
        .map(|layer| layer.name.clone())
        .collect();
    report.scalar("selectivity.layers", names);
    let means: Vec<_> = measured.layers.iter().map(|layer| layer.mean).collect();
    report.scalar("selectivity.layer_means", means);

    let (mut logits, mut responses) = (Vec::new(), Vec::new());
    for chunk in indices.chunks(batch_size) {
        let (batch_logits, batch_responses) =
            logits_and_responses(model, clean_images(images, chunk, device));
        logits.extend(host(batch_logits));
        responses.extend(host(batch_responses));
    }
    report.array("clean.logits", &[images.len(), model.classes()], logits);
    let layers = model.layers();
    let row: usize = layers.iter().map(|layer| layer.units as usize).sum();
    let mut first = 0;
    for (index, (shape, layer)) in layers.iter().zip(&measured.layers).enumerate() {
        let units = shape.units as usize;
        let of_layer: Vec<f32> = responses
            .chunks_exact(row)
            .flat_map(|row| row[first..first + units].iter().copied())
            .collect();
        let name = format!("layer{index:02}");
        report.array(
            format!("{name}.unit_means"),
            &[images.len(), units],
            of_layer,
        );
        report.array(format!("{name}.selectivity"), &[units], layer.units.clone());
        first += units;
    }
    Ok(())
}
