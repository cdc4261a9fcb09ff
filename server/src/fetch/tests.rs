//! Fetching from a small server on this machine.

use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

/// How the server treats a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    /// As a good server does.
    Good,
    /// Sends this many bytes of the body, then hangs up.
    HangUpAfter(usize),
    /// Sends the whole file whatever range is asked for.
    IgnoreRange,
    /// Answers every range with 416 and no usable total.
    RefuseRange,
    /// Answers 503.
    Unavailable,
}

/// One request as the server saw it, and the body bytes that it sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    range: Option<String>,
    sent: usize,
}

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    manner: Arc<Mutex<Manner>>,
    /// The file and its entity tag.
    file: Arc<Mutex<(Vec<u8>, &'static str)>>,
}

impl Server {
    /// The thread lives as long as the test process: it blocks in `accept`.
    fn start(file: Vec<u8>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            url: format!("http://{}/file", listener.local_addr().unwrap()),
            seen: Arc::default(),
            manner: Arc::new(Mutex::new(Manner::Good)),
            file: Arc::new(Mutex::new((file, "\"first\""))),
        };
        let (seen, manner, file) = (
            server.seen.clone(),
            server.manner.clone(),
            server.file.clone(),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (manner, (file, tag)) = (*manner.lock().unwrap(), file.lock().unwrap().clone());
                let seen = seen.clone();
                answer(stream.unwrap(), manner, &file, tag, &seen);
            }
        });
        server
    }

    fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, manner: Manner, file: &[u8], tag: &str, seen: &Mutex<Vec<Seen>>) {
    let (mut range, mut condition) = (None, None);
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let line = line.unwrap();
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("range") => {
                range = Some(value.to_owned())
            }
            Some((name, value)) if name.eq_ignore_ascii_case("if-range") => {
                condition = Some(value.to_owned())
            }
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    let start = range
        .as_deref()
        .filter(|_| manner != Manner::IgnoreRange && condition.is_none_or(|c| c == tag))
        .map(|range| {
            range
                .trim_start_matches("bytes=")
                .trim_end_matches('-')
                .parse::<usize>()
                .unwrap()
        });
    let (head, body) = match (manner, start) {
        (Manner::Unavailable, _) => ("503 Service Unavailable\r\n".to_owned(), &[][..]),
        (Manner::RefuseRange, Some(_)) => ("416 Range Not Satisfiable\r\n".to_owned(), &[][..]),
        (_, Some(start)) if start >= file.len() => (
            format!(
                "416 Range Not Satisfiable\r\nContent-Range: bytes */{}\r\n",
                file.len()
            ),
            &[][..],
        ),
        (_, Some(start)) => {
            let (last, total) = (file.len() - 1, file.len());
            (
                format!("206 Partial Content\r\nContent-Range: bytes {start}-{last}/{total}\r\n"),
                &file[start..],
            )
        }
        (_, None) => ("200 OK\r\n".to_owned(), file),
    };
    let sent = match manner {
        Manner::HangUpAfter(count) => count.min(body.len()),
        _ => body.len(),
    };
    seen.lock().unwrap().push(Seen { range, sent });
    let length = body.len();
    // A client that was cancelled hangs up first: that is no fault of the test.
    let _ = write!(
        stream,
        "HTTP/1.1 {head}ETag: {tag}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.write_all(&body[..sent]);
}

const FOLDER: &str = "made-up-set";

/// Bytes that do not compress, so that the archive is longer than a few packets.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn tar_gz(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // Written directly: the builder itself refuses the names that an attacker would use.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn good_tar() -> Vec<u8> {
    tar_gz(&[
        ("made-up-set/images.bin", &noise(300_000)),
        ("made-up-set/names.txt", b"cat\n"),
    ])
}

