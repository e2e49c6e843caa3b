"""Tables, pictures, texts, sounds, series and language models: what goes together, and how it is shown."""
