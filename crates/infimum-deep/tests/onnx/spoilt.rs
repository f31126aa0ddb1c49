//! Bytes that are no network, or not this one.

use infimum_deep::onnx::{ImportError, Output, export, import, import_safetensors};

use super::networks::{examples, numbers};
use super::pytorch::data;

fn files() -> Vec<Vec<u8>> {
    let written = examples()
        .into_iter()
        .map(|example| export(&example.architecture, &example.parameters, &example.buffers, Output::Values).unwrap());
    let pytorch = ["mlp", "mlp-binary", "cnn-views", "cnn-older"].map(|name| data(&format!("{name}.onnx")));
    written.chain(pytorch).collect()
}

#[test]
fn spoilt_bytes_never_panic() {
    let mut read = 0;
    for (seed, file) in files().iter().enumerate() {
        let places = numbers(seed as u64, 600);
        for pair in places.chunks(2) {
            let place = ((pair[0] + 1.0) / 2.0 * file.len() as f32) as usize % file.len();
            let mut changed = file.clone();
            changed[place] = changed[place].wrapping_add((pair[1] * 127.0) as u8);
            read += usize::from(import(&changed).is_ok());
            let cut = &file[..place];
            read += usize::from(import(cut).is_ok());
            // A piece of the file twice, as if a message were repeated.
            let mut doubled = cut.to_vec();
            doubled.extend_from_slice(&file[place / 2..]);
            read += usize::from(import(&doubled).is_ok());
        }
    }
    // Most changes hit a weight.
    assert!(read > 0);
}

#[test]
fn errors_say_what_is_wrong() {
    assert!(matches!(import(b"what is this"), Err(ImportError::Parse(_))));
    assert!(matches!(import(b""), Err(ImportError::Parse(_))));
    let file = data("mlp.onnx");
    assert!(matches!(import(&file[..file.len() / 2]), Err(ImportError::Parse(_))));
    // An operator whose name is as long.
    let place = file.windows(5).position(|bytes| bytes == b"\x04Relu").unwrap();
    let mut changed = file.clone();
    changed[place + 1] = b'S';
    let error = import(&changed).unwrap_err();
    assert!(matches!(&error, ImportError::Unsupported { operator, .. } if operator == "Selu"), "{error}");
}

#[test]
fn spoilt_tensors_never_panic() {
    let example = &examples()[0];
    let file = data("mlp.safetensors");
    for (place, change) in (0..file.len()).step_by(3).zip(numbers(3, file.len())) {
        let mut changed = file.clone();
        changed[place] = changed[place].wrapping_add((change * 127.0) as u8);
        let _ = import_safetensors(&changed, &example.architecture);
        assert!(import_safetensors(&file[..place], &example.architecture).is_err());
    }
}
