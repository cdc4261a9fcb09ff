//! A spec as the texts of a form's fields, and back. serde says which fields a spec has and what each holds, so that
//! no second list of them is kept: a field that is new in the spec has a text in every form.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::str::FromStr;

use protocol::field_error::FieldError;
use protocol::numeral::plain;
use serde::de::value::{MapAccessDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor,
};
use serde_json::Value;

/// What fields hold, by their paths in the spec, for example `training.epochs`.
pub type Texts = BTreeMap<String, String>;

/// Every field of the `T` at `path` of `start`, as text. Lists of anything but numbers and names have none.
pub fn write<T: DeserializeOwned>(path: &str, start: &Value) -> Texts {
    let form = Form {
        texts: &Texts::new(),
        fields: RefCell::default(),
    };
    let read = form.read::<T>(path, start);
    debug_assert!(read.is_ok(), "nothing was typed, so nothing can be refused");
    form.fields.into_inner()
}

/// The `T` at `path` that `texts` make of `start`, and what is wrong with each field that cannot be read. Such a field is read
/// from `start`, so that the others can still be checked. No `T` where `start` does not fit.
pub fn read<T: DeserializeOwned>(
    path: &str,
    start: &Value,
    texts: &Texts,
) -> (Option<T>, Vec<FieldError>) {
    let mut texts = texts.clone();
    let mut errors = Vec::new();
    loop {
        let form = Form {
            texts: &texts,
            fields: RefCell::default(),
        };
        let Unreadable { field, reason } = match form.read(path, start) {
            Ok(spec) => return (Some(spec), errors),
            Err(unreadable) => unreadable,
        };
        let typed = texts.remove(&field);
        errors.push(FieldError::new(field, reason));
        if typed.is_none() {
            return (None, errors);
        }
    }
}

/// Whether `field` is the one at `path`, or a part of it.
pub fn is_within(field: &str, path: &str) -> bool {
    field
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// `path` as a JSON pointer.
pub fn pointer(path: &str) -> String {
    let parts = path.split('.').filter(|part| !part.is_empty());
    parts.map(|part| format!("/{part}")).collect()
}

/// The path of `field` below `path`.
fn below(path: &str, field: &str) -> String {
    match path {
        "" => field.to_owned(),
        _ => format!("{path}.{field}"),
    }
}

/// The text that reads back as `value`; empty for what has none.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null | Value::Object(_) => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => number.as_f64().map(plain).unwrap_or_default(),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => values.iter().map(text_of).collect::<Vec<_>>().join(", "),
    }
}

/// Why a field cannot be read.
#[derive(Debug)]
struct Unreadable {
    field: String,
    reason: String,
}

impl Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl std::error::Error for Unreadable {}

impl Error for Unreadable {
    fn custom<T: Display>(reason: T) -> Self {
        Unreadable {
            field: String::new(),
            reason: reason.to_string(),
        }
    }
}

/// A form while it is read.
struct Form<'a> {
    texts: &'a Texts,
    /// The fields that were found so far, and what they hold.
    fields: RefCell<Texts>,
}

impl Form<'_> {
    fn read<T: DeserializeOwned>(&self, path: &str, start: &Value) -> Result<T, Unreadable> {
        let start = start.pointer(&pointer(path)).unwrap_or(&Value::Null);
        T::deserialize(self.field(path.to_owned(), start))
    }

    fn field<'a>(&'a self, path: String, start: &'a Value) -> Field<'a> {
        let typed = self.texts.get(&path).cloned();
        Field {
            text: typed.unwrap_or_else(|| text_of(start)),
            form: self,
            path,
            start,
        }
    }
}

/// A field, an entry of a list, or a part with fields of its own.
struct Field<'a> {
    form: &'a Form<'a>,
    path: String,
    /// What it holds where nothing was typed.
    start: &'a Value,
    text: String,
}

