//! Saved views: addresses of the dashboard, by name.

use protocol::saved_view::{NewView, SavedView};
use sqlx::Row;

use super::{Store, StoreError};
use crate::clock::now;

impl Store {
    /// Every saved view, in order of name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn saved_views(&self) -> Result<Vec<SavedView>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, address, created_at FROM saved_views ORDER BY lower(name), id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(SavedView {
                    id: row.try_get("id")?,
                    name: row.try_get("name")?,
                    address: row.try_get("address")?,
                    created_at: row.try_get("created_at")?,
                })
            })
            .collect()
    }

    /// Saves a view, which must be valid.
    ///
    /// # Errors
    /// When there is one of this name.
    pub async fn save_view(&self, view: &NewView) -> Result<SavedView, StoreError> {
        let created_at = now();
        let inserted = sqlx::query(
            "INSERT INTO saved_views (name, address, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&view.name)
        .bind(&view.address)
        .bind(created_at)
        .execute(&self.pool)
        .await?;
        match inserted.rows_affected() {
            0 => Err(StoreError::ViewExists(view.name.clone())),
            _ => Ok(SavedView {
                id: inserted.last_insert_rowid(),
                name: view.name.clone(),
                address: view.address.clone(),
                created_at,
            }),
        }
    }

    /// Deletes a saved view.
    ///
    /// # Errors
    /// When there is none of this number.
    pub async fn delete_view(&self, id: i64) -> Result<(), StoreError> {
        let deleted = sqlx::query("DELETE FROM saved_views WHERE id = ?")
            .bind(id)
            .execute(&self.pool)
            .await?;
        match deleted.rows_affected() {
            0 => Err(StoreError::NoView(id)),
            _ => Ok(()),
        }
    }
}
