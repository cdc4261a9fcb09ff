//! An experiment that a server at work on the store runs, watched from the command line.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use protocol::api::{ApiError, Experiment, ExperimentPage};
use protocol::{Event, ExperimentSpec, Run};
use serde::de::DeserializeOwned;

use super::{Bars, goes_on, not_launchable, report};
use crate::commands::output::say;
use crate::commands::serve::told_to_stop;
use crate::directory::DataDirectory;

/// How often the server is asked how far its runs are.
const EVERY: Duration = Duration::from_millis(500);

/// A server on this machine.
#[derive(Debug, Clone)]
pub(super) struct Server {
    root: String,
    /// For a server that listens on another address than loopback; empty if the server has made none.
    token: String,
    agent: ureq::Agent,
}

/// What the server answered: a value, or why not.
type Answer<T> = Result<Result<T, ApiError>, Box<dyn Error>>;

impl Server {
    /// The server at `address`, for example `http://127.0.0.1:3000`, at work on `directory`.
    pub(super) fn new(address: &str, directory: &DataDirectory) -> Self {
        // A server that listens on all addresses listens here too.
        let root = address
            .replace("//0.0.0.0:", "//127.0.0.1:")
            .replace("//[::]:", "//[::1]:");
        let token = std::fs::read_to_string(directory.root().join("token")).unwrap_or_default();
        let tls = ureq::tls::TlsConfig::builder()
            // The server is on this machine, and its certificate need not name it by this address.
            .disable_verification(true)
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Server {
            root,
            token: token.trim().to_owned(),
            agent: agent.into(),
        }
    }

    /// Launches `spec` there, or goes on with it, and watches until its runs have ended.
    pub(super) async fn run(
        self,
        file: &Path,
        spec: ExperimentSpec,
        new: bool,
    ) -> Result<(), Box<dyn Error>> {
        let known = match new {
            true => None,
            false => self.experiment_with(&spec).await?,
        };
        let id = match known {
            Some(id) => {
                let runs = self.runs(id).await?;
                let resumable = runs.iter().filter(|run| run.state.is_resumable()).count();
                let _: Experiment = self
                    .ask("POST", format!("/experiments/{id}/resume"), None)
                    .await??;
                say!("{}", goes_on(id, &spec, resumable, runs.len()));
                id
            }
            None => {
                let body = serde_json::to_string(&spec)?;
                let launched: Result<Experiment, ApiError> =
                    self.ask("POST", "/experiments".into(), Some(body)).await?;
                let id = match launched {
                    Ok(experiment) => experiment.id,
                    Err(error) if !error.fields.is_empty() => {
                        return Err(not_launchable(file, &error.fields));
                    }
                    Err(error) => return Err(error.into()),
                };
                say!("experiment {id}: {}", spec.name);
                id
            }
        };
        say!("{}/experiments/{id}", self.root);
        let mut bars = Bars::new(&self.runs(id).await?)?;
        let mut epochs: HashMap<i64, u32> = HashMap::new();
        let stop = told_to_stop();
        tokio::pin!(stop);
        loop {
            let runs = self.runs(id).await?;
            for run in &runs {
                if let Some(epoch) = &run.latest_epoch
                    && epochs.insert(run.id, epoch.epoch) != Some(epoch.epoch)
                {
                    bars.show(run.id, &Event::Epoch(epoch.clone()));
                }
                match &run.progress {
                    Some(progress) => bars.show(run.id, &Event::Progress(progress.clone())),
                    None if !run.state.is_active() => bars.show(run.id, &Event::Cancelled),
                    None => {}
                }
            }
            if runs.iter().all(|run| !run.state.is_active()) {
                bars.all.clear()?;
                return report(&runs);
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = &mut stop => {
                    bars.all.clear()?;
                    say!("the server goes on with experiment {id}: {}/experiments/{id}", self.root);
                    return Ok(());
                }
            }
        }
    }

    async fn runs(&self, experiment: i64) -> Result<Vec<Run>, Box<dyn Error>> {
        Ok(self
            .ask("GET", format!("/experiments/{experiment}/runs"), None)
            .await??)
    }

    /// The newest experiment of the server that was launched with exactly `spec`.
    async fn experiment_with(&self, spec: &ExperimentSpec) -> Result<Option<i64>, Box<dyn Error>> {
        let name =
            percent_encoding::utf8_percent_encode(&spec.name, percent_encoding::NON_ALPHANUMERIC);
        for page in 1.. {
            let path = format!("/experiments?search={name}&page={page}&page_size=200");
            let answer: ExperimentPage = self.ask("GET", path, None).await??;
            let same = answer
                .experiments
                .iter()
                .find(|experiment| experiment.spec == *spec);
            if let Some(experiment) = same {
                return Ok(Some(experiment.id));
            }
            if answer.experiments.is_empty() {
                break;
            }
        }
        Ok(None)
    }

    async fn ask<T: DeserializeOwned + Send + 'static>(
        &self,
        method: &'static str,
        path: String,
        body: Option<String>,
    ) -> Answer<T> {
        let server = self.clone();
        let (status, text) =
            tokio::task::spawn_blocking(move || server.exchange(method, &path, body))
                .await?
                .map_err(|error| format!("the server at {} does not answer: {error}", self.root))?;
        if (200..300).contains(&status) {
            return Ok(Ok(serde_json::from_str(&text)?));
        }
        let refusal = serde_json::from_str(&text)
            .map_err(|_| format!("the server at {} answered with {status}", self.root))?;
        Ok(Err(refusal))
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<(u16, String), ureq::Error> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/api/v1{path}", self.root));
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let mut response = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body)?)?
            }
            None => self.agent.run(request.body(())?)?,
        };
        let status = response.status().as_u16();
        let text = response
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_string()?;
        Ok((status, text))
    }
}
