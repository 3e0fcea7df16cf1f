//! Data structures: no I/O, no clock, no locks; their owners share them.

pub mod cron;
pub mod expiries;
pub mod generic_sublist;
pub mod rate_counter;
pub mod ring;
pub mod seq_set;
pub mod state_file;
pub mod subject_tree;
