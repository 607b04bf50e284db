"""Documentation for clients: OpenAPI, the Postman collection, and the HTML pages."""
