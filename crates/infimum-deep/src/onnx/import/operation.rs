//! A node of the graph with its inputs.

use std::rc::Rc;

use super::super::proto::{AttributeProto, NodeProto};
use super::super::tensor::Constant;
use super::steps::Flow;
use super::{ImportError, Transform, Value};

/// A node, and what its inputs are; `None` where an input is left out.
pub(super) struct Operation<'a> {
    pub node: &'a NodeProto,
    pub inputs: Vec<Option<Value>>,
}

impl Operation<'_> {
    /// Operator and name for messages.
    pub fn title(&self) -> String {
        format!("operator {}, node `{}`", self.node.op_type, self.name())
    }

    fn name(&self) -> &str {
        match self.node.output.first() {
            Some(output) if self.node.name.is_empty() => output,
            _ => &self.node.name,
        }
    }

    /// The error that the node cannot be a layer.
    pub fn refused(&self, why: String) -> ImportError {
        ImportError::Unsupported { operator: self.node.op_type.clone(), node: self.name().to_string(), why }
    }

    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// An attribute with a tensor.
    pub fn tensor(&self, name: &str) -> Option<Result<Constant, ImportError>> {
        self.attribute(name)?.t.as_ref().map(Constant::read)
    }

    /// An integer, or its default.
    pub fn integer(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    /// A single, or its default.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).and_then(|attribute| attribute.f).unwrap_or(default)
    }

    /// Singles; empty if they are not there.
    pub fn floats(&self, name: &str) -> Option<&[f32]> {
        self.attribute(name).map(|attribute| attribute.floats.as_slice())
    }

    /// Integers, if they are there.
    pub fn integers(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| attribute.ints.as_slice())
    }

    /// A text, or its default.
    pub fn text<'b>(&'b self, name: &str, default: &'b str) -> &'b str {
        let text = self.attribute(name).and_then(|attribute| attribute.s.as_deref());
        text.map_or(default, |text| std::str::from_utf8(text).unwrap_or("?"))
    }

    /// Whether input `place` is there.
    pub fn has(&self, place: usize) -> bool {
        matches!(self.inputs.get(place), Some(Some(_)))
    }

    fn input(&self, place: usize) -> Result<&Value, ImportError> {
        let input = self.inputs.get(place).and_then(Option::as_ref);
        input.ok_or_else(|| self.refused(format!("its input number {} is missing", place + 1)))
    }

    /// Input `place`, which must depend on the data.
    pub fn flow(&self, place: usize) -> Result<&Flow, ImportError> {
        let flow = self.flow_or_probabilities(place)?;
        match flow.transform {
            Transform::None => Ok(flow),
            _ => Err(self.refused("it reads the output of a softmax".into())),
        }
    }

    /// Input `place`, which must depend on the data, perhaps through a softmax.
    pub fn flow_or_probabilities(&self, place: usize) -> Result<&Flow, ImportError> {
        match self.input(place)? {
            Value::Flow(flow) => Ok(flow),
            Value::Term(term) => Err(term.refused()),
            _ => Err(self.refused(format!("expected that its input number {} depends on the data", place + 1))),
        }
    }

    /// Input `place`, which must be a constant.
    pub fn constant(&self, place: usize) -> Result<&Constant, ImportError> {
        match self.input(place)? {
            Value::Constant(constant) => Ok(constant),
            _ => Err(self.refused(format!("expected a constant as its input number {}", place + 1))),
        }
    }

    /// Input `place`, which must be `count` constant numbers.
    pub fn numbers(&self, place: usize, count: usize) -> Result<Rc<[f32]>, ImportError> {
        let constant = self.constant(place)?;
        match constant.floats() {
            Some(values) if values.len() == count => Ok(values),
            _ => Err(self.refused(format!(
                "expected {count} numbers as its input number {}, got shape {:?}",
                place + 1,
                constant.shape()
            ))),
        }
    }

    /// Known integers: attribute `name`, or else input `place`; `None` if neither is there.
    pub fn list(&self, name: &str, place: usize) -> Result<Option<Vec<i64>>, ImportError> {
        if let Some(list) = self.integers(name) {
            return Ok(Some(list.to_vec()));
        }
        if !self.has(place) {
            return Ok(None);
        }
        match self.constant(place)? {
            Constant::Integers { values, .. } => match values.iter().copied().collect::<Option<Vec<i64>>>() {
                Some(list) => Ok(Some(list)),
                None => Err(self.refused(format!("its input number {} depends on the number of examples", place + 1))),
            },
            Constant::Floats { .. } => {
                Err(self.refused(format!("expected integers as its input number {}", place + 1)))
            }
        }
    }

    /// `axes` of a value with `rank` dimensions, counted from the front.
    pub fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>, ImportError> {
        let from_front = axes.iter().map(|&axis| {
            let axis = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
            usize::try_from(axis).ok().filter(|&axis| axis < rank)
        });
        from_front
            .collect::<Option<Vec<usize>>>()
            .ok_or_else(|| self.refused(format!("axes {axes:?} of a value with {rank} dimensions")))
    }
}
