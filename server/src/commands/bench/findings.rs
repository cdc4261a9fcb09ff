//! How fast findings are made of a store with thousands of runs.

use std::error::Error;
use std::time::Instant;

use protocol::attack::{AttackMeasurement, AttackSpec};
use protocol::corruption_evaluation::{CorruptionMeasurement, CorruptionSpec};
use protocol::dimensionality::{ActivationMatrix, DimensionalityMeasurement, DimensionalitySpec};
use protocol::finding::{DEFAULT_WINDOW, Findings};
use protocol::gradient::InputUnitGradientMeasurement;
use protocol::preset::presets;
use protocol::{Event, ExperimentSpec, LayerSelectivity, Measurement, Network, RunResult, RunSpec};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt;

use crate::api::{AppState, app};
use crate::commands::output::say;
use crate::directory::DataDirectory;
use crate::scheduler::{Scheduler, Slots};
use crate::ssr;
use crate::store::{Scope, Store};
use analysis::claims::findings;
use analysis::run_numbers::RunNumbers;

/// Values of alpha.
const ALPHAS: u32 = 20;

/// Seeds of each.
const SEEDS: u64 = 100;

/// Images that a made-up run is tested on.
const IMAGES: u32 = 1000;

/// Makes up a store of ResNet20s in a temporary folder, and prints how long the findings take: the first answer, the next
/// one, and where the time goes.
///
/// # Errors
/// When the folder cannot be written.
pub fn print() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure())
}

/// Pages that people open of such an experiment, and the requests of their figures. Only the last two read whole measurements.
const PATHS: [&str; 12] = [
    "/experiments/{id}/findings",
    "/experiments/{id}/findings?claim=C5",
    "/experiments/{id}/present",
    "/experiments/{id}",
    "/compare?experiments={id}",
    "/api/v1/experiments/{id}/runs",
    "/api/v1/experiments/{id}/scatter",
    "/api/v1/experiments/{id}/layer-profiles?measure=dimensionality:responses:95:corruption:all:all",
    "/api/v1/experiments/{id}/claim-figures",
    "/api/v1/experiments/{id}/report.html",
    "/api/v1/experiments/{id}/layer-profiles?measure=dimensionality:responses:90:corruption:all:all",
    "/api/v1/experiments/{id}/export.csv?table=corruptions",
];

async fn measure() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let directory = DataDirectory::open(Some(folder.path().join("data")), None)?;
    let store = Store::open(&directory.store()).await?;
    let spec = spec();
    let began = Instant::now();
    let id = fill(&store, &spec).await?;
    let executable = std::env::current_exe()?;
    let slots = Slots::new([("cpu".to_owned(), 1)].into());
    let scheduler = Scheduler::start(
        store.clone(),
        directory.clone(),
        executable.clone(),
        slots,
        Scope::Everything,
    )
    .await?;
    let state = AppState::new(store.clone(), scheduler, directory.clone(), executable);
    let runs = spec.alphas.len() * spec.seeds.len();
    let each = measurements(&spec.runs()[0]).len();
    say!(
        "\nfindings of {runs} made-up runs (ResNet20, {} alphas, {} seeds, {each} measurements each; a store of {:.0} MB, made in {:.0} s), {} cores\n",
        spec.alphas.len(),
        spec.seeds.len(),
        std::fs::metadata(directory.store())?.len() as f64 / 1e6,
        began.elapsed().as_secs_f64(),
        std::thread::available_parallelism()?,
    );
    say!("| what | ms | of which CPU, all threads |\n|---|---|---|");
    let clock = Clock::start("first answer");
    let first = state
        .cache
        .findings(&store, id, DEFAULT_WINDOW)
        .await
        .map_err(refused)?;
    clock.print();
    let clock = Clock::start("next answer");
    state
        .cache
        .findings(&store, id, DEFAULT_WINDOW)
        .await
        .map_err(refused)?;
    clock.print();
    let clock = Clock::start("of the first: experiment and version");
    let experiment = store.experiment(id).await?;
    store.findings_version(id).await?;
    clock.print();
    let clock = Clock::start("of the first: reading");
    let numbers = store.numbers(id, None).await?;
    clock.print();
    let clock = Clock::start("of the first: statistics");
    findings(&experiment, &numbers, runs, DEFAULT_WINDOW);
    clock.print();
    let clock = Clock::start("for comparison: reading every measurement whole");
    let all_runs = store.runs(id).await?;
    let all = store.experiment_measurements(id).await?;
    let all = RunNumbers::of_runs(&all_runs, &all);
    clock.print();
    let whole = findings(&experiment, &all, runs, DEFAULT_WINDOW);
    pages(ssr::site(app(state), folder.path().to_owned()), id).await?;
    say!("\n{}", compare(&first, &whole));
    Ok(())
}

