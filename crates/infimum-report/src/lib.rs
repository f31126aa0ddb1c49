//! The log of infimum: terminal lines and JSON lines.
