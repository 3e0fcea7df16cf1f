//! What can be chosen by name.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Declares a choice: its values with their names in JSON, other names that are read, and the error
/// for a name that there is not. Case matters but for `any_case`.
macro_rules! choice {
    (
        $(#[$doc:meta])*
        $name:ident, refused $refusal:expr $(, $case:ident)?; {
            $($(#[$variant_doc:meta])* $variant:ident = $text:literal $(| $other:literal)*,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// The name in JSON.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            fn from_name(text: &str) -> Option<Self> {
                $(let folded = choice!(@$case text); let text = folded.as_str();)?
                match text {
                    $($text $(| $other)* => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Choice { from_name: Self::from_name, refusal: $refusal })
            }
        }
    };
    (@any_case $text:ident) => { $text.to_ascii_lowercase() };
}

/// Reads the name of a `T`.
struct Choice<T> {
    from_name: fn(&str) -> Option<T>,
    /// The error for a name that there is not.
    refusal: fn(&str) -> String,
}

impl<T> Visitor<'_> for Choice<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.from_name)(text).ok_or_else(|| E::custom((self.refusal)(text)))
    }
}

/// Upstream quotes the JSON, which is a quoted string itself.
fn not_unmarshalled(name: &str) -> String {
    format!("can not unmarshal {:?}", format!("{name:?}"))
}

choice! {
    /// What makes a stream drop messages.
    RetentionPolicy, refused not_unmarshalled; {
        /// Only its limits.
        #[default]
        Limits = "limits",
        /// Every consumer has acknowledged them.
        Interest = "interest",
        /// A consumer has acknowledged them.
        WorkQueue = "workqueue",
    }
}

choice! {
    /// What happens when a limit is reached.
    DiscardPolicy, refused not_unmarshalled, any_case; {
        /// Old messages go.
        #[default]
        Old = "old",
        /// New messages are refused.
        New = "new",
    }
}

choice! {
    /// Where messages are kept.
    StorageType, refused not_unmarshalled; {
        /// On disk.
        #[default]
        File = "file",
        /// In memory.
        Memory = "memory",
    }
}

choice! {
    /// How blocks are compressed.
    StoreCompression, refused |_| "unknown compression algorithm".to_owned(); {
        /// Not at all.
        #[default]
        None = "none",
        /// S2.
        S2 = "s2",
    }
}

choice! {
    /// When a publish is acknowledged.
    PersistMode, refused not_unmarshalled; {
        /// After it was written.
        #[default]
        Default = "default" | "",
        /// Possibly before; what was not written is lost when the server is killed.
        Async = "async",
    }
}

choice! {
    /// Which messages have to be acknowledged.
    AckPolicy, refused not_unmarshalled; {
        /// None.
        #[default]
        None = "none",
        /// One acknowledgement stands for all before it.
        All = "all",
        /// Each.
        Explicit = "explicit",
        /// As all, by answers to flow control.
        FlowControl = "flow_control",
    }
}

choice! {
    /// How fast stored messages are delivered.
    ReplayPolicy, refused not_unmarshalled; {
        /// As fast as possible.
        #[default]
        Instant = "instant",
        /// As they came.
        Original = "original",
    }
}

choice! {
    /// Where a consumer begins.
    DeliverPolicy, refused not_unmarshalled; {
        /// The first message.
        #[default]
        All = "all" | "undefined",
        /// The last one.
        Last = "last",
        /// After the last one.
        New = "new",
        /// A sequence.
        ByStartSequence = "by_start_sequence",
        /// A time.
        ByStartTime = "by_start_time",
        /// The last one of each subject.
        LastPerSubject = "last_per_subject",
    }
}

choice! {
    /// Who of those that pull gets messages.
    PriorityPolicy, refused |name| format!("unknown priority policy: {name:?}"); {
        /// Anyone.
        #[default]
        None = "none",
        /// Some only when much is pending.
        Overflow = "overflow",
        /// One, while others stand by.
        PinnedClient = "pinned_client",
        /// The ones with the lowest priority number first.
        Prioritized = "prioritized",
    }
}
