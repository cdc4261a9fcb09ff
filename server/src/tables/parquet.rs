//! Tables as Apache Parquet: one row group, Snappy, every column optional.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::{Cell, Kind, Table, TableError};

pub(super) fn write(table: &Table) -> Result<Vec<u8>, TableError> {
    let columns = table.columns.iter().map(|&(name, kind)| {
        let (physical, logical) = match kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Integer => (Physical::INT64, None),
            Kind::Number => (Physical::DOUBLE, None),
            Kind::Single => (Physical::FLOAT, None),
        };
        let column = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        column.build().map(Arc::new)
    });
    let schema = Type::group_type_builder("table").with_fields(columns.collect::<Result<_, _>>()?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(format!("Selectivity Lab {}", env!("CARGO_PKG_VERSION")));
    let mut writer = SerializedFileWriter::new(
        Vec::new(),
        Arc::new(schema.build()?),
        Arc::new(properties.build()),
    )?;
    let mut group = writer.next_row_group()?;
    for (place, (_, kind)) in table.columns.iter().enumerate() {
        // There is a writer for each column of the schema, in order.
        let Some(mut column) = group.next_column()? else {
            break;
        };
        let cells = || table.rows.iter().map(|row| &row[place]);
        match kind {
            Kind::Text => put::<ByteArrayType>(&mut column, cells(), |cell| match cell {
                Cell::Text(text) => Some(ByteArray::from(text.as_bytes().to_vec())),
                _ => None,
            }),
            Kind::Integer => put::<Int64Type>(&mut column, cells(), |cell| match cell {
                Cell::Integer(value) => Some(*value),
                _ => None,
            }),
            Kind::Number => put::<DoubleType>(&mut column, cells(), |cell| match cell {
                Cell::Number(value) => Some(*value),
                _ => None,
            }),
            Kind::Single => put::<FloatType>(&mut column, cells(), |cell| match cell {
                Cell::Single(value) => Some(*value),
                _ => None,
            }),
        }?;
        column.close()?;
    }
    group.close()?;
    Ok(writer.into_inner()?)
}

/// Writes a column. `value` takes the values of the column's kind; any other but a missing one is refused, not lost.
fn put<'a, T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = &'a Cell>,
    value: impl Fn(&Cell) -> Option<T::T>,
) -> Result<(), TableError> {
    let (mut values, mut present) = (Vec::new(), Vec::new());
    for cell in cells {
        let value = value(cell);
        if value.is_none() && *cell != Cell::Missing {
            return Err(TableError::Kind(cell.clone()));
        }
        present.push(i16::from(value.is_some()));
        values.extend(value);
    }
    column
        .typed::<T>()
        .write_batch(&values, Some(&present), None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, Row};

    /// Breaks when a value changes its type or a digit, a column gets another's values, or a missing value is read as one.
    #[test]
    fn what_is_written_is_read_back() {
        let file = super::write(&super::super::tests::some()).unwrap();
        let reader = SerializedFileReader::new(axum::body::Bytes::from(file)).unwrap();
        let rows: Vec<Row> = reader
            .get_row_iter(None)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let values: Vec<Vec<(String, Field)>> = rows
            .iter()
            .map(|row| {
                let columns = row.get_column_iter();
                columns
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect()
            })
            .collect();
        let row = |values: [Field; 4]| {
            let names = ["name", "count", "number", "single"].map(str::to_owned);
            names.into_iter().zip(values).collect::<Vec<_>>()
        };
        let first = row([
            Field::Str("a, \"b\"".into()),
            Field::Long(7),
            Field::Double(0.1 + 0.2),
            Field::Float(0.1),
        ]);
        let second = row([Field::Null, Field::Null, Field::Null, Field::Null]);
        assert_eq!(values, [first, second]);
    }

    /// Breaks when a value that is not of its column's kind is written as missing.
    #[test]
    fn a_value_of_another_kind_is_refused() {
        let mut table = super::super::tests::some();
        table.rows[0][2] = 0.5_f32.into();
        let error = super::write(&table).unwrap_err().to_string();
        assert!(error.contains("Single(0.5)"), "{error}");
    }

    /// Breaks when a table without rows is no file.
    #[test]
    fn an_empty_table_is_a_file() {
        let mut table = super::super::tests::some();
        table.rows.clear();
        let file = super::write(&table).unwrap();
        let reader = SerializedFileReader::new(axum::body::Bytes::from(file)).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
