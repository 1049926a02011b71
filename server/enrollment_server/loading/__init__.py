"""Bulk import of students, courses and enrolments from CSV files."""
