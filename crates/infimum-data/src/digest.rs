//! SHA-256 of a stream while it is read: in a thread of its own once the stream is long, if there is more than one to use.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

use crate::source::hex;

/// Bytes after which a thread takes over.
const LONG: usize = 4 << 20;
/// Bytes handed over at a time, and how many such pieces may wait.
const PIECE: usize = 1 << 18;
const WAITING: usize = 8;

/// A hash that grows.
pub(crate) enum StreamDigest {
    /// Hashed by the reader.
    Here(Sha256, usize),
    /// Hashed by a thread that ends when the sender is dropped.
    There(SyncSender<Vec<u8>>, JoinHandle<Sha256>),
}

impl Default for StreamDigest {
    fn default() -> Self {
        StreamDigest::Here(Sha256::new(), 0)
    }
}

impl StreamDigest {
    /// Appends bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            StreamDigest::Here(hasher, length) => {
                hasher.update(bytes);
                *length += bytes.len();
                if *length > LONG && rayon::current_num_threads() > 1 {
                    *self = StreamDigest::in_thread(hasher.clone());
                }
            }
            // The thread receives until the sender is gone, so sending cannot fail.
            StreamDigest::There(sender, _) => {
                bytes.chunks(PIECE).for_each(|piece| drop(sender.send(piece.to_vec())));
            }
        }
    }

    fn in_thread(mut hasher: Sha256) -> StreamDigest {
        let (sender, receiver) = sync_channel::<Vec<u8>>(WAITING);
        let thread = std::thread::spawn(move || {
            receiver.iter().for_each(|piece| hasher.update(&piece));
            hasher
        });
        StreamDigest::There(sender, thread)
    }

    /// The hash of all bytes, lower-case hex.
    pub(crate) fn finish(self) -> String {
        let hasher = match self {
            StreamDigest::Here(hasher, _) => hasher,
            StreamDigest::There(sender, thread) => {
                drop(sender);
                thread.join().unwrap_or_default()
            }
        };
        hex(&hasher.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_stream_has_the_hash_of_its_bytes() {
        let bytes: Vec<u8> = (0..3 * LONG as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let streamed = pool.install(|| {
                let mut digest = StreamDigest::default();
                bytes.chunks(1_000_003).for_each(|piece| digest.update(piece));
                assert_eq!(matches!(digest, StreamDigest::There(..)), threads > 1);
                digest.finish()
            });
            assert_eq!(streamed, hex(&Sha256::digest(&bytes)));
        }
    }
}
