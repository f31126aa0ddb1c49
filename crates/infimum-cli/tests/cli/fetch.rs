//! `infimum data fetch`, from a server of our own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;

use crate::sandbox::{Ran, Sandbox, ran};

const TRAIN_LABELS: &str = "train-labels-idx1-ubyte.gz";
const TRAIN_IMAGES: &str = "train-images-idx3-ubyte.gz";
const FILES: [&str; 4] = ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", TRAIN_IMAGES, TRAIN_LABELS];

/// A request: the file's name, and the first byte that is asked for if not all are.
type Asked = (String, Option<usize>);

/// Serves until the test ends; `answer` writes to the connection. Returns the address and what was asked.
fn serve(answer: impl Fn(&Asked, &mut TcpStream) + Send + 'static) -> (String, Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/set/", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let asked = request(&stream);
            let _ = sender.send(asked.clone());
            answer(&asked, &mut stream);
        }
    });
    (address, receiver)
}

fn request(stream: &TcpStream) -> Asked {
    let lines = BufReader::new(stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
    let lines: Vec<String> = lines.collect();
    let path = lines[0].split(' ').nth(1).unwrap().strip_prefix("/set/").unwrap().to_string();
    let range =
        lines.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_string));
    (path, range.map(|range| range.strip_suffix('-').unwrap().parse().unwrap()))
}

