//! Enums that are known by name: in specs, addresses, the store, and to people.

/// Defines an enum whose variants have a name (`= "as_it_is_written"`) and, where people call it otherwise, a label
/// (`=> "As people call it"`). Name, label and serde's name come from the same line, so that they cannot disagree.
macro_rules! named {
    (
        $(#[$attribute:meta])*
        pub enum $enum:ident {
            $($(#[$of_variant:meta])* $variant:ident = $id:literal $(=> $label:literal)?,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $enum {
            $($(#[$of_variant])* #[serde(rename = $id)] $variant,)+
        }

        impl $enum {
            /// Every one, in the order in which pages list them.
            pub const ALL: [$enum; [$($id),+].len()] = [$($enum::$variant),+];

            /// The name in specs, addresses and the store.
            pub fn id(self) -> &'static str {
                match self { $($enum::$variant => $id,)+ }
            }

            /// What a person calls it.
            pub fn label(self) -> &'static str {
                match self { $($enum::$variant => [$($label,)? $id][0],)+ }
            }

            /// The one called `id`, if there is one.
            pub fn from_id(id: &str) -> Option<$enum> {
                $enum::ALL.into_iter().find(|one| one.id() == id)
            }
        }
    };
}

pub(crate) use named;
