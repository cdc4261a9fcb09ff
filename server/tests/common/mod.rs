//! What the API and scheduler tests share: a lab in a temporary folder, with real worker processes.
#![allow(dead_code, reason = "each test program uses its own part")]

pub mod process;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use protocol::api::{ApiError, Experiment, LiveEvent};
use protocol::corruption_evaluation::CorruptionSpec;
use protocol::{
    Augmentation, Dataset, EvaluationSpec, ExecutorSpec, ExperimentSpec, Measurement, Network, Run,
    RunState, TrainingSpec,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use server::api::{AppState, app};
use server::directory::DataDirectory;
use server::scheduler::{Scheduler, Slots};
use server::store::{Scope, Store};
use tower::ServiceExt;

/// How long anything here may take before the test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The program itself: its own workers, as in real life.
pub fn executable() -> PathBuf {
    env!("CARGO_BIN_EXE_selectivity-lab").into()
}

/// A store, a scheduler and the API over a folder that goes when the test ends.
pub struct Lab {
    pub state: AppState,
    pub router: axum::Router,
    pub folder: tempfile::TempDir,
}

impl Lab {
    /// A lab whose CPU takes one run at a time.
    pub async fn open() -> Lab {
        Lab::with_slots(1).await
    }

    /// A lab whose CPU takes `slots` runs at a time.
    pub async fn with_slots(slots: u32) -> Lab {
        Lab::with_worker(slots, executable()).await
    }

    /// A lab whose workers are `worker`: the program itself, or a script that spoils what it does.
    pub async fn with_worker(slots: u32, worker: PathBuf) -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(Some(folder.path().join("data")), None).unwrap();
        let store = Store::open(&directory.store()).await.unwrap();
        let slots = Slots::new([("cpu".to_owned(), slots)].into());
        let scheduler = Scheduler::start(
            store.clone(),
            directory.clone(),
            worker,
            slots,
            Scope::Everything,
        )
        .await
        .unwrap();
        let state = AppState::new(store, scheduler, directory, executable());
        Lab {
            router: app(state.clone()),
            state,
            folder,
        }
    }

    /// The answer to `request`, whole.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    /// The answer to a request without a body; `path` is below `/api/v1`.
    pub async fn ask(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// What `GET path` answers, which must be 200.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.ask(Method::GET, path).await;
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "GET {path}: {}",
            answer.text()
        );
        answer.json()
    }

    /// What `POST path` without a body answers, which must be 200, or 202 where it queues.
    pub async fn post<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.ask(Method::POST, path).await;
        let expected = match path.ends_with("/resume") && !path.starts_with("/devices") {
            true => StatusCode::ACCEPTED,
            false => StatusCode::OK,
        };
        assert_eq!(answer.status, expected, "POST {path}: {}", answer.text());
        answer.json()
    }

    /// The answer to `POST path` with a body of JSON.
    pub async fn post_json(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(format!("/api/v1{path}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// The answer to `POST path` with `value` as JSON.
    pub async fn post_value(&self, path: &str, value: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(value).unwrap();
        self.post_json(path, body).await
    }

    /// Why `POST path` with `value` as JSON is refused, which must be with 422.
    pub async fn unprocessable(&self, path: &str, value: &impl Serialize) -> ApiError {
        let answer = self.post_value(path, value).await;
        answer.refusal(StatusCode::UNPROCESSABLE_ENTITY)
    }

    /// Queues an evaluation of a run, which must be accepted.
    pub async fn evaluate(&self, run: i64, spec: &EvaluationSpec) {
        let path = format!("/runs/{run}/evaluate");
        let answer = self.post_value(&path, spec).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    }

    /// Why a request without a body is refused, which must be with `status`.
    pub async fn refused(&self, method: Method, path: &str, status: StatusCode) -> ApiError {
        self.ask(method, path).await.refusal(status)
    }

    /// The image at `url`, which an answer gave.
    pub async fn image(&self, url: &str) -> image::RgbImage {
        let path = url.strip_prefix("/api/v1").unwrap();
        let answer = self.ask(Method::GET, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{url}: {}", answer.text());
        let image = image::load_from_memory(&answer.body).unwrap();
        image.into_rgb8()
    }

    /// Launches `spec`; gives the experiment and the numbers of its runs.
    pub async fn launch(&self, spec: &ExperimentSpec) -> (Experiment, Vec<i64>) {
        let answer = self.post_value("/experiments", spec).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        let experiment: Experiment = answer.json();
        let runs: Vec<Run> = self
            .get(&format!("/experiments/{}/runs", experiment.id))
            .await;
        (experiment, runs.iter().map(|run| run.id).collect())
    }

    /// The run.
    pub async fn run(&self, id: i64) -> Run {
        self.get(&format!("/runs/{id}")).await
    }

    /// Cancels a run; gives it as it is then.
    pub async fn cancel(&self, run: i64) -> Run {
        self.post(&format!("/runs/{run}/cancel")).await
    }

    /// Resumes a run; gives it as it is then.
    pub async fn resume(&self, run: i64) -> Run {
        self.post(&format!("/runs/{run}/resume")).await
    }

    /// What was measured on a run.
    pub async fn measurements(&self, run: i64) -> Vec<Measurement> {
        self.get(&format!("/runs/{run}/measurements")).await
    }

    /// The events of a run after the one of this number; at most 1000.
    pub async fn events_after(&self, sequence: i64, run: i64) -> Vec<LiveEvent> {
        let store = &self.state.store;
        let events = store.events_after(sequence, None, Some(run), 1000).await;
        events.unwrap()
    }

    /// The run, once it is as `wanted`.
    pub async fn wait(&self, run: i64, wanted: impl Fn(&Run) -> bool) -> Run {
        let start = Instant::now();
        loop {
            let found = self.run(run).await;
            if wanted(&found) {
                return found;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "run {run} is still {:?}: {:?}",
                found.state,
                found.reason
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The run, once it has ended.
    pub async fn wait_for_end(&self, run: i64) -> Run {
        self.wait(run, |run| !run.state.is_active()).await
    }

    /// The run, once it has ended, which must be well.
    pub async fn finished(&self, run: i64) -> Run {
        let run = self.wait_for_end(run).await;
        assert_eq!(run.state, RunState::Finished, "{:?}", run.reason);
        run
    }

    /// The run, once a worker has measured an epoch of it and goes on.
    pub async fn wait_for_epoch(&self, run: i64) -> Run {
        let found = self
            .wait(run, |run| run.epochs_done >= 1 || !run.state.is_active())
            .await;
        assert_eq!(found.state, RunState::Running, "{:?}", found.reason);
        found
    }
}

/// A whole answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The refusal, which must have `status`.
    pub fn refusal(&self, status: StatusCode) -> ApiError {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let error: ApiError = self.json();
        assert_eq!(
            (error.status, error.code.status()),
            (status.as_u16(), error.status)
        );
        assert!(error.kind.ends_with(error.code.id()) && error.title == error.code.title());
        assert!(!error.detail.is_empty());
        error
    }
}

/// The fields that a refusal names.
pub fn fields(error: &ApiError) -> Vec<&str> {
    let fields = error.fields.iter();
    fields.map(|error| error.field.as_str()).collect()
}

/// A small real experiment: ResNet8, 10 images of each built-in class, one seed.
pub fn small(alphas: &[f64], epochs: u32) -> ExperimentSpec {
    ExperimentSpec {
        name: "small".into(),
        notes: String::new(),
        network: Network::ResNet8,
        dataset: Dataset::Builtin,
        alphas: alphas.to_vec(),
        seeds: vec![0],
        device: "cpu".into(),
        training: TrainingSpec {
            epochs,
            batch_size: 32,
            learning_rate: 0.05,
            momentum: 0.9,
            weight_decay: 1e-4,
            learning_rate_milestones: vec![],
            learning_rate_factor: 0.1,
            augmentation: Augmentation::None,
            validation_images_per_class: 2,
            train_images_per_class: Some(10),
        },
        evaluation: EvaluationSpec::default(),
        // What ends a worker is to be seen.
        retries: 0,
        executor: ExecutorSpec::Local,
    }
}

/// An experiment that would take hours: for tests that end it.
pub fn endless(alphas: &[f64]) -> ExperimentSpec {
    small(alphas, 10_000)
}

/// Every corruption at every severity, on `images` test images.
pub fn corruptions(images: u32) -> EvaluationSpec {
    EvaluationSpec {
        corruptions: Some(CorruptionSpec::everything(Some(images))),
        ..EvaluationSpec::default()
    }
}
