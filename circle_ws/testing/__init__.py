"""What suites of programs that use circle-ws need."""
