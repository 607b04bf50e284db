"""Between HTTP and protobuf messages: requests are decoded, responses encoded."""
