//! The OpenAPI document, and what renders it. The files come from the
//! `utoipa-swagger-ui` crate itself: nothing is loaded from elsewhere.

use axum::Router;
use protocol::problem::ErrorCode;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa_swagger_ui::SwaggerUi;

use super::AppState;
use super::error::PROBLEM_JSON;

/// `GET /api/v1/openapi.json`, and the files that the dashboard's page `/api` is drawn with.
pub(super) fn routes(document: OpenApi) -> Router<AppState> {
    SwaggerUi::new("/api/docs")
        .url("/api/v1/openapi.json", document)
        .into()
}

/// Describes for every operation the problems with which it may be refused, each with its codes.
pub(super) fn with_problems(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let changing = [
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
            &mut item.put,
        ];
        for operation in changing.into_iter().flatten() {
            describe(path, operation, true);
        }
        if let Some(operation) = &mut item.get {
            describe(path, operation, false);
        }
    }
    document
}

fn describe(path: &str, operation: &mut Operation, changes: bool) {
    let parameters = operation.parameters.iter().flatten();
    let has = |place: ParameterIn| {
        parameters
            .clone()
            .any(|one| matches!(one, RefOr::T(one) if one.parameter_in == place))
    };
    let (in_path, in_query) = (
        has(ParameterIn::Path),
        has(ParameterIn::Query) || has(ParameterIn::Header),
    );
    let has_body = operation.request_body.is_some();
    let takes_window = parameters
        .clone()
        .any(|one| matches!(one, RefOr::T(one) if one.name == "window"));
    let of_files =
        path.starts_with("/api/v1/runs/{id}/") || path.starts_with("/api/v1/datasets/{id}/");
    let may_have = |code: ErrorCode| match code {
        ErrorCode::Unauthorized
        | ErrorCode::ForeignHost
        | ErrorCode::ForeignOrigin
        | ErrorCode::StoreFailed
        | ErrorCode::Internal => true,
        ErrorCode::ReadOnly => changes,
        ErrorCode::InvalidParameter => in_path || in_query,
        ErrorCode::NotFound => in_path || in_query,
        ErrorCode::MalformedBody
        | ErrorCode::RequestTimeout
        | ErrorCode::PayloadTooLarge
        | ErrorCode::UnsupportedMediaType => has_body,
        ErrorCode::InvalidFields => has_body || takes_window,
        ErrorCode::RunsActive => {
            operation_is(path, &["/experiments/{id}", "/runs/{id}"]) && changes && !has_body
        }
        ErrorCode::KeyReused => operation_is(path, &["/experiments"]) && changes,
        ErrorCode::NotResumable => operation_is(path, &["/runs/{id}/resume"]),
        ErrorCode::NotEvaluable => operation_is(path, &["/runs/{id}/evaluate"]),
        ErrorCode::NotFetchable => operation_is(path, &["/datasets/{id}/fetch"]),
        ErrorCode::DataChanged | ErrorCode::UnusableData => of_files && !changes,
        ErrorCode::AlreadyThere => {
            operation_is(path, &["/archives", "/experiments/{id}/import"]) && changes
        }
        ErrorCode::UnpairedImages => operation_is(path, &["/runs/{id}/corrupted-samples"]),
        ErrorCode::UnusableArchive => operation_is(path, &["/archives"]),
        // Every described operation is allowed at its address.
        ErrorCode::MethodNotAllowed | ErrorCode::Unknown => false,
    };
    let responses = &mut operation.responses.responses;
    responses.retain(|status, _| !status.starts_with(['4', '5']) || status == "416");
    for code in ErrorCode::ALL.into_iter().filter(|&code| may_have(code)) {
        let line = format!("`{}`: {}", code.id(), code.title());
        let entry = responses
            .entry(code.status().to_string())
            .or_insert_with(|| {
                let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ApiError")));
                RefOr::T(
                    ResponseBuilder::new()
                        .content(PROBLEM_JSON, content.build())
                        .build(),
                )
            });
        if let RefOr::T(response) = entry {
            if !response.description.is_empty() {
                response.description.push_str("; ");
            }
            response.description.push_str(&line);
        }
    }
}

fn operation_is(path: &str, paths: &[&str]) -> bool {
    paths
        .iter()
        .any(|one| path.strip_prefix("/api/v1") == Some(*one))
}
