//! `selectivity-lab serve`: the dashboard, the API and the scheduler.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::middleware;
use protocol::api::UNDO_MINUTES;
use tokio::net::TcpListener;

use crate::api::{AppState, Guard, app, guard};
use crate::archive::import_example;
use crate::commands::output::say;
use crate::connections::{self, Limits};
use crate::directory::DataDirectory;
use crate::import::remove_abandoned;
use crate::lock::StoreLock;
use crate::purge::purge;
use crate::scheduler::{Scheduler, Slots};
use crate::ssr::site;
use crate::store::{Scope, Store, StoreError, check_large};
use crate::tls;
use crate::tokens::{Access, Tokens};

/// Time between two looks for what is to be removed for good.
const PURGE_EVERY: Duration = Duration::from_secs(30);

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The address to listen on; other machines can reach the server only if this is not loopback.
    #[arg(long, default_value = "127.0.0.1", env = "SELECTIVITY_LAB_HOST")]
    host: IpAddr,
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 3000, env = "SELECTIVITY_LAB_PORT")]
    port: u16,
    /// Another name under which people reach the server; may be repeated.
    #[arg(long)]
    allow_host: Vec<String>,
    /// Runs a device takes at once, as DEVICE=N with a name as `selectivity-lab devices` lists it; may be repeated. 1 where not said.
    #[arg(long, value_parser = parse_slots)]
    slots: Vec<(String, u32)>,
    /// A PEM file with the server's certificate, followed by those that signed it: the server then speaks HTTPS alone.
    #[arg(long, requires = "tls_key", env = "SELECTIVITY_LAB_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// A PEM file with the certificate's private key.
    #[arg(long, requires = "tls_cert", env = "SELECTIVITY_LAB_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// An archive with an experiment to look at, imported where the store has never held one.
    #[arg(long, env = "SELECTIVITY_LAB_EXAMPLE")]
    example: Option<PathBuf>,
    /// The folder with the dashboard's files, made by `make site`.
    #[arg(long, default_value = "target/site", env = "LEPTOS_SITE_ROOT")]
    site_root: PathBuf,
}

fn parse_slots(text: &str) -> Result<(String, u32), String> {
    let wrong = || format!("`{text}` is not DEVICE=N with N 1 or more, for example cpu=2");
    let (device, count) = text.rsplit_once('=').ok_or_else(wrong)?;
    let count = count
        .parse()
        .ok()
        .filter(|&count| count >= 1)
        .ok_or_else(wrong)?;
    Ok((device.to_owned(), count))
}

impl Arguments {
    async fn bind(&self) -> Result<TcpListener, String> {
        let listener = TcpListener::bind((self.host, self.port)).await;
        listener.map_err(|error| {
            format!(
                "cannot listen on {}:{}: {error}; choose another port with --port",
                self.host, self.port
            )
        })
    }

    /// Says where others reach the dashboard, with the tokens that they need.
    fn say_links(&self, tokens: &Tokens, scheme: &str, port: u16) {
        let name = match self.allow_host.first() {
            Some(name) => name.clone(),
            None if self.host.is_unspecified() => host_name(),
            None => self.host.to_string(),
        };
        let link = |access| format!("{scheme}://{name}:{port}/?token={}", tokens.of(access));
        say!("From other machines:  {}", link(Access::Full));
        say!("For reading alone:    {}", link(Access::ReadOnly));
    }

