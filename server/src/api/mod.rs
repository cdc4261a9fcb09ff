//! The API under `/api/v1`; one file per resource. [`app`] is the whole API, as a router that a test can call.

mod adversarial;
mod analysis_cache;
mod annotations;
mod archives;
mod claim_figures;
mod comparisons;
mod corrupted;
mod datasets;
mod devices;
mod document;
mod epochs;
mod error;
mod estimates;
mod evaluations;
mod events;
mod executors;
mod experiments;
mod exports;
mod findings;
mod guard;
mod health;
mod images;
mod imports;
mod json;
mod options;
mod perturbations;
mod report;
mod runs;
mod samples;
mod saved_views;
mod units;
mod versioned;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::catalogue::Catalogue;
use crate::directory::DataDirectory;
use crate::estimate::Estimator;
use crate::perturbation_bench::PerturbationBench;
use crate::scheduler::Scheduler;
use crate::store::Store;

pub use analysis_cache::AnalysisCache;
use error::Answer;
pub use error::Refusal;
pub use estimates::launchable;
pub use guard::{Guard, guard};

/// What every handler may use.
#[derive(Clone)]
pub struct AppState {
    /// Experiments, runs and measurements.
    pub store: Store,
    /// The runs at work.
    pub scheduler: Scheduler,
    /// Where files are.
    pub directory: DataDirectory,
    /// Data sets, devices, downloads.
    pub catalogue: Catalogue,
    /// The perturbation bench.
    pub bench: PerturbationBench,
    /// Time estimates.
    pub estimator: Arc<Estimator>,
    /// Results computed from measurements, kept until there are new ones.
    pub cache: AnalysisCache,
}

impl AppState {
    /// What handlers use of a data directory. `executable` is this program, for what runs in processes of their own.
    pub fn new(
        store: Store,
        scheduler: Scheduler,
        directory: DataDirectory,
        executable: PathBuf,
    ) -> AppState {
        AppState {
            store,
            scheduler,
            catalogue: Catalogue::new(directory.clone(), executable.clone()),
            bench: PerturbationBench::new(executable.clone(), directory.datasets().to_owned()),
            directory,
            estimator: Arc::new(Estimator::new(executable)),
            cache: AnalysisCache::default(),
        }
    }
}

/// The largest request body: a spec is a few kilobytes.
const BODY_LIMIT: usize = 1 << 20;

// Schemas that only queries refer to are named here.
#[derive(OpenApi)]
#[openapi(
    components(schemas(
        crate::archive::Contents,
        protocol::api::ApiError,
        protocol::api::ChangeEvent,
        protocol::problem::ErrorCode,
        protocol::field_error::FieldError,
        protocol::measure::Scale,
        protocol::api::SampleFilter
    )),
    info(
        title = "Selectivity Lab",
        description = "Experiments on class selectivity and robustness: launch, watch, read, export. Every refusal is a problem (RFC 9457) with a `code` that stays; `/problems` lists the codes. Times are milliseconds since 1970-01-01 UTC."
    )
)]
struct Document;

/// Every route of the API, the document that describes them, and the page that shows it. A new
/// resource is one file and one line here.
pub fn app(state: AppState) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .nest(
            "/api/v1",
            OpenApiRouter::new()
                .routes(routes!(health::health))
                .routes(routes!(error::problems))
                .routes(routes!(devices::devices))
                .routes(routes!(devices::resume))
                .routes(routes!(executors::list))
                .routes(routes!(executors::resume))
                .routes(routes!(executors::scripts))
                .routes(routes!(options::options))
                .routes(routes!(options::presets))
                .routes(routes!(datasets::list))
                .routes(routes!(datasets::one))
                .routes(routes!(datasets::samples))
                .routes(routes!(datasets::image))
                .routes(routes!(datasets::fetch))
                .routes(routes!(estimates::estimate))
                .routes(routes!(experiments::list, experiments::create))
                .routes(routes!(
                    experiments::read,
                    experiments::annotate,
                    experiments::delete
                ))
                .routes(routes!(experiments::cancel))
                .routes(routes!(experiments::resume))
                .routes(routes!(experiments::restore))
                .routes(routes!(experiments::runs, experiments::add_runs))
                .routes(routes!(executors::submissions))
                .routes(routes!(imports::create))
                .routes(routes!(experiments::metrics))
                .routes(routes!(experiments::curves))
                .routes(routes!(experiments::summary))
                .routes(routes!(exports::experiment_csv))
                .routes(routes!(exports::experiment_parquet))
                .routes(routes!(exports::experiment_json))
                .routes(routes!(archives::read))
                .routes(routes!(archives::create))
                .routes(routes!(experiments::resume_all))
                .routes(routes!(comparisons::comparison))
                .routes(routes!(events::events))
                .routes(routes!(saved_views::list, saved_views::create))
                .routes(routes!(saved_views::delete))
                .merge(of_runs())
                .merge(of_measurements(state.clone())),
        )
        .split_for_parts();
    let document = document::with_problems(document);
    router
        .merge(document::routes(document))
        .route("/api/v1", axum::routing::any(error::no_route))
        .route("/api/v1/", axum::routing::any(error::no_route))
        .route("/api/v1/{*rest}", axum::routing::any(error::no_route))
        .route("/api/", axum::routing::any(error::no_route))
        .route("/api/{*rest}", axum::routing::any(error::no_route))
        .method_not_allowed_fallback(error::no_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(state)
}

/// Routes of runs, requests to them, and their measurements.
fn of_runs() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(runs::list))
        .routes(routes!(runs::read, runs::annotate, runs::delete))
        .routes(routes!(runs::metrics))
        .routes(routes!(runs::log))
        .routes(routes!(runs::artifacts))
        .routes(routes!(runs::artifact))
        .routes(routes!(runs::measured_artifact))
        .routes(routes!(exports::run_csv))
        .routes(routes!(exports::run_parquet))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::resume))
        .routes(routes!(evaluations::measurements))
        .routes(routes!(evaluations::evaluate_run))
        .routes(routes!(evaluations::evaluate_experiment))
        .routes(routes!(report::report))
        .routes(routes!(perturbations::answer))
        .routes(routes!(perturbations::bring))
        .routes(routes!(corrupted::samples))
        .routes(routes!(corrupted::image))
        .routes(routes!(adversarial::samples))
        .routes(routes!(adversarial::image))
        .routes(routes!(units::table))
        .routes(routes!(units::detail))
        .routes(routes!(units::gradient_image))
        .routes(routes!(units::gradients))
        .routes(routes!(units::over_training))
}

/// Routes whose answers depend on an experiment's measurements only.
fn of_measurements(state: AppState) -> OpenApiRouter<AppState> {
    let mut router = OpenApiRouter::new()
        .routes(routes!(findings::findings))
        .routes(routes!(claim_figures::figures))
        .routes(routes!(evaluations::scatter_of))
        .routes(routes!(evaluations::layer_profiles))
        .route_layer(from_fn_with_state(state, versioned::versioned));
    versioned::describe(router.get_openapi_mut());
    router
}
