//! The run folder. It is created and locked before the work begins, so that a folder that cannot be written is said at once
//! and no two runs write into one. Every file is written under a temporary name, flushed to disk and renamed; `result.json`
//! comes last, so a folder with a `result.json` is whole and a killed run leaves nothing that looks whole.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use infimum_check::{BLOCKS, SERIES};

use crate::failure::{Failure, say};

/// A checkpoint of training, while it runs and after it.
pub(crate) const CHECKPOINT: &str = "checkpoint.safetensors";

/// Files of a run folder, and of the folders of its points; only these are ever replaced.
const FILES: [&str; 12] = [
    CHECKPOINT,
    "model.onnx",
    "result.json",
    "certificate.safetensors",
    "model.safetensors",
    "model.json",
    "log.jsonl",
    "path.csv",
    "cv.csv",
    "curve.csv",
    "curve.svg",
    "study.csv",
];

/// Whether a run calls a file of its folder so.
fn is_ours(name: &str) -> bool {
    FILES.contains(&name.trim_end_matches(".partial"))
}

/// Numbered folders of the points of a run's series, and what lies beside them.
fn points_of(series: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = fs::read_dir(series).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.partition(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_dir() && name.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Removes the files of a point and its folder.
fn remove_point(point: &Path) -> io::Result<()> {
    let names = FILES.iter().flat_map(|name| [(*name).to_string(), format!("{name}.partial")]);
    names.map(|name| point.join(name)).try_for_each(|file| match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })?;
    fs::remove_dir(point)
}

/// What lies in a series of points and is none of ours, if anything does.
fn foreign(series: &Path) -> Option<PathBuf> {
    let (points, beside) = points_of(series);
    let inside = points.iter().flat_map(|point| fs::read_dir(point).into_iter().flatten().flatten());
    let mut odd = inside.filter(|entry| !is_ours(&entry.file_name().to_string_lossy())).map(|entry| entry.path());
    beside.into_iter().next().or_else(|| odd.next())
}

/// The file whose lock (the operating system's, gone with the process) says that a run is writing here.
const LOCK: &str = ".infimum-lock";

/// A folder that takes a run's files; no other run has it.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    traces: Traces,
    /// Locked as long as it is open; `None` where the file system has no locks.
    _lock: Option<File>,
}

/// What a run leaves behind that is not a result.
#[derive(Clone)]
pub(crate) struct Traces {
    lock: PathBuf,
    /// Folders that this run created, innermost first.
    created: Vec<PathBuf>,
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::input(format!("{}: the run folder cannot be written: {error}; choose another with --out", path.display()))
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether both names are of one regular file, also through links.
#[cfg(unix)]
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::metadata(one), fs::metadata(other)), (Ok(one), Ok(other)) if one.is_file() && is_same(&one, &other))
}

/// Whether both names are of one regular file, also through symbolic links.
#[cfg(not(unix))]
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one.is_file() && one == other)
}

/// Elsewhere a file that is open under a name keeps it.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

impl Traces {
    fn of(path: &Path) -> Traces {
        let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        Traces { lock: path.join(LOCK), created: missing.map(Path::to_path_buf).collect() }
    }

    /// Removes the lock and those of the created folders that are empty.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_file(&self.lock);
        self.created.iter().for_each(|folder| {
            let _ = fs::remove_dir(folder);
        });
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.traces.remove();
    }
}

impl Folder {
    /// Takes the folder asked for, which must be new, empty or hold an earlier run, or a new one in `runs`. What it holds
    /// stays until [`Folder::clear`].
    pub(crate) fn take(wanted: Option<&Path>, data: &str) -> Result<Folder, Failure> {
        let Some(path) = wanted else {
            return Folder::take_new(&default_stem(data));
        };
        let failed = |error: io::Error| unwritable(path, &error);
        if path.exists() {
            for entry in fs::read_dir(path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_series = SERIES.contains(&name.as_str()) && entry.path().is_dir();
                let is_block = BLOCKS.contains(&name.as_str()) && entry.path().is_dir();
                if is_series && let Some(odd) = foreign(&entry.path()) {
                    let message = format!(
                        "{}: expected a new or empty folder or an earlier run, but it holds `{}`; choose another with --out",
                        path.display(),
                        odd.display()
                    );
                    return Err(Failure::input(message));
                }
                if name != LOCK && !is_series && !is_block && !is_ours(&name) {
                    let message = format!(
                        "{}: expected a new or empty folder or an earlier run, but it holds `{name}`; choose another with --out",
                        path.display()
                    );
                    return Err(Failure::input(message));
                }
                if same_file(&entry.path(), Path::new(data)) {
                    let message = format!(
                        "{data}: the data lie in the run folder {} under a name that the run writes; choose another --out",
                        path.display()
                    );
                    return Err(Failure::input(message));
                }
            }
        }
        let traces = Traces::of(path);
        if let Err(error) = fs::create_dir_all(path) {
            traces.remove();
            return Err(failed(error));
        }
        Folder::locked(path.to_path_buf(), traces)
    }

