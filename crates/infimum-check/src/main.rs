//! `infimum-check RUN-OR-CERTIFICATE --data DATA`: verifies a certificate of infimum, alone.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use infimum_check::{Options, run};
use infimum_data::parse_bytes;

const USAGE: &str = "usage: infimum-check RUN-OR-CERTIFICATE [--data DATA] [--memory SIZE] [--json] [--quiet]

Verifies that no model of the certified kind has a training objective below the certified bound, and that the recorded
model attains the certified value; of threshold networks, that no weights are wrong on fewer rows than certified and how
many the recorded ones are wrong on. DATA is the training file or builtin:NAME; by default the path in the certificate.
Prints `s VERIFIED lower=… upper=…` (exit 0) or `s NOT VERIFIED <step>: <why>` (exit 1); usage errors exit with 2.
SIZE limits memory, e.g. 2GiB: a LIBSVM or Parquet file may be larger and then goes through a temporary file (TMPDIR, or
beside the certificate).
--version prints the version.";

/// What is asked for.
enum Command {
    Check(Options),
    Print(&'static str),
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut options = Options::default();
    let mut given = false;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        match &*text {
            "-h" | "--help" => return Ok(Command::Print(USAGE)),
            "-V" | "--version" => return Ok(Command::Print(concat!("infimum-check ", env!("CARGO_PKG_VERSION")))),
            "--json" => options.json = true,
            "--quiet" => options.quiet = true,
            "--data" => options.data = Some(data(arguments.next().ok_or("--data expects a file")?, "")?),
            flag if flag.starts_with("--data=") => options.data = Some(data(argument, "--data=")?),
            "--memory" => {
                let size = arguments.next().ok_or("--memory expects a size such as 2GiB")?;
                options.memory = Some(memory(&size.to_string_lossy())?);
            }
            flag if flag.starts_with("--memory=") => options.memory = Some(memory(&flag["--memory=".len()..])?),
            flag if flag.starts_with('-') => return Err(format!("unknown option `{flag}`")),
            _ if !given => {
                options.certificate = argument.into();
                given = true;
            }
            extra => return Err(format!("expected one certificate, got also `{extra}`")),
        }
    }
    if given { Ok(Command::Check(options)) } else { Err("expected a run folder or a certificate".into()) }
}

/// The name of the data after `prefix`; readers take names in UTF-8 alone.
fn data(argument: OsString, prefix: &str) -> Result<String, String> {
    match argument.to_str() {
        Some(name) => Ok(name[prefix.len()..].into()),
        None => Err(format!("--data: expected a name in UTF-8, got `{}`; rename the file", argument.display())),
    }
}

/// The size of `--memory`.
fn memory(text: &str) -> Result<u64, String> {
    parse_bytes(text).map_err(|expected| format!("--memory {text}: {expected}"))
}

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)) {
        Ok(Command::Check(options)) => {
            let code = run(&options, &mut io::stdout(), &mut io::stderr());
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        Ok(Command::Print(text)) => {
            let _ = writeln!(io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(io::stderr(), "error: {}\n{USAGE}", infimum_problem::one_line(&message));
            ExitCode::from(2)
        }
    }
}
