//! `infimum data fetch`: known data sets from the network, each file checked by its SHA-256.

mod download;
mod sets;
#[cfg(feature = "https")]
mod tls;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::{Failure, print, say};
pub(crate) use sets::SETS;
use sets::Set;

/// What is said of addresses that this build cannot speak to.
const NO_HTTPS: &str = "this infimum was built without HTTPS; build it with `--features https`, or name an http:// address with \
                        --from (each file is checked by its SHA-256)";

/// Options of `infimum data fetch`.
#[derive(Debug, Args)]
pub(crate) struct FetchArguments {
    /// The set: see `infimum data list`
    name: String,
    /// Folder for its files [default: $INFIMUM_DATA/data/NAME]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Address of a folder that holds the files, http://… (https://… if built with it) [default: the set's own]
    #[arg(long, value_name = "URL")]
    from: Option<String>,
}

/// Fetches the files that are not there yet, and says where they are on stdout.
pub(crate) fn run(arguments: &FetchArguments) -> Result<i32, Failure> {
    let set = known(&arguments.name)?;
    let folder = match (&arguments.to, std::env::var_os("INFIMUM_DATA").filter(|data| !data.is_empty())) {
        (Some(folder), _) => folder.clone(),
        (None, Some(data)) => Path::new(&data).join("data").join(set.name),
        (None, None) => {
            let message = "expected a folder for the files: give --to FOLDER, or set INFIMUM_DATA";
            return Err(Failure::input(format!("{}: {message}", set.name)));
        }
    };
    let base = address(arguments.from.as_deref().unwrap_or(set.base))?;
    fetch_set(set, &base, &folder)?;
    print(&format!("{}\n", folder.display()))?;
    Ok(0)
}

fn known(name: &str) -> Result<&'static Set, Failure> {
    SETS.iter().find(|set| set.name == name).ok_or_else(|| {
        let names: Vec<&str> = SETS.iter().map(|set| set.name).collect();
        Failure::input(format!("{name}: expected a set that can be fetched: {}", names.join(", ")))
    })
}

/// The address of a folder, without `/` at its end.
fn address(base: &str) -> Result<String, Failure> {
    let lower = base.to_ascii_lowercase();
    if lower.starts_with("https://") && !cfg!(feature = "https") {
        return Err(Failure::input(format!("{base}: {NO_HTTPS}")));
    }
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return Err(Failure::input(format!("--from {base}: expected an address that begins with http:// or https://")));
    }
    Ok(base.trim_end_matches('/').to_string())
}

fn fetch_set(set: &Set, base: &str, folder: &Path) -> Result<(), Failure> {
    let missing: Vec<PathBuf> = folder.ancestors().take_while(|path| !path.exists()).map(Path::to_path_buf).collect();
    let agent = download::agent();
    for file in set.files {
        let path = folder.join(file.name);
        if download::is_there(&path, file).map_err(Failure::input)? {
            say(&format!("there       {}", path.display()));
            continue;
        }
        let url = format!("{base}/{}", file.name);
        say(&format!("fetching    {url} ({} bytes)", file.bytes));
        if let Err(why) = download::fetch(&agent, &url, &path, file) {
            // Folders that were made for nothing; those that hold something stay.
            missing.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
            return Err(Failure::input(why));
        }
    }
    Ok(())
}
