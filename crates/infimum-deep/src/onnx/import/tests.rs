//! Graphs as other programs write them, node by node.

use infimum_problem::deep::{Activation, Layer, Padding};

use super::super::builder::{Builder, float, integer, sizes};
use super::super::proto::{TensorProto, kinds};
use super::super::tensor::Constant;
use super::{ImportError, Imported, import};

/// The network of a graph that ends with the value that `nodes` names; its input `x` has so many columns.
fn read(columns: usize, nodes: impl Fn(&mut Builder) -> String) -> Result<Imported, ImportError> {
    let mut builder = Builder::default();
    let last = nodes(&mut builder);
    builder.output(&last, "z", kinds::FLOAT, &[1]);
    import(&builder.finish(kinds::FLOAT, columns, &[]).unwrap())
}

/// `x` as an image `[N, 2, 4, 4]`.
fn image(builder: &mut Builder) -> String {
    let shape = builder.integers([0, 4, 4, 2]);
    let image = builder.node("Reshape", &["x", &shape], vec![]);
    builder.node("Transpose", &[&image], vec![sizes("perm", &[0, 3, 1, 2])])
}

/// A dense layer of ones.
fn dense(builder: &mut Builder, name: &str, x: &str, [inputs, units]: [usize; 2]) -> String {
    let w = builder.singles(name, &[inputs, units], vec![1.0; inputs * units]);
    builder.node("MatMul", &[x, &w], vec![])
}

#[test]
fn what_scales_the_columns_becomes_one_shift_and_one_factor() {
    let read = read(2, |builder| {
        let (most, mean) = (builder.singles("most", &[], [255.0]), builder.singles("mean", &[1, 2], [0.5, 0.25]));
        let deviation = builder.singles("deviation", &[2], [0.2, 0.4]);
        let x = builder.node("Div", &["x", &most], vec![]);
        let x = builder.node("Sub", &[&x, &mean], vec![]);
        let x = builder.node("Div", &[&x, &deviation], vec![]);
        dense(builder, "w", &x, [2, 1])
    })
    .unwrap();
    for (column, value) in [(0, 10.0), (1, 200.0)] {
        let expected = (value / 255.0 - [0.5, 0.25][column]) / [0.2, 0.4][column];
        let got = f64::from(read.architecture.scaling.apply(column, value));
        assert!((got - expected).abs() < 1e-5, "{got} and {expected}");
    }
    assert_eq!(read.architecture.layers, [Layer::Dense { units: 1, bias: false }]);
}

#[test]
fn functions_are_recognised_however_they_are_spelt() {
    let gelu = Layer::Activation { function: Activation::Gelu };
    for half_first in [false, true] {
        let read = read(2, |builder| {
            let x = dense(builder, "w", "x", [2, 1]);
            let [root, one, half] = [0.5f64.sqrt(), 1.0, 0.5].map(|value| builder.number(kinds::FLOAT, value));
            let t = builder.node("Mul", &[&root, &x], vec![]);
            let t = builder.node("Erf", &[&t], vec![]);
            let t = builder.node("Add", &[&one, &t], vec![]);
            let (a, b) = if half_first { (&t, &x) } else { (&x, &t) };
            let halved = builder.node("Mul", &[a, &half], vec![]);
            builder.node("Mul", &[b, &halved], vec![])
        });
        assert_eq!(read.unwrap().architecture.layers[1], gelu);
    }
    let relu = Layer::Activation { function: Activation::Relu };
    let read = read(2, |builder| {
        let zero = builder.number(kinds::FLOAT, 0.0);
        let t = builder.node("Max", &[&zero, "x"], vec![]);
        builder.node("Clip", &[&t, &zero], vec![])
    });
    assert_eq!(read.unwrap().architecture.layers, [relu.clone(), relu]);
}

#[test]
fn weights_are_read_as_the_operator_uses_them() {
    let read = read(2, |builder| {
        let (w, c) = (builder.singles("w", &[3, 2], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), builder.number(kinds::FLOAT, 7.0));
        let attributes = vec![integer("transB", 1), float("alpha", 2.0), float("beta", 0.5)];
        let h = builder.node("Gemm", &["x", &w, &c], attributes);
        let w = builder.node("Transpose", &[&w], vec![]);
        let w = builder.node("Transpose", &[&w], vec![]);
        let y = builder.node("MatMul", &[&h, &w], vec![]);
        let minus = builder.singles("minus", &[2], [1.0, -1.0]);
        builder.node("Sub", &[&y, &minus], vec![])
    })
    .unwrap();
    let expected = [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 3.5, 3.5, 3.5, 1.0, 3.0, 5.0, 2.0, 4.0, 6.0, -1.0, 1.0];
    assert_eq!(read.parameters, expected);
}

