//! Networks and their gradients on the processor.
