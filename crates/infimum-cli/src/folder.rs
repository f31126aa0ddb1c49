//! The run folder. Every file is written under a temporary name, flushed to disk and renamed; `result.json` comes last, so
//! a folder with a `result.json` is whole and a killed run leaves nothing that looks whole.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::Failure;

/// Files of a run folder; only these are ever replaced.
const FILES: [&str; 5] = ["result.json", "certificate.safetensors", "model.safetensors", "model.json", "log.jsonl"];

/// Where a run's files will go; made before the work begins, so that a folder that cannot be written is said at once.
/// Nothing is created or removed until [`Plan::open`].
pub(crate) struct Plan {
    wanted: Option<PathBuf>,
    /// `<UTC time>-<name>`, for a default folder.
    stem: String,
}

/// A folder that takes a run's files.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::input(format!("{}: the run folder cannot be written: {error}; choose another with --out", path.display()))
}

impl Plan {
    /// Checks that the folder asked for (or `runs`) can be written, and that it is new, empty or holds an earlier run.
    pub(crate) fn new(wanted: Option<&Path>, data: &str) -> Result<Plan, Failure> {
        let path = wanted.unwrap_or(Path::new("runs"));
        let failed = |error: std::io::Error| unwritable(path, &error);
        if wanted.is_some() && path.exists() {
            for entry in fs::read_dir(path).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
                if !FILES.contains(&name.trim_end_matches(".partial")) {
                    let message = format!(
                        "{}: expected a new or empty folder or an earlier run, but it holds `{name}`; choose another with --out",
                        path.display()
                    );
                    return Err(Failure::input(message));
                }
            }
        }
        let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
        let probe = existing.join(format!(".infimum-{}.partial", std::process::id()));
        File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(failed)?;
        Ok(Plan { wanted: wanted.map(Path::to_path_buf), stem: default_stem(data) })
    }

    /// Creates the folder; an earlier run in it is removed, `result.json` first, so that at no time an old and a new file
    /// look like one run.
    pub(crate) fn open(&self) -> Result<Folder, Failure> {
        let Some(path) = &self.wanted else {
            return self.open_default();
        };
        let failed = |error: std::io::Error| unwritable(path, &error);
        fs::create_dir_all(path).map_err(failed)?;
        for name in FILES {
            match fs::remove_file(path.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        Ok(Folder { path: path.clone() })
    }

    /// `runs/<stem>`, or `runs/<stem>-2` and so on: creating it is what makes it ours, also beside another process.
    fn open_default(&self) -> Result<Folder, Failure> {
        let runs = Path::new("runs");
        fs::create_dir_all(runs).map_err(|error| unwritable(runs, &error))?;
        let mut count = 1u32;
        loop {
            let path = runs.join(if count == 1 { self.stem.clone() } else { format!("{}-{count}", self.stem) });
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Folder { path }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => count += 1,
                Err(error) => return Err(unwritable(&path, &error)),
            }
        }
    }
}

impl Folder {
    /// Writes one file, whole or not at all.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let target = self.path.join(name);
        let partial = self.path.join(format!("{name}.partial"));
        let written = File::create(&partial)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&partial, &target));
        written.map_err(|error| {
            let _ = fs::remove_file(&partial);
            Failure::input(format!(
                "{}: cannot be written: {error}; free some space or choose another --out",
                target.display()
            ))
        })
    }
}

/// `<UTC time>-<name>` of a run on `data`.
fn default_stem(data: &str) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    let file = data.rsplit('/').next().unwrap_or(data);
    let file = file.strip_prefix("builtin:").unwrap_or(file);
    let name = file.split('.').next().unwrap_or(file);
    let name: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    let (year, month, day) = civil(seconds / 86_400);
    let clock = seconds % 86_400;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}-{name}", clock / 3_600, clock / 60 % 60, clock % 60)
}

/// Year, month and day of a day counted from 1970-01-01 (Gregorian calendar; H. Hinnant, *chrono-compatible low-level date
/// algorithms*).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        assert_eq!(super::civil(0), (1970, 1, 1));
        assert_eq!(super::civil(19_782), (2024, 2, 29));
        assert_eq!(super::civil(20_781), (2026, 11, 24));
    }
}
