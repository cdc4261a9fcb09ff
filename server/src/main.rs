//! `selectivity-lab`: serve the dashboard, run experiments, work on one run, analyse weights.
#![deny(clippy::print_stdout)] // It panics where nobody reads: `commands::output::say!` does not.

mod allocator;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use server::commands::{
    analyze, bench, calibrate, corrupt, data, devices, export, import, import_weights, perturb,
    report, run, serve, store, worker,
};
use server::directory::DataDirectory;
use tracing_subscriber::EnvFilter;

/// Class selectivity against robustness: train networks, measure them, look at them.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Where the store, the runs' files and the data sets are kept.
    #[arg(long, global = true, env = "SELECTIVITY_LAB_DATA")]
    data: Option<PathBuf>,
    /// Where the data sets are, when not in the data directory.
    #[arg(
        long,
        global = true,
        env = "SELECTIVITY_LAB_DATASETS",
        id = "datasets_directory",
        long = "datasets-directory"
    )]
    datasets: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the dashboard and the API.
    Serve(serve::Arguments),
    /// Run an experiment without a browser, into the same store.
    Run(run::Arguments),
    /// List the devices that can train.
    Devices(devices::Arguments),
    /// List, check, fetch or add data sets.
    #[command(subcommand)]
    Data(data::Command),
    /// Care for the store: copy it while it is in use.
    #[command(subcommand)]
    Store(store::Command),
    /// Analyse imported weights.
    Analyze(analyze::Arguments),
    /// Write an experiment to one file that any store takes.
    Export(export::Arguments),
    /// Take an experiment from such a file.
    Import(import::Arguments),
    /// Register weights that were trained elsewhere as a run of an experiment.
    ImportWeights(import_weights::Arguments),
    /// Corrupt images as CIFAR10-C and Tiny ImageNet-C do.
    Corrupt(corrupt::Arguments),
    /// Write an experiment's report: one HTML file that needs no server.
    Report(report::Arguments),
    /// Measure images a second, beside PyTorch when it is installed.
    Bench(bench::Arguments),
    /// Work on one run; started by the scheduler.
    #[command(hide = true)]
    Worker(worker::Arguments),
    /// Answer the perturbation bench's questions; started by the server.
    #[command(hide = true)]
    Perturb(perturb::Arguments),
    /// Time a few steps; started by the server.
    #[command(hide = true)]
    Calibrate,
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,wgpu=warn,naga=warn,cubecl=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match execute(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever closed standard error has the exit status.
            let _ = writeln!(std::io::stderr(), "selectivity-lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> Result<(), Box<dyn std::error::Error>> {
    if !matches!(cli.command, Command::Serve(_)) {
        allocator::keep_for_the_next_step();
    }
    let directory = || DataDirectory::open(cli.data.clone(), cli.datasets.clone());
    match cli.command {
        Command::Serve(arguments) => runtime()?.block_on(arguments.run(directory()?)),
        Command::Run(arguments) => runtime()?.block_on(arguments.run(directory()?)),
        Command::Devices(arguments) => arguments.run(),
        Command::Data(command) => command.run(&directory()?),
        Command::Store(command) => runtime()?.block_on(command.run(directory()?)),
        Command::Analyze(arguments) => arguments.run(),
        Command::Export(arguments) => runtime()?.block_on(arguments.run(directory()?)),
        Command::Import(arguments) => runtime()?.block_on(arguments.run(directory()?)),
        Command::ImportWeights(arguments) => runtime()?.block_on(arguments.run(directory()?)),
        Command::Corrupt(arguments) => arguments.run(),
        Command::Report(arguments) => runtime()?.block_on(arguments.run(directory()?)),
        Command::Bench(arguments) => arguments.run(),
        Command::Worker(arguments) => arguments.run(),
        Command::Perturb(arguments) => arguments.run(),
        Command::Calibrate => calibrate::run(),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}
