//! Which files of a folder are images, of which class, and in which order.

use std::path::Path;

use crate::canonical::label;
use crate::error::DataError;

/// Endings of the names of images, in any case.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// An image that is to be read.
#[derive(Debug, Clone)]
pub(crate) struct ImageFile {
    pub(crate) path: String,
    /// Its name in the folder, behind that of its class: what the source's hash holds of where it stands.
    pub(crate) name: String,
    /// Index into the classes.
    pub(crate) class: usize,
}

/// Images in order: by the bytes of the class's name, then by those of the file's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    pub(crate) files: Vec<ImageFile>,
    /// Names of the classes' folders, sorted by bytes; none where the images lie in no class's folder.
    pub(crate) classes: Vec<String>,
    /// Files that are not called as images are: the first, and how many there are.
    pub(crate) others: Option<(String, usize)>,
}

/// What a folder's images are for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parts {
    /// The folder of the classes to train on.
    pub(crate) training: String,
    /// The folder of held-out classes.
    pub(crate) held_out: Option<String>,
    /// Folders beside them that are not read.
    pub(crate) unused: Vec<String>,
}

/// Names in a folder that do not begin with a dot, sorted by bytes, and whether each is a folder.
fn visible(folder: &str) -> Result<Vec<(String, bool)>, DataError> {
    let unreadable = |why: std::io::Error| DataError::Unreadable { path: folder.into(), why: why.to_string() };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let Some(name) = name.to_str() else {
            let message = format!("expected names in UTF-8, got `{}`", name.to_string_lossy());
            return Err(DataError::input(folder, message));
        };
        if !name.starts_with('.') {
            // Links are followed; what cannot be opened is refused when it is read.
            names.push((name.to_string(), Path::new(&inside(folder, name)).is_dir()));
        }
    }
    names.sort();
    Ok(names)
}

fn inside(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

fn is_called_an_image(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Whether there is a folder in this folder. One that cannot be read has none.
pub(super) fn has_folders(folder: &str) -> bool {
    visible(folder).is_ok_and(|names| names.iter().any(|(_, is_folder)| *is_folder))
}

/// Whether images lie in folders of this folder, or of `train` in it. What cannot be read holds none.
pub(crate) fn holds_classes(folder: &str) -> bool {
    let in_folder = |folder: &str| visible(folder).unwrap_or_default();
    let has_images = |folder: &str| in_folder(folder).iter().any(|(name, folder)| !folder && is_called_an_image(name));
    let in_classes = |folder: &str| {
        in_folder(folder).iter().any(|(name, is_folder)| *is_folder && has_images(&inside(folder, name)))
    };
    in_classes(folder) || in_classes(&inside(folder, "train"))
}

/// The training classes and what is held out: `train` beside `val` or, without that, `test`, if there are folders in `train`; else the
/// folder itself.
pub(crate) fn parts(folder: &str) -> Result<Parts, DataError> {
    let training = inside(folder, "train");
    if !has_folders(&training) {
        return Ok(Parts { training: folder.to_string(), held_out: None, unused: Vec::new() });
    }
    let mut unused: Vec<String> = visible(folder)?
        .into_iter()
        .filter(|(name, is_folder)| *is_folder && name != "train")
        .map(|(name, _)| name)
        .collect();
    let place = ["val", "test"].iter().find_map(|held_out| unused.iter().position(|name| name == held_out));
    let held_out = place.map(|place| inside(folder, &unused.remove(place)));
    Ok(Parts { training, held_out, unused })
}

/// The images of a folder with one folder for each class.
pub(crate) fn classes(folder: &str) -> Result<Listing, DataError> {
    let mut listing = Listing::default();
    for (class, is_folder) in visible(folder)? {
        if !is_folder {
            if is_called_an_image(&class) {
                let message = "expected the images in folders, one for each class, got an image beside them";
                return Err(DataError::input(&inside(folder, &class), message));
            }
            listing.leave_out(inside(folder, &class));
            continue;
        }
        if let Some(same) = listing.classes.iter().find(|other| label(other) == label(&class)) {
            let message = format!("the folders `{same}` and `{class}` are the same label `{}`", label(&class));
            return Err(DataError::input(folder, message));
        }
        let path = inside(folder, &class);
        listing.classes.push(class);
        let before = listing.files.len();
        listing.add(&path, listing.classes.len() - 1)?;
        if listing.files.len() == before {
            return Err(DataError::input(&path, "expected images of this class (.png, .jpg, .jpeg), got none"));
        }
    }
    if listing.files.is_empty() {
        return Err(DataError::input(folder, "expected a folder of images for each class, got none"));
    }
    Ok(listing)
}

/// Images without classes: a folder of them, or a single file.
pub(crate) fn unclassified(path: &str) -> Result<Listing, DataError> {
    let mut listing = Listing::default();
    if Path::new(path).is_dir() {
        listing.add(path, 0)?;
    } else {
        let name = path.rsplit('/').next().unwrap_or(path).to_string();
        listing.files.push(ImageFile { path: path.into(), name, class: 0 });
    }
    if listing.files.is_empty() {
        return Err(DataError::input(path, "expected images (.png, .jpg, .jpeg), got none"));
    }
    Ok(listing)
}

impl Listing {
    /// Appends the images of a folder.
    fn add(&mut self, folder: &str, class: usize) -> Result<(), DataError> {
        for (name, is_folder) in visible(folder)? {
            let path = inside(folder, &name);
            if is_folder {
                return Err(DataError::input(&path, "expected images in this place, got a folder"));
            }
            if is_called_an_image(&name) {
                let name = self.classes.get(class).map_or_else(|| name.clone(), |class| format!("{class}/{name}"));
                self.files.push(ImageFile { path, name, class });
            } else {
                self.leave_out(path);
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, path: String) {
        self.others.get_or_insert((path, 0)).1 += 1;
    }
}
