//! `GET /experiments/{id}/findings`: what an experiment says about the source's claims.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use protocol::finding::Findings;

use super::json::Id;
use super::{AppState, Refusal};
use crate::findings::findings_of_stored;
use crate::store::{FindingsVersion, StoreError};

/// Findings, and the version of the store that they are of.
type Known = (FindingsVersion, Arc<Findings>);

/// Findings of the experiments that were last looked at.
#[derive(Debug, Clone, Default)]
pub struct KnownFindings(Arc<Mutex<HashMap<i64, Known>>>);

/// Experiments whose findings are kept: some 100 kB each.
const KEPT: usize = 64;

impl KnownFindings {
    fn get(&self, experiment: i64, version: FindingsVersion) -> Option<Arc<Findings>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, findings) = known.get(&experiment)?;
        (*of == version).then(|| findings.clone())
    }

    fn keep(&self, experiment: i64, version: FindingsVersion, findings: Arc<Findings>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT && !known.contains_key(&experiment) {
            known.clear();
        }
        known.insert(experiment, (version, findings));
    }
}

/// What an experiment says about each of the source's claims C1 to C8: a verdict with its rule, the tests behind it, and
/// what would decide where nothing does. Seeds are the replicates.
#[utoipa::path(get, path = "/experiments/{id}/findings", params(("id" = i64, Path)), responses((status = 200, body = Findings), (status = 404, body = protocol::api::ApiError)))]
pub(super) async fn findings(
    State(state): State<AppState>,
    Id(id): Id,
) -> Result<Json<Findings>, Refusal> {
    Ok(Json(of_experiment(&state, id).await?))
}

/// The findings of an experiment, from memory where nothing has changed since they were made.
///
/// # Errors
/// When there is no such experiment, or the store fails.
pub async fn of_experiment(state: &AppState, id: i64) -> Result<Findings, Refusal> {
    let experiment = state.store.experiment(id).await?;
    // Before the runs are read: what is measured meanwhile makes the kept findings old, not wrong.
    let version = state.store.findings_version(id).await?;
    if let Some(known) = state.findings.get(id, version) {
        let mut findings = (*known).clone();
        findings.name = experiment.spec.name; // It can change without a measurement.
        return Ok(findings);
    }
    let trained = state.store.trained_runs_for_findings(id).await?;
    let findings = tokio::task::spawn_blocking(move || {
        findings_of_stored(&experiment, &trained, version.runs())
    })
    .await?
    .map_err(StoreError::from)?;
    let findings = Arc::new(findings);
    state.findings.keep(id, version, findings.clone());
    Ok((*findings).clone())
}