/// An answer whose header claims `claimed` bytes.
fn send(stream: &mut TcpStream, status: &str, header: &str, claimed: usize, body: &[u8]) {
    // The client may have gone.
    let _ = write!(stream, "HTTP/1.1 {status}\r\n{header}Content-Length: {claimed}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(body);
}

/// The file, or the part of it that is asked for.
fn send_file(folder: &Path, (name, from): &Asked, stream: &mut TcpStream) {
    let bytes = std::fs::read(folder.join(name)).unwrap();
    match from {
        None => send(stream, "200 OK", "", bytes.len(), &bytes),
        Some(from) => {
            let range = format!("Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
            send(stream, "206 Partial Content", &range, bytes.len() - from, &bytes[*from..]);
        }
    }
}

fn fetch(sandbox: &Sandbox, arguments: &str) -> Ran {
    let mut command = sandbox.command(&format!("data fetch {arguments}"));
    for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    ran(command.spawn().unwrap())
}

fn refused(sandbox: &Sandbox, arguments: &str, parts: &[&str]) {
    let ran = fetch(sandbox, arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    let errors: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{ran:?}");
    parts.iter().for_each(|part| assert!(errors[0].contains(part), "`{part}` is not in {}", errors[0]));
}

/// The set itself, where the tests have it.
fn fashion_mnist() -> Option<PathBuf> {
    let folder = std::env::var_os("INFIMUM_DATA").map(|data| Path::new(&data).join("data/fashion-mnist"));
    if folder.is_none() {
        eprintln!("INFIMUM_DATA is not set: Fashion-MNIST is not fetched");
    }
    folder
}

#[test]
fn a_set_is_fetched_once() {
    let Some(source) = fashion_mnist() else { return };
    let sandbox = Sandbox::new();
    let from = source.clone();
    let (address, asked) = serve(move |asked, stream| send_file(&from, asked, stream));
    let fetched = fetch(&sandbox, &format!("fashion-mnist --to new/set --from {address}"));
    assert_eq!((fetched.code, fetched.stdout.as_str()), (Some(0), "new/set\n"), "{fetched:?}");
    assert_eq!(sandbox.names("new/set"), FILES);
    for name in FILES {
        assert!(
            std::fs::read(sandbox.path("new/set").join(name)).unwrap() == std::fs::read(source.join(name)).unwrap()
        );
    }
    assert_eq!(asked.try_iter().count(), 4);
    // Files that are there are not asked for again; one that is missing is.
    std::fs::remove_file(sandbox.path("new/set").join(TRAIN_LABELS)).unwrap();
    let again = fetch(&sandbox, &format!("fashion-mnist --to new/set --from {address}"));
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), [(TRAIN_LABELS.to_string(), None)]);
    // A file that is another is not replaced.
    sandbox.file("new/set/t10k-labels-idx1-ubyte.gz", "mine");
    refused(
        &sandbox,
        &format!("fashion-mnist --to new/set --from {address}"),
        &["new/set/t10k-labels-idx1-ubyte.gz: another file is there", "remove it, or name another folder with --to"],
    );
    assert_eq!(sandbox.read("new/set/t10k-labels-idx1-ubyte.gz"), "mine");
    // The usual folder is that of INFIMUM_DATA, where the files are.
    let there = sandbox.good("data fetch fashion-mnist");
    assert_eq!(there.stdout, format!("{}\n", source.display()));
}

#[test]
fn a_connection_that_ends_is_taken_up_again() {
    let Some(source) = fashion_mnist() else { return };
    let sandbox = Sandbox::new();
    // All of the first file is promised, and less than half of it comes.
    let (address, asked) = serve(move |asked, stream| match asked {
        (name, None) if name == TRAIN_IMAGES => {
            let bytes = std::fs::read(source.join(name)).unwrap();
            send(stream, "200 OK", "", bytes.len(), &bytes[..10_000_000]);
        }
        asked => send_file(&source, asked, stream),
    });
    let to = format!("fashion-mnist --to set --from {address}");
    refused(&sandbox, &to, &["got 10000000 of 26421880 bytes", "the same command fetches the rest"]);
    assert_eq!(sandbox.names("set"), ["train-images-idx3-ubyte.gz.partial"]);
    assert_eq!(asked.try_iter().count(), 1);
    let second = fetch(&sandbox, &to);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert_eq!(asked.try_iter().next(), Some((TRAIN_IMAGES.to_string(), Some(10_000_000))));
    assert_eq!(sandbox.names("set"), FILES);
    sandbox.good("data show set");
}

#[test]
fn a_server_may_send_all_though_the_rest_is_asked_for() {
    let Some(source) = fashion_mnist() else { return };
    let sandbox = Sandbox::new();
    let (address, asked) = serve(move |(name, _), stream| send_file(&source, &(name.clone(), None), stream));
    std::fs::create_dir(sandbox.path("set")).unwrap();
    sandbox.file("set/train-images-idx3-ubyte.gz.partial", [7; 1000]);
    let fetched = fetch(&sandbox, &format!("fashion-mnist --to set --from {address}"));
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    assert_eq!(asked.try_iter().next(), Some((TRAIN_IMAGES.to_string(), Some(1000))));
    assert_eq!(sandbox.names("set"), FILES);
}

#[test]
fn other_bytes_are_refused_and_nothing_is_kept() {
    let sandbox = Sandbox::new();
    let wrong = vec![7u8; 26_421_880];
    let (address, _asked) = serve(move |_, stream| send(stream, "200 OK", "", wrong.len(), &wrong));
    let expected = "expected the SHA-256 3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84, got";
    refused(&sandbox, &format!("fashion-mnist --to set --from {address}"), &[expected, "nothing was kept"]);
    assert!(sandbox.names("").is_empty());
    let long = vec![7u8; 26_500_000];
    let (address, _asked) = serve(move |_, stream| send(stream, "200 OK", "", long.len(), &long));
    refused(&sandbox, &format!("fashion-mnist --to set --from {address}"), &["got more than 26421880 bytes"]);
    assert!(sandbox.names("").is_empty());
    // A part that was another file's.
    let (address, _asked) = serve(move |(_, from), stream| {
        let rest = vec![7u8; 26_421_880 - from.unwrap()];
        send(stream, "206 Partial Content", "Content-Range: bytes 5-26421879/26421880\r\n", rest.len(), &rest);
    });
    std::fs::create_dir(sandbox.path("set")).unwrap();
    sandbox.file("set/train-images-idx3-ubyte.gz.partial", "other");
    refused(&sandbox, &format!("fashion-mnist --to set --from {address}"), &["expected the SHA-256"]);
    assert!(sandbox.names("set").is_empty());
}

#[test]
fn what_is_wrong_is_named() {
    let sandbox = Sandbox::new();
    let (address, _asked) = serve(|_, stream| send(stream, "404 Not Found", "", 4, b"none"));
    refused(
        &sandbox,
        &format!("mnist --to set --from {address}"),
        &["/set/train-images-idx3-ubyte.gz: expected the file, got the answer 404 Not Found"],
    );
    let (address, _asked) = serve(|_, _| ());
    refused(&sandbox, &format!("mnist --to set --from {address}"), &["cannot be fetched"]);
    refused(
        &sandbox,
        "mnist --to set --from ftp://host/set",
        &["expected an address that begins with http:// or https://"],
    );
    if !cfg!(feature = "https") {
        refused(&sandbox, "mnist --to set --from https://host/set", &["built without HTTPS", "--features https"]);
    }
    refused(&sandbox, "emnist --to set", &["emnist: expected a set that can be fetched: fashion-mnist, mnist"]);
    let mut command = sandbox.command("data fetch mnist");
    let nowhere = ran(command.env_remove("INFIMUM_DATA").spawn().unwrap());
    assert!(nowhere.code == Some(2) && nowhere.stderr.contains("give --to FOLDER, or set INFIMUM_DATA"), "{nowhere:?}");
    assert!(sandbox.names("").is_empty());
    let listed = sandbox.good("data list").stdout;
    assert!(listed.contains("data fetch fashion-mnist ") && listed.contains("data fetch mnist "), "{listed}");
}