fn md5_of(bytes: &[u8]) -> String {
    Md5::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `published` on that server.
fn sources_of(server: &Server, published: &[u8], kind: ArchiveKind) -> Archive {
    Archive {
        url: server.url.clone(),
        md5: md5_of(published),
        kind,
        folder: FOLDER.to_owned(),
    }
}

/// Sources whose CIFAR-10 is `published` on that server.
fn sources(server: &Server, published: &[u8], kind: ArchiveKind) -> Sources {
    Sources {
        cifar10: sources_of(server, published, kind),
        ..Sources::default()
    }
}

fn run(directory: &Path, sources: &Sources) -> Result<PathBuf, FetchError> {
    run_for(&Dataset::Cifar10, directory, sources)
}

fn run_for(
    download: impl Into<Download>,
    directory: &Path,
    sources: &Sources,
) -> Result<PathBuf, FetchError> {
    let never = AtomicBool::new(false);
    fetch(download, directory, sources, &mut |_| {}, &never)
}

/// Everything in the directory, hidden files included.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn assert_installed(directory: &Path) {
    let folder = directory.join(FOLDER);
    assert_eq!(fs::read(folder.join("images.bin")).unwrap(), noise(300_000));
    assert_eq!(fs::read(folder.join("names.txt")).unwrap(), b"cat\n");
    assert_eq!(
        names(directory),
        [FOLDER],
        "nothing but the data set is left"
    );
}

/// Fails when files are lost or changed, temporary files stay, or progress goes backwards or skips a step.
#[test]
fn full_downloads_are_installed_with_progress() {
    let entries: [(&str, &[u8]); 2] = [
        ("made-up-set/images.bin", &noise(300_000)),
        ("made-up-set/names.txt", b"cat\n"),
    ];
    for (kind, archive) in [
        (ArchiveKind::TarGz, good_tar()),
        (ArchiveKind::Zip, zip_of(&entries)),
    ] {
        let server = Server::start(archive.clone());
        let directory = tempfile::tempdir().unwrap();
        let mut reports: Vec<FetchProgress> = Vec::new();
        let installed = fetch(
            &Dataset::Cifar10,
            directory.path(),
            &sources(&server, &archive, kind),
            &mut |progress| reports.push(progress),
            &AtomicBool::new(false),
        );
        assert_eq!(installed.unwrap(), directory.path().join(FOLDER));
        assert_installed(directory.path());
        for step in [
            FetchStep::Downloading,
            FetchStep::Checking,
            FetchStep::Unpacking,
        ] {
            let of_step: Vec<_> = reports
                .iter()
                .filter(|report| report.step == step)
                .collect();
            assert!(!of_step.is_empty(), "{step} was never reported");
            assert!(of_step.is_sorted_by_key(|report| report.bytes));
            assert!(
                of_step
                    .iter()
                    .all(|report| report.total_bytes == Some(archive.len() as u64))
            );
        }
        assert!(reports.is_sorted_by_key(|report| report.step as u8));
    }
}

/// Fails when a cut download is thrown away, transferred again, or counted as complete.
#[test]
fn interrupted_download_transfers_only_the_rest() {
    let archive = good_tar();
    let server = Server::start(archive.clone());
    let sources = sources(&server, &archive, ArchiveKind::TarGz);
    let directory = tempfile::tempdir().unwrap();
    server.set(Manner::HangUpAfter(100_000));
    let error = run(directory.path(), &sources).unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::Network {
                received: 100_000,
                ..
            }
        ),
        "{error}"
    );
    assert!(!directory.path().join(FOLDER).exists());

    server.set(Manner::Good);
    run(directory.path(), &sources).unwrap();
    assert_installed(directory.path());
    assert_eq!(
        server.seen()[1],
        Seen {
            range: Some("bytes=100000-".to_owned()),
            sent: archive.len() - 100_000
        }
    );
}

/// Fails when the parts of two versions of a file are joined: `If-Range` must bring the new one whole.
#[test]
fn changed_file_is_downloaded_anew() {
    let archive = good_tar();
    let mut earlier = archive.clone();
    earlier[50_000] ^= 1;
    let server = Server::start(earlier);
    let directory = tempfile::tempdir().unwrap();
    let sources = sources(&server, &archive, ArchiveKind::TarGz);
    server.set(Manner::HangUpAfter(100_000));
    run(directory.path(), &sources).unwrap_err();
    server.set(Manner::Good);
    *server.file.lock().unwrap() = (archive.clone(), "\"second\"");
    run(directory.path(), &sources).unwrap();
    assert_installed(directory.path());
    assert_eq!(server.seen()[1].sent, archive.len());
}

