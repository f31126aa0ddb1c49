//! Commands whose first argument is the data that their options are about.

use clap::Args;

use crate::arguments::{CurveArguments, FitArguments, ReadArguments, StudyArguments};

/// Options after the data that they are about.
#[derive(Debug, Args)]
pub(crate) struct WithData<T: Args> {
    /// Data file (CSV, TSV, LIBSVM, NPY, NPZ, IDX; also .gz; Parquet if built with it), folder of MNIST's files, folder with a folder of PNG or
    /// JPEG images for each class, or builtin:NAME
    data: String,
    #[command(flatten)]
    options: T,
}

/// Options that need to know their data.
pub(crate) trait OfData: Args {
    /// The options of how the data are read.
    fn read(&mut self) -> &mut ReadArguments;
}

impl<T: OfData> WithData<T> {
    /// The options, with their data.
    pub(crate) fn options(mut self) -> T {
        self.options.read().data = self.data;
        self.options
    }
}

impl OfData for ReadArguments {
    fn read(&mut self) -> &mut ReadArguments {
        self
    }
}

impl OfData for FitArguments {
    fn read(&mut self) -> &mut ReadArguments {
        &mut self.read
    }
}

impl OfData for CurveArguments {
    fn read(&mut self) -> &mut ReadArguments {
        &mut self.fit.read
    }
}

impl OfData for StudyArguments {
    fn read(&mut self) -> &mut ReadArguments {
        &mut self.fit.read
    }
}
