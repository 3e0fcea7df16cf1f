//! Cases of upstream's `conf/` folder.

crate::collect! {}
