"""Threads, answers, pictures and money, kept in one SQL database."""
