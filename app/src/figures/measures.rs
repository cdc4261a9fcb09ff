//! Two measures against each other: does selectivity, or average-case robustness, cost the other? One point per run, and
//! the mean of every alpha with intervals both ways.

use protocol::api::Mean;
use protocol::measure::{Scatter, ScatterMean, ScatterPoint};
use protocol::quantity::Axis;

use super::{quantity, words};
use crate::chart::{Cell, Chart, Kind, Point, Series, Shape, Table};
use crate::format;

/// The chart.
pub fn chart(answer: &Scatter) -> Chart {
    Chart::new(
        quantity::axis(&answer.x_axis, false),
        quantity::axis(&answer.y_axis, true),
    )
    .with(series(
        [&answer.x_axis, &answer.y_axis],
        &answer.points,
        &answer.alphas,
    ))
    .note(note(answer))
    .how(how(answer))
    .table(table(answer))
}

/// A row of the table.
struct Row {
    run: Cell,
    alpha: f64,
    seed: Option<u64>,
    x: Mean,
    y: Mean,
}

/// The runs, then the means of every alpha with their intervals.
fn table(answer: &Scatter) -> Table {
    let alone = |mean| Mean {
        mean,
        n: 1,
        interval: None,
    };
    let runs = answer.points.iter().map(|run| Row {
        run: run.run_id.unsigned_abs().into(),
        alpha: run.alpha,
        seed: Some(run.seed),
        x: alone(run.x),
        y: alone(run.y),
    });
    let means = answer.alphas.iter().map(|entry| Row {
        run: "mean".into(),
        alpha: entry.alpha,
        seed: None,
        x: entry.x,
        y: entry.y,
    });
    let low = |mean: &Mean| mean.interval.map(|[low, _]| low);
    let high = |mean: &Mean| mean.interval.map(|[_, high]| high);
    Table::of(runs.chain(means))
        .column("run", |row| row.run.clone())
        .column("alpha", |row| Cell::Alpha(row.alpha))
        .column("seed", |row| row.seed)
        .column(quantity::column(&answer.x_axis), |row| row.x.mean)
        .column(quantity::column(&answer.y_axis), |row| row.y.mean)
        .column("runs (n)", |row| row.y.n)
        .column("95 % from, horizontal", |row| low(&row.x))
        .column("95 % to, horizontal", |row| high(&row.x))
        .column("95 % from, vertical", |row| low(&row.y))
        .column("95 % to, vertical", |row| high(&row.y))
        .into()
}

/// What is drawn, n, and what is left out.
fn note(answer: &Scatter) -> String {
    let text = format!(
        "Points are runs, diamonds are means per alpha; n = {}.",
        format::plural(answer.points.len() as u64, "run", "runs")
    );
    text + &words::incomplete(answer.incomplete_runs, "a measurement that the others have")
}

/// On how many images, under which conditions, and how intervals are made.
fn how(answer: &Scatter) -> String {
    let mut text = String::new();
    if let (Some(x), Some(y)) = (answer.x_images, answer.y_images) {
        let [x, y] = [x, y].map(|images| format::count(images.into()));
        text = if x == y {
            format!("Each value is over {x} images. ")
        } else {
            format!("Horizontal values are over {x} images, vertical ones over {y}. ")
        };
    }
    // Not for a mean over no corruptions.
    if let Some(conditions) = answer.conditions.filter(|_| answer.averaged_over > 0) {
        text += &format!("Corruptions: {}", conditions.label());
        text += &match answer.averaged_over {
            1 => ". ".to_owned(),
            sets => format!(
                "; each value is the mean over {sets} combinations of corruption and severity. "
            ),
        };
    }
    if let Some(conditions) = &answer.attack_conditions
        && answer.y.starts_with("Adversarial")
    {
        text += &format!("Attacks on {}. ", conditions.label());
    }
    text + &format!("Bars: {}.", answer.interval_method)
}

/// The runs of every alpha, and its mean; `axes` are those of the two quantities, horizontal first.
pub fn series(axes: [&Axis; 2], points: &[ScatterPoint], means: &[ScatterMean]) -> Vec<Series> {
    let mut alphas: Vec<f64> = points.iter().map(|point| point.alpha).collect();
    alphas.sort_by(f64::total_cmp);
    alphas.dedup();
    let mut all = Vec::new();
    for alpha in alphas {
        let runs = points.iter().filter(|point| point.alpha == alpha);
        let points = runs.map(|run| {
            Point::new(run.x, run.y).of_run(run.run_id).says(format!(
                "run {}, α {}, seed {}<br>{}<br>{}",
                run.run_id,
                format::alpha(alpha),
                run.seed,
                quantity::words(axes[0], run.x),
                quantity::words(axes[1], run.y)
            ))
        });
        all.push(Series {
            size: 8.0,
            opacity: 0.75,
            ..Series::of_alpha(Kind::Points, alpha, points.collect())
        });
        let mean = means.iter().find(|entry| entry.alpha == alpha);
        all.extend(mean.map(|entry| mean_of(axes, entry)));
    }
    all
}

