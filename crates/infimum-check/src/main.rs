//! `infimum-check RUN-OR-CERTIFICATE --data DATA`: verifies a certificate of infimum, alone.

use std::process::ExitCode;

use infimum_check::{Options, run};

const USAGE: &str = "usage: infimum-check RUN-OR-CERTIFICATE [--data DATA] [--json] [--quiet]

Verifies that no model of the certified kind has a training objective below the certified bound, and that the recorded
model attains the certified value. DATA is the training file or builtin:NAME; by default the path in the certificate.
Prints `s VERIFIED lower=… upper=…` (exit 0) or `s NOT VERIFIED <step>: <why>` (exit 1); usage errors exit with 2.";

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let mut given = false;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--json" => options.json = true,
            "--quiet" => options.quiet = true,
            "--data" => options.data = Some(arguments.next().ok_or("--data expects a file")?),
            flag if flag.starts_with('-') => return Err(format!("unknown option `{flag}`")),
            path if !given => {
                options.certificate = path.into();
                given = true;
            }
            extra => return Err(format!("expected one certificate, got also `{extra}`")),
        }
    }
    if given { Ok(Some(options)) } else { Err("expected a run folder or a certificate".into()) }
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => {
            let code = run(&options, &mut std::io::stdout(), &mut std::io::stderr());
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        Ok(None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}
