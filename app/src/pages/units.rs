//! The units of a run: a layer's, sorted and filtered, and a close look at one of them.

use std::future::Future;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::{use_navigate, use_query_map};
use protocol::Run;
use protocol::api::ApiError;
use protocol::unit::{UnitDetail, UnitSummary, UnitTable};
use serde::{Deserialize, Serialize};

use crate::data::api;
use crate::data::choice::Choice;
use crate::data::query::{ask_again, in_place, number_of, use_id};
use crate::format;
use crate::ui::{AlphaChip, Chooser, Load};
use view::View;

mod images;
mod table;
mod unit;
mod view;

/// Everything that the page shows. Without its layer or unit, the rest is still shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Data {
    run: Run,
    table: Result<UnitTable, ApiError>,
    unit: Option<Result<UnitDetail, ApiError>>,
}

/// The layer of `run` that `view` names; the first where it names no known one.
fn layer_of(run: &Run, view: &View) -> String {
    let layers = run.spec.network.layers();
    let named = view
        .layer
        .as_ref()
        .filter(|named| layers.iter().any(|layer| layer.name == **named));
    let first = layers.first().map(|layer| layer.name.clone());
    named.cloned().or(first).unwrap_or_default()
}

async fn read_table(run: i64, layer: String) -> Result<UnitTable, ApiError> {
    api::get_part(&format!("/runs/{run}/units?layer={}", api::segment(&layer))).await
}

async fn read_unit(run: i64, layer: String, unit: u32) -> Result<UnitDetail, ApiError> {
    let layer = api::segment(&layer);
    api::get_part(&format!("/runs/{run}/units/{layer}/{unit}")).await
}

async fn read(id: String, view: View) -> Result<Data, ApiError> {
    let number = number_of(&id, "a run")?;
    let run: Run = api::get(&format!("/runs/{number}")).await?;
    let layer = layer_of(&run, &view);
    let table = read_table(number, layer.clone()).await;
    let unit = match view.unit {
        Some(unit) if table.is_ok() => Some(read_unit(number, layer, unit).await),
        _ => None,
    };
    Ok(Data { run, table, unit })
}

/// What the page shows, as signals that follow its address.
#[derive(Debug, Clone, Copy)]
struct PageSignals {
    run: i64,
    /// What the address says.
    view: Memo<View>,
    /// The layer that is shown.
    layer: Memo<String>,
    table: RwSignal<Result<UnitTable, ApiError>>,
    /// The units that are shown, in order.
    order: Memo<Vec<UnitSummary>>,
    unit: RwSignal<Option<Result<UnitDetail, ApiError>>>,
    /// Shows something else, and puts it into the address.
    go: Callback<View>,
}

impl PageSignals {
    /// Shows the view that `change` makes of the current one.
    fn change(self, change: impl FnOnce(View) -> View) {
        self.go.run(change(self.view.get_untracked()));
    }
}

/// The page at `/runs/:id/units`.
#[component]
pub fn UnitsPage() -> impl IntoView {
    let id = use_id();
    let view = use_view();
    // Another layer or unit is requested by its own part alone, not by the whole page.
    let data = Resource::new(move || id.get(), move |id| read(id, view.get_untracked()));
    view! { <Load resource=data render=|data| view! { <Explorer data /> } /> }.into_any()
}

fn use_view() -> Memo<View> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| View::from_query(|key| query.get(key))))
}

/// Asks again when `key` changes. Returns whether an answer is pending.
fn follow<K, T, F>(
    key: Memo<K>,
    answer: RwSignal<T>,
    read: impl Fn(K) -> F + 'static,
) -> RwSignal<bool>
where
    K: Clone + PartialEq + Send + Sync + 'static,
    T: Send + Sync + 'static,
    F: Future<Output = T> + 'static,
{
    let busy = RwSignal::new(false);
    let ask = move |key| {
        busy.set(true);
        read(key)
    };
    ask_again(key, ask, move |value| {
        answer.set(value);
        busy.set(false);
    });
    busy
}

#[component]
fn Explorer(data: Data) -> impl IntoView {
    let Run {
        id: run,
        experiment_id,
        spec,
        ..
    } = data.run.clone();
    let view = use_view();
    let whole = StoredValue::new(data.run);
    let layer = Memo::new(move |_| whole.with_value(|run| view.with(|view| layer_of(run, view))));
    let table = RwSignal::new(data.table);
    let unit = RwSignal::new(data.unit);
    let order = Memo::new(move |_| {
        let arrange = |table: &UnitTable| view.with(|view| view.arrange(table));
        table.with(|table| table.as_ref().map(arrange).unwrap_or_default())
    });
    let navigate = use_navigate();
    let go = Callback::new(move |view: View| {
        navigate(&view.address(run), in_place());
    });
    let now = PageSignals {
        run,
        view,
        layer,
        table,
        order,
        unit,
        go,
    };
    let table_busy = follow(layer, table, move |layer| read_table(run, layer));
    let chosen = Memo::new(move |_| {
        let unit = view.with(|view| view.unit)?;
        Some((layer.get(), unit))
    });
    let unit_busy = follow(chosen, unit, move |chosen| async move {
        let (layer, unit) = chosen?;
        Some(read_unit(run, layer, unit).await)
    });
    let layers: Vec<Choice> = spec
        .network
        .layers()
        .into_iter()
        .map(|layer| {
            let units = format::plural(layer.units.into(), "unit", "units");
            Choice::new(layer.name.clone(), format!("{}, {units}", layer.name))
        })
        .collect();
    view! {
        <Title text=format!("Units of run {run}") />
        <nav class="crumbs" aria-label="Breadcrumb">
            <A href="/experiments">"Experiments"</A>" / "
            <A href=format!("/experiments/{experiment_id}")>{format!("Experiment {experiment_id}")}</A>" / "
            <A href=format!("/runs/{run}")>{format!("Run {run}")}</A>" / "
            <span>"Units"</span>
        </nav>
        <div class="heading">
            <h1>{format!("Units of run {run}")}<span class="of"><AlphaChip alpha=spec.alpha />{format!("seed {}", spec.seed)}</span></h1>
        </div>
        <div class="controls">
            <Chooser
                id="units-layer" label="Layer" options=Signal::stored(layers) value=layer
                choose=move |layer| now.change(|view| View { layer: Some(layer), unit: None, ..view })
            />
            <table::Filters now />
        </div>
        <div class="explorer">
            <table::Units now busy=table_busy />
            <unit::Unit now busy=unit_busy />
        </div>
    }
}