impl<'a> Field<'a> {
    /// Its text, as that of a field of the form, without spaces around it.
    fn text(&self) -> &str {
        self.lines().trim()
    }

    /// Its text as it was typed.
    fn lines(&self) -> &str {
        let mut fields = self.form.fields.borrow_mut();
        // Of a list the whole comes first, and its entries after it.
        fields
            .entry(self.path.clone())
            .or_insert_with(|| self.text.clone());
        &self.text
    }

    fn whole<T: FromStr>(&self) -> Result<T, Unreadable> {
        let text = self.text();
        text.parse().map_err(|_| {
            Unreadable::custom(match text {
                "" => "give a whole number".to_owned(),
                _ if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                    format!("{text} is too large")
                }
                _ if text.parse::<i64>().is_ok() => format!("{text} is below 0"),
                _ => format!("`{text}` is not a whole number"),
            })
        })
    }

    fn number(&self) -> Result<f64, Unreadable> {
        let text = self.text();
        text.parse().map_err(|_| {
            Unreadable::custom(match text {
                "" => "give a number".to_owned(),
                _ => format!("`{text}` is not a number; write, for example, 0.1 or 1e-4"),
            })
        })
    }

    fn switch(&self) -> Result<bool, Unreadable> {
        let text = self.text();
        let wrong = |_| Unreadable::custom(format!("`{text}` is neither true nor false"));
        text.parse().map_err(wrong)
    }
}

impl<'de> Deserializer<'de> for Field<'_> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unreadable> {
        Err(Unreadable::custom("no form has a field of this kind"))
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_u8(self.whole()?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_u32(self.whole()?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_u64(self.whole()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_f64(self.number()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_bool(self.switch()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_str(self.lines())
    }

    /// None where nothing was typed. A part that may be absent is absent where `start` has none.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.start.is_object() {
            return visitor.visit_some(self);
        }
        match self.text().to_owned() {
            text if text.is_empty() => visitor.visit_none(),
            text => visitor.visit_some(Field { text, ..self }),
        }
    }

    /// A list of numbers or names is one text; any other list is as it is in `start`.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if let Value::Array(values) = self.start
            && values.iter().any(Value::is_object)
        {
            let taken = values.clone().into_deserializer();
            return visitor.visit_seq(taken).map_err(Unreadable::custom);
        }
        let entries = crate::form::parse::entries(self.text()).map(|entry| Field {
            form: self.form,
            path: self.path.clone(),
            start: &Value::Null,
            text: entry.to_owned(),
        });
        visitor.visit_seq(SeqDeserializer::new(entries))
    }

    /// What goes with a variant that is a name alone.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_map(Part {
            names: fields.iter(),
            name: "",
            part: self,
        })
    }

    /// One of a list of names; a part whose fields are below that name may go with it.
    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        if let Value::Object(variant) = self.start
            && self.text.is_empty()
        {
            self.text = variant.keys().next().cloned().unwrap_or_default();
        }
        let text = self.text();
        let Some(variant) = variants.iter().find(|variant| **variant == text) else {
            let names = variants.join(", ");
            return Err(Unreadable::custom(format!(
                "`{text}` is not one of: {names}"
            )));
        };
        visitor.visit_enum(MapAccessDeserializer::new(Part {
            names: std::slice::from_ref(variant).iter(),
            name: "",
            part: self,
        }))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u16 u128 f32 char str bytes byte_buf unit_struct newtype_struct
        tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Unreadable> for Field<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A part's fields, one after the other.
struct Part<'a> {
    names: std::slice::Iter<'static, &'static str>,
    /// The field whose value is read next.
    name: &'static str,
    part: Field<'a>,
}

