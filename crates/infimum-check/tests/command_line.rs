//! The options of the checker binary and what it says when it cannot do its work.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn checker() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infimum-check"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"));
    command
}

fn ran(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

const VALID: &str = "../valid_certificates/hinge-free.safetensors";

#[test]
fn data_is_given_in_either_form() {
    for arguments in [vec![VALID, "--data", "two.csv"], vec![VALID, "--data=two.csv"], vec!["--data=two.csv", VALID]] {
        let (code, line, _) = ran(checker().args(&arguments));
        assert!(code == Some(0) && line.starts_with("s VERIFIED "), "{arguments:?}: {line}");
    }
    let (code, line, _) = ran(checker().args([VALID, "--data=gone.csv"]));
    assert!(code == Some(1) && line.starts_with("s NOT VERIFIED data: gone.csv"), "{line}");
}

#[test]
fn help_version_and_mistakes() {
    let (code, text, _) = ran(checker().arg("--version"));
    assert_eq!((code, text), (Some(0), format!("infimum-check {}\n", env!("CARGO_PKG_VERSION"))));
    assert!(ran(checker().arg("--help")).1.starts_with("usage: infimum-check"));
    for (arguments, expected) in [
        (&[][..], "error: expected a run folder or a certificate\n"),
        (&["a", "b"], "error: expected one certificate, got also `b`\n"),
        (&["a", "--data"], "error: --data expects a file\n"),
        (&["a", "--fast"], "error: unknown option `--fast`\n"),
        (&["gone"], "error: gone: cannot be read"),
    ] {
        let (code, line, error) = ran(checker().args(arguments));
        assert_eq!((code, line.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_path_that_leads_nowhere_from_here_is_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate =
        std::fs::canonicalize(checker().get_current_dir().expect("a folder").join(VALID)).expect("a path");
    let (code, line, _) = ran(checker().arg(certificate).current_dir(folder.path()));
    assert_eq!(code, Some(1));
    assert!(line.starts_with("s NOT VERIFIED data: two.csv: ") && line.contains("--data"), "{line}");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf_8_are_no_reason_to_panic() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let (code, _, error) = ran(checker().arg(OsStr::from_bytes(b"\xff")));
    assert!(code == Some(2) && error.contains("cannot be read"), "{error}");
    for arguments in [vec![&b"--data=\xff"[..]], vec![&b"--data"[..], &b"\xff"[..]]] {
        let (code, _, error) = ran(checker().arg(VALID).args(arguments.into_iter().map(OsStr::from_bytes)));
        assert!(code == Some(2) && error.contains("UTF-8") && error.contains("rename"), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_verdict_that_cannot_be_printed_is_an_error() {
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").expect("the device"));
    for arguments in [vec![VALID], vec![VALID, "--json"]] {
        let (code, _, error) = ran(checker().args(arguments).stdout(full()));
        assert!(code == Some(2) && error.contains("error: the verdict cannot be printed: "), "{code:?} {error}");
    }
}
