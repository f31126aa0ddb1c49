//! A temporary folder in which the binary runs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_infimum");

/// A folder that goes away with the test.
pub(crate) struct Sandbox {
    folder: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        Sandbox { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and returns its name.
    pub(crate) fn file<'a>(&self, name: &'a str, content: impl AsRef<[u8]>) -> &'a str {
        std::fs::write(self.path(name), content).unwrap();
        name
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Names in a folder, sorted; empty if there is none.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        names(&self.path(folder))
    }

    /// The binary with arguments separated by blanks.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments.split_whitespace()).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        ran(self.command(arguments).spawn().unwrap())
    }

    /// Runs, and demands exit code 0.
    pub(crate) fn good(&self, arguments: &str) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "infimum {arguments}: {ran:?}");
        ran
    }

    /// Runs, and demands the exit code for usage and input errors, one `error:` line that holds all `parts`, and that
    /// nothing was left behind.
    pub(crate) fn refused(&self, arguments: &str, parts: &[&str]) {
        let before = self.names("");
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(2), "infimum {arguments}: {ran:?}");
        let errors: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "infimum {arguments}: {}", ran.stderr);
        let lower = ran.stderr.to_lowercase();
        assert!(!lower.contains("panicked") && ran.stdout.is_empty(), "infimum {arguments}: {ran:?}");
        for part in parts {
            assert!(errors[0].contains(part), "infimum {arguments}: `{part}` is not in {}", errors[0]);
        }
        assert_eq!(self.names(""), before, "infimum {arguments} left something behind");
    }

    /// `fit … --json --out NAME`, whatever the exit code: the exit code and result.json from stdout.
    pub(crate) fn fit(&self, arguments: &str) -> (Option<i32>, Value) {
        let ran = self.run(&format!("fit {arguments} --json"));
        let value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{arguments}: {error}: {ran:?}"));
        (ran.code, value)
    }

    /// Fits, demands success and an accepted certificate of its own and of `infimum check`.
    pub(crate) fn certified(&self, arguments: &str, out: &str) -> Value {
        let (code, result) = self.fit(&format!("{arguments} --out {out}"));
        assert_eq!((code, &result["certified"]), (Some(0), &Value::Bool(true)), "{arguments}: {result:#}");
        let checked = self.good(&format!("check {out} --quiet"));
        assert!(checked.stdout.starts_with("s VERIFIED lower="), "{arguments}: {checked:?}");
        result
    }
}

/// Waits for a command and collects what it printed.
pub(crate) fn ran(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A small table with two overlapping classes: a pattern without meaning, always the same.
pub(crate) fn two_classes() -> String {
    let mut text = String::from("width,height,kind\n");
    for row in 0u32..60 {
        let (width, height) = (f64::from(row * 37 % 41) / 7.0, f64::from(row * 23 % 29) / 5.0);
        let kind = if width + height + f64::from(row * 17 % 11) > 9.0 { "large" } else { "small" };
        text.push_str(&format!("{width:.3},{height:.3},{kind}\n"));
    }
    text
}

/// A regression table.
pub(crate) fn numbers() -> String {
    let mut text = String::from("a,b,price\n");
    for row in 0u32..40 {
        let (a, b) = (f64::from(row * 37 % 41), f64::from(row * 23 % 29));
        text.push_str(&format!("{a},{b},{:.2}\n", 3.0 * a - 2.0 * b + f64::from(row % 7) + 0.25));
    }
    text
}
