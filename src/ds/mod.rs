//! Data structures: no I/O, no clock, no locks; their owners share them.

pub mod generic_sublist;
pub mod rate_counter;
pub mod ring;
pub mod subject_tree;
