"""The read path: layers merged into what one view sees."""
