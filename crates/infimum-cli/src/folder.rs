//! The run folder. Every file is written under a temporary name, flushed to disk and renamed; `result.json` comes last, so
//! a folder with a `result.json` is whole and a killed run leaves nothing that looks whole.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::Failure;

/// Files of a run folder; only these are ever replaced.
const FILES: [&str; 5] = ["result.json", "certificate.safetensors", "model.safetensors", "model.json", "log.jsonl"];

/// A folder that takes a run's files.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    /// Creates the folder, or takes an existing one that is empty or holds an earlier run, whose files are removed first.
    pub(crate) fn create(wanted: Option<&Path>, data: &str) -> Result<Folder, Failure> {
        let path = wanted.map_or_else(|| default_path(data), Path::to_path_buf);
        let failed = |error: std::io::Error| {
            Failure::input(format!(
                "{}: the run folder cannot be written: {error}; choose another with --out",
                path.display()
            ))
        };
        fs::create_dir_all(&path).map_err(failed)?;
        for entry in fs::read_dir(&path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if !FILES.contains(&name.trim_end_matches(".partial")) {
                let message = format!(
                    "{}: expected an empty or new folder or an earlier run, but it holds `{name}`; choose another with --out",
                    path.display()
                );
                return Err(Failure::input(message));
            }
        }
        let probe = path.join("result.json.partial");
        File::create(&probe).map_err(failed)?;
        fs::remove_file(&probe).map_err(failed)?;
        // result.json first: without it the rest does not look like a finished run.
        for name in FILES {
            match fs::remove_file(path.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        Ok(Folder { path })
    }

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

/// `runs/<UTC time>-<name>`, made unique by a number if need be.
fn default_path(data: &str) -> PathBuf {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    let name = data.rsplit(['/', ':']).next().unwrap_or("data");
    let name: String =
        name.split('.').next().unwrap_or(name).chars().filter(|c| c.is_alphanumeric() || *c == '-').collect();
    let (year, month, day) = civil(seconds / 86_400);
    let clock = seconds % 86_400;
    let stem =
        format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}-{name}", clock / 3_600, clock / 60 % 60, clock % 60);
    let candidates = (1u32..).map(|k| if k == 1 { stem.clone() } else { format!("{stem}-{k}") });
    candidates.map(|name| Path::new("runs").join(name)).find(|path| !path.exists()).unwrap_or_else(|| "runs/run".into())
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
