//! Who may connect and what they may do: users, permissions, passwords, nkeys.

pub mod users;
