"""What any package may use, and what knows nothing of feedback: texts, times, ids, files."""
