//! `GET /presets` and `GET /options`: what the New experiment form needs.

use axum::Json;
use axum::extract::State;
use protocol::Network;
use protocol::api::FormOptions;
use protocol::preset::{Preset, presets as all_presets};

use super::{Answer, AppState, devices, executors};

/// Experiments to start from.
#[utoipa::path(get, path = "/presets", responses((status = 200, body = Vec<Preset>)))]
pub(super) async fn presets() -> Json<Vec<Preset>> {
    Json(all_presets())
}

/// Everything that can be chosen for an experiment.
#[utoipa::path(get, path = "/options", responses((status = 200, body = FormOptions)))]
pub(super) async fn options(State(state): State<AppState>) -> Answer<FormOptions> {
    Ok(Json(FormOptions {
        presets: all_presets(),
        networks: Network::ALL.to_vec(),
        datasets: state.catalogue.datasets().await?,
        devices: devices::with_load(&state).await?,
        executors: executors::with_load(&state).await?,
    }))
}
