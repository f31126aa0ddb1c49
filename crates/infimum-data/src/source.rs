//! Opening a source: a file or embedded bytes, with decompression and the SHA-256 of the stored bytes.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::sync::{Arc, Mutex};

use flate2::read::MultiGzDecoder;

use crate::builtin;
use crate::digest::StreamDigest;
use crate::error::DataError;

/// Reads and hashes; the hash is complete when the reader has met the end of the stored bytes.
struct Hashing<R> {
    inner: R,
    digest: Arc<Mutex<StreamDigest>>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let Ok(mut digest) = self.digest.lock() {
            digest.update(&buffer[..count]);
        }
        Ok(count)
    }
}

/// Deflate makes of one byte at most so many.
const MOST_EXPANDED: u64 = 1_032;

/// Opens a regular file, and says how long it is. Pipes and devices are refused before they are opened: what they give
/// can be read only once.
pub(crate) fn open_file(name: &str) -> Result<(File, u64), DataError> {
    let unreadable = |why: io::Error| DataError::Unreadable { path: name.into(), why: why.to_string() };
    let metadata = std::fs::metadata(name).map_err(unreadable)?;
    if metadata.is_dir() {
        let why = "it is a folder; expected a file".to_string();
        return Err(DataError::Unreadable { path: name.into(), why });
    }
    if !metadata.is_file() {
        let message = "expected a regular file, got a pipe or device, which can be read only once; save the data to a file \
                       first (the checker reads it again)";
        return Err(DataError::input(name, message));
    }
    Ok((File::open(name).map_err(unreadable)?, metadata.len()))
}

/// An open source of decompressed bytes.
pub(crate) struct Source {
    pub(crate) name: String,
    reader: Box<dyn Read + Send>,
    digest: Arc<Mutex<StreamDigest>>,
    /// Stored length in bytes.
    length: u64,
    compressed: bool,
}

impl Source {
    /// Opens a path or `builtin:NAME`.
    pub(crate) fn open(name: &str) -> Result<Source, DataError> {
        Source::open_after(name, StreamDigest::default())
    }

    /// The same, where the hash goes on from the bytes of another source.
    pub(crate) fn open_after(name: &str, digest: StreamDigest) -> Result<Source, DataError> {
        if let Some(builtin) = name.strip_prefix("builtin:") {
            let bytes = builtin::bytes(builtin).map_err(|message| DataError::input(name, message))?;
            return Source::from_bytes_after(name, bytes, digest);
        }
        let (file, length) = open_file(name)?;
        Source::new(name, BufReader::with_capacity(1 << 20, file), length, digest)
    }

    /// A source that reads from memory.
    pub(crate) fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Source, DataError> {
        Source::from_bytes_after(name, bytes, StreamDigest::default())
    }

    /// The same, where the hash goes on from the bytes of another source.
    pub(crate) fn from_bytes_after(name: &str, bytes: Vec<u8>, digest: StreamDigest) -> Result<Source, DataError> {
        let length = bytes.len() as u64;
        Source::new(name, Cursor::new(bytes), length, digest)
    }

    fn new(
        name: &str,
        inner: impl Read + Send + 'static,
        length: u64,
        digest: StreamDigest,
    ) -> Result<Source, DataError> {
        let digest = Arc::new(Mutex::new(digest));
        let mut hashing = Hashing { inner, digest: Arc::clone(&digest) };
        let mut magic = [0u8; 2];
        let mut got = 0;
        while got < 2 {
            match hashing.read(&mut magic[got..]) {
                Ok(0) => break,
                Ok(count) => got += count,
                Err(why) => return Err(DataError::Unreadable { path: name.into(), why: why.to_string() }),
            }
        }
        let compressed = got == 2 && magic == [0x1f, 0x8b];
        let chained = Cursor::new(magic[..got].to_vec()).chain(hashing);
        let reader: Box<dyn Read + Send> =
            if compressed { Box::new(MultiGzDecoder::new(chained)) } else { Box::new(chained) };
        Ok(Source { name: name.into(), reader, digest, length, compressed })
    }

    /// Length of the decompressed bytes, where it is known.
    pub(crate) fn plain_length(&self) -> Option<u64> {
        (!self.compressed).then_some(self.length)
    }

    /// At most so many decompressed bytes can come.
    pub(crate) fn most_bytes(&self) -> u64 {
        if self.compressed { most_inflated(self.length) } else { self.length }
    }

    /// Fills the buffer as far as the source goes; a short count means the end.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, DataError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(&error)),
            }
        }
        Ok(filled)
    }

    fn failure(&self, error: &io::Error) -> DataError {
        let (path, why) = (self.name.clone(), error.to_string());
        if self.compressed { DataError::Gzip { path, why } } else { DataError::Unreadable { path, why } }
    }

    /// Reads whatever is left as text in UTF-8.
    pub(crate) fn text(mut self) -> Result<String, DataError> {
        let mut bytes = Vec::new();
        self.reader.read_to_end(&mut bytes).map_err(|error| self.failure(&error))?;
        String::from_utf8(bytes).map_err(|_| DataError::input(&self.name, "expected text in UTF-8"))
    }

    /// Reads whatever is left and returns the SHA-256 of all stored bytes, lower-case hex.
    pub(crate) fn sha256(self) -> Result<String, DataError> {
        Ok(self.digest()?.finish())
    }

    /// Reads whatever is left and returns the hash of all stored bytes, for another source to go on with.
    pub(crate) fn digest(mut self) -> Result<StreamDigest, DataError> {
        let mut sink = vec![0u8; 1 << 16];
        while self.fill(&mut sink)? > 0 {}
        drop(self.reader);
        Ok(self.digest.lock().map(|mut digest| std::mem::take(&mut *digest)).unwrap_or_default())
    }
}

/// The most bytes that a deflated stream of this length can become.
pub(crate) fn most_inflated(length: u64) -> u64 {
    length.saturating_mul(MOST_EXPANDED)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
