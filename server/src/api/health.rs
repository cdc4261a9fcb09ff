//! `GET /health`

use axum::Json;
use axum::extract::State;
use protocol::RunState;
use protocol::api::Health;

use super::{Answer, AppState};
use crate::store::Scope;

/// Whether the server is well.
#[utoipa::path(get, path = "/health", responses((status = 200, body = Health)))]
pub(super) async fn health(State(state): State<AppState>) -> Answer<Health> {
    state.store.ping().await?;
    let mut counts = [0, 0, 0];
    let states = [RunState::Queued, RunState::Running, RunState::Interrupted];
    for (count, run_state) in counts.iter_mut().zip(states) {
        let by_device = state
            .store
            .count_by_device(run_state, Scope::Everything)
            .await?;
        *count = by_device.iter().map(|(_, count)| count).sum();
    }
    let [queued, running, interrupted] = counts;
    Ok(Json(Health {
        status: "ok".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        gpu_support: engine::devices::GPU_SUPPORT,
        queued,
        running,
        interrupted,
        lacking_room: state.scheduler.lacking_room(),
    }))
}
