"""One OpenAPI document of all public functions, and a page to read it."""