/// Fails when the whole file is appended to the part, or a refused range ends the fetch.
#[test]
fn servers_without_ranges_are_downloaded_anew() {
    for manner in [Manner::IgnoreRange, Manner::RefuseRange] {
        let archive = good_tar();
        let server = Server::start(archive.clone());
        let sources = sources(&server, &archive, ArchiveKind::TarGz);
        let directory = tempfile::tempdir().unwrap();
        server.set(Manner::HangUpAfter(100_000));
        run(directory.path(), &sources).unwrap_err();
        server.set(manner);
        run(directory.path(), &sources).unwrap();
        assert_installed(directory.path());
        assert_eq!(
            server.seen().last().unwrap().sent,
            archive.len(),
            "{manner:?}"
        );
    }
}

/// Fails when a download that was complete, but not unpacked, is transferred again.
#[test]
fn complete_download_is_not_transferred_again() {
    let archive = good_tar();
    let server = Server::start(archive.clone());
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(format!(".{FOLDER}.part")), &archive).unwrap();
    run(
        directory.path(),
        &sources(&server, &archive, ArchiveKind::TarGz),
    )
    .unwrap();
    assert_installed(directory.path());
    assert_eq!(server.seen().iter().map(|seen| seen.sent).sum::<usize>(), 0);
}

