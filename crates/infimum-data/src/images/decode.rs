//! One PNG or JPEG file as bytes per pixel and channel.
//!
//! What is claimed is believed late: the header's size is admitted before room for pixels is taken, and no image has more than
//! [`MOST_VALUES`] values. Only integer arithmetic without instructions of one processor's own is used, so that a file gives the
//! same bytes everywhere; colour profiles, gamma and orientation tags change nothing.

use std::fmt;
use std::io::Cursor;

use png::{BitDepth, ColorType, DecodeOptions, Limits, Transformations};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Pixels times channels of the largest image, as many as the columns of the widest LIBSVM file.
const MOST_VALUES: usize = 1 << 26;
/// Pixels of the longest side.
const LONGEST_SIDE: usize = 1 << 16;
/// Scans of a progressive JPEG, each of which passes over the whole image.
const MOST_SCANS: usize = 64;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8\xff";
/// How a JPEG ends.
const END_OF_IMAGE: &[u8] = b"\xff\xd9";

/// Height, width and channels: 1 (grey) or 3 (red, green, blue).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Shape {
    /// Values of an image; at most [`MOST_VALUES`] where the image was admitted.
    pub(crate) fn values(self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colour = if self.channels == 1 { "grey" } else { "in colour" };
        write!(f, "{} × {} pixels (height × width), {colour}", self.height, self.width)
    }
}

/// Whether these are the first bytes of a PNG or a JPEG.
pub(crate) fn is_image(head: &[u8]) -> bool {
    head.starts_with(PNG) || head.starts_with(JPEG)
}

/// The values of an image, row by row, pixel by pixel, channel by channel. `admit` refuses a shape before pixels are decoded. The
/// error is a sentence without the file's name.
pub(crate) fn decode(
    bytes: &[u8],
    admit: impl FnOnce(Shape) -> Result<(), String>,
) -> Result<(Shape, Vec<u8>), String> {
    let admit = |shape: Shape| {
        if shape.values() > MOST_VALUES || shape.height.max(shape.width) > LONGEST_SIDE {
            return Err(format!(
                "expected an image of at most {MOST_VALUES} values and {LONGEST_SIDE} pixels a side, got {shape}"
            ));
        }
        admit(shape)
    };
    if bytes.starts_with(PNG) {
        return decode_png(bytes, admit);
    }
    if bytes.starts_with(JPEG) {
        return decode_jpeg(bytes, admit);
    }
    let begins = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let got = if bytes.is_empty() { "an empty file".into() } else { format!("a file that begins with {begins}") };
    Err(format!("expected a PNG or JPEG image, got {got}"))
}

fn damaged(why: impl fmt::Display) -> String {
    format!("the image is damaged or truncated: {why}")
}

fn decode_png(bytes: &[u8], admit: impl FnOnce(Shape) -> Result<(), String>) -> Result<(Shape, Vec<u8>), String> {
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(false);
    options.set_skip_ancillary_crc_failures(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(Limits { bytes: 4 * MOST_VALUES });
    // Palettes become colours, and 1, 2 and 4 bits of grey the multiples of 255, 85 and 17.
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    if info.bit_depth == BitDepth::Sixteen {
        return Err("expected at most 8 bits per channel, got 16; convert the image".into());
    }
    if info.animation_control.is_some() {
        return Err("expected one image, got an animation; save its frames one by one".into());
    }
    let (height, width) = (info.height as usize, info.width as usize);
    let (channels, has_alpha) = match reader.output_color_type().0 {
        ColorType::Grayscale => (1, false),
        ColorType::GrayscaleAlpha => (1, true),
        ColorType::Rgb => (3, false),
        ColorType::Rgba => (3, true),
        ColorType::Indexed => return Err("expected a palette of colours, got a PNG without".into()),
    };
    let shape = Shape { height, width, channels };
    admit(shape)?;
    let stored = channels + usize::from(has_alpha);
    let size = reader.output_buffer_size().filter(|&size| size == height * width * stored);
    let mut values = vec![0; size.ok_or_else(|| damaged("its rows are not of its width"))?];
    reader.next_frame(&mut values).map_err(damaged)?;
    reader.finish().map_err(damaged)?;
    if has_alpha {
        values = opaque(&values, stored)?;
    }
    Ok((shape, values))
}

/// The values without alpha, which must be 255 everywhere: what a transparent pixel looks like depends on what lies behind it.
fn opaque(values: &[u8], stored: usize) -> Result<Vec<u8>, String> {
    let mut colours = Vec::with_capacity(values.len() / stored * (stored - 1));
    for pixel in values.chunks_exact(stored) {
        let (colour, alpha) = pixel.split_at(stored - 1);
        if alpha != [255] {
            return Err("expected an image without transparent pixels, got some; put it on a background".into());
        }
        colours.extend_from_slice(colour);
    }
    Ok(colours)
}

fn decode_jpeg(bytes: &[u8], admit: impl FnOnce(Shape) -> Result<(), String>) -> Result<(Shape, Vec<u8>), String> {
    let padding = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    let length = bytes.iter().rposition(|byte| !padding(byte)).map_or(0, |last| last + 1);
    if !bytes[..length].ends_with(END_OF_IMAGE) {
        return Err(damaged("it does not end with the mark of its end (ff d9)"));
    }
    let options = DecoderOptions::default()
        .set_use_unsafe(false)
        .set_strict_mode(true)
        .set_max_width(LONGEST_SIDE)
        .set_max_height(LONGEST_SIDE)
        .jpeg_set_max_scans(MOST_SCANS);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (channels, colours) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (1, ColorSpace::Luma),
        Some(ColorSpace::YCbCr | ColorSpace::RGB) => (3, ColorSpace::RGB),
        other => {
            let got = other.map_or("none".into(), |other| format!("{other:?}"));
            return Err(format!("expected a JPEG in grey, YCbCr or RGB, got {got}; convert the image"));
        }
    };
    let (width, height) = decoder.dimensions().ok_or_else(|| damaged("it has no size"))?;
    let shape = Shape { height, width, channels };
    admit(shape)?;
    decoder.set_options(options.jpeg_set_out_colorspace(colours));
    let mut values = vec![0; shape.values()];
    decoder.decode_into(&mut values).map_err(damaged)?;
    Ok((shape, values))
}
