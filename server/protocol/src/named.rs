//! Enums that are known by name: in JSON, addresses and files, and to people.

/// Defines an enum whose variants have a name (`= "as_it_is_written"`) and, where people call them otherwise, a label
/// (`=> "As people call it"`). Name, label and serde's name come from the same line, so that they cannot disagree.
macro_rules! named {
    (
        $(#[$attribute:meta])*
        pub enum $enum:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $id:tt,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $enum {
            // A `tt`, since utoipa does not see a literal that a macro hands on as one.
            $($(#[$variant_attribute])* #[serde(rename = $id)] $variant,)+
        }

        impl $enum {
            /// Every one, in the order in which they are defined.
            pub const ALL: [$enum; [$($id),+].len()] = [$($enum::$variant),+];

            /// The name in JSON, addresses and files.
            pub fn id(self) -> &'static str {
                match self { $($enum::$variant => $id,)+ }
            }

            /// The one called `id`, if there is one.
            pub fn from_id(id: &str) -> Option<$enum> {
                $enum::ALL.into_iter().find(|one| one.id() == id)
            }
        }
    };
    (
        $(#[$attribute:meta])*
        pub enum $enum:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $id:tt => $label:literal,)+
        }
    ) => {
        named! {
            $(#[$attribute])*
            pub enum $enum {
                $($(#[$variant_attribute])* $variant = $id,)+
            }
        }

        impl $enum {
            /// What a person calls it.
            pub fn label(self) -> &'static str {
                match self { $($enum::$variant => $label,)+ }
            }
        }
    };
}

pub(crate) use named;
