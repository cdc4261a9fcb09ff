//! Accepts connections, limits their time, and closes them. hyper speaks HTTP; this module limits how long a peer may take and
//! how many connections it may hold, so that a few hundred idle ones do not lock everyone else out.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::mutex::lock;

/// How long a peer may take, and how many connections it may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a request's head, from its connection's first moment or from the end of the answer before: also the time that a
    /// connection may be idle.
    pub head: Duration,
    /// For a request's body, from the end of its head.
    pub body: Duration,
    /// For taking the next byte of an answer.
    pub write: Duration,
    /// Connections of one address. Generous: all that come through a proxy or a tunnel have the same.
    pub peer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head: Duration::from_secs(20),
            body: Duration::from_secs(60),
            write: Duration::from_secs(60),
            peer: 400,
        }
    }
}

/// The time by which the body of the request that carries this must have arrived.
#[derive(Debug, Clone, Copy)]
pub struct BodyDeadline(pub Instant);

/// The answer to a peer that holds too many connections.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
    retry-after: 20\r\ncontent-length: 129\r\nconnection: close\r\n\r\n\
    {\"code\":\"too_many_connections\",\"status\":503,\"detail\":\"this address holds too many connections; close some, or wait 20 seconds\"}\r\n";

/// A byte stream, encrypted or not.
trait Transport: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Transport for T {}

/// Serves `router` to every connection, over TLS if `tls` is given, until `stop` resolves; then answers pending requests and
/// returns. A request carries its peer's address as [`ConnectInfo`], and its [`BodyDeadline`].
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let peers = Peers::default();
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = &mut stop => break,
        };
        let Some(place) = peers.take(peer.ip().to_canonical(), limits.peer) else {
            tokio::spawn(turn_away(stream));
            continue;
        };
        // Events are small and should not wait for more; where this fails they come a little later.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.write));
        let router = router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            let deadline = BodyDeadline(Instant::now() + limits.body);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(deadline);
            let router = router.clone();
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_default()) }
        });
        let (tls, watcher) = (tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            let stream: Pin<Box<dyn Transport>> = match tls {
                None => Box::pin(stream),
                Some(tls) => {
                    let shaken = tls.accept(Box::pin(stream));
                    match tokio::time::timeout(limits.head, shaken).await {
                        Ok(Ok(stream)) => Box::pin(stream),
                        // A peer that speaks no TLS, or refuses our certificate, is no error of ours.
                        refused => {
                            tracing::debug!(%peer, ?refused, "no TLS connection came about");
                            return;
                        }
                    }
                }
            };
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head)
                .serve_connection(TokioIo::new(stream), service);
            // Nor is one that went away or took too long.
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%peer, %error, "a connection ended");
            }
        });
    }
    graceful.shutdown().await;
}

/// The next connection. Without file descriptors there is none for a while; the server goes on.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error)
                if [ConnectionAborted, ConnectionRefused, ConnectionReset]
                    .contains(&error.kind()) => {}
            Err(error) => {
                tracing::error!(%error, "cannot take a connection; trying again in 1 s");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn turn_away(mut stream: TcpStream) {
    // A courtesy: whoever does not take it is closed all the same.
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(TOO_MANY)).await;
}

/// Connections by address.
#[derive(Debug, Clone, Default)]
struct Peers(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Peers {
    /// A place for one more connection of `address`; none when it has `limit`.
    fn take(&self, address: IpAddr, limit: usize) -> Option<Place> {
        let mut counts = lock(&self.0);
        let count = counts.entry(address).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Place {
            peers: self.clone(),
            address,
        })
    }
}

/// One connection's place; free again when this is dropped.
struct Place {
    peers: Peers,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = lock(&self.peers.0);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}
