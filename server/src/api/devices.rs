//! `/devices`: what can train, and taking a paused one into use again.

use axum::Json;
use axum::extract::State;
use engine::devices::DeviceDescription;
use protocol::RunState;
use protocol::api::DeviceInfo;

use super::json::PathParameters;
use super::{Answer, AppState, Refusal};
use crate::store::Scope;

/// Devices that can train, with what is on them.
#[utoipa::path(get, path = "/devices", responses((status = 200, body = Vec<DeviceInfo>)))]
pub(super) async fn devices(State(state): State<AppState>) -> Answer<Vec<DeviceInfo>> {
    Ok(Json(with_load(&state).await?))
}

/// Takes a device that was paused after failed starts into use again; its queue goes on.
#[utoipa::path(post, path = "/devices/{id}/resume", params(("id" = String, Path)), responses((status = 200, body = DeviceInfo)))]
pub(super) async fn resume(
    State(state): State<AppState>,
    PathParameters(id): PathParameters<String>,
) -> Answer<DeviceInfo> {
    state.scheduler.resume_device(&id);
    let devices = with_load(&state).await?;
    devices
        .into_iter()
        .find(|device| device.id == id)
        .map(Json)
        .ok_or_else(|| Refusal::not_found(format!("there is no device `{id}` here")))
}

/// The devices with their slots and runs.
pub(super) async fn with_load(state: &AppState) -> Result<Vec<DeviceInfo>, Refusal> {
    let running = state
        .store
        .count_by_device(RunState::Running, Scope::Everything)
        .await?;
    let queued = state
        .store
        .count_by_device(RunState::Queued, Scope::Everything)
        .await?;
    // Runs may call a device by either of its names.
    let count = |counts: &[(String, u32)], device: &DeviceDescription| {
        counts
            .iter()
            .filter(|(name, _)| device.is_called(name))
            .map(|&(_, count)| count)
            .sum()
    };
    let checks = engine::self_check::earlier(&state.directory.device_checks());
    let devices = state.catalogue.devices().await;
    Ok(devices
        .iter()
        .map(|device| DeviceInfo {
            slots: state.scheduler.slots(&device.id),
            paused: state.scheduler.paused(&device.id),
            running: count(&running, device),
            queued: count(&queued, device),
            checks: checks
                .iter()
                .filter(|check| device.is_called(&check.device))
                .cloned()
                .collect(),
            id: device.id.clone(),
            name: device.name.clone(),
            backend: device.backend.clone(),
            software: device.software,
            note: device.note.clone(),
        })
        .collect())
}
