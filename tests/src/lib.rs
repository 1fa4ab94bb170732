//! Shared pieces of the test suite: where the fixtures lie and how they are read.
