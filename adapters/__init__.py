"""One translation for each place where people talk; an adapter knows no other and no database."""
