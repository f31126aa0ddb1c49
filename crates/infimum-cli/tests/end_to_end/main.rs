//! The real binary in temporary folders: the main job, awkward input, interrupted runs, spoiled certificates.

mod faults;
mod runs;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// A temporary folder in which commands run.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("written");
    }

    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_infimum"));
        command.current_dir(self.folder.path()).args(arguments.split_whitespace());
        command
    }

    /// Runs to the end; a panic is always a defect.
    pub(crate) fn run(&self, arguments: &str) -> Output {
        let output = self.command(arguments).output().expect("started");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!log.contains("panicked"), "{arguments}\n{log}");
        output
    }

    /// Runs `fit … --json --out run` and returns result.json; the exit code must be 0.
    pub(crate) fn fit(&self, arguments: &str) -> Value {
        let output = self.run(&format!("fit {arguments} --json --out run"));
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments}\n{log}");
        let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON document on stdout");
        assert_eq!(result["certified"], true, "{arguments}\n{result}");
        let text = std::fs::read(self.path("run/result.json")).expect("result.json");
        assert_eq!(serde_json::from_slice::<Value>(&text).expect("JSON"), result);
        result
    }

    /// Runs and expects exit code 2 and an error that contains every one of the words.
    pub(crate) fn refuses(&self, arguments: &str, words: &[&str]) {
        let output = self.run(arguments);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}\n{log}");
        for word in words {
            assert!(log.contains(word), "{arguments}: expected `{word}` in\n{log}");
        }
        assert!(output.stdout.is_empty(), "{arguments}");
    }
}
