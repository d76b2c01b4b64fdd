//! Elements as pixels.

use chunks::DType;
use volume::gray_level;

use super::colour::colour;
use super::window::Window;

/// How elements become pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shade {
    /// Gray, from black to white.
    Gray(Window),
    /// A colour for each label.
    Labels,
}

impl Shade {
    /// Appends the pixels of little-endian elements.
    pub(crate) fn pixels(self, dtype: DType, elements: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Gray(window) if dtype == DType::U8 && window == Window::OF_BYTES => {
                out.extend_from_slice(elements);
            }
            Self::Gray(Window { low, high }) => out.extend(
                elements
                    .chunks_exact(dtype.size())
                    .map(|element| gray_level((dtype.to_f64(element) - low) / (high - low))),
            ),
            Self::Labels => {
                // Neighbours mostly have one label.
                let mut last: Option<(&[u8], [u8; 3])> = None;
                for element in elements.chunks_exact(dtype.size()) {
                    let pixel = match last {
                        Some((same, pixel)) if same == element => pixel,
                        _ => colour(u64::from_le_bytes(padded(element))),
                    };
                    last = Some((element, pixel));
                    out.extend_from_slice(&pixel);
                }
            }
        }
    }
}

fn padded(element: &[u8]) -> [u8; 8] {
    std::array::from_fn(|at| element.get(at).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(shade: Shade, dtype: DType, elements: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        shade.pixels(dtype, elements, &mut out);
        out
    }

    #[test]
    fn a_window_clips_and_spreads() {
        let shade = Shade::Gray(Window { low: -100.0, high: 155.0 });
        let elements: Vec<u8> =
            [-32768i16, -100, -99, 0, 155, 156, 32767].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(pixels(shade, DType::I16, &elements), [0, 0, 1, 100, 255, 255, 255]);
        let reals: Vec<u8> = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY, 27.5]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert_eq!(pixels(shade, DType::F32, &reals), [0, 0, 255, 128]);
    }

    #[test]
    fn the_short_way_for_bytes_is_the_long_way() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(pixels(Shade::Gray(Window { low: 0.0, high: 255.0 }), DType::U8, &all), all);
        let long: Vec<u8> = all.iter().map(|value| gray_level(f64::from(*value) / 255.0)).collect();
        assert_eq!(long, all);
    }

    #[test]
    fn a_label_s_colour_is_that_of_all_its_bits() {
        let labels = [7u64, 7, 0, 7 | 1 << 63];
        let elements: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        let expected: Vec<u8> = labels.iter().flat_map(|label| colour(*label)).collect();
        assert_eq!(pixels(Shade::Labels, DType::U64, &elements), expected);
        assert_ne!(expected[..3], expected[9..]);
    }
}
