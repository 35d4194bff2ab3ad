"""The text engine: danmaku, OCR lines, transcripts and nicknames go through the same check."""
