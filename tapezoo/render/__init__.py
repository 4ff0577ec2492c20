"""Files in, files out: sound files, automation files, the limiter, and the renderer that plays them."""