fn mean_of(axes: [&Axis; 2], entry: &ScatterMean) -> Series {
    let line = |axis: &Axis, mean: &Mean| {
        let interval = words::interval(", ", mean.interval, |end| quantity::written(axis, end));
        format!("{}{interval}", quantity::words(axis, mean.mean))
    };
    let alpha = format::alpha(entry.alpha);
    let point = Point::means(&entry.x, &entry.y).says(format!(
        "mean, α {alpha}, n = {}<br>{}<br>{}",
        entry.y.n,
        line(axes[0], &entry.x),
        line(axes[1], &entry.y)
    ));
    Series {
        name: format!("mean, α {alpha}"),
        listed: false,
        shape: Shape::Diamond,
        open: true,
        size: 14.0,
        ..Series::of_alpha(Kind::Points, entry.alpha, vec![point])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::plotly;
    use crate::chart::table::tests::is_complete;
    use crate::ui::theme::Theme;
    use protocol::attack::{Attack, AttackSpec};
    use protocol::corruption_evaluation::CorruptionSpec;
    use protocol::quantity::{Quantity, Scale};

    fn answer() -> Scatter {
        let mean = |mean, interval| Mean {
            mean,
            n: 2,
            interval,
        };
        let point = |run_id, seed, x, y| ScatterPoint {
            run_id,
            alpha: -1.0,
            seed,
            x,
            y,
        };
        let conditions = CorruptionSpec::everything(Some(200)).conditions(1000);
        Scatter {
            attack_conditions: None,
            known_attack_conditions: vec![],
            known_attacks: vec![],
            x: "Network selectivity".into(),
            y: "Corruption accuracy".into(),
            x_axis: Quantity::Selectivity.axis(),
            y_axis: Quantity::CORRUPTIONS.axis(),
            conditions: Some(conditions),
            known_conditions: vec![conditions],
            points: vec![point(1, 0, 0.1, 0.4), point(2, 1, 0.3, 0.6)],
            alphas: vec![ScatterMean {
                alpha: -1.0,
                x: mean(0.2, Some([0.1, 0.3])),
                y: mean(0.5, Some([0.4, 0.6])),
            }],
            x_images: None,
            y_images: None,
            incomplete_runs: 1,
            averaged_over: 95,
            interval_method: "95 % percentile interval of the mean: 10,000 resamples".into(),
        }
    }

    /// Broken by: a caption that hides what was left out, how much a mean is over, or the conditions.
    #[test]
    fn the_caption_tells_n_conditions_and_what_is_missing() {
        let text = chart(&answer()).caption();
        for part in [
            "n = 2 runs",
            "generated with seed 0, 200 images",
            "mean over 95 combinations",
            "1 trained run lacks",
            "Bars: 95 % percentile interval of the mean",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let mut attacked = answer();
        attacked.averaged_over = 0;
        attacked.y = Quantity::Attack(Attack::fgsm(1.0)).label();
        attacked.x_images = Some(10_000);
        attacked.y_images = Some(100);
        assert!(how(&attacked).contains("over 10,000 images, vertical ones over 100"));
        attacked.attack_conditions = Some(AttackSpec::source(Some(100)).conditions(1000));
        let text = chart(&attacked).caption();
        assert!(
            text.contains("Attacks on 100 images") && !text.contains("generated"),
            "{text}"
        );
    }

    /// Broken by: horizontal and vertical intervals that are swapped, or vertical ones left as shares beside
    /// per cent.
    #[test]
    fn intervals_are_in_the_units_of_their_axes() {
        let json = plotly::figure(&chart(&answer()), Theme::Light);
        let arm = |which: &str| json["data"][1][which]["array"][0].as_f64().unwrap();
        assert!((arm("error_x") - 0.1).abs() < 1e-9 && (arm("error_y") - 10.0).abs() < 1e-9);
        // Two accuracies: both in per cent.
        let mut both = answer();
        both.x_axis = Quantity::CORRUPTIONS.axis_on(Scale::ShareOfClean);
        let json = plotly::figure(&chart(&both), Theme::Light);
        let arm = json["data"][1]["error_x"]["array"][0].as_f64().unwrap();
        assert!((arm - 10.0).abs() < 1e-9);
        assert_eq!(
            quantity::words(&both.x_axis, 0.5),
            "Corruption accuracy 50.0 % of clean"
        );
        let table = table(&answer());
        assert_eq!(table.rows.len(), 3);
        assert!(is_complete(&table));
        assert_eq!(table.rows[2][9], Cell::Number(0.6));
    }
}