/// Times each of [`PATHS`], as the server answers it.
async fn pages(site: Router, experiment: i64) -> Result<(), Box<dyn Error>> {
    for path in PATHS {
        let clock = Clock::start(path);
        let path = path.replace("{id}", &experiment.to_string());
        let request = Request::get(path).body(Body::empty())?;
        let response = site.clone().oneshot(request).await?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status()).into());
        }
        axum::body::to_bytes(response.into_body(), usize::MAX).await?;
        clock.print();
    }
    Ok(())
}

/// Times one row. On a machine that has other work, CPU time says what wall time hides.
struct Clock {
    what: &'static str,
    began: Instant,
    cpu: Option<f64>,
}

impl Clock {
    fn start(what: &'static str) -> Clock {
        Clock {
            what,
            began: Instant::now(),
            cpu: cpu_milliseconds(),
        }
    }

    fn print(self) {
        let wall = 1e3 * self.began.elapsed().as_secs_f64();
        let cpu = cpu_milliseconds().zip(self.cpu);
        let cpu = cpu.map_or("".into(), |(now, then)| format!("{:.0}", now - then));
        say!("| {} | {wall:.1} | {cpu} |", self.what);
    }
}

/// CPU time of this process, to 10 ms; absent where there is no Linux `/proc`.
fn cpu_milliseconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the name in brackets; user and system time are fields 14 and 15, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let user: f64 = fields.get(11)?.parse().ok()?;
    let system: f64 = fields.get(12)?.parse().ok()?;
    Some(10.0 * (user + system))
}

/// Whether both ways give the same findings.
fn compare(first: &Findings, whole: &Findings) -> String {
    let verdicts = |findings: &Findings| -> Vec<_> {
        let each = findings.findings.iter();
        each.map(|one| (one.claim, one.verdict, one.evidence.len()))
            .collect()
    };
    let line: Vec<String> = first
        .findings
        .iter()
        .map(|one| format!("{} {}", one.claim.id(), one.verdict.label()))
        .collect();
    let same = if verdicts(first) == verdicts(whole) {
        "the same either way"
    } else {
        "NOT the same either way"
    };
    format!("verdicts: {} ({same})", line.join(", "))
}

fn refused(refusal: crate::api::Refusal) -> String {
    format!("{refusal:?}")
}

fn spec() -> ExperimentSpec {
    let mut spec = presets().remove(0).spec;
    spec.name = "made up".into();
    spec.network = Network::ResNet20;
    spec.alphas = (0..ALPHAS)
        .map(|index| (f64::from(index) - 10.0) / 5.0)
        .collect();
    spec.seeds = (0..SEEDS).collect();
    spec.evaluation.corruptions = Some(CorruptionSpec::everything(Some(IMAGES)));
    spec.evaluation.attacks = Some(AttackSpec::source(Some(IMAGES)));
    spec.evaluation.dimensionality = Some(DimensionalitySpec::source(Some(IMAGES)));
    spec
}

/// Puts the runs into the store by the events that workers send.
async fn fill(store: &Store, spec: &ExperimentSpec) -> Result<i64, Box<dyn Error>> {
    let id = store.create_experiment(spec).await?;
    let runs = store.runs(id).await?;
    for some in runs.chunks(50) {
        let mut events = Vec::new();
        for run in some {
            store.take_queued("cpu", Scope::Everything).await?;
            let result = result(&run.spec);
            events.push((run.id, Event::Trained(result.clone())));
            let measured = measurements(&run.spec).into_iter();
            events.extend(measured.map(|one| (run.id, Event::Measured(one))));
            events.push((run.id, Event::Finished(result)));
        }
        let events: Vec<(i64, &Event)> = events.iter().map(|(run, event)| (*run, event)).collect();
        store.record_all(&events).await?;
    }
    Ok(id)
}