    /// Serves until it is told to stop.
    ///
    /// # Errors
    /// When the store is in use, the port is taken, or the dashboard's files are missing.
    pub async fn run(self, directory: DataDirectory) -> Result<(), Box<dyn Error>> {
        if !self.site_root.join("pkg/app.js").is_file() {
            let folder = self.site_root.display();
            return Err(format!("{folder} does not hold the dashboard; run `make site`, or name the folder with --site-root").into());
        }
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(tls::acceptor(certificate, key)?),
            _ => None,
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let mut lock = StoreLock::acquire(&directory.lock(), "a server that is starting")?;
        let listener = self.bind().await?;
        let address = listener.local_addr()?;
        lock.describe(&format!("the server at {scheme}://{address}"))?;

        let executable = std::env::current_exe()?;
        let store = Store::open_in(&directory).await?;
        remove_abandoned(&store, &directory).await?;
        if let Some(example) = &self.example
            && let Err(error) = import_example(&store, &directory, example).await
        {
            tracing::warn!(%error, "there is no example");
        }
        let slots = Slots::new(self.slots.iter().cloned().collect::<BTreeMap<_, _>>());
        let scheduler = Scheduler::start(
            store.clone(),
            directory.clone(),
            executable.clone(),
            slots,
            Scope::Everything,
        )
        .await?;
        let state = AppState::new(
            store.clone(),
            scheduler.clone(),
            directory.clone(),
            executable,
        );
        let downloads = state.catalogue.clone();
        begin_background_work(&state);
        // Clients on other machines need a token; an added name means that there are some, perhaps through a proxy.
        let tokens = (!self.host.is_loopback() || !self.allow_host.is_empty())
            .then(|| Tokens::load_or_make(directory.root()))
            .transpose()?;
        say!("Selectivity Lab is listening on {scheme}://{address}");
        if let Some(tokens) = &tokens {
            self.say_links(tokens, scheme, address.port());
        }
        let mut names = self.allow_host;
        if !self.host.is_loopback() && !self.host.is_unspecified() {
            names.push(address.ip().to_string());
        }
        let guarded = Guard::new(address.port(), &names, tokens, tls.is_some());
        let site =
            site(app(state), self.site_root).layer(middleware::from_fn_with_state(guarded, guard));
        let stopping = scheduler.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let server = connections::serve(listener, tls, site, Limits::default(), async move {
            told_to_stop().await;
            downloads.stop();
            say_left(stopping.leave().await);
            // Open event streams never end by themselves: the server waits for others only briefly.
            let _ = stop.send(());
        });
        tokio::select! {
            () = server => {}
            () = async { let _ = stopped.await; tokio::time::sleep(std::time::Duration::from_secs(1)).await; } => {}
            damaged = damage(&directory) => {
                // Nothing more is written, to protect what can still be read.
                scheduler.leave().await;
                return Err(damaged.into());
            }
        }
        store.close().await;
        drop(lock);
        Ok(())
    }
}

/// Begins what goes on beside the answers to requests.
fn begin_background_work(state: &AppState) {
    let AppState {
        store,
        directory,
        scheduler,
        catalogue,
        ..
    } = state.clone();
    // Asked early: a cold GPU driver takes seconds, and the first form should not wait for it.
    tokio::spawn(async move { catalogue.devices().await.len() });
    tokio::spawn(async move {
        loop {
            // On a full disk, whoever deletes needs the room now.
            let minutes = match scheduler.disk_is_full() {
                true => 0,
                false => UNDO_MINUTES,
            };
            if let Err(error) = purge(&store, &directory, minutes).await {
                tracing::warn!(%error, "what was deleted still takes room");
            }
            tokio::time::sleep(PURGE_EVERY).await;
        }
    });
}

/// Says how many runs are left at work.
fn say_left(runs: usize) {
    let words = match runs {
        0 => return,
        1 => "1 run is".to_owned(),
        more => format!("{more} runs are"),
    };
    say!(
        "{words} at work: training goes on, and the next start of the server finds it. Cancel runs on the page to end them."
    );
}

/// Checks a large store while the server is at work; resolves where it is damaged.
async fn damage(directory: &DataDirectory) -> StoreError {
    match check_large(directory).await {
        Err(error @ StoreError::Damaged { .. }) => error,
        Err(error) => {
            tracing::warn!(%error, "the store could not be checked");
            std::future::pending().await
        }
        Ok(()) => std::future::pending().await,
    }
}

/// This machine's name, as others may know it.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".into(),
        name => name.into(),
    }
}

/// Waits for SIGINT or SIGTERM.
pub(super) async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