/// Fails when a wrong file is unpacked, kept (so that resuming can never mend it), or not named.
#[test]
fn wrong_checksum_installs_nothing_and_deletes_the_download() {
    let archive = good_tar();
    let server = Server::start(archive.clone());
    let directory = tempfile::tempdir().unwrap();
    let error = run(
        directory.path(),
        &sources(&server, b"another", ArchiveKind::TarGz),
    )
    .unwrap_err();
    let FetchError::Checksum {
        expected, found, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((expected, found), (&md5_of(b"another"), &md5_of(&archive)));
    assert_eq!(names(directory.path()), [""; 0]);
}

/// Fails when an entry is written outside the data set, or a link is made, or the rest is installed.
#[test]
fn archives_that_lead_elsewhere_are_refused() {
    let evil = [
        ("made-up-set/names.txt", &b"cat\n"[..]),
        ("made-up-set/../../escaped", b"x"),
    ];
    let mut link = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    link.append_link(&mut header, "made-up-set/link", "/etc")
        .unwrap();
    let link = link.into_inner().unwrap().finish().unwrap();
    for (kind, archive) in [
        (ArchiveKind::TarGz, tar_gz(&evil)),
        (ArchiveKind::TarGz, link),
        (ArchiveKind::Zip, zip_of(&evil)),
        (ArchiveKind::Zip, tar_gz(&evil)),
        (ArchiveKind::TarGz, tar_gz(&[("other/names.txt", b"cat\n")])),
    ] {
        let server = Server::start(archive.clone());
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("datasets");
        let error = run(&directory, &sources(&server, &archive, kind)).unwrap_err();
        assert!(matches!(error, FetchError::Archive { .. }), "{error}");
        assert!(!directory.join(FOLDER).exists());
        assert_eq!(names(parent.path()), ["datasets"]);
    }
}

/// Fails when cancelling is ignored, loses what was downloaded, or installs something.
#[test]
fn cancelled_fetch_goes_on_later() {
    let archive = good_tar();
    let server = Server::start(archive.clone());
    let sources = sources(&server, &archive, ArchiveKind::TarGz);
    let directory = tempfile::tempdir().unwrap();
    let cancel = AtomicBool::new(false);
    let mut stop = |progress: FetchProgress| {
        cancel.store(progress.bytes > 0, Ordering::Relaxed);
    };
    let cifar10 = &Dataset::Cifar10;
    let error = fetch(cifar10, directory.path(), &sources, &mut stop, &cancel);
    assert!(matches!(error, Err(FetchError::Cancelled)));
    let part = fs::metadata(directory.path().join(format!(".{FOLDER}.part")))
        .unwrap()
        .len();
    assert!(part > 0 && part < archive.len() as u64);
    run(directory.path(), &sources).unwrap();
    assert_installed(directory.path());
    assert_eq!(server.seen()[1].range, Some(format!("bytes={part}-")));
}

/// Fails when a broken earlier copy stays, or is lost although the fetch failed.
#[test]
fn earlier_copy_is_replaced_only_by_a_complete_one() {
    let archive = good_tar();
    let server = Server::start(archive.clone());
    let sources = sources(&server, &archive, ArchiveKind::TarGz);
    let directory = tempfile::tempdir().unwrap();
    let earlier = directory.path().join(FOLDER).join("images.bin");
    fs::create_dir(directory.path().join(FOLDER)).unwrap();
    fs::write(&earlier, "broken").unwrap();
    server.set(Manner::Unavailable);
    let error = run(directory.path(), &sources).unwrap_err();
    assert!(
        matches!(error, FetchError::Status { status: 503, .. }),
        "{error}"
    );
    assert_eq!(fs::read(&earlier).unwrap(), b"broken");
    server.set(Manner::Good);
    run(directory.path(), &sources).unwrap();
    assert_installed(directory.path());
}

/// Fails when two fetches write the same file, or a set without a source is not refused.
#[test]
fn busy_and_unfetchable_sets_are_refused() {
    let archive = good_tar();
    let server = Server::start(archive.clone());
    let sources = sources(&server, &archive, ArchiveKind::TarGz);
    let directory = tempfile::tempdir().unwrap();
    let _held = lock(&directory.path().join(format!(".{FOLDER}.part"))).unwrap();
    assert!(matches!(
        run(directory.path(), &sources),
        Err(FetchError::Busy(_))
    ));
    assert_eq!(server.seen(), []);
    let builtin = run_for(&Dataset::Builtin, directory.path(), &sources);
    assert!(matches!(
        builtin,
        Err(FetchError::NotFetchable(Download::Dataset(
            Dataset::Builtin
        )))
    ));
}

/// Fails when a plain archive is taken for a compressed one, or a corrupted set for the data set it is of.
#[test]
fn a_corrupted_set_is_fetched_from_its_plain_archive() {
    let mut plain = Vec::new();
    GzDecoder::new(good_tar().as_slice())
        .read_to_end(&mut plain)
        .unwrap();
    let server = Server::start(plain.clone());
    let sources = Sources {
        cifar10_c: sources_of(&server, &plain, ArchiveKind::Tar),
        ..Sources::default()
    };
    let directory = tempfile::tempdir().unwrap();
    let download: Download = "cifar10-c".parse().unwrap();
    assert_eq!(download, Download::Corrupted(Dataset::Cifar10));
    run_for(download, directory.path(), &sources).unwrap();
    assert_installed(directory.path());
}

/// Fails when a server that is not there is reported as anything but a network fault.
#[test]
fn dead_server_is_a_network_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    drop(listener);
    let mut sources = Sources::default();
    sources.cifar10.url = url.clone();
    let directory = tempfile::tempdir().unwrap();
    let error = run(directory.path(), &sources).unwrap_err();
    assert!(
        matches!(&error, FetchError::Network { .. }) && error.to_string().contains(&url),
        "{error}"
    );
}

/// Fails when a full disk is told as an unknown fault: people can mend this one.
#[test]
fn full_disk_is_told_apart() {
    let full = FetchError::file(Path::new("part"), io::ErrorKind::StorageFull.into());
    assert!(matches!(full, FetchError::DiskFull(_)));
    let other = FetchError::file(Path::new("part"), io::ErrorKind::PermissionDenied.into());
    assert!(matches!(other, FetchError::File { .. }));
}
