//! Files made with the `parquet` crate's writer.

use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::data_type::ByteArray;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use bytes::Bytes;
use infimum_problem::{FeatureKind, Matrix, Split};
use proptest::prelude::*;

use super::*;
use crate::{Loaded, load};

/// What a column of a row group is written from: values, and for columns that may miss some which are there.
enum Column {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bool(Vec<bool>),
    Text(Vec<&'static str>),
    Bytes(Vec<Vec<u8>>),
    OptionalDouble(Vec<Option<f64>>),
    OptionalText(Vec<Option<&'static str>>),
}

fn file(schema: &str, groups: &[Vec<Column>], compression: Compression) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).expect("a schema"));
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).expect("memory");
    for columns in groups {
        let mut group = writer.next_row_group().expect("a group");
        for column in columns {
            let mut writer = group.next_column().expect("memory").expect("a column");
            let levels = |there: Vec<bool>| -> Vec<i16> { there.into_iter().map(i16::from).collect() };
            let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
            match column {
                Column::Int32(x) => writer.typed::<Int32Type>().write_batch(x, None, None),
                Column::Int64(x) => writer.typed::<Int64Type>().write_batch(x, None, None),
                Column::Float(x) => writer.typed::<FloatType>().write_batch(x, None, None),
                Column::Double(x) => writer.typed::<DoubleType>().write_batch(x, None, None),
                Column::Bool(x) => writer.typed::<BoolType>().write_batch(x, None, None),
                Column::Text(x) => {
                    let x: Vec<ByteArray> = x.iter().map(|x| text(x)).collect();
                    writer.typed::<ByteArrayType>().write_batch(&x, None, None)
                }
                Column::Bytes(x) => {
                    let x: Vec<ByteArray> = x.iter().map(|x| ByteArray::from(x.clone())).collect();
                    writer.typed::<ByteArrayType>().write_batch(&x, None, None)
                }
                Column::OptionalDouble(x) => {
                    let there = levels(x.iter().map(Option::is_some).collect());
                    let x: Vec<f64> = x.iter().copied().flatten().collect();
                    writer.typed::<DoubleType>().write_batch(&x, Some(&there), None)
                }
                Column::OptionalText(x) => {
                    let there = levels(x.iter().map(Option::is_some).collect());
                    let x: Vec<ByteArray> = x.iter().flatten().map(|x| text(x)).collect();
                    writer.typed::<ByteArrayType>().write_batch(&x, Some(&there), None)
                }
            }
            .expect("memory");
            writer.close().expect("memory");
        }
        group.close().expect("memory");
    }
    writer.close().expect("memory");
    bytes
}

fn read_as(bytes: Vec<u8>, request: &Request, encode: &Encode) -> Result<Raw, String> {
    read_chunks("f", Bytes::from(bytes), String::new(), request, encode).map_err(|error| error.to_string())
}

fn read(bytes: Vec<u8>) -> Result<Raw, String> {
    read_as(bytes, &Request::default(), &Encode::Fresh)
}

fn dense(raw: &Raw) -> Vec<f64> {
    let Matrix::Dense(dense) = &raw.matrix else { panic!("dense") };
    dense.values.iter().collect()
}

fn numbers(raw: &Raw) -> Vec<f64> {
    let RawTarget::Numeric(values) = &raw.target else { panic!("numbers") };
    values.clone()
}

#[test]
fn every_kind_of_column() {
    let schema = "required int32 i; required int32 u (UINT_32); required int64 l; required float f; required double d; \
                  required boolean b; required binary t (UTF8); required double y;";
    let group = |shift: i64| {
        vec![
            Column::Int32(vec![i32::MIN, 7]),
            Column::Int32(vec![-1, 0]),
            Column::Int64(vec![1 << 53, -(1 << 53) + shift]),
            Column::Float(vec![0.1, -2.5]),
            Column::Double(vec![0.1, 1e-300 * 1e210]),
            Column::Bool(vec![true, false]),
            Column::Text(vec!["red", " red"]),
            Column::Double(vec![1.5, shift as f64]),
        ]
    };
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::ZSTD(Default::default()),
    ] {
        let raw = read(file(schema, &[group(0), group(1)], compression)).expect("read");
        let first =
            [i32::MIN as f64, 4_294_967_295.0, 9_007_199_254_740_992.0, f64::from(0.1f32), 0.1, 0.0, 1.0, 0.0, 1.0];
        let second =
            |shift: f64| [7.0, 0.0, -9_007_199_254_740_992.0 + shift, -2.5, 1e-300 * 1e210, 1.0, 0.0, 1.0, 0.0];
        assert_eq!(dense(&raw), [first, second(0.0), first, second(1.0)].concat());
        let names: Vec<_> = raw.names.iter().map(|name| name.into_owned()).collect();
        assert_eq!(names, ["i", "u", "l", "f", "d", "b=false", "b=true", "t= red", "t=red"]);
        assert_eq!((numbers(&raw), raw.target_name.as_str()), (vec![1.5, 0.0, 1.5, 1.0], "y"));
    }
}

