//! Folders of images as exact numbers.

use infimum_problem::{ColumnNames, Format, LoadingRecipe};

use crate::csv::TextColumn;
use crate::error::{DataError, Unit};
use crate::exact::arrays::Rows;
use crate::exact::numbers::ExactNumbers;
use crate::exact::points::Base;
use crate::exact::targets::{OPEN, TargetColumn};
use crate::exact::{LoadingRequest, Read};
use crate::images::{self, Images};

/// Reads a folder of images; where targets may be lacking, also images in no class's folder, whose outputs are open.
pub(super) fn read(name: &str, request: &LoadingRequest) -> Result<Read, DataError> {
    finish(name, images::read_exact(name, request.may_lack_targets)?)
}

/// Images as points, and their classes.
pub(super) fn finish(name: &str, images: Images<ExactNumbers>) -> Result<Read, DataError> {
    let (rows, columns) = (images.rows, images.shape.values());
    let fields = images.classes.unwrap_or_else(|| {
        let mut fields = TextColumn::default();
        fields.codes = (0..rows).map(|row| fields.dictionary.code(OPEN, row as u64 + 1)).collect();
        fields
    });
    let names = ColumnNames::numbered(columns);
    let cells = Rows { rows, columns, values: images.values, without: Vec::new() };
    let (points, scales) = super::finish(name, &cells, &names, Base::Two)?;
    Ok(Read {
        points,
        scales,
        names,
        targets: vec![TargetColumn { name: "label".into(), fields, unit: Unit::Row }],
        recipe: LoadingRecipe { format: Format::Images, header: false, targets: Vec::new() },
        sha256: images.sha256,
        notes: images.notes,
    })
}
