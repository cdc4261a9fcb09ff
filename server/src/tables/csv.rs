//! Tables as comma-separated values: every digit, and nothing where a value is missing.

use std::borrow::Cow;

use super::{Cell, Table, TableError};

pub(super) fn write(table: &Table) -> Result<Vec<u8>, TableError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(table.columns.iter().map(|(name, _)| *name))?;
    for row in &table.rows {
        let values: Vec<Cow<str>> = row.iter().map(written).collect();
        writer.write_record(values.iter().map(|value| value.as_bytes()))?;
    }
    Ok(writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?)
}

fn written(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Text(text) => Cow::Borrowed(text),
        Cell::Integer(value) => value.to_string().into(),
        Cell::Number(value) => value.to_string().into(),
        Cell::Single(value) => value.to_string().into(),
        Cell::Missing => "".into(),
    }
}

#[cfg(test)]
mod tests {
    /// Breaks when a digit is lost, a comma splits a value, or a missing value is written as something.
    #[test]
    fn every_digit_is_written() {
        let text = super::write(&super::super::tests::some()).unwrap();
        let expected =
            "name,count,number,single\n\"a, \"\"b\"\"\",7,0.30000000000000004,0.1\n,,,\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