#[test]
fn what_is_wrong_is_named() {
    let y = || Column::Int32(vec![0, 1, 0]);
    let double =
        |schema: &str, column| file(&format!("{schema} required int32 y;"), &[vec![column, y()]], Compression::SNAPPY);
    for (bytes, expected) in [
        (
            double("required int64 x;", Column::Int64(vec![0, 1, (1 << 53) + 1])),
            "f, row 3, column `x`: expected an integer of magnitude up to 2^53",
        ),
        (
            double("required int64 x;", Column::Int64(vec![0, i64::MIN, 0])),
            "row 2, column `x`: expected an integer of magnitude up to 2^53",
        ),
        (double("required int64 x (UINT_64);", Column::Int64(vec![-1, 0, 0])), "got `18446744073709551615`"),
        (
            double("optional double x;", Column::OptionalDouble(vec![Some(1.0), None, Some(2.0)])),
            "f, row 2, column `x`: expected a finite number",
        ),
        (
            double("optional binary x (UTF8);", Column::OptionalText(vec![Some("a"), Some("b"), None])),
            "f, row 3, column `x`: expected a value",
        ),
        (
            double("required double x;", Column::Double(vec![1.0, f64::NAN, 2.0])),
            "f, row 2, column `x`: expected a finite number",
        ),
        (double("required double x;", Column::Double(vec![1.0, 1e101, 2.0])), "expected a magnitude of at most 1e100"),
        (
            double("required binary x;", Column::Bytes(vec![vec![b'a'], vec![255], vec![b'b']])),
            "row 2, column `x`: expected text in UTF-8",
        ),
        (
            double("required int32 x (DATE);", Column::Int32(vec![1, 2, 3])),
            "column `x`: expected integers, floats, doubles, booleans or strings, got INT32 (Date)",
        ),
        (double("required int64 x (TIMESTAMP_MILLIS);", Column::Int64(vec![1, 2, 3])), "column `x`: expected integers"),
        (double("required int32 x (DECIMAL(5,2));", Column::Int32(vec![1, 2, 3])), "column `x`: expected integers"),
        (
            double("required group x { required double z; }", Column::Double(vec![1.0, 2.0, 3.0])),
            "column `x.z`: expected integers, floats, doubles, booleans or strings, got a nested or repeated column",
        ),
        (file("required double x; required int32 y;", &[], Compression::SNAPPY), "there are no rows"),
        (b"PAR1 and then nothing of the kind PAR1".to_vec(), "not a readable Parquet file"),
        (Vec::new(), "not a readable Parquet file"),
    ] {
        let error = read(bytes).expect_err(expected);
        assert!(error.contains(expected), "`{expected}` is not in {error}");
    }
    let text = file(
        "required double x; required binary y (UTF8);",
        &[vec![Column::Double(vec![1.0, 2.0]), Column::Text(vec!["no", "NA"])]],
        Compression::SNAPPY,
    );
    let error = read(text).expect_err("a missing label");
    assert!(error.contains("f, row 2, column `y`: expected a label") && error.contains("got `NA`"), "{error}");
}

#[test]
fn weights_are_numbers_from_zero() {
    let weighted = |w| {
        file(
            "required double x; required double w; required int32 y;",
            &[vec![Column::Double(vec![1.0, 2.0]), Column::Double(w), Column::Int32(vec![0, 1])]],
            Compression::SNAPPY,
        )
    };
    let request = Request { sample_weight: Some("w".into()), ..Request::default() };
    let raw = read_as(weighted(vec![0.0, 2.0]), &request, &Encode::Fresh).expect("read");
    assert_eq!((raw.weights, raw.weight_name.as_deref()), (Some(vec![0.0, 2.0]), Some("w")));
    let error = read_as(weighted(vec![1.0, -0.5]), &request, &Encode::Fresh).expect_err("negative");
    assert!(error.contains("f, row 2, column `w`: expected a weight ≥ 0, got `-0.5`"), "{error}");
}