/// Noise within [-1, 1] that is always the same for a run and a place.
fn noise(run: &RunSpec, place: usize) -> f64 {
    (12.9898 * (run.seed as f64 + 1.0) + 78.233 * (run.alpha + 3.0) + 37.719 * place as f64).sin()
}

fn selectivity(run: &RunSpec) -> f64 {
    0.3 + 0.1 * run.alpha + 0.01 * noise(run, 0)
}

fn result(run: &RunSpec) -> RunResult {
    let layers = run.network.layers().into_iter().enumerate();
    RunResult {
        best_epoch: Some(1),
        validation_accuracy: Some(0.9),
        validation_images: 5000,
        test_accuracy: share(0.9 + 0.005 * noise(run, 1)),
        test_cross_entropy: 0.3 + 0.01 * noise(run, 2),
        test_images: 10_000,
        selectivity: selectivity(run),
        layers: layers
            .map(|(index, layer)| LayerSelectivity {
                mean: selectivity(run) + 0.01 * noise(run, index),
                units: vec![0.3; layer.units as usize],
                preferred_class: vec![3; layer.units as usize],
                dead_units: 0,
                name: layer.name,
            })
            .collect(),
    }
}

/// A share of [`IMAGES`] images.
fn share(value: f64) -> f64 {
    (value.clamp(0.0, 1.0) * f64::from(IMAGES)).round() / f64::from(IMAGES)
}

fn measurements(run: &RunSpec) -> Vec<Measurement> {
    let mut measured = Vec::new();
    let selectivity = selectivity(run);
    let corruptions = CorruptionSpec::everything(Some(IMAGES));
    for &corruption in &corruptions.corruptions {
        for &severity in &corruptions.severities {
            let noise = 0.02 * noise(run, measured.len());
            measured.push(Measurement::Corruption(CorruptionMeasurement {
                conditions: corruptions.conditions(10_000),
                corruption,
                severity,
                accuracy: share(0.8 - 0.05 * f64::from(severity) - 0.2 * selectivity + noise),
                cross_entropy: 1.0 + noise,
                clean_accuracy: share(0.9 + 0.1 * noise),
            }));
        }
    }
    let attacks = AttackSpec::source(Some(IMAGES));
    for &attack in &attacks.attacks {
        let noise = 0.02 * noise(run, measured.len());
        measured.push(Measurement::Attack(AttackMeasurement {
            conditions: attacks.conditions(10_000),
            attack,
            accuracy: share(0.3 + 0.2 * selectivity + noise),
            clean_accuracy: share(0.9 + 0.1 * noise),
            members: Vec::new(),
        }));
    }
    let layers = run.network.layers();
    let columns: Vec<u32> = layers.iter().map(|layer| layer.units).collect();
    let dimensionality = DimensionalitySpec::source(Some(IMAGES));
    for perturbation in dimensionality.perturbations() {
        let share = 0.6 - 0.3 * selectivity + 0.1 * noise(run, measured.len());
        let components = |factor: f64| -> Vec<u32> {
            columns
                .iter()
                .map(|&units| (f64::from(units) * share * factor).round() as u32)
                .collect()
        };
        measured.push(Measurement::Dimensionality(DimensionalityMeasurement {
            conditions: dimensionality.conditions(10_000),
            matrix: ActivationMatrix::Responses,
            perturbation,
            components_90: components(0.7),
            components_95: components(1.0),
            components_99: components(1.4),
            participation_ratio: columns
                .iter()
                .map(|&n| f64::from(n) * share / 3.0)
                .collect(),
            columns: columns.clone(),
        }));
    }
    let variability = |place: usize| -> Vec<Option<f64>> {
        (0..columns.len())
            .map(|layer| Some(0.5 + 0.2 * selectivity + 0.02 * noise(run, place + layer)))
            .collect()
    };
    measured.push(Measurement::InputUnitGradients(
        InputUnitGradientMeasurement {
            images: 100,
            mean_norm: vec![1.0; columns.len()],
            cv_across_samples: variability(1000),
            cv_across_units: variability(2000),
            units_without_gradient: vec![0; columns.len()],
        },
    ));
    measured
}
