"""For authors of analyzers: a pytest plugin that runs the examples in their files, and the fixture `play`."""
