//! The machine that the program runs on: CPU, memory, throttling.

pub(crate) mod bandwidth;
mod cgroup;
pub(crate) mod cpu;
pub(crate) mod cpu_list;
pub(crate) mod features;
mod mailbox;
pub(crate) mod memory;
pub(crate) mod throttling;
pub(crate) mod workers;
