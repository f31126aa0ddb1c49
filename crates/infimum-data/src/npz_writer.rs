//! Writes a zip of NumPy arrays, uncompressed: what [`crate::load`] reads as NPZ.

use std::io::{self, Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Numbers of an array.
#[derive(Debug, Clone, Copy)]
pub enum ArrayValues<'a> {
    /// Singles.
    Singles(&'a [f32]),
    /// Doubles.
    Doubles(&'a [f64]),
}

/// Sizes from which a zip entry needs the larger format.
const LARGE: u64 = 1 << 31;

/// Writes `arrays` (name, shape, values in C order) to `out`. Equal arrays give equal bytes.
pub fn write_npz<W: Write + Seek>(out: W, arrays: &[(&str, &[usize], ArrayValues)]) -> io::Result<()> {
    let mut writer = ZipWriter::new(out);
    for (name, shape, values) in arrays {
        let (kind, count, width) = match values {
            ArrayValues::Singles(values) => ("<f4", values.len(), 4),
            ArrayValues::Doubles(values) => ("<f8", values.len(), 8),
        };
        if shape.iter().product::<usize>() != count {
            return Err(io::Error::other(format!("array `{name}`: {count} values do not have the shape {shape:?}")));
        }
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .large_file(count as u64 * width >= LARGE);
        writer.start_file(format!("{name}.npy"), options).map_err(io::Error::other)?;
        let mut buffer = header(kind, shape);
        // A megabyte at a time.
        for block in 0..count.div_ceil(1 << 17) {
            let range = block << 17..count.min((block + 1) << 17);
            match values {
                ArrayValues::Singles(values) => values[range].iter().for_each(|x| buffer.extend(x.to_le_bytes())),
                ArrayValues::Doubles(values) => values[range].iter().for_each(|x| buffer.extend(x.to_le_bytes())),
            }
            writer.write_all(&buffer)?;
            buffer.clear();
        }
        writer.write_all(&buffer)?;
    }
    writer.finish().map_err(io::Error::other)?.flush()
}

/// The head of an NPY file, version 1.0: a multiple of 64 bytes.
fn header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size},")).collect();
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sizes}), }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use infimum_problem::{Matrix, Target, Task};

    use super::*;
    use crate::{Request, load};

    #[test]
    fn what_is_written_is_loaded() {
        let path = tempfile::tempdir().unwrap().keep().join("features.npz");
        let features: Vec<f32> = (0..200_000).map(|i| i as f32 / 7.0).collect();
        let classes: Vec<f64> = (0..50_000).map(|i| f64::from(i % 30)).collect();
        let weights: Vec<f64> = (0..50_000).map(|i| 1.0 + f64::from(i) / 3.0).collect();
        let arrays: [(&str, &[usize], ArrayValues); 3] = [
            ("X", &[50_000, 4], ArrayValues::Singles(&features)),
            ("y", &[50_000], ArrayValues::Doubles(&classes)),
            ("weight", &[50_000], ArrayValues::Doubles(&weights)),
        ];
        write_npz(std::fs::File::create(&path).unwrap(), &arrays).unwrap();
        let request =
            Request { task: Some(Task::Classification), sample_weight: Some("weight".into()), ..Request::default() };
        let loaded = load(path.to_str().unwrap(), &request).unwrap();
        let data = &loaded.problem.data;
        let Matrix::Dense(matrix) = &data.matrix else { panic!("dense rows were written") };
        assert!(matrix.values == features.into());
        let Target::Class { classes: got, labels } = &data.target else { panic!("classes were written") };
        assert_eq!((labels.len(), labels[9].as_str()), (30, "9"));
        assert!(got.iter().zip(&classes).all(|(&got, &wrote)| f64::from(got) == wrote));
        assert_eq!(data.weights, weights);
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        assert!(write_npz(io::Cursor::new(Vec::new()), &[("X", &[3], ArrayValues::Singles(&[1.0]))]).is_err());
    }
}
