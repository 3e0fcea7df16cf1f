//! Cases of upstream's `server/` folder.

mod archive;
mod ats;
mod avl_norace;
mod client;
mod client_proxyproto;
mod closed_conns;
mod config_check;
mod errors;
mod feature_flags;
mod filestore_basics;
mod filestore_consumer;
mod filestore_crypt;
mod filestore_damage;
mod filestore_limits;
mod filestore_removal;
mod filestore_snapshot;
mod filestore_subjects;
mod gsl;
mod headers;
mod ipqueue;
mod log;
mod monitor;
mod monitor_shapes;
mod norace_1_stores;
mod norace_2_stores;
mod opts;
mod opts_blocks;
mod opts_served;
mod parser;
mod parser_fuzz;
mod ping;
mod rate_counter;
mod reload;
mod ring;
mod schedules;
mod seqset;
// Named as upstream's file is.
#[expect(clippy::module_inception)]
mod server;
mod signal;
mod split;
mod store_cli;
mod store_codecs;
mod stores;
mod stree;
mod subject_fuzz;
mod subject_transform;
mod sublist;
mod thw;
mod util;

crate::collect! {
    archive,
    ats,
    avl_norace,
    client,
    client_proxyproto,
    closed_conns,
    config_check,
    errors,
    feature_flags,
    filestore_basics,
    filestore_consumer,
    filestore_crypt,
    filestore_damage,
    filestore_limits,
    filestore_removal,
    filestore_snapshot,
    filestore_subjects,
    gsl,
    headers,
    ipqueue,
    log,
    monitor,
    monitor_shapes,
    norace_1_stores,
    norace_2_stores,
    opts,
    opts_blocks,
    opts_served,
    parser,
    parser_fuzz,
    ping,
    rate_counter,
    reload,
    ring,
    schedules,
    seqset,
    server,
    signal,
    split,
    store_cli,
    store_codecs,
    stores,
    stree,
    subject_fuzz,
    subject_transform,
    sublist,
    thw,
    util,
}