impl<'de> MapAccess<'de> for Part<'_> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unreadable> {
        let Some(name) = self.names.next() else {
            return Ok(None);
        };
        self.name = name;
        let name: StrDeserializer<Unreadable> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Unreadable> {
        let Field {
            form, path, start, ..
        } = &self.part;
        let path = below(path, self.name);
        let start = start.get(self.name).unwrap_or(&Value::Null);
        let value = seed.deserialize(form.field(path.clone(), start));
        value.map_err(|mut unreadable| {
            // The innermost field is the one to blame.
            if unreadable.field.is_empty() {
                unreadable.field = path;
            }
            unreadable
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Spec {
        name: String,
        rate: f64,
        steps: Vec<u8>,
        limit: Option<u32>,
        place: Place,
        part: Option<Part>,
        points: Vec<Point>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Place {
        Here,
        There(Part),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Part {
        on: bool,
        seed: u64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Point {
        x: f64,
    }

    fn start() -> Value {
        json!({"spec": {
            "name": "a", "rate": 0.5, "steps": [1, 2], "place": {"there": {"on": true, "seed": 3}},
            "part": {"on": false, "seed": 0}, "points": [{"x": 0.1}],
        }})
    }

    fn texts(typed: &[(&str, &str)]) -> Texts {
        let pairs = typed
            .iter()
            .map(|&(path, text)| (path.to_owned(), text.to_owned()));
        pairs.collect()
    }

    /// Broken by: a field that has no text (an absent one too), or one that no spec has.
    #[test]
    fn every_field_has_a_text() {
        let expected = [
            ("spec.limit", ""),
            ("spec.name", "a"),
            ("spec.part.on", "false"),
            ("spec.part.seed", "0"),
            ("spec.place", "there"),
            ("spec.place.there.on", "true"),
            ("spec.place.there.seed", "3"),
            ("spec.rate", "0.5"),
            ("spec.steps", "1, 2"),
        ];
        assert_eq!(write::<Spec>("spec", &start()), texts(&expected));
    }

    /// Broken by: a text that is not taken, spaces that a person typed as part of lines and are lost, or a variant's fields that are
    /// read for another.
    #[test]
    fn texts_make_the_spec() {
        let typed = texts(&[
            ("spec.name", " b "),
            ("spec.limit", " 7 "),
            ("spec.steps", ""),
            ("spec.place", "here"),
            ("spec.place.there.on", "perhaps"),
            ("spec.part.seed", "18446744073709551615"),
        ]);
        let spec = Spec {
            name: " b ".into(),
            rate: 0.5,
            steps: Vec::new(),
            limit: Some(7),
            place: Place::Here,
            part: Some(Part {
                on: false,
                seed: u64::MAX,
            }),
            points: vec![Point { x: 0.1 }],
        };
        assert_eq!(read("spec", &start(), &typed), (Some(spec), Vec::new()));
    }

    /// Broken by: a field that hides the others' errors, an error at another field, or one that is told twice.
    #[test]
    fn every_unreadable_field_is_named_with_its_reason() {
        let typed = texts(&[
            ("spec.rate", "fast"),
            ("spec.steps", "1, 256"),
            ("spec.limit", "-1"),
            ("spec.place.there.on", "perhaps"),
            ("spec.part.seed", ""),
        ]);
        let (spec, errors) = read::<Spec>("spec", &start(), &typed);
        assert_eq!(spec, read("spec", &start(), &Texts::new()).0);
        let errors: Vec<_> = errors
            .iter()
            .map(|error| (error.field.as_str(), error.reason.as_str()))
            .collect();
        assert_eq!(
            errors,
            [
                (
                    "spec.rate",
                    "`fast` is not a number; write, for example, 0.1 or 1e-4"
                ),
                ("spec.steps", "256 is too large"),
                ("spec.limit", "-1 is below 0"),
                ("spec.place.there.on", "`perhaps` is neither true nor false"),
                ("spec.part.seed", "give a whole number"),
            ]
        );
        let wrong = texts(&[("spec.place", "elsewhere")]);
        let (_, errors) = read::<Spec>("spec", &start(), &wrong);
        assert_eq!(errors[0].reason, "`elsewhere` is not one of: here, there");
    }
}