#[test]
fn rows_for_a_model() {
    let trained = read(file(
        "required double a; required binary t (UTF8); required binary y (UTF8);",
        &[vec![Column::Double(vec![1.0, 2.0]), Column::Text(vec!["u", "v"]), Column::Text(vec!["no", "yes"])]],
        Compression::SNAPPY,
    ))
    .expect("read");
    assert_eq!(trained.encoding.features[1].kind, FeatureKind::OneHot(vec!["u".into(), "v".into()]));
    let fixed = Encode::Fixed { encoding: &trained.encoding, labels: true };
    let request = Request { target: Some("y".into()), ..Request::default() };
    // Another order, an unknown category, a missing label, and a column that the model does not use.
    let other = file(
        "optional binary y (UTF8); required int32 day (DATE); required binary t (UTF8); required double a;",
        &[vec![
            Column::OptionalText(vec![None, Some("yes")]),
            Column::Int32(vec![1, 2]),
            Column::Text(vec!["w", "v"]),
            Column::Double(vec![3.0, 4.0]),
        ]],
        Compression::SNAPPY,
    );
    let raw = read_as(other, &request, &fixed).expect("read");
    assert_eq!(dense(&raw), [3.0, 0.0, 0.0, 4.0, 0.0, 1.0]);
    let RawTarget::Text(target) = &raw.target else { panic!("text") };
    assert_eq!(
        target.codes.iter().map(|&code| &*target.dictionary.names[code as usize]).collect::<Vec<_>>(),
        ["", "yes"]
    );
    let misfit = file(
        "required double t; required double a;",
        &[vec![Column::Double(vec![1.0]), Column::Double(vec![1.0])]],
        Compression::SNAPPY,
    );
    assert!(
        read_as(misfit, &request, &fixed)
            .expect_err("numbers")
            .contains("column `t`: expected text, as in the training data")
    );
}

