//! Cases of upstream's `logger/` folder.

crate::collect! {}