#[test]
fn what_layers_cannot_say_is_refused_by_name() {
    type Nodes = fn(&mut Builder) -> String;
    fn convolved(builder: &mut Builder, inputs: usize, attributes: Vec<super::super::proto::AttributeProto>) -> String {
        let x = image(builder);
        let w = builder.singles("w", &[2, inputs, 3, 3], vec![1.0; 18 * inputs]);
        builder.node("Conv", &[&x, &w], attributes)
    }
    fn pooled(builder: &mut Builder, operator: &str, attributes: Vec<super::super::proto::AttributeProto>) -> String {
        let x = image(builder);
        builder.node(operator, &[&x], attributes)
    }
    let cases: [(Nodes, &str, &str); 15] = [
        (|b| convolved(b, 1, vec![integer("group", 2)]), "Conv", "2 groups"),
        (|b| convolved(b, 2, vec![sizes("dilations", &[2, 2])]), "Conv", "dilations"),
        (|b| convolved(b, 2, vec![sizes("pads", &[1, 0, 1, 0])]), "Conv", "expected none or [1, 1, 1, 1]"),
        (|b| convolved(b, 2, vec![sizes("strides", &[1, 2])]), "Conv", "strides"),
        (
            |b| pooled(b, "MaxPool", vec![sizes("kernel_shape", &[2, 2]), sizes("pads", &[1; 4])]),
            "MaxPool",
            "leave the image",
        ),
        (|b| pooled(b, "AveragePool", vec![sizes("kernel_shape", &[2, 3])]), "AveragePool", "expected square"),
        (
            |b| {
                pooled(
                    b,
                    "MaxPool",
                    vec![sizes("kernel_shape", &[3, 3]), sizes("strides", &[2, 2]), integer("ceil_mode", 1)],
                )
            },
            "MaxPool",
            "ceil_mode",
        ),
        (|b| pooled(b, "ReduceMean", vec![sizes("axes", &[1])]), "ReduceMean", "over axes [1]"),
        (|b| b.node("LeakyRelu", &["x"], vec![float("alpha", 0.2)]), "LeakyRelu", "expected 0.01"),
        (
            |b| {
                let [low, high] = [0.0, 6.0].map(|value| b.number(kinds::FLOAT, value));
                b.node("Clip", &["x", &low, &high], vec![])
            },
            "Clip",
            "no upper bound",
        ),
        (|b| b.node("Selu", &["x"], vec![]), "Selu", "no layer"),
        (
            |b| {
                let p = b.node("Softmax", &["x"], vec![]);
                dense(b, "w", &p, [32, 1])
            },
            "MatMul",
            "softmax",
        ),
        (
            |b| {
                let (h, two) = (dense(b, "w", "x", [32, 2]), b.number(kinds::FLOAT, 2.0));
                b.node("Mul", &[&h, &two], vec![])
            },
            "Mul",
            "products with constants",
        ),
        (|b| b.node("Flatten", &["x"], vec![integer("axis", 0)]), "Flatten", "expected 1"),
        (|b| dense(b, "w", "x", [5, 2]), "MatMul", "weights for 5 numbers"),
    ];
    for (nodes, name, part) in cases {
        let error = read(32, nodes).unwrap_err();
        assert!(matches!(&error, ImportError::Unsupported { operator, .. } if operator == name), "{name}: {error}");
        assert!(error.to_string().contains(part), "{name}: {error}");
    }
    // The same padding, said in another way.
    let same = |text: &str| {
        let attribute =
            super::super::proto::AttributeProto { name: "auto_pad".into(), s: Some(text.into()), ..Default::default() };
        let nodes = |builder: &mut Builder| {
            let y = convolved(builder, 2, vec![attribute.clone()]);
            builder.node("GlobalAveragePool", &[&y], vec![])
        };
        read(32, nodes).unwrap().architecture.layers[0].clone()
    };
    for (text, expected) in [("SAME_UPPER", Padding::Same), ("VALID", Padding::Valid)] {
        assert!(matches!(same(text), Layer::Convolution { padding, .. } if padding == expected));
    }
}

#[test]
fn sums_that_use_everything_again_end() {
    // Each sum contains the two before it: together more layers than the file could ever mean.
    let read = read(2, |builder| {
        let mut values = [dense(builder, "w", "x", [2, 2]), builder.node("Relu", &["x"], vec![])];
        for _ in 0..200 {
            let sum = builder.node("Add", &[&values[0], &values[1]], vec![]);
            values = [values[1].clone(), sum];
        }
        values[1].clone()
    });
    assert!(matches!(read, Err(ImportError::Unsupported { operator, .. }) if operator == "Add"));
}

#[test]
fn tensors_that_cannot_be_read_are_named() {
    let tensor = |dims: &[i64], raw: &[u8]| TensorProto {
        name: "w".into(),
        dims: dims.to_vec(),
        data_type: kinds::FLOAT,
        raw_data: Some(raw.to_vec()),
        ..Default::default()
    };
    let message = |tensor: &TensorProto| Constant::read(tensor).unwrap_err().to_string();
    assert!(Constant::read(&tensor(&[0, 3], &[])).is_ok());
    assert_eq!(message(&tensor(&[2], &[0; 4])), "tensor `w`: expected 2 numbers for the shape [2], got 1");
    assert_eq!(message(&tensor(&[2], &[0; 7])), "tensor `w`: its last number is cut off");
    assert_eq!(message(&tensor(&[1], &f32::NAN.to_le_bytes())), "tensor `w`: number 1 is not a number");
    assert!(message(&tensor(&[-1], &[])).contains("its shape is [-1]"));
    assert!(message(&tensor(&[i64::MAX, 4, 0], &[])).contains("its shape is"));
    let mut elsewhere = tensor(&[1], &[]);
    elsewhere.data_location = Some(1);
    assert!(matches!(Constant::read(&elsewhere), Err(ImportError::ExternalData { .. })));
    // Of an empty tensor every order is empty.
    let empty = Constant::read(&tensor(&[1 << 40, 0], &[])).unwrap().transposed(&[1, 0]);
    assert_eq!((empty.shape(), empty.floats().unwrap().len()), (&[0, 1 << 40][..], 0));
}
