//! Graphs, node by node.

use prost::Message;

use super::export::ExportError;
use super::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, kinds,
};

/// Operator set, and the version of the format that belongs to it.
const OPERATOR_SET: i64 = 17;
const FORMAT_VERSION: i64 = 8;
/// Most bytes of a protobuf message.
const MOST_BYTES: usize = i32::MAX as usize;

/// A graph that is being written. Every node has one output with the node's name; names of nodes are numbered.
#[derive(Default)]
pub(super) struct Builder {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    outputs: Vec<ValueInfoProto>,
}

/// An attribute that is an integer.
pub(super) fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: Some(value), kind: kinds::ATTRIBUTE_INT, ..Default::default() }
}

/// An attribute that is a single.
pub(super) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: name.into(), f: Some(value), kind: kinds::ATTRIBUTE_FLOAT, ..Default::default() }
}

/// An attribute that is a list of sizes.
pub(super) fn sizes(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&value| value as i64).collect();
    AttributeProto { name: name.into(), ints, kind: kinds::ATTRIBUTE_INTS, ..Default::default() }
}

/// An input or output of shape `[N, sizes]`.
fn described(name: &str, element: i32, sizes: &[usize]) -> ValueInfoProto {
    let examples = DimensionProto { dim_param: Some("N".into()), ..Default::default() };
    let known = sizes.iter().map(|&size| DimensionProto { dim_value: Some(size as i64), ..Default::default() });
    let shape = TensorShapeProto { dim: std::iter::once(examples).chain(known).collect() };
    let tensor_type = Some(TensorTypeProto { elem_type: element, shape: Some(shape) });
    ValueInfoProto { name: name.into(), kind: Some(TypeProto { tensor_type }) }
}

impl Builder {
    /// A node with several outputs.
    pub fn node_with_outputs(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        outputs: Vec<String>,
    ) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.into()).collect(),
            name: outputs[0].clone(),
            output: outputs,
            op_type: operator.into(),
            attribute: attributes,
            domain: String::new(),
        });
    }

    /// A node; gives the name of its output.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let name = format!("{operator}.{}", self.nodes.len() + 1);
        self.node_with_outputs(operator, inputs, attributes, vec![name.clone()]);
        name
    }

    fn constant(&mut self, name: &str, data_type: i32, shape: &[usize], raw: Vec<u8>) -> String {
        let dims = shape.iter().map(|&size| size as i64).collect();
        let tensor = TensorProto { name: name.into(), data_type, dims, raw_data: Some(raw), ..Default::default() };
        self.initializers.push(tensor);
        name.into()
    }

    /// A constant of singles.
    pub fn singles(&mut self, name: &str, shape: &[usize], values: impl IntoIterator<Item = f32>) -> String {
        self.constant(name, kinds::FLOAT, shape, values.into_iter().flat_map(f32::to_le_bytes).collect())
    }

    /// A constant of doubles.
    pub fn doubles(&mut self, name: &str, shape: &[usize], values: impl IntoIterator<Item = f64>) -> String {
        self.constant(name, kinds::DOUBLE, shape, values.into_iter().flat_map(f64::to_le_bytes).collect())
    }

    /// A constant number of the given kind, without dimensions.
    pub fn number(&mut self, element: i32, value: f64) -> String {
        let name = format!("number.{}", self.initializers.len() + 1);
        if element == kinds::DOUBLE {
            self.doubles(&name, &[], [value])
        } else {
            self.singles(&name, &[], [value as f32])
        }
    }

    /// A constant list of integers.
    pub fn integers(&mut self, values: impl IntoIterator<Item = usize>) -> String {
        let name = format!("integers.{}", self.initializers.len() + 1);
        let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(&name, kinds::INT64, &[values.len()], raw)
    }

    /// Makes `value` an output of the graph called `name`, of shape `[N, sizes]`.
    pub fn output(&mut self, value: &str, name: &str, element: i32, sizes: &[usize]) {
        self.node_with_outputs("Identity", &[value], Vec::new(), vec![name.into()]);
        self.outputs.push(described(name, element, sizes));
    }

    /// The file. Its input is `x`, of shape `[N, columns]`.
    pub fn finish(self, element: i32, columns: usize, labels: &[String]) -> Result<Vec<u8>, ExportError> {
        let graph = GraphProto {
            node: self.nodes,
            name: "infimum".into(),
            initializer: self.initializers,
            input: vec![described("x", element, &[columns])],
            output: self.outputs,
        };
        let mut metadata_props = Vec::new();
        if !labels.is_empty() {
            let value = serde_json::Value::from(labels).to_string();
            metadata_props.push(StringStringEntryProto { key: "labels".into(), value });
        }
        let model = ModelProto {
            ir_version: Some(FORMAT_VERSION),
            producer_name: "infimum".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPERATOR_SET }],
            metadata_props,
        };
        let size = model.encoded_len();
        if size > MOST_BYTES { Err(ExportError::TooLarge(size)) } else { Ok(model.encode_to_vec()) }
    }
}
