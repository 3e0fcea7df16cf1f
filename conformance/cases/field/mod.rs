//! What the field asks for (conformance/upstream/field_statements.tsv): losses that users of
//! upstream met and that no server may repeat. The disk ends at every operation of a script, with
//! the death of the process and with a loss of power.

mod configuration;
mod consumers;
mod disk;
mod full_disk;
mod purges;
mod rewriting;
mod work_queue;

crate::collect! {
    configuration,
    consumers,
    full_disk,
    purges,
    rewriting,
    work_queue,
}