    /// `runs/<stem>`, or `runs/<stem>-2` and so on: creating it is what makes it ours, also beside another process.
    fn take_new(stem: &str) -> Result<Folder, Failure> {
        let runs = Path::new("runs");
        let mut count = 1u32;
        loop {
            let path = runs.join(if count == 1 { stem.to_string() } else { format!("{stem}-{count}") });
            let traces = Traces::of(&path);
            fs::create_dir_all(runs).map_err(|error| unwritable(runs, &error))?;
            match fs::create_dir(&path) {
                Ok(()) => return Folder::locked(path, traces),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => count += 1,
                Err(error) => {
                    traces.remove();
                    return Err(unwritable(&path, &error));
                }
            }
        }
    }

    /// Locks the folder, which exists.
    fn locked(path: PathBuf, traces: Traces) -> Result<Folder, Failure> {
        loop {
            let opened = File::create(&traces.lock).and_then(|file| Ok((file.metadata()?, file)));
            let (metadata, file) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    traces.remove();
                    return Err(unwritable(&path, &error));
                }
            };
            match file.try_lock() {
                // A run that ended just now may have removed the file between the two calls: then this lock is of no file.
                Ok(()) if !fs::metadata(&traces.lock).is_ok_and(|there| is_same(&metadata, &there)) => {}
                Ok(()) => return Ok(Folder { path, traces, _lock: Some(file) }),
                Err(TryLockError::WouldBlock) => {
                    let message = "another run is writing here; let it end, or choose another folder with --out";
                    return Err(Failure::input(format!("{}: {message}", path.display())));
                }
                Err(TryLockError::Error(error)) => {
                    let name = path.display();
                    say(&format!(
                        "warning: {name}: the folder cannot be locked ({error}); let no other run write there"
                    ));
                    return Ok(Folder { path, traces, _lock: None });
                }
            }
        }
    }

    /// What to remove if the process ends without dropping this.
    pub(crate) fn traces(&self) -> Traces {
        self.traces.clone()
    }

    /// Removes an earlier run, `result.json` first, so that at no time an old and a new file look like one run. What `training` has
    /// written while it ran stays.
    pub(crate) fn clear(&self, training: bool) -> Result<(), Failure> {
        let failed = |result: io::Result<()>| match result {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unwritable(&self.path, &error)),
            _ => Ok(()),
        };
        let stays = |name: &&&str| !(training && **name == CHECKPOINT);
        FILES.iter().filter(stays).try_for_each(|name| failed(fs::remove_file(self.path.join(name))))?;
        if !training {
            BLOCKS.iter().try_for_each(|block| failed(fs::remove_dir_all(self.path.join(block))))?;
        }
        for series in SERIES.map(|name| self.path.join(name)) {
            points_of(&series).0.iter().try_for_each(|point| failed(remove_point(point)))?;
            failed(fs::remove_dir(&series))?;
        }
        Ok(())
    }

    /// Before a run writes what it needs while it runs: an earlier one is no longer whole.
    pub(crate) fn begin(&self) -> Result<(), Failure> {
        match fs::remove_file(self.path.join("result.json")) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unwritable(&self.path, &error)),
            _ => Ok(()),
        }
    }

    /// Removes a point that could not be written whole.
    pub(crate) fn discard(&self, point: &str) {
        let point = self.path.join(point);
        let _ = remove_point(&point);
        let _ = point.parent().map(fs::remove_dir);
    }

    /// Writes one file, whole or not at all; `name` may begin with folders, which are made.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let target = self.path.join(name);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|error| unwritable(&self.path, &error))?;
        }
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
