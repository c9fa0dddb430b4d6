"""The pictures: handles, store, probing, masks, previews, hosting and safe download."""
