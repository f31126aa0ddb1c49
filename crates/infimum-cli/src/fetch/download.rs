//! One file over HTTP, to where it belongs.
//!
//! Bytes go to `NAME.partial`, are hashed as they come, flushed to disk, and renamed to `NAME` if the hash is the file's; so what is called
//! `NAME` is always whole. A connection that ends early leaves the part that came, and the next download asks for the rest
//! of it (RFC 9110, section 14); bytes that turn out to be others are removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Agent;

use super::sets::SetFile;

/// How long a server may take to be reached, to answer, and between two pieces of its answer.
const PATIENCE: Duration = Duration::from_secs(60);
const CHUNK: usize = 1 << 16;

/// What asks for the files.
pub(super) fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("infimum/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE));
    #[cfg(feature = "https")]
    let config = config.tls_config(super::tls::config());
    config.build().into()
}

/// Whether the file is there and is the one meant; an error if another is there.
pub(super) fn is_there(path: &Path, file: &SetFile) -> Result<bool, String> {
    let mut hasher = Sha256::new();
    match File::open(path).and_then(|mut opened| absorb(&mut opened, &mut hasher)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("{}: cannot be read: {error}", path.display())),
        Ok(_) if hex(hasher) == file.sha256 => Ok(true),
        Ok(_) => {
            let why =
                "another file is there (its SHA-256 is not the set's); remove it, or name another folder with --to";
            Err(format!("{}: {why}", path.display()))
        }
    }
}

/// Fetches `url` to `path`, in a folder that is made if need be.
pub(super) fn fetch(agent: &Agent, url: &str, path: &Path, file: &SetFile) -> Result<(), String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    let unwritable = |error: io::Error| format!("{}: cannot be written: {error}", partial.display());
    let mut hasher = Sha256::new();
    let have = match File::open(&partial).and_then(|mut opened| absorb(&mut opened, &mut hasher)) {
        Ok(have) if have < file.bytes => have,
        _ => 0,
    };
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = request.call().map_err(|error| format!("{url}: {}", in_words(&error)))?;
    let goes_on = match response.status().as_u16() {
        200 => false,
        206 if have > 0 && begins_at(&response, have) => true,
        // A part of another length, or a server that answers with another part than was asked for: from the beginning.
        206 | 416 if have > 0 => {
            fs::remove_file(&partial).map_err(unwritable)?;
            return fetch(agent, url, path, file);
        }
        _ => return Err(format!("{url}: expected the file, got the answer {}", response.status())),
    };
    if !goes_on {
        hasher = Sha256::new();
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(unwritable)?;
    }
    let mut output = (OpenOptions::new().create(true).write(true).append(goes_on).truncate(!goes_on).open(&partial))
        .map_err(unwritable)?;
    let mut length = if goes_on { have } else { 0 };
    let mut body = response.into_body().into_reader();
    let mut chunk = vec![0; CHUNK];
    let cut = loop {
        match body.read(&mut chunk) {
            Ok(0) => break None,
            Ok(count) => {
                output.write_all(&chunk[..count]).map_err(unwritable)?;
                hasher.update(&chunk[..count]);
                length += count as u64;
                if length > file.bytes {
                    break None;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Some(error.to_string()),
        }
    };
    if length < file.bytes {
        let why = cut.unwrap_or_else(|| "the connection ended".into());
        return Err(format!("{url}: got {length} of {} bytes ({why}); the same command fetches the rest", file.bytes));
    }
    let sha256 = hex(hasher);
    if length > file.bytes || sha256 != file.sha256 {
        fs::remove_file(&partial).map_err(unwritable)?;
        let got = if length > file.bytes { format!("more than {} bytes", file.bytes) } else { sha256 };
        return Err(format!("{url}: expected the SHA-256 {}, got {got}; nothing was kept", file.sha256));
    }
    output.sync_all().map_err(unwritable)?;
    fs::rename(&partial, path).map_err(unwritable)
}

/// Whether a partial answer begins behind the bytes that are there.
fn begins_at(response: &ureq::http::Response<ureq::Body>, have: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.trim().starts_with(&format!("bytes {have}-")))
}

/// Hashes a file to its end; how long it is.
fn absorb(opened: &mut File, hasher: &mut Sha256) -> io::Result<u64> {
    let (mut chunk, mut length) = (vec![0; CHUNK], 0);
    loop {
        match opened.read(&mut chunk)? {
            0 => return Ok(length),
            count => {
                hasher.update(&chunk[..count]);
                length += count as u64;
            }
        }
    }
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn in_words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::TlsRequired => super::NO_HTTPS.into(),
        error => format!("cannot be fetched: {error}"),
    }
}
