"""What clients read about the API: OpenAPI, Postman, and the pages of the documentation."""