#[test]
fn more_rows_than_a_batch() {
    let rows = 2 * BATCH + 17;
    let x: Vec<f64> = (0..rows).map(|row| row as f64).collect();
    let y: Vec<i32> = (0..rows as i32).map(|row| row * 7 % 3).collect();
    let raw = read(file(
        "required double x; required int32 y;",
        &[vec![Column::Double(x.clone()), Column::Int32(y.clone())]],
        Compression::SNAPPY,
    ))
    .expect("read");
    assert_eq!(dense(&raw), x);
    assert_eq!(numbers(&raw), y.into_iter().map(f64::from).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_refused_or_read(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in any::<Option<prop::sample::Index>>()) {
        let mut bytes = file("required double x; optional binary t (UTF8); required int32 y;", &[vec![Column::Double(vec![1.0, 2.0]), Column::OptionalText(vec![Some("u"), Some("v")]), Column::Int32(vec![0, 1])]], Compression::SNAPPY);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(raw) = read(bytes) {
            prop_assert_eq!(raw.matrix.rows(), 2);
        }
    }
}

/// Numbers of two types and text, 500 rows in groups of 100, and the request that reads them.
fn mixed() -> (Vec<u8>, Request) {
    let schema = "required double x; required int32 n; required byte_array shop (UTF8); required double z; \
                  required double w; required boolean y;";
    let group = |group: usize| {
        let rows = || (0..100).map(move |row| 100 * group + row);
        vec![
            Column::Double(rows().map(|r| (r * 37 % 41) as f64 / if group < 3 { 8.0 } else { 7.0 }).collect()),
            Column::Int32(rows().map(|r| (r * 23 % 29) as i32 - 11).collect()),
            Column::Text(rows().map(|r| ["b", "a", "d", "c"][r * 7 % (1 + group).min(4)]).collect()),
            Column::Double(rows().map(|r| f64::from(u8::from(r % 3 == 0))).collect()),
            Column::Double(rows().map(|r| (r % 5) as f64).collect()),
            Column::Bool(rows().map(|r| r * 11 % 7 > 2).collect()),
        ]
    };
    let groups: Vec<Vec<Column>> = (0..5).map(group).collect();
    let request = Request { target: Some("y".into()), sample_weight: Some("w".into()), ..Request::default() };
    (file(schema, &groups, Compression::SNAPPY), request)
}

/// All rows, with where their entries are.
fn rows(matrix: &Matrix) -> Vec<Vec<(usize, f64)>> {
    let mut rows = Vec::new();
    let read = matrix.for_each_row(|_, row| {
        let mut entries = Vec::new();
        row.for_each(|j, x| entries.push((j, x)));
        rows.push(entries);
    });
    read.map(|()| rows).expect("read back")
}

#[test]
fn what_does_not_fit_is_encoded_in_a_second_pass() {
    let (bytes, request) = mixed();
    let held = read_as(bytes.clone(), &request, &Encode::Fresh).expect("read");
    // 500 rows of 8 columns are 32,000 bytes; the table of 3 numbers and a code, 14,000.
    for (limit, is_spilled) in [(0, true), (5_000, true), (20_000, true), (32_000, false)] {
        let request = Request { memory: Some(Memory::in_blocks(limit, 700)), ..request.clone() };
        let read = read_as(bytes.clone(), &request, &Encode::Fresh).expect("read");
        assert_eq!((read.matrix.is_spilled(), read.matrix.is_sparse()), (is_spilled, false), "{limit}");
        assert_eq!(rows(&read.matrix), rows(&held.matrix), "{limit}");
        assert_eq!((read.matrix.columns(), read.weights.as_ref()), (7, held.weights.as_ref()));
        assert_eq!(read.names, held.names);
        assert_eq!(read.notes.iter().any(|note| note == SPILLED), is_spilled);
        let RawTarget::Text(text) = &read.target else { panic!("text") };
        let RawTarget::Text(expected) = &held.target else { panic!("text") };
        assert_eq!(text, expected);
    }
}

#[test]
fn problems_of_either_storage_have_one_hash() {
    let (bytes, request) = mixed();
    let file = tempfile::NamedTempFile::with_suffix(".parquet").expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    let name = file.path().to_str().expect("a name");
    for (standardize, split) in [(false, None), (true, None), (true, Some(Split { fraction: 0.3, seed: 4 }))] {
        let request = Request { standardize, split, ..request.clone() };
        let spilling = Request { memory: Some(Memory::in_blocks(1_000, 700)), ..request.clone() };
        let (held, spilled) = (load(name, &request).expect("held"), load(name, &spilling).expect("spilled"));
        assert!(spilled.problem.data.matrix.is_spilled());
        assert_eq!(held.problem_sha256, spilled.problem_sha256);
        assert_eq!(held.problem.objective, spilled.problem.objective);
        let validation = |loaded: &Loaded| loaded.validation.as_ref().map(|held_out| rows(&held_out.matrix));
        assert_eq!(validation(&held), validation(&spilled));
    }
}

#[test]
fn many_categories_are_spilled_as_sparse_rows() {
    let names: Vec<String> = (0..40).map(|name| format!("s{name:02}")).collect();
    let codes = (0..600).map(|r| names[r * 7 % 40].clone().into_bytes()).collect();
    let label = (0..600).map(|r| r * 5 % 9 > 3).collect();
    let schema = "required byte_array shop (UTF8); required int32 n; required boolean y;";
    let counts = (0..600).map(|r| r % 3).collect();
    let columns = vec![Column::Bytes(codes), Column::Int32(counts), Column::Bool(label)];
    let bytes = file(schema, &[columns], Compression::UNCOMPRESSED);
    let held = read(bytes.clone()).expect("read");
    let request = Request { memory: Some(Memory::in_blocks(3_000, 500)), ..Request::default() };
    let spilled = read_as(bytes, &request, &Encode::Fresh).expect("read");
    assert!(spilled.matrix.is_spilled() && spilled.matrix.is_sparse() && held.matrix.is_sparse());
    assert_eq!(rows(&spilled.matrix), rows(&held.matrix));
}

#[test]
fn pages_that_do_not_fit_are_refused() {
    let (bytes, request) = mixed();
    let memory = Memory::new(64 << 20, 1, std::path::Path::new(".")).expect("the least limit");
    let request = Request { memory: Some(memory), ..request };
    assert!(read_as(bytes, &request, &Encode::Fresh).is_ok());
    let schema: String = (0..2_000).map(|column| format!("required double x{column};")).collect();
    let columns = (0..2_000).map(|_| Column::Double((0..600).map(f64::from).collect())).collect();
    let wide = file(&schema, &[columns], Compression::UNCOMPRESSED);
    let request = Request { target: None, sample_weight: None, ..request };
    let refused = read_as(wide, &request, &Encode::Fresh).expect_err("too wide");
    assert!(refused.contains("a page of each of 2000 columns") && refused.contains("give --memory"), "{refused}");
}
