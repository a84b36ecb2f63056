"""What the project's Markdown files say in numbers, made from files: cards, the page for a GPU, the
index of tables."""
